//! The day's documents, and one of them: what it has come to and what can be done now.

use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::auth::Agent;
use super::super::extract::Id;
use super::super::page;
use super::super::problem::Refusal;
use super::super::state::Service;
use super::sitting::{Contract, Sitting};
use crate::seal::{Act, Evidence, Presented};
use crate::store::{By, Filter, Held, Page, State as Stage, Summary};

#[derive(Deserialize)]
pub(super) struct Asked {
    q: Option<String>,
}

#[derive(Serialize)]
struct Listed {
    q: String,
    items: Vec<Summary>,
}

/// The newest documents, or the ones that a number or an address finds.
pub(super) async fn list(
    State(service): State<Service>,
    agent: Agent,
    Query(asked): Query<Asked>,
) -> Result<Response, Refusal> {
    let q = asked.q.unwrap_or_default().trim().to_owned();
    let by = (!q.is_empty()).then(|| By::Any(q.clone()));
    let filter = Filter { by, ..Filter::default() };
    let store = &agent.caller.pipeline(&service).store;
    let (scope, page) = (agent.caller.scope(), Page::default());
    let items = store.list_noted(&scope, &filter, page, service.at()).await?;
    let values = Listed { q, items };
    Ok(page::desk(&service, "desk/list.html.j2", Some(&agent.csrf), values)?.into_response())
}

#[derive(Serialize)]
struct Shown {
    csrf: String,
    held: Held,
    language: String,
    turn: Vec<String>,
    hash: String,
    code: Option<String>,
    may_write: bool,
}

/// One document.
pub(super) async fn show(
    State(service): State<Service>,
    agent: Agent,
    Id(id): Id,
) -> Result<Response, Refusal> {
    shown(&service, agent, id, None).await
}

#[derive(Deserialize)]
pub(super) struct Whose {
    csrf: String,
    field: String,
}

/// Makes the code that opens the contract on a tablet.
pub(super) async fn open(
    State(service): State<Service>,
    agent: Agent,
    Id(id): Id,
    Form(whose): Form<Whose>,
) -> Result<Response, Refusal> {
    agent.check(&whose.csrf)?;
    let code = Sitting::open(&service, &agent.caller, id, &whose.field).await?;
    shown(&service, agent, id, Some(code)).await
}

#[derive(Deserialize)]
pub(super) struct Unable {
    csrf: String,
    field: String,
    shown: String,
    version: u32,
    interpreter: String,
}

/// The agent certifies that the person declared not to be able to sign.
pub(super) async fn certify(
    State(service): State<Service>,
    agent: Agent,
    Id(id): Id,
    Form(unable): Form<Unable>,
) -> Result<Response, Refusal> {
    agent.check(&unable.csrf)?;
    agent.caller.may_write()?;
    let contract = Contract::load(&service, &agent.caller, id).await?;
    let at = service.at();
    let interpreter = unable.interpreter.trim();
    let evidence = Evidence {
        agent: agent.caller.actor.clone(),
        interpreter: (!interpreter.is_empty()).then(|| interpreter.to_owned()),
        language: contract.document.language().to_owned(),
        presented: Presented::Heard,
        device: "desk".to_owned(),
        signed_at: at,
        shown: unable.shown,
    };
    let (act, scope) = (Act::DeclaredUnable { evidence }, agent.caller.scope());
    let pipeline = agent.caller.pipeline(&service);
    pipeline.sign(&scope, id, unable.version, &unable.field, act, at).await?;
    Ok(Redirect::to(&format!("/dossiers/{id}")).into_response())
}

async fn shown(
    service: &Service,
    agent: Agent,
    id: Uuid,
    code: Option<String>,
) -> Result<Response, Refusal> {
    let (caller, at) = (&agent.caller, service.at());
    let (scope, store) = (caller.scope(), &caller.pipeline(service).store);
    let held = store.document(&scope, id, at).await?;
    let (mut turn, mut hash) = (Vec::new(), String::new());
    if matches!(held.state, Stage::Presented | Stage::PartlySigned) {
        let sealed = Contract::load(service, caller, id).await?.sealed;
        (turn, hash) = (sealed.turn().0.clone(), sealed.hash());
    }
    let catalogue = held.record.as_ref().map(|it| service.rulebook().catalogue(&it.language));
    let language = catalogue.map(|it| it.name.clone()).unwrap_or_default();
    let code = code.map(|it| format!("{} {}", &it[..4], &it[4..]));
    let (csrf, may_write) = (agent.csrf.clone(), caller.may_write().is_ok());
    let values = Shown { csrf: agent.csrf, held, language, turn, hash, code, may_write };
    Ok(page::desk(service, "desk/document.html.j2", Some(&csrf), values)?.into_response())
}
