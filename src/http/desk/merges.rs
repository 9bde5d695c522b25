//! Merges: the ones there are, and one of them, how it stands and what can be done with it.
//!
//! What the API does with merges, as pages; the print run of their letters by post.

use axum::extract::{Form, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};
use serde_json::from_slice;
use uuid::Uuid;

use super::super::auth::Agent;
use super::super::documents::Piece;
use super::super::extract::Id;
use super::super::lists::columns;
use super::super::merges::{refused, set_paused};
use super::super::page;
use super::super::problem::Refusal;
use super::super::state::Service;
use super::drafts::Asked;
use crate::merge::outcome::Outcome;
use crate::merge::run::submission;
use crate::store::{Counts, Merge, Page};

/// How many are on a page.
const SHOWN: u32 = 50;

#[derive(Deserialize)]
pub(super) struct Where {
    after: Option<Uuid>,
}

#[derive(Serialize)]
struct Listed<'a> {
    csrf: &'a str,
    decides: bool,
    drafts: Vec<Preparing>,
    items: Vec<Named>,
    next: Option<String>,
    steps: Vec<(&'a str, &'a str)>,
}

/// A list in preparation.
#[derive(Serialize)]
struct Preparing {
    id: Uuid,
    file: String,
    state: String,
    created_at: chrono::DateTime<chrono::Utc>,
}

/// A merge and the name of its file; none once forgotten.
#[derive(Serialize)]
struct Named {
    #[serde(flatten)]
    merge: Merge,
    file: Option<String>,
    office: String,
}

/// Lists in preparation, and merges.
pub(super) async fn list(
    State(service): State<Service>,
    agent: Agent,
    Query(place): Query<Where>,
) -> Result<Response, Refusal> {
    let caller = &agent.caller;
    let (scope, store, at) = (caller.scope(), &caller.pipeline(&service).store, service.at());
    let drafts = store.drafts(&scope, at).await?.into_iter().filter(|it| it.merge.is_none());
    let drafts = drafts.map(|it| {
        let file = from_slice(&it.asked).map(|it: Asked| it.file).unwrap_or_default();
        Preparing { id: it.id, file, state: it.state, created_at: it.created_at }
    });
    let page = Page { after: place.after, most: SHOWN + 1 };
    let items = store.merges(&scope, page).await?;
    let Piece { items, next } = Piece::of(items, SHOWN, |it| it.id.to_string());
    let columns = columns(&service).map_err(refused)?;
    let values = Listed {
        csrf: &agent.csrf,
        decides: caller.may_decide().is_ok(),
        drafts: drafts.collect(),
        items: items.into_iter().map(|it| Named::of(it, &service)).collect(),
        next,
        steps: columns.options("step"),
    };
    Ok(page::desk(&service, "desk/merges.html.j2", Some(&agent.csrf), values)?.into_response())
}

#[derive(Serialize)]
struct Shown<'a> {
    csrf: &'a str,
    decides: bool,
    merge: Named,
    counts: Counts,
    done: i64,
    outcome: Outcome,
}

/// One merge.
pub(super) async fn show(
    State(service): State<Service>,
    agent: Agent,
    Id(id): Id,
) -> Result<Response, Refusal> {
    let caller = &agent.caller;
    let (scope, store) = (caller.scope(), &caller.pipeline(&service).store);
    let counts = store.merge_counts(&scope, id).await?;
    let merge = Named::of(store.merge(&scope, id).await?, &service);
    let done = ["done", "faulty"].iter().filter_map(|it| counts.rows.get(*it)).sum();
    let mut outcome = Outcome::of(store, &scope, id).await.map_err(refused)?;
    outcome.troubles.truncate(200);
    let decides = caller.may_decide().is_ok();
    let values = Shown { csrf: &agent.csrf, decides, merge, counts, done, outcome };
    Ok(page::desk(&service, "desk/merge.html.j2", Some(&agent.csrf), values)?.into_response())
}

#[derive(Deserialize)]
pub(super) struct Decided {
    csrf: String,
    decision: Decision,
}

/// What a person decides about a merge.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Pause,
    Resume,
    Cancel,
}

/// Does what was decided.
pub(super) async fn decide(
    State(service): State<Service>,
    agent: Agent,
    Id(id): Id,
    Form(decided): Form<Decided>,
) -> Result<Response, Refusal> {
    agent.check(&decided.csrf)?;
    let caller = &agent.caller;
    match decided.decision {
        Decision::Pause => set_paused(&service, caller, id, true).await?,
        Decision::Resume => set_paused(&service, caller, id, false).await?,
        Decision::Cancel => {
            caller.may_decide()?;
            let store = &caller.pipeline(&service).store;
            store.cancel_merge(&caller.scope(), id, service.at()).await?;
            axum::http::StatusCode::NO_CONTENT
        }
    };
    Ok(Redirect::to(&format!("/publipostages/{id}")).into_response())
}

/// The account of a merge as a page to keep: whole in itself, so it is saved and not shown here.
pub(super) async fn report(
    State(service): State<Service>,
    agent: Agent,
    Id(id): Id,
) -> Result<Response, Refusal> {
    let store = &agent.caller.pipeline(&service).store;
    let outcome = Outcome::of(store, &agent.caller.scope(), id).await.map_err(refused)?;
    let page = outcome.html(service.assets()).map_err(refused)?;
    let name = format!("attachment; filename=\"bilan-{id}.html\"");
    let kind = "text/html; charset=utf-8".to_owned();
    Ok(([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, name)], page).into_response())
}

impl Named {
    fn of(merge: Merge, service: &Service) -> Self {
        let file = submission(&merge).map(|it| it.file).ok();
        let office = service.rulebook().offices.directorates.get(&merge.office);
        let office = office.map_or_else(|| merge.office.clone(), |it| it.name.clone());
        Self { merge, file, office }
    }
}
