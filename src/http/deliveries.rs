//! `/v1/deliveries`: what became of each mail, and what a person decides about it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::auth::Caller;
use super::documents::{Piece, UuidText, limit, within};
use super::extract::{Asked, Id, Key, Sent};
use super::problem::Refusal;
use super::state::Service;
use crate::store::{Delivery, DeliveryFilter, DeliveryState, Page, Resolution, Try};

/// Which mails are listed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// The state.
    state: Option<DeliveryState>,
    /// The document.
    document: Option<UuidText>,
    /// The merge.
    merge: Option<UuidText>,
    /// One office of those the caller may see.
    office: Option<String>,
    /// Came in at this moment or later.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    since: Option<DateTime<Utc>>,
    /// Came in before this moment.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    before: Option<DateTime<Utc>>,
    /// The id that the piece before ended with.
    after: Option<UuidText>,
    /// How many, at the most 200.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
}

/// A mail and every try to send it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Shown {
    /// The mail.
    delivery: Delivery,
    /// The tries, the first one first.
    tries: Vec<Try>,
}

/// What is known of a mail in doubt.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Resolve {
    /// What is known.
    known: Known,
}

/// What is known of a mail in doubt.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Known {
    /// The server had taken it.
    Accepted,
    /// It had not, or a second copy does no harm: the same bytes go again.
    SendAgain,
    /// It had not, and it shall not go.
    GiveUp,
}

/// Lists mails.
pub(super) async fn list(
    State(service): State<Service>,
    caller: Caller,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<Piece<Delivery>>, Refusal> {
    let filter = DeliveryFilter {
        states: wanted.state.into_iter().collect(),
        document: wanted.document.map(|it| it.0),
        merge: wanted.merge.map(|it| it.0),
        since: wanted.since,
        before: wanted.before,
        ..DeliveryFilter::default()
    };
    let limit = limit(wanted.limit)?;
    let page = Page { after: wanted.after.map(|it| it.0), most: limit + 1 };
    let store = &caller.pipeline(&service).store;
    let items = store.deliveries(&within(&caller, wanted.office), &filter, page).await?;
    Ok(Json(Piece::of(items, limit, |it| it.id.to_string())))
}

/// A mail and every try.
pub(super) async fn show(
    State(service): State<Service>,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<Shown>, Refusal> {
    let (store, scope) = (&caller.pipeline(&service).store, caller.scope());
    let (delivery, tries) = store.delivery(&scope, id).await?;
    store.note(&scope, id, "read", "", service.at()).await?;
    Ok(Json(Shown { delivery, tries }))
}

/// Sends a mail again that failed or whose time has passed.
pub(super) async fn retry(
    State(service): State<Service>,
    caller: Caller,
    Id(id): Id,
    _: Key,
) -> Result<StatusCode, Refusal> {
    caller.may_write()?;
    let store = &caller.pipeline(&service).store;
    store.retry(&caller.scope(), id, service.at()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Decides about a mail in doubt.
pub(super) async fn resolve(
    State(service): State<Service>,
    caller: Caller,
    Id(id): Id,
    _: Key,
    Sent(resolve): Sent<Resolve>,
) -> Result<StatusCode, Refusal> {
    caller.may_decide()?;
    let resolution = match resolve.known {
        Known::Accepted => Resolution::Accepted,
        Known::SendAgain => Resolution::SendAgain,
        Known::GiveUp => Resolution::GiveUp,
    };
    let store = &caller.pipeline(&service).store;
    store.resolve(&caller.scope(), id, resolution, service.at()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Has a mail not sent that no worker is sending.
pub(super) async fn cancel(
    State(service): State<Service>,
    caller: Caller,
    Id(id): Id,
    _: Key,
) -> Result<StatusCode, Refusal> {
    caller.may_write()?;
    let store = &caller.pipeline(&service).store;
    store.cancel(&caller.scope(), id, service.at()).await?;
    Ok(StatusCode::NO_CONTENT)
}
