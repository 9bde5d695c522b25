//! A file with its fields: what a [`SealedPdf`] knows about itself.
//!
//! Bytes in, as a sealer wrote them or a store kept them; only a file with our marks is one.

use lopdf::Object;
use sha2::{Digest, Sha256};

use super::error::{SealError, Turn};
use super::field::{self, Field};
use super::key::Expiry;
use super::level::{self, Level};
use super::update::Update;
use super::{act, signature};

/// A file whose boxes are fields, sealed and signed as far as it says.
pub struct SealedPdf {
    bytes: Vec<u8>,
    level: Level,
    fields: Vec<SignatureField>,
    turn: Turn,
    shortfall: Option<SealError>,
    expiring: Vec<Expiry>,
}

/// A field that somebody signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureField {
    /// Its name, such as `applicant`.
    pub name: String,
    /// Who signs it.
    pub signatory: String,
    /// Whether it is signed.
    pub signed: bool,
}

impl SealedPdf {
    /// Reads a file that a sealer made.
    pub fn read(bytes: Vec<u8>) -> Result<Self, SealError> {
        let update = Update::open(&bytes)?;
        let fields = field::fields(&update)?;
        let signatures = signature::signatures(&update, &fields, &bytes)?;
        if fields.is_empty() && !is_ours(&update) {
            return Err(SealError::Damaged("this program has not made it".to_owned()));
        }
        let level = level::of(&update, &signatures)?;
        let turn = act::turn(&fields);
        let fields = fields.into_iter().filter_map(SignatureField::of).collect();
        drop(update);
        Ok(Self { bytes, level, fields, turn, shortfall: None, expiring: Vec::new() })
    }

    /// The file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The file, given away.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// SHA-256 of the file in hex: what an act says was shown.
    pub fn hash(&self) -> String {
        Sha256::digest(&self.bytes).iter().map(|it| format!("{it:02x}")).collect()
    }

    /// The level it has reached.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The fields that people sign, in the order of their boxes; none in a letter.
    pub fn fields(&self) -> &[SignatureField] {
        &self.fields
    }

    /// Whose turn it is to sign.
    pub fn turn(&self) -> &Turn {
        &self.turn
    }

    /// Why the level asked for was not reached. The file is good at the level it has, and
    /// [`super::Sealer::extend`] raises it later.
    pub fn shortfall(&self) -> Option<&SealError> {
        self.shortfall.as_ref()
    }

    /// Certificates of the last signer that end within 60 days.
    pub fn expiring(&self) -> &[Expiry] {
        &self.expiring
    }

    pub(super) fn falling_short(mut self, error: SealError) -> Self {
        self.shortfall = Some(error);
        self
    }

    /// Why the level asked for was not reached, taken out.
    pub fn take_shortfall(&mut self) -> Option<SealError> {
        self.shortfall.take()
    }

    pub(super) fn expiring_soon(mut self, expiring: Vec<Expiry>) -> Self {
        self.expiring = expiring;
        self
    }
}

/// Without the file and the names in it.
impl std::fmt::Debug for SealedPdf {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (length, level, turn) = (self.bytes.len(), self.level, &self.turn.0);
        write!(formatter, "SealedPdf({length} bytes, {level}, turn: {turn:?})")
    }
}

impl SignatureField {
    fn of(field: Field) -> Option<Self> {
        let signatory = field.signatory?.name;
        Some(Self { name: field.name, signatory, signed: field.value.is_some() })
    }
}

/// A letter without a seal has no field; its creator says where it comes from.
fn is_ours(update: &Update) -> bool {
    let info = update.document.trailer.get(b"Info").and_then(Object::as_reference);
    let info = info.ok().and_then(|id| update.object(id).ok()?.as_dict().ok());
    let creator = info.and_then(|it| lopdf::decode_text_string(it.get(b"Creator").ok()?).ok());
    creator.is_some_and(|it| it.starts_with("Paraphe "))
}
