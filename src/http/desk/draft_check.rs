//! The check of a list in preparation, while its owner looks elsewhere.
//!
//! A draft in; what was found, the file with its problems, and on a start the merge, noted in the draft. How far it has
//! come is noted every second; a check that notes nothing any more was lost with its process and is begun anew by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, from_slice, json, to_vec};
use uuid::Uuid;

use super::super::auth::Caller;
use super::super::lists::{Checked, check, columns, upload};
use super::super::state::Service;
use super::drafts::Asked;
use crate::document::{Rulebook, Severity};
use crate::merge::preflight::{Acceptance, Preflight, PreflightOptions};
use crate::merge::report::{kinds, say};
use crate::merge::rows::{Heading, headings};
use crate::merge::run::{Terms, submit};
use crate::merge::{Finding, MergeError, report, workbook};
use crate::store::{self, StoreError};

/// How often it is noted how far a check has come.
const NOTED: Duration = Duration::from_secs(1);
/// The most findings that are shown one by one.
const SHOWN: usize = 200;

/// What a check found, as the page shows it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Found {
    /// Why the file as a whole is refused: a finding in words.
    refused: Option<Value>,
    /// Why nothing was found out, where that is not the file's fault.
    failed: Option<String>,
    /// The headers of its columns and what they are taken for.
    headings: Value,
    /// The counts.
    counts: Value,
    /// Whether every row can leave, and whether it can begin at all.
    sound: bool,
    startable: bool,
    faulty: usize,
    /// Findings by kind, and one by one.
    errors: Value,
    warnings: Value,
    findings: Value,
    more: usize,
    /// Rules of practice that were found broken or are set aside.
    practice: Vec<String>,
    /// Letters that show what can go wrong on a page.
    pub(super) proof: Vec<Proof>,
    /// Whether the file comes back with its problems.
    marked: bool,
}

/// A letter of the proof.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Proof {
    /// Its line.
    pub(super) row: u64,
    language: String,
    /// Its data.
    pub(super) input: Value,
}

/// Begins a check, or the last one before the start.
pub(super) async fn begin(
    service: &Service,
    caller: &Caller,
    id: Uuid,
    asked: Vec<u8>,
    starting: bool,
) -> Result<(), StoreError> {
    let store = &caller.pipeline(service).store;
    let fence = store.check_draft(&caller.scope(), id, &asked, starting, service.at()).await?;
    let job = Job { service: service.clone(), caller: caller.clone(), id, fence, starting };
    tokio::spawn(async move {
        if let Err(error) = job.run(&asked).await {
            tracing::error!("a check is not kept: {error}");
        }
    });
    Ok(())
}

/// A check that is under way.
struct Job {
    service: Service,
    caller: Caller,
    id: Uuid,
    fence: i64,
    starting: bool,
}

impl Job {
    async fn run(self, asked: &[u8]) -> Result<(), StoreError> {
        let damaged = |_| StoreError::Damaged("a draft".to_owned());
        let asked: Asked = from_slice(asked).map_err(damaged)?;
        let (store, scope) = (&self.caller.pipeline(&self.service).store, self.caller.scope());
        let ended = match self.check(&asked).await {
            Ok(ended) => ended,
            Err(error) => store::Checked { found: bytes(&failed(&error)), ..Default::default() },
        };
        store.end_draft(&scope, self.id, self.fence, ended, self.service.at()).await?;
        Ok(())
    }

    async fn check(&self, asked: &Asked) -> Result<store::Checked, MergeError> {
        let (service, caller) = (self.service.clone(), self.caller.clone());
        let store = &self.caller.pipeline(&self.service).store;
        let (scope, at) = (self.caller.scope(), self.service.at());
        let (file, _) = store.draft_files(&scope, self.id, at).await?;
        let options = asked.options(&columns(&service)?);
        let (accepted, done) = (options.accepted.clone(), Arc::new(AtomicU32::new(0)));
        let count = done.clone();
        let work = move || {
            let mut progress = |rows: u64| {
                count.store(u32::try_from(rows).unwrap_or(u32::MAX), Ordering::Relaxed);
            };
            let checked = check(&service, &caller, &file, &options, at, &mut progress);
            look(&service, &file, &options, checked)
        };
        let mut work = std::pin::pin!(self.service.when_its_turn_comes(work));
        let mut tick = tokio::time::interval(NOTED);
        let looked = loop {
            tokio::select! {
                looked = &mut work => break looked,
                _ = tick.tick() => {
                    let (rows, at) = (done.load(Ordering::Relaxed), self.service.at());
                    store.advance_draft(self.id, self.fence, rows, at).await?;
                }
            }
        };
        let looked = looked.map_err(|_| StoreError::Closed)??;
        let Looked { found, marked, checked } = looked;
        let begins = self.starting && (found.sound || (asked.skip_faulty && found.startable));
        let merge = match checked.filter(|_| begins) {
            Some(Checked { found, spool, .. }) => {
                let (file, not_before) = (asked.file.as_str(), asked.not_before());
                let terms = Terms { file, preflight: &found, accepted: &accepted, not_before };
                Some(submit(store, &scope, spool, terms, self.service.at()).await?)
            }
            None => None,
        };
        Ok(store::Checked { found: bytes(&found), marked, merge })
    }
}

/// What was found, the file back, and what was checked, if the file as a whole could be.
struct Looked {
    found: Found,
    marked: Option<Vec<u8>>,
    checked: Option<Checked>,
}

/// Puts what was found into words, and marks the file.
fn look(
    service: &Service,
    file: &[u8],
    options: &PreflightOptions,
    checked: Result<Checked, MergeError>,
) -> Result<Looked, MergeError> {
    let (columns, rulebook) = (columns(service)?, service.rulebook());
    let headings: Vec<Heading> =
        headings(upload(file)?, &columns, &options.rows).unwrap_or_default();
    let mut checked = match checked {
        Ok(checked) => checked,
        Err(MergeError::Refused(finding)) => {
            let said = say(&[*finding], rulebook, "fr");
            let found = Found {
                refused: said.first().map(|it| json!(it)),
                headings: json!(headings),
                ..Found::default()
            };
            return Ok(Looked { found, marked: None, checked: None });
        }
        Err(error) => return Err(error),
    };
    let proof = std::mem::replace(&mut checked.proof, crate::merge::proof::Proof::new(0));
    let mut found = told(&checked.found, &options.accepted, rulebook);
    found.headings = json!(headings);
    found.proof = proof.letters().into_iter().map(|it| Proof::of(&it, rulebook)).collect();
    let words = (&rulebook.explanations, "fr");
    let findings = &checked.found.findings;
    let marked = match findings.is_empty() {
        true => None,
        false => {
            let back =
                workbook::marked(upload(file)?, &columns, &options.rows, findings, None, words)?;
            let csv = || report::csv(&say(findings, rulebook, "fr")).into_bytes();
            Some(back.map_or_else(csv, |it| it.bytes))
        }
    };
    found.marked = marked.is_some();
    Ok(Looked { found, marked, checked: Some(checked) })
}

fn told(preflight: &Preflight, accepted: &[Acceptance], rulebook: &Rulebook) -> Found {
    let said = say(&preflight.findings, rulebook, "fr");
    let (errors, warnings): (Vec<_>, Vec<_>) = said.iter().partition(|it| it.severity.refuses());
    let is_practice = |it: &&Finding| it.problem.severity == Severity::Practice;
    let found = preflight.findings.iter().filter(is_practice).map(|it| it.problem.code.to_owned());
    let mut practice: Vec<String> =
        found.chain(accepted.iter().map(|it| it.code.clone())).collect();
    practice.sort();
    practice.dedup();
    let mut counts = json!(preflight);
    if let Some(counts) = counts.as_object_mut() {
        counts.remove("findings");
        counts.remove("faulty");
    }
    Found {
        counts,
        sound: preflight.is_sound() && preflight.sound > 0,
        startable: preflight.sound > 0 && !preflight.stopped,
        faulty: preflight.faulty.len(),
        errors: json!(kinds(errors.into_iter())),
        warnings: json!(kinds(warnings.into_iter())),
        more: said.len().saturating_sub(SHOWN),
        findings: json!(said[..said.len().min(SHOWN)]),
        practice,
        ..Found::default()
    }
}

fn failed(error: &MergeError) -> Found {
    let words = match error {
        MergeError::Store(StoreError::NotFound("office")) => {
            "Une ligne du fichier est d’un office dont vous n’avez pas la charge."
        }
        error => {
            tracing::error!("a check failed: {error}");
            "Le contrôle n’a pas abouti ; la faute n’est pas au fichier. Recommencez dans un moment."
        }
    };
    Found { failed: Some(words.to_owned()), ..Found::default() }
}

impl Proof {
    fn of(checked: &crate::merge::preflight::Checked, rulebook: &Rulebook) -> Self {
        let input = from_slice(&checked.input).unwrap_or_default();
        let language = rulebook.catalogue(checked.document.language()).french_name.clone();
        Self { row: checked.row, language, input }
    }
}

fn bytes(found: &Found) -> Vec<u8> {
    to_vec(found).unwrap_or_default()
}
