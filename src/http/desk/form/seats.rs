//! Trainings are chosen from the courses of centres near the person. A course fills the appointment; its seat is taken
//! with the document, in one transaction, so that two agents never have the last one.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;
use serde_json::{Value, json};

use super::typed::resolve;
use crate::document::{Department, Kind, Rulebook};
use crate::http::auth::Caller;
use crate::http::problem::Refusal;
use crate::http::state::Service;
use crate::store::{Course, CourseFilter};

/// How many centres are proposed, and how many courses of each.
const CENTRES: usize = 5;
const COURSES: usize = 4;

/// An appointment's course, and those it may be chosen from.
#[derive(Debug, Serialize)]
pub(super) struct Seats {
    at: String,
    chosen: Option<Offer>,
    /// Whether the courses are shown.
    open: bool,
    offers: Vec<Offer>,
    /// The department that they are near.
    near: String,
}

/// A course as it is proposed.
#[derive(Debug, Serialize)]
struct Offer {
    id: String,
    centre: String,
    town: String,
    kilometres: u32,
    when: Vec<String>,
    left: u32,
}

impl Seats {
    pub(super) fn at(&self) -> &str {
        &self.at
    }

    pub(super) fn is_open(&self) -> bool {
        self.open || self.chosen.is_some()
    }
}

/// The courses that were chosen, by the pointer of the appointment that each fills.
pub(super) type Chosen = BTreeMap<String, Course>;

/// Finds the courses that a form names; one that is there no more, or of another step, is dropped.
pub(super) async fn chosen(
    service: &Service,
    caller: &Caller,
    kind: Kind,
    value: &Value,
    named: &BTreeMap<String, String>,
) -> Result<Chosen, Refusal> {
    let store = &caller.pipeline(service).store;
    let mut chosen = Chosen::new();
    for (at, step) in trainings(service.rulebook(), kind, value) {
        let Some(id) = named.get(&at).filter(|it| !it.is_empty()) else { continue };
        if let Some(course) = store.course(id).await?.filter(|it| it.step == step) {
            chosen.insert(at, course);
        }
    }
    Ok(chosen)
}

/// Puts the courses' dates and places into the data.
pub(super) fn fill(value: &mut Value, chosen: &Chosen) {
    for (at, course) in chosen {
        let mut place = &mut *value;
        for name in at.split('/').skip(1) {
            if !place.is_object() {
                *place = json!({});
            }
            place = &mut place[name];
        }
        *place = appointment(course);
    }
}

/// A course's appointment, which is at its centre unless it says otherwise.
pub(super) fn appointment(course: &Course) -> Value {
    let mut appointment = course.appointment.clone();
    if appointment.is_object() && appointment.get("place").is_none() {
        appointment["place"] = json!({ "centre": course.centre });
    }
    appointment
}

/// What each training of a document may be chosen from; the courses of `open` alone are looked up.
pub(super) async fn seats(
    service: &Service,
    caller: &Caller,
    kind: Kind,
    value: &Value,
    chosen: &Chosen,
    open: Option<&str>,
) -> Result<Vec<Seats>, Refusal> {
    let rulebook = service.rulebook();
    let from = department(rulebook, value);
    let mut all = Vec::new();
    for (at, step) in trainings(rulebook, kind, value) {
        let open = open == Some(at.as_str());
        let mut offers = Vec::new();
        if let Some(from) = from.filter(|_| open) {
            let first = value.pointer("/signing/date").and_then(|it| it.as_str()?.parse().ok());
            let first = first.unwrap_or_else(|| service.at().date_naive());
            offers = self::offers(service, caller, from, &step, first).await?;
        }
        let course = chosen.get(&at).map(|it| Offer::new(rulebook, it, 0.0));
        let near = from.map(|it| it.name.clone()).unwrap_or_default();
        all.push(Seats { at, chosen: course, open, offers, near });
    }
    Ok(all)
}

async fn offers(
    service: &Service,
    caller: &Caller,
    from: &Department,
    step: &str,
    signed: NaiveDate,
) -> Result<Vec<Offer>, Refusal> {
    let (rulebook, store) = (service.rulebook(), &caller.pipeline(service).store);
    let mut offers = Vec::new();
    for (centre, kilometres) in rulebook.offices.nearest(from, Some(step)).into_iter().take(CENTRES)
    {
        let filter = CourseFilter {
            step: Some(step.to_owned()),
            centre: Some(centre.id.clone()),
            from: signed.succ_opt(),
            free: true,
        };
        let courses = store.courses(&filter).await?;
        let courses = courses.iter().take(COURSES);
        offers.extend(courses.map(|it| Offer::new(rulebook, it, kilometres)));
    }
    Ok(offers)
}

impl Offer {
    fn new(rulebook: &Rulebook, course: &Course, kilometres: f64) -> Self {
        let centre = rulebook.offices.centres.get(&course.centre);
        Self {
            id: course.id.clone(),
            centre: centre.map_or_else(|| course.centre.clone(), |it| it.name.clone()),
            town: centre.map(|it| it.town.clone()).unwrap_or_default(),
            kilometres: kilometres.round() as u32,
            when: rulebook.french().when_of(&course.appointment),
            left: course.seats.saturating_sub(course.taken),
        }
    }
}

/// Where the person lives, or else the office stands.
fn department<'a>(rulebook: &'a Rulebook, value: &Value) -> Option<&'a Department> {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    let postcode = text("/applicant/address/postcode").or(text("/parents/0/address/postcode"));
    let office = text("/office").and_then(|it| rulebook.offices.directorates.get(it));
    let own = || office.and_then(|it| it.department(&rulebook.departments));
    postcode.and_then(|it| rulebook.departments.of_postcode(it)).or_else(own)
}

/// The appointments of a kind that are trainings of centres: pointer and step.
pub(super) fn trainings(rulebook: &Rulebook, kind: Kind, value: &Value) -> Vec<(String, String)> {
    let schema = rulebook.schemas.get(kind);
    let mut found = Vec::new();
    collect(schema, schema, "", &mut found);
    let step = |at: String| {
        let mut names = at.rsplit('/').filter(|it| *it != "appointment" && !it.is_empty());
        let own = value.get("step").and_then(Value::as_str);
        let step = names.next().or(own)?.to_owned();
        let given = rulebook.offices.centres.values().any(|it| it.trainings.contains(&step));
        given.then_some((at, step))
    };
    found.into_iter().filter_map(step).collect()
}

fn collect(root: &Value, schema: &Value, at: &str, found: &mut Vec<String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let at = format!("{at}/{name}");
        match resolve(root, property) {
            ("Appointment", _) => found.push(at),
            (_, inner) => collect(root, inner, &at, found),
        }
    }
}
