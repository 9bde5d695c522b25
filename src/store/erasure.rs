//! Erasure: a dossier's key is forgotten, and with it all that it sealed. The proof stays: ids, hashes, dates, states.
//!
//! GDPR, articles 5(1)(e) and 17. The audit trail holds ids and hashes only, so its chain stays whole. A copy made
//! before still holds the wrapped key: change the operator's key afterwards and destroy the old one, and it opens
//! nothing either.

use chrono::{DateTime, Months, NaiveDate, Utc};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::sql::{Tx, Value, places, values};
use super::writer::Writing;
use super::{Scope, Store, StoreError};

/// How long documents of a kind are kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// `cai`, `caif` or `convocation`.
    pub kind: String,
    /// Months after the contract's end, or the letter's last session.
    pub months: u32,
}

/// A dossier and what its erasure takes, or took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Erasure {
    /// The dossier.
    pub dossier: Uuid,
    /// Its documents, of which only the proof stays.
    pub documents: Vec<Uuid>,
    /// Its mails, of which the fate stays.
    pub mails: Vec<Uuid>,
    /// How many stored files and messages.
    pub files: usize,
}

impl Store {
    /// The dossiers whose every document has been kept long enough on a day, oldest first. Kinds without a policy are
    /// kept. This is the dry run of an erasure by policy.
    pub async fn expired(
        &self,
        policy: &[Retention],
        today: NaiveDate,
        most: u32,
    ) -> Result<Vec<Uuid>, StoreError> {
        let mut values = Vec::new();
        let mut over = vec!["1 = 0".to_owned()];
        for it in policy {
            let last = today.checked_sub_months(Months::new(it.months));
            values.extend([Value::from(it.kind.as_str()), last.unwrap_or(NaiveDate::MIN).into()]);
            over.push(format!(
                "(d.kind = ${} AND d.ends_on < ${})",
                values.len() - 1,
                values.len()
            ));
        }
        values.push(most.into());
        let sql = format!(
            "SELECT s.id FROM dossiers s WHERE s.erased_at IS NULL \
             AND EXISTS (SELECT 1 FROM documents d WHERE d.dossier = s.id) \
             AND NOT EXISTS (SELECT 1 FROM documents d WHERE d.dossier = s.id AND NOT ({})) \
             ORDER BY s.created_at, s.id LIMIT ${}",
            over.join(" OR "),
            values.len()
        );
        let rows = self.database.rows(AssertSqlSafe(sql), values).await?;
        rows.iter().map(|it| it.get(0)).collect()
    }

    /// The dossier with a number.
    pub async fn dossier_of(&self, number: &str) -> Result<Option<Uuid>, StoreError> {
        let lookup = self.hasher.lookup("dossier", number);
        let sql = "SELECT id FROM dossiers WHERE lookup = $1";
        self.database.row(sql, values![lookup]).await?.map(|it| it.get(0)).transpose()
    }

    /// What an erasure would take.
    pub async fn erasure(&self, scope: &Scope, dossier: Uuid) -> Result<Erasure, StoreError> {
        let mut tx = self.database.snapshot().await?;
        let (erasure, _) = survey(&mut tx, scope, dossier).await?;
        Ok(erasure)
    }

    /// Erases dossiers. The reason is a word of the program or an id, for it stands in the audit trail. Each is erased
    /// as a whole; the first that cannot be ends this, the ones before it are erased.
    pub async fn erase(
        &self,
        scope: &Scope,
        dossiers: &[Uuid],
        reason: &str,
        at: DateTime<Utc>,
    ) -> Result<Vec<Erasure>, StoreError> {
        let mut erased = Vec::new();
        for &dossier in dossiers {
            let (scope, reason) = (scope.clone(), reason.to_owned());
            let job = self.write(move |it| Box::pin(forget(it, scope, dossier, reason, at)));
            let (erasure, blobs) = job.await?;
            // What is not deleted now is an orphan, and swept.
            for blob in blobs {
                self.blobs.delete(&blob).await?;
            }
            erased.push(erasure);
        }
        self.scrub().await?;
        Ok(erased)
    }

    /// Deletes stored files that no row names, and ones that were never finished, if they were written before a
    /// moment: leave a day, for a file is written before its row. How many.
    pub async fn sweep_files(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let mut count = self.blobs.sweep_unfinished(before).await?;
        let mut batches = self.blobs.written_before(before);
        while let Some(mut names) = batches.try_next().await? {
            let all: Vec<_> = names.iter().map(|it| Value::from(it.as_str())).collect();
            let places = places(1, all.len());
            let sql = format!(
                "SELECT blob FROM versions WHERE blob IN ({places}) \
                 UNION SELECT blob FROM deliveries WHERE blob IN ({places})"
            );
            for row in self.database.rows(AssertSqlSafe(sql), all).await? {
                names.remove(&row.get::<String>(0)?);
            }
            for name in names {
                self.blobs.delete(&name).await?;
                count += 1;
            }
        }
        Ok(count)
    }
}

/// What belongs to a dossier, within a scope; its files.
async fn survey(
    tx: &mut Tx,
    scope: &Scope,
    dossier: Uuid,
) -> Result<(Erasure, Vec<String>), StoreError> {
    let row = tx.row("SELECT erased_at FROM dossiers WHERE id = $1", values![dossier]).await?;
    let row = row.ok_or(StoreError::NotFound("dossier"))?;
    if row.get::<Option<i64>>(0)?.is_some() {
        return Err(StoreError::Erased);
    }
    let sql = "SELECT id, office FROM documents WHERE dossier = $1 ORDER BY id";
    let mut documents = Vec::new();
    for row in tx.rows(sql, values![dossier]).await? {
        scope.check(&row.get::<String>(1)?, "dossier")?;
        documents.push(row.get(0)?);
    }
    let sql = "SELECT v.blob FROM versions v JOIN documents d ON d.id = v.document \
               WHERE d.dossier = $1 AND v.blob IS NOT NULL \
               UNION SELECT blob FROM deliveries WHERE dossier = $1 AND blob IS NOT NULL";
    let blobs = tx.rows(sql, values![dossier]).await?;
    let blobs: Vec<String> = blobs.iter().map(|it| it.get(0)).collect::<Result<_, _>>()?;
    let sql = "SELECT id FROM deliveries WHERE dossier = $1 ORDER BY id";
    let mails = tx.rows(sql, values![dossier]).await?;
    let mails = mails.iter().map(|it| it.get(0)).collect::<Result<_, _>>()?;
    Ok((Erasure { dossier, documents, mails, files: blobs.len() }, blobs))
}

/// Forgets the key first: on PostgreSQL this waits for whoever is adding to the dossier, and then sees what they added.
async fn forget(
    it: &mut Writing,
    scope: Scope,
    dossier: Uuid,
    reason: String,
    at: DateTime<Utc>,
) -> Result<(Erasure, Vec<String>), StoreError> {
    it.tx.change("DELETE FROM keys WHERE id = $1", values![dossier]).await?;
    let (erasure, blobs) = survey(&mut it.tx, &scope, dossier).await?;
    for sql in [
        "DELETE FROM addresses WHERE hash IN (SELECT recipient_hash FROM deliveries \
         WHERE dossier = $1)",
        "DELETE FROM lookups WHERE document IN (SELECT id FROM documents WHERE dossier = $1)",
        "DELETE FROM expected WHERE document IN (SELECT id FROM documents WHERE dossier = $1)",
        "UPDATE attempts SET reply = NULL WHERE delivery IN (SELECT id FROM deliveries \
         WHERE dossier = $1)",
        "UPDATE merge_rows SET data = NULL, problem = NULL WHERE document IN \
         (SELECT id FROM documents WHERE dossier = $1)",
        "UPDATE versions SET blob = NULL WHERE document IN (SELECT id FROM documents \
         WHERE dossier = $1)",
        "UPDATE deliveries SET state = 'cancelled', fence = fence + 1, lease_until = NULL \
         WHERE dossier = $1 AND state IN ('ready', 'held', 'late', 'claimed')",
        "UPDATE deliveries SET recipient = NULL, recipient_hash = NULL, reply = NULL, blob = NULL \
         WHERE dossier = $1",
    ] {
        it.tx.change(sql, values![dossier]).await?;
    }
    super::drafts::forget_all(it).await?;
    let sql = "UPDATE documents SET record = NULL, data = NULL, digest = $1, changed_at = $2 \
               WHERE dossier = $3";
    it.tx.change(sql, values![[0; 32], at, dossier]).await?;
    let sql = "UPDATE dossiers SET lookup = NULL, erased_at = $1 WHERE id = $2";
    it.tx.change(sql, values![at, dossier]).await?;
    it.note(at, scope.actor(), "erased", dossier, reason);
    Ok((erasure, blobs))
}
