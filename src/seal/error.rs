//! Why a file was not sealed or signed, and whose turn it is then. The file that came in is untouched
//! in every case.

use chrono::NaiveDate;

use super::key::KeyError;
use super::revocation::RevocationError;
use super::timestamp::TimestampError;
use crate::class::Class;

/// Why a file was not sealed, signed or extended.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Not a PDF at all.
    #[error("this is not a PDF file")]
    NotPdf,
    /// A PDF that is cut, changed or made by somebody else in a way we do not append to.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// A PDF object is not what it must be.
    #[error("the file is damaged")]
    Pdf(#[from] lopdf::Error),
    /// The boxes of the page template and the signatories of the document differ.
    #[error("the page template and the document do not agree on the box to sign in `{field}`")]
    Boxes {
        /// The field.
        field: String,
    },
    /// The file has no such field.
    #[error("there is no field `{field}`; {turn}")]
    NoField {
        /// The field asked for.
        field: String,
        /// Whose turn it is.
        turn: Turn,
    },
    /// Somebody has signed there.
    #[error("`{field}` is already signed; {turn}")]
    AlreadySigned {
        /// The field.
        field: String,
        /// Whose turn it is.
        turn: Turn,
    },
    /// Who signs for the State signs last.
    #[error("`{field}` signs last; {turn}")]
    OutOfTurn {
        /// The field.
        field: String,
        /// Whose turn it is.
        turn: Turn,
    },
    /// Nobody certifies for the State that it cannot write.
    #[error("`{field}` signs by certificate; {turn}")]
    NeedsCertificate {
        /// The field.
        field: String,
        /// Whose turn it is.
        turn: Turn,
    },
    /// What was shown is not what would be signed.
    #[error("the file has changed since it was shown: show the present one, then sign it")]
    Stale,
    /// Something was changed after a signature, or under it.
    #[error("the file was changed under the signature `{field}`: get the file as it was issued")]
    Changed {
        /// The field whose signature no longer holds.
        field: String,
    },
    /// It is sealed already.
    #[error("the file is already sealed")]
    AlreadySealed,
    /// Only what is signed can be extended.
    #[error("nothing is signed yet, so there is nothing to extend")]
    Unsigned,
    /// A delegation does not cover the day.
    #[error("on {day} the delegation {delegation} gives no right to sign (from {from}{until})")]
    MandateLapsed {
        /// The order.
        delegation: String,
        /// The day of the signature.
        day: NaiveDate,
        /// The first day of the delegation.
        from: NaiveDate,
        /// ` until …`, where it ends.
        until: String,
    },
    /// The strokes of a tablet.
    #[error("the strokes cannot be drawn: {0}")]
    Strokes(&'static str),
    /// Sealing needs a key.
    #[error("there is no key to seal or sign with: give one")]
    NoSigner,
    /// A level beyond B-B needs somebody who says the time.
    #[error("this level needs a timestamp authority: give its address")]
    NoTimestampAuthority,
    /// The signature takes more than the room left for it.
    #[error("the signature takes {needed} bytes and there is room for {room}: raise the room")]
    HoleFull {
        /// The bytes of the signature.
        needed: usize,
        /// The bytes of the hole.
        room: usize,
    },
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The timestamp authority.
    #[error(transparent)]
    Timestamp(#[from] TimestampError),
    /// Revocation lists and answers.
    #[error(transparent)]
    Revocation(#[from] RevocationError),
    /// What we write as DER.
    #[error("a signature cannot be encoded")]
    Der(#[from] der::Error),
}

/// Whose turn it is to sign: the open fields, in order. No name of a person stands in an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn(pub Vec<String>);

impl std::fmt::Display for Turn {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return formatter.write_str("nobody has to sign any more");
        }
        write!(formatter, "it is the turn of `{}`", self.0.join("`, `"))
    }
}

impl SealError {
    /// Whose turn it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Boxes { .. } | Self::HoleFull { .. } | Self::Der(_) => Class::Us,
            Self::Key(error) => error.class(),
            Self::Timestamp(error) => error.class(),
            Self::Revocation(error) => error.class(),
            _ => Class::Caller,
        }
    }
}
