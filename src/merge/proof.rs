//! The proof: a few letters of a list that show what can go wrong on a page.
//!
//! Sound rows in, at most as many letters as asked for out: the longest and the shortest, one from
//! right to left, then one of each language, then of each step. It holds one row for each language and
//! step of the list. They can be mailed to whoever sends the list, before anything is issued.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::task::spawn_blocking;

use super::MergeError;
use super::preflight::Checked;
use crate::deliver::{Attempt, Outgoing, Transport};
use crate::document::{Direction, Rulebook};
use crate::pipeline::{IssueError, Pipeline};

/// Mails letters to one address, as the run would compose them but marked as tests: nothing is issued or
/// kept, and nobody else gets anything. Answers the rows that have left.
pub async fn mail(
    journey: &Arc<Pipeline>,
    letters: Vec<Checked>,
    recipient: &str,
    transport: &Transport,
    at: DateTime<Utc>,
) -> Result<Vec<u64>, MergeError> {
    let mut rows = Vec::new();
    for Checked { row, document, .. } in letters {
        let (journey, to) = (journey.clone(), recipient.to_owned());
        let mail = spawn_blocking(move || journey.sample(&document, &to, at)).await;
        let mail = mail.map_err(|_| IssueError::Ending)??;
        let letter = Outgoing { id: mail.id, recipient: &mail.recipient, message: &mail.message };
        match transport.send(&letter, std::future::ready(true)).await {
            Attempt::Accepted(_) => rows.push(row),
            Attempt::Refused { reply, .. } => return Err(MergeError::Test(reply)),
            Attempt::Broken { reason, .. } | Attempt::InDoubt(reason) => {
                return Err(MergeError::Test(reason));
            }
            Attempt::Withdrawn => {}
        }
    }
    transport.close().await;
    Ok(rows)
}

/// Chooses letters while a list is checked.
#[derive(Debug)]
pub struct Proof {
    most: usize,
    longest: Option<(usize, Checked)>,
    shortest: Option<(usize, Checked)>,
    leftward: Option<Checked>,
    others: Vec<Checked>,
    seen: BTreeSet<(String, Option<String>)>,
}

impl Proof {
    /// At most `most` letters.
    pub fn new(most: usize) -> Self {
        let (longest, shortest, leftward) = (None, None, None);
        Self { most, longest, shortest, leftward, others: Vec::new(), seen: BTreeSet::new() }
    }

    /// Looks at one more letter.
    pub fn see(&mut self, checked: Checked, rulebook: &Rulebook) {
        // What is set closely is longer than all that is not.
        let length = checked.input.len() + if checked.fit.is_compact() { 1_000_000 } else { 0 };
        let language = rulebook.catalogue(checked.document.language());
        let leftward = language.direction == Direction::Rtl && self.leftward.is_none();
        let rest = if self.longest.as_ref().is_none_or(|it| it.0 < length) {
            self.longest.replace((length, checked)).map(|it| it.1)
        } else if self.shortest.as_ref().is_none_or(|it| it.0 > length) {
            self.shortest.replace((length, checked)).map(|it| it.1)
        } else if leftward {
            self.leftward.replace(checked)
        } else {
            Some(checked)
        };
        let Some(rest) = rest else { return };
        let step = rest.document.step().map(|it| it.0.to_owned());
        if self.seen.insert((rest.document.language().to_owned(), step)) {
            self.others.push(rest);
        }
    }

    /// The letters chosen, in the order of the file.
    pub fn letters(self) -> Vec<Checked> {
        let ends = [self.longest, self.shortest].into_iter().flatten().map(|it| it.1);
        let mut chosen: Vec<Checked> = ends.chain(self.leftward).collect();
        let mut more = Vec::new();
        for it in self.others {
            let known = chosen.iter().any(|old| old.document.language() == it.document.language());
            if known { more.push(it) } else { chosen.push(it) }
        }
        chosen.extend(more);
        chosen.truncate(self.most);
        chosen.sort_by_key(|it| it.row);
        chosen
    }
}
