//! What became of a merge: every row accounted for, and every letter.
//!
//! A merge of the store in; counts that must add up, and the list of rows, out:
//! rows = issued + refused + skipped + duplicates + open, and
//! issued = accepted + deferred + failed + in doubt + cancelled + waiting + printed.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::print::Letter;
use super::report::fill;
use super::run::{Submission, letter_id, submission};
use super::workbook::field;
use super::{FileNames, MergeError};
use crate::assets::Assets;
use crate::document::Document;
use crate::pipeline::{IssueError, Pipeline};
use crate::store::{Merge, RowResult, Scope, Store};

/// The account of a merge.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The merge.
    pub id: Uuid,
    /// The name of its file.
    pub file: String,
    /// `running`, `paused`, `done`, `cancelled`.
    pub state: String,
    /// When it began.
    pub began_at: DateTime<Utc>,
    /// Rows of the file.
    pub rows: u64,
    /// Rows that a letter was made of.
    pub issued: u64,
    /// Rows that were sound in the preflight and refused at issue.
    pub refused: u64,
    /// Rows at fault that were passed over.
    pub skipped: u64,
    /// Rows whose very letter was issued before.
    pub duplicates: u64,
    /// Rows that wait or were cancelled.
    pub open: u64,
    /// Letters that go by post.
    pub printed: u64,
    /// Mails by what became of them: `accepted`, `deferred` (a server has put them off), `failed`,
    /// `in_doubt`, `cancelled`, `waiting`.
    pub mails: BTreeMap<&'static str, u64>,
    /// Rows without letter, with the reason.
    pub troubles: Vec<Trouble>,
    /// Whether both sums hold.
    pub adds_up: bool,
}

/// A row without letter.
#[derive(Debug, Clone, Serialize)]
pub struct Trouble {
    /// Its line.
    pub row: u32,
    /// `faulty`, `waiting`, `claimed`, `cancelled`; `duplicate` where the letter was issued before.
    pub state: String,
    /// Why.
    pub problem: String,
}

impl Outcome {
    /// Takes stock of a merge.
    pub async fn of(store: &Store, scope: &Scope, id: Uuid) -> Result<Self, MergeError> {
        let merge = store.merge(scope, id).await?;
        let Submission { file, rows, skipped, .. } = submission(&merge)?;
        let mut outcome = Self {
            id,
            file,
            state: merge.state.clone(),
            began_at: merge.created_at,
            rows,
            issued: 0,
            refused: 0,
            skipped: skipped.len() as u64,
            duplicates: 0,
            open: 0,
            printed: 0,
            mails: BTreeMap::new(),
            troubles: Vec::new(),
            adds_up: false,
        };
        let mut after = 0;
        loop {
            let page = store.merge_rows(scope, id, None, after, 1_000).await?;
            let Some(last) = page.last() else { break };
            after = last.number;
            page.into_iter().for_each(|row| outcome.count(row, &merge));
        }
        for (state, count) in store.merge_counts(scope, id).await?.mails {
            *outcome.mails.entry(sort(&state)).or_default() += count.unsigned_abs();
        }
        let mailed: u64 = outcome.mails.values().sum();
        outcome.printed = outcome.issued.saturating_sub(mailed);
        let Self { issued, refused, skipped, duplicates, open, .. } = outcome;
        let whole = issued + refused + skipped + duplicates + open == outcome.rows;
        outcome.adds_up = whole && issued == mailed + outcome.printed;
        Ok(outcome)
    }

    fn count(&mut self, row: RowResult, merge: &Merge) {
        let state = match (row.state.as_str(), row.document) {
            ("done", Some(document)) if document == letter_id(merge, row.number) => {
                self.issued += 1;
                return;
            }
            ("done", _) => {
                self.duplicates += 1;
                "duplicate".to_owned()
            }
            ("faulty", _) => {
                self.refused += 1;
                row.state
            }
            _ => {
                self.open += 1;
                row.state
            }
        };
        let problem = row.problem.unwrap_or_default();
        self.troubles.push(Trouble { row: row.number, state, problem });
    }

    /// The account as CSV: counts first, then the rows without letter.
    pub fn csv(&self) -> String {
        let mut text = String::from("\u{feff}Compte;Nombre\n");
        let counts = [
            ("Lignes", self.rows),
            ("Courriers émis", self.issued),
            ("Lignes refusées", self.refused),
            ("Lignes laissées de côté", self.skipped),
            ("Déjà émis", self.duplicates),
            ("En attente ou annulées", self.open),
            ("À imprimer", self.printed),
        ];
        for (name, count) in counts {
            text.push_str(&format!("{name};{count}\n"));
        }
        for (name, count) in &self.mails {
            text.push_str(&format!("Courriels : {};{count}\n", word(name)));
        }
        text.push_str("\nLigne;État;Motif\n");
        for it in &self.troubles {
            text.push_str(&format!("{};{};{}\n", it.row, it.state, field(&it.problem)));
        }
        text
    }

    /// One page of HTML, whole in itself.
    pub fn html(&self, assets: &Assets) -> Result<String, MergeError> {
        #[derive(Serialize)]
        struct Page<'a> {
            outcome: &'a Outcome,
            began: String,
            mails: Vec<(&'static str, u64)>,
            troubles: &'a [Trouble],
            more: usize,
        }
        const SHOWN: usize = 500;
        let page = Page {
            outcome: self,
            began: self.began_at.format("%d/%m/%Y %H:%M UTC").to_string(),
            mails: self.mails.iter().map(|(name, count)| (word(name), *count)).collect(),
            troubles: &self.troubles[..self.troubles.len().min(SHOWN)],
            more: self.troubles.len().saturating_sub(SHOWN),
        };
        fill("outcome.html.j2", assets, &page)
    }
}

/// The letters of a merge that go by post, in the order of its rows.
pub async fn letters_to_print(
    journey: &Pipeline,
    scope: &Scope,
    id: Uuid,
    at: DateTime<Utc>,
) -> Result<Vec<Letter>, MergeError> {
    let merge = journey.store.merge(scope, id).await?;
    let post = submission(&merge)?.post;
    let (mut letters, mut after) = (Vec::with_capacity(post.len()), 0);
    loop {
        let page = journey.store.merge_rows(scope, id, Some("done"), after, 1_000).await?;
        let Some(last) = page.last() else { return Ok(letters) };
        after = last.number;
        for row in page {
            let Some(document) = row.document else { continue };
            // Another one was printed with the list that issued it.
            if document == letter_id(&merge, row.number) && post.binary_search(&row.number).is_ok()
            {
                let issued = as_issued(journey, scope, document, at).await?;
                letters.push(Letter::of(document, &issued, &journey.rulebook));
            }
        }
    }
}

/// A document as of its issue: what was sound then is not judged anew.
pub async fn as_issued(
    journey: &Pipeline,
    scope: &Scope,
    id: Uuid,
    at: DateTime<Utc>,
) -> Result<Document, MergeError> {
    let data = journey.store.data(scope, id, at).await?;
    let issued_at = journey.store.document(scope, id, at).await?.created_at;
    let document = Document::check(&data, &journey.rulebook, issued_at);
    Ok(document.map_err(IssueError::Data)?)
}

/// Writes the PDFs of a merge into a folder, each whole or not at all. Answers how many there are.
pub async fn write_files(
    store: &Store,
    scope: &Scope,
    id: Uuid,
    (folder, names): (&Path, &FileNames),
    at: DateTime<Utc>,
) -> Result<u64, MergeError> {
    std::fs::create_dir_all(folder)?;
    let (mut after, mut count) = (0, 0);
    loop {
        let page = store.merge_rows(scope, id, Some("done"), after, 200).await?;
        let Some(last) = page.last() else { return Ok(count) };
        after = last.number;
        for row in page {
            let Some(document) = row.document else { continue };
            let record = store.document(scope, document, at).await?.record;
            let (reference, language) =
                record.map(|it| (it.reference, it.language)).unwrap_or_default();
            let name = names.of(row.number, &reference, &language);
            let bytes = store.file(scope, document, None, at).await?;
            let mut file = tempfile::Builder::new().prefix(".paraphe-").tempfile_in(folder)?;
            std::io::Write::write_all(&mut file, &bytes)?;
            file.persist(folder.join(name)).map_err(|error| error.error)?;
            count += 1;
        }
    }
}

/// The state of a mail as the account names it.
fn sort(state: &str) -> &'static str {
    match state {
        "accepted" | "delivered" => "accepted",
        "deferred" => "deferred",
        "failed" | "bounced" => "failed",
        "in_doubt" => "in_doubt",
        "cancelled" => "cancelled",
        _ => "waiting",
    }
}

fn word(state: &str) -> &'static str {
    match state {
        "accepted" => "acceptés",
        "deferred" => "différés par le serveur",
        "failed" => "refusés ou revenus",
        "in_doubt" => "dans le doute",
        "cancelled" => "annulés",
        _ => "en attente",
    }
}
