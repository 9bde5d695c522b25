//! Preflight: every row through the rules and its real layout before the first letter leaves.
//!
//! Rows in, [`Checked`] letters and [`Finding`]s out, in the order of the file. All cores work on one
//! block of rows after the other; within a block, rows of one template and language follow each
//! other, so that what they share is laid out once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::rows::{self, Columns, Reading, Row, RowOptions};
use super::together::{ROOM_FULL, Together};
use super::{Finding, MergeError};
use crate::document::{Document, Kind, Problem, Rulebook, Severity, Status};
use crate::render::{Fit, Marks, RenderError, Renderer};
use crate::store::StoreError;

/// The most findings that are kept: a file in which more is wrong is at fault as a whole.
pub const MOST_FINDINGS: usize = 20_000;

/// Rows that are worked on together: enough to group them, few enough to hold.
const BLOCK: usize = 512;

/// What every row is checked with.
#[derive(Clone, Copy)]
pub struct Kit<'a> {
    /// The columns that are known.
    pub columns: &'a Columns,
    /// Law, places, sentences.
    pub rulebook: &'a Rulebook,
    /// Pages and fonts.
    pub renderer: &'a Renderer,
    /// What is printed on each letter beside its content, by its reference.
    pub marks: &'a (dyn Fn(&Document) -> Marks + Sync),
    /// What is known of a person or an appointment from letters that have left: an address that
    /// bounced, the same letter issued before.
    pub known: &'a (dyn Fn(&Document) -> Result<Vec<Problem>, StoreError> + Sync),
}

/// How a list is checked.
#[derive(Debug, Clone, Default)]
pub struct PreflightOptions {
    /// How its file is read.
    pub rows: RowOptions,
    /// Rules of practice that somebody sets aside for the whole list.
    pub accepted: Vec<Acceptance>,
    /// How many threads work; all cores when 0.
    pub threads: usize,
}

/// A rule of practice set aside for a list.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Acceptance {
    /// The code of the problem.
    pub code: String,
    /// Why it does not matter here.
    pub reason: String,
    /// Who decided so.
    pub by: String,
}

/// A row whose letter can leave.
#[derive(Debug)]
pub struct Checked {
    /// Its line.
    pub row: u64,
    /// Its data, with what was accepted.
    pub input: Vec<u8>,
    /// The letter.
    pub document: Document,
    /// How it fits its pages.
    pub fit: Fit,
}

/// What the preflight of a list found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Preflight {
    /// How the file was read.
    #[serde(flatten)]
    pub reading: Reading,
    /// Rows whose letter can leave.
    pub sound: u64,
    /// Rows at fault, by line.
    pub faulty: BTreeSet<u64>,
    /// Everything that was found, in the order of the file.
    pub findings: Vec<Finding>,
    /// Whether the check stopped because too much was wrong.
    pub stopped: bool,
    /// How often each rule of practice was set aside.
    pub accepted: BTreeMap<String, u64>,
    /// Sound rows by language.
    pub languages: BTreeMap<String, u64>,
    /// Languages among them whose translation no person has reviewed.
    pub drafts: BTreeSet<String>,
    /// Sound rows that go by email.
    pub email: u64,
    /// Sound rows without email: they go to the print run.
    pub post: u64,
    /// Pages of all sound letters.
    pub pages: u64,
}

/// What one row gave.
enum Verdict {
    Sound(Box<Checked>, Vec<Finding>, Vec<&'static str>),
    Faulty(Vec<Finding>),
}

impl Preflight {
    /// Whether every row can leave.
    pub fn is_sound(&self) -> bool {
        self.faulty.is_empty() && !self.stopped
    }
}

/// Checks a list; `each` gets the sound rows in the order of the file, `progress` the number of rows
/// done so far.
pub fn preflight(
    file: File,
    kit: Kit<'_>,
    options: &PreflightOptions,
    at: DateTime<Utc>,
    each: &mut dyn FnMut(Checked),
    progress: &mut dyn FnMut(u64),
) -> Result<Preflight, MergeError> {
    let mut reading = options.rows.clone();
    reading.restore_zeros |= options.accepts("rows.leading_zero");
    let (send, receive) = mpsc::sync_channel::<Vec<Row>>(2);
    std::thread::scope(|scope| {
        let columns = kit.columns;
        let reader = scope.spawn(move || {
            let mut block = Vec::with_capacity(BLOCK);
            let mut heard = true;
            let read = rows::read(file, columns, &reading, &mut |row| {
                block.push(row);
                if block.len() == BLOCK {
                    heard = send.send(std::mem::take(&mut block)).is_ok();
                }
                heard
            });
            if heard && read.is_ok() {
                let _ = send.send(block);
            }
            read
        });
        let mut sum = Sum::new(kit, options);
        let mut done = 0;
        for block in receive {
            done += block.len() as u64;
            let verdicts = judge_all(&block, kit, options, at)?;
            for (row, verdict) in block.iter().zip(verdicts) {
                sum.add(row, verdict, each);
            }
            progress(done);
            if sum.refusals >= MOST_FINDINGS {
                sum.preflight.stopped = true;
                break;
            }
        }
        match reader.join() {
            Ok(read) => sum.preflight.reading = read?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
        Ok(sum.preflight)
    })
}

/// Judges a block on all cores; the verdicts are in the order of the rows.
fn judge_all(
    block: &[Row],
    kit: Kit<'_>,
    options: &PreflightOptions,
    at: DateTime<Utc>,
) -> Result<Vec<Verdict>, MergeError> {
    let mut order: Vec<usize> = (0..block.len()).collect();
    order.sort_by_cached_key(|index| Group::of(&block[*index].input));
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((*index, judge(&block[*index], kit, options, at)?));
        }
        Ok::<_, MergeError>(done)
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if options.threads == 0 { cores } else { options.threads };
    let mut verdicts = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut all = Vec::with_capacity(block.len());
        for worker in workers {
            match worker.join() {
                Ok(done) => all.extend(done?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok::<_, MergeError>(all)
    })?;
    verdicts.sort_by_key(|(index, _)| *index);
    Ok(verdicts.into_iter().map(|(_, verdict)| verdict).collect())
}

/// What letters share: rows of one group are laid out one after the other.
#[derive(Deserialize, Default, PartialEq, Eq, PartialOrd, Ord)]
#[serde(default)]
pub(super) struct Group {
    language: String,
    step: String,
    notice: String,
}

impl Group {
    pub(super) fn of(input: &[u8]) -> Self {
        serde_json::from_slice(input).unwrap_or_default()
    }
}

/// One row: rules, glyphs, layout, and what is known from before.
fn judge(
    row: &Row,
    kit: Kit<'_>,
    options: &PreflightOptions,
    at: DateTime<Utc>,
) -> Result<Verdict, MergeError> {
    let mut findings = row.findings.clone();
    let place = |problem: Problem| locate(problem, row, kit.columns);
    if findings.iter().any(|it| it.problem.severity.refuses() && it.problem.pointer.is_empty()) {
        return Ok(Verdict::Faulty(findings));
    }
    let mut input = row.input.clone();
    let mut result = Document::check(&input, kit.rulebook, at);
    if let Err(problems) = &result
        && let Some(with) = options.accepting(&input, problems)
    {
        input = with;
        result = Document::check(&input, kit.rulebook, at);
    }
    let document = match result {
        Ok(document) => document,
        Err(problems) => {
            let unread: Vec<&str> =
                row.findings.iter().map(|it| it.problem.pointer.as_str()).collect();
            let follows = |problem: &Problem| {
                problem.code == "schema.required"
                    && unread.iter().any(|it| it.starts_with(&problem.pointer))
            };
            findings.extend(problems.into_iter().filter(|it| !follows(it)).map(place));
            return Ok(Verdict::Faulty(findings));
        }
    };
    if document.kind() != Kind::Convocation {
        let problem = Finding::new(Some(row.number), Severity::Error, "rows.not_a_letter", []);
        return Ok(Verdict::Faulty(vec![problem]));
    }
    findings.extend(document.warnings().iter().cloned().map(place));
    let known = (kit.known)(&document)?;
    let set_aside = |it: &Problem| it.severity == Severity::Practice && options.accepts(it.code);
    findings.extend(known.into_iter().filter(|it| !set_aside(it)).map(place));
    match kit.renderer.fit(&document, kit.rulebook, &(kit.marks)(&document), at) {
        Ok(_) if findings.iter().any(|it| it.problem.severity.refuses()) => {
            Ok(Verdict::Faulty(findings))
        }
        Ok(fit) => {
            let accepted = document.accepted().iter().map(|it| it.code).collect();
            let checked = Checked { row: row.number, input, document, fit };
            Ok(Verdict::Sound(Box::new(checked), findings, accepted))
        }
        Err(RenderError::Data(problems)) => {
            findings.extend(problems.into_iter().map(place));
            Ok(Verdict::Faulty(findings))
        }
        Err(error) => Err(error.into()),
    }
}

impl PreflightOptions {
    fn accepts(&self, code: &str) -> bool {
        self.accepted.iter().any(|it| it.code == code)
    }

    /// The data with the acceptances it needs, where these are all that refuses it.
    fn accepting(&self, input: &[u8], problems: &[Problem]) -> Option<Vec<u8>> {
        let open = problems.iter().filter(|it| it.severity.refuses());
        let codes: BTreeSet<&str> = open
            .map(|it| {
                (it.severity == Severity::Practice && self.accepts(it.code)).then_some(it.code)
            })
            .collect::<Option<_>>()?;
        let mut value: serde_json::Value = serde_json::from_slice(input).ok()?;
        let needed = self.accepted.iter().filter(|it| codes.contains(it.code.as_str()));
        let needed: Vec<_> = needed.map(|it| serde_json::json!(it)).collect();
        let entry =
            value.as_object_mut()?.entry("accepted").or_insert_with(|| serde_json::json!([]));
        entry.as_array_mut()?.extend(needed);
        Some(value.to_string().into_bytes())
    }
}

/// Puts the verdicts together, row after row.
struct Sum<'a> {
    kit: Kit<'a>,
    options: &'a PreflightOptions,
    preflight: Preflight,
    together: Together,
    /// Columns that the file lacks: said once, not for each row.
    lacking: BTreeSet<String>,
    refusals: usize,
}

impl<'a> Sum<'a> {
    fn new(kit: Kit<'a>, options: &'a PreflightOptions) -> Self {
        let (preflight, together) = (Preflight::default(), Together::default());
        Self { kit, options, preflight, together, lacking: BTreeSet::new(), refusals: 0 }
    }

    fn add(&mut self, row: &Row, verdict: Verdict, each: &mut dyn FnMut(Checked)) {
        match verdict {
            Verdict::Faulty(findings) => self.refuse(row.number, findings),
            Verdict::Sound(checked, mut findings, accepted) => {
                let rulebook = self.kit.rulebook;
                let others = self.together.judge(row.number, &checked.document, rulebook);
                let (set_aside, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|it| {
                    it.problem.code == ROOM_FULL && self.options.accepts(ROOM_FULL)
                });
                let others = others.into_iter().map(|it| locate(it.problem, row, self.kit.columns));
                findings.extend(others);
                if findings.iter().any(|it| it.problem.severity.refuses()) {
                    return self.refuse(row.number, findings);
                }
                let room = MOST_FINDINGS.saturating_sub(self.preflight.findings.len());
                self.preflight.findings.extend(findings.into_iter().take(room));
                for code in accepted.into_iter().chain(set_aside.iter().map(|it| it.problem.code)) {
                    *self.preflight.accepted.entry(code.to_owned()).or_default() += 1;
                }
                self.count(&checked);
                each(*checked);
            }
        }
    }

    fn refuse(&mut self, row: u64, findings: Vec<Finding>) {
        self.preflight.faulty.insert(row);
        for finding in findings {
            let lacks = finding.column.is_none() && finding.problem.code == "schema.required";
            if !lacks || finding.header.is_empty() || self.lacking.insert(finding.header.clone()) {
                self.preflight.findings.push(finding);
                self.refusals += 1;
            }
        }
    }

    fn count(&mut self, checked: &Checked) {
        let document = &checked.document;
        let sum = &mut self.preflight;
        sum.sound += 1;
        sum.pages += checked.fit.pages() as u64;
        *sum.languages.entry(document.language().to_owned()).or_default() += 1;
        if self.kit.rulebook.catalogue(document.language()).review.status == Status::Draft {
            sum.drafts.insert(document.language().to_owned());
        }
        if document.emails().is_empty() { sum.post += 1 } else { sum.email += 1 }
    }
}

/// Where in the table a problem of the data is.
fn locate(problem: Problem, row: &Row, columns: &Columns) -> Finding {
    let pointer = problem.pointer.as_str();
    let below = |outer: &str, inner: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let origin = row
        .origins
        .iter()
        .filter(|(at, _)| below(at, pointer))
        .max_by_key(|(at, _)| at.len())
        .or_else(|| row.origins.iter().find(|(at, _)| !pointer.is_empty() && below(pointer, at)))
        .map(|(_, column)| *column);
    let empty = || {
        row.header.slots.iter().position(|slot| {
            slot.is_some_and(|slot| {
                let at = columns.pointer(slot);
                !pointer.is_empty() && (below(pointer, &at) || below(&at, pointer))
            })
        })
    };
    let column = origin.or_else(empty);
    let header = match column {
        Some(column) => row.header.names.get(column).cloned().unwrap_or_default(),
        None if row.header.names.is_empty() => pointer.to_owned(),
        None if pointer.is_empty() => String::new(),
        None => columns.header_of(pointer).unwrap_or_default(),
    };
    Finding { row: Some(row.number), column, header, problem }
}
