//! What makes signatures last: the time, then every certificate with proof that none was revoked, then
//! a timestamp over all of it (ETSI EN 319 142-1, levels B-T, B-LT and B-LTA).
//!
//! A signed file in, a longer one out. Each step is an update of its own, and the level that was
//! reached when a server failed is kept.

use chrono::{DateTime, Utc};
use lopdf::{Dictionary, Object, Stream, dictionary};

use super::certificate::Certificate;
use super::cms::Cms;
use super::fetch::Fetch;
use super::hole::Hole;
use super::revocation::{self, Proofs};
use super::signature::{self, Signature};
use super::timestamp::{self, TimestampOptions};
use super::update::{Update, name};
use super::{Level, SealError, SealedPdf, field};

/// Raises files to higher levels. No key is needed for it: time and proofs come from elsewhere.
#[derive(Debug)]
pub struct Extender {
    pub(super) clock: Option<timestamp::Authority>,
    pub(super) fetch: Fetch,
    issuers: Vec<Certificate>,
}

impl Extender {
    /// Who says the time, and certificates of issuers that signatures do not bring along.
    pub fn new(
        timestamp: Option<&TimestampOptions>,
        issuers: &[Certificate],
    ) -> Result<Self, SealError> {
        let clock = timestamp.map(timestamp::Authority::new).transpose()?;
        Ok(Self { clock, fetch: Fetch::new(), issuers: issuers.to_vec() })
    }

    /// Raises a signed file to a level, also one that was sealed long ago; a file at B-LTA is renewed.
    /// Where nothing is gained the reason is the error.
    pub fn extend(
        &self,
        file: &SealedPdf,
        level: Level,
        at: DateTime<Utc>,
    ) -> Result<SealedPdf, SealError> {
        let mut raised = extend(file, level, self, at)?;
        match raised.take_shortfall() {
            Some(error) if raised.bytes() == file.bytes() => Err(error),
            Some(error) => Ok(raised.falling_short(error)),
            None => Ok(raised),
        }
    }
}

/// Raises a file to a level. Where a step fails, the file comes back at the level it has reached, with
/// the reason; at B-LTA a file is renewed by one more round.
pub(super) fn extend(
    file: &SealedPdf,
    level: Level,
    extender: &Extender,
    at: DateTime<Utc>,
) -> Result<SealedPdf, SealError> {
    if file.level() == Level::None {
        return Err(SealError::Unsigned);
    }
    let update = Update::open(file.bytes())?;
    let fields = field::fields(&update)?;
    let signatures = signature::signatures(&update, &fields, file.bytes())?;
    signature::ensure_intact(&signatures, file.bytes())?;
    let mut bytes = file.bytes().to_vec();
    let result = raise(&mut bytes, file.level(), level, extender, at);
    let raised = SealedPdf::read(bytes)?;
    Ok(match result {
        Ok(()) => raised,
        Err(error) => raised.falling_short(error),
    })
}

/// Takes the steps that are missing, each replacing the bytes when it is done.
fn raise(
    bytes: &mut Vec<u8>,
    from: Level,
    to: Level,
    extender: &Extender,
    at: DateTime<Utc>,
) -> Result<(), SealError> {
    let renewed = from == Level::BaselineLTA && to == Level::BaselineLTA;
    if from < Level::BaselineT && to >= Level::BaselineT {
        *bytes = stamped(bytes, extender)?;
    }
    if to >= Level::BaselineLT && (from < Level::BaselineLT || renewed) {
        *bytes = proven(bytes, extender, at)?;
    }
    if to >= Level::BaselineLTA && (from < Level::BaselineLTA || renewed) {
        *bytes = stamped(bytes, extender)?;
    }
    Ok(())
}

/// A timestamp over the whole file, in an invisible field of its own.
fn stamped(file: &[u8], extender: &Extender) -> Result<Vec<u8>, SealError> {
    let clock = extender.clock.as_ref().ok_or(SealError::NoTimestampAuthority)?;
    let mut update = Update::open(file)?;
    let fields = field::fields(&update)?;
    let count = fields.iter().filter(|it| it.name.starts_with(TIMESTAMP)).count();
    let value = update.reserve();
    let own = format!("{TIMESTAMP}{}", count + 1);
    field::add_invisible(&mut update, &own, &format!("RFC 3161 ({})", count + 1), value)?;
    let dictionary = dictionary! {
        "Type" => name("DocTimeStamp"),
        "Filter" => name("Adobe.PPKLite"),
        "SubFilter" => name("ETSI.RFC3161"),
    };
    let hole = Hole::cut(update, value, dictionary, clock.room)?;
    let token = clock.stamp(&hole.around(), &extender.fetch)?;
    hole.fill(&token)
}

const TIMESTAMP: &str = "timestamp";

/// The document security store: every certificate of every signature and timestamp so far, with the
/// proofs.
fn proven(file: &[u8], extender: &Extender, at: DateTime<Utc>) -> Result<Vec<u8>, SealError> {
    let mut update = Update::open(file)?;
    let fields = field::fields(&update)?;
    let signatures = signature::signatures(&update, &fields, file)?;
    let proofs = revocation::gather(&chains(&signatures, extender)?, &extender.fetch, at)?;
    let id = update.catalog_id()?;
    let mut catalog = update.dictionary(id)?;
    let store = store(&mut update, &catalog, &proofs)?;
    let store = update.add(store);
    catalog.set("DSS", store);
    let level = dictionary! { "BaseVersion" => name("1.7"), "ExtensionLevel" => 1 };
    let mut extensions = match update.get(&catalog, b"Extensions")? {
        Some(extensions) => extensions.as_dict()?.clone(),
        None => Dictionary::new(),
    };
    extensions.set("ESIC", level);
    catalog.set("Extensions", extensions);
    update.set(id, catalog);
    Ok(update.finish()?.bytes)
}

/// The chains of everybody who signed, and of whoever said the time.
fn chains(
    signatures: &[Signature],
    extender: &Extender,
) -> Result<Vec<Vec<Certificate>>, SealError> {
    let stamps = signatures.iter().filter_map(|it| it.cms.timestamp());
    let stamps = stamps.map(|it| Cms::read(&it)).collect::<Result<Vec<_>, _>>()?;
    let all = || signatures.iter().map(|it| &it.cms).chain(&stamps);
    let mut pool: Vec<_> = all().flat_map(|it| it.certificates.clone()).collect();
    pool.extend(extender.issuers.iter().cloned());
    pool.extend(extender.clock.iter().flat_map(|it| it.roots.clone()));
    let chain = |it: &Cms| it.certificate().map(|it| it.chain(&pool));
    all().map(|it| chain(it).ok_or(SealError::Der(der::ErrorKind::Failed.into()))).collect()
}

/// What the store held, and what it did not hold yet.
fn store(
    update: &mut Update,
    catalog: &Dictionary,
    proofs: &Proofs,
) -> Result<Dictionary, SealError> {
    let earlier = match update.get(catalog, b"DSS")? {
        Some(store) => store.as_dict()?.clone(),
        None => Dictionary::new(),
    };
    let mut store = dictionary! { "Type" => name("DSS") };
    let kinds =
        [("Certs", &proofs.certificates), ("CRLs", &proofs.lists), ("OCSPs", &proofs.answers)];
    for (key, values) in kinds {
        let mut references = match update.get(&earlier, key.as_bytes())? {
            Some(list) => list.as_array()?.clone(),
            None => Vec::new(),
        };
        let held =
            references.iter().map(|it| content(update, it)).collect::<Result<Vec<_>, _>>()?;
        for value in values.iter().filter(|it| !held.contains(it)) {
            let stream = Stream::new(Dictionary::new(), value.clone());
            references.push(update.add(stream).into());
        }
        if !references.is_empty() {
            store.set(key, references);
        }
    }
    Ok(store)
}

fn content(update: &Update, stream: &Object) -> Result<Vec<u8>, SealError> {
    Ok(update.resolve(stream)?.as_stream()?.get_plain_content()?)
}
