//! What runs beside the sending: the mailbox of bounces is read, files that nothing names are deleted.
//!
//! Each is a loop that a worker's process starts; any number of them run at once, and one that was killed left
//! nothing that the next does not do.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::bounce::{Fate, Report};
use super::clock::Clock;
use super::inbox::{Inbox, InboxError, InboxOptions};
use super::worker::tell;
use crate::class::Class;
use crate::store::{Return, Store, StoreError};

/// How often files are swept, and how old is what nobody can be writing any more.
const FILES: Duration = Duration::from_secs(24 * 3600);

/// Reads the mailbox of bounces now and then, until `stop` says true.
pub async fn read_bounces(
    store: Store,
    options: InboxOptions,
    every: Duration,
    clock: Clock,
    mut stop: watch::Receiver<bool>,
) {
    let mut reachable = true;
    while !*stop.borrow() {
        let read = bounces(&store, &options, &clock).await;
        if let (true, Err(error)) = (reachable, &read) {
            tracing::error!(class = ?error.class(), "bounces cannot be read: {error}");
        }
        reachable = read.is_ok();
        tokio::select! {
            () = sleep(every) => {}
            Ok(()) = stop.changed() => {}
        }
    }
}

/// Deletes files that no row names, at once and then once a day, until `stop` says true.
pub async fn sweep_files(store: Store, clock: Clock, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        match store.sweep_files(clock.now() - FILES).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "files that nothing names were deleted"),
            Err(error) => tell(Err(error), "sweep of files"),
        }
        tokio::select! {
            () = sleep(FILES) => {}
            Ok(()) = stop.changed() => {}
        }
    }
}

/// Why bounces were not read to the end.
#[derive(Debug, thiserror::Error)]
pub enum BounceError {
    /// See [`InboxError`].
    #[error(transparent)]
    Inbox(#[from] InboxError),
    /// See [`StoreError`].
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BounceError {
    /// Whose turn it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Inbox(error) => error.class(),
            Self::Store(error) => error.class(),
        }
    }
}

/// Reads the mailbox of bounces once: reports resolve what is in doubt and mark addresses. How many
/// changed something.
pub async fn bounces(
    store: &Store,
    options: &InboxOptions,
    clock: &Clock,
) -> Result<usize, BounceError> {
    const AT_A_TIME: usize = 50;
    let mut inbox = Inbox::open(options).await?;
    let mut changed = 0;
    loop {
        let found = inbox.unread(AT_A_TIME).await?;
        if found.is_empty() {
            inbox.close().await?;
            return Ok(changed);
        }
        for (uid, report) in found {
            if let Some((delivery, report)) = report.and_then(returned) {
                match store.returned(delivery, &report, clock.now()).await {
                    Ok(news) => changed += usize::from(news),
                    // A delivery of another store, or one that was erased: there is nothing to note.
                    Err(StoreError::NotFound(_) | StoreError::Erased) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            inbox.mark(uid).await?;
        }
    }
}

/// What a report is to the store; a server that still tries tells nothing new.
fn returned(report: Report) -> Option<(uuid::Uuid, Return)> {
    let status = report.blames_the_address().then(|| report.status.clone());
    let reply = format!("{} {}", report.status, report.diagnostic);
    let what = match report.fate {
        Fate::Delivered => Return::Delivered { reply },
        Fate::Relayed => Return::Delivered { reply: format!("relayed: {reply}") },
        Fate::Failed => Return::Bounced { reply, status },
        Fate::Delayed => return None,
    };
    Some((report.delivery, what))
}
