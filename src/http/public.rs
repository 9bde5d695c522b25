//! The public page that checks a paper or a file, in the reader's language, without script.
//!
//! A reference or a PDF in, a finding out. It tells no more than the paper does: kind, day, and whether it stands. A
//! file counts as genuine only if it is, byte for byte, one that was kept; its signatures are verified to tell a
//! changed file from a stranger's.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::multipart::MultipartError;
use axum::extract::{DefaultBodyLimit, Multipart, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::auth::limiter::Limiter;
use super::client::Client;
use super::link;
use super::page::{self, Language, Listener, Side};
use super::problem::Refusal;
use super::state::Service;
use crate::document::{Catalogue, Kind};
use crate::seal::verify::{Verdict, verify};
use crate::store::{By, Filter, Held, Page, Scope, State as Stage, StoreError};

/// The largest file that is looked at, in bytes; ours have less than one megabyte.
const FILE: usize = 10 << 20;
/// How often one address may ask, and in how many seconds.
const MOST: u32 = 60;
const WINDOW: i64 = 60;

/// What is found, in the order of the page's sentences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    Known,
    Genuine,
    Replaced,
    Cancelled,
    PartlySigned,
    Changed,
    Foreign,
    NotFound,
    NotPdf,
    TooLarge,
}

/// What the page says of it.
#[derive(Debug, Default, Serialize)]
struct Said {
    tone: &'static str,
    text: String,
    means: Option<String>,
    complete: Option<String>,
    facts: Vec<(String, String)>,
}

/// What fills the page.
#[derive(Serialize)]
struct Shown<'a> {
    side: Side<'a>,
    languages: Vec<Side<'a>>,
    place: &'a str,
    say: BTreeMap<&'static str, String>,
    said: Option<Said>,
}

#[derive(Deserialize)]
struct Asked {
    lang: Option<String>,
}

/// The verification page.
pub(super) fn routes(service: Service) -> Router<Service> {
    let limiter = Arc::new(Limiter::new(MOST, WINDOW));
    let pace = move |client: Client, request, next: Next| {
        let within = limiter.count(&client.0, service.at());
        answer(within, request, next)
    };
    Router::new()
        .route("/", get(|| async { Redirect::permanent("/v/") }))
        .route("/v/", get(ask).post(file).layer(DefaultBodyLimit::max(FILE + (64 << 10))))
        .route("/v/{*reference}", get(paper))
        .route("/accessibilite", get(accessibility))
        .route("/d/{code}", get(link::ask).post(link::open))
        .layer(from_fn(pace))
        .merge(page::files())
}

async fn answer(within: bool, request: axum::extract::Request, next: Next) -> Response {
    if within {
        return next.run(request).await;
    }
    Refusal::locked(WINDOW.unsigned_abs() as u32).into_response()
}

async fn accessibility(State(service): State<Service>) -> Result<Response, Refusal> {
    page::accessibility(&service, Listener::Public)
}

async fn ask(
    State(service): State<Service>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let language = Language::of(&service, asked.lang.as_deref(), &headers);
    show(&service, &language, "/v/", None)
}

/// What the mark on a paper leads to.
async fn paper(
    State(service): State<Service>,
    Path(reference): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let language = Language::of(&service, asked.lang.as_deref(), &headers);
    let held = find(&service, &reference).await?;
    let finding = held.as_ref().map_or(Finding::NotFound, |it| match it.state {
        Stage::Complete => Finding::Known,
        state => Finding::of(state),
    });
    let said = finding.say(&service, language.catalogue(), held.as_ref());
    show(&service, &language, &format!("/v/{}", page::escape(&reference)), Some((finding, said)))
}

/// What a dropped file is.
async fn file(
    State(service): State<Service>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    form: Multipart,
) -> Result<Response, Refusal> {
    let language = Language::of(&service, asked.lang.as_deref(), &headers);
    let (finding, held) = match read(form).await {
        Ok(Some(bytes)) => judge(&service, bytes).await?,
        Ok(None) => return show(&service, &language, "/v/", None),
        Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => (Finding::TooLarge, None),
        Err(_) => return Err(Refusal::new(StatusCode::BAD_REQUEST, "body", "the form is broken")),
    };
    let said = finding.say(&service, language.catalogue(), held.as_ref());
    show(&service, &language, "/v/", Some((finding, said)))
}

async fn read(mut form: Multipart) -> Result<Option<Vec<u8>>, MultipartError> {
    while let Some(field) = form.next_field().await? {
        if field.name() == Some("file") {
            let bytes = field.bytes().await?;
            return Ok((!bytes.is_empty()).then(|| bytes.to_vec()));
        }
    }
    Ok(None)
}

async fn judge(service: &Service, bytes: Vec<u8>) -> Result<(Finding, Option<Held>), Refusal> {
    if !bytes.starts_with(b"%PDF-") {
        return Ok((Finding::NotPdf, None));
    }
    let (store, at) = (&service.pipeline().store, service.at());
    if let Some((id, version)) = store.version_of(&Sha256::digest(&bytes).into()).await? {
        let held = store.document(&public(), id, at).await?;
        // A contract's earlier version lacks what came after it, whatever became of the contract.
        let then = held.versions.iter().find(|it| it.version == version).map(|it| it.state);
        let finding = match (held.state, then) {
            (Stage::Complete, Some(Stage::Complete)) => Finding::Genuine,
            (Stage::Complete, _) => Finding::PartlySigned,
            (state, _) => Finding::of(state),
        };
        return Ok((finding, Some(held)));
    }
    let own = service.clone();
    let report = service.on_a_core(move || verify(&bytes, own.trust(), at)).await?;
    let changed = report.verdict == Verdict::NotValid && !report.signatures.is_empty();
    Ok((if changed { Finding::Changed } else { Finding::Foreign }, None))
}

/// The document of a reference or an id.
async fn find(service: &Service, reference: &str) -> Result<Option<Held>, Refusal> {
    let (store, at) = (&service.pipeline().store, service.at());
    let id = match reference.parse::<Uuid>() {
        Ok(id) => Some(id),
        Err(_) => {
            let by = Some(By::Reference(reference.to_owned()));
            let filter = Filter { by, ..Filter::default() };
            let found = store.list(&public(), &filter, Page { after: None, most: 1 }).await?;
            found.first().map(|it| it.id)
        }
    };
    let Some(id) = id else { return Ok(None) };
    match store.document(&public(), id, at).await {
        Ok(held) => Ok(Some(held)),
        Err(StoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn public() -> Scope {
    Scope::all("public")
}

fn show(
    service: &Service,
    language: &Language<'_>,
    place: &str,
    found: Option<(Finding, Said)>,
) -> Result<Response, Refusal> {
    let catalogue = language.catalogue();
    let (finding, said) = found.unzip();
    let values = Shown {
        side: language.side(),
        languages: language.all(service),
        place,
        say: sentences(catalogue),
        said,
    };
    let status = match finding {
        Some(Finding::NotFound) => StatusCode::NOT_FOUND,
        Some(Finding::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::OK,
    };
    Ok((status, page::render(service, "public/verification.html.j2", values)?).into_response())
}

/// The page's own sentences, by the last part of their keys.
fn sentences(catalogue: &Catalogue) -> BTreeMap<&'static str, String> {
    let keys = ["title", "drop", "check", "privacy", "means", "contact"];
    keys.map(|it| (it, plain(catalogue, &format!("verification.{it}")))).into()
}

fn plain(catalogue: &Catalogue, key: &str) -> String {
    catalogue.say(key, &BTreeMap::new()).plain()
}

impl Finding {
    /// Of a document that is not complete.
    fn of(state: Stage) -> Self {
        match state {
            Stage::Complete => Self::Genuine,
            Stage::Presented | Stage::PartlySigned => Self::PartlySigned,
            Stage::Replaced => Self::Replaced,
            Stage::Cancelled | Stage::Refused | Stage::Lapsed => Self::Cancelled,
        }
    }

    /// Its sentence, and whether it is good news.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Known => ("known", "good"),
            Self::Genuine => ("genuine", "good"),
            Self::Replaced => ("replaced", "mind"),
            Self::Cancelled => ("cancelled", "bad"),
            Self::PartlySigned => ("partly_signed", "mind"),
            Self::Changed => ("changed", "bad"),
            Self::Foreign => ("foreign", "mind"),
            Self::NotFound => ("not_found", "bad"),
            Self::NotPdf => ("not_pdf", "mind"),
            Self::TooLarge => ("too_large", "mind"),
        }
    }

    fn say(self, service: &Service, catalogue: &Catalogue, held: Option<&Held>) -> Said {
        let (key, tone) = self.words();
        let means = format!("verification.{key}.means");
        let contract = held.and_then(|it| it.record.as_ref());
        let contract = contract.is_some_and(|it| it.kind != Kind::Convocation.name());
        let complete = contract && matches!(self, Self::Known | Self::Genuine);
        Said {
            tone,
            text: plain(catalogue, &format!("verification.{key}")),
            means: catalogue.has(&means).then(|| plain(catalogue, &means)),
            complete: complete.then(|| plain(catalogue, "verification.complete")),
            facts: held.map(|it| facts(service, catalogue, it)).unwrap_or_default(),
        }
    }
}

/// Kind and day, as the paper has them. An erased document has no kind any more.
fn facts(service: &Service, catalogue: &Catalogue, held: &Held) -> Vec<(String, String)> {
    let Some(record) = &held.record else { return Vec::new() };
    let rulebook = service.rulebook();
    let kind = match record.kind.as_str() {
        "cai" => "cai.title",
        "caif" => "caif.title",
        _ => "verification.letter",
    };
    let zone = rulebook.offices.directorates.get(&record.office);
    let zone = zone.map_or(chrono_tz::Europe::Paris, |it| it.time_zone(&rulebook.departments));
    let day = catalogue.long_date(held.created_at.with_timezone(&zone).date_naive());
    vec![
        (plain(catalogue, "verification.kind"), plain(catalogue, kind)),
        (plain(catalogue, "verification.date"), day.plain()),
    ]
}
