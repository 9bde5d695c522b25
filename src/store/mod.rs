//! Step 4: the only door to durable state. What is issued is kept for good: file, row and outbox entry.
//!
//! A file is written before its row, a row together with its mail. Nothing of a person stands in the clear: files,
//! mails and columns are sealed under the key of their dossier, look-ups go by keyed hash, and to erase a dossier is
//! to forget its key. Every read takes a [`Scope`]. One struct serves SQLite and PostgreSQL.

mod access;
mod access_keys;
mod addresses;
mod answers;
mod backup;
mod blobs;
mod control;
mod deliveries;
mod delivery;
mod drafts;
mod entry;
mod erasure;
mod error;
mod expected;
mod keyring;
mod ledger;
mod links;
mod lists;
mod look;
mod mail;
mod merges;
mod outbox;
mod prepare;
mod rotation;
mod schema;
mod scope;
mod seats;
mod sessions;
mod sql;
mod trail;
mod writer;

use std::fmt;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

pub use access::{By, Filter, Held, Page, Stand, Summary};
pub use access_keys::{Access, AccessKey, NewAccessKey, Role};
pub use answers::Answered;
pub use backup::Backup;
pub use blobs::{BlobOptions, S3Options};
pub use control::Queue;
pub use deliveries::{Delivery, DeliveryFilter, Return, Try};
pub use delivery::{Control, DeliveryState, Lease, Outcome, Resolution, Swept};
pub use drafts::{Checked, Draft};
pub use entry::{Entry, IdempotencyKey, NewDelivery, Origin, Receipt, Record, State, Version};
pub use erasure::{Erasure, Retention};
pub use error::StoreError;
pub use expected::{Expected, Visitor};
pub use keyring::{KEY_LENGTH, fingerprint, make_operator_key};
pub use links::{LinkState, Linked};
pub use look::Look;
pub use merges::{Counts, Merge, NewMerge, NewRow, RowLease, RowOutcome, RowResult};
pub use scope::Scope;
pub use seats::{Course, CourseFilter};
pub use sessions::{NewSession, Session};
pub use trail::{Chain, Event};

use blobs::Blobs;
use keyring::{DataKey, Hasher, Keyring, Wrapped};
use sql::{Database, Row, values};

use crate::secret::Secret;

/// Where the store is, and the operator's keys.
#[derive(Clone)]
pub struct StoreOptions {
    /// The path of an SQLite file, or `postgres://…`.
    pub database: String,
    /// Where the files are.
    pub blobs: BlobOptions,
    /// The operator's key: 32 bytes, or 64 hexadecimal digits.
    pub key: Secret,
    /// Keys that may still, or already, wrap something. To change the key without a pause: give the new one here to
    /// every process, then make it the key and the old one an older, then [`Store::rewrap`], then drop the old one.
    pub older_keys: Vec<Secret>,
}

/// Without the database's address, in which a password may stand.
impl fmt::Debug for StoreOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StoreOptions").field("blobs", &self.blobs).finish_non_exhaustive()
    }
}

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    database: Database,
    blobs: Blobs,
    keyring: Arc<Keyring>,
    hasher: Arc<Hasher>,
    jobs: mpsc::Sender<writer::Job>,
    wakes: watch::Sender<()>,
    /// Ends with the last clone of the store.
    _listening: Arc<JoinSet<()>>,
}

impl Store {
    /// Opens the store and brings its database to this version's schema. A database of a newer version is refused
    /// untouched. The first opening makes the store's own key.
    pub async fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        let keyring = Arc::new(Keyring::new(&options.key, &options.older_keys)?);
        let blobs = Blobs::open(&options.blobs)?;
        let database = schema::open(&options.database).await?;
        let hasher = Arc::new(own_key(&database, &keyring).await?.into_hasher());
        let wakes = watch::Sender::new(());
        let mut listening = JoinSet::new();
        if let Database::Postgres(pool) = &database {
            listening.spawn(sql::listen(pool.clone(), wakes.clone()));
        }
        let jobs = writer::start(database.clone(), hasher.clone(), wakes.clone());
        Ok(Self { database, blobs, keyring, hasher, jobs, wakes, _listening: Arc::new(listening) })
    }

    /// Changes whenever there is something new for workers to do. They look now and then all the same.
    pub fn wakes(&self) -> watch::Receiver<()> {
        self.wakes.subscribe()
    }

    /// Whether files can be written and read: writes one, reads it, deletes it.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.blobs.probe().await
    }

    /// Closes the connections. What was answered is durable; what runs still is lost as a whole.
    pub async fn close(self) {
        self.database.close().await;
    }

    /// Overwrites what was deleted, as far as the database's own files go.
    async fn scrub(&self) -> Result<(), StoreError> {
        self.database.scrub().await
    }

    /// The key of a row that carries its wrapped form: name, operator's fingerprint, bytes.
    fn key(&self, row: &Row, first: usize) -> Result<DataKey, StoreError> {
        let name: Option<String> = row.get(first)?;
        let name = name.ok_or(StoreError::Erased)?;
        let wrapped = Wrapped { operator: row.get(first + 1)?, bytes: row.get(first + 2)? };
        self.keyring.unwrap(&name, &wrapped)
    }
}

/// The store's own key, made by whoever opens it first.
async fn own_key(database: &Database, keyring: &Keyring) -> Result<DataKey, StoreError> {
    const NAME: &str = "store";
    let find = "SELECT operator, wrapped FROM keys WHERE id = $1";
    let row = match database.row(find, values![NAME]).await? {
        Some(row) => Some(row),
        None => {
            let new = keyring.make(NAME)?;
            let mut tx = database.begin().await?;
            let add = "INSERT INTO keys (id, operator, wrapped) VALUES ($1, $2, $3) \
                       ON CONFLICT (id) DO NOTHING";
            tx.change(add, values![NAME, new.operator, new.bytes]).await?;
            tx.commit().await?;
            database.row(find, values![NAME]).await?
        }
    };
    let row = row.ok_or_else(|| StoreError::Damaged("the store's own key".to_owned()))?;
    keyring.unwrap(NAME, &Wrapped { operator: row.get(0)?, bytes: row.get(1)? })
}
