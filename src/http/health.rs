//! Whether the service lives, and whether it can do its work: it renders and seals a letter, asks the database,
//! the files and the mail server, and looks at the certificate and how long mail has been waiting.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use tokio::sync::Mutex;

use super::problem::Refusal;
use super::state::Service;
use crate::document::Document;
use crate::render::{Haste, Marks};
use crate::seal::Sealer;

/// How long an answer holds, so that asking costs nothing; how long mail may wait.
const HOLDS: TimeDelta = TimeDelta::seconds(10);
const PATIENCE: TimeDelta = TimeDelta::minutes(15);

/// What is said of a certificate that does not hold now.
const EXPIRED: &str = "not valid now";

/// What was found, part by part: `ok`, or what is wrong.
#[derive(Debug, Clone, Serialize)]
struct Readiness {
    ready: bool,
    renders: &'static str,
    key: &'static str,
    database: &'static str,
    files: &'static str,
    queue: &'static str,
    mail: &'static str,
    certificate: &'static str,
}

/// The last answer, and of when it is.
#[derive(Default)]
pub(super) struct Last(Mutex<Option<(DateTime<Utc>, Readiness)>>);

/// For whoever watches the service; they tell nothing of what is in it.
pub(super) fn routes() -> Router<Service> {
    Router::new().route("/health", get(|| async { "ok\n" })).route("/ready", get(ready))
}

async fn ready(State(service): State<Service>) -> Result<Response, Refusal> {
    let at = service.at();
    let mut last = service.last_readiness().0.lock().await;
    let found = match &*last {
        Some((then, found)) if at - *then < HOLDS && at >= *then => found.clone(),
        _ => {
            let found = look(&service).await?;
            *last = Some((at, found.clone()));
            found
        }
    };
    let status = if found.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((status, Json(found)).into_response())
}

async fn look(service: &Service) -> Result<Readiness, Refusal> {
    let at = service.at();
    let says = |good: bool| if good { "ok" } else { "fails" };
    let own = service.clone();
    let (renders, key) = service.on_a_core(move || render(&own).unwrap_or_default()).await?;
    let store = &service.pipeline().store;
    let queue = store.queue(at).await;
    let database = queue.is_ok();
    let since = queue.ok().and_then(|it| it.waiting_since);
    let late = since.is_some_and(|it| at - it > PATIENCE);
    let files = store.probe().await.is_ok();
    let (mail, certificate) = (mail(service).await, certificate(service));
    let holds = certificate != EXPIRED;
    Ok(Readiness {
        ready: renders && key && database && files && !late && mail && holds,
        renders: says(renders),
        key: says(key),
        database: says(database),
        files: says(files),
        queue: if late { "mail waits too long" } else { "ok" },
        mail: says(mail),
        certificate,
    })
}

/// Whether the mail server, or the folder in its place, takes mail now.
async fn mail(service: &Service) -> bool {
    let probed = match service.config().transport() {
        Ok(transport) => transport.probe().await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = &probed {
        tracing::error!("not ready, mail: {error}");
    }
    probed.is_ok()
}

/// Whether the certificates of the office's key hold.
fn certificate(service: &Service) -> &'static str {
    let Sealer::On(office) = &service.pipeline().sealer else { return "ok" };
    match office.identity().check(service.at()) {
        Ok(soon) if soon.is_empty() => "ok",
        Ok(_) => "ends within 60 days",
        Err(_) => EXPIRED,
    }
}

/// Whether a letter is rendered, and whether it is sealed.
fn render(service: &Service) -> Option<(bool, bool)> {
    let (at, pipeline) = (service.at(), service.pipeline());
    let input = service.example()?;
    let document = Document::check(input.as_bytes(), &pipeline.rulebook, at).ok()?;
    let marks = Marks { specimen: true, ..Default::default() };
    let pdf =
        pipeline.renderer.render(&document, &pipeline.rulebook, &marks, at, Haste::Desk).ok()?;
    let sealed = pipeline.sealer.seal(&pdf, &document, &pipeline.rulebook, at);
    Some((true, sealed.is_ok()))
}
