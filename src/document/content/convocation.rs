//! A letter: the facts a hurried reader finds first, what to bring, and the rest.

use chrono::Timelike;

use super::values::gender;
use super::{Body, Fact, Item, Letter, LetterSection};
use crate::document::Document;
use crate::document::appointment::Appointment;
use crate::document::input::Convocation;
use crate::document::place::Site;
use crate::document::regime::{Clause, Notice, Regime, standing};
use crate::document::rulebook::Rulebook;

pub(super) fn compose(
    document: &Document,
    letter: &Convocation,
    rulebook: &Rulebook,
) -> (String, Body) {
    let regime = document.regime(rulebook);
    let (step, notice) = (regime.step(&letter.step), regime.notice(&letter.notice));
    let facts = document.facts();
    let site = Site::of(&letter.appointment, document.office(rulebook), rulebook);
    let coming = |clauses: &[Clause]| match notice.appointment {
        true => items(&standing(clauses, facts), regime),
        false => Vec::new(),
    };
    let body = Letter {
        recipient: document.recipient(),
        intro: standing(&notice.intro, facts),
        facts: if notice.appointment {
            key_facts(&letter.appointment, site.access().is_some())
        } else {
            Vec::new()
        },
        bring: coming(&step.bring),
        bring_if: coming(&step.bring_if),
        sections: sections(document, regime, notice, &standing(&step.what, facts)),
        closing: format!("conv.closing.{}", gender(letter.applicant.civility)),
        privacy: "conv.data",
    };
    (notice.title.clone(), Body::Convocation(body))
}

/// The sections of a notice; those about coming only where there is something to come to.
fn sections(
    document: &Document,
    regime: &Regime,
    notice: &Notice,
    what: &[String],
) -> Vec<LetterSection> {
    regime
        .section
        .iter()
        .filter(|_| notice.appointment)
        .map(|section| LetterSection {
            title: section.title.clone(),
            clauses: if section.id == "what" {
                what.to_vec()
            } else {
                standing(&section.clauses, document.facts())
            },
        })
        .collect()
}

/// The key box: date, time and duration of one session, or the lines of a series; then the place.
fn key_facts(appointment: &Appointment, access: bool) -> Vec<Fact> {
    let fact = |icon, label, value| Fact {
        icon,
        label,
        value,
        large: false,
        wide: false,
        notes: Vec::new(),
    };
    let mut facts = match (appointment.sessions.as_slice(), &appointment.weekly) {
        ([session], None) => {
            let half = if session.start.0.hour() < 12 {
                "fact.time.morning"
            } else {
                "fact.time.afternoon"
            };
            vec![
                fact("calendar-event", "fact.date", "date"),
                Fact { large: true, ..fact("clock", half, "time") },
                fact("hourglass", "fact.duration", "duration"),
            ]
        }
        _ => vec![Fact { wide: true, large: true, ..fact("calendar-event", "fact.dates", "when") }],
    };
    let notes = if access { vec!["conv.access", "conv.early"] } else { vec!["conv.early"] };
    facts.push(Fact { wide: true, notes, ..fact("map-pin", "fact.place", "place") });
    facts
}

fn items(keys: &[String], regime: &Regime) -> Vec<Item> {
    keys.iter()
        .map(|key| Item {
            icon: regime.icons.get(key).cloned().unwrap_or_default(),
            clause: format!("bring.{key}"),
        })
        .collect()
}
