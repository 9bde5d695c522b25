//! The form of a dossier, made from the schema of its data: typed, checked and shown while it is typed, issued once.
//!
//! What was typed lives in the page and nowhere else: not on the service, not in the browser's storage. So nothing of a
//! person is left behind on a desk, and a session that ends takes nothing with it: the page that says so carries what
//! was sent, and hands it back after the login.

mod choices;
mod draft;
mod fields;
mod prefill;
mod seats;
mod show;
mod typed;
mod wording;

use axum::Json;
use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use uuid::Uuid;

pub(super) use prefill::today;
pub(in crate::http) use wording::Wording;

use super::super::auth::Agent;
use super::super::extract::Id;
use super::super::previews;
use super::super::problem::Refusal;
use super::super::state::Service;
use crate::class::Class;
use crate::document::FRENCH;
use crate::pipeline::{IssueError, Order, fresh_id};
use crate::store::{By, Filter, IdempotencyKey, Page, Receipt, StoreError};
use draft::{Draft, kind, said};
use show::{Notice, Show};
use typed::Typed;

/// The pixels an inch of a page beside the form.
const DPI: u32 = 96;

/// Pairs of names and values as a form sends them.
type Pairs = Vec<(String, String)>;

#[rustfmt::skip]
pub(super) fn routes() -> Router<Service> {
    Router::new()
        .route("/dossiers/nouveau", get(begin).post(send))
        .route("/dossiers/nouveau/verification", post(verify))
        .route("/dossiers/nouveau/apercu/{page}", post(picture))
        .route("/dossiers/{id}/correction", get(correct))
}

#[derive(Deserialize)]
struct Asked {
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The document whose person the new one is about.
    de: Option<Uuid>,
}

/// An empty form, or one that begins with a person who is known; without a kind, the choice of one.
async fn begin(
    State(service): State<Service>,
    agent: Agent,
    Query(asked): Query<Asked>,
) -> Result<Response, Refusal> {
    agent.caller.may_write()?;
    let Some(name) = asked.kind else { return show::kinds(&service, &agent) };
    let kind = kind(&name).ok_or_else(Refusal::not_found)?;
    let draft = match asked.de {
        Some(id) => prefill::about(&service, &agent.caller, kind, id).await?,
        None => prefill::blank(&service, &agent.caller, kind),
    };
    Show::new(&service, &agent).form(draft).await
}

/// The form of the document that takes the place of another one.
async fn correct(
    State(service): State<Service>,
    agent: Agent,
    Id(id): Id,
) -> Result<Response, Refusal> {
    agent.caller.may_write()?;
    let draft = prefill::instead(&service, &agent.caller, id).await?;
    Show::new(&service, &agent).form(draft).await
}

/// What was typed, and the button that sent it.
async fn send(
    State(service): State<Service>,
    agent: Result<Agent, Response>,
    Form(pairs): Form<Pairs>,
) -> Result<Response, Refusal> {
    let Ok(agent) = agent else { return show::expired(&service, pairs) };
    agent.caller.may_write()?;
    let typed = Typed::new(&pairs);
    let (verb, at) = typed.get("faire").split_once(' ').unwrap_or((typed.get("faire"), ""));
    let mut draft = Draft::typed(&service, &agent.caller, &typed).await?;
    let show = Show::new(&service, &agent);
    if verb == "reprendre" {
        return show.form(draft).await;
    }
    if agent.check(typed.get("csrf")).is_err() {
        return show.notice(Notice::Stale).with(StatusCode::FORBIDDEN, draft).await;
    }
    draft.turn(verb, at);
    match verb {
        "emettre" => issue(&service, &agent, draft).await,
        "verifier" => show.checked().form(draft).await,
        _ => show.form(draft).await,
    }
}

/// Issues the document under the form's key: whoever sends the same form twice is led to the same document.
async fn issue(service: &Service, agent: &Agent, draft: Draft) -> Result<Response, Refusal> {
    let (caller, at, scope) = (&agent.caller, service.at(), agent.caller.scope());
    let office = draft.value.get("office").and_then(|it| it.as_str());
    if office.is_some_and(|it| !scope.allows(it)) {
        return Err(Refusal::forbidden());
    }
    let show = Show::new(service, agent).checked();
    let key = IdempotencyKey::new(format!("{} form {}", caller.actor, draft.key));
    let order = Order::new(fresh_id(at), Some(key), draft.bytes(), &caller.actor);
    let mut order = order.map_err(Refusal::data)?;
    order.seats = draft.chosen.values().map(|it| it.id.clone()).collect();
    let pipeline = caller.pipeline(service);
    let issued = match pipeline.store.receipt(&order.key, order.digest()).await {
        Ok(Some(receipt)) => Ok(receipt),
        Ok(None) => {
            if let Some(id) = holder(service, agent, &draft).await? {
                return show.notice(Notice::Taken(id)).with(StatusCode::CONFLICT, draft).await;
            }
            pipeline.issue(&scope, order, at).await
        }
        Err(error) => Err(IssueError::from(error)),
    };
    let error = match issued {
        Ok(Receipt { id, .. }) => {
            return Ok(Redirect::to(&format!("/dossiers/{id}")).into_response());
        }
        Err(error) => error,
    };
    let mut draft = draft;
    match error {
        IssueError::Data(problems) => {
            show.problems(problems).with(StatusCode::UNPROCESSABLE_ENTITY, draft).await
        }
        IssueError::Store(StoreError::Full(course)) => {
            let at = draft.chosen.iter().find(|it| it.1.id == course).map(|it| it.0.clone());
            let at = at.unwrap_or_default();
            draft.chosen.remove(&at);
            draft.turn("choisir", &at);
            show.notice(Notice::Full).with(StatusCode::CONFLICT, draft).await
        }
        IssueError::Store(StoreError::KeyReused) => {
            draft.key = fresh_id(at).to_string();
            show.notice(Notice::Used).with(StatusCode::CONFLICT, draft).await
        }
        IssueError::Store(StoreError::NotReplaceable(_)) => {
            show.notice(Notice::NotReplaceable).with(StatusCode::CONFLICT, draft).await
        }
        error if error.class() == Class::Later => {
            tracing::warn!("a form has to wait: {error}");
            show.notice(Notice::Later).with(StatusCode::SERVICE_UNAVAILABLE, draft).await
        }
        error => Err(error.into()),
    }
}

/// The document that has the number of a form already.
async fn holder(service: &Service, agent: &Agent, draft: &Draft) -> Result<Option<Uuid>, Refusal> {
    let Some(reference) = draft.value.get("reference").and_then(|it| it.as_str()) else {
        return Ok(None);
    };
    let filter = Filter { by: Some(By::Reference(reference.to_owned())), ..Filter::default() };
    let store = &agent.caller.pipeline(service).store;
    let page = Page { after: None, most: 1 };
    let found = store.list_noted(&agent.caller.scope(), &filter, page, service.at()).await?;
    Ok(found.first().map(|it| it.id))
}

/// What the rules say of what is typed, and the text of its pages in French once they can be made.
async fn verify(
    State(service): State<Service>,
    agent: Result<Agent, Response>,
    Form(pairs): Form<Pairs>,
) -> Result<Response, Refusal> {
    let (agent, draft) = typing(&service, agent, &pairs).await?;
    let checked = match draft.check(&service).await? {
        Err(problems) => Err(problems),
        Ok(document) => {
            let made = previews::specimen(&service, draft.bytes(), |document, marks, it, at| {
                it.renderer.reading(document, &it.rulebook, marks, at, Some(FRENCH))
            });
            match made.await {
                Ok(pages) => Ok((document.warnings().to_vec(), pages)),
                Err(refusal) if refusal.problems().is_empty() => return Err(refusal),
                Err(refusal) => Err(refusal.problems().to_vec()),
            }
        }
    };
    let (problems, pages) = match checked {
        Ok((warnings, pages)) => (warnings, pages),
        Err(problems) => (problems, Vec::new()),
    };
    let problems = Show::new(&service, &agent).placed(&draft, &said(&service, &problems)).await?;
    Ok(Json(serde_json::json!({ "problems": problems, "pages": pages })).into_response())
}

/// One page of what is typed, as a picture.
async fn picture(
    State(service): State<Service>,
    agent: Result<Agent, Response>,
    Path(page): Path<usize>,
    Form(pairs): Form<Pairs>,
) -> Result<Response, Refusal> {
    let (_, draft) = typing(&service, agent, &pairs).await?;
    let made = previews::specimen(&service, draft.bytes(), move |document, marks, it, at| {
        it.renderer.preview(document, &it.rulebook, marks, at, page, DPI)
    });
    let png = made.await?.png.ok_or_else(Refusal::not_found)?;
    Ok(([(CONTENT_TYPE, "image/png")], png).into_response())
}

/// What is typed in a form of this session; the page itself says what to do where it has ended.
async fn typing(
    service: &Service,
    agent: Result<Agent, Response>,
    pairs: &Pairs,
) -> Result<(Agent, Draft), Refusal> {
    let agent = agent.map_err(|_| Refusal::unauthorised())?;
    let typed = Typed::new(pairs);
    agent.check(typed.get("csrf"))?;
    let draft = Draft::typed(service, &agent.caller, &typed).await?;
    Ok((agent, draft))
}
