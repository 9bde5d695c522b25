//! Acts of signing: strokes on a tablet, a certificate, or the agent's word for who cannot write; and
//! who may do it now.
//!
//! An act and the file's fields in, what stands in the signature dictionary out. The evidence goes in
//! as canonical JSON, under the signature itself. Nothing biometric is kept beyond the strokes.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::{SealError, Turn};
use super::field::Field;
use super::key::Signer;
use super::stamp;
use super::strokes::Strokes;
use crate::document::Signatory;

/// The field of who signs for the State, by certificate and after everybody else.
pub(super) const AUTHORITY: &str = "authority";

/// How somebody signs.
#[derive(Debug, Clone)]
pub enum Act {
    /// By hand on a tablet; the office's key keeps the strokes and the evidence together.
    Strokes {
        /// What was drawn.
        strokes: Strokes,
        /// How it came about.
        evidence: Evidence,
    },
    /// Not at all: the person declared not to be able to, and the agent certifies it.
    DeclaredUnable {
        /// How it came about.
        evidence: Evidence,
    },
    /// With a certificate. One signer, opened with one PIN, may sign many contracts.
    Certificate {
        /// The person's key.
        signer: Arc<dyn Signer>,
        /// SHA-256 of the file that the person was shown, in hex.
        shown: String,
    },
}

/// How a signature came about: kept inside it, and for the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The agent who was present, by name or number.
    #[schemars(length(min = 1, max = 80))]
    pub agent: String,
    /// The interpreter who was present, by name or number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<String>,
    /// The language in which the contract was presented (BCP 47).
    pub language: String,
    /// Whether the person read it or heard it.
    pub presented: Presented,
    /// The tablet.
    #[schemars(length(min = 1, max = 80))]
    pub device: String,
    /// When the person signed.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub signed_at: DateTime<Utc>,
    /// SHA-256 of the file that the person was shown, in hex.
    pub shown: String,
}

/// How the person took note of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Presented {
    /// The person read it.
    Read,
    /// It was read to the person.
    Heard,
}

impl Act {
    /// SHA-256 of what was shown, in hex.
    pub(super) fn shown(&self) -> &str {
        match self {
            Self::Strokes { evidence, .. } | Self::DeclaredUnable { evidence } => &evidence.shown,
            Self::Certificate { shown, .. } => shown,
        }
    }

    /// What is kept under the signature.
    pub(super) fn evidence(&self) -> Option<&Evidence> {
        match self {
            Self::Strokes { evidence, .. } | Self::DeclaredUnable { evidence } => Some(evidence),
            Self::Certificate { .. } => None,
        }
    }

    /// What the field shows: what was drawn, or in words who signed and when.
    pub(super) fn look(
        &self,
        signatory: &Signatory,
        width: f32,
        height: f32,
        at: DateTime<Utc>,
    ) -> Result<Vec<u8>, SealError> {
        let at = at.with_timezone(&signatory.time_zone);
        let [day, hour] = ["%d/%m/%Y", "%H:%M"].map(|it| at.format(it).to_string());
        let text = match self {
            Self::Strokes { strokes, .. } => return strokes.draw(width, height),
            Self::DeclaredUnable { .. } => format!("{}\n{day} {hour}", self.reason(signatory)),
            Self::Certificate { .. } => {
                let mention = signatory.mention.replace("{date}", &day).replace("{time}", &hour);
                mention.replace("{name}", &signatory.name)
            }
        };
        Ok(stamp::draw(&text, width, height))
    }

    /// What the signature is for, in words.
    pub(super) fn reason<'a>(&self, signatory: &'a Signatory) -> &'a str {
        match (self, &signatory.unable) {
            (Self::DeclaredUnable { .. }, Some(unable)) => unable,
            _ => &signatory.reason,
        }
    }
}

/// The field that an act may sign now, and who does.
pub(super) fn admit<'a>(
    fields: &'a [Field],
    wanted: &str,
    act: &Act,
    at: DateTime<Utc>,
) -> Result<(&'a Field, &'a Signatory), SealError> {
    let turn = turn(fields);
    let field = wanted.to_owned();
    let found = fields
        .iter()
        .find_map(|it| Some((it, it.signatory.as_ref()?)).filter(|_| it.name == wanted));
    let Some((found, signatory)) = found else { return Err(SealError::NoField { field, turn }) };
    if found.value.is_some() {
        return Err(SealError::AlreadySigned { field, turn });
    }
    if wanted == AUTHORITY {
        if turn.0.iter().any(|it| it != AUTHORITY) {
            return Err(SealError::OutOfTurn { field, turn });
        }
        if !matches!(act, Act::Certificate { .. }) {
            return Err(SealError::NeedsCertificate { field, turn });
        }
    }
    let day = signatory.day(at);
    if let Some(mandate) = signatory.mandate.as_ref().filter(|it| !it.covers(day)) {
        return Err(SealError::MandateLapsed {
            delegation: mandate.delegation.clone(),
            day,
            from: mandate.from,
            until: mandate.until.map_or_else(String::new, |it| format!(" until {it}")),
        });
    }
    Ok((found, signatory))
}

/// Whose turn it is: who has not signed yet, the State after the others.
pub(super) fn turn(fields: &[Field]) -> Turn {
    let open = fields.iter().filter(|it| it.signatory.is_some() && it.value.is_none());
    let (last, first): (Vec<_>, Vec<_>) =
        open.map(|it| it.name.clone()).partition(|it| it == AUTHORITY);
    Turn(if first.is_empty() { last } else { first })
}

/// Data as JSON whose keys are in order (RFC 8785 for the strings and lists that we write).
pub(super) fn canonical(data: &impl Serialize) -> String {
    let value = serde_json::to_value(data).unwrap_or_default();
    sorted(value).to_string()
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        Value::Object(entries) => {
            let mut entries: Vec<_> = entries.into_iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            entries.into_iter().map(|(key, value)| (key, sorted(value))).collect()
        }
        value => value,
    }
}
