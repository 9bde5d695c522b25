//! What goes into the store and what comes back: entries, versions, receipts, and the states of a document.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Expected, StoreError};

/// The caller's name for one submission: the same key and data give the same receipt. Keys of different callers must
/// differ; a door writes the caller's name in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Any text is a key.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Where a document is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Issued, nobody has signed.
    Presented,
    /// Some have signed, not all who must.
    PartlySigned,
    /// All that it needs is there; only now may it be mailed.
    Complete,
    /// A party refused to sign.
    Refused,
    /// It was not signed in time.
    Lapsed,
    /// It was withdrawn.
    Cancelled,
    /// Another document stands in its place, and names it.
    Replaced,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Presented,
        Self::PartlySigned,
        Self::Complete,
        Self::Refused,
        Self::Lapsed,
        Self::Cancelled,
        Self::Replaced,
    ];

    /// Its name in data.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Presented => "presented",
            Self::PartlySigned => "partly_signed",
            Self::Complete => "complete",
            Self::Refused => "refused",
            Self::Lapsed => "lapsed",
            Self::Cancelled => "cancelled",
            Self::Replaced => "replaced",
        }
    }

    /// Whether a document may go from this state to another. To stay is allowed while it lives: a seal is extended,
    /// a mail sent anew.
    pub fn may_become(self, next: Self) -> bool {
        use State::{Cancelled, Complete, Lapsed, PartlySigned, Presented, Refused, Replaced};
        match self {
            Presented => true,
            PartlySigned => next != Presented,
            Complete => matches!(next, Complete | Cancelled | Replaced),
            Refused | Lapsed | Cancelled | Replaced => false,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for State {
    type Err = StoreError;

    fn from_str(name: &str) -> Result<Self, StoreError> {
        let found = Self::ALL.into_iter().find(|it| it.as_str() == name);
        found.ok_or_else(|| StoreError::Damaged(format!("the state {name}")))
    }
}

/// What look-ups and lists need of a document. Sealed as a whole; office, kind, language and step also stand in the
/// clear, for they name nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// `cai`, `caif` or `convocation`.
    pub kind: String,
    /// The issuer's number of the document.
    pub reference: String,
    /// The dossier it belongs to: what is erased together.
    pub dossier: String,
    /// The directorate that issues it.
    pub office: String,
    /// The language beside French.
    pub language: String,
    /// The person's number.
    pub foreigner_number: Option<String>,
    /// The step of a letter.
    pub step: Option<String>,
    /// Where it can be mailed.
    pub emails: Vec<String>,
    /// The date that retention counts from: the contract's end, the last session.
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub ends_on: Option<NaiveDate>,
}

/// With what a file was made, so that other bytes from the same data can be explained after an upgrade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// Version and commit of the program.
    pub program: String,
    /// Hash of templates and fonts.
    pub assets: String,
    /// Hash of the catalogue of the document's language.
    pub catalogue: String,
}

/// One document to keep, with all that goes out with it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// A UUIDv7: lists are in its order.
    pub id: Uuid,
    /// The submission's key.
    pub key: IdempotencyKey,
    /// SHA-256 of the canonical input.
    pub digest: [u8; 32],
    /// What it is found by.
    pub record: Record,
    /// The canonical input.
    pub data: Vec<u8>,
    /// The sealed PDF.
    pub file: Vec<u8>,
    /// The level of its seal, such as `B-T`.
    pub level: String,
    /// Its first state.
    pub state: State,
    /// The document that it takes the place of: that one becomes [`State::Replaced`], its waiting mail is cancelled.
    pub replaces: Option<Uuid>,
    /// With what it was made.
    pub origin: Origin,
    /// Mail, for a complete document only.
    pub deliveries: Vec<NewDelivery>,
    /// When its person is expected at the office.
    pub expected: Vec<Expected>,
    /// The courses of which it takes a seat each, or is not kept: [`StoreError::Full`].
    pub seats: Vec<String>,
    /// The mail merge that it belongs to.
    pub merge: Option<Uuid>,
    /// Who issues it: an opaque id, for it stands in the audit trail.
    pub actor: String,
}

/// One more version of a document: signed by one more, extended, or mailed anew.
#[derive(Debug, Clone)]
pub struct Version {
    /// The PDF; none when it stays as it is.
    pub file: Option<Vec<u8>>,
    /// The level of its seal.
    pub level: String,
    /// With what it was made.
    pub origin: Origin,
    /// What was done: a word for the audit trail, such as `signed applicant`.
    pub act: String,
    /// Mail, when the version is complete.
    pub deliveries: Vec<NewDelivery>,
}

/// One mail to one recipient, composed and never changed.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// A UUIDv7; also the envelope's id (RFC 3461 ENVID).
    pub id: Uuid,
    /// The one address it goes to.
    pub recipient: String,
    /// The exact bytes (RFC 5322).
    pub message: Vec<u8>,
    /// Its Message-ID, without a person's data.
    pub message_id: String,
    /// Not to be sent before.
    pub not_before: Option<DateTime<Utc>>,
    /// After this a person is asked before it is sent.
    pub late_after: Option<DateTime<Utc>>,
    /// Until when its link opens, where it brings one in place of the file.
    pub link_until: Option<DateTime<Utc>>,
}

/// That a version of a document is kept for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Receipt {
    /// The document.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub id: Uuid,
    /// Which version.
    pub version: u32,
    /// The state that the version brought.
    pub state: State,
    /// SHA-256 of the PDF, in hexadecimal digits.
    pub sha256: String,
    /// Length of the PDF in bytes.
    pub size: u32,
    /// The level of its seal.
    pub level: String,
    /// With what it was made.
    pub origin: Origin,
    /// When.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: DateTime<Utc>,
    /// The mails that go out with it.
    #[schemars(with = "Vec<String>")]
    pub deliveries: Vec<Uuid>,
}
