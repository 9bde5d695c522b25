//! Lists that somebody prepares: a file is uploaded, checked, mended, checked again, and at last begun as a merge.
//!
//! `checking -> checked -> starting -> begun`. What is under way notes how far it has come; one that notes nothing any
//! more was lost with its process, and can be begun anew: its fencing number then keeps the lost one out. A draft is
//! its owner's alone, sealed under a key of its own, and gone when its time is over.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::keyring::DataKey;
use super::prepare::fresh_id;
use super::sql::{Row, Value, values};
use super::writer::Writing;
use super::{Scope, Store, StoreError};

/// How long a draft is kept, and after which silence its check counts as lost.
const LASTS: TimeDelta = TimeDelta::hours(24);
const SILENCE: TimeDelta = TimeDelta::seconds(20);

/// A list that somebody prepares.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The draft.
    pub id: Uuid,
    /// `checking`, `starting`, `checked`, `begun`; `lost` when what was under way has been lost.
    pub state: String,
    /// How many rows the check has come to.
    pub done: u32,
    /// How it is read: the caller's own bytes.
    pub asked: Vec<u8>,
    /// What its check found: the caller's own bytes.
    pub found: Option<Vec<u8>>,
    /// The merge it became.
    pub merge: Option<Uuid>,
    /// When it was uploaded.
    pub created_at: DateTime<Utc>,
}

/// How a check ended.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    /// What it found.
    pub found: Vec<u8>,
    /// The file back, with its problems.
    pub marked: Option<Vec<u8>>,
    /// The merge that it began.
    pub merge: Option<Uuid>,
}

const COLUMNS: &str = "k.id, k.operator, k.wrapped, d.id, d.state, d.done, d.asked, d.found, d.merge, \
    d.created_at, d.changed_at FROM drafts d JOIN keys k ON k.id = d.key \
    WHERE d.owner = $1 AND d.expires_at > $2";

impl Store {
    /// Keeps an uploaded file.
    pub async fn make_draft(
        &self,
        scope: &Scope,
        file: &[u8],
        asked: &[u8],
        at: DateTime<Utc>,
    ) -> Result<Uuid, StoreError> {
        let id = fresh_id(at);
        let wrapped = self.keyring.make(&id.to_string())?;
        let key = self.keyring.unwrap(&id.to_string(), &wrapped)?;
        let (file, asked) =
            (key.seal(&place("file", id), file), key.seal(&place("asked", id), asked));
        let owner = scope.actor.clone();
        self.write(move |it| {
            Box::pin(async move {
                let sql = "INSERT INTO keys (id, operator, wrapped) VALUES ($1, $2, $3)";
                it.tx.change(sql, values![id, wrapped.operator, wrapped.bytes]).await?;
                let sql = "INSERT INTO drafts (id, key, owner, state, asked, file, created_at, \
                           changed_at, expires_at) VALUES ($1, $1, $2, 'checked', $3, $4, $5, $5, $6)";
                it.note(at, &owner, "draft_uploaded", id, String::new());
                it.tx.change(sql, values![id, owner, asked, file, at, at + LASTS]).await?;
                Ok(id)
            })
        })
        .await
    }

    /// One's own drafts, the newest first; those that became merges too.
    pub async fn drafts(&self, scope: &Scope, at: DateTime<Utc>) -> Result<Vec<Draft>, StoreError> {
        let sql = format!("SELECT {COLUMNS} ORDER BY d.id DESC");
        let values = values![scope.actor.as_str(), at];
        let rows = self.database.rows(sqlx::AssertSqlSafe(sql), values).await?;
        rows.iter().map(|row| self.drafted(row, at)).collect()
    }

    /// One of one's own drafts.
    pub async fn draft(
        &self,
        scope: &Scope,
        id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<Draft, StoreError> {
        let sql = format!("SELECT {COLUMNS} AND d.id = $3");
        let values = values![scope.actor.as_str(), at, id];
        let row = self.database.row(sqlx::AssertSqlSafe(sql), values).await?;
        self.drafted(&row.ok_or(StoreError::NotFound("draft"))?, at)
    }

    /// Its file as it was uploaded, and the one with its problems.
    pub async fn draft_files(
        &self,
        scope: &Scope,
        id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<(Vec<u8>, Option<Vec<u8>>), StoreError> {
        let sql = "SELECT k.id, k.operator, k.wrapped, d.file, d.marked FROM drafts d \
                   JOIN keys k ON k.id = d.key WHERE d.owner = $1 AND d.expires_at > $2 AND d.id = $3";
        let row = self.database.row(sql, values![scope.actor.as_str(), at, id]).await?;
        let row = row.ok_or(StoreError::NotFound("draft"))?;
        let key = self.key(&row, 0)?;
        let marked: Option<Vec<u8>> = row.get(4)?;
        let marked = marked.map(|it| key.open(&place("marked", id), it)).transpose()?;
        Ok((key.open(&place("file", id), row.get(3)?)?, marked))
    }

    /// Begins a check, or the last check before the start. Answers with the number that its notes carry; one that is
    /// under way already, or became a merge, is [`StoreError::Settled`].
    pub async fn check_draft(
        &self,
        scope: &Scope,
        id: Uuid,
        asked: &[u8],
        starting: bool,
        at: DateTime<Utc>,
    ) -> Result<i64, StoreError> {
        let key = self.draft_key(scope, id, at).await?;
        let asked = key.seal(&place("asked", id), asked);
        let state = if starting { "starting" } else { "checking" };
        self.write(move |it| {
            Box::pin(async move {
                let sql = "UPDATE drafts SET state = $1, asked = $2, fence = fence + 1, done = 0, \
                           changed_at = $3 WHERE id = $4 AND (state = 'checked' \
                           OR (state IN ('checking', 'starting') AND changed_at <= $5)) RETURNING fence";
                let row = it.tx.row(sql, values![state, asked, at, id, at - SILENCE]).await?;
                row.ok_or_else(|| StoreError::Settled("under way".to_owned()))?.get(0)
            })
        })
        .await
    }

    /// Notes how many rows a check has come to. False: another one has taken its place.
    pub async fn advance_draft(
        &self,
        id: Uuid,
        fence: i64,
        done: u32,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.write(move |it| {
            Box::pin(async move {
                let sql = "UPDATE drafts SET done = $1, changed_at = $2 WHERE id = $3 AND fence = $4 \
                           AND state IN ('checking', 'starting')";
                Ok(it.tx.change(sql, values![done, at, id, fence]).await? == 1)
            })
        })
        .await
    }

    /// Notes how a check ended; with a merge, the draft's file is not needed any more and goes.
    pub async fn end_draft(
        &self,
        scope: &Scope,
        id: Uuid,
        fence: i64,
        checked: Checked,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let key = self.draft_key(scope, id, at).await?;
        let found = key.seal(&place("found", id), &checked.found);
        let marked = checked.marked.map(|it| key.seal(&place("marked", id), &it));
        let merge = checked.merge;
        let state = if merge.is_some() { "begun" } else { "checked" };
        self.write(move |it| {
            Box::pin(async move {
                let sql = "UPDATE drafts SET state = $1, found = $2, marked = $3, merge = $4, \
                           changed_at = $5 WHERE id = $6 AND fence = $7 \
                           AND state IN ('checking', 'starting')";
                let values = values![state, found, marked, merge, at, id, fence];
                Ok(it.tx.change(sql, values).await? == 1)
            })
        })
        .await
    }

    /// Forgets one of one's own drafts.
    pub async fn drop_draft(
        &self,
        scope: &Scope,
        id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.draft_key(scope, id, at).await?;
        self.write(move |it| {
            Box::pin(async move {
                it.tx.change("DELETE FROM drafts WHERE id = $1", values![id]).await?;
                it.tx.change("DELETE FROM keys WHERE id = $1", values![id]).await?;
                Ok(())
            })
        })
        .await
    }

    async fn draft_key(
        &self,
        scope: &Scope,
        id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<DataKey, StoreError> {
        let sql = "SELECT k.id, k.operator, k.wrapped FROM drafts d JOIN keys k ON k.id = d.key \
                   WHERE d.owner = $1 AND d.expires_at > $2 AND d.id = $3";
        let row = self.database.row(sql, values![scope.actor.as_str(), at, id]).await?;
        self.key(&row.ok_or(StoreError::NotFound("draft"))?, 0)
    }

    fn drafted(&self, row: &Row, at: DateTime<Utc>) -> Result<Draft, StoreError> {
        let (key, id): (_, Uuid) = (self.key(row, 0)?, row.get(3)?);
        let mut state: String = row.get(4)?;
        let silent = row.get::<DateTime<Utc>>(10)? <= at - SILENCE;
        if silent && matches!(state.as_str(), "checking" | "starting") {
            state = "lost".to_owned();
        }
        let found: Option<Vec<u8>> = row.get(7)?;
        Ok(Draft {
            id,
            state,
            done: row.get(5)?,
            asked: key.open(&place("asked", id), row.get(6)?)?,
            found: found.map(|it| key.open(&place("found", id), it)).transpose()?,
            merge: row.get(8)?,
            created_at: row.get(9)?,
        })
    }
}

/// Forgets drafts whose time is over, and their keys.
pub(super) async fn forget_old(it: &mut Writing, at: DateTime<Utc>) -> Result<(), StoreError> {
    forget(it, "DELETE FROM drafts WHERE expires_at <= $1 RETURNING key", values![at]).await
}

/// Forgets all drafts and their keys: whom a file names that nobody has taken in yet, no look-up knows.
pub(super) async fn forget_all(it: &mut Writing) -> Result<(), StoreError> {
    forget(it, "DELETE FROM drafts RETURNING key", values![]).await
}

async fn forget(it: &mut Writing, sql: &'static str, values: Vec<Value>) -> Result<(), StoreError> {
    for row in it.tx.rows(sql, values).await? {
        it.tx.change("DELETE FROM keys WHERE id = $1", values![row.get::<String>(0)?]).await?;
    }
    Ok(())
}

/// What a sealed column is the value of.
fn place(column: &str, draft: Uuid) -> String {
    format!("draft {column} {draft}")
}
