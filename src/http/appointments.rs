//! `/v1/appointments/{id}`: an appointment is moved or cancelled by the letter that takes the place of its letter.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::auth::Caller;
use super::documents::put;
use super::extract::{Id, Key, Sent};
use super::problem::Refusal;
use super::state::Service;
use crate::document::follow_up;

/// Where an appointment moves to.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Move {
    /// The new letter's number.
    reference: String,
    /// The new appointment, as in a letter's data.
    appointment: Map<String, Value>,
    /// Rules of practice to set aside, as in a letter's data.
    accepted: Option<Vec<Map<String, Value>>>,
}

/// That an appointment will not take place.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Cancel {
    /// The new letter's number.
    reference: String,
}

/// Moves an appointment.
pub(super) async fn moves(
    State(service): State<Service>,
    caller: Caller,
    Id(id): Id,
    Key(key): Key,
    Sent(to): Sent<Move>,
) -> Result<Response, Refusal> {
    caller.may_write()?;
    let mut letter = letter(&service, &caller, id, "moved", to.reference).await?;
    letter.insert("appointment".to_owned(), Value::Object(to.appointment));
    if let Some(accepted) = to.accepted {
        letter.insert("accepted".to_owned(), json!(accepted));
    }
    put(&service, &caller, key, Value::Object(letter).to_string().into_bytes()).await
}

/// Cancels an appointment.
pub(super) async fn cancel(
    State(service): State<Service>,
    caller: Caller,
    Id(id): Id,
    Key(key): Key,
    Sent(cancel): Sent<Cancel>,
) -> Result<Response, Refusal> {
    caller.may_write()?;
    let mut letter = letter(&service, &caller, id, "cancelled", cancel.reference).await?;
    // Where it would have been no longer matters.
    if let Some(Value::Object(appointment)) = letter.get_mut("appointment") {
        appointment.remove("place");
    }
    put(&service, &caller, key, Value::Object(letter).to_string().into_bytes()).await
}

/// The data of the letter that takes the place of one.
pub(super) async fn letter(
    service: &Service,
    caller: &Caller,
    id: Uuid,
    notice: &str,
    reference: String,
) -> Result<Map<String, Value>, Refusal> {
    let (scope, at, pipeline) = (caller.scope(), service.at(), caller.pipeline(service));
    let held = pipeline.store.document(&scope, id, at).await?;
    let data = pipeline.store.data(&scope, id, at).await?;
    let Ok(Value::Object(letter)) = serde_json::from_slice(&data) else {
        return Err(Refusal::ours());
    };
    if letter.get("kind") != Some(&json!("convocation")) {
        let detail = "this document is no letter about an appointment";
        return Err(Refusal::new(StatusCode::CONFLICT, "no_appointment", detail));
    }
    let office = letter.get("office").and_then(Value::as_str).unwrap_or_default();
    let office = pipeline.rulebook.offices.directorates.get(office);
    let zone = office.map(|it| it.time_zone(&pipeline.rulebook.departments));
    let issued = held.created_at.with_timezone(&zone.unwrap_or(chrono_tz::Europe::Paris));
    Ok(follow_up(letter, issued.date_naive(), notice, &reference))
}
