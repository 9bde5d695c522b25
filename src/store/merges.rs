//! Rows of a mail merge, claimed in chunks like mail: any number of machines work on one merge.
//!
//! `waiting -> claimed -> done | faulty`, with a fencing number; a row left behind is taken up again. Rows are sealed
//! under the merge's own key, which is forgotten with them; the documents made from them have their dossiers' keys.
//! What a row makes is put under a key of the merge and the row, so a row that is done twice makes one document.

mod rows;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::keyring::DataKey;
use super::sql::{Row, values};
use super::writer::Writing;
use super::{IdempotencyKey, Page, Scope, Store, StoreError};

pub use rows::{RowLease, RowOutcome};

/// A mail merge to begin.
#[derive(Debug, Clone)]
pub struct NewMerge {
    /// A UUIDv7.
    pub id: Uuid,
    /// The submission's key: the same key and rows are the same merge.
    pub key: IdempotencyKey,
    /// SHA-256 of the rows.
    pub digest: [u8; 32],
    /// The office whose merge it is.
    pub office: String,
    /// What the caller needs to go on with it, such as the columns' names.
    pub options: Vec<u8>,
    /// How many rows it will have.
    pub total: u32,
}

/// A row to add to a merge.
#[derive(Debug, Clone)]
pub struct NewRow {
    /// Its number, as in the caller's table.
    pub number: u32,
    /// What it has in common with others: rows of one batch are claimed one after the other.
    pub batch: u32,
    /// The row.
    pub data: Vec<u8>,
}

/// A mail merge.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Merge {
    /// The merge.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub id: Uuid,
    /// The office whose merge it is.
    pub office: String,
    /// Who began it.
    pub actor: String,
    /// `loading`, `running`, `paused`, `cancelled`, `forgotten`.
    pub state: String,
    /// How many rows it has.
    pub total: u32,
    /// What the caller needs to go on with it; none once forgotten.
    #[serde(skip)]
    pub options: Option<Vec<u8>>,
    /// When it began.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created_at: DateTime<Utc>,
}

/// A row and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct RowResult {
    /// The row's number.
    pub number: u32,
    /// `waiting`, `claimed`, `done`, `faulty`, `cancelled`.
    pub state: String,
    /// Its document.
    pub document: Option<Uuid>,
    /// Why there is none; none once forgotten.
    pub problem: Option<String>,
}

/// How a merge stands: its rows and its mails by state. The rows' counts add up to the total once it is running.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Counts {
    /// Rows.
    pub rows: BTreeMap<String, i64>,
    /// Mails; `deferred` are those that a server has put off.
    pub mails: BTreeMap<String, i64>,
}

const COLUMNS: &str = "k.id, k.operator, k.wrapped, m.id, m.office, m.actor, m.state, m.total, \
    m.options, m.created_at FROM merges m LEFT JOIN keys k ON k.id = m.key";

/// The merge that was begun with this key and these rows, and whether it is loading still.
async fn begun(
    it: &mut Writing,
    key: [u8; 32],
    digest: [u8; 32],
) -> Result<Option<(Uuid, bool)>, StoreError> {
    let sql = "SELECT id, digest, state FROM merges WHERE idempotency = $1";
    let Some(row) = it.tx.row(sql, values![key]).await? else { return Ok(None) };
    let same = row.get::<[u8; 32]>(1)? == digest;
    let loading = row.get::<String>(2)? == "loading";
    if same { Ok(Some((row.get(0)?, loading))) } else { Err(StoreError::KeyReused) }
}

impl Store {
    /// Begins a merge, or finds the one that was begun with this key and these rows: its id, and whether it is
    /// loading still.
    pub async fn begin_merge(
        &self,
        scope: &Scope,
        merge: NewMerge,
        at: DateTime<Utc>,
    ) -> Result<(Uuid, bool), StoreError> {
        scope.check(&merge.office, "office")?;
        let NewMerge { id, key, digest, office, options, total } = merge;
        let wrapped = self.keyring.make(&id.to_string())?;
        let options = self.keyring.unwrap(&id.to_string(), &wrapped)?.seal(&place(id, 0), &options);
        let (key, digest) = (self.idempotency(&key), self.keyed_digest(&digest));
        let actor = scope.actor().to_owned();
        self.write(move |it| {
            Box::pin(async move {
                if let Some(begun) = begun(it, key, digest).await? {
                    return Ok(begun);
                }
                let sql = "INSERT INTO keys (id, operator, wrapped) VALUES ($1, $2, $3)";
                it.tx.change(sql, values![id, wrapped.operator, wrapped.bytes]).await?;
                let sql = "INSERT INTO merges (id, key, idempotency, digest, office, actor, options, \
                           state, total, created_at, changed_at) \
                           VALUES ($1, $1, $2, $3, $4, $5, $6, 'loading', $7, $8, $8) \
                           ON CONFLICT (idempotency) DO NOTHING";
                let values = values![id, key, digest, office, actor.clone(), options, total, at];
                if it.tx.change(sql, values).await? == 0 {
                    // Another process has begun it since we looked.
                    it.tx.change("DELETE FROM keys WHERE id = $1", values![id]).await?;
                    return begun(it, key, digest).await?.ok_or(StoreError::KeyReused);
                }
                it.note(at, &actor, "merge_begun", id, total.to_string());
                Ok((id, true))
            })
        })
        .await
    }

    /// Adds rows to a merge that is loading, in chunks of the caller's choice. A row that is there already stays.
    pub async fn load_rows(&self, merge: Uuid, rows: Vec<NewRow>) -> Result<(), StoreError> {
        let key = self.merge_key(merge).await?;
        let seal = |it: NewRow| {
            let data = key.seal(&place(merge, it.number), &it.data);
            NewRow { data, ..it }
        };
        let sealed: Vec<_> = rows.into_iter().map(seal).collect();
        self.write(move |it| {
            Box::pin(async move {
                for NewRow { number, batch, data } in sealed {
                    let sql = "INSERT INTO merge_rows (merge, number, batch, state, data) \
                               VALUES ($1, $2, $3, 'waiting', $4) ON CONFLICT DO NOTHING";
                    it.tx.change(sql, values![merge, number, batch, data]).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Lets workers at a merge whose rows are all there.
    pub async fn start_merge(&self, merge: Uuid, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.write(move |it| {
            Box::pin(async move {
                let sql = "UPDATE merges SET state = 'running', changed_at = $1 WHERE id = $2 \
                           AND state = 'loading' AND total = \
                           (SELECT COUNT(*) FROM merge_rows WHERE merge = $2)";
                it.wake = true;
                if it.tx.change(sql, values![at, merge]).await? == 1 {
                    return Ok(());
                }
                let row =
                    it.tx.row("SELECT state FROM merges WHERE id = $1", values![merge]).await?;
                match row.ok_or(StoreError::NotFound("merge"))?.get::<String>(0)?.as_str() {
                    "loading" => {
                        Err(StoreError::Setting("rows of the merge are missing".to_owned()))
                    }
                    _ => Ok(()),
                }
            })
        })
        .await
    }

    /// Pauses a merge: no row is taken up, no mail of it leaves. `false` goes on with it.
    pub async fn pause_merge(
        &self,
        scope: &Scope,
        merge: Uuid,
        paused: bool,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let (from, to, mail, action) = match paused {
            true => ("'running', 'done'", "paused", ("ready", "held"), "merge_paused"),
            false => ("'paused'", "running", ("held", "ready"), "merge_resumed"),
        };
        self.move_merge(scope, merge, from, to, &[mail], action, at).await
    }

    /// Stops a merge for good: rows that wait and mail that no worker has are cancelled. What was done stays.
    pub async fn cancel_merge(
        &self,
        scope: &Scope,
        merge: Uuid,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let from = "'loading', 'running', 'paused', 'done'";
        let mail = &[("ready", "cancelled"), ("held", "cancelled"), ("late", "cancelled")];
        self.move_merge(scope, merge, from, "cancelled", mail, "merge_cancelled", at).await
    }

    /// Forgets the rows and problems of an ended merge, and its key.
    pub async fn forget_merge(
        &self,
        scope: &Scope,
        merge: Uuid,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.move_merge(
            scope,
            merge,
            "'done', 'cancelled'",
            "forgotten",
            &[],
            "merge_forgotten",
            at,
        )
        .await
    }

    /// A merge.
    pub async fn merge(&self, scope: &Scope, merge: Uuid) -> Result<Merge, StoreError> {
        let sql = format!("SELECT {COLUMNS} WHERE m.id = $1");
        let row = self.database.row(AssertSqlSafe(sql), values![merge]).await?;
        let row = row.ok_or(StoreError::NotFound("merge"))?;
        scope.check(&row.get::<String>(4)?, "merge")?;
        self.opened_merge(&row)
    }

    /// Merges, the newest first.
    pub async fn merges(&self, scope: &Scope, page: Page) -> Result<Vec<Merge>, StoreError> {
        let mut values = Vec::new();
        let mut conditions = vec![scope.condition(&mut values)];
        if let Some(after) = page.after {
            values.push(after.into());
            conditions.push(format!("m.id < ${}", values.len()));
        }
        values.push(page.most.into());
        let sql = format!(
            "SELECT {COLUMNS} WHERE {} ORDER BY m.id DESC LIMIT ${}",
            conditions.join(" AND "),
            values.len()
        );
        let rows = self.database.rows(AssertSqlSafe(sql), values).await?;
        rows.iter().map(|row| self.opened_merge(row)).collect()
    }

    /// The rows after a number and what became of them, in their order; of one state, if one is named.
    pub async fn merge_rows(
        &self,
        scope: &Scope,
        merge: Uuid,
        state: Option<&str>,
        after: u32,
        most: u32,
    ) -> Result<Vec<RowResult>, StoreError> {
        self.merge(scope, merge).await?;
        let sql = "SELECT k.id, k.operator, k.wrapped, r.number, r.state, r.document, r.problem \
                   FROM merge_rows r JOIN merges m ON m.id = r.merge LEFT JOIN keys k ON k.id = m.key \
                   WHERE r.merge = $1 AND r.number > $2 AND r.state = COALESCE($3, r.state) \
                   ORDER BY r.number LIMIT $4";
        let rows = self.database.rows(sql, values![merge, after, state.map(str::to_owned), most]);
        let result = |row: &Row| {
            let number = row.get(3)?;
            Ok(RowResult {
                number,
                state: row.get(4)?,
                document: row.get(5)?,
                problem: self.text(row, 6, &problem_place(merge, number))?,
            })
        };
        rows.await?.iter().map(result).collect()
    }

    /// How a merge stands.
    pub async fn merge_counts(&self, scope: &Scope, merge: Uuid) -> Result<Counts, StoreError> {
        self.merge(scope, merge).await?;
        let mut tx = self.database.snapshot().await?;
        let mut counts = Counts::default();
        let sql = "SELECT state, COUNT(*) FROM merge_rows WHERE merge = $1 GROUP BY state";
        for row in tx.rows(sql, values![merge]).await? {
            counts.rows.insert(row.get(0)?, row.get(1)?);
        }
        let sql = "SELECT CASE WHEN state = 'ready' AND attempts > 0 THEN 'deferred' ELSE state END, \
                   COUNT(*) FROM deliveries WHERE merge = $1 GROUP BY 1";
        for row in tx.rows(sql, values![merge]).await? {
            counts.mails.insert(row.get(0)?, row.get(1)?);
        }
        Ok(counts)
    }

    #[expect(clippy::too_many_arguments, reason = "from where to where, with what")]
    async fn move_merge(
        &self,
        scope: &Scope,
        merge: Uuid,
        from: &'static str,
        to: &'static str,
        mail: &[(&'static str, &'static str)],
        action: &'static str,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.merge(scope, merge).await?;
        let (actor, mail) = (scope.actor().to_owned(), mail.to_vec());
        self.write(move |it| {
            Box::pin(async move {
                let sql = format!(
                    "UPDATE merges SET state = $1, changed_at = $2 WHERE id = $3 AND state IN ({from})"
                );
                if it.tx.change(AssertSqlSafe(sql), values![to, at, merge]).await? == 0 {
                    return Err(StoreError::Settled("in another state".to_owned()));
                }
                for (from, to) in mail {
                    let sql = "UPDATE deliveries SET state = $1, changed_at = $2 \
                               WHERE merge = $3 AND state = $4";
                    it.tx.change(sql, values![to, at, merge, from]).await?;
                }
                if to == "cancelled" {
                    let sql = "UPDATE merge_rows SET state = 'cancelled', fence = fence + 1, \
                               lease_until = NULL WHERE merge = $1 AND state IN ('waiting', 'claimed')";
                    it.tx.change(sql, values![merge]).await?;
                }
                if to == "forgotten" {
                    let sql = "UPDATE merge_rows SET data = NULL, problem = NULL WHERE merge = $1";
                    it.tx.change(sql, values![merge]).await?;
                    let sql = "UPDATE merges SET options = NULL WHERE id = $1";
                    it.tx.change(sql, values![merge]).await?;
                    it.tx.change("DELETE FROM keys WHERE id = $1", values![merge]).await?;
                }
                it.wake |= to == "running";
                it.note(at, &actor, action, merge, String::new());
                Ok(())
            })
        })
        .await
    }

    fn opened_merge(&self, row: &Row) -> Result<Merge, StoreError> {
        let id = row.get(3)?;
        let options = match row.get::<Option<Vec<u8>>>(8)? {
            Some(it) => Some(self.key(row, 0)?.open(&place(id, 0), it)?),
            None => None,
        };
        Ok(Merge {
            id,
            office: row.get(4)?,
            actor: row.get(5)?,
            state: row.get(6)?,
            total: row.get(7)?,
            options,
            created_at: row.get(9)?,
        })
    }

    pub(super) async fn merge_key(&self, merge: Uuid) -> Result<DataKey, StoreError> {
        let sql = "SELECT k.id, k.operator, k.wrapped FROM merges m \
                   LEFT JOIN keys k ON k.id = m.key WHERE m.id = $1";
        let row = self.database.row(sql, values![merge]).await?;
        self.key(&row.ok_or(StoreError::NotFound("merge"))?, 0)
    }
}

/// What a sealed row is the value of; row 0 is the merge's options.
pub(super) fn place(merge: Uuid, number: u32) -> String {
    format!("row {merge} {number}")
}

pub(super) fn problem_place(merge: Uuid, number: u32) -> String {
    format!("problem {merge} {number}")
}
