//! The print run of a merge: its letters by post, in the order of the machine that fills envelopes.
//!
//! A merge in; counts for the franking machine, the list of envelopes and the sheets asked for out. The same letters
//! give the same run each time, so that a part of it is printed again after a jam.

use std::ops::RangeInclusive;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use uuid::Uuid;

use super::super::auth::{Agent, Caller};
use super::super::documents::pdf;
use super::super::extract::Id;
use super::super::merges::refused;
use super::super::page;
use super::super::problem::Refusal;
use super::super::state::Service;
use crate::document::Document;
use crate::merge::outcome::{as_issued, letters_to_print};
use crate::merge::print::{Count, Envelope, Post, Press, PrintRun};

/// Which run, and which sheets of it.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    /// `120-131`, counted from 1.
    sheets: Option<String>,
    /// Whether it is printed on one side only.
    #[serde(default)]
    one_sided: bool,
}

#[derive(Serialize)]
struct Shown {
    id: Uuid,
    run: String,
    one_sided: bool,
    envelopes: usize,
    sheets: usize,
    counts: Vec<Count>,
    parts: Vec<Part>,
}

/// Envelopes that are printed as one file.
#[derive(Serialize)]
struct Part {
    first: usize,
    last: usize,
    sheets: String,
}

/// What there is to print.
pub(super) async fn show(
    State(service): State<Service>,
    agent: Agent,
    Id(id): Id,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Refusal> {
    let run = plan(&service, &agent.caller, id, wanted.one_sided).await?;
    let values = Shown {
        id,
        run: run.id.clone(),
        one_sided: wanted.one_sided,
        envelopes: run.envelopes.len(),
        sheets: run.sheets(),
        counts: run.counts(),
        parts: run.files(None).iter().map(|it| Part::of(it)).collect(),
    };
    Ok(page::desk(&service, "desk/printing.html.j2", Some(&agent.csrf), values)?.into_response())
}

/// The envelopes as a table.
pub(super) async fn table(
    State(service): State<Service>,
    agent: Agent,
    Id(id): Id,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Refusal> {
    let run = plan(&service, &agent.caller, id, wanted.one_sided).await?;
    let name = format!("attachment; filename=\"tirage-{}.csv\"", run.id);
    let kind = "text/csv; charset=utf-8".to_owned();
    Ok(([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, name)], run.list()).into_response())
}

/// The sheets asked for, of envelopes that hold as many sheets each: the machine is set by it.
pub(super) async fn sheets(
    State(service): State<Service>,
    agent: Agent,
    Id(id): Id,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Refusal> {
    let sheets = range(wanted.sheets.as_deref().unwrap_or_default())?;
    let run = plan(&service, &agent.caller, id, wanted.one_sided).await?;
    let parts: Vec<Part> = run.files(Some(&sheets)).iter().map(|it| Part::of(it)).collect();
    match &parts[..] {
        [_] => {}
        [] => return Err(asked(format!("le tirage a {} feuilles", run.sheets()))),
        parts => {
            let parts = parts.iter().map(|it| it.sheets.as_str()).collect::<Vec<_>>().join(", ");
            return Err(asked(format!("les plis n’ont pas tous autant de feuilles : {parts}")));
        }
    }
    let name = format!("tirage-{}-{}-{}.pdf", run.id, sheets.start(), sheets.end());
    let (own, caller, at, handle) =
        (service.clone(), agent.caller, service.at(), Handle::current());
    let work = move || {
        let (pipeline, scope) = (caller.pipeline(&own), caller.unnoted_scope());
        let press = Press {
            rulebook: &pipeline.rulebook,
            renderer: &pipeline.renderer,
            marks: &|document: &Document| pipeline.marks(document),
            fetch: &|id| handle.block_on(as_issued(pipeline, &scope, id, at)),
            at,
        };
        let files = run.files(Some(&sheets));
        let file = files.first().map(Vec::as_slice).unwrap_or_default();
        run.write(file, press, Vec::new(), &mut |_| {}).map(|it| it.0)
    };
    let file = service.on_its_own(work).await?.map_err(refused)?;
    Ok((pdf(&name), file).into_response())
}

impl Part {
    fn of(file: &[&Envelope]) -> Self {
        let (first, last) = (file.first(), file.last());
        let sheet = first.map_or(1, |it| it.first_sheet);
        let sheets = format!("{sheet}-{}", last.map_or(1, |it| it.first_sheet + it.sheets - 1));
        Self {
            first: first.map_or(0, |it| it.number),
            last: last.map_or(0, |it| it.number),
            sheets,
        }
    }
}

async fn plan(
    service: &Service,
    caller: &Caller,
    id: Uuid,
    one_sided: bool,
) -> Result<PrintRun, Refusal> {
    let pipeline = caller.pipeline(service);
    let letters = letters_to_print(pipeline, &caller.scope(), id, service.at()).await;
    let letters = letters.map_err(refused)?;
    Ok(PrintRun::plan(letters, !one_sided, &Post::load(service.assets()).map_err(refused)?))
}

fn range(text: &str) -> Result<RangeInclusive<usize>, Refusal> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse(), last.trim().parse()) {
        (Ok(first), Ok(last)) if 0 < first && first <= last => Ok(first..=last),
        _ => Err(asked("feuilles : écrivez deux numéros, comme 120-131".to_owned())),
    }
}

fn asked(detail: String) -> Refusal {
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "sheets", detail)
}
