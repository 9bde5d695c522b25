//! `/v1/merges`: a list of appointments is checked as a whole, then its letters are made, followed and accounted for.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::auth::Caller;
use super::documents::{Piece, UuidText, limit};
use super::extract::{Asked, Id, Key, Upload};
use super::lists::{Checked, check, columns};
use super::problem::Refusal;
use super::state::Service;
use crate::merge::outcome::Outcome;
use crate::merge::preflight::{Acceptance, Preflight, PreflightOptions};
use crate::merge::rows::RowOptions;
use crate::merge::run::{Terms, submit};
use crate::merge::{MergeError, report};
use crate::store::{Counts, Merge, Page};

/// The largest file of rows, in bytes.
pub(super) const FILE: usize = 32 << 20;

/// How a list is read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct How {
    /// The name of the file, for reports.
    file: Option<String>,
    /// The step of rows that name none.
    step: Option<String>,
    /// The sheet of a workbook that has several.
    sheet: Option<String>,
    /// Check only.
    #[serde(default)]
    dry_run: bool,
    /// Go on with the sound rows.
    #[serde(default)]
    skip_faulty: bool,
    /// Rules of practice to set aside for the whole list, separated by commas; with `reason` and `by`.
    accept: Option<String>,
    /// Why they do not matter here.
    reason: Option<String>,
    /// Who decided so.
    by: Option<String>,
}

/// Which merges are listed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// The id that the piece before ended with.
    after: Option<UuidText>,
    /// How many, at the most 200.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
}

/// A merge and how it stands.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Progress {
    /// The merge.
    merge: Merge,
    /// Its rows and mails by state.
    counts: Counts,
}

/// Checks a list (CSV, XLSX or JSON lines) as a whole and, unless it is a dry run, starts to make its letters.
pub(super) async fn begin(
    State(service): State<Service>,
    caller: Caller,
    Asked(how): Asked<How>,
    _: Key,
    Upload(file): Upload,
) -> Result<Response, Refusal> {
    caller.may_decide()?;
    let (own, who, at) = (service.clone(), caller.clone(), service.at());
    let options = how.options(&service)?;
    let accepted = options.accepted.clone();
    let work = move || check(&own, &who, &file, &options, at, &mut |_| {});
    let Checked { found, spool, .. } = service.on_its_own(work).await?.map_err(refused)?;
    let said = said(&found, &service);
    if how.dry_run {
        return Ok(Json(said).into_response());
    }
    if found.stopped || (!found.is_sound() && !how.skip_faulty) || found.sound == 0 {
        return Err(Refusal::list(said));
    }
    let name = how.file.unwrap_or_else(|| "rows".to_owned());
    let store = &caller.pipeline(&service).store;
    let scope = caller.scope();
    let terms = Terms { file: &name, preflight: &found, accepted: &accepted, not_before: None };
    let id = submit(store, &scope, spool, terms, at).await;
    let id = id.map_err(refused)?;
    let place = [(LOCATION, format!("/v1/merges/{id}"))];
    Ok((StatusCode::CREATED, place, Json(json!({ "id": id, "preflight": said }))).into_response())
}

/// Lists merges, the newest first.
pub(super) async fn list(
    State(service): State<Service>,
    caller: Caller,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<Piece<Merge>>, Refusal> {
    let limit = limit(wanted.limit)?;
    let page = Page { after: wanted.after.map(|it| it.0), most: limit + 1 };
    let store = &caller.pipeline(&service).store;
    let items = store.merges(&caller.scope(), page).await?;
    Ok(Json(Piece::of(items, limit, |it| it.id.to_string())))
}

/// A merge and how it stands.
pub(super) async fn show(
    State(service): State<Service>,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<Progress>, Refusal> {
    let (store, scope) = (&caller.pipeline(&service).store, caller.scope());
    let merge = store.merge(&scope, id).await?;
    Ok(Json(Progress { merge, counts: store.merge_counts(&scope, id).await? }))
}

/// What became of every row and mail: JSON.
pub(super) async fn outcome(
    State(service): State<Service>,
    caller: Caller,
    Id(id): Id,
) -> Result<Response, Refusal> {
    let store = &caller.pipeline(&service).store;
    let outcome = Outcome::of(store, &caller.scope(), id).await.map_err(refused)?;
    Ok(Json(outcome).into_response())
}

/// The same as a table that a spreadsheet opens.
pub(super) async fn table(
    State(service): State<Service>,
    caller: Caller,
    Id(id): Id,
) -> Result<Response, Refusal> {
    let store = &caller.pipeline(&service).store;
    let outcome = Outcome::of(store, &caller.scope(), id).await.map_err(refused)?;
    let name = format!("attachment; filename=\"{id}.csv\"");
    let kind = "text/csv; charset=utf-8".to_owned();
    Ok(([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, name)], outcome.csv()).into_response())
}

/// Pauses a merge.
pub(super) async fn pause(
    State(service): State<Service>,
    caller: Caller,
    Id(id): Id,
    _: Key,
) -> Result<StatusCode, Refusal> {
    set_paused(&service, &caller, id, true).await
}

/// Goes on with a merge.
pub(super) async fn resume(
    State(service): State<Service>,
    caller: Caller,
    Id(id): Id,
    _: Key,
) -> Result<StatusCode, Refusal> {
    set_paused(&service, &caller, id, false).await
}

/// Stops a merge for good; what was done stays.
pub(super) async fn cancel(
    State(service): State<Service>,
    caller: Caller,
    Id(id): Id,
    _: Key,
) -> Result<StatusCode, Refusal> {
    caller.may_decide()?;
    let store = &caller.pipeline(&service).store;
    store.cancel_merge(&caller.scope(), id, service.at()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pauses a merge or goes on with it.
pub(super) async fn set_paused(
    service: &Service,
    caller: &Caller,
    id: uuid::Uuid,
    paused: bool,
) -> Result<StatusCode, Refusal> {
    caller.may_decide()?;
    let store = &caller.pipeline(service).store;
    store.pause_merge(&caller.scope(), id, paused, service.at()).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl How {
    fn options(&self, service: &Service) -> Result<PreflightOptions, Refusal> {
        let columns = columns(service).map_err(refused)?;
        let step = columns.header_of("/step").zip(self.step.clone());
        let defaults = step.into_iter().collect();
        let rows = RowOptions { sheet: self.sheet.clone(), defaults, ..RowOptions::default() };
        let codes = self.accept.as_deref().unwrap_or_default().split(',').map(str::trim);
        let codes = codes.filter(|it| !it.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        let accepted = match (&self.reason, &self.by) {
            (Some(reason), Some(by)) => {
                let accepted = |code| Acceptance { code, reason: reason.clone(), by: by.clone() };
                codes.into_iter().map(accepted).collect()
            }
            _ if codes.is_empty() => Vec::new(),
            _ => {
                let detail = "accept goes with reason and by";
                return Err(Refusal::new(StatusCode::BAD_REQUEST, "parameters", detail));
            }
        };
        Ok(PreflightOptions { rows, accepted, threads: 1 })
    }
}

/// What was found, in words: counts and the first findings.
fn said(found: &Preflight, service: &Service) -> Value {
    const SHOWN: usize = 500;
    let findings = &found.findings[..found.findings.len().min(SHOWN)];
    let mut value = json!(found);
    value["sound_list"] = json!(found.is_sound());
    value["more"] = json!(found.findings.len() - findings.len());
    value["findings"] = json!(report::say(findings, service.rulebook(), "fr"));
    value
}

pub(super) fn refused(error: MergeError) -> Refusal {
    match error {
        MergeError::Refused(finding) => Refusal::data(vec![finding.problem]),
        MergeError::Store(error) => error.into(),
        MergeError::Issue(error) => error.into(),
        error => {
            tracing::error!("a merge failed: {error}");
            Refusal::ours()
        }
    }
}
