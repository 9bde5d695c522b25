//! The agent's desk and the tablet: pages in, pages out, by the same way as the API.

mod authority;
mod course_rows;
mod courses;
mod deliveries;
mod documents;
mod draft_check;
mod drafts;
mod form;
mod help;
mod merges;
mod printing;
mod proof;
mod returned;
mod sitting;
mod tablet;
mod today;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;

pub(super) use form::Wording;

use super::page::{self, Listener};
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
        .route("/aide", get(help::index))
        .route("/aide/{page}", get(help::show))
        .route("/publipostages", get(merges::list))
        .route("/publipostages/{id}", get(merges::show).post(merges::decide))
        .route("/publipostages/{id}/bilan.html", get(merges::report))
        .route("/publipostages/preparation/{id}", get(drafts::show).post(drafts::change))
        .route("/publipostages/preparation/{id}/a-corriger", get(drafts::marked))
        .route("/publipostages/preparation/{id}/epreuves/{row}", get(drafts::proof_page))
        .route("/publipostages/preparation/{id}/essai", post(drafts::proof_mail))
        .route("/envois", get(deliveries::list))
        .route("/envois/retour", post(returned::mark))
        .route("/envois/{id}", get(deliveries::show).post(deliveries::decide))
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

/// Pages that take their time: a file comes in, or many letters are laid out.
pub(super) fn slow() -> Router<Service> {
    Router::new()
        .route("/publipostages/preparation", post(drafts::make))
        .layer(DefaultBodyLimit::max(super::merges::FILE + (64 << 10)))
        .route("/signatures", get(authority::list).post(authority::sign))
        .route("/publipostages/{id}/tirage", get(printing::show))
        .route("/publipostages/{id}/tirage.csv", get(printing::table))
        .route("/publipostages/{id}/tirage.pdf", get(printing::sheets))
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
    page::accessibility(&service, Listener::Office)
}
