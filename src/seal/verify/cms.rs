//! A signature as CMS SignedData (RFC 5652) in the profile of CAdES (ETSI EN 319 122-1): strictly DER,
//! one signer, the signed attributes that must be there, nothing that is not looked at.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use chrono::{DateTime, Utc};
use der::asn1::ObjectIdentifier;

use super::algorithm::{Hash, Scheme};
use super::certificate::Certificate;
use super::der::{INTEGER, OCTET_STRING, OID, SEQUENCE, SET, Value, context};
use super::fault::{Checked, Fault, ensure};

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

const SIGNED_DATA: ObjectIdentifier = oid("1.2.840.113549.1.7.2");
/// Content that stands elsewhere: in the file around the hole.
pub(super) const DATA: ObjectIdentifier = oid("1.2.840.113549.1.7.1");
/// The content of a timestamp token (RFC 3161).
pub(super) const TST_INFO: ObjectIdentifier = oid("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = oid("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = oid("1.2.840.113549.1.9.4");
const SIGNING_TIME: ObjectIdentifier = oid("1.2.840.113549.1.9.5");
const SIGNING_CERTIFICATE: ObjectIdentifier = oid("1.2.840.113549.1.9.16.2.12");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = oid("1.2.840.113549.1.9.16.2.47");
const TIMESTAMP: ObjectIdentifier = oid("1.2.840.113549.1.9.16.2.14");
const REVOCATION: ObjectIdentifier = oid("1.2.840.113583.1.1.8");
const ALGORITHM_PROTECTION: ObjectIdentifier = oid("1.2.840.113549.1.9.52");

/// How many certificates a signature may bring along.
const CERTIFICATES: usize = 16;

/// A signature whose form is right and whose value is the signer's, over `content_digest`.
pub(super) struct Signed<'a> {
    pub(super) signer: Certificate,
    pub(super) certificates: Vec<Certificate>,
    pub(super) content: Option<&'a [u8]>,
    pub(super) hash: Hash,
    pub(super) signing_time: Option<DateTime<Utc>>,
    pub(super) signature: &'a [u8],
    /// The timestamp token over the signature's value, as it stands.
    pub(super) timestamp: Option<Value<'a>>,
    /// The signed `adbe-revocationInfoArchival`.
    pub(super) revocation: Option<Value<'a>>,
    digest: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Reads and checks all but what was signed; `kind` is the content type it must have.
    pub(super) fn read(message: Value<'a>, kind: ObjectIdentifier) -> Checked<Self> {
        let mut info = message.of(SEQUENCE)?.inside();
        ensure(info.take(OID)?.is(SIGNED_DATA), "cms.kind")?;
        let data = info.take(context(0))?.inner()?.of(SEQUENCE)?;
        info.end()?;
        let mut data = data.inside();
        let version = data.take(INTEGER)?.small()?;
        // RFC 5652, 5.1: without other forms of certificates, it follows from the content type.
        ensure(version == if kind == DATA { 1 } else { 3 }, "cms.version")?;
        let hashes = data.take(SET)?.inside().rest()?;
        let content = encapsulated(data.take(SEQUENCE)?, kind)?;
        let mut certificates = Vec::new();
        for it in data.maybe(context(0))?.map_or(Ok(Vec::new()), |it| it.inside().rest())? {
            ensure(certificates.len() < CERTIFICATES, "file.too_complex")?;
            certificates.push(Certificate::read(it.of(SEQUENCE)?.whole)?);
        }
        let signers = data.take(SET)?.inside().rest()?;
        data.end()?;
        let [signer] = signers[..] else {
            return Err(Fault::new("cms.signers").with("count", signers.len()));
        };
        let signed = Self::signer(signer, certificates, content, kind)?;
        let same = hashes.iter().all(|it| Hash::read(*it).is_ok_and(|it| it == signed.hash));
        ensure(same && hashes.len() == 1, "cms.digest_algorithms")?;
        Ok(signed)
    }

    fn signer(
        info: Value<'a>,
        certificates: Vec<Certificate>,
        content: Option<&'a [u8]>,
        kind: ObjectIdentifier,
    ) -> Checked<Self> {
        let mut info = info.of(SEQUENCE)?.inside();
        // By issuer and serial number; the other way would be version 3 and no certificate's name.
        ensure(info.take(INTEGER)?.small()? == 1, "cms.version")?;
        let identifier = info.take(SEQUENCE)?;
        let hash = Hash::read(info.take(SEQUENCE)?)?;
        let attributes = info.take(context(0))?;
        let scheme = Scheme::read(info.take(SEQUENCE)?, Some(hash))?;
        let signature = info.take(OCTET_STRING)?.content;
        let unsigned = info.maybe(context(1))?;
        info.end()?;
        ensure(scheme.hash() == hash, "cms.digest_algorithms")?;

        let signer = certificates.iter().find(|it| names(identifier, it));
        let signer = signer.ok_or_else(|| Fault::new("cms.no_certificate"))?.clone();
        // RFC 5652, 5.4: what is signed is the SET OF, not the field's own tag.
        let mut message = attributes.whole.to_vec();
        message[0] = SET;
        scheme.verify(&signer.key, &message, signature)?;

        let signed = Attributes::read(attributes)?;
        signed.only(&[
            CONTENT_TYPE,
            MESSAGE_DIGEST,
            SIGNING_TIME,
            SIGNING_CERTIFICATE,
            SIGNING_CERTIFICATE_V2,
            REVOCATION,
            ALGORITHM_PROTECTION,
        ])?;
        ensure(signed.must(CONTENT_TYPE)?.is(kind), "cms.content_type")?;
        let digest = signed.must(MESSAGE_DIGEST)?.of(OCTET_STRING)?.content;
        signing_certificate(&signed, &signer, kind)?;
        if let Some(protection) = signed.get(ALGORITHM_PROTECTION) {
            protected(protection, hash, scheme)?;
        }
        let signing_time = signed.get(SIGNING_TIME).map(|it| it.time()).transpose()?;
        let unsigned = unsigned.map_or(Ok(Attributes::default()), Attributes::read)?;
        unsigned.only(&[TIMESTAMP])?;
        let timestamp = unsigned.get(TIMESTAMP);
        let revocation = signed.get(REVOCATION);
        Ok(Self {
            signer,
            certificates,
            content,
            hash,
            signing_time,
            signature,
            timestamp,
            revocation,
            digest,
        })
    }

    /// Whether these parts, end to end, are what was signed.
    pub(super) fn covers(&self, parts: &[&[u8]]) -> Checked<()> {
        ensure(self.hash.of(parts) == self.digest, "cms.digest")
    }
}

/// The content type, and the content where it stands inside.
fn encapsulated(info: Value<'_>, kind: ObjectIdentifier) -> Checked<Option<&[u8]>> {
    let mut info = info.inside();
    ensure(info.take(OID)?.is(kind), "cms.content_type")?;
    let content = info.maybe(context(0))?;
    info.end()?;
    ensure(content.is_some() == (kind != DATA), "cms.content_type")?;
    content.map(|it| Ok(it.inner()?.of(OCTET_STRING)?.content)).transpose()
}

/// Whether an IssuerAndSerialNumber is the certificate's.
fn names(identifier: Value<'_>, certificate: &Certificate) -> bool {
    let read = || -> Checked<bool> {
        let mut parts = identifier.inside();
        let issuer = parts.take(SEQUENCE)?.whole;
        let serial = parts.take(INTEGER)?.content;
        parts.end()?;
        let own = certificate.parsed.tbs_certificate().serial_number().as_bytes();
        Ok(issuer == certificate.issuer && serial == own)
    };
    read().unwrap_or(false)
}

/// Attributes, each once and with one value.
#[derive(Default)]
struct Attributes<'a>(Vec<(Value<'a>, Value<'a>)>);

impl<'a> Attributes<'a> {
    fn read(set: Value<'a>) -> Checked<Self> {
        let mut found: Vec<(Value<'a>, Value<'a>)> = Vec::new();
        for attribute in set.inside().rest()? {
            let mut parts = attribute.of(SEQUENCE)?.inside();
            let name = parts.take(OID)?;
            let values = parts.take(SET)?.inside().rest()?;
            parts.end()?;
            let [value] = values[..] else { return Err(refused(name)) };
            if found.iter().any(|(it, _)| it.whole == name.whole) {
                return Err(refused(name));
            }
            found.push((name, value));
        }
        Ok(Self(found))
    }

    fn get(&self, name: ObjectIdentifier) -> Option<Value<'a>> {
        self.0.iter().find(|(it, _)| it.is(name)).map(|(_, value)| *value)
    }

    fn must(&self, name: ObjectIdentifier) -> Checked<Value<'a>> {
        self.get(name).ok_or_else(|| Fault::new("cms.attribute_missing").with("name", name))
    }

    /// What is not known could say anything, so it is refused.
    fn only(&self, known: &[ObjectIdentifier]) -> Checked<()> {
        match self.0.iter().find(|(name, _)| !known.iter().any(|it| name.is(*it))) {
            Some((name, _)) => Err(refused(*name)),
            None => Ok(()),
        }
    }
}

fn refused(name: Value<'_>) -> Fault {
    let text = ObjectIdentifier::from_bytes(name.content).map(|it| it.to_string());
    Fault::new("cms.attribute_refused").with("name", text.unwrap_or_default())
}

/// The first certificate of signing-certificate-v2 (RFC 5035) is the signer's. Timestamp tokens may
/// have the older form with SHA-1 (RFC 3161, 2.4.2), which only has to tell certificates apart.
fn signing_certificate(
    attributes: &Attributes<'_>,
    signer: &Certificate,
    kind: ObjectIdentifier,
) -> Checked<()> {
    let first = |list: Value<'_>| -> Checked<Vec<u8>> {
        let mut parts = list.of(SEQUENCE)?.inside();
        let certificates = parts.take(SEQUENCE)?.inside().rest()?;
        let first = certificates.first().ok_or_else(|| Fault::new("cms.signing_certificate"))?;
        Ok(first.of(SEQUENCE)?.content.to_vec())
    };
    let (matched, issuer) = if let Some(list) = attributes.get(SIGNING_CERTIFICATE_V2) {
        let content = first(list)?;
        let mut parts = super::der::values(&content);
        // DER leaves the default, SHA-256, out; some writers say it all the same.
        let hash = parts.maybe(SEQUENCE)?.map_or(Ok(Hash::Sha256), Hash::read)?;
        let matched = parts.take(OCTET_STRING)?.content == hash.of(&[&signer.der]);
        (matched, issuer_serial(&mut parts, signer)?)
    } else if let Some(list) = attributes.get(SIGNING_CERTIFICATE).filter(|_| kind == TST_INFO) {
        let content = first(list)?;
        let mut parts = super::der::values(&content);
        let own = digest(&SHA1_FOR_LEGACY_USE_ONLY, &signer.der);
        let matched = parts.take(OCTET_STRING)?.content == own.as_ref();
        (matched, issuer_serial(&mut parts, signer)?)
    } else {
        return Err(Fault::new("cms.attribute_missing").with("name", SIGNING_CERTIFICATE_V2));
    };
    ensure(matched && issuer, "cms.signing_certificate")
}

/// The optional IssuerSerial of an ESSCertID: if there, it names the signer's serial number.
fn issuer_serial(parts: &mut super::der::Values<'_>, signer: &Certificate) -> Checked<bool> {
    let Some(names) = parts.maybe(SEQUENCE)? else { return Ok(true) };
    let mut names = names.inside();
    names.take(SEQUENCE)?;
    let serial = names.take(INTEGER)?.content;
    Ok(serial == signer.parsed.tbs_certificate().serial_number().as_bytes())
}

/// CMSAlgorithmProtection (RFC 6211) repeats both algorithms under the signature.
fn protected(value: Value<'_>, hash: Hash, scheme: Scheme) -> Checked<()> {
    let mut parts = value.of(SEQUENCE)?.inside();
    let own_hash = Hash::read(parts.take(SEQUENCE)?)?;
    let algorithm = parts.take(context(1))?;
    let mut as_sequence = algorithm.whole.to_vec();
    as_sequence[0] = SEQUENCE;
    let own_scheme = Scheme::read(super::der::single(&as_sequence)?, Some(hash))?;
    parts.end()?;
    ensure(own_hash == hash && own_scheme == scheme, "cms.digest_algorithms")
}
