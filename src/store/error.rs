//! Why the store did not do as asked, and whose turn it is then.

use std::sync::Arc;

use uuid::Uuid;

use super::State;
use crate::class::Class;

/// Why the store did not do as asked. Nothing was changed then, unless the variant says so.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The idempotency key came before, with another input.
    #[error("this idempotency key was used for other data; take another key for another document")]
    KeyReused,
    /// No such thing, or not within the offices of the scope.
    #[error("there is no {0} here")]
    NotFound(&'static str),
    /// The document has moved on since the caller read it.
    #[error(
        "the document is at version {current}, not at the one this was meant for; read it again"
    )]
    Conflict {
        /// Its version now.
        current: u32,
    },
    /// The document's or delivery's state does not allow this.
    #[error("this cannot be done: it is {0} already")]
    Settled(String),
    /// The document to replace has been replaced, or its state allows no replacement.
    #[error("document {0} cannot be replaced: it is replaced or ended already")]
    NotReplaceable(Uuid),
    /// No seat is left in a course.
    #[error("no seat is left in the course {0}")]
    Full(String),
    /// Mail for a document that is not complete: a half-signed contract never leaves.
    #[error("a document that is {0} cannot be mailed")]
    Unsigned(State),
    /// The dossier's key is forgotten, or was while this was under way.
    #[error("the dossier was erased")]
    Erased,
    /// A setting of the store, said so that it can be mended.
    #[error("{0}")]
    Setting(String),
    /// The database was migrated by a newer version of the program. It was not touched.
    #[error(
        "the database is of a newer version (its migration {0} is unknown); use a newer program"
    )]
    Newer(i64),
    /// The operator's key that wrapped something is not among those given.
    #[error("the operator's key {0} is needed and was not given; add its file to the older keys")]
    KeyMissing(String),
    /// Stored bytes are not what was stored.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
    /// A backup folder that is incomplete, or a place that is not empty.
    #[error("{0}")]
    Backup(String),
    /// The file system, outside blobs and database.
    #[error("{path}: {source}")]
    File {
        /// What could not be read or written.
        path: String,
        /// The system's words.
        source: Arc<std::io::Error>,
    },
    /// The database refused or cannot be reached.
    #[error("database: {0}")]
    Database(#[source] Arc<sqlx::Error>),
    /// The blob store refused or cannot be reached.
    #[error("files: {0}")]
    Blob(#[source] Arc<object_store::Error>),
    /// The store is closing.
    #[error("the store is closed")]
    Closed,
    /// The database ended the transaction by itself, as when a disk is full. Nothing of it was kept.
    #[error("the database gave the work up, as when a disk is full; try again")]
    Lost,
}

impl StoreError {
    /// Whose turn it is.
    pub fn class(&self) -> Class {
        match self {
            Self::KeyReused
            | Self::NotFound(_)
            | Self::Conflict { .. }
            | Self::Settled(_)
            | Self::NotReplaceable(_)
            | Self::Full(_)
            | Self::Erased
            | Self::Setting(_)
            | Self::Backup(_) => Class::Caller,
            Self::Unsigned(_) | Self::Newer(_) | Self::KeyMissing(_) | Self::Damaged(_) => {
                Class::Us
            }
            Self::Database(error) if is_ours(error) => Class::Us,
            Self::Blob(error) if matches!(**error, object_store::Error::NotFound { .. }) => {
                Class::Us
            }
            Self::File { .. } | Self::Database(_) | Self::Blob(_) | Self::Closed | Self::Lost => {
                Class::Later
            }
        }
    }

    /// A row that names a key which is gone: the dossier was erased meanwhile.
    pub(super) fn erased_if_keyless(self) -> Self {
        match &self {
            Self::Database(error)
                if error.as_database_error().is_some_and(|it| it.is_foreign_key_violation()) =>
            {
                Self::Erased
            }
            _ => self,
        }
    }

    /// A file-system error at a path.
    pub(super) fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::File { path, source: Arc::new(source) }
    }
}

/// A statement or a constraint is at fault: trying again changes nothing. All else (locked, full, unreachable, cut
/// off) may pass.
fn is_ours(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => {
            match error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
                // PostgreSQL, appendix A: 40 serialization, 53 resources, 55P03 lock, 57 intervention, 58 system, 25006
                // read-only after a fail-over.
                Some(error) => {
                    let later = ["08", "40", "53", "55P03", "57", "58", "25006"];
                    !later.iter().any(|it| error.code().starts_with(it))
                }
                // SQLite: 1 error, 19 constraint, 20 mismatch, 21 misuse, 25 range (primary codes).
                None => error
                    .code()
                    .and_then(|it| it.parse::<i32>().ok())
                    .is_some_and(|it| matches!(it & 0xff, 1 | 19 | 20 | 21 | 25)),
            }
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => false,
        _ => true,
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

impl From<object_store::Error> for StoreError {
    fn from(error: object_store::Error) -> Self {
        Self::Blob(Arc::new(error))
    }
}
