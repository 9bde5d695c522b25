//! The door for programs and browsers: API, desk, public pages. All routes on one screen.
//!
//! A request in, an answer out, by the same way as at the command line. Nothing is answered to whoever is not known;
//! what is not theirs does not exist for them.

mod appointments;
pub mod auth;
mod client;
mod deliveries;
mod desk;
mod documents;
mod extract;
mod health;
mod idempotency;
mod link;
mod lists;
mod merges;
mod metrics;
mod openapi;
mod page;
mod previews;
mod problem;
mod public;
mod reference;
mod serve;
mod signatures;
mod state;
mod verification;
mod webhooks;

use std::time::Duration;

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use aide::openapi::{MediaType, Response};
use aide::transform::TransformOperation;
use axum::extract::DefaultBodyLimit;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

pub use auth::{Agent, Caller, Role};
pub use client::{Client, RequestId, behind};
pub use problem::{Details, Refusal, Said, language, words};
pub use serve::{Listeners, serve};
pub use state::{Service, ServiceError};

use page::Listener;

use crate::store::{Held, Receipt};

/// The largest body that is read where nothing else is said, in bytes.
const BODY: usize = 1 << 20;
/// How long a request may take, from its last header to its answer; a list that is checked as a whole.
const TIME: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(1_800);

/// The policy of every page: its own files, and no script or style within a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The API and the desk.
pub fn routes(service: Service) -> Router {
    let mut api = openapi::empty();
    let quick = kept().merge(done(&service)).layer(time(TIME));
    let routes = quick.merge(lists()).finish_api_with(&mut api, openapi::finish);
    let text = openapi::text(&api, service.rulebook());
    let json = [(CONTENT_TYPE, "application/json")];
    let open = Router::new()
        .route("/openapi.json", get(move || std::future::ready((json, text.clone()))))
        .merge(health::routes())
        .merge(auth::login::routes())
        .merge(desk::routes());
    let slow = desk::slow().layer(time(LONG));
    guarded(routes.merge(open.layer(time(TIME))).merge(slow), service, Listener::Office)
}

/// The public pages: the verification page, the link to a document.
pub fn public_routes(service: Service) -> Router {
    let pages = health::routes().merge(public::routes(service.clone()));
    guarded(pages.layer(time(TIME)), service, Listener::Public)
}

/// What is read, and what is issued: documents keep their idempotency keys themselves.
#[rustfmt::skip]
fn kept() -> ApiRouter<Service> {
    ApiRouter::new()
        .api_route("/v1/documents",
            get_with(documents::list, |op| says(op, "List documents"))
            .post_with(documents::issue, |op| letter(op, "Issue a document")))
        .api_route("/v1/documents/{id}",
            get_with(documents::show, |op| says(op, "Show a document").response::<200, Json<Held>>()))
        .api_route("/v1/documents/{id}/file", get_with(documents::file, |op| gives(op, "Fetch the PDF", &["application/pdf"])))
        .api_route("/v1/documents/{id}/data", get_with(documents::data, |op| gives(op, "Fetch the data", JSON)))
        .api_route("/v1/documents/{id}/history", get_with(documents::history, |op| says(op, "What happened to it")))
        .api_route("/v1/appointments/{id}/move",
            post_with(appointments::moves, |op| letter(op, "Move an appointment")))
        .api_route("/v1/appointments/{id}/cancel",
            post_with(appointments::cancel, |op| letter(op, "Cancel an appointment")))
        .api_route("/v1/check", post_with(previews::check, |op| says(op, "Check a document's data")))
        .api_route("/v1/previews", post_with(previews::preview, |op| gives(op, "Render specimen pages", PAGES)))
        .api_route("/v1/verification",
            post_with(verification::report, |op| gives(op, "Verify a PDF", JSON))
            .layer(DefaultBodyLimit::max(verification::FILE)))
        .api_route("/v1/deliveries", get_with(deliveries::list, |op| says(op, "List mails")))
        .api_route("/v1/deliveries/{id}", get_with(deliveries::show, |op| says(op, "Show a mail and its tries")))
        .api_route("/v1/merges/{id}", get_with(merges::show, |op| says(op, "Show a merge")))
        .api_route("/v1/merges/{id}/report", get_with(merges::outcome, |op| gives(op, "Account for a merge", JSON)))
        .api_route("/v1/merges/{id}/report.csv", get_with(merges::table, |op| gives(op, "The same as a table", &["text/csv"])))
        .api_route("/v1/offices", get_with(reference::offices, |op| says(op, "List offices")))
        .api_route("/v1/centres", get_with(reference::centres, |op| says(op, "List centres near a postcode")))
        .api_route("/v1/languages", get_with(reference::languages, |op| says(op, "List languages")))
        .api_route("/v1/schemas/{kind}", get_with(reference::schema, |op| says(op, "The schema of an input")))
        .api_route("/v1/courses", get_with(reference::courses, |op| says(op, "List courses of centres")))
        .api_route("/v1/events", get_with(webhooks::events, |op| says(op, "What happened since a number")))
}

/// What is done to what is there: the first answer is kept for whoever asks again.
#[rustfmt::skip]
fn done(service: &Service) -> ApiRouter<Service> {
    ApiRouter::new()
        .api_route("/v1/documents/{id}/signatures",
            post_with(signatures::sign, |op| letter(op, "Sign")))
        .api_route("/v1/documents/{id}/refusal",
            post_with(signatures::refuse, |op| nothing(op, "Note that a party refuses to sign")))
        .api_route("/v1/documents/{id}/cancellation",
            post_with(signatures::cancel, |op| nothing(op, "Withdraw a document")))
        .api_route("/v1/deliveries/{id}/retry",
            post_with(deliveries::retry, |op| nothing(op, "Send a failed mail again")))
        .api_route("/v1/deliveries/{id}/resolve",
            post_with(deliveries::resolve, |op| nothing(op, "Decide about a mail in doubt")))
        .api_route("/v1/deliveries/{id}/cancel",
            post_with(deliveries::cancel, |op| nothing(op, "Do not send a mail")))
        .api_route("/v1/merges/{id}/pause", post_with(merges::pause, |op| nothing(op, "Pause a merge")))
        .api_route("/v1/merges/{id}/resume", post_with(merges::resume, |op| nothing(op, "Go on with a merge")))
        .api_route("/v1/merges/{id}/cancel", post_with(merges::cancel, |op| nothing(op, "Stop a merge")))
        .api_route("/v1/courses",
            post_with(reference::put_courses, |op| nothing(op, "Add or change courses")))
        .api_route("/v1/courses/{id}/seats",
            post_with(reference::take_seat, |op| nothing(op, "Take a seat")))
        .layer(from_fn_with_state(service.clone(), idempotency::once))
}

/// What takes its time.
fn lists() -> ApiRouter<Service> {
    let begin = post_with(merges::begin, |op| {
        let op = gives(op, "Check a list and make its letters", JSON);
        op.response::<201, Json<serde_json::Value>>()
    });
    let merges = begin.layer(DefaultBodyLimit::max(merges::FILE));
    ApiRouter::new()
        .api_route("/v1/merges", merges.get_with(merges::list, |op| says(op, "List merges")))
        .layer(time(LONG))
}

fn says<'t>(operation: TransformOperation<'t>, summary: &str) -> TransformOperation<'t> {
    operation.summary(summary)
}

/// Answers that are no JSON of a schema.
const JSON: &[&str] = &["application/json"];
const PAGES: &[&str] = &["application/pdf", "image/png"];

fn gives<'t>(
    operation: TransformOperation<'t>,
    summary: &str,
    kinds: &[&str],
) -> TransformOperation<'t> {
    let content = kinds.iter().map(|it| ((*it).to_owned(), MediaType::default())).collect();
    let response = Response { description: "Done".to_owned(), content, ..Response::default() };
    says(operation, summary).response_with::<200, (), _>(|mut it| {
        *it.inner() = response;
        it
    })
}

fn letter<'t>(operation: TransformOperation<'t>, summary: &str) -> TransformOperation<'t> {
    says(operation, summary).response::<201, Json<Receipt>>()
}

fn nothing<'t>(operation: TransformOperation<'t>, summary: &str) -> TransformOperation<'t> {
    says(operation, summary).response::<204, ()>()
}

/// Whether an answer gets smaller: a PDF is compressed within.
fn small() -> impl Predicate {
    DefaultPredicate::new().and(NotForContentType::const_new("application/pdf"))
}

fn time(most: Duration) -> TimeoutLayer {
    TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, most)
}

/// What stands around every route, the outermost last.
fn guarded(routes: Router<Service>, service: Service, listener: Listener) -> Router {
    let header =
        |name, value| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
    routes
        .layer(DefaultBodyLimit::max(BODY))
        .layer(from_fn_with_state(service.clone(), metrics::count))
        .layer(CatchPanicLayer::custom(|_| Refusal::ours().into_response()))
        .layer(from_fn_with_state((service.clone(), listener), problem::say))
        .layer(CompressionLayer::new().compress_when(small()))
        .layer(header(CONTENT_SECURITY_POLICY, POLICY))
        .layer(header(X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(X_FRAME_OPTIONS, "DENY"))
        .layer(header(REFERRER_POLICY, "no-referrer"))
        .layer(header(CACHE_CONTROL, "no-store"))
        .layer(from_fn_with_state(service.clone(), client::note))
        .with_state(service)
}
