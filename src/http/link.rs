//! The public page that opens a document by the link in its mail, in the reader's language, without script.
//!
//! A code, a reference and a date of birth in, the PDF out. The page tells nothing before: not even whether the code is
//! one. Tries are few, by link and by address of the client; what is wrong is not told apart.

use std::collections::BTreeMap;

use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::client::Client;
use super::documents::pdf;
use super::page::{self, Language, Side};
use super::problem::Refusal;
use super::state::Service;
use crate::document::Document;
use crate::pipeline::Pipeline;
use crate::store::{Linked, Scope, State as Stage, StoreError};

#[derive(Deserialize)]
pub(super) struct Asked {
    lang: Option<String>,
}

/// What the reader gives.
#[derive(Deserialize)]
pub(super) struct Given {
    reference: String,
    birth: String,
}

/// What fills the page.
#[derive(Serialize)]
struct Shown<'a> {
    side: Side<'a>,
    languages: Vec<Side<'a>>,
    place: String,
    say: BTreeMap<&'static str, String>,
    fault: Option<String>,
    reference: &'a str,
    birth: &'a str,
}

/// Asks for reference and date of birth, whatever the code.
pub(super) async fn ask(
    State(service): State<Service>,
    Path(code): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let language = Language::of(&service, asked.lang.as_deref(), &headers);
    show(&service, &language, &code, None, ("", ""))
}

/// Opens the document.
pub(super) async fn open(
    State(service): State<Service>,
    client: Client,
    Path(code): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    Form(given): Form<Given>,
) -> Result<Response, Refusal> {
    let language = Language::of(&service, asked.lang.as_deref(), &headers);
    let typed = (given.reference.as_str(), given.birth.as_str());
    let at = service.at();
    if service.failures().is_spent(&client.0, at) {
        return Err(Refusal::locked(service.failures().seconds()));
    }
    let mut found = None;
    for pipeline in pipelines(&service) {
        if let Some(linked) = pipeline.store.try_link(&code, at).await? {
            found = Some((pipeline, linked));
            break;
        }
    }
    let Some((pipeline, linked)) = found else {
        service.failures().count(&client.0, at);
        return show(&service, &language, &code, Some("mail.link.closed"), typed);
    };
    match read(pipeline, linked, &given, at).await? {
        Read::Right(file) => {
            pipeline.store.opened_link(linked, at).await?;
            Ok((pdf(&format!("{}.pdf", linked.document)), file).into_response())
        }
        Read::Wrong => {
            service.failures().count(&client.0, at);
            show(&service, &language, &code, Some("mail.link.wrong"), typed)
        }
        Read::Gone => show(&service, &language, &code, Some("mail.link.closed"), typed),
    }
}

/// Where a link may lead: to what has value, or to a specimen.
fn pipelines(service: &Service) -> Vec<&Pipeline> {
    let apart = !std::sync::Arc::ptr_eq(service.pipeline(), service.tests());
    let tests = apart.then(|| &**service.tests());
    std::iter::once(&**service.pipeline()).chain(tests).collect()
}

/// What a try comes to.
enum Read {
    Right(Vec<u8>),
    Wrong,
    Gone,
}

async fn read(
    pipeline: &Pipeline,
    linked: Linked,
    given: &Given,
    at: chrono::DateTime<chrono::Utc>,
) -> Result<Read, Refusal> {
    let (scope, store, id) = (Scope::all("link"), &pipeline.store, linked.document);
    let held = match store.document(&scope, id, at).await {
        Ok(held) => held,
        Err(StoreError::Erased | StoreError::NotFound(_)) => return Ok(Read::Gone),
        Err(error) => return Err(error.into()),
    };
    let (Some(record), Stage::Complete) = (&held.record, held.state) else {
        return Ok(Read::Gone);
    };
    let data = store.data(&scope, id, at).await?;
    let document = Document::check(&data, &pipeline.rulebook, held.created_at);
    let document = document.map_err(Refusal::data)?;
    let same = |text: &str| text.to_lowercase().split_whitespace().collect::<String>();
    let born = date(&given.birth);
    let knows = document.births().iter().any(|it| Some(*it) == born.as_deref());
    if same(&given.reference) != same(&record.reference) || !knows {
        return Ok(Read::Wrong);
    }
    Ok(Read::Right(store.file(&scope, id, Some(linked.version), at).await?))
}

/// A date as people write it, as data has it: `17/04/1992`, `1992-04-17`, `17.4.1992`, in digits of any script; `1992`
/// where no more is known. Day before month, as on every paper of ours.
fn date(text: &str) -> Option<String> {
    let digit = |it: char| it.to_digit(10).or_else(|| other_digit(it));
    let mut parts: Vec<String> = vec![String::new()];
    for it in text.trim().chars() {
        match (digit(it), parts.last_mut()) {
            (Some(digit), Some(last)) => last.push_str(&digit.to_string()),
            (None, Some(last)) if !last.is_empty() => parts.push(String::new()),
            _ => {}
        }
    }
    parts.retain(|it| !it.is_empty());
    if let [all] = &parts[..]
        && all.len() == 8
    {
        parts = vec![all[..2].to_owned(), all[2..4].to_owned(), all[4..].to_owned()];
    }
    let year = parts.iter().position(|it| it.len() == 4)?;
    if year != 0 {
        parts.reverse();
    }
    let numbers: Vec<u32> = parts.iter().map(|it| it.parse().ok()).collect::<Option<_>>()?;
    match numbers[..] {
        [year] => Some(format!("{year:04}")),
        [year, month] => Some(format!("{year:04}-{month:02}")),
        [year, month, day] => Some(format!("{year:04}-{month:02}-{day:02}")),
        _ => None,
    }
}

/// The value of a decimal digit of the scripts that our readers write (Unicode, general category Nd): each script has
/// its ten in a row.
fn other_digit(it: char) -> Option<u32> {
    const ZEROS: [u32; 7] = [0x0660, 0x06F0, 0x0966, 0x09E6, 0x0BE6, 0x17E0, 0xFF10];
    ZEROS.into_iter().find_map(|zero| u32::from(it).checked_sub(zero).filter(|value| *value < 10))
}

fn show(
    service: &Service,
    language: &Language<'_>,
    code: &str,
    fault: Option<&str>,
    (reference, birth): (&str, &str),
) -> Result<Response, Refusal> {
    let catalogue = language.catalogue();
    let plain = |key: &str| catalogue.say(key, &BTreeMap::new()).plain();
    let say = [
        ("open", "mail.link.open"),
        ("secret", "mail.link.secret"),
        ("reference", "label.reference"),
        ("birth", "children.birth"),
    ];
    let values = Shown {
        side: language.side(),
        languages: language.all(service),
        place: format!("/d/{}", page::escape(code)),
        say: say.map(|(name, key)| (name, plain(key))).into(),
        fault: fault.map(plain),
        reference,
        birth,
    };
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, page::render(service, "public/link.html.j2", values)?).into_response())
}
