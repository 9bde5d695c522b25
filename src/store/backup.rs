//! One consistent copy of ledger and files in a folder, without any key; and back from it into an empty place.
//!
//! The copy of the ledger is an SQLite file whatever the database is, so a backup restored elsewhere also moves the
//! store to PostgreSQL or S3. After a restore nothing is sent until a person confirms: mail of the time since the
//! backup may have left already.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::blobs::{BlobOptions, Blobs};
use super::keyring::Keyring;
use super::sql::{Database, Tx, Value, values};
use super::{Chain, Scope, Store, StoreError, StoreOptions, schema};

/// Every table, in an order in which each row's references come first, and the order of its rows.
const TABLES: [(&str, &str); 23] = [
    ("keys", "id"),
    ("dossiers", "id"),
    ("documents", "sequence, id"),
    ("versions", "document, version"),
    ("lookups", "hash, document"),
    ("expected", "document, day, begins"),
    ("merges", "id"),
    ("deliveries", "id"),
    ("attempts", "delivery, fence"),
    ("links", "delivery"),
    ("control", "id"),
    ("addresses", "hash"),
    ("merge_rows", "merge, number"),
    ("drafts", "id"),
    ("trail", "number"),
    ("trail_head", "id"),
    ("cursors", "name"),
    ("access_keys", "id"),
    ("sessions", "hash"),
    ("codes", "hash"),
    ("answers", "hash"),
    ("courses", "id"),
    ("seats", "course, holder"),
];

/// How many rows are inserted, and files copied, at once.
const ROWS: usize = 200;
const FILES: usize = 8;

/// What a backup holds: its `manifest.json`, written last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// When it was begun.
    pub at: DateTime<Utc>,
    /// How many documents.
    pub documents: i64,
    /// How many files and messages.
    pub files: u64,
    /// How many entries the audit trail has, and the last one's keyed hash: a later trail must contain it.
    pub trail: (i64, String),
    /// Fingerprints of the operator's keys that it cannot be opened without. They are not in it.
    pub keys: Vec<String>,
}

impl Store {
    /// Copies everything as it is at one moment into a folder that is new or empty. Work goes on meanwhile.
    pub async fn backup(&self, folder: &Path, at: DateTime<Utc>) -> Result<Backup, StoreError> {
        empty(folder)?;
        let blobs = Blobs::open(&BlobOptions::Folder(folder.join("files")))?;
        let ledger = schema::open(&ledger_file(folder)).await?;
        let mut from = self.database.snapshot().await?;
        let mut to = ledger.begin().await?;
        copy(&mut from, &mut to).await?;
        to.commit().await?;
        drop(from);
        let files = copy_files(&ledger, &self.blobs, &blobs, Some(&self.database)).await?;
        let backup = describe(&ledger, files, at).await?;
        ledger.close().await;
        let json = serde_json::to_vec_pretty(&backup)
            .map_err(|error| StoreError::Damaged(format!("a manifest: {error}")))?;
        let manifest = manifest_file(folder);
        tokio::fs::write(&manifest, json).await.map_err(StoreError::file(&manifest))?;
        Ok(backup)
    }

    /// Fills an empty place from a backup's folder, all or nothing, and opens it. Sending is paused until
    /// [`Store::pause`] with no reason.
    pub async fn restore(
        options: &StoreOptions,
        folder: &Path,
        at: DateTime<Utc>,
    ) -> Result<(Self, Backup), StoreError> {
        let manifest = manifest_file(folder);
        let json = tokio::fs::read(&manifest).await.map_err(|error| {
            StoreError::Backup(format!("{}: {error}; this is no whole backup", manifest.display()))
        })?;
        let backup: Backup = serde_json::from_slice(&json)
            .map_err(|error| StoreError::Backup(format!("{}: {error}", manifest.display())))?;
        let source = Blobs::open(&BlobOptions::Folder(folder.join("files")))?;
        // The backup is not touched, not even by the migrations of a newer program.
        let copied = tempfile::tempdir().map_err(StoreError::file(folder))?;
        std::fs::copy(ledger_file(folder), ledger_file(copied.path()))
            .map_err(StoreError::file(folder))?;
        let ledger = schema::open(&ledger_file(copied.path())).await?;
        super::own_key(&ledger, &Keyring::new(&options.key, &options.older_keys)?).await?;
        let database = schema::open(&options.database).await?;
        if database.row("SELECT id FROM keys LIMIT 1", values![]).await?.is_some() {
            let full = "the database is not empty; a backup is restored into an empty one";
            return Err(StoreError::Backup(full.to_owned()));
        }
        copy_files(&ledger, &source, &Blobs::open(&options.blobs)?, None).await?;
        let mut to = database.begin().await?;
        copy(&mut ledger.snapshot().await?, &mut to).await?;
        let reason = format!("restored from the backup of {}", backup.at.format("%F %T UTC"));
        to.change("UPDATE control SET paused = $1", values![reason]).await?;
        to.commit().await?;
        ledger.close().await;
        database.close().await;
        let store = Self::open(options).await?;
        let whole = Chain::Whole { entries: backup.trail.0, mac: backup.trail.1.clone() };
        if store.verify_chain().await? != whole {
            return Err(StoreError::Damaged("the audit trail of the backup".to_owned()));
        }
        let note = backup.trail.0.to_string();
        let job = store.write(move |it| {
            it.note(at, "restore", "restored", Uuid::nil(), note);
            Box::pin(std::future::ready(Ok(())))
        });
        job.await?;
        Ok((store, backup))
    }

    /// After a restore: notes mails that the mail server's log says were accepted, by Message-ID, so that they are not
    /// sent a second time. How many waited.
    pub async fn accepted_elsewhere(
        &self,
        scope: &Scope,
        message_ids: Vec<String>,
        at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let actor = scope.actor().to_owned();
        self.write(move |it| {
            Box::pin(async move {
                let mut count = 0;
                for message_id in message_ids {
                    let sql = "UPDATE deliveries SET state = 'accepted', fence = fence + 1, \
                               lease_until = NULL, changed_at = $1 WHERE message_id = $2 AND state IN \
                               ('ready', 'held', 'late', 'claimed', 'transmitting', 'in_doubt') \
                               RETURNING id";
                    if let Some(row) = it.tx.row(sql, values![at, message_id]).await? {
                        it.note(at, &actor, "accepted_elsewhere", row.get(0)?, String::new());
                        count += 1;
                    }
                }
                Ok(count)
            })
        })
        .await
    }
}

/// Copies every row. What the migrations put into the target goes first.
async fn copy(from: &mut Tx, to: &mut Tx) -> Result<(), StoreError> {
    for (table, order) in TABLES {
        if matches!(table, "control" | "trail_head") {
            to.change(AssertSqlSafe(format!("DELETE FROM {table}")), values![]).await?;
        }
        let rows = from.stream(format!("SELECT * FROM {table} ORDER BY {order}"));
        let mut chunks = rows.try_chunks(ROWS);
        while let Some(rows) = chunks.try_next().await.map_err(|it| it.1)? {
            let mut names = Vec::new();
            let mut all: Vec<Vec<Value>> = Vec::new();
            for row in rows {
                let (columns, values): (Vec<_>, _) = row.columns().unzip();
                names = columns;
                all.push(values);
            }
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            to.insert(table, &names, all).await?;
        }
    }
    Ok(())
}

/// Copies every file that a ledger names; how many. Each is compared with its name. One that is gone was erased
/// meanwhile, if the ledger in use does not name it either.
async fn copy_files(
    ledger: &Database,
    from: &Blobs,
    to: &Blobs,
    in_use: Option<&Database>,
) -> Result<u64, StoreError> {
    const NAMES: &str = "SELECT blob FROM versions WHERE blob IS NOT NULL \
                         UNION SELECT blob FROM deliveries WHERE blob IS NOT NULL";
    const NAMED: &str = "SELECT blob FROM versions WHERE blob = $1 \
                         UNION SELECT blob FROM deliveries WHERE blob = $1";
    let mut tx = ledger.snapshot().await?;
    let names = tx.stream(NAMES.to_owned()).map(|row| row?.get::<String>(0));
    let copies = names.map(|name| async move {
        let name = name?;
        match (from.get(&name).await, in_use) {
            (Ok(bytes), _) => to.put(bytes).await.map(|_| 1),
            (Err(StoreError::Blob(_)), Some(in_use))
                if in_use.row(NAMED, values![name]).await?.is_none() =>
            {
                Ok(0)
            }
            (Err(error), _) => Err(error),
        }
    });
    copies.buffer_unordered(FILES).try_fold(0, |sum, one| async move { Ok(sum + one) }).await
}

async fn describe(ledger: &Database, files: u64, at: DateTime<Utc>) -> Result<Backup, StoreError> {
    let row = ledger.row("SELECT COUNT(*) FROM documents", values![]).await?;
    let documents = row.map_or(Ok(0), |it| it.get(0))?;
    let head = ledger.row("SELECT number, mac FROM trail_head", values![]).await?;
    let head = head.ok_or_else(|| StoreError::Damaged("the head of the trail".to_owned()))?;
    let trail = (head.get(0)?, super::keyring::hex(&head.get::<Vec<u8>>(1)?));
    let keys = ledger.rows("SELECT DISTINCT operator FROM keys ORDER BY operator", values![]);
    let keys = keys.await?.iter().map(|it| it.get(0)).collect::<Result<_, _>>()?;
    Ok(Backup { at, documents, files, trail, keys })
}

/// Makes a folder, or takes one in which there is nothing.
fn empty(folder: &Path) -> Result<(), StoreError> {
    std::fs::create_dir_all(folder).map_err(StoreError::file(folder))?;
    let first = std::fs::read_dir(folder).map_err(StoreError::file(folder))?.next();
    if first.is_some() {
        let full = format!("{}: the folder is not empty", folder.display());
        return Err(StoreError::Backup(full));
    }
    Ok(())
}

fn ledger_file(folder: &Path) -> String {
    folder.join("ledger.sqlite").display().to_string()
}

fn manifest_file(folder: &Path) -> PathBuf {
    folder.join("manifest.json")
}
