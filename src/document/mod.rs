//! Step 1: bytes in, a checked [`Document`] out.
//!
//! Pure: no clock, no network, no files. Time comes in as `at`; law, places and sentences as the
//! [`Rulebook`]. Only [`Document::check`] makes a document, so whatever the later steps get has
//! passed every rule.

mod agenda;
mod appointment;
mod calendar;
mod catalogue;
mod content;
pub(crate) mod email;
mod example;
mod explain;
mod follow;
mod input;
mod json;
mod message;
mod office;
mod person;
mod phrase;
mod place;
mod planned;
mod postal;
mod problem;
mod record;
mod regime;
mod rulebook;
mod rules;
mod schema;
mod stamp;
mod text;
mod visit;
mod words;

use chrono::{DateTime, Days, Months, NaiveDate, Utc};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

pub use agenda::{Agenda, Standing};
pub use calendar::easter;
pub use catalogue::{Catalogue, Direction, FRENCH, Status};
pub use content::{Body, Content, Mandate, Side, Signatory};
pub use example::example;
pub use explain::{Explained, Explanations};
pub use follow::{follow_up, next_reference};
pub use input::Kind;
pub use message::{Message, Part};
pub use office::{Centre, Department, Departments, Directorate, Offices, Room};
pub use phrase::{Own, Phrase, Piece, Value as Datum, Values};
pub use problem::{Problem, Severity};
pub use regime::{FACTS, Facts, Obligation};
pub use rulebook::{Rulebook, RulebookError};
pub use rules::PRACTICE;
pub use schema::{Schemas, shape_faults};
pub use stamp::stamp;
pub use visit::Visit;

pub(crate) use content::{Fact, Printed, Row};
pub(crate) use text::{OWN_SCRIPT, is_control};

use input::Input;
use problem::Report;
use regime::Regime;

/// The nationality of a person without one, on the wire.
pub const STATELESS: &str = "stateless";

/// A document whose data has passed every rule.
#[derive(Debug, Clone)]
pub struct Document {
    input: Input,
    value: Value,
    facts: Facts,
    recipient: Vec<String>,
    parties: Vec<Party>,
    warnings: Vec<Problem>,
    accepted: Vec<Problem>,
    /// The day it is issued, in the office's time.
    today: NaiveDate,
}

/// Somebody the contract concerns, and whether they sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Party {
    /// The signature field, such as `applicant`.
    pub field: &'static str,
    /// Whether they must, may or need not sign.
    pub obligation: Obligation,
    /// The articles that say so.
    pub source: String,
}

/// When a contract ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Term {
    /// Its last day, without extension.
    pub(crate) end: NaiveDate,
    /// Its last day, with the extension if there is one.
    pub(crate) extended_end: NaiveDate,
}

impl Document {
    /// Checks data against the rulebook as of `at`.
    ///
    /// Every problem is found at once. Rules of practice that the data accepts by code, with a
    /// reason and a name, do not refuse it.
    pub fn check(
        bytes: &[u8],
        rulebook: &Rulebook,
        at: DateTime<Utc>,
    ) -> Result<Self, Vec<Problem>> {
        let mut report = Report::default();
        let Some(mut value) = json::read(bytes, &mut report) else { return Err(report.0) };
        text::check(&value, &mut report);
        text::normalise(&mut value);
        let Some(kind) = rulebook.schemas.check(&value, &mut report) else { return Err(report.0) };
        let input = match read(kind, &value) {
            Ok(input) => input,
            Err(error) => {
                report.error("schema.other", "", [("detail", error.to_string())]);
                return Err(report.0);
            }
        };
        let office = &rulebook.offices.directorates[&input.head().office];
        let today = at.with_timezone(&office.time_zone(&rulebook.departments)).date_naive();
        let mut document = Self {
            input,
            value,
            facts: Facts::new(),
            recipient: Vec::new(),
            parties: Vec::new(),
            warnings: Vec::new(),
            accepted: Vec::new(),
            today,
        };
        rules::judge(&document, rulebook, &mut report);
        let accepted = &document.input.head().accepted;
        let is_accepted = |problem: &Problem| {
            problem.severity == Severity::Practice
                && accepted.iter().any(|it| it.code == problem.code)
        };
        let (accepted, open): (Vec<_>, Vec<_>) = report.0.into_iter().partition(is_accepted);
        if open.iter().any(|problem| problem.severity.refuses()) {
            return Err(open);
        }
        document.facts = rules::facts(&document, rulebook);
        document.recipient = rules::recipient(&document);
        document.parties = rules::parties(&document, rulebook);
        document.warnings = open;
        document.accepted = accepted;
        Ok(document)
    }

    /// The kind of the document.
    pub fn kind(&self) -> Kind {
        self.input.head().kind
    }

    /// The issuer's number of the document.
    pub fn reference(&self) -> &str {
        &self.input.head().reference
    }

    /// The language beside French (`fr` for a document in French alone).
    pub fn language(&self) -> &str {
        &self.input.head().language
    }

    /// The data in canonical form (RFC 8785 for the values our schema allows).
    pub fn data(&self) -> Vec<u8> {
        canonical(&self.value).to_string().into_bytes()
    }

    /// The inputs of the convocations for the trainings that a contract fixes, in the order of the
    /// journey; none for a letter, and none for what is already over.
    pub fn convocations(&self, rulebook: &Rulebook) -> Vec<Vec<u8>> {
        let letters = planned::convocations(self, rulebook);
        letters.into_iter().map(|it| it.to_string().into_bytes()).collect()
    }

    /// Where the document can be mailed to: the address of the person, or of each parent who has
    /// one. Nobody's address: it goes by post.
    pub fn emails(&self) -> Vec<&str> {
        match &self.input {
            Input::Contract(it) => it.applicant.email.as_deref().into_iter().collect(),
            Input::Convocation(it) => it.applicant.email.as_deref().into_iter().collect(),
            Input::Family(it) => {
                it.parents.iter().filter_map(|it| it.person.email.as_deref()).collect()
            }
        }
    }

    /// Who signs, may sign, or need not, with the articles; empty for a letter.
    pub fn parties(&self) -> &[Party] {
        &self.parties
    }

    /// Who has a box to sign in, in the order of the boxes; empty for a letter.
    pub fn signatories(&self, rulebook: &Rulebook) -> Vec<Signatory> {
        self.content(rulebook).signatories(self, rulebook)
    }

    /// What was worth saying, though the document can be issued.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// The breaches of rules of practice that the data accepts.
    pub fn accepted(&self) -> &[Problem] {
        &self.accepted
    }

    /// Why a breach was accepted, and by whom.
    pub fn acceptance(&self, problem: &Problem) -> Option<(&str, &str)> {
        let accepted = &self.input.head().accepted;
        let found = accepted.iter().find(|it| it.code == problem.code)?;
        Some((&found.reason, &found.by))
    }

    /// What the document says, side by side.
    pub fn content(&self, rulebook: &Rulebook) -> Content {
        Content::compose(self, rulebook)
    }

    /// Every string of the data with its RFC 6901 pointer.
    pub fn each_string(&self, mut visit: impl FnMut(&str, &str)) {
        text::each_string(&self.value, "", &mut visit);
    }

    /// SHA-256 of the data in canonical form (RFC 8785 for the values our schema allows).
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.data()).into()
    }

    /// The step of a letter.
    pub(crate) fn step_name(&self) -> Option<&str> {
        match &self.input {
            Input::Convocation(it) => Some(&it.step),
            _ => None,
        }
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    pub(crate) fn recipient(&self) -> Vec<String> {
        self.recipient.clone()
    }

    pub(crate) fn regime<'a>(&self, rulebook: &'a Rulebook) -> &'a Regime {
        &rulebook.regimes[&self.input.head().regime]
    }

    pub(crate) fn office<'a>(&self, rulebook: &'a Rulebook) -> &'a Directorate {
        &rulebook.offices.directorates[&self.input.head().office]
    }

    /// When the contract ends: the day before the anniversary of its signature (R.311-27).
    pub(crate) fn term(&self, rulebook: &Rulebook) -> Term {
        let (signed, months) = match &self.input {
            Input::Contract(it) => {
                (it.signing.date.0, it.extension.as_ref().map_or(0, |it| it.months))
            }
            Input::Family(it) => (it.signing.date.0, 0),
            Input::Convocation(_) => (self.today, 0),
        };
        let duration = self.regime(rulebook).contract.duration_months.value;
        let last_day = |months| (signed + Months::new(months)) - Days::new(1);
        Term { end: last_day(duration), extended_end: last_day(duration + months) }
    }

    /// The day a letter leaves.
    pub(crate) fn letter_date(&self) -> NaiveDate {
        match &self.input {
            Input::Convocation(it) => it.sent_on.map_or(self.today, |it| it.0),
            _ => self.today,
        }
    }

    /// The last day to say that one cannot come.
    pub(crate) fn unable_date(&self, rulebook: &Rulebook) -> NaiveDate {
        let days = self.regime(rulebook).practice.unable_days;
        match &self.input {
            Input::Convocation(it) => match (it.answer_by, it.appointment.first()) {
                (Some(date), _) => date.0,
                (None, Some(first)) => {
                    let date = first.date.0 - Days::new(u64::from(days));
                    date.max(self.letter_date() + Days::new(1)).min(first.date.0)
                }
                (None, None) => self.today,
            },
            _ => self.today,
        }
    }

    /// The last day to explain an absence.
    pub(crate) fn answer_date(&self, rulebook: &Rulebook) -> NaiveDate {
        let days = self.regime(rulebook).practice.answer_days;
        match &self.input {
            Input::Convocation(it) => it.answer_by.map(|it| it.0),
            _ => None,
        }
        .unwrap_or_else(|| self.letter_date() + Days::new(u64::from(days)))
    }
}

/// SHA-256 of JSON in canonical form; the same for data that differs in spaces and the order of keys.
pub fn canonical_digest(bytes: &[u8]) -> Result<[u8; 32], Vec<Problem>> {
    let mut report = Report::default();
    let Some(mut value) = json::read(bytes, &mut report) else { return Err(report.0) };
    text::normalise(&mut value);
    Ok(Sha256::digest(canonical(&value).to_string()).into())
}

fn read(kind: Kind, value: &Value) -> Result<Input, serde_json::Error> {
    let value = value.clone();
    Ok(match kind {
        Kind::Cai => Input::Contract(serde_json::from_value(value)?),
        Kind::Caif => Input::Family(serde_json::from_value(value)?),
        Kind::Convocation => Input::Convocation(serde_json::from_value(value)?),
    })
}

/// The value with the keys of every object in order.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(canonical).collect(),
        Value::Object(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            entries.into_iter().map(|(key, item)| (key.clone(), canonical(item))).collect()
        }
        value => value.clone(),
    }
}
