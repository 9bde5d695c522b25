//! What a field may be chosen from, in French, each language by its own name.

use serde::Serialize;
use serde_json::Value;

use super::fields::Maker;
use crate::document::{FRENCH, STATELESS};
use crate::merge::rows::columns::fold;

/// One choice.
#[derive(Debug, Serialize)]
pub(super) struct Choice {
    /// Its name in data.
    value: String,
    label: String,
    /// The language that the label is in, where it is not French.
    lang: String,
}

/// The choices of a field of a type; none where anything may be typed.
pub(super) fn choices(
    maker: &Maker<'_>,
    (definition, name): (&str, &str),
    schema: &Value,
) -> Option<Vec<Choice>> {
    let named = maker.wording.choices(definition, name);
    let listed = schema["enum"].as_array();
    let values: Vec<&str> = match (listed, named) {
        (Some(listed), _) => listed.iter().filter_map(Value::as_str).collect(),
        (None, Some(named)) => named.keys().map(String::as_str).collect(),
        (None, None) => return None,
    };
    let french = maker.rulebook.catalogue(FRENCH);
    let offices = &maker.rulebook.offices;
    let choice = |value: &str| {
        let label = match name {
            "language" => {
                let catalogue = maker.rulebook.catalogue(value);
                let label = format!("{} ({})", catalogue.name, catalogue.french_name);
                return Choice { value: value.into(), label, lang: catalogue.lang.clone() };
            }
            "office" => offices.directorates.get(value).map(|it| it.name.clone()),
            "centre" => offices.centres.get(value).map(|it| format!("{} ({})", it.name, it.town)),
            "country" | "nationality" if value == STATELESS => Some("Apatride".to_owned()),
            "country" | "nationality" => {
                maker.rulebook.countries.get(FRENCH).and_then(|it| it.get(value)).cloned()
            }
            "step" | "category" => {
                Some(french.message(&format!("{name}.{value}")).source()).map(|it| capital(&it))
            }
            _ => named.and_then(|it| it.get(value)).cloned(),
        };
        let label = label.unwrap_or_else(|| value.to_owned());
        Choice { value: value.to_owned(), label, lang: String::new() }
    };
    let allowed = |it: &&&str| name != "office" || maker.scope.allows(it);
    let mut choices: Vec<_> = values.iter().filter(allowed).map(|it| choice(it)).collect();
    match name {
        "language" => choices.sort_by_key(|it| {
            let french = it.label.split_once('(').map_or(&*it.label, |it| it.1);
            fold(french)
        }),
        "office" | "centre" | "country" | "nationality" => {
            choices.sort_by_key(|it| fold(&it.label))
        }
        _ => {}
    }
    Some(choices)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|it| it.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}
