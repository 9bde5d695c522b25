//! What a form begins with: nothing but the day and the office; the person of a letter; or the data of the document
//! that the new one takes the place of.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::draft::{Draft, kind};
use crate::document::{Directorate, Kind};
use crate::http::appointments;
use crate::http::auth::Caller;
use crate::http::problem::Refusal;
use crate::http::state::Service;

/// The longest number a document may have.
const LONGEST_REFERENCE: usize = 40;

/// A form for a new document of a kind.
pub(super) fn blank(service: &Service, caller: &Caller, kind: Kind) -> Draft {
    let mut offices = service.rulebook().offices.directorates.values();
    let office = match &caller.offices {
        Some(own) => offices.find(|it| own.contains(&it.id)),
        None => None,
    };
    let mut value = json!({});
    if let Some(office) = office {
        value["office"] = json!(office.id);
    }
    begin(service, kind, &mut value);
    Draft::new(service, kind, value)
}

/// A form for a new document about the person of another one, such as a contract after its convocation.
pub(super) async fn about(
    service: &Service,
    caller: &Caller,
    kind: Kind,
    id: Uuid,
) -> Result<Draft, Refusal> {
    let data = data(service, caller, id).await?;
    let mut value = json!({});
    for field in ["dossier", "language", "office", "regime"] {
        if let Some(it) = data.get(field) {
            value[field] = it.clone();
        }
    }
    let person = data.get("applicant").or_else(|| data.get("parents")?.get(0));
    if let Some(person) = person {
        let mut person = person.clone();
        if let Some(person) = person.as_object_mut() {
            person.retain(|name, _| name != "contract" && name != "exemption");
        }
        match kind {
            Kind::Caif => value["parents"] = json!([person]),
            Kind::Cai | Kind::Convocation => value["applicant"] = person,
        }
    }
    if let Some(it) = data.get("representative").filter(|_| kind != Kind::Caif) {
        value["representative"] = it.clone();
    }
    begin(service, kind, &mut value);
    Ok(Draft::new(service, kind, value))
}

/// A form for the document that takes the place of another one: a corrected contract, a new date of an appointment.
pub(super) async fn instead(
    service: &Service,
    caller: &Caller,
    id: Uuid,
) -> Result<Draft, Refusal> {
    let mut data = data(service, caller, id).await?;
    let old = data.get("reference").and_then(Value::as_str).unwrap_or_default().to_owned();
    let name = data.get("kind").and_then(Value::as_str).unwrap_or_default();
    let kind = kind(name).ok_or_else(Refusal::ours)?;
    if kind == Kind::Convocation {
        let letter = appointments::letter(service, caller, id, "moved", next(&old)).await?;
        return Ok(Draft::new(service, kind, Value::Object(letter)));
    }
    let signed = data.get("signing").and_then(|it| it.get("date")).cloned();
    data.insert("replaces".to_owned(), json!({ "reference": old, "date": signed }));
    data.insert("reference".to_owned(), json!(next(&old)));
    let mut draft = Draft::new(service, kind, Value::Object(data));
    // The seats that the old one holds go over to the new one.
    for course in caller.pipeline(service).store.seats_of(&id.to_string()).await? {
        let filled = super::seats::appointment(&course);
        let at = super::seats::trainings(service.rulebook(), kind, &draft.value)
            .into_iter()
            .find(|(at, step)| *step == course.step && draft.value.pointer(at) == Some(&filled));
        draft.chosen.extend(at.map(|(at, _)| (at, course)));
    }
    Ok(draft)
}

/// The day and the place of a contract that is signed today, where they are not known.
fn begin(service: &Service, kind: Kind, value: &mut Value) {
    let office = value.get("office").and_then(Value::as_str);
    let office = office.and_then(|it| service.rulebook().offices.directorates.get(it));
    let today = today(service, office, service.at());
    match kind {
        Kind::Cai | Kind::Caif => {
            let city = office.map_or("", |it| it.city.as_str());
            if let Some(authority) = office.and_then(|it| it.authority.as_ref()) {
                value["authority"] = authority.clone();
            }
            value["signing"] = json!({ "date": today, "city": city });
            if kind == Kind::Cai {
                value["assessment"] = json!({ "date": today });
            }
        }
        Kind::Convocation => value["notice"] = json!("first"),
    }
    let dossier = value.get("dossier").and_then(Value::as_str);
    if let Some(reference) = dossier.and_then(|it| reference(kind, it)) {
        value["reference"] = json!(reference);
    }
}

/// The day it is at an office; in Paris where that is unknown.
pub(in crate::http::desk) fn today(
    service: &Service,
    office: Option<&Directorate>,
    at: DateTime<Utc>,
) -> NaiveDate {
    let zone = office.map(|it| it.time_zone(&service.rulebook().departments));
    at.with_timezone(&zone.unwrap_or(chrono_tz::Europe::Paris)).date_naive()
}

async fn data(service: &Service, caller: &Caller, id: Uuid) -> Result<Map<String, Value>, Refusal> {
    let store = &caller.pipeline(service).store;
    let data = store.data(&caller.scope(), id, service.at()).await?;
    match serde_json::from_slice(&data) {
        Ok(Value::Object(data)) => Ok(data),
        _ => Err(Refusal::ours()),
    }
}

/// A number for the first document of a kind in a dossier, where the dossier's makes one.
fn reference(kind: Kind, dossier: &str) -> Option<String> {
    let start = match kind {
        Kind::Cai => "CAI",
        Kind::Caif => "CAIF",
        Kind::Convocation => "CV",
    };
    let fits = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '_' | '-');
    let reference = format!("{start}-{dossier}");
    (dossier.chars().all(fits) && reference.len() <= LONGEST_REFERENCE).then_some(reference)
}

/// The number after a document's: `CAI-7`, `CAI-7-2`, `CAI-7-3` …
fn next(reference: &str) -> String {
    let counted = reference.rsplit_once('-').and_then(|(start, count)| {
        let count = count.parse::<u32>().ok().filter(|it| (2..10).contains(it) && count.len() == 1);
        count.map(|it| format!("{start}-{}", it + 1))
    });
    let next = counted.unwrap_or_else(|| format!("{reference}-2"));
    if next.len() <= LONGEST_REFERENCE { next } else { String::new() }
}
