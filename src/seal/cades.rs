//! A signature as CMS with the CAdES attributes that PAdES asks for (RFC 5652; ETSI EN 319 122-1,
//! EN 319 142-1): detached, over the hash of a file around its hole.
//!
//! A signer and a hash in, DER out. No signing time stands in it: PAdES has it in the dictionary.

use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{
    EncapsulatedContentInfo, SignedAttributes, SignedData, SignerIdentifier, SignerInfo,
};
use der::asn1::{ObjectIdentifier, OctetString, SetOfVec};
use der::{Any, Decode, Encode, Sequence, Tag};
use sha2::{Digest, Sha256};
use x509_cert::attr::Attribute;

use super::SealError;
use super::certificate::oid;
use super::key::{Identity, Signer};

pub(super) const SIGNED_DATA: ObjectIdentifier = oid("1.2.840.113549.1.7.2");
const DATA: ObjectIdentifier = oid("1.2.840.113549.1.7.1");
pub(super) const CONTENT_TYPE: ObjectIdentifier = oid("1.2.840.113549.1.9.3");
pub(super) const MESSAGE_DIGEST: ObjectIdentifier = oid("1.2.840.113549.1.9.4");
const SIGNING_CERTIFICATE: ObjectIdentifier = oid("1.2.840.113549.1.9.16.2.47");
pub(super) const SIGNATURE_TIMESTAMP: ObjectIdentifier = oid("1.2.840.113549.1.9.16.2.14");

/// What a signature takes beside its certificates and the signature itself: attributes and names.
const FRAME: usize = 1024;

/// ESSCertIDv2 with SHA-256, its default (RFC 5035, 4).
#[derive(Sequence)]
struct CertificateHash {
    hash: OctetString,
}

/// SigningCertificateV2 (RFC 5035, 3): a certificate put in the signer's place is found out.
#[derive(Sequence)]
struct SigningCertificate {
    certificates: Vec<CertificateHash>,
}

/// A signature, to which a timestamp may still come.
pub(super) struct Cades {
    data: SignedData,
    signer: SignerInfo,
}

/// How much room the signature of somebody takes, without a timestamp.
pub(super) fn room(identity: &Identity) -> usize {
    let certificates = enclosed(identity).map(|it| it.der().len()).sum::<usize>();
    // No signature of these algorithms is longer than the public key in its certificate.
    let signature = identity.certificate().key().subject_public_key.raw_bytes().len();
    certificates + signature + FRAME
}

impl Cades {
    /// Signs the hash of a file, made by the signer's own algorithm.
    pub(super) fn sign(digest: Vec<u8>, signer: &dyn Signer) -> Result<Self, SealError> {
        let identity = signer.identity();
        let hash = OctetString::new(Sha256::digest(identity.certificate().der()).to_vec())?;
        let certificates = SigningCertificate { certificates: vec![CertificateHash { hash }] };
        let attributes = SignedAttributes::try_from(vec![
            attribute(CONTENT_TYPE, Any::encode_from(&DATA)?)?,
            attribute(MESSAGE_DIGEST, Any::new(Tag::OctetString, digest)?)?,
            attribute(SIGNING_CERTIFICATE, Any::encode_from(&certificates)?)?,
        ])?;
        let signature = signer.sign(&attributes.to_der()?)?;
        let algorithm = identity.algorithm();
        let certificate = identity.certificate();
        let signer = SignerInfo {
            version: CmsVersion::V1,
            sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
                issuer: certificate.issuer_name().clone(),
                serial_number: certificate.serial().clone(),
            }),
            digest_alg: algorithm.digest_identifier(),
            signed_attrs: Some(attributes),
            signature_algorithm: algorithm.identifier(),
            signature: OctetString::new(signature)?,
            unsigned_attrs: None,
        };
        let certificates: Vec<_> = enclosed(identity)
            .map(|it| CertificateChoices::Certificate(it.x509().clone()))
            .collect();
        let data = SignedData {
            version: CmsVersion::V1,
            digest_algorithms: vec![algorithm.digest_identifier()].try_into()?,
            encap_content_info: EncapsulatedContentInfo { econtent_type: DATA, econtent: None },
            certificates: Some(certificates.try_into()?),
            crls: None,
            signer_infos: SetOfVec::new().into(),
        };
        Ok(Self { data, signer })
    }

    /// The signature itself: what a timestamp is about.
    pub(super) fn signature(&self) -> &[u8] {
        self.signer.signature.as_bytes()
    }

    /// Adds a timestamp token over the signature (EN 319 122-1, 5.3).
    pub(super) fn add_timestamp(&mut self, token: &[u8]) -> Result<(), SealError> {
        let token = attribute(SIGNATURE_TIMESTAMP, Any::from_der(token)?)?;
        self.signer.unsigned_attrs = Some(vec![token].try_into()?);
        Ok(())
    }

    pub(super) fn to_der(&self) -> Result<Vec<u8>, SealError> {
        let mut data = self.data.clone();
        data.signer_infos = vec![self.signer.clone()].try_into()?;
        Ok(ContentInfo { content_type: SIGNED_DATA, content: Any::encode_from(&data)? }.to_der()?)
    }
}

/// The certificates that go into a signature: all but a root that others stand below, which whoever
/// verifies has or does not trust.
fn enclosed(identity: &Identity) -> impl Iterator<Item = &super::certificate::Certificate> {
    let all = identity.chain();
    all.iter().enumerate().filter(|(at, it)| *at == 0 || !it.is_self_issued()).map(|(_, it)| it)
}

fn attribute(oid: ObjectIdentifier, value: Any) -> Result<Attribute, SealError> {
    Ok(Attribute { oid, values: vec![value].try_into()? })
}
