//! `/v1/offices`, `/v1/centres`, `/v1/languages`, `/v1/schemas`, `/v1/courses`: what inputs are made of.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::auth::Caller;
use super::extract::{Asked, Key, Sent};
use super::problem::Refusal;
use super::state::Service;
use crate::document::{Direction, Kind, Status};
use crate::store::{Course, CourseFilter};

/// An office that issues documents.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct OfficeItem {
    /// Its name in data.
    id: String,
    /// As printed.
    name: String,
    /// Where letters are dated from.
    city: String,
    /// The departments it is competent for.
    departments: Vec<String>,
    /// Its rooms: name in data, as printed, how many people.
    rooms: Vec<(String, String, u32)>,
}

/// The offices that the caller may see.
pub(super) async fn offices(
    State(service): State<Service>,
    caller: Caller,
) -> Json<Vec<OfficeItem>> {
    let scope = caller.scope();
    let all = service.rulebook().offices.directorates.values();
    let items = all.filter(|it| scope.allows(&it.id)).map(|it| OfficeItem {
        id: it.id.clone(),
        name: it.name.clone(),
        city: it.city.clone(),
        departments: it.departments.clone(),
        rooms: it.rooms.iter().map(|it| (it.id.clone(), it.name.clone(), it.capacity)).collect(),
    });
    Json(items.collect())
}

/// Near what, for what.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Near {
    /// A postcode.
    #[schemars(regex(pattern = "^[0-9AB]{5}$"))]
    near: String,
    /// The training, such as `civic_training`.
    step: Option<String>,
}

/// A training centre and its distance.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CentreItem {
    /// Its name in data.
    id: String,
    /// As printed.
    name: String,
    /// Street lines, postcode, town.
    address: Vec<String>,
    /// The trainings it gives.
    trainings: Vec<String>,
    /// From the main town of the postcode's department, along a great circle.
    kilometres: u32,
}

/// The centres near a postcode, the nearest first.
pub(super) async fn centres(
    State(service): State<Service>,
    _caller: Caller,
    Asked(near): Asked<Near>,
) -> Result<Json<Vec<CentreItem>>, Refusal> {
    const MOST: usize = 20;
    let rulebook = service.rulebook();
    let from = rulebook.departments.of_postcode(&near.near).ok_or_else(|| {
        let detail = "near is the postcode of a French department";
        Refusal::new(StatusCode::BAD_REQUEST, "parameters", detail)
    })?;
    let found = rulebook.offices.nearest(from, near.step.as_deref()).into_iter().take(MOST);
    let items = found.map(|(it, kilometres)| CentreItem {
        id: it.id.clone(),
        name: it.name.clone(),
        address: it
            .address
            .iter()
            .cloned()
            .chain([format!("{} {}", it.postcode, it.town)])
            .collect(),
        trainings: it.trainings.clone(),
        kilometres: kilometres.round() as u32,
    });
    Ok(Json(items.collect()))
}

/// A language that documents can be in beside French.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct LanguageItem {
    /// BCP 47.
    tag: String,
    /// Its own name for itself.
    name: String,
    /// Its French name.
    french_name: String,
    /// `ltr` or `rtl`.
    direction: &'static str,
    /// Whether a person who knows the language has reviewed the sentences.
    reviewed: bool,
}

/// The languages.
pub(super) async fn languages(
    State(service): State<Service>,
    _caller: Caller,
) -> Json<Vec<LanguageItem>> {
    let all = service.rulebook().catalogues.values();
    let items = all.map(|it| LanguageItem {
        tag: it.tag.clone(),
        name: it.name.clone(),
        french_name: it.french_name.clone(),
        direction: if it.direction == Direction::Rtl { "rtl" } else { "ltr" },
        reviewed: it.review.status == Status::Reviewed,
    });
    Json(items.collect())
}

/// A kind of document.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct WantedKind {
    /// `cai`, `caif` or `convocation`.
    kind: String,
}

/// The JSON Schema of a kind's input.
pub(super) async fn schema(
    State(service): State<Service>,
    _caller: Caller,
    Path(wanted): Path<WantedKind>,
) -> Result<Json<Value>, Refusal> {
    let kind = Kind::ALL.into_iter().find(|it| it.name() == wanted.kind);
    let kind = kind.ok_or_else(Refusal::not_found)?;
    Ok(Json(service.rulebook().schemas.get(kind).clone()))
}

/// Which courses are listed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedCourses {
    /// The step, such as `civic_training`.
    step: Option<String>,
    /// The centre.
    centre: Option<String>,
    /// Begins on this day or later.
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    from: Option<NaiveDate>,
    /// Only with a seat left.
    #[serde(default)]
    free: bool,
}

/// A course to add or change.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct NewCourse {
    /// Its name with the centre.
    #[schemars(length(min = 1, max = 80))]
    id: String,
    /// The centre.
    centre: String,
    /// The step.
    step: String,
    /// Its first day.
    #[schemars(with = "String", extend("format" = "date"))]
    starts_on: NaiveDate,
    /// Its appointment, as a letter's data has it.
    appointment: serde_json::Map<String, Value>,
    /// How many it takes.
    #[schemars(range(min = 1, max = 10_000))]
    seats: u32,
}

/// Courses to add or change.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct NewCourses {
    /// The courses.
    #[schemars(length(min = 1, max = 1_000))]
    courses: Vec<NewCourse>,
}

/// Courses of centres.
pub(super) async fn courses(
    State(service): State<Service>,
    caller: Caller,
    Asked(wanted): Asked<WantedCourses>,
) -> Result<Json<Vec<Course>>, Refusal> {
    let WantedCourses { step, centre, from, free } = wanted;
    let filter = CourseFilter { step, centre, from, free };
    Ok(Json(caller.pipeline(&service).store.courses(&filter).await?))
}

/// Adds courses, or changes the ones that are there.
pub(super) async fn put_courses(
    State(service): State<Service>,
    caller: Caller,
    _: Key,
    Sent(new): Sent<NewCourses>,
) -> Result<StatusCode, Refusal> {
    caller.may_decide()?;
    let centres = &service.rulebook().offices.centres;
    if let Some(it) = new.courses.iter().find(|it| !centres.contains_key(&it.centre)) {
        let detail = format!("the centre of course {} is unknown: see /v1/centres", it.id);
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "centre", detail));
    }
    let courses = new.courses.into_iter().map(|it| Course {
        id: it.id,
        centre: it.centre,
        step: it.step,
        starts_on: it.starts_on,
        appointment: Value::Object(it.appointment),
        seats: it.seats,
        taken: 0,
    });
    caller.pipeline(&service).store.put_courses(courses.collect()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A course.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct WantedCourse {
    /// Its name with the centre.
    id: String,
}

/// Who takes a seat.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Holder {
    /// An opaque id, such as a document's; no name.
    #[schemars(length(min = 1, max = 80))]
    holder: String,
}

/// Takes a seat: 204, or 409 when none is left.
pub(super) async fn take_seat(
    State(service): State<Service>,
    caller: Caller,
    Path(course): Path<WantedCourse>,
    _: Key,
    Sent(holder): Sent<Holder>,
) -> Result<StatusCode, Refusal> {
    caller.may_write()?;
    let (scope, at) = (caller.scope(), service.at());
    let store = &caller.pipeline(&service).store;
    match store.take_seat(&scope, &course.id, &holder.holder, at).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Refusal::new(StatusCode::CONFLICT, "full", "no seat is left in this course")),
    }
}
