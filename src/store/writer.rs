//! One task writes. What callers ask for meanwhile shares the next transaction, and so one `fsync`.
//!
//! Each job has a savepoint of its own: one that fails takes back its own changes only. Callers are answered after
//! the commit. A caller that goes away before does not stop its job.

use std::collections::VecDeque;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use super::keyring::Hasher;
use super::sql::{Database, Tx, values};
use super::trail::{self, Happening};
use super::{Store, StoreError};

/// How many jobs share one transaction, and how many more wait before callers do.
const MOST: usize = 128;

/// A transaction as a job sees it.
pub(super) struct Writing {
    pub(super) tx: Tx,
    /// What the audit trail will say, if the job succeeds.
    pub(super) happened: Vec<Happening>,
    /// Whether workers have something to do once it is committed.
    pub(super) wake: bool,
}

impl Writing {
    /// Has the audit trail say something, if the job succeeds.
    pub(super) fn note(
        &mut self,
        at: DateTime<Utc>,
        actor: &str,
        action: &'static str,
        subject: Uuid,
        detail: String,
    ) {
        let (actor, subject) = (actor.to_owned(), subject.to_string());
        self.happened.push(Happening { at, actor, action, subject, detail });
    }
}

/// What is to be done in a transaction, or why there is none.
pub(super) type Job =
    Box<dyn for<'t> FnOnce(Result<&'t mut Writing, StoreError>) -> BoxFuture<'t, Done> + Send>;

/// A job that has run: whether it succeeded, and whom to tell once that is durable, or why it is not.
pub(super) struct Done {
    succeeded: bool,
    tell: Box<dyn FnOnce(Option<StoreError>) + Send>,
}

impl Store {
    /// Runs a job in a transaction shared with others; what it did is durable when this returns.
    pub(super) async fn write<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Writing) -> BoxFuture<'t, Result<T, StoreError>> + Send + 'static,
    {
        let (sender, answer) = oneshot::channel();
        let job: Job = Box::new(|writing| {
            Box::pin(async move {
                let result = match writing {
                    Ok(writing) => job(writing).await,
                    Err(error) => Err(error),
                };
                let succeeded = result.is_ok();
                let tell = Box::new(move |error: Option<StoreError>| {
                    let result = result.and_then(|it| error.map_or(Ok(it), Err));
                    // A caller that went away needs no answer.
                    sender.send(result).ok();
                });
                Done { succeeded, tell }
            })
        });
        self.jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

/// Starts the task; it ends when the last store that can send is gone.
pub(super) fn start(
    database: Database,
    hasher: Arc<Hasher>,
    wakes: watch::Sender<()>,
) -> mpsc::Sender<Job> {
    let (jobs, mut queue) = mpsc::channel(MOST);
    tokio::spawn(async move {
        let mut batch = Vec::new();
        while queue.recv_many(&mut batch, MOST).await > 0 {
            let mut batch: VecDeque<Job> = batch.drain(..).collect();
            let mut told = Vec::new();
            let result = run(&database, &hasher, &mut batch, &mut told).await;
            if matches!(result, Ok(true)) {
                wakes.send_replace(());
            }
            let error = result.err();
            for done in told {
                (done.tell)(error.clone());
            }
            for job in batch {
                let error = error.clone().unwrap_or(StoreError::Closed);
                (job(Err(error)).await.tell)(None);
            }
        }
    });
    jobs
}

/// Runs jobs in one transaction and commits it. The ones that ran go over to `told`. Whether to wake workers.
async fn run(
    database: &Database,
    hasher: &Hasher,
    batch: &mut VecDeque<Job>,
    told: &mut Vec<Done>,
) -> Result<bool, StoreError> {
    let tx = database.begin().await?;
    let mut writing = Writing { tx, happened: Vec::new(), wake: false };
    let alone = batch.len() == 1;
    loop {
        if !alone && !batch.is_empty() {
            writing.tx.change("SAVEPOINT job", values![]).await?;
        }
        let Some(job) = batch.pop_front() else { break };
        let before = (writing.happened.len(), writing.wake);
        let done = job(Ok(&mut writing)).await;
        let succeeded = done.succeeded;
        told.push(done);
        match (succeeded, alone) {
            (true, true) => {}
            (true, false) => {
                writing.tx.change("RELEASE SAVEPOINT job", values![]).await?;
            }
            (false, true) => return Ok(false),
            (false, false) => {
                writing.happened.truncate(before.0);
                writing.wake = before.1;
                // SQLite ends a transaction by itself when the disk is full or fails (lang_transaction, 3).
                let back = writing.tx.change("ROLLBACK TO SAVEPOINT job", values![]).await;
                back.map_err(|_| StoreError::Lost)?;
            }
        }
    }
    if !writing.happened.is_empty() {
        trail::append(&mut writing.tx, hasher, writing.happened).await?;
    }
    if writing.wake {
        writing.tx.notify().await?;
    }
    writing.tx.commit().await?;
    Ok(writing.wake)
}
