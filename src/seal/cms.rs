//! CMS read back: the signature in a hole, or a timestamp token (RFC 5652).
//!
//! DER in; who signed, with which certificates, and whether the signature is theirs. Only DER is
//! read, for what is signed must have one form.

use cms::cert::IssuerAndSerialNumber;
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{EncapsulatedContentInfo, SignerIdentifier, SignerInfo};
use der::asn1::{ObjectIdentifier, OctetString, SetOfVec};
use der::{Any, Decode, Encode, Sequence};
use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_cert::ext::pkix::SubjectKeyIdentifier;
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::cades::{CONTENT_TYPE, MESSAGE_DIGEST, SIGNATURE_TIMESTAMP, SIGNED_DATA};
use super::certificate::{Certificate, SHA1, SHA256, SHA384, SHA512, oid};

const SIGNING_CERTIFICATE: ObjectIdentifier = oid("1.2.840.113549.1.9.16.2.12");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = oid("1.2.840.113549.1.9.16.2.47");

/// SignedData with its certificates as they came.
#[derive(Sequence)]
struct Parts {
    version: CmsVersion,
    digest_algorithms: SetOfVec<AlgorithmIdentifierOwned>,
    content: EncapsulatedContentInfo,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    certificates: Option<SetOfVec<Any>>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    lists: Option<SetOfVec<Any>>,
    signers: SetOfVec<SignerInfo>,
}

/// ESSCertID and ESSCertIDv2 (RFC 5035, 4 and 5.4.1): the hash names itself only where it is not the
/// default of its version.
#[derive(Sequence)]
struct CertificateHash {
    #[asn1(optional = "true")]
    algorithm: Option<AlgorithmIdentifierOwned>,
    hash: OctetString,
    #[asn1(optional = "true")]
    issuer: Option<IssuerSerial>,
}

/// Not compared: the hash says more.
#[derive(Sequence)]
struct IssuerSerial {
    issuer: Any,
    serial: Any,
}

#[derive(Sequence)]
struct SigningCertificate {
    certificates: Vec<CertificateHash>,
    #[asn1(optional = "true")]
    policies: Option<Vec<Any>>,
}

/// A signature that was read.
pub(super) struct Cms {
    content: EncapsulatedContentInfo,
    signer: SignerInfo,
    /// The certificates that came with it.
    pub(super) certificates: Vec<Certificate>,
}

impl Cms {
    /// Reads a signature by one signer.
    pub(super) fn read(der: &[u8]) -> Result<Self, der::Error> {
        let info = ContentInfo::from_der(der)?;
        let malformed = || der::Error::from(der::ErrorKind::Failed);
        if info.content_type != SIGNED_DATA {
            return Err(malformed());
        }
        let parts: Parts = info.content.decode_as()?;
        let [signer] = parts.signers.as_slice() else { return Err(malformed()) };
        let certificates = parts.certificates.unwrap_or_default().into_vec();
        let certificates = certificates.iter().map(|it| Certificate::from_der(&it.to_der()?));
        Ok(Self {
            signer: signer.clone(),
            content: parts.content,
            certificates: certificates.collect::<Result<_, _>>()?,
        })
    }

    /// The signer's certificate, where it came along.
    pub(super) fn certificate(&self) -> Option<&Certificate> {
        self.certificates.iter().find(|it| match &self.signer.sid {
            SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
                issuer,
                serial_number,
            }) => it.issuer_name() == issuer && it.serial() == serial_number,
            SignerIdentifier::SubjectKeyIdentifier(wanted) => {
                it.extension::<SubjectKeyIdentifier>().as_ref() == Some(wanted)
            }
        })
    }

    /// What is signed, where it is inside: its kind and its bytes.
    pub(super) fn content(&self) -> Option<(ObjectIdentifier, &[u8])> {
        Some((self.content.econtent_type, self.content.econtent.as_ref()?.value()))
    }

    /// Whether the signature is the certificate's, over what hashes to what it says. A signature
    /// that names no certificate of its own is none.
    pub(super) fn confirms(&self, signed: &[&[u8]]) -> bool {
        let Some(certificate) = self.certificate() else { return false };
        let Some(attributes) = &self.signer.signed_attrs else { return false };
        let digest = hash(&self.signer.digest_alg.oid, signed);
        let value = |wanted| {
            let mut found = attributes.iter().filter(|it| it.oid == wanted);
            found.next().and_then(|it| it.values.get(0)).filter(|_| found.next().is_none())
        };
        let is_digest =
            value(MESSAGE_DIGEST).is_some_and(|it| Some(it.value()) == digest.as_deref());
        let kind = value(CONTENT_TYPE).and_then(|it| it.decode_as::<ObjectIdentifier>().ok());
        let named = [(SIGNING_CERTIFICATE_V2, SHA256), (SIGNING_CERTIFICATE, SHA1)]
            .into_iter()
            .find_map(|(attribute, default)| Some((value(attribute)?, default)))
            .is_some_and(|(it, default)| names(it, default, certificate));
        let Ok(message) = attributes.to_der() else { return false };
        let (algorithm, digest) =
            (&self.signer.signature_algorithm.oid, &self.signer.digest_alg.oid);
        is_digest
            && kind == Some(self.content.econtent_type)
            && named
            && certificate.verifies(algorithm, Some(digest), &message, self.signature())
    }

    /// The signature itself.
    pub(super) fn signature(&self) -> &[u8] {
        self.signer.signature.as_bytes()
    }

    /// The timestamp token over the signature.
    pub(super) fn timestamp(&self) -> Option<Vec<u8>> {
        let attributes = self.signer.unsigned_attrs.as_ref()?;
        let found = attributes.iter().find(|it| it.oid == SIGNATURE_TIMESTAMP)?;
        found.values.get(0)?.to_der().ok()
    }
}

/// Whether a signing-certificate attribute names a certificate first.
fn names(attribute: &Any, default: ObjectIdentifier, certificate: &Certificate) -> bool {
    let Ok(named) = attribute.decode_as::<SigningCertificate>() else { return false };
    let Some(first) = named.certificates.first() else { return false };
    let algorithm = first.algorithm.as_ref().map_or(default, |it| it.oid);
    hash(&algorithm, &[certificate.der()]).as_deref() == Some(first.hash.as_bytes())
}

/// The hash of some bytes by its name. SHA-1 serves only to recognise a certificate (RFC 2634, 5.4).
pub(super) fn hash(algorithm: &ObjectIdentifier, parts: &[&[u8]]) -> Option<Vec<u8>> {
    fn over<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
        let mut digest = D::new();
        parts.iter().for_each(|part| digest.update(part));
        digest.finalize().to_vec()
    }
    match *algorithm {
        SHA256 => Some(over::<Sha256>(parts)),
        SHA384 => Some(over::<Sha384>(parts)),
        SHA512 => Some(over::<Sha512>(parts)),
        SHA1 => {
            let whole = parts.concat();
            let digest =
                aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &whole);
            Some(digest.as_ref().to_vec())
        }
        _ => None,
    }
}
