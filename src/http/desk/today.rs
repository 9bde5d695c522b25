//! The day's appointments: who is expected at the office, what for, and what it has come to.

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::super::auth::Agent;
use super::super::documents::within;
use super::super::page;
use super::super::problem::Refusal;
use super::super::state::Service;
use super::form::today;
use crate::document::Kind;
use crate::store::{State as Stage, Visitor};

#[derive(Deserialize)]
pub(super) struct Asked {
    jour: Option<String>,
    direction: Option<String>,
}

#[derive(Serialize)]
struct Day<'a> {
    day: NaiveDate,
    words: String,
    before: Option<NaiveDate>,
    after: Option<NaiveDate>,
    is_today: bool,
    /// The offices to choose from, where there are several: name in data, as printed.
    offices: Vec<(&'a str, &'a str)>,
    office: String,
    visitors: Vec<Expected<'a>>,
    may_write: bool,
}

/// Somebody who is expected.
#[derive(Serialize)]
struct Expected<'a> {
    id: Uuid,
    time: String,
    name: String,
    about: String,
    dossier: String,
    language: &'a str,
    lang: &'a str,
    kind: String,
    state: Stage,
    /// Whether a family contract is to be signed.
    family: bool,
}

/// Who is expected on a day; today where none is asked for.
pub(super) async fn list(
    State(service): State<Service>,
    agent: Agent,
    Query(asked): Query<Asked>,
) -> Result<Response, Refusal> {
    let (caller, at) = (&agent.caller, service.at());
    let scope = caller.scope();
    let directorates = &service.rulebook().offices.directorates;
    let mut offices: Vec<_> = directorates.values().filter(|it| scope.allows(&it.id)).collect();
    offices.sort_by_key(|it| &it.name);
    let office = asked.direction.filter(|it| !it.is_empty());
    let own = office.as_ref().and_then(|it| directorates.get(it)).or(offices.first().copied());
    let today = today(&service, own, at);
    let day = asked.jour.and_then(|it| it.parse().ok()).unwrap_or(today);
    let scope = within(caller, office.clone());
    let visitors = caller.pipeline(&service).store.expected(&scope, day, at).await?;
    let values = Day {
        day,
        words: service.rulebook().french().full_date(day).plain(),
        before: day.pred_opt(),
        after: day.succ_opt(),
        is_today: day == today,
        offices: offices.iter().map(|it| (it.id.as_str(), it.name.as_str())).collect(),
        office: office.unwrap_or_default(),
        visitors: visitors.into_iter().filter_map(|it| expected(&service, it)).collect(),
        may_write: caller.may_write().is_ok(),
    };
    Ok(page::desk(&service, "desk/today.html.j2", Some(&agent.csrf), values)?.into_response())
}

fn expected(service: &Service, visitor: Visitor) -> Option<Expected<'_>> {
    let data: Value = serde_json::from_slice(&visitor.data).ok()?;
    let record = visitor.document.record?;
    let catalogue = service.rulebook().catalogues.get(&record.language)?;
    let french = service.rulebook().french();
    let about = match &record.step {
        Some(step) => french.message(&format!("step.{step}")).source(),
        None => "signature du contrat".to_owned(),
    };
    Some(Expected {
        id: visitor.document.id,
        time: visitor.time.map(|it| it.format("%H:%M").to_string()).unwrap_or_default(),
        name: name(&data),
        about,
        dossier: record.dossier,
        language: &catalogue.name,
        lang: &catalogue.lang,
        family: data.get("family_contract") == Some(&Value::Bool(true))
            || record.kind == Kind::Caif.name(),
        kind: record.kind,
        state: visitor.document.state,
    })
}

/// The family name first, as lists have it.
fn name(data: &Value) -> String {
    let parents = data.get("parents").and_then(Value::as_array);
    let people = data.get("applicant").into_iter().chain(parents.into_iter().flatten());
    let one = |person: &Value| {
        let names = ["family_name", "given_names"].map(|it| person.get(it).and_then(Value::as_str));
        names.into_iter().flatten().collect::<Vec<_>>().join(" ")
    };
    people.map(one).collect::<Vec<_>>().join(", ")
}
