//! The door for programs and browsers: API, desk, public pages. All routes on one screen.
//!
//! A request in, an answer out, by the same way as at the command line. Nothing is answered to whoever is not known;
//! what is not theirs does not exist for them.

pub mod auth;
mod client;
mod health;
mod metrics;
mod problem;
mod state;

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::from_fn_with_state;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

pub use auth::{Agent, Caller, Role};
pub use client::{Client, RequestId};
pub use metrics::routes as metrics_routes;
pub use problem::{Details, Refusal, Said, language, words};
pub use state::{Service, ServiceError};

/// The largest body that is read where nothing else is said, in bytes.
const BODY: usize = 1 << 20;
/// How long a request may take, from its last header to its answer.
const TIME: Duration = Duration::from_secs(60);

/// The policy of every page: its own files, and no script or style within a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The API and the desk.
pub fn routes(service: Service) -> Router {
    let all = Router::new().merge(health::routes()).merge(auth::login::routes());
    guarded(all, service)
}

/// The public pages: the verification page, the link to a document.
pub fn public_routes(service: Service) -> Router {
    guarded(Router::new().merge(health::routes()), service)
}

/// What stands around every route, the outermost last.
fn guarded(routes: Router<Service>, service: Service) -> Router {
    let header =
        |name, value| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
    routes
        .layer(DefaultBodyLimit::max(BODY))
        .layer(from_fn_with_state(service.clone(), metrics::count))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, TIME))
        .layer(CatchPanicLayer::custom(|_| {
            axum::response::IntoResponse::into_response(Refusal::ours())
        }))
        .layer(from_fn_with_state(service.clone(), problem::say))
        .layer(CompressionLayer::new())
        .layer(header(CONTENT_SECURITY_POLICY, POLICY))
        .layer(header(X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(X_FRAME_OPTIONS, "DENY"))
        .layer(header(REFERRER_POLICY, "no-referrer"))
        .layer(header(CACHE_CONTROL, "no-store"))
        .layer(from_fn_with_state(service.clone(), client::note))
        .with_state(service)
}
