//! What happened is told to other systems: signed, numbered, in order, again until they have it.
//!
//! Events of the audit trail in, one POST each out (Standard Webhooks: `webhook-id`, `webhook-timestamp`,
//! `webhook-signature`). A receiver that missed something asks `/v1/events` from a number on. Events hold ids and
//! words of the program only.

use std::time::Duration;

use aws_lc_rs::hmac;
use axum::Json;
use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::auth::Caller;
use super::documents::{Piece, limit};
use super::extract::Asked;
use super::problem::Refusal;
use super::state::Service;
use crate::secret::Secret;
use crate::store::{Event, Store};

/// Where events go.
#[derive(Debug, Clone)]
pub(super) struct Webhook {
    /// What the operator calls it: how far it has come is kept under this name.
    pub(super) name: String,
    /// The receiver's address.
    pub(super) url: String,
    /// What signs.
    pub(super) secret: Secret,
}

/// Events are asked for this many at a time; waits between tries go from the first to the last.
const AT_ONCE: u32 = 100;
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LAST_WAIT: Duration = Duration::from_secs(600);
const LOOK_EVERY: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);

/// What only the audit trail is about: reading, and who may.
const UNTOLD: [&str; 6] = ["read", "read_file", "read_data", "listed", "key_made", "key_revoked"];

/// Which events are asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// The number of the last event that is known.
    #[schemars(range(min = 0))]
    after: Option<i64>,
    /// How many, at the most 200.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: DateTime<Utc>,
    data: &'a Event,
}

/// What happened after a number, the oldest first; for callers of every office, since events name none.
pub(super) async fn events(
    State(service): State<Service>,
    caller: Caller,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<Piece<Event>>, Refusal> {
    caller.may_decide()?;
    if caller.offices.is_some() {
        return Err(Refusal::forbidden());
    }
    let (after, limit) = (wanted.after.unwrap_or(0), limit(wanted.limit)?);
    let items = caller.pipeline(&service).store.events(after, limit + 1).await?;
    Ok(Json(Piece::of(items, limit, |it| it.number.to_string())))
}

/// Tells a receiver what happens until told to stop. An event that is not taken is tried again, and those after it
/// wait: they arrive in order.
pub(super) async fn tell(
    store: Store,
    webhook: Webhook,
    service: Service,
    mut stop: watch::Receiver<bool>,
) {
    let reader = format!("webhook:{}", webhook.name);
    let mut wait = FIRST_WAIT;
    while !*stop.borrow() {
        let pause = match advance(&store, &webhook, &reader, &service).await {
            Ok(true) => {
                wait = FIRST_WAIT;
                continue;
            }
            Ok(false) => LOOK_EVERY,
            Err(reason) => {
                tracing::warn!(webhook = webhook.name, "not told: {reason}");
                let now = wait;
                wait = (wait * 2).min(LAST_WAIT);
                now
            }
        };
        tokio::select! {
            _ = tokio::time::sleep(pause) => {}
            _ = stop.changed() => return,
        }
    }
}

/// Tells the next events. False: there is none.
async fn advance(
    store: &Store,
    webhook: &Webhook,
    reader: &str,
    service: &Service,
) -> Result<bool, String> {
    let said = |error: crate::store::StoreError| error.to_string();
    let after = store.cursor(reader).await.map_err(said)?;
    let events = store.events(after, AT_ONCE).await.map_err(said)?;
    for event in &events {
        if !UNTOLD.contains(&event.action.as_str()) {
            let (event, webhook, at) = (event.clone(), webhook.clone(), service.at());
            let post = tokio::task::spawn_blocking(move || post(&event, &webhook, at));
            post.await.map_err(|it| it.to_string())??;
        }
        store.set_cursor(reader, event.number).await.map_err(said)?;
    }
    Ok(!events.is_empty())
}

fn post(event: &Event, webhook: &Webhook, at: DateTime<Utc>) -> Result<(), String> {
    let told = Told { kind: &event.action, timestamp: event.at, data: event };
    let body = serde_json::to_vec(&told).map_err(|it| it.to_string())?;
    let (id, moment) = (event.number.to_string(), at.timestamp().to_string());
    let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).max_redirects(0);
    let agent = config.build().new_agent();
    let request = agent
        .post(&webhook.url)
        .header("content-type", "application/json")
        .header("webhook-id", &id)
        .header("webhook-timestamp", &moment)
        .header("webhook-signature", &signature(&webhook.secret, &id, &moment, &body));
    let response = request.send(&body).map_err(|it| it.to_string())?;
    match response.status().is_success() {
        true => Ok(()),
        false => Err(format!("answered {}", response.status())),
    }
}

/// `v1,` and the HMAC-SHA256 of id, moment and body, in Base64 (Standard Webhooks).
fn signature(secret: &Secret, id: &str, moment: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{id}.{moment}.").as_bytes());
    context.update(body);
    format!("v1,{}", STANDARD.encode(context.sign()))
}
