//! What a verification found, for programs: field names are stable, fields are only added.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

use super::change::Change;
use super::content::Attachment;
use super::fault::Fault;

/// The answer on a file as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every signature is valid, and nothing changed that they do not permit.
    Valid,
    /// Everything is intact, but at least one signer leads to nobody whom the caller trusts.
    UnknownSigner,
    /// At least one signature, or something beside them, is not as it must be.
    NotValid,
    /// Nobody has signed.
    Unsigned,
    /// The file is no PDF that can be judged: broken, or laid out in a way that could hide something.
    Unreadable,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Whether the file may be relied on: the verdict is `valid`.
    pub valid: bool,
    /// The answer in one word.
    pub verdict: Verdict,
    /// SHA-256 of the whole file, in hex.
    pub sha256: String,
    /// Bytes of the file.
    pub size: usize,
    /// The moment for which certificates were judged where no timestamp tells one.
    #[serde(serialize_with = "moment")]
    pub at: DateTime<Utc>,
    /// How many revisions the file has, the first included.
    pub revisions: usize,
    /// The standards that the file's metadata claim, such as `PDF/UA-1` and `PDF/A-3a`.
    pub standards: Vec<String>,
    /// Every signature, seal and archive timestamp, the oldest first.
    pub signatures: Vec<SignatureReport>,
    /// The signature fields that nobody has signed yet.
    pub waiting: Vec<Waiting>,
    /// The files that the document carries.
    pub attachments: Vec<Attachment>,
    /// What is wrong with the file beside its signatures.
    pub problems: Vec<Fault>,
}

/// A signature field without a signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// The field's name.
    pub field: String,
    /// What it says to people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label: String,
}

/// What a signature field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureKind {
    /// A certification: it says what may change after it.
    Seal,
    /// A person's or an organisation's signature.
    Signature,
    /// A timestamp over the whole file so far.
    ArchiveTimestamp,
}

/// How far a signature can be relied on over time (ETSI EN 319 142-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum SignatureLevel {
    /// Signed, the certificate named in what is signed.
    #[serde(rename = "B-B")]
    Basic,
    /// And a trusted timestamp says when at the latest.
    #[serde(rename = "B-T")]
    Timestamped,
    /// And the file holds the proof that no certificate was revoked.
    #[serde(rename = "B-LT")]
    LongTerm,
    /// And an archive timestamp holds all of it.
    #[serde(rename = "B-LTA")]
    Archived,
}

/// One signature, seal or archive timestamp.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SignatureReport {
    /// The name of its field.
    pub field: String,
    /// What the field says to people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// What it is.
    pub kind: SignatureKind,
    /// Whether it is valid: no problem.
    pub valid: bool,
    /// Whether what it covers is as it was when it was made, whoever made it.
    pub intact: bool,
    /// The level it reaches; none where it is not valid, or is an archive timestamp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<SignatureLevel>,
    /// The certificate it was made with, if its form could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<Signer>,
    /// Who signed, as the signature's dictionary says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Why, as the dictionary says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where, as the dictionary says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// When, as the dictionary says.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "maybe_moment")]
    pub claimed_time: Option<DateTime<Utc>>,
    /// When, as the signed attribute says.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "maybe_moment")]
    pub signing_time: Option<DateTime<Utc>>,
    /// The moment at which it existed at the latest, by a timestamp of a trusted authority.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "maybe_moment")]
    pub trusted_time: Option<DateTime<Utc>>,
    /// The authority that made the timestamp over it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp_authority: Option<Signer>,
    /// The level of a certification: 1 nothing may change, 2 forms may be filled, 3 notes may be added.
    /// Level 3 is held to what level 2 permits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certifies: Option<u8>,
    /// The fields that may no longer be signed after it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<String>,
    /// The revision that it closes, counted from 1.
    pub revision: usize,
    /// Whether it covers the file to its last byte.
    pub covers_whole_file: bool,
    /// What later revisions changed.
    pub changes: Vec<Change>,
    /// The subjects of the certificates from the signer to the one that the caller trusts.
    pub chain: Vec<String>,
    /// What the file itself says of revocations, for each certificate of the chain but the last.
    pub revocation: Vec<RevocationReport>,
    /// How a signature on a tablet was taken, as its dictionary says; signed with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<serde_json::Value>,
    /// What keeps it from being valid.
    pub problems: Vec<Fault>,
}

/// A certificate's holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signer {
    /// The common name, or the whole subject where there is none.
    pub name: String,
    /// The organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The subject (RFC 4514).
    pub subject: String,
    /// Who issued the certificate.
    pub issuer: String,
    /// The serial number, in hex.
    pub serial: String,
    /// From when it is valid.
    #[serde(serialize_with = "moment")]
    pub not_before: DateTime<Utc>,
    /// Until when it is valid.
    #[serde(serialize_with = "moment")]
    pub not_after: DateTime<Utc>,
    /// SHA-256 of the certificate, in hex.
    pub sha256: String,
}

/// What is known of a certificate's revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RevocationReport {
    /// The certificate's subject.
    pub subject: String,
    /// `good`, `revoked`, or `not_known`: then the file says nothing of it.
    pub status: &'static str,
}

impl Report {
    /// Whether the file may be relied on.
    pub fn is_valid(&self) -> bool {
        self.valid
    }
}

impl Fault {
    /// Whether it only says that the caller does not know who it was.
    pub(super) fn is_stranger(&self) -> bool {
        matches!(self.code, "signer.unknown" | "timestamp.unknown")
    }
}

fn moment<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Secs, true))
}

fn maybe_moment<S: Serializer>(
    at: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => moment(at, serializer),
        None => serializer.serialize_none(),
    }
}
