//! The family contract: both parents, their children, the training they follow together.

use super::contract::{agreement, authority, calendar_row, party};
use super::values::{full_name, person};
use super::{Body, Row};
use crate::document::Document;
use crate::document::catalogue::Catalogue;
use crate::document::input::Family;
use crate::document::person::Child;
use crate::document::phrase::{Phrase, Value, Values};
use crate::document::rulebook::Rulebook;

pub(super) fn compose(
    document: &Document,
    family: &Family,
    rulebook: &Rulebook,
    sides: &[&Catalogue],
) -> (String, Body) {
    let training = &family.parents_training;
    let minutes = u32::try_from(training.minutes()).unwrap_or_default();
    let calendar =
        vec![calendar_row(document, rulebook, sides, "parents_training", training, minutes)];
    let boxes = [("parent1", "sign.parent1"), ("parent2", "sign.parent2")];
    let mut signatures: Vec<_> = family
        .parents
        .iter()
        .zip(boxes)
        .filter(|(parent, _)| parent.exemption.is_none())
        .map(|(parent, (field, label))| {
            let it = &parent.person;
            party(field, label, sides, |words| person(words, it.civility, &it.full_name()).into())
        })
        .collect();
    signatures.push(authority(&family.authority, sides));
    let layout = &document.regime(rulebook).caif;
    let mut agreement = agreement(layout, document, calendar, signatures);
    agreement.children = family.children.iter().map(|child| row(child, sides)).collect();
    ("caif.title".to_owned(), Body::Family(agreement))
}

/// A row of the table of children.
fn row(child: &Child, sides: &[&Catalogue]) -> Row {
    let name = full_name(&child.given_names, &child.family_name);
    let values = |words: &&Catalogue| {
        let school = match &child.school {
            Some(school) => Value::raw(school),
            None => Phrase::text("—").into(),
        };
        Values::from([
            ("name", Value::raw(&name)),
            ("birth_date", words.partial_date(child.birth.date).into()),
            ("school", school),
        ])
    };
    Row { label: None, values: sides.iter().map(values).collect() }
}
