//! `/v1/documents/{id}/signatures`, `/refusal`, `/cancellation`: what a contract comes to.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;

use super::auth::Caller;
use super::documents::tagged;
use super::extract::{Id, IfMatch, Key, Sent};
use super::problem::Refusal;
use super::state::Service;
use crate::seal::{Act, Evidence, Signer, SoftwareKey, Strokes};
use crate::secret::Secret;
use crate::store;

/// One more signature.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Signature {
    /// The field, such as `applicant`.
    field: String,
    /// How it is signed.
    act: ActKind,
    /// What was drawn, for `strokes`.
    strokes: Option<Strokes>,
    /// How it came about, for `strokes` and `unable`.
    evidence: Option<Evidence>,
    /// The person's key, for `certificate`.
    certificate: Option<Certificate>,
}

/// How somebody signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ActKind {
    /// By hand on a tablet.
    Strokes,
    /// Not at all: the person declares to be unable to, and the agent certifies it.
    Unable,
    /// By certificate.
    Certificate,
}

/// A person's key, used for this one signature and kept nowhere.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Certificate {
    /// The key and its certificates (PKCS#12, in Base64). Without it, among specimens only: a key of the test
    /// authority's.
    pkcs12: Option<String>,
    /// Its password.
    password: Option<String>,
    /// SHA-256 of the file that the person was shown, in hexadecimal digits.
    shown: String,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Certificate(..)")
    }
}

/// Adds a signature to a contract at a version.
pub(super) async fn sign(
    State(service): State<Service>,
    caller: Caller,
    Id(id): Id,
    IfMatch(version): IfMatch,
    _: Key,
    Sent(signature): Sent<Signature>,
) -> Result<Response, Refusal> {
    caller.may_write()?;
    let (pipeline, scope) = (caller.pipeline(&service), caller.scope());
    let field = signature.field.clone();
    let act = signature.act(&service, &caller)?;
    let receipt = pipeline.sign(&scope, id, version, &field, act, service.at()).await?;
    Ok((StatusCode::CREATED, tagged(&receipt)).into_response())
}

impl Signature {
    fn act(self, service: &Service, caller: &Caller) -> Result<Act, Refusal> {
        match (self.act, self.strokes, self.evidence, self.certificate) {
            (ActKind::Strokes, Some(strokes), Some(evidence), None) => {
                Ok(Act::Strokes { strokes, evidence })
            }
            (ActKind::Unable, None, Some(evidence), None) => Ok(Act::DeclaredUnable { evidence }),
            (ActKind::Certificate, None, None, Some(it)) => {
                let shown = it.shown.clone();
                Ok(Act::Certificate { signer: it.signer(service, caller)?, shown })
            }
            _ => {
                let detail = "`strokes` goes with strokes and evidence, `unable` with evidence, \
                              `certificate` with certificate, and nothing else";
                Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "act", detail))
            }
        }
    }
}

impl Certificate {
    fn signer(self, service: &Service, caller: &Caller) -> Result<Arc<dyn Signer>, Refusal> {
        let refused =
            |detail: String| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "certificate", detail);
        let Some(file) = self.pkcs12 else {
            if !caller.pipeline(service).specimen {
                return Err(refused("pkcs12 is missing".to_owned()));
            }
            return service.test_signer("Délégataire (spécimen)");
        };
        let file = STANDARD.decode(file).map_err(|_| refused("pkcs12 is no Base64".to_owned()))?;
        let password = Secret::new(self.password.unwrap_or_default());
        SoftwareKey::from_pkcs12(&file, &password).map_err(|error| refused(error.to_string()))
    }
}

/// Who refuses.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Refusing {
    /// Whose signature is refused.
    field: Party,
}

/// A person whose signature a contract has a box for.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Party {
    Applicant,
    Spouse,
    Representative,
    Parent1,
    Parent2,
}

/// A party refuses to sign.
pub(super) async fn refuse(
    State(service): State<Service>,
    caller: Caller,
    Id(id): Id,
    IfMatch(version): IfMatch,
    _: Key,
    Sent(refusing): Sent<Refusing>,
) -> Result<StatusCode, Refusal> {
    let reason = match refusing.field {
        Party::Applicant => "applicant",
        Party::Spouse => "spouse",
        Party::Representative => "representative",
        Party::Parent1 => "parent1",
        Party::Parent2 => "parent2",
    };
    conclude(&service, &caller, id, version, store::State::Refused, reason).await
}

/// Why a document is withdrawn.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Cancelling {
    /// Why.
    reason: Reason,
}

/// Why a document is withdrawn.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Reason {
    /// Something in it is wrong.
    Mistake,
    /// It was issued twice.
    Duplicate,
    /// What it is about will not take place.
    Withdrawn,
}

/// The office withdraws a document; its waiting mail is not sent.
pub(super) async fn cancel(
    State(service): State<Service>,
    caller: Caller,
    Id(id): Id,
    IfMatch(version): IfMatch,
    _: Key,
    Sent(cancelling): Sent<Cancelling>,
) -> Result<StatusCode, Refusal> {
    let reason = match cancelling.reason {
        Reason::Mistake => "mistake",
        Reason::Duplicate => "duplicate",
        Reason::Withdrawn => "withdrawn",
    };
    conclude(&service, &caller, id, version, store::State::Cancelled, reason).await
}

async fn conclude(
    service: &Service,
    caller: &Caller,
    id: uuid::Uuid,
    version: u32,
    state: store::State,
    reason: &str,
) -> Result<StatusCode, Refusal> {
    caller.may_write()?;
    let store = &caller.pipeline(service).store;
    store.conclude(&caller.scope(), id, version, state, reason, service.at()).await?;
    Ok(StatusCode::NO_CONTENT)
}
