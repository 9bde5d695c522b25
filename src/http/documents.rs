//! `/v1/documents`: issue, list, read, fetch.

use axum::Json;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::auth::Caller;
use super::extract::{Asked, Id, Input, Key, etag};
use super::problem::Refusal;
use super::state::Service;
use crate::pipeline::{Order, fresh_id};
use crate::store::{
    By, Event, Filter, IdempotencyKey, Page, Receipt, Scope, State as Stands, Summary,
};

/// The most that one answer lists.
const MOST: u32 = 200;

/// Which documents are listed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// The issuer's number of the document.
    reference: Option<String>,
    /// The person's number.
    foreigner_number: Option<String>,
    /// The dossier's number.
    dossier: Option<String>,
    /// The state.
    state: Option<Stands>,
    /// One office of those the caller may see.
    office: Option<String>,
    /// `cai`, `caif` or `convocation`.
    kind: Option<String>,
    /// The step of a letter.
    step: Option<String>,
    /// Issued at this moment or later.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    since: Option<DateTime<Utc>>,
    /// Issued before this moment.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    before: Option<DateTime<Utc>>,
    /// The id that the piece before ended with.
    after: Option<UuidText>,
    /// How many, at the most 200.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
}

/// A UUID in a parameter.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct UuidText(#[schemars(with = "String", extend("format" = "uuid"))] pub Uuid);

/// A piece of a list.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Piece<T> {
    /// What was found, the newest first.
    pub items: Vec<T>,
    /// What the next piece is asked for with; none: this is the last.
    pub next: Option<String>,
}

/// Issues a document: the whole journey.
pub(super) async fn issue(
    State(service): State<Service>,
    caller: Caller,
    Key(key): Key,
    Input(input): Input,
) -> Result<Response, Refusal> {
    caller.may_write()?;
    put(&service, &caller, key, input).await
}

/// Issues what a caller may issue; the answer is its receipt.
pub(super) async fn put(
    service: &Service,
    caller: &Caller,
    key: Option<String>,
    input: Vec<u8>,
) -> Result<Response, Refusal> {
    let (at, scope) = (service.at(), caller.scope());
    // Before anything is looked up by the data's own key: the first receipt is for those of its office.
    let value: Value = serde_json::from_slice(&input).unwrap_or_default();
    let office = value.get("office").and_then(Value::as_str);
    if office.is_some_and(|it| !scope.allows(it)) {
        return Err(Refusal::forbidden());
    }
    let key = key.map(|it| IdempotencyKey::new(format!("{} {it}", caller.actor)));
    let order = Order::new(fresh_id(at), key, input, &caller.actor).map_err(Refusal::data)?;
    let receipt = caller.pipeline(service).issue(&scope, order, at).await?;
    let place = format!("/v1/documents/{}", receipt.id);
    Ok((StatusCode::CREATED, [(LOCATION, place)], tagged(&receipt)).into_response())
}

/// A receipt with its version as the entity tag.
pub(super) fn tagged(receipt: &Receipt) -> Response {
    ([(ETAG, etag(receipt.version, receipt.state))], Json(receipt)).into_response()
}

/// Lists documents.
pub(super) async fn list(
    State(service): State<Service>,
    caller: Caller,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<Piece<Summary>>, Refusal> {
    let found = [
        wanted.reference.map(By::Reference),
        wanted.foreigner_number.map(By::ForeignerNumber),
        wanted.dossier.map(By::Dossier),
    ];
    let mut found = found.into_iter().flatten();
    let by = found.next();
    if found.next().is_some() {
        let detail = "ask by one of reference, foreigner_number and dossier";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "parameters", detail));
    }
    let scope = within(&caller, wanted.office);
    let Wanted { kind, step, state, since, before, .. } = wanted;
    let filter = Filter { kind, step, state, by, since, before, ..Filter::default() };
    let limit = limit(wanted.limit)?;
    let page = Page { after: wanted.after.map(|it| it.0), most: limit + 1 };
    let store = &caller.pipeline(&service).store;
    let items = store.list_noted(&scope, &filter, page, service.at()).await?;
    Ok(Json(Piece::of(items, limit, |it| it.id.to_string())))
}

/// A document and its versions.
pub(super) async fn show(
    State(service): State<Service>,
    caller: Caller,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let store = &caller.pipeline(&service).store;
    let held = store.document(&caller.scope(), id, service.at()).await?;
    let tag = etag(held.version, held.state);
    if known(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response());
    }
    Ok(([(ETAG, tag)], Json(held)).into_response())
}

/// Which version of a file.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct WantedFile {
    /// The version [default: the last].
    #[schemars(range(min = 1))]
    version: Option<u32>,
}

/// The PDF of a document.
pub(super) async fn file(
    State(service): State<Service>,
    caller: Caller,
    Id(id): Id,
    Asked(wanted): Asked<WantedFile>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let (store, scope, at) = (&caller.pipeline(&service).store, caller.scope(), service.at());
    let bytes = store.file(&scope, id, wanted.version, at).await?;
    let tag = format!("\"{}\"", crate::assets::hex(&Sha256::digest(&bytes)));
    if known(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response());
    }
    Ok((pdf(&format!("{id}.pdf")), [(ETAG, tag)], bytes).into_response())
}

/// The data of a document, as it was issued.
pub(super) async fn data(
    State(service): State<Service>,
    caller: Caller,
    Id(id): Id,
) -> Result<Response, Refusal> {
    let store = &caller.pipeline(&service).store;
    let data = store.data(&caller.scope(), id, service.at()).await?;
    Ok(([(CONTENT_TYPE, "application/json")], data).into_response())
}

/// What happened to a document, the oldest first.
pub(super) async fn history(
    State(service): State<Service>,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<Vec<Event>>, Refusal> {
    let store = &caller.pipeline(&service).store;
    store.document(&caller.scope(), id, service.at()).await?;
    Ok(Json(store.history(id).await?))
}

impl<T> Piece<T> {
    /// One more than the limit was asked for: it says whether there is a next piece.
    pub(super) fn of(mut items: Vec<T>, limit: u32, id: impl Fn(&T) -> String) -> Self {
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next = items.last().filter(|_| more).map(id);
        Self { items, next }
    }
}

/// How many are asked for.
pub(super) fn limit(asked: Option<u32>) -> Result<u32, Refusal> {
    match asked.unwrap_or(50) {
        limit @ 1..=MOST => Ok(limit),
        _ => {
            let detail = "limit is a number from 1 to 200";
            Err(Refusal::new(StatusCode::BAD_REQUEST, "parameters", detail))
        }
    }
}

/// The caller's scope, narrowed to an office.
pub(super) fn within(caller: &Caller, office: Option<String>) -> Scope {
    let scope = caller.scope();
    match office {
        None => scope,
        Some(office) => {
            let allowed = scope.allows(&office).then_some(office);
            Scope::offices(caller.actor.clone(), allowed).noted()
        }
    }
}

/// The headers of a PDF that is shown or saved under a name of ours.
pub(super) fn pdf(name: &str) -> [(HeaderName, String); 2] {
    let disposition = format!("inline; filename=\"{name}\"");
    [(CONTENT_TYPE, "application/pdf".to_owned()), (CONTENT_DISPOSITION, disposition)]
}

/// Whether the client has what it asks for (RFC 9110, 13.1.2).
fn known(headers: &HeaderMap, tag: &str) -> bool {
    let has = headers.get(IF_NONE_MATCH).and_then(|it| it.to_str().ok()).unwrap_or_default();
    has.split(',').any(|it| it.trim().trim_start_matches("W/") == tag)
}
