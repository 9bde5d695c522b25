//! `deliveries`: what became of each mail, and what a person decides about it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use uuid::Uuid;

use super::journey::{journey, scope};
use super::output::{print, print_json, printable};
use super::worker::confirm;
use super::{Failure, Options};
use crate::deliver::maillog;
use crate::store::{Delivery, DeliveryFilter, DeliveryState, Page, Resolution, Store};

/// Arguments of `deliveries`.
#[derive(Debug, Args)]
pub(super) struct Deliveries {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List mails, the newest first
    List {
        /// Only those in this state, such as in_doubt or failed
        #[arg(long, value_parser = state)]
        state: Option<DeliveryState>,
        /// Only those of this document
        #[arg(long)]
        document: Option<Uuid>,
        /// How many
        #[arg(long, default_value_t = 50)]
        most: u32,
    },
    /// Show one mail and every try
    Show {
        /// Its id
        id: Uuid,
    },
    /// Send a mail again that failed or whose time has passed
    Retry {
        /// Its id
        id: Uuid,
    },
    /// Say what became of a mail in doubt
    Resolve {
        /// Its id
        id: Uuid,
        /// What is known
        #[arg(value_enum)]
        known: Known,
    },
    /// Do not send a mail that waits
    Cancel {
        /// Its id
        id: Uuid,
    },
    /// Stop all sending
    Pause {
        /// Why; shown to whoever looks
        reason: String,
    },
    /// Go on sending: after a pause, and as the confirmation after a restore
    Resume,
    /// After a restore: settle the mails that the mail server's log says it has taken
    Reconcile {
        /// Logs as Postfix writes them; `-` is standard input
        #[arg(value_name = "LOG", required = true)]
        logs: Vec<PathBuf>,
    },
    /// Count the mails by state
    Count,
}

/// What a person knows about a mail in doubt.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Known {
    /// The server had taken it
    Accepted,
    /// It had not, or a second copy does no harm: the same bytes go again
    SendAgain,
    /// It had not, and it shall not go
    GiveUp,
}

impl Deliveries {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        let at = options.at();
        journey(options, async |pipeline, _| {
            let (store, scope) = (&pipeline.store, scope());
            match &self.verb {
                Verb::List { state, document, most } => {
                    let states = state.iter().copied().collect();
                    let filter =
                        DeliveryFilter { states, document: *document, ..Default::default() };
                    list(store, &filter, *most, options).await?;
                }
                Verb::Show { id } => show(store, *id, options).await?,
                Verb::Retry { id } => store.retry(&scope, *id, at).await?,
                Verb::Resolve { id, known } => {
                    let resolution = match known {
                        Known::Accepted => Resolution::Accepted,
                        Known::SendAgain => Resolution::SendAgain,
                        Known::GiveUp => Resolution::GiveUp,
                    };
                    store.resolve(&scope, *id, resolution, at).await?;
                }
                Verb::Cancel { id } => store.cancel(&scope, *id, at).await?,
                Verb::Pause { reason } => store.pause(&scope, Some(reason), at).await?,
                Verb::Resume => confirm(&pipeline, options).await?,
                Verb::Reconcile { logs } => reconcile(store, logs, options).await?,
                Verb::Count => count(store, options).await?,
            }
            Ok(())
        })
    }
}

async fn list(
    store: &Store,
    filter: &DeliveryFilter,
    most: u32,
    options: &Options,
) -> Result<(), Failure> {
    let page = Page { after: None, most };
    let found = store.deliveries(&scope(), filter, page).await?;
    if options.json {
        return print_json(&json!(found));
    }
    found.iter().try_for_each(|it| print(&line(it)))
}

async fn show(store: &Store, id: Uuid, options: &Options) -> Result<(), Failure> {
    let (delivery, tries) = store.delivery(&scope(), id).await?;
    if options.json {
        return print_json(&json!({ "delivery": delivery, "tries": tries }));
    }
    print(&line(&delivery))?;
    print(&format!("document {} version {}", delivery.document, delivery.version))?;
    print(&format!("message {}", delivery.message_id))?;
    for it in tries {
        let reply = it.reply.as_deref().unwrap_or_default();
        print(&printable(&format!("{} {} {} {reply}", it.at, it.worker, it.outcome)))?;
    }
    Ok(())
}

/// Whatever the server has taken is not sent again.
async fn reconcile(store: &Store, logs: &[PathBuf], options: &Options) -> Result<(), Failure> {
    const AT_ONCE: usize = 500;
    let mut taken = BTreeSet::new();
    for log in logs {
        let read = if log == Path::new("-") {
            maillog::taken(std::io::stdin().lock())
        } else {
            File::open(log).and_then(|it| maillog::taken(BufReader::new(it)))
        };
        let path = log.display().to_string();
        taken.extend(read.map_err(|source| Failure::File { path, source })?);
    }
    let ids: Vec<_> = taken.into_iter().collect();
    let mut settled = 0;
    for ids in ids.chunks(AT_ONCE) {
        settled += store.accepted_elsewhere(&scope(), ids.to_vec(), options.at()).await?;
    }
    if options.json {
        return print_json(&json!({ "taken": ids.len(), "settled": settled }));
    }
    print(&format!("{} mails of ours in the log, {settled} of them waited here", ids.len()))?;
    print("They count as accepted. Send the others with `paraphe deliveries resume`.")
}

async fn count(store: &Store, options: &Options) -> Result<(), Failure> {
    let (queue, control) = (store.queue(options.at()).await?, store.control().await?);
    if options.json {
        return print_json(&json!({ "queue": queue, "control": control }));
    }
    for (state, count) in &queue.counts {
        print(&format!("{count:>8} {state}"))?;
    }
    if let Some(since) = queue.waiting_since {
        print(&format!("waiting since {since}"))?;
    }
    control.paused.map_or(Ok(()), |reason| print(&printable(&format!("paused: {reason}"))))
}

/// One mail on a line; the recipient is for the operator's eyes, not for a log.
fn line(it: &Delivery) -> String {
    let recipient = it.recipient.as_deref().unwrap_or("(erased)");
    let reply = it.reply.as_deref().unwrap_or_default();
    let state = it.state.as_str();
    printable(&format!("{} {state:<12} {recipient} tried {} times {reply}", it.id, it.attempts))
}

fn state(name: &str) -> Result<DeliveryState, String> {
    let known = DeliveryState::ALL.map(DeliveryState::as_str);
    let found = DeliveryState::ALL.into_iter().find(|it| it.as_str() == name);
    found.ok_or_else(|| format!("one of {}", known.join(", ")))
}
