//! A letter: the facts a hurried reader finds first, what to bring, and the rest.

use chrono::Timelike;

use super::values::gender;
use super::{Body, Fact, Item, Letter, LetterSection};
use crate::document::Document;
use crate::document::appointment::Appointment;
use crate::document::catalogue::Catalogue;
use crate::document::input::Convocation;
use crate::document::place::Site;
use crate::document::regime::{Clause, Notice, Regime, standing};
use crate::document::rulebook::Rulebook;

pub(super) fn compose(
    document: &Document,
    letter: &Convocation,
    rulebook: &Rulebook,
    sides: &[&Catalogue],
) -> (String, Body) {
    let regime = document.regime(rulebook);
    let (step, notice) = (regime.step(&letter.step), regime.notice(&letter.notice));
    let facts = document.facts();
    let site = Site::of(&letter.appointment, document.office(rulebook), rulebook);
    let coming = |clauses: &[Clause]| match notice.appointment {
        true => items(&standing(clauses, facts), regime),
        false => Vec::new(),
    };
    let (bring, bring_if) = (coming(&step.bring), coming(&step.bring_if));
    let sections = sections(document, regime, notice, &standing(&step.what, facts));
    let body = Letter {
        recipient: document.recipient(),
        intro: standing(&notice.intro, facts),
        facts: if notice.appointment {
            key_facts(&letter.appointment, site.access().is_some())
        } else {
            Vec::new()
        },
        beside: sides.iter().map(|words| beside(words, &[&bring, &bring_if], &sections)).collect(),
        bring,
        bring_if,
        sections,
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

/// How many sections to set beside the lists so that the longer of the two columns is shortest.
///
/// Heights are counted in lines of text: a list is narrow and its items as high as their pictogram,
/// the column beside it is wide. An estimate will do: nothing is cut, whatever it says.
fn beside(words: &Catalogue, lists: &[&[Item]], sections: &[LetterSection]) -> usize {
    const HEADING: f64 = 1.8;
    const ITEM: (f64, f64) = (0.5, 1.7); // above it; at least
    const CHARACTERS: (usize, usize, usize) = (30, 36, 60); // of a line: list, narrow, wide column
    let item = |it: &Item| ITEM.0 + lines(words, [&it.clause], CHARACTERS.0).max(ITEM.1);
    let list = |items: &&[Item]| HEADING + items.iter().map(item).sum::<f64>();
    let above: f64 = lists.iter().filter(|items| !items.is_empty()).map(list).sum();
    let height = |sections: &[LetterSection], width: usize| -> f64 {
        sections.iter().map(|it| HEADING + lines(words, &it.clauses, width)).sum()
    };
    let longer = |split: usize| {
        let (beside, below) = sections.split_at(split);
        (above + height(below, CHARACTERS.1)).max(height(beside, CHARACTERS.2))
    };
    let splits = 0..=sections.len();
    splits.min_by(|a, b| longer(*a).total_cmp(&longer(*b))).unwrap_or_default()
}

/// About how many lines sentences take in a column of so many characters, one at least for each.
fn lines<'a>(words: &Catalogue, keys: impl IntoIterator<Item = &'a String>, width: usize) -> f64 {
    const VALUE: usize = 12; // characters of a value, more or less
    let count = |key: &String| {
        let message = words.message(key);
        let length = message.text().chars().count() + VALUE * message.names().len();
        length.div_ceil(width) as f64
    };
    keys.into_iter().map(count).sum()
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
