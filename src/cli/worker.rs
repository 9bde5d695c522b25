//! `worker`: sends what the outbox holds; any number of them, on any number of machines.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::journey::{journey, scope};
use super::{Failure, Options};
use crate::config::Config;
use crate::deliver::{Clock, upkeep, worker};
use crate::pipeline::Pipeline;

/// Arguments of `worker`.
#[derive(Debug, Args)]
pub(super) struct Worker {
    /// Its name in the ledger [default: the process's number]
    #[arg(long)]
    name: Option<String>,
    /// End when nothing is left that can be sent now
    #[arg(long)]
    drain: bool,
}

/// How often the mailbox of failures is read.
const READ_EVERY: Duration = Duration::from_secs(60);

impl Worker {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        let name = self.name.clone().unwrap_or_else(|| format!("worker-{}", std::process::id()));
        journey(options, async |pipeline, config| {
            let stop = match self.drain {
                true => when_drained(pipeline.clone()),
                false => when_told(),
            };
            send(&pipeline, &config, &name, stop).await
        })
    }
}

/// Sends and reads failures until told to stop; what is under way is finished.
pub(super) async fn send(
    pipeline: &Pipeline,
    config: &Config,
    name: &str,
    stop: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let store = pipeline.store.clone();
    if let Some(reason) = store.control().await?.paused {
        tracing::warn!("sending is paused: {reason}");
    }
    let transport = Arc::new(config.transport()?);
    let clock = Clock::system();
    let inbox = config.inbox()?.map(|inbox| {
        let (store, clock, stop) = (store.clone(), clock.clone(), stop.clone());
        tokio::spawn(upkeep::read_bounces(store, inbox, READ_EVERY, clock, stop))
    });
    let files = tokio::spawn(upkeep::sweep_files(store.clone(), clock.clone(), stop.clone()));
    worker::run(store, transport, config.worker_options(), name, clock, stop).await;
    for task in inbox.into_iter().chain([files]) {
        task.abort();
    }
    Ok(())
}

/// Says stop when the process is asked to end, by SIGTERM or from the keyboard.
pub(super) fn when_told() -> watch::Receiver<bool> {
    let (stop, told) = watch::channel(false);
    tokio::spawn(async move {
        let (terminate, interrupt) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
        if let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            stop.send_replace(true);
        }
    });
    told
}

/// Says stop when no mail is waiting whose time has come or sending is paused, and none is under way.
pub(super) fn when_drained(pipeline: Arc<Pipeline>) -> watch::Receiver<bool> {
    const LOOK_EVERY: Duration = Duration::from_millis(200);
    let (stop, drained) = watch::channel(false);
    tokio::spawn(async move {
        let clock = Clock::system();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let Ok(queue) = pipeline.store.queue(clock.now()).await else { continue };
            let under_way = ["claimed", "transmitting"];
            let busy = under_way.iter().any(|it| queue.counts.get(*it).is_some_and(|it| *it > 0));
            let paused = pipeline.store.control().await.is_ok_and(|it| it.paused.is_some());
            if (queue.waiting_since.is_none() || paused) && !busy {
                stop.send_replace(true);
                return;
            }
        }
    });
    drained
}

/// The operator's word that sending may go on, as after a restore.
pub(super) async fn confirm(pipeline: &Pipeline, options: &Options) -> Result<(), Failure> {
    Ok(pipeline.store.pause(&scope(), None, options.at()).await?)
}
