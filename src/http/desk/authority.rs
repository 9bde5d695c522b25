//! The contracts of the half-day that wait for the prefect or the delegate: shown, opened, and signed by one act.
//!
//! A certificate and its PIN, given once, sign every contract that is chosen; each one's end is told by itself. The key
//! is used for this act and kept nowhere.

use std::sync::Arc;

use axum::extract::multipart::MultipartError;
use axum::extract::{Multipart, State};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use serde::Serialize;
use uuid::Uuid;

use super::super::auth::{Agent, Caller};
use super::super::page;
use super::super::problem::Refusal;
use super::super::state::Service;
use super::drafts::unreadable;
use crate::class::Class;
use crate::pipeline::IssueError;
use crate::seal::{Act, KeyError, Pkcs11Key, SealError, SealedPdf, Signer, SoftwareKey};
use crate::secret::Secret;
use crate::store::{Filter, Page, Receipt, State as Stage, StoreError, Summary};

/// The field of who signs for the State.
const FIELD: &str = "authority";
/// The most contracts of one act, and how many are signed at once.
const MOST: u32 = 200;
const AT_ONCE: usize = 4;

/// A contract that waits for the State alone.
#[derive(Serialize)]
struct Waiting {
    #[serde(flatten)]
    summary: Summary,
    language: String,
    /// SHA-256 of the file that is shown.
    shown: String,
}

#[derive(Serialize)]
struct Listed<'a> {
    csrf: &'a str,
    items: Vec<Waiting>,
    writes: bool,
    specimen: bool,
    /// The label of the token that is here.
    token: Option<&'a str>,
    fault: Option<KeyFault>,
}

/// Why a key does not open or sign: a word for the page, and until or from when.
#[derive(Serialize)]
struct KeyFault {
    code: &'static str,
    at: Option<DateTime<Utc>>,
}

/// What waits.
pub(super) async fn list(
    State(service): State<Service>,
    agent: Agent,
) -> Result<Response, Refusal> {
    listed(&service, &agent, None).await
}

async fn listed(
    service: &Service,
    agent: &Agent,
    fault: Option<KeyFault>,
) -> Result<Response, Refusal> {
    let caller = &agent.caller;
    let values = Listed {
        csrf: &agent.csrf,
        items: waiting(service, caller).await?,
        writes: caller.may_write().is_ok(),
        specimen: caller.pipeline(service).specimen,
        token: service.config().seal.authority.as_ref().map(|it| it.token.as_str()),
        fault,
    };
    Ok(page::desk(service, "desk/authority.html.j2", Some(&agent.csrf), values)?.into_response())
}

/// Contracts that everybody but the State has signed, the oldest first. That they stand in a list is no reading.
async fn waiting(service: &Service, caller: &Caller) -> Result<Vec<Waiting>, Refusal> {
    let (scope, at) = (caller.unnoted_scope(), service.at());
    let store = &caller.pipeline(service).store;
    let filter = Filter { state: Some(Stage::PartlySigned), ..Filter::default() };
    let mut found = Vec::new();
    for summary in store.list(&scope, &filter, Page { after: None, most: MOST }).await? {
        let file = match store.file(&scope, summary.id, Some(summary.version), at).await {
            Ok(file) => file,
            // Signed or erased since the list was read.
            Err(StoreError::Erased | StoreError::NotFound(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        let sealed = SealedPdf::read(file)?;
        if sealed.turn().0 != [FIELD] {
            continue;
        }
        let language = summary.record.as_ref().map(|it| service.rulebook().catalogue(&it.language));
        let language = language.map(|it| it.french_name.clone()).unwrap_or_default();
        found.push(Waiting { summary, language, shown: sealed.hash() });
    }
    found.reverse();
    Ok(found)
}

/// One contract that is to be signed: as it was shown.
struct Chosen {
    id: Uuid,
    version: u32,
    shown: String,
    reference: String,
}

/// What became of one contract.
#[derive(Serialize)]
struct Ended {
    id: Uuid,
    reference: String,
    receipt: Option<Receipt>,
    fault: Option<Fault>,
}

/// Why one was not signed: a word for the page, and what it needs to say it.
#[derive(Serialize)]
struct Fault {
    code: &'static str,
    detail: String,
}

#[derive(Serialize)]
struct Signed {
    ended: Vec<Ended>,
    done: usize,
    left: usize,
}

/// Signs what was chosen.
pub(super) async fn sign(
    State(service): State<Service>,
    agent: Agent,
    form: Multipart,
) -> Result<Response, Refusal> {
    let Given { csrf, chosen, key, pin } = Given::read(form).await.map_err(|it| unreadable(&it))?;
    agent.check(&csrf)?;
    let caller = &agent.caller;
    caller.may_write()?;
    let signer = match open(&service, caller, key, pin).await? {
        Ok(signer) => signer,
        Err(fault) => return listed(&service, &agent, Some(fault)).await,
    };
    let (pipeline, scope) = (caller.pipeline(&service), caller.scope());
    let one = |chosen: Chosen| {
        let (signer, scope, service) = (signer.clone(), &scope, &service);
        async move {
            let Chosen { id, version, shown, reference } = chosen;
            let act = Act::Certificate { signer, shown };
            let result = pipeline.sign(scope, id, version, FIELD, act, service.at()).await;
            let (receipt, fault) = match result {
                Ok(receipt) => (Some(receipt), None),
                Err(error) => (None, Some(Fault::of(&error))),
            };
            Ended { id, reference, receipt, fault }
        }
    };
    let ended: Vec<Ended> = stream::iter(chosen).map(one).buffered(AT_ONCE).collect().await;
    let done = ended.iter().filter(|it| it.receipt.is_some()).count();
    let left = waiting(&service, caller).await?.len();
    let values = Signed { ended, done, left };
    Ok(page::desk(&service, "desk/signed.html.j2", Some(&agent.csrf), values)?.into_response())
}

/// What the form brings.
#[derive(Default)]
struct Given {
    csrf: String,
    chosen: Vec<Chosen>,
    key: Vec<u8>,
    pin: String,
}

impl Given {
    async fn read(mut form: Multipart) -> Result<Self, MultipartError> {
        let mut given = Self::default();
        while let Some(field) = form.next_field().await? {
            match field.name().unwrap_or_default() {
                "csrf" => given.csrf = field.text().await?,
                "contract" => given.chosen.extend(Chosen::read(&field.text().await?)),
                "key" => given.key = field.bytes().await?.to_vec(),
                "pin" => given.pin = field.text().await?,
                _ => {}
            }
        }
        Ok(given)
    }
}

impl Chosen {
    /// `ID VERSION HASH REFERENCE`, as the page's own boxes say it.
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, ' ');
        let (id, version) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let (shown, reference) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        Some(Self { id, version, shown, reference })
    }
}

/// Opens the key, once for all contracts: the file that was given, else the device of the settings. Among specimens
/// neither means one of the test authority's.
async fn open(
    service: &Service,
    caller: &Caller,
    key: Vec<u8>,
    pin: String,
) -> Result<Result<Arc<dyn Signer>, KeyFault>, Refusal> {
    let device = service.config().authority().map_err(|error| {
        tracing::error!("the authority's device: {error}");
        Refusal::ours()
    })?;
    // What test keys do beside a service in production never meets a key that has value.
    let own = !caller.test || service.config().is_trial();
    let device = device.filter(|_| own && key.is_empty() && !pin.is_empty());
    if key.is_empty() && device.is_none() {
        return match caller.pipeline(service).specimen {
            true => service.test_signer("Délégataire (spécimen)").map(Ok),
            false => Ok(Err(KeyFault { code: "missing", at: None })),
        };
    }
    let at = service.at();
    let work = move || {
        let pin = Secret::new(pin);
        let signer = match &device {
            Some((options, certificates)) => Pkcs11Key::open(options, &pin, certificates)?,
            None => SoftwareKey::from_pkcs12(&key, &pin)?,
        };
        signer.identity().check(at)?;
        Ok(signer)
    };
    let opened: Result<_, KeyError> = service.on_a_core(work).await?;
    Ok(opened.map_err(|error| KeyFault::of(&error)))
}

impl KeyFault {
    fn of(error: &KeyError) -> Self {
        tracing::warn!("the authority's key does not sign: {error}");
        let (code, at) = match error {
            KeyError::WrongPassword => ("pin", None),
            KeyError::Locked => ("locked", None),
            KeyError::Expired { until, .. } => ("expired", Some(*until)),
            KeyError::NotYetValid { from, .. } => ("early", Some(*from)),
            KeyError::NoChain { .. } => ("chain", None),
            KeyError::Usage { .. } => ("usage", None),
            KeyError::Token(_) => ("token", None),
            _ => ("unreadable", None),
        };
        Self { code, at }
    }
}

impl Fault {
    fn of(error: &IssueError) -> Self {
        let (code, detail) = match error {
            IssueError::Seal(SealError::MandateLapsed { delegation, .. }) => {
                ("mandate", delegation.clone())
            }
            IssueError::Seal(SealError::AlreadySigned { .. }) => ("signed", String::new()),
            IssueError::Store(StoreError::Conflict { .. } | StoreError::Settled(_))
            | IssueError::Seal(SealError::Stale | SealError::OutOfTurn { .. }) => {
                ("changed", String::new())
            }
            IssueError::Store(StoreError::NotFound(_) | StoreError::Erased) => {
                ("gone", String::new())
            }
            IssueError::Seal(SealError::Key(error)) => (KeyFault::of(error).code, String::new()),
            error if error.class() == Class::Later => {
                tracing::warn!("a contract has to wait for the State: {error}");
                ("later", String::new())
            }
            error => {
                tracing::error!("a contract is not signed for the State: {error}");
                ("ours", String::new())
            }
        };
        Self { code, detail }
    }
}
