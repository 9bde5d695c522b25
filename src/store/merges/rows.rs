//! Workers at a merge: rows are claimed in chunks and finished, each by one worker at a time.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{place, problem_place};
use crate::store::keyring::DataKey;
use crate::store::sql::{Row, Value, values};
use crate::store::writer::Writing;
use crate::store::{Store, StoreError};

/// A row that a worker has, until its time is over.
#[derive(Debug, Clone)]
pub struct RowLease {
    /// The merge.
    pub merge: Uuid,
    /// The row's number, as in the caller's table.
    pub number: u32,
    /// The row.
    pub data: Vec<u8>,
    fence: i64,
    key: Arc<DataKey>,
}

/// What became of a row.
#[derive(Debug, Clone)]
pub enum RowOutcome {
    /// Its document.
    Done(Uuid),
    /// Why there is none: the caller's words or JSON, kept sealed.
    Faulty(String),
    /// Not now: it waits again.
    Later,
}

impl Store {
    /// Gives a worker up to `most` rows of one running merge, the merge begun first if none is named. None left over:
    /// that merge is done.
    pub async fn claim_rows(
        &self,
        worker: &str,
        merge: Option<Uuid>,
        most: u32,
        lease: Duration,
        at: DateTime<Utc>,
    ) -> Result<Vec<RowLease>, StoreError> {
        let worker = worker.to_owned();
        let until = at + TimeDelta::from_std(lease).unwrap_or(TimeDelta::MAX);
        let claimed = self.write(move |it| Box::pin(claim(it, worker, merge, most, until, at)));
        let Some((merge, rows)) = claimed.await? else { return Ok(Vec::new()) };
        let key = Arc::new(self.merge_key(merge).await?);
        let lease = |row: &Row| {
            let number = row.get(0)?;
            let data = key.open(&place(merge, number), row.get(1)?)?;
            Ok(RowLease { merge, number, data, fence: row.get(2)?, key: key.clone() })
        };
        rows.iter().map(lease).collect()
    }

    /// Notes what became of rows. False: the lease was over, and another worker has the row or has done it.
    pub async fn finish_rows(
        &self,
        rows: &[(RowLease, RowOutcome)],
    ) -> Result<Vec<bool>, StoreError> {
        let changes: Vec<Vec<Value>> = rows
            .iter()
            .map(|(row, outcome)| {
                let (state, document, problem) = match outcome {
                    RowOutcome::Done(id) => ("done", Some(*id), None),
                    RowOutcome::Later => ("waiting", None, None),
                    RowOutcome::Faulty(why) => {
                        let place = problem_place(row.merge, row.number);
                        ("faulty", None, Some(row.key.seal(&place, why.as_bytes())))
                    }
                };
                values![state, document, problem, row.merge, row.number, row.fence]
            })
            .collect();
        self.write(move |it| {
            Box::pin(async move {
                let mut sure = Vec::new();
                for values in changes {
                    // What was made of a row is kept elsewhere: the row itself is not kept.
                    let sql = "UPDATE merge_rows SET state = $1, document = $2, problem = $3, \
                               data = CASE WHEN $1 = 'done' THEN NULL ELSE data END, \
                               lease_until = NULL WHERE merge = $4 AND number = $5 AND fence = $6 \
                               AND state = 'claimed'";
                    sure.push(it.tx.change(sql, values).await? == 1);
                }
                Ok(sure)
            })
        })
        .await
    }
}

// `MATERIALIZED`: PostgreSQL may otherwise run the inner query once a row, and so exceed its limit.
macro_rules! claim {
    ($lock:literal) => {
        concat!(
            "WITH next AS MATERIALIZED (SELECT number FROM merge_rows WHERE merge = $3 \
             AND state = 'waiting' ORDER BY batch, number LIMIT $4 ",
            $lock,
            ") UPDATE merge_rows SET state = 'claimed', worker = $1, fence = fence + 1, \
             lease_until = $2 WHERE merge = $3 AND number IN (SELECT number FROM next) \
             AND state = 'waiting' RETURNING number, data, fence, batch"
        )
    };
}

async fn claim(
    it: &mut Writing,
    worker: String,
    merge: Option<Uuid>,
    most: u32,
    until: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Result<Option<(Uuid, Vec<Row>)>, StoreError> {
    let sql = "SELECT id FROM merges WHERE state = 'running' AND id = COALESCE($1, id) ORDER BY id";
    for row in it.tx.rows(sql, values![merge]).await? {
        let merge: Uuid = row.get(0)?;
        let sql = it.tx.either(claim!(""), claim!("FOR UPDATE SKIP LOCKED"));
        let mut rows = it.tx.rows(sql, values![worker.as_str(), until, merge, most]).await?;
        if !rows.is_empty() {
            // `RETURNING` keeps no order.
            rows.sort_by_cached_key(|row| (row.get::<u32>(3).ok(), row.get::<u32>(0).ok()));
            return Ok(Some((merge, rows)));
        }
        let sql = "UPDATE merges SET state = 'done', changed_at = $1 WHERE id = $2 \
                   AND state = 'running' AND NOT EXISTS (SELECT 1 FROM merge_rows \
                   WHERE merge = $2 AND state IN ('waiting', 'claimed'))";
        if it.tx.change(sql, values![at, merge]).await? == 1 {
            it.note(at, &worker, "merge_done", merge, String::new());
        }
    }
    Ok(None)
}
