//! The convocations that follow from a contract: one for each training whose dates it fixes.
//!
//! A completed contract is mailed together with them, so they are made from its data alone. What comes
//! out is the wire form of a letter, for [`Document::check`] like any other.

use chrono::NaiveDate;
use serde_json::{Map, Value, json};

use super::Document;
use super::input::Input;
use super::rulebook::Rulebook;

/// The longest number a document may have.
const LONGEST_REFERENCE: usize = 40;

/// The inputs of the convocations for the trainings that a contract fixes after `today`, in the order
/// of the journey; none for a letter.
///
/// Each is numbered after its contract: `CAI-7.1`, `CAI-7.2` …
pub(super) fn convocations(document: &Document, rulebook: &Rulebook) -> Vec<Value> {
    let value = &document.value;
    let appointments = document.input.appointments();
    let to_come = |first: Option<NaiveDate>| first.is_some_and(|it| it > document.today);
    let planned = appointments.iter().filter(|(pointer, _, it)| {
        !pointer.starts_with("/visits/") && to_come(it.first().map(|it| it.date.0))
    });
    let persons = persons(document);
    let mut letters = Vec::new();
    for (pointer, step, _) in planned {
        for person in &persons {
            let mut letter = head(document, rulebook, letters.len() + 1);
            letter.insert("step".into(), (*step).into());
            letter.insert("applicant".into(), (*person).clone());
            let appointment = value.pointer(pointer).cloned().unwrap_or_default();
            letter.insert("appointment".into(), appointment);
            if let Some(representative) = value.get("representative") {
                letter.insert("representative".into(), representative.clone());
            }
            if *step == "language_training" {
                let hours = value.pointer("/trainings/language_training/hours");
                letter.insert("course_hours".into(), hours.cloned().unwrap_or_default());
            }
            if persons.len() > 1 {
                letter.insert("family_contract".into(), true.into());
            }
            letters.push(Value::Object(letter));
        }
    }
    letters
}

/// Who is convened: the applicant, or each parent, without what only a contract asks of a parent.
fn persons(document: &Document) -> Vec<Value> {
    let value = &document.value;
    match &document.input {
        Input::Contract(_) => value.get("applicant").cloned().into_iter().collect(),
        Input::Family(_) => {
            let parents = value["parents"].as_array().cloned().unwrap_or_default();
            let person = |mut parent: Value| {
                if let Some(fields) = parent.as_object_mut() {
                    fields.remove("contract");
                    fields.remove("exemption");
                }
                parent
            };
            parents.into_iter().map(person).collect()
        }
        Input::Convocation(_) => Vec::new(),
    }
}

/// What all letters of a contract say alike. The person knows the dates since the signature, so the
/// notice that a letter by post needs is waived, by whoever signs for the State.
fn head(document: &Document, rulebook: &Rulebook, number: usize) -> Map<String, Value> {
    let value = &document.value;
    let delegate = value.pointer("/authority/delegate");
    let sender = match delegate {
        Some(it) => json!({ "name": it["name"], "capacity": it["capacity"] }),
        None => json!({ "name": document.office(rulebook).name, "capacity": "OFII" }),
    };
    let mut accepted = value["accepted"].as_array().cloned().unwrap_or_default();
    let reason = &document.regime(rulebook).practice.planned_reason;
    accepted.push(json!({
        "code": "appointment.short_notice",
        "reason": reason,
        "by": sender["name"],
    }));
    let mut letter = Map::new();
    for field in ["regime", "dossier", "language", "office"] {
        letter.insert(field.into(), value[field].clone());
    }
    letter.insert("kind".into(), "convocation".into());
    letter.insert("notice".into(), "first".into());
    letter.insert("reference".into(), reference(document.reference(), number).into());
    letter.insert("sender".into(), sender);
    letter.insert("accepted".into(), accepted.into());
    letter
}

/// The contract's number with a point and a count; of a number too long for that, the end, where
/// numbers differ.
fn reference(contract: &str, number: usize) -> String {
    let suffix = format!(".{number}");
    let start = (contract.len() + suffix.len()).saturating_sub(LONGEST_REFERENCE);
    let kept = contract[start..].trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    format!("{kept}{suffix}")
}
