//! Keys of programs: made once, shown once, kept as a keyed hash, limited to offices and to a time.
//!
//! A key is 256 random bits, so its hash needs no salt and no slowness.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::keyring::token;
use super::sql::{Row, values};
use super::{Scope, Store, StoreError};

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Issues, signs and mails for their offices.
    Agent,
    /// The same, and decides about merges and mails in doubt.
    Supervisor,
    /// Reads, and changes nothing.
    Auditor,
    /// A program with a key: what a supervisor does.
    Machine,
}

/// Who came in, and how far they may go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// An opaque id, for it stands in the audit trail.
    pub actor: String,
    /// What they may do.
    pub role: Role,
    /// The offices whose documents they may see; none: every office.
    pub offices: Option<Vec<String>>,
    /// Whether what they do is a test: specimens, kept apart, mailed into a folder.
    pub test: bool,
}

/// A key to make.
#[derive(Debug, Clone)]
pub struct NewAccessKey {
    /// A UUIDv7.
    pub id: Uuid,
    /// What the operator calls it.
    pub name: String,
    /// Its offices; none: every office.
    pub offices: Option<Vec<String>>,
    /// Whether it is for tests.
    pub test: bool,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key, without what opens.
#[derive(Debug, Clone, Serialize)]
pub struct AccessKey {
    /// Its id; the actor of what is done with it is `key:` and the id.
    pub id: Uuid,
    /// What the operator calls it.
    pub name: String,
    /// Its offices; none: every office.
    pub offices: Option<Vec<String>>,
    /// Whether it is for tests.
    pub test: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was taken back.
    pub revoked_at: Option<DateTime<Utc>>,
}

const COLUMNS: &str =
    "id, name, offices, test, created_at, expires_at, revoked_at FROM access_keys";

impl Store {
    /// Makes a key and answers with it. It cannot be read again.
    pub async fn make_access_key(
        &self,
        scope: &Scope,
        new: NewAccessKey,
        at: DateTime<Utc>,
    ) -> Result<String, StoreError> {
        let kind = if new.test { "test" } else { "live" };
        let key = format!("paraphe_{kind}_{}", token());
        let hash = self.hasher.secret("access key", &key);
        let actor = scope.actor().to_owned();
        let offices = new.offices.map(|it| serde_json::json!(it).to_string());
        let (id, name, test, expires_at) = (new.id, new.name, u32::from(new.test), new.expires_at);
        self.write(move |it| {
            Box::pin(async move {
                let sql = "INSERT INTO access_keys \
                           (id, hash, name, offices, test, created_at, expires_at) \
                           VALUES ($1, $2, $3, $4, $5, $6, $7)";
                let values = values![id, hash, name, offices, test, at, expires_at];
                it.tx.change(sql, values).await?;
                it.note(at, &actor, "key_made", id, String::new());
                Ok(())
            })
        })
        .await?;
        Ok(key)
    }

    /// Takes a key back, at once.
    pub async fn revoke_access_key(
        &self,
        scope: &Scope,
        id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let actor = scope.actor().to_owned();
        self.write(move |it| {
            Box::pin(async move {
                let sql =
                    "UPDATE access_keys SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL";
                if it.tx.change(sql, values![at, id]).await? == 0 {
                    return Err(StoreError::NotFound("key"));
                }
                it.note(at, &actor, "key_revoked", id, String::new());
                Ok(())
            })
        })
        .await
    }

    /// Every key, the oldest first.
    pub async fn access_keys(&self) -> Result<Vec<AccessKey>, StoreError> {
        let sql = format!("SELECT {COLUMNS} ORDER BY id");
        let rows = self.database.rows(sqlx::AssertSqlSafe(sql), values![]).await?;
        rows.iter().map(access_key).collect()
    }

    /// Whose key it is, if it opens now.
    pub async fn key_holder(
        &self,
        key: &str,
        at: DateTime<Utc>,
    ) -> Result<Option<Access>, StoreError> {
        let hash = self.hasher.secret("access key", key);
        let sql = format!(
            "SELECT {COLUMNS} WHERE hash = $1 AND revoked_at IS NULL \
             AND COALESCE(expires_at, $2 + 1) > $2"
        );
        let row = self.database.row(sqlx::AssertSqlSafe(sql), values![hash, at]).await?;
        let key = row.as_ref().map(access_key).transpose()?;
        Ok(key.map(|it| Access {
            actor: format!("key:{}", it.id),
            role: Role::Machine,
            offices: it.offices,
            test: it.test,
        }))
    }

    /// An opaque id of somebody known elsewhere by a name that may say who they are.
    pub fn opaque_id(&self, kind: &str, name: &str) -> String {
        let hash = self.hasher.secret(kind, name);
        format!("{kind}:{}", super::keyring::hex(&hash[..12]))
    }
}

impl FromStr for Role {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "agent" => Ok(Self::Agent),
            "supervisor" => Ok(Self::Supervisor),
            "auditor" => Ok(Self::Auditor),
            _ => Err(()),
        }
    }
}

fn access_key(row: &Row) -> Result<AccessKey, StoreError> {
    let offices: Option<String> = row.get(2)?;
    let read = |it: String| serde_json::from_str(&it);
    let offices = offices.map(read).transpose();
    Ok(AccessKey {
        id: row.get(0)?,
        name: row.get(1)?,
        offices: offices.map_err(|_| StoreError::Damaged("the offices of a key".to_owned()))?,
        test: row.get::<u32>(3)? == 1,
        created_at: row.get(4)?,
        expires_at: row.get(5)?,
        revoked_at: row.get(6)?,
    })
}
