//! What is counted, for the operator: requests, steps of the journey, and the queue as it stands when asked (OpenMetrics).
//!
//! Labels are routes, statuses, steps and states; nothing of a person, so cardinality stays small.

use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::problem::Refusal;
use super::state::Service;
use crate::seal::{Certificate, Sealer};
use crate::store::DeliveryState;
use crate::telemetry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    method: String,
    route: String,
    status: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    state: String,
}

/// The counters of a service.
pub struct Metrics {
    registry: Registry,
    requests: Family<Asked, Counter>,
    seconds: Histogram,
    mails: Family<InState, Gauge>,
    oldest: Gauge,
    paused: Gauge,
    certificate: Gauge,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("paraphe");
        let requests = Family::<Asked, Counter>::default();
        registry.register("requests", "Requests answered", requests.clone());
        let buckets = [0.005, 0.02, 0.05, 0.1, 0.3, 0.7, 1.5, 5.0, 20.0];
        let seconds = Histogram::new(buckets);
        let help = "Time to an answer";
        registry.register_with_unit("request", help, Unit::Seconds, seconds.clone());
        let mails = Family::<InState, Gauge>::default();
        registry.register("mails", "Mails of the outbox by state", mails.clone());
        let oldest = Gauge::default();
        let help = "How long the first mail whose time has come has been waiting";
        registry.register_with_unit("mail_waiting", help, Unit::Seconds, oldest.clone());
        let paused = Gauge::default();
        registry.register(
            "sending_paused",
            "1 while a person has stopped all sending",
            paused.clone(),
        );
        let certificate = Gauge::default();
        let help = "Days until the first certificate of the seal's chain ends";
        registry.register("certificate_days_left", help, certificate.clone());
        let (version, commit) = (env!("CARGO_PKG_VERSION"), env!("PARAPHE_COMMIT"));
        let build = Info::new([("version", version), ("commit", commit)]);
        registry.register("build", "The program", build);
        telemetry::register(&mut registry);
        Self { registry, requests, seconds, mails, oldest, paused, certificate }
    }

    fn note(&self, method: String, route: String, status: u16, took: Duration) {
        let asked = Asked { method, route, status: u32::from(status) };
        self.requests.get_or_create(&asked).inc();
        self.seconds.observe(took.as_secs_f64());
    }
}

/// Counts a request by its route, not by its address.
pub(super) async fn count(
    State(service): State<Service>,
    request: Request,
    next: Next,
) -> Response {
    let begun = tokio::time::Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    let (method, route) = (request.method().to_string(), route.to_owned());
    let response = next.run(request).await;
    let (status, took) = (response.status().as_u16(), begun.elapsed());
    tracing::info!(%method, route, status, ms = took.as_millis(), "answered");
    service.metrics().note(method, route, status, took);
    response
}

/// The listener of the operator's own.
pub(super) fn routes(service: Service) -> Router {
    Router::new().route("/metrics", get(read)).with_state(service)
}

async fn read(State(service): State<Service>) -> Result<Response, Refusal> {
    let (at, metrics) = (service.at(), service.metrics());
    let queue = service.pipeline().store.queue(at).await?;
    for state in DeliveryState::ALL.map(DeliveryState::as_str) {
        let count = queue.counts.get(state).copied().unwrap_or(0);
        metrics.mails.get_or_create(&InState { state: state.to_owned() }).set(count);
    }
    let waiting = queue.waiting_since.map_or(0, |since| (at - since).num_seconds());
    metrics.oldest.set(waiting.max(0));
    let control = service.pipeline().store.control().await?;
    metrics.paused.set(i64::from(control.paused.is_some()));
    if let Sealer::On(office) = &service.pipeline().sealer {
        let ends = office.identity().chain().iter().map(Certificate::not_after);
        let first = ends.min().unwrap_or(at);
        metrics.certificate.set((first - at).num_days());
    }
    let mut text = String::new();
    encode(&mut text, &metrics.registry).map_err(|_| Refusal::ours())?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, kind)], text).into_response())
}
