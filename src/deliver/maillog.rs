//! A mail server's log, as Postfix writes it: which of our messages it has taken into its queue.
//!
//! `cleanup` names a message by its Message-ID, `qmgr` says that it is in the queue, and the queue's id joins the two. A
//! message that was named and never queued was not taken: its sender was told no, or hung up.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, BufRead};

use uuid::Uuid;

/// The Message-IDs of ours that the server has taken. What is no line of Postfix is passed over.
pub fn taken(mut log: impl BufRead) -> io::Result<BTreeSet<String>> {
    let mut named = HashMap::new();
    let mut taken = BTreeSet::new();
    let mut line = Vec::new();
    while log.read_until(b'\n', &mut line)? > 0 {
        match entry(&String::from_utf8_lossy(&line)) {
            Some(("cleanup", queue, text)) => {
                if let Some(id) = text.strip_prefix("message-id=").filter(|it| is_ours(it)) {
                    named.insert(queue.to_owned(), id.to_owned());
                }
            }
            Some(("qmgr", queue, text)) if text.starts_with("from=<") => {
                taken.extend(named.remove(queue));
            }
            _ => {}
        }
        line.clear();
    }
    Ok(taken)
}

/// Daemon, queue id and text of `… postfix/DAEMON[PROCESS]: QUEUE: TEXT`.
fn entry(line: &str) -> Option<(&str, &str, &str)> {
    let (head, rest) = line.trim_end().split_once("]: ")?;
    let (program, _) = head.rsplit_once('[')?;
    let (_, daemon) = program.rsplit_once('/')?;
    let (queue, text) = rest.split_once(": ")?;
    Some((daemon, queue, text))
}

/// Ours are `<UUID@domain>`.
fn is_ours(id: &str) -> bool {
    let inner = id.strip_prefix('<').and_then(|it| it.strip_suffix('>'));
    let local = inner.and_then(|it| it.split_once('@')).map(|it| it.0);
    local.is_some_and(|it| it.parse::<Uuid>().is_ok())
}
