//! Step 3: a rendered [`Pdf`] becomes a [`SealedPdf`]: signature fields, the office's seal, the parties'
//! signatures, and what makes them last.
//!
//! Every byte that was there stays: each act appends one incremental update. A file keeps PDF/UA-1 and
//! PDF/A through all of them. Only a [`Sealer`] makes a sealed file out of a rendering, also where it
//! has no key, for the boxes of a page must become fields. What fails leaves the file as it was, or at
//! the level that was reached.

mod act;
mod archive;
mod authority;
mod cades;
mod certificate;
mod cms;
mod error;
mod fetch;
mod field;
mod hole;
mod key;
mod level;
mod ocsp;
mod pkcs11;
mod revocation;
mod sealed;
mod signature;
mod stamp;
mod strokes;
mod timestamp;
mod update;
pub mod verify;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use lopdf::{Dictionary, Object, dictionary};
use serde::Deserialize;

pub use act::{Act, Evidence, Presented};
pub use archive::Extender;
pub use authority::TestAuthority;
pub use certificate::Certificate;
pub use error::{SealError, Turn};
pub use fetch::FetchError;
pub use key::{Algorithm, Expiry, Identity, KeyError, Signer, SoftwareKey};
pub use level::Level;
pub use pkcs11::{Pkcs11Key, Pkcs11Options};
pub use revocation::RevocationError;
pub use sealed::{SealedPdf, SignatureField};
pub use strokes::Strokes;
pub use timestamp::{TimestampError, TimestampOptions};

use cades::Cades;
use field::Field;
use hole::Hole;
use update::{Update, name, text};

use crate::document::{Document, Rulebook};
use crate::render::Pdf;

/// The field of the office's seal.
const SEAL: &str = "seal";

/// Seals and signs, or only makes the fields.
#[derive(Debug)]
pub enum Sealer {
    /// There is no key: the boxes become fields, to be signed on paper or elsewhere.
    Off,
    /// The office's key.
    On(Office),
}

/// How files are sealed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SealOptions {
    /// The level that files reach: with every signature up to B-T, once all have signed beyond.
    pub level: Level,
    /// Whether letters are sealed too.
    pub letters: bool,
    /// Who says the time.
    pub timestamp: Option<TimestampOptions>,
}

/// The office that seals: its key and how far it goes.
#[derive(Debug)]
pub struct Office {
    signer: Arc<dyn Signer>,
    letters: bool,
    level: Level,
    extender: Extender,
}

/// What makes up one signature of a file.
struct Signing<'a> {
    signer: &'a dyn Signer,
    /// Keys of the signature dictionary beside those that every signature has.
    dictionary: Dictionary,
    at: DateTime<Utc>,
}

impl Office {
    /// An office that seals with a key.
    pub fn new(signer: Arc<dyn Signer>, options: &SealOptions) -> Result<Self, SealError> {
        let extender = Extender::new(options.timestamp.as_ref(), signer.identity().chain())?;
        if options.level > Level::BaselineB && extender.clock.is_none() {
            return Err(SealError::NoTimestampAuthority);
        }
        Ok(Self { signer, letters: options.letters, level: options.level, extender })
    }

    /// The office's certificate.
    pub fn identity(&self) -> &Identity {
        self.signer.identity()
    }

    /// What time the timestamp authority says it is, where there is one; asked over the network.
    pub fn trusted_time(&self) -> Option<Result<DateTime<Utc>, TimestampError>> {
        self.extender.clock.as_ref().map(|it| it.time(&self.extender.fetch))
    }
}

impl Sealer {
    /// Makes the fields of a rendering and seals it as of `at`: a contract so that from here on it can
    /// only be signed, a letter so that nothing can be changed.
    pub fn seal(
        &self,
        pdf: &Pdf,
        document: &Document,
        rulebook: &Rulebook,
        at: DateTime<Utc>,
    ) -> Result<SealedPdf, SealError> {
        let mut update = Update::open(pdf.bytes())?;
        let signatories = document.signatories(rulebook);
        field::prepare(&mut update, &signatories)?;
        match self {
            Self::On(office) if office.letters || !signatories.is_empty() => {
                self.certify(update, !signatories.is_empty(), office, at)
            }
            _ => SealedPdf::read(update.finish()?.bytes),
        }
    }

    /// Seals a file that has its fields and no signature yet.
    pub fn seal_file(&self, file: &SealedPdf, at: DateTime<Utc>) -> Result<SealedPdf, SealError> {
        if file.level() > Level::None {
            return Err(SealError::AlreadySealed);
        }
        let is_contract = !file.fields().is_empty();
        self.certify(Update::open(file.bytes())?, is_contract, self.office()?, at)
    }

    /// One more signature. Signatures that stand are checked first, and whose turn it is.
    pub fn sign(
        &self,
        file: &SealedPdf,
        field: &str,
        act: &Act,
        at: DateTime<Utc>,
    ) -> Result<SealedPdf, SealError> {
        if !act.shown().eq_ignore_ascii_case(&file.hash()) {
            return Err(SealError::Stale);
        }
        let mut update = Update::open(file.bytes())?;
        let fields = field::fields(&update)?;
        let (found, signatory) = act::admit(&fields, field, act, at)?;
        signature::ensure_intact(
            &signature::signatures(&update, &fields, file.bytes())?,
            file.bytes(),
        )?;
        let signer = match act {
            Act::Certificate { signer, .. } => signer,
            _ => &self.office()?.signer,
        };
        let value = update.reserve();
        let mut widget = update.dictionary(found.id)?;
        widget.set("V", value);
        let [left, bottom, right, top] = found.rect;
        let (width, height) = (right - left, top - bottom);
        let look = act.look(signatory, width, height, at)?;
        let look = update.add(update::appearance(width, height, look)?);
        widget.set("AP", dictionary! { "N" => look });
        update.set(found.id, widget);
        let mut dictionary = dictionary! {
            "Name" => text(&signatory.name),
            "Reason" => text(act.reason(signatory)),
            "Reference" => vec![kept_fields(&fields, field)],
        };
        if let Some(evidence) = act.evidence() {
            dictionary.set("PRPH_Evidence", text(&act::canonical(evidence)));
        }
        self.write(update, value, Signing { signer: &**signer, dictionary, at })
    }

    /// Raises a signed file to a level, also one that was sealed long ago.
    pub fn extend(
        &self,
        file: &SealedPdf,
        level: Level,
        at: DateTime<Utc>,
    ) -> Result<SealedPdf, SealError> {
        self.office()?.extender.extend(file, level, at)
    }

    fn office(&self) -> Result<&Office, SealError> {
        match self {
            Self::On(office) => Ok(office),
            Self::Off => Err(SealError::NoSigner),
        }
    }

    /// The office's seal: a certification (ISO 32000-1, 12.8.2.2) that allows a contract to be signed
    /// and nothing else, and a letter to gain proofs only (ISO 32000-2, 12.8.2.2.2).
    fn certify(
        &self,
        mut update: Update,
        is_contract: bool,
        office: &Office,
        at: DateTime<Utc>,
    ) -> Result<SealedPdf, SealError> {
        let subject = office.identity().certificate().subject();
        let value = update.reserve();
        field::add_invisible(&mut update, SEAL, &subject, value)?;
        let id = update.catalog_id()?;
        let mut catalog = update.dictionary(id)?;
        catalog.set("Perms", dictionary! { "DocMDP" => value });
        update.set(id, catalog);
        let allowed = dictionary! { "P" => if is_contract { 2 } else { 1 } };
        let dictionary = dictionary! {
            "Name" => text(&subject),
            "Reference" => vec![transform("DocMDP", allowed)],
        };
        self.write(update, value, Signing { signer: &*office.signer, dictionary, at })
    }

    /// Appends a signature, then what the level asks for.
    fn write(
        &self,
        update: Update,
        id: lopdf::ObjectId,
        signing: Signing,
    ) -> Result<SealedPdf, SealError> {
        let Signing { signer, mut dictionary, at } = signing;
        let expiring = signer.identity().check(at)?;
        dictionary.set("Type", name("Sig"));
        dictionary.set("Filter", name("Adobe.PPKLite"));
        dictionary.set("SubFilter", name("ETSI.CAdES.detached"));
        dictionary.set("M", text(&at.format("D:%Y%m%d%H%M%SZ").to_string()));
        let clock = match self {
            Self::On(office) if office.level > Level::BaselineB => {
                office.extender.clock.as_ref().map(|it| (it, &office.extender.fetch))
            }
            _ => None,
        };
        let room = cades::room(signer.identity()) + clock.map_or(0, |(it, _)| it.room);
        let hole = Hole::cut(update, id, dictionary, room)?;
        let digest = signer.identity().algorithm().digest(&hole.around());
        let mut cades = Cades::sign(digest, signer)?;
        let time = clock.map(|(it, fetch)| it.stamp(&[cades.signature()], fetch)).transpose();
        let shortfall = match time {
            Ok(token) => token.map(|it| cades.add_timestamp(&it)).transpose()?.and(None),
            Err(error) => Some(error.into()),
        };
        let file = SealedPdf::read(hole.fill(&cades.to_der()?)?)?;
        let file = match (self, shortfall) {
            (_, Some(error)) => file.falling_short(error),
            (Self::On(office), None)
                if office.level > Level::BaselineT && file.turn().0.is_empty() =>
            {
                archive::extend(&file, office.level, &office.extender, at)?
            }
            _ => file,
        };
        Ok(file.expiring_soon(expiring))
    }
}

/// Which fields stay as they are from a signature on: its own and those signed before. To lock all
/// would forbid those who sign later.
fn kept_fields(fields: &[Field], own: &str) -> Object {
    let kept = fields.iter().filter(|it| it.name == own || it.value.is_some());
    let kept: Vec<_> = kept.map(|it| text(&it.name)).collect();
    transform("FieldMDP", dictionary! { "Action" => name("Include"), "Fields" => kept })
}

/// A signature reference dictionary (ISO 32000-1, table 253).
fn transform(method: &str, mut parameters: Dictionary) -> Object {
    parameters.set("Type", name("TransformParams"));
    parameters.set("V", name("1.2"));
    let method = name(method);
    dictionary! { "Type" => "SigRef", "TransformMethod" => method, "TransformParams" => parameters }
        .into()
}
