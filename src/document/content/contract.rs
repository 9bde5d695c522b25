//! The individual contract: which clauses stand, the calendar, who signs.

use super::values::{self, full_name, gender, person};
use super::{Agreement, Article, Body, Row, SignatureBox};
use crate::document::Document;
use crate::document::appointment::Appointment;
use crate::document::catalogue::Catalogue;
use crate::document::input::{Authority, Contract};
use crate::document::phrase::{Value, Values};
use crate::document::regime::{Layout, standing};
use crate::document::rulebook::Rulebook;

pub(super) fn compose(
    document: &Document,
    contract: &Contract,
    rulebook: &Rulebook,
    sides: &[&Catalogue],
) -> (String, Body) {
    let mut appointments = contract.appointments();
    // As the person will live them; the order of the journey where two begin together.
    appointments.sort_by_key(|(_, _, it)| it.first().map(|it| it.begins()));
    let calendar = appointments.into_iter().map(|(_, step, appointment)| {
        calendar_row(document, rulebook, sides, step, appointment, contract.minutes(step))
    });
    let applicant = &contract.applicant;
    let mut signatures = vec![party("applicant", "sign.applicant", sides, |words| {
        person(words, applicant.civility, &applicant.full_name()).into()
    })];
    if let Some(it) = &contract.representative {
        let name = full_name(&it.given_names, &it.family_name);
        signatures.push(party("representative", "sign.representative", sides, |words| {
            person(words, it.civility, &name).into()
        }));
    }
    signatures.push(authority(&contract.authority, sides));
    let layout = &document.regime(rulebook).cai;
    let mut agreement = agreement(layout, document, calendar.collect(), signatures);
    agreement.choose("parties.born", &born(contract));
    ("cai.title".to_owned(), Body::Contract(agreement))
}

/// The clauses of a layout that stand, with tables and signatures.
pub(super) fn agreement(
    layout: &Layout,
    document: &Document,
    calendar: Vec<Row>,
    signatures: Vec<SignatureBox>,
) -> Agreement {
    let facts = document.facts();
    Agreement {
        identity: standing(&layout.identity, facts),
        parties: standing(&layout.parties, facts),
        articles: layout
            .article
            .iter()
            .map(|it| Article { key: it.key.clone(), clauses: standing(&it.clauses, facts) })
            .collect(),
        children: Vec::new(),
        calendar,
        signatures,
        certified: vec!["sign.cannot_sign".to_owned()],
        mentions: facts
            .contains("interpreter")
            .then(|| "sign.interpreter".to_owned())
            .into_iter()
            .collect(),
    }
}

/// A row of the planned calendar.
pub(super) fn calendar_row(
    document: &Document,
    rulebook: &Rulebook,
    sides: &[&Catalogue],
    step: &str,
    appointment: &Appointment,
    minutes: u32,
) -> Row {
    let values =
        |words: &&Catalogue| values::appointment(document, rulebook, words, appointment, minutes);
    Row { label: Some(format!("conv.{step}.title")), values: sides.iter().map(values).collect() }
}

/// The box of a natural person.
pub(super) fn party(
    field: &'static str,
    label: &'static str,
    sides: &[&Catalogue],
    name: impl Fn(&Catalogue) -> Value,
) -> SignatureBox {
    let values = sides.iter().map(|words| Values::from([("name", name(words))])).collect();
    SignatureBox { field, label, note: None, values }
}

/// The box of the prefect or of who signs by delegation.
pub(super) fn authority(authority: &Authority, sides: &[&Catalogue]) -> SignatureBox {
    SignatureBox {
        field: "authority",
        label: "sign.authority",
        note: authority.delegate.as_ref().map(|_| "sign.by_delegation"),
        values: sides.iter().map(|words| values::authority(authority, words)).collect(),
    }
}

/// The sentence about birth agrees with the person, and knows when no place is known.
fn born(contract: &Contract) -> String {
    let birth = &contract.applicant.birth;
    let known = birth.place.is_some() || birth.country.is_some();
    let key = if known { "parties.born" } else { "parties.born_no_place" };
    format!("{key}.{}", gender(contract.applicant.civility))
}

impl Agreement {
    /// Replaces a key that stands for several by the one that fits.
    fn choose(&mut self, key: &str, chosen: &str) {
        for clause in self.parties.iter_mut().filter(|it| *it == key) {
            chosen.clone_into(clause);
        }
    }
}

impl Contract {
    /// How long a step takes: the hours the law or the contract fixes, else the time spent there.
    fn minutes(&self, step: &str) -> u32 {
        let hours = match step {
            "life_in_france" => self.trainings.life_in_france.as_ref().map(|it| it.hours),
            "language_training" => self.trainings.language_training.as_ref().map(|it| it.hours),
            _ => None,
        };
        let spent = || {
            let appointments = self.appointments();
            let found = appointments.iter().find(|(_, it, _)| *it == step);
            found.map_or(0, |(_, _, it)| u32::try_from(it.minutes()).unwrap_or_default())
        };
        hours.map_or_else(spent, |hours| hours * 60)
    }
}
