//! One person who signs one contract on a tablet: what its code opens, and nothing else.
//!
//! The agent's screen makes a short code; the tablet trades it for a cookie that opens this contract alone. Both are
//! kept in the store, so that a restart of the program loses no signature.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::auth::{Caller, cookie};
use super::super::problem::Refusal;
use super::super::state::Service;
use crate::document::Document;
use crate::pipeline::IssueError;
use crate::seal::SealedPdf;
use crate::store::{Role, Scope};

/// Purposes of codes: the one that is typed, and the tablet's cookie.
const CODE: &str = "tablet code";
const TABLET: &str = "tablet";
const CODE_LASTS: TimeDelta = TimeDelta::minutes(5);
/// How long a tablet may be left alone before its cookie opens nothing any more.
const IDLES: TimeDelta = TimeDelta::minutes(15);

/// The tablet's cookie.
pub(super) const COOKIE: &str = "paraphe-tablet";

/// Who signs what, for which agent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Sitting {
    pub(super) document: Uuid,
    pub(super) version: u32,
    pub(super) field: String,
    /// SHA-256 of the file that is shown.
    pub(super) shown: String,
    /// How many pages are read or heard.
    pub(super) pages: usize,
    agent: String,
    offices: Option<Vec<String>>,
    test: bool,
}

/// The contract that a tablet shows.
pub(super) struct Contract {
    pub(super) document: Document,
    pub(super) sealed: SealedPdf,
    pub(super) issued: DateTime<Utc>,
    pub(super) version: u32,
}

impl Sitting {
    /// Makes the code that opens a sitting for whoever's turn it is.
    pub(super) async fn open(
        service: &Service,
        caller: &Caller,
        document: Uuid,
        field: &str,
    ) -> Result<String, Refusal> {
        caller.may_write()?;
        let contract = Contract::load(service, caller, document).await?;
        if !contract.sealed.turn().0.iter().any(|it| it == field) {
            return Err(Refusal::not_found());
        }
        let (version, shown) = (contract.version, contract.sealed.hash());
        let sitting = Self {
            document,
            version,
            field: field.to_owned(),
            shown,
            pages: contract.reading(service, caller).await?.1.len(),
            agent: caller.actor.clone(),
            offices: caller.offices.clone(),
            test: caller.test,
        };
        let detail = serde_json::to_string(&sitting).map_err(|_| Refusal::ours())?;
        let code = digits()?;
        let store = &service.pipeline().store;
        store.keep_code(CODE, &code, &detail, CODE_LASTS, service.at()).await?;
        Ok(code)
    }

    /// Trades a typed code for the tablet's cookie.
    pub(super) async fn enter(service: &Service, code: &str) -> Result<Option<String>, Refusal> {
        let (store, at) = (&service.pipeline().store, service.at());
        let digits: String = code.chars().filter(char::is_ascii_digit).collect();
        let Some(detail) = store.take_code(CODE, &digits, at).await? else { return Ok(None) };
        Ok(Some(store.make_code(TABLET, &detail, IDLES, at).await?))
    }

    /// Ends it: the cookie opens nothing any more.
    pub(super) async fn end(service: &Service, token: &str) -> Result<(), Refusal> {
        service.pipeline().store.take_code(TABLET, token, service.at()).await?;
        Ok(())
    }

    /// The agent who opened it.
    pub(super) fn caller(&self) -> Caller {
        Caller {
            actor: self.agent.clone(),
            role: Role::Agent,
            offices: self.offices.clone(),
            test: self.test,
        }
    }
}

/// The sitting of a tablet's cookie, and the cookie.
pub(super) struct Tablet(pub(super) Sitting, pub(super) String);

impl FromRequestParts<Service> for Tablet {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Refusal> {
        let token = cookie(&parts.headers, COOKIE).ok_or_else(Refusal::unauthorised)?;
        let store = &service.pipeline().store;
        let detail = store.hold_code(TABLET, &token, IDLES, service.at()).await?;
        let sitting = detail.and_then(|it| serde_json::from_str(&it).ok());
        Ok(Self(sitting.ok_or_else(Refusal::unauthorised)?, token))
    }
}

impl Contract {
    /// The contract as it stands, checked as of its issue.
    pub(super) async fn load(
        service: &Service,
        caller: &Caller,
        id: Uuid,
    ) -> Result<Self, Refusal> {
        let (scope, at): (Scope, _) = (caller.scope(), service.at());
        let store = &caller.pipeline(service).store;
        let held = store.document(&scope, id, at).await?;
        let data = store.data(&scope, id, at).await?;
        let file = store.file(&scope, id, Some(held.version), at).await?;
        let document = Document::check(&data, service.rulebook(), held.created_at);
        let document = document.map_err(Refusal::data)?;
        let sealed = SealedPdf::read(file)?;
        Ok(Self { document, sealed, issued: held.created_at, version: held.version })
    }
}

impl Contract {
    /// The lines of its pages.
    pub(super) async fn reading(
        self,
        service: &Service,
        caller: &Caller,
    ) -> Result<(Self, Vec<Vec<String>>), Refusal> {
        let (own, caller) = (service.clone(), caller.clone());
        let work = move || {
            let pipeline = caller.pipeline(&own);
            let (rulebook, marks) = (own.rulebook(), pipeline.marks(&self.document));
            let pages =
                pipeline.renderer.reading(&self.document, rulebook, &marks, self.issued, None);
            (self, pages)
        };
        let (contract, pages) = service.on_a_core(work).await?;
        Ok((contract, pages.map_err(IssueError::from)?))
    }
}

/// Eight random digits.
fn digits() -> Result<String, Refusal> {
    let mut bytes = [0; 8];
    let random = aws_lc_rs::rand::SystemRandom::new();
    aws_lc_rs::rand::SecureRandom::fill(&random, &mut bytes).map_err(|_| Refusal::ours())?;
    Ok(format!("{:08}", u64::from_be_bytes(bytes) % 100_000_000))
}
