//! The agent's desk and the tablet: pages in, pages out, by the same way as the API.

mod course_rows;
mod courses;
mod documents;
mod form;
mod sitting;
mod tablet;
mod today;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;

pub(super) use form::Wording;

use super::page;
use super::problem::Refusal;
use super::state::Service;

/// All pages.
#[rustfmt::skip]
pub(super) fn routes() -> Router<Service> {
    Router::new()
        .route("/", get(today::list))
        .route("/dossiers", get(documents::list))
        .route("/seances", get(courses::list).post(courses::take)
            .layer(DefaultBodyLimit::max(courses::TABLE)))
        .route("/login", get(login))
        .route("/accessibilite", get(accessibility))
        .route("/dossiers/{id}", get(documents::show))
        .route("/dossiers/{id}/tablette", post(documents::open))
        .route("/dossiers/{id}/declaration", post(documents::certify))
        .route("/tablette", get(tablet::ask).post(tablet::enter))
        .route("/tablette/contrat", get(tablet::show))
        .route("/tablette/pages/{number}", get(tablet::picture))
        .route("/tablette/acte", post(tablet::act))
        .merge(form::routes())
        .merge(page::files())
}

/// What fills the pages that anybody may see.
#[derive(Serialize)]
struct Open {
    oidc: bool,
}

impl Open {
    fn of(service: &Service) -> Self {
        Self { oidc: service.config().http.oidc.is_some() }
    }
}

async fn login(State(service): State<Service>) -> Result<Response, Refusal> {
    Ok(page::desk(&service, "desk/login.html.j2", None, Open::of(&service))?.into_response())
}

async fn accessibility(State(service): State<Service>) -> Result<Response, Refusal> {
    Ok(page::desk(&service, "desk/accessibility.html.j2", None, Open::of(&service))?
        .into_response())
}
