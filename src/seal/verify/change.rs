//! What a later revision changed, in the words of the report.

use serde::Serialize;

/// What a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A signature field that was there and empty has been signed.
    Signature,
    /// An archive timestamp was added.
    ArchiveTimestamp,
    /// Certificates and revocation data were added for later verification.
    ValidationData,
    /// The program that saved the file put its name and the date there.
    Metadata,
    /// An object was added that belongs to none of these.
    Added,
    /// An object was altered in a way that no signature permits.
    Altered,
    /// An object was taken away.
    Removed,
    /// Bytes stand between the objects, or an object cannot be read.
    Unreadable,
}

/// One change of a revision after a signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The revision that made it, counted from 1 for the first.
    pub revision: usize,
    /// What it is.
    pub kind: ChangeKind,
    /// The number of the object in question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<u32>,
    /// The field that was signed, the kind of object, or the key that was altered.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Whether the signature in question permits it.
    pub permitted: bool,
}

impl ChangeKind {
    /// Whether any signature could permit it.
    pub(super) fn permissible(self) -> bool {
        use ChangeKind::{ArchiveTimestamp, Metadata, Signature, ValidationData};
        matches!(self, Signature | ArchiveTimestamp | ValidationData | Metadata)
    }
}
