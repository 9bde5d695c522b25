//! The tablet: this one contract, page by page, and what the person decides.
//!
//! A decision in; the signed version kept before the answer goes out. Whoever sends it twice, because the network
//! dropped, is told the same twice: the version that was shown is signed once.

use axum::Json;
use axum::extract::{Form, Path, State};
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::super::auth::{cookie, cookie_name, set_cookie};
use super::super::client::Client;
use super::super::page::{self, Side};
use super::super::problem::Refusal;
use super::super::state::Service;
use super::sitting::{COOKIE, Contract, Sitting, Tablet};
use crate::document::{Catalogue, Datum, Signatory, Values};
use crate::seal::{Act, Evidence, Presented, Strokes};
use crate::store::State as Stage;

/// The pixels an inch of a page's picture.
const DPI: u32 = 130;

#[derive(Serialize)]
struct Asked {
    wrong: bool,
}

/// Where the agent types the code.
pub(super) async fn ask(State(service): State<Service>) -> Result<Response, Refusal> {
    let values = Asked { wrong: false };
    Ok(page::render(&service, "signing/code.html.j2", values)?.into_response())
}

#[derive(Deserialize)]
pub(super) struct Typed {
    code: String,
}

/// Opens the sitting, and ends the agent's session on this device: no typed address leads to another dossier.
pub(super) async fn enter(
    State(service): State<Service>,
    client: Client,
    headers: HeaderMap,
    Form(typed): Form<Typed>,
) -> Result<Response, Refusal> {
    let at = service.at();
    if service.failures().is_spent(&client.0, at) {
        return Err(Refusal::locked(service.failures().seconds()));
    }
    let Some(token) = Sitting::enter(&service, &typed.code).await? else {
        service.failures().count(&client.0, at);
        let wrong = page::render(&service, "signing/code.html.j2", Asked { wrong: true })?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, wrong).into_response());
    };
    if let Some(session) = cookie(&headers, cookie_name(&service)) {
        service.pipeline().store.end_session(&session).await?;
    }
    let cookies = AppendHeaders([
        (SET_COOKIE, set_cookie(&service, cookie_name(&service), "", 0)),
        (SET_COOKIE, set_cookie(&service, COOKIE, &token, 4 * 3_600)),
    ]);
    Ok((cookies, Redirect::to("/tablette/contrat")).into_response())
}

/// What fills the page.
#[derive(Serialize)]
struct Shown<'a> {
    /// The step it begins with.
    start: &'static str,
    side: Side<'a>,
    say: BTreeMap<String, String>,
    capacity: String,
    pages: Vec<Vec<String>>,
    emails: Vec<String>,
    reference: &'a str,
}

/// The contract.
pub(super) async fn show(
    State(service): State<Service>,
    Tablet(sitting, _): Tablet,
) -> Result<Response, Refusal> {
    let caller = sitting.caller();
    let contract = Contract::load(&service, &caller, sitting.document).await?;
    let (start, (contract, pages)) = match contract.version == sitting.version {
        true => ("welcome", contract.reading(&service, &caller).await?),
        false if signed(&contract, &sitting.field) => ("already", (contract, Vec::new())),
        false => ("replaced", (contract, Vec::new())),
    };
    let document = &contract.document;
    let catalogue = service.rulebook().catalogue(document.language());
    let people = document.signatories(service.rulebook());
    let name = |field: &str| people.iter().find(|it| it.field == field).map(|it| it.name.clone());
    let own = name(&sitting.field).unwrap_or_default();
    let person = name("applicant").unwrap_or_else(|| own.clone());
    let emails: Vec<_> = document.emails().into_iter().map(str::to_owned).collect();
    let minute = catalogue.count("unit.minutes", 1);
    let values = Values::from([
        ("person", Datum::raw(apart(&person))),
        ("email", Datum::raw(apart(&emails.join(", ")))),
        ("time", Datum::Phrase(minute)),
    ]);
    let capacity = match sitting.field.as_str() {
        "applicant" => "signing.as.applicant",
        "representative" => "signing.as.representative",
        _ => "signing.as.parent",
    };
    let values = Shown {
        start,
        side: Side::of(catalogue),
        say: sentences(catalogue, &values),
        capacity: catalogue.say(capacity, &values).plain(),
        pages,
        emails,
        reference: document.reference(),
    };
    Ok(page::render(&service, "signing/contract.html.j2", values)?.into_response())
}

/// Data that keeps its own direction in a sentence of another (Unicode UAX #9, first strong isolate).
fn apart(text: &str) -> String {
    format!("\u{2068}{text}\u{2069}")
}

/// All sentences of signing, by their key with `_` for the dots.
fn sentences(catalogue: &Catalogue, values: &Values) -> BTreeMap<String, String> {
    let keys =
        catalogue.messages.keys().filter_map(|key| Some((key, key.strip_prefix("signing.")?)));
    keys.map(|(key, name)| (name.replace('.', "_"), catalogue.say(key, values).plain())).collect()
}

/// The picture of a page.
pub(super) async fn picture(
    State(service): State<Service>,
    Tablet(sitting, _): Tablet,
    Path(number): Path<usize>,
) -> Result<Response, Refusal> {
    let caller = sitting.caller();
    let contract = Contract::load(&service, &caller, sitting.document).await?;
    let own = service.clone();
    let made = service.on_a_core(move || {
        let pipeline = caller.pipeline(&own);
        let marks = pipeline.marks(&contract.document);
        let (document, at) = (&contract.document, contract.issued);
        pipeline.renderer.preview(document, own.rulebook(), &marks, at, number, DPI)
    });
    let made = made.await?.map_err(crate::pipeline::IssueError::from)?;
    let png = made.png.ok_or_else(Refusal::not_found)?;
    Ok(([(CONTENT_TYPE, "image/png")], png).into_response())
}

/// What the person decides.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "act")]
pub(super) enum Decision {
    /// Signs what was read or heard, page by page.
    Sign { strokes: Strokes, pages: Vec<Presented>, interpreter: Option<String> },
    /// Declares being unable to sign: the agent certifies it at the desk.
    Unable,
    /// Refuses.
    Refuse,
    /// Asks for time.
    Later,
    /// Says that something in the contract is wrong: the agent corrects it.
    Mistake,
    /// Nobody is there any more.
    Leave,
}

/// What it has come to.
#[derive(Default, Serialize)]
struct Outcome {
    complete: bool,
    /// Who signs next, each in a sentence.
    waiting: Vec<String>,
}

/// Keeps a decision.
pub(super) async fn act(
    State(service): State<Service>,
    Tablet(sitting, token): Tablet,
    headers: HeaderMap,
    Json(decision): Json<Decision>,
) -> Result<Response, Refusal> {
    let (caller, at) = (sitting.caller(), service.at());
    let (scope, store) = (caller.scope(), &caller.pipeline(&service).store);
    let (id, field) = (sitting.document, sitting.field.as_str());
    let noted = match decision {
        Decision::Sign { strokes, pages, interpreter } => {
            let outcome = sign(&service, &sitting, strokes, &pages, interpreter, &headers).await?;
            return Ok(Json(outcome).into_response());
        }
        Decision::Refuse => {
            let (version, state) = (sitting.version, Stage::Refused);
            store.conclude(&scope, id, version, state, field, at).await?;
            None
        }
        Decision::Unable => Some("declared_unable"),
        Decision::Later => Some("asked_for_time"),
        Decision::Mistake => Some("reported_mistake"),
        Decision::Leave => Some("left"),
    };
    if let Some(action) = noted {
        store.note(&scope, id, action, field, at).await?;
    }
    Sitting::end(&service, &token).await?;
    Ok(Json(Outcome::default()).into_response())
}

/// Signs what was shown.
async fn sign(
    service: &Service,
    sitting: &Sitting,
    strokes: Strokes,
    pages: &[Presented],
    interpreter: Option<String>,
    headers: &HeaderMap,
) -> Result<Outcome, Refusal> {
    let (caller, at) = (sitting.caller(), service.at());
    let contract = Contract::load(service, &caller, sitting.document).await?;
    let outcome = outcome(service, &contract, &sitting.field);
    if contract.version != sitting.version {
        let detail = "the contract has changed since it was shown";
        let refusal = || Refusal::new(StatusCode::CONFLICT, "version", detail);
        return signed(&contract, &sitting.field).then_some(outcome).ok_or_else(refusal);
    }
    let interpreter = interpreter.map(|it| it.trim().to_owned()).filter(|it| !it.is_empty());
    let heard = pages.contains(&Presented::Heard);
    if pages.len() != sitting.pages || (heard && interpreter.is_none()) {
        let detail = "every page is read or heard, and who reads it aloud is named";
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "pages", detail));
    }
    let evidence = Evidence {
        agent: caller.actor.clone(),
        interpreter,
        language: contract.document.language().to_owned(),
        presented: if heard { Presented::Heard } else { Presented::Read },
        device: device(headers),
        signed_at: at,
        shown: sitting.shown.clone(),
    };
    let act = Act::Strokes { strokes, evidence };
    let (id, field) = (sitting.document, &sitting.field);
    let pipeline = caller.pipeline(service);
    pipeline.sign(&caller.scope(), id, sitting.version, field, act, at).await?;
    Ok(outcome)
}

/// Whether a party has signed a contract.
fn signed(contract: &Contract, field: &str) -> bool {
    contract.sealed.fields().iter().any(|it| it.name == field && it.signed)
}

/// What it has come to once `field` is signed: whose signature is still awaited.
fn outcome(service: &Service, contract: &Contract, field: &str) -> Outcome {
    let catalogue = service.rulebook().catalogue(contract.document.language());
    let people = contract.document.signatories(service.rulebook());
    let awaited = people.iter().filter(|it| it.field != field && !signed(contract, &it.field));
    let sentence = |it: &Signatory| match it.field.as_str() {
        "authority" => catalogue.say("signing.waiting.authority", &Values::new()).plain(),
        _ => {
            let person = Values::from([("person", Datum::raw(apart(&it.name)))]);
            catalogue.say("signing.waiting.applicant", &person).plain()
        }
    };
    let waiting: Vec<_> = awaited.map(sentence).collect();
    Outcome { complete: waiting.is_empty(), waiting }
}

/// The tablet, as its browser names it: the first 80 printable characters of ASCII.
fn device(headers: &HeaderMap) -> String {
    let agent = headers.get("user-agent").and_then(|it| it.to_str().ok());
    let name: String = agent.unwrap_or_default().chars().take(80).collect();
    if name.is_empty() { "tablet".to_owned() } else { name }
}
