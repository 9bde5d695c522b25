//! Who signs a contract, as its signature fields say it: in French, with the mandate of who signs
//! for the State.
//!
//! Content and input in, one [`Signatory`] for each box out. It travels inside the file, so that
//! whoever signs later needs nothing but the file.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::{Body, Content};
use crate::document::Document;
use crate::document::catalogue::FRENCH;
use crate::document::input::{Authority, Input};
use crate::document::phrase::Values;
use crate::document::rulebook::Rulebook;

/// Somebody who has a box to sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signatory {
    /// The signature field, such as `applicant`.
    pub field: String,
    /// What a reader is told about the field: in what capacity, and who.
    pub description: String,
    /// Who signs.
    pub name: String,
    /// What the signature is for.
    pub reason: String,
    /// What the box shows when it is signed by certificate; `{name}`, `{date}` and `{time}` are filled in then. A file of
    /// before there was one shows what it said then.
    #[serde(default = "name_and_time")]
    pub mention: String,
    /// The time that the office lives by.
    pub time_zone: Tz,
    /// What the agent certifies instead, where the person cannot write; nobody does it for the State.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unable: Option<String>,
    /// Since when and until when who signs by delegation may do so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mandate: Option<Mandate>,
}

/// A delegation of signature, counted in days of the office.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mandate {
    /// The order that delegates the signature.
    pub delegation: String,
    /// Its first day.
    pub from: NaiveDate,
    /// Its last day; open when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<NaiveDate>,
}

fn name_and_time() -> String {
    "{name}\n{date} {time}".to_owned()
}

impl Signatory {
    /// The day of a moment, by the time of the office.
    pub fn day(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.time_zone).date_naive()
    }
}

impl Mandate {
    /// Whether a signature on a day is covered.
    pub fn covers(&self, day: NaiveDate) -> bool {
        self.from <= day && self.until.is_none_or(|until| day <= until)
    }
}

impl Content {
    /// Who has a box to sign in, in the order of the boxes.
    pub(crate) fn signatories(&self, document: &Document, rulebook: &Rulebook) -> Vec<Signatory> {
        let (Body::Contract(agreement) | Body::Family(agreement)) = &self.body else {
            return Vec::new();
        };
        let words = rulebook.catalogue(FRENCH);
        let mention = &document.regime(rulebook).contract.electronic_mention;
        let mandate = authority(&document.input).and_then(Authority::mandate);
        let time_zone = document.office(rulebook).time_zone(&rulebook.departments);
        let signatory = |it: &super::SignatureBox| {
            let values = it.values.first().cloned().unwrap_or_default();
            let plain = |name| values.get(name).map(|it| it.plain());
            let signed_for = plain("name").unwrap_or_default();
            let label = words.say(it.label, &Values::new()).plain();
            let for_the_state = it.field == "authority";
            Signatory {
                field: it.field.to_owned(),
                description: format!("{label} : {signed_for}"),
                name: plain("delegate").unwrap_or(signed_for),
                reason: it.note.map_or(self.heading.clone(), |it| words.say(it, &values).plain()),
                mention: mention.clone(),
                time_zone,
                unable: (!for_the_state)
                    .then(|| words.say("sign.cannot_sign", &Values::new()).plain()),
                mandate: mandate.clone().filter(|_| for_the_state),
            }
        };
        agreement.signatures.iter().map(signatory).collect()
    }
}

fn authority(input: &Input) -> Option<&Authority> {
    match input {
        Input::Contract(it) => Some(&it.authority),
        Input::Family(it) => Some(&it.authority),
        Input::Convocation(_) => None,
    }
}

impl Authority {
    fn mandate(&self) -> Option<Mandate> {
        let delegate = self.delegate.as_ref()?;
        Some(Mandate {
            delegation: delegate.delegation.clone(),
            from: delegate.from.0,
            until: delegate.until.map(|it| it.0),
        })
    }
}
