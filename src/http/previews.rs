//! `/v1/check` and `/v1/previews`: what a document would be, without issuing it. Nothing is kept.

use axum::Json;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::auth::Caller;
use super::documents::pdf;
use super::extract::{Asked, Input};
use super::problem::{Refusal, Said, language, words};
use super::state::Service;
use crate::document::Document;
use crate::pipeline::{IssueError, Pipeline};
use crate::render::{Haste, Marks, RenderError};

/// What a check finds.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Checked {
    /// Whether the document can be issued.
    sound: bool,
    /// Everything that was found.
    problems: Vec<Said>,
    /// Who signs.
    parties: Vec<Party>,
    /// Where it would be mailed; empty: by post.
    emails: Vec<String>,
}

/// Somebody the contract concerns.
#[derive(Debug, Serialize, JsonSchema)]
struct Party {
    /// The signature field.
    field: String,
    /// Whether they must, may or need not sign.
    obligation: serde_json::Value,
    /// The articles that say so.
    source: String,
}

/// Checks a document's data.
pub(super) async fn check(
    State(service): State<Service>,
    _caller: Caller,
    headers: HeaderMap,
    Input(input): Input,
) -> Result<Json<Checked>, Refusal> {
    let (own, at) = (service.clone(), service.at());
    let result = service.on_a_core(move || Document::check(&input, own.rulebook(), at)).await?;
    let (language, rulebook) = (language(&headers), service.rulebook());
    Ok(Json(match result {
        Err(problems) => {
            if problems.iter().any(|it| it.code.starts_with("json.")) {
                return Err(Refusal::data(problems));
            }
            let problems = words(&problems, rulebook, language);
            Checked { sound: false, problems, parties: Vec::new(), emails: Vec::new() }
        }
        Ok(document) => Checked {
            sound: true,
            problems: words(document.warnings(), rulebook, language),
            parties: document.parties().iter().map(Party::of).collect(),
            emails: document.emails().into_iter().map(str::to_owned).collect(),
        },
    }))
}

impl Party {
    fn of(party: &crate::document::Party) -> Self {
        Self {
            field: party.field.to_owned(),
            obligation: serde_json::json!(party.obligation),
            source: party.source.clone(),
        }
    }
}

/// Which page, and how large.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Wanted {
    /// The page, from 1 [default: 1]; for `image/png`.
    #[schemars(range(min = 1, max = 8))]
    page: Option<usize>,
    /// Pixels an inch [default: 110]; for `image/png`.
    #[schemars(range(min = 40, max = 220))]
    dpi: Option<u32>,
}

/// Renders a document's data as specimen pages: a PDF, or with `Accept: image/png` one page. The number of pages is in
/// the header `X-Pages`.
pub(super) async fn preview(
    State(service): State<Service>,
    _caller: Caller,
    Asked(wanted): Asked<Wanted>,
    headers: HeaderMap,
    Input(input): Input,
) -> Result<Response, Refusal> {
    let accept = headers.get(ACCEPT).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let image = accept.contains("image/png");
    let (page, dpi) = (wanted.page.unwrap_or(1), wanted.dpi.unwrap_or(110));
    if !(1..=8).contains(&page) || !(40..=220).contains(&dpi) {
        let detail = "page is a number from 1 to 8, dpi one from 40 to 220";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "parameters", detail));
    }
    let (bytes, pages) = specimen(&service, input, move |document, marks, pipeline, at| {
        let (renderer, rulebook) = (&pipeline.renderer, &pipeline.rulebook);
        if image {
            let page = renderer.preview(document, rulebook, marks, at, page, dpi)?;
            return Ok((page.png, page.pages));
        }
        let pdf = renderer.render(document, rulebook, marks, at, Haste::Desk)?;
        Ok((Some(pdf.bytes().to_vec()), pdf.pages()))
    })
    .await?;
    let bytes = bytes.ok_or_else(Refusal::not_found)?;
    let pages = [("x-pages", pages.to_string())];
    Ok(match image {
        true => ([(CONTENT_TYPE, "image/png")], pages, bytes).into_response(),
        false => (pdf("preview.pdf"), pages, bytes).into_response(),
    })
}

/// What is made of data that is no document yet, with the marks of a specimen.
pub(super) async fn specimen<T: Send + 'static>(
    service: &Service,
    input: Vec<u8>,
    make: impl FnOnce(&Document, &Marks, &Pipeline, DateTime<Utc>) -> Result<T, RenderError>
    + Send
    + 'static,
) -> Result<T, Refusal> {
    let (own, at) = (service.clone(), service.at());
    let made = service.on_a_core(move || {
        let pipeline = own.pipeline();
        let document = Document::check(&input, &pipeline.rulebook, at).map_err(Refusal::data)?;
        let marks = Marks { specimen: true, verify_url: pipeline.marks(&document).verify_url };
        make(&document, &marks, pipeline, at).map_err(|it| IssueError::from(it).into())
    });
    made.await?
}
