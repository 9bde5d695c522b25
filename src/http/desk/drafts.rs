//! A list in preparation: uploaded, its columns understood, checked, mended, checked again, and begun.
//!
//! A file and how it is read in, a page about what was found out. The check goes on by itself and notes how far it has
//! come; whoever began it may look away. The start checks once more, for what is known may have changed meanwhile.

use std::collections::BTreeMap;

use axum::extract::{Form, Multipart, Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{NaiveDate, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Europe::Paris;
use serde::{Deserialize, Serialize};
use serde_json::{Value, from_slice, to_vec};
use uuid::Uuid;

use super::super::auth::Agent;
use super::super::documents::pdf;
use super::super::extract::Id;
use super::super::lists::columns;
use super::super::merges::refused;
use super::super::page;
use super::super::problem::Refusal;
use super::super::state::Service;
use super::draft_check::{self, Found};
use super::proof;
use crate::merge::preflight::{Acceptance, PreflightOptions};
use crate::merge::rows::{Columns, RowOptions};
use crate::store::{Draft, StoreError};

/// How a list is read, as its owner said.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Asked {
    /// The name of its file.
    pub(super) file: String,
    sheet: Option<String>,
    step: Option<String>,
    /// Headers of the file by what they stand for; an empty one is not read.
    columns: BTreeMap<String, String>,
    /// Rules of practice set aside, why, and by whom.
    accept: Vec<String>,
    reason: String,
    by: String,
    posted_on: Option<NaiveDate>,
    /// In the time of Paris.
    not_before: Option<NaiveDateTime>,
    /// Whether it begins although rows are at fault.
    #[serde(default)]
    pub(super) skip_faulty: bool,
}

impl Asked {
    fn of(draft: &Draft) -> Result<Self, Refusal> {
        from_slice(&draft.asked).map_err(|_| Refusal::ours())
    }

    /// What the preflight is told.
    pub(super) fn options(&self, columns: &Columns) -> PreflightOptions {
        let step = columns.header_of("/step").zip(self.step.clone());
        let rows = RowOptions {
            sheet: self.sheet.clone(),
            defaults: step.into_iter().collect(),
            aliases: self.columns.clone(),
            posted_on: self.posted_on,
            ..RowOptions::default()
        };
        let (reason, by) = (&self.reason, &self.by);
        let accepted = self.accept.iter().map(|code| Acceptance {
            code: code.clone(),
            reason: reason.clone(),
            by: by.clone(),
        });
        PreflightOptions { rows, accepted: accepted.collect(), threads: 1 }
    }

    /// Before this no mail of it leaves.
    pub(super) fn not_before(&self) -> Option<chrono::DateTime<Utc>> {
        let local = self.not_before.map(|it| Paris.from_local_datetime(&it))?;
        local.earliest().map(|it| it.with_timezone(&Utc))
    }
}

/// Takes a file and begins its check. Fields before the file say how it is read.
pub(super) async fn make(
    State(service): State<Service>,
    agent: Agent,
    mut form: Multipart,
) -> Result<Response, Refusal> {
    agent.caller.may_decide()?;
    let (mut asked, mut file, mut csrf) = (Asked::default(), Vec::new(), String::new());
    while let Some(field) = form.next_field().await.map_err(|it| unreadable(&it))? {
        let name = field.name().unwrap_or_default().to_owned();
        if name == "file" {
            agent.check(&csrf)?;
            asked.file = field.file_name().unwrap_or_default().chars().take(200).collect();
            file = field.bytes().await.map_err(|it| unreadable(&it))?.to_vec();
            continue;
        }
        let text = field.text().await.map_err(|it| unreadable(&it))?;
        match name.as_str() {
            "csrf" => csrf = text,
            "step" => asked.step = Some(text).filter(|it| !it.is_empty()),
            _ => {}
        }
    }
    agent.check(&csrf)?;
    let caller = agent.caller;
    let (store, at) = (&caller.pipeline(&service).store, service.at());
    let asked = to_vec(&asked).map_err(|_| Refusal::ours())?;
    let id = store.make_draft(&caller.scope(), &file, &asked, at).await?;
    draft_check::begin(&service, &caller, id, asked, false).await?;
    Ok(Redirect::to(&place(id)).into_response())
}

/// What fills the page.
#[derive(Serialize)]
struct Shown<'a> {
    csrf: &'a str,
    id: Uuid,
    state: &'a str,
    done: u32,
    asked: Asked,
    found: Option<Found>,
    steps: Vec<(&'a str, &'a str)>,
    headers: Vec<String>,
}

/// What was found, or how far the check has come.
pub(super) async fn show(
    State(service): State<Service>,
    agent: Agent,
    Id(id): Id,
) -> Result<Response, Refusal> {
    let (scope, at) = (agent.caller.scope(), service.at());
    let store = &agent.caller.pipeline(&service).store;
    let draft = store.draft(&scope, id, at).await?;
    if let Some(merge) = draft.merge {
        return Ok(Redirect::to(&format!("/publipostages/{merge}")).into_response());
    }
    let columns = columns(&service).map_err(refused)?;
    let headers = columns.columns.iter().flat_map(|it| (0..it.repeat).map(|n| it.header(n)));
    let values = Shown {
        csrf: &agent.csrf,
        id,
        state: &draft.state,
        done: draft.done,
        asked: Asked::of(&draft)?,
        found: draft.found.as_deref().and_then(|it| from_slice(it).ok()),
        steps: columns.options("step"),
        headers: headers.collect(),
    };
    Ok(page::desk(&service, "desk/draft.html.j2", Some(&agent.csrf), values)?.into_response())
}

/// Says how it is read, and has it checked anew or begun. Columns come in the order of the headings, each with its
/// name before what it stands for.
pub(super) async fn change(
    State(service): State<Service>,
    agent: Agent,
    Id(id): Id,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, Refusal> {
    let of = |name: &str| fields.iter().find(|it| it.0 == name).map(|it| it.1.trim());
    agent.check(of("csrf").unwrap_or_default())?;
    let caller = agent.caller;
    caller.may_decide()?;
    let (store, scope, at) = (&caller.pipeline(&service).store, caller.scope(), service.at());
    if of("act") == Some("drop") {
        store.drop_draft(&scope, id, at).await?;
        return Ok(Redirect::to("/publipostages").into_response());
    }
    let mut asked = Asked::of(&store.draft(&scope, id, at).await?)?;
    let starting = of("act") == Some("start");
    if starting {
        asked.skip_faulty = of("skip_faulty").is_some();
    } else {
        let filled = |name: &str| of(name).filter(|it| !it.is_empty()).map(str::to_owned);
        asked.sheet = filled("sheet");
        asked.step = filled("step");
        asked.posted_on = filled("posted_on").and_then(|it| it.parse().ok());
        asked.not_before = filled("not_before").and_then(|it| moment(&it));
        let all = |name: &'static str| fields.iter().filter(move |it| it.0 == name);
        asked.accept = all("accept").map(|it| it.1.clone()).collect();
        asked.reason = filled("reason").unwrap_or_default();
        asked.by = filled("by").unwrap_or_default();
        let pairs = all("heading").zip(all("column")).filter(|(_, column)| !column.1.is_empty());
        let meant = |column: &str| if column == "-" { String::new() } else { column.to_owned() };
        asked.columns = pairs.map(|(name, it)| (name.1.clone(), meant(&it.1))).collect();
    }
    let asked = to_vec(&asked).map_err(|_| Refusal::ours())?;
    match draft_check::begin(&service, &caller, id, asked, starting).await {
        // Whoever presses twice sees what the first press began.
        Ok(()) | Err(StoreError::Settled(_)) => Ok(Redirect::to(&place(id)).into_response()),
        Err(error) => Err(error.into()),
    }
}

/// The file back, with a column that says what is wrong.
pub(super) async fn marked(
    State(service): State<Service>,
    agent: Agent,
    Id(id): Id,
) -> Result<Response, Refusal> {
    let (scope, at) = (agent.caller.scope(), service.at());
    let store = &agent.caller.pipeline(&service).store;
    let (_, file) = store.draft_files(&scope, id, at).await?;
    let file = file.ok_or_else(Refusal::not_found)?;
    let (kind, extension) = match file.starts_with(b"PK") {
        true => ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
        false => ("text/csv; charset=utf-8", "csv"),
    };
    let name = format!("attachment; filename=\"a-corriger.{extension}\"");
    Ok(([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, name)], file).into_response())
}

/// A specimen of one of the letters, as a PDF.
pub(super) async fn proof_page(
    State(service): State<Service>,
    agent: Agent,
    Path((id, row)): Path<(Uuid, u64)>,
) -> Result<Response, Refusal> {
    let input = proof_input(&service, &agent, id, row).await?;
    let (file, _) = proof::render(&service, &agent.caller, input).await?;
    Ok((pdf(&format!("epreuve-{row}.pdf")), file).into_response())
}

/// Which letter goes where.
#[derive(Deserialize)]
pub(super) struct Addressed {
    csrf: String,
    row: u64,
    address: String,
}

#[derive(Serialize)]
struct Sent {
    id: Uuid,
    address: String,
    went: proof::Went,
}

/// Mails a specimen of one of the letters to whoever asks for it.
pub(super) async fn proof_mail(
    State(service): State<Service>,
    agent: Agent,
    Id(id): Id,
    Form(addressed): Form<Addressed>,
) -> Result<Response, Refusal> {
    agent.check(&addressed.csrf)?;
    agent.caller.may_decide()?;
    let input = proof_input(&service, &agent, id, addressed.row).await?;
    let address = addressed.address.trim().to_owned();
    let (scope, at) = (agent.caller.scope(), service.at());
    let store = &agent.caller.pipeline(&service).store;
    store.note(&scope, id, "proof_mailed", &addressed.row.to_string(), at).await?;
    let went = proof::mail(&service, &agent.caller, input, &address).await?;
    let values = Sent { id, address, went };
    Ok(page::desk(&service, "desk/proof.html.j2", Some(&agent.csrf), values)?.into_response())
}

/// The data of a letter of the proof.
async fn proof_input(
    service: &Service,
    agent: &Agent,
    id: Uuid,
    row: u64,
) -> Result<Vec<u8>, Refusal> {
    let store = &agent.caller.pipeline(service).store;
    let draft = store.draft(&agent.caller.scope(), id, service.at()).await?;
    let found: Option<Found> = draft.found.as_deref().and_then(|it| from_slice(it).ok());
    let letter = found.and_then(|it| it.proof.into_iter().find(|it| it.row == row));
    let input: Value = letter.ok_or_else(Refusal::not_found)?.input;
    Ok(input.to_string().into_bytes())
}

fn place(id: Uuid) -> String {
    format!("/publipostages/preparation/{id}")
}

/// A moment as browsers write it in a form: `2026-03-02T09:00`.
fn moment(text: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").ok()
}

/// A form that cannot be read.
pub(super) fn unreadable(error: &axum::extract::multipart::MultipartError) -> Refusal {
    let code = if error.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
        "too_large"
    } else {
        "body"
    };
    Refusal::new(error.status(), code, error.body_text())
}
