//! The outbox: the queue of mail, and the truth about what was sent.
//!
//! `ready -> claimed -> transmitting -> accepted | failed | in_doubt`, back to `ready` to try again. A lease carries
//! a fencing number; whenever a row changes hands the number rises, so a worker that was away too long can neither
//! send nor settle. `transmitting` is durable before the first byte of a mail leaves (facts of RFC 1047: after the
//! last byte an answer can be lost, so what was under way then is in doubt, never sent again by itself).

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::prepare::place;
use super::sql::{Row, Tx, values};
use super::writer::Writing;
use super::{DeliveryState, Lease, Outcome, Store, StoreError, Swept, drafts};

// `MATERIALIZED`: PostgreSQL may otherwise run the inner query once a row, and so exceed its limit.
macro_rules! claim {
    ($lock:literal) => {
        concat!(
            "WITH next AS MATERIALIZED (SELECT id FROM deliveries WHERE state = 'ready' \
             AND next_at <= $3 AND (late_after IS NULL OR late_after > $3) \
             ORDER BY next_at, id LIMIT $4 ",
            $lock,
            ") UPDATE deliveries SET state = 'claimed', worker = $1, fence = fence + 1, \
             lease_until = $2, changed_at = $3 WHERE id IN (SELECT id FROM next) \
             AND state = 'ready' RETURNING dossier, \
             (SELECT operator FROM keys WHERE keys.id = dossier), \
             (SELECT wrapped FROM keys WHERE keys.id = dossier), id, document, version, kind, office, \
             recipient, message_id, size, attempts, fence, blob"
        )
    };
}

impl Store {
    /// Gives a worker up to `most` mails whose time has come, for as long as the lease. None while sending is paused;
    /// fewer when the rate that all workers share is used up.
    pub async fn claim(
        &self,
        worker: &str,
        most: usize,
        lease: Duration,
        at: DateTime<Utc>,
    ) -> Result<Vec<Lease>, StoreError> {
        let worker = worker.to_owned();
        let until = at + TimeDelta::from_std(lease).unwrap_or(TimeDelta::MAX);
        let name = worker.clone();
        let rows = self.write(move |it| Box::pin(claim(it, name, most, until, at))).await?;
        let lease = |row: &Row| {
            let delivery: Uuid = row.get(3)?;
            let key = self.key(row, 0)?;
            let recipient = key.open(&place::recipient(delivery), row.get(8)?)?;
            Ok(Lease {
                delivery,
                document: row.get(4)?,
                version: row.get(5)?,
                kind: row.get(6)?,
                office: row.get(7)?,
                recipient: String::from_utf8_lossy(&recipient).into_owned(),
                message_id: row.get(9)?,
                size: row.get(10)?,
                attempt: row.get::<u32>(11)? + 1,
                until,
                length: lease,
                fence: row.get(12)?,
                worker: worker.clone(),
                blob: row.get(13)?,
                key: Arc::new(key),
            })
        };
        rows.iter().map(lease).collect()
    }

    /// The exact bytes to send, as they were composed at issue.
    pub async fn message(&self, lease: &Lease) -> Result<Vec<u8>, StoreError> {
        let blob = lease.blob.as_ref().ok_or(StoreError::Erased)?;
        lease.key.open(&place::mail(lease.delivery), self.blobs.get(blob).await?)
    }

    /// Notes, durably, that mails are about to be transmitted. False: the lease is over, or the mail was cancelled;
    /// it must not be sent. Calls of many workers share a commit.
    pub async fn transmitting(
        &self,
        leases: &[&Lease],
        at: DateTime<Utc>,
    ) -> Result<Vec<bool>, StoreError> {
        let leases: Vec<_> = leases
            .iter()
            .map(|it| {
                let until = at + TimeDelta::from_std(it.length).unwrap_or(TimeDelta::MAX);
                (it.delivery, it.fence, until)
            })
            .collect();
        self.write(move |it| {
            Box::pin(async move {
                let mut sure = Vec::new();
                for (delivery, fence, until) in leases {
                    let sql = "UPDATE deliveries SET state = 'transmitting', lease_until = $1, \
                               changed_at = $2 WHERE id = $3 AND fence = $4 AND state = 'claimed' \
                               AND lease_until > $2";
                    let values = values![until, at, delivery, fence];
                    sure.push(it.tx.change(sql, values).await? == 1);
                }
                Ok(sure)
            })
        })
        .await
    }

    /// Lengthens a lease by its whole length from now, for a worker that lives. False: it is over, and the mail with
    /// somebody else or in doubt.
    pub async fn renew(&self, lease: &Lease, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let (delivery, fence) = (lease.delivery, lease.fence);
        let until = at + TimeDelta::from_std(lease.length).unwrap_or(TimeDelta::MAX);
        let sql = "UPDATE deliveries SET lease_until = $1 WHERE id = $2 AND fence = $3 \
                   AND state IN ('claimed', 'transmitting')";
        self.write(move |it| {
            Box::pin(
                async move { Ok(it.tx.change(sql, values![until, delivery, fence]).await? == 1) },
            )
        })
        .await
    }

    /// Notes what came of a try. False: the lease was over, and somebody else, or nobody, knows better; nothing was
    /// changed.
    pub async fn settle(
        &self,
        lease: &Lease,
        outcome: &Outcome,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let (lease, outcome) = (lease.clone(), outcome.clone());
        let reply = lease.key.seal(&place::reply(lease.delivery), outcome.parts().1.as_bytes());
        self.write(move |it| Box::pin(settle(it, lease, outcome, reply, at))).await
    }

    /// Takes back what workers have left: what they had claimed is ready again, what they were transmitting is in
    /// doubt. What should have left by now waits for a person. How many of each.
    pub async fn sweep(&self, at: DateTime<Utc>) -> Result<Swept, StoreError> {
        self.write(move |it| Box::pin(sweep(it, at))).await
    }
}

async fn claim(
    it: &mut Writing,
    worker: String,
    most: usize,
    until: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Result<Vec<Row>, StoreError> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let row = it.tx.row("SELECT paused, per_minute FROM control", values![]).await?;
    let row = row.ok_or_else(|| StoreError::Damaged("the control row".to_owned()))?;
    if row.get::<Option<String>>(0)?.is_some() {
        return Ok(Vec::new());
    }
    let rate = row.get::<Option<u32>>(1)?;
    let (most, spent) = match rate {
        Some(rate) => {
            let (allowed, spent) = allowance(&mut it.tx, rate, at).await?;
            (most.min(allowed), spent)
        }
        None => (most, 0),
    };
    if most == 0 {
        return Ok(Vec::new());
    }
    let sql = it.tx.either(claim!(""), claim!("FOR UPDATE SKIP LOCKED"));
    let rows = it.tx.rows(sql, values![worker, until, at, most]).await?;
    if let Some(rate) = rate {
        let spent = spent + interval(rate) * i64::try_from(rows.len()).unwrap_or(i64::MAX);
        it.tx.change("UPDATE control SET spent_until = $1", values![spent]).await?;
    }
    Ok(rows)
}

/// How many mails may leave now, and the moment up to which leave is spent. One interval a mail; unused leave lasts a
/// second. The row stays locked until the transaction ends, so workers share it.
async fn allowance(tx: &mut Tx, rate: u32, at: DateTime<Utc>) -> Result<(i64, i64), StoreError> {
    let lock = "UPDATE control SET spent_until = spent_until RETURNING spent_until";
    let row = tx.row(lock, values![]).await?;
    let row = row.ok_or_else(|| StoreError::Damaged("the control row".to_owned()))?;
    let burst = interval(rate).max(1_000_000);
    let now = at.timestamp_micros();
    let spent = row.get::<i64>(0)?.max(now - burst);
    Ok(((now - spent).max(0) / interval(rate), spent))
}

/// Microseconds between two mails.
fn interval(per_minute: u32) -> i64 {
    60_000_000 / i64::from(per_minute.max(1))
}

async fn settle(
    it: &mut Writing,
    lease: Lease,
    outcome: Outcome,
    reply: Vec<u8>,
    at: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let (state, _) = outcome.parts();
    let next_at = match outcome {
        Outcome::Deferred { next_at, .. } => next_at,
        _ => at,
    };
    // What was accepted was transmitted; all else can also end before that.
    let sql = "UPDATE deliveries SET state = $1, next_at = $2, reply = $3, attempts = attempts + 1, \
               lease_until = NULL, changed_at = $4 \
               WHERE id = $5 AND fence = $6 AND (state = 'transmitting' \
               OR (state = 'claimed' AND $1 IN ('ready', 'failed')))";
    let values = values![state.as_str(), next_at, reply.clone(), at, lease.delivery, lease.fence];
    if it.tx.change(sql, values).await? == 0 {
        return Ok(false);
    }
    let name = outcome.name();
    let sql = "INSERT INTO attempts (delivery, fence, worker, outcome, reply, at) \
               VALUES ($1, $2, $3, $4, $5, $6)";
    let worker = lease.worker.as_str();
    it.tx.change(sql, values![lease.delivery, lease.fence, worker, name, reply, at]).await?;
    if state != DeliveryState::Ready {
        it.note(at, worker, name, lease.delivery, lease.document.to_string());
    }
    Ok(true)
}

async fn sweep(it: &mut Writing, at: DateTime<Utc>) -> Result<Swept, StoreError> {
    drafts::forget_old(it, at).await?;
    let sql = "UPDATE deliveries SET state = 'ready', fence = fence + 1, \
               lease_until = NULL, changed_at = $1 WHERE state = 'claimed' AND lease_until <= $1";
    let ready = it.tx.change(sql, values![at]).await?;
    let sql = "UPDATE deliveries SET state = 'in_doubt', fence = fence + 1, attempts = attempts + 1, \
               lease_until = NULL, changed_at = $1 \
               WHERE state = 'transmitting' AND lease_until <= $1 \
               RETURNING id, document, fence - 1, worker";
    let doubtful = it.tx.rows(sql, values![at]).await?;
    for row in &doubtful {
        let (id, fence, worker): (Uuid, i64, String) = (row.get(0)?, row.get(2)?, row.get(3)?);
        it.note(at, "sweep", "in_doubt", id, row.get(1)?);
        let sql = "INSERT INTO attempts (delivery, fence, worker, outcome, at) \
                   VALUES ($1, $2, $3, 'in_doubt', $4)";
        it.tx.change(sql, values![id, fence, worker, at]).await?;
    }
    let sql = "UPDATE deliveries SET state = 'late', changed_at = $1 \
               WHERE state = 'ready' AND late_after IS NOT NULL AND late_after <= $1 \
               RETURNING id, document";
    let late = it.tx.rows(sql, values![at]).await?;
    for row in &late {
        it.note(at, "sweep", "late", row.get(0)?, row.get(1)?);
    }
    let sql = "UPDATE merge_rows SET state = 'waiting', fence = fence + 1, lease_until = NULL \
               WHERE state = 'claimed' AND lease_until <= $1";
    let rows = it.tx.change(sql, values![at]).await?;
    it.wake |= ready + rows > 0;
    Ok(Swept { rows, ready, in_doubt: doubtful.len() as u64, late: late.len() as u64 })
}
