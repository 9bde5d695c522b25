//! What is not ours: the mail server, the mailbox of failures, and whether the clock is right.

use chrono::{DateTime, TimeDelta, Utc};

use super::Finding;
use crate::class::Class;
use crate::config::Config;
use crate::deliver::{Clock, Inbox, Transport};
use crate::seal::Sealer;
use crate::store::Look;

/// How far two clocks may be apart, and how far at the very most.
const APART: TimeDelta = TimeDelta::seconds(5);
const FAR_APART: TimeDelta = TimeDelta::minutes(1);

/// The way out for mails: connection, TLS and login, or a folder that can be written.
pub(super) async fn mail(config: &Config) -> Finding {
    const PART: &str = "mail";
    let mend = "See [mail]; nothing was sent.";
    let transport = match config.transport() {
        Ok(transport) => transport,
        Err(error) => return Finding::of(PART, error.class(), error, mend),
    };
    match &transport {
        Transport::Smtp(smtp) => match smtp.greet().await {
            Ok(()) => Finding::good(PART, "the mail server lets us in"),
            Err(error) => Finding::of(PART, error.class(), error, mend),
        },
        Transport::Folder(folder) => {
            let probe = || {
                std::fs::create_dir_all(folder)?;
                tempfile::NamedTempFile::new_in(folder).map(|_| ())
            };
            let place = folder.display();
            match probe() {
                Ok(()) if config.is_trial() => {
                    Finding::good(PART, format!("trial mode: into {place}, to nobody"))
                }
                Ok(()) => {
                    let kept = format!("there is no mail server: mails are written into {place}");
                    Finding::warning(PART, kept, "Set [mail.smtp] for them to reach anybody.")
                }
                Err(error) => Finding::of(PART, Class::Caller, format!("{place}: {error}"), mend),
            }
        }
        Transport::Memory(_) => Finding::good(PART, "kept in memory"),
    }
}

/// The mailbox that failures come back to.
pub(super) async fn mailbox(config: &Config) -> Option<Finding> {
    const PART: &str = "mailbox";
    let mend = "See [mail.imap]: server, user, password, folder.";
    let options = match config.inbox() {
        Ok(Some(options)) => options,
        Ok(None) if config.is_trial() || config.mail.smtp.is_none() => return None,
        Ok(None) => {
            let unread = "nobody reads what comes back: bounces will not be seen";
            return Some(Finding::warning(PART, unread, "Set [mail.imap]."));
        }
        Err(error) => return Some(Finding::of(PART, error.class(), error, mend)),
    };
    let opened = async { Inbox::open(&options).await?.close().await };
    Some(match opened.await {
        Ok(()) => Finding::good(PART, format!("{} can be read", options.folder)),
        Err(error) => Finding::of(PART, error.class(), error, mend),
    })
}

/// The clock, held against others: the database's server, the timestamp authority, and what was written last.
pub(super) fn clock(look: Option<&Look>, sealer: Option<&Sealer>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut others = Vec::new();
    if let Some(time) = look.and_then(|it| it.clock) {
        others.push(("the database's server", time - Clock::system().now()));
    }
    let authority = match sealer {
        Some(Sealer::On(office)) => tokio::task::block_in_place(|| office.trusted_time()),
        _ => None,
    };
    match authority {
        Some(Ok(time)) => {
            findings.push(Finding::good("timestamps", "the authority answers and is believed"));
            others.push(("the timestamp authority", time - Clock::system().now()));
        }
        Some(Err(error)) => {
            let mend = "See seal.tsa_url and seal.tsa_trust_files.";
            findings.push(Finding::of("timestamps", error.class(), error, mend));
        }
        None => {}
    }
    findings.push(judged(&others, look.and_then(|it| it.last_entry)));
    findings
}

fn judged(others: &[(&str, TimeDelta)], last_entry: Option<DateTime<Utc>>) -> Finding {
    const PART: &str = "clock";
    let mend = "Let NTP set it (`timedatectl`), here and there.";
    let now = Clock::system().now();
    if let Some(last) = last_entry.filter(|it| *it > now + APART) {
        let back = format!("it is {now:.0}, and the last entry of the ledger is of {last:.0}");
        return Finding::fault(PART, back, mend);
    }
    let Some((name, apart)) = others.iter().max_by_key(|it| it.1.abs()) else {
        let alone = "not before the last entry of the ledger; nothing else to compare it with";
        return Finding::good(PART, alone);
    };
    let seconds = apart.num_milliseconds() as f64 / 1000.0;
    let found = format!("{seconds:+.1} s from {name}");
    match apart.abs() {
        it if it > FAR_APART => Finding::fault(PART, found, mend),
        it if it > APART => Finding::warning(PART, found, mend),
        _ => Finding::good(PART, found),
    }
}
