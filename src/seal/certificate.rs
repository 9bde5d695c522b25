//! X.509 certificates as sealing needs them: who, from when until when, issued by whom, revoked where.
//!
//! DER or PEM in; the bytes are kept as they came, since hashes and signatures are over these. Public
//! keys verify through aws-lc.

use aws_lc_rs::signature as verify;
use chrono::{DateTime, Utc};
use der::asn1::{BitString, ObjectIdentifier};
use der::oid::AssociatedOid;
use der::{Any, Decode, Encode, Sequence};
use sha2::{Digest, Sha256};
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{AuthorityInfoAccessSyntax, CrlDistributionPoints};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::time::Time;

pub(super) const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

/// For names of certificates alone.
pub(super) const SHA1: ObjectIdentifier = oid("1.3.14.3.2.26");
pub(super) const SHA256: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.1");
pub(super) const SHA384: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.2");
pub(super) const SHA512: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.3");
pub(super) const EC_KEY: ObjectIdentifier = oid("1.2.840.10045.2.1");
pub(super) const P256: ObjectIdentifier = oid("1.2.840.10045.3.1.7");
pub(super) const P384: ObjectIdentifier = oid("1.3.132.0.34");
pub(super) const ECDSA_SHA256: ObjectIdentifier = oid("1.2.840.10045.4.3.2");
pub(super) const ECDSA_SHA384: ObjectIdentifier = oid("1.2.840.10045.4.3.3");
pub(super) const RSA_KEY: ObjectIdentifier = oid("1.2.840.113549.1.1.1");
pub(super) const RSA_SHA256: ObjectIdentifier = oid("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = oid("1.2.840.113549.1.1.12");
const RSA_SHA512: ObjectIdentifier = oid("1.2.840.113549.1.1.13");
const OCSP: ObjectIdentifier = oid("1.3.6.1.5.5.7.48.1");

/// A certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    x509: x509_cert::Certificate,
}

/// Something signed by an authority: a certificate or a list of revoked ones (RFC 5280).
#[derive(Sequence)]
pub(super) struct Signed {
    pub(super) body: Any,
    pub(super) algorithm: AlgorithmIdentifierOwned,
    pub(super) signature: BitString,
}

impl Certificate {
    /// Reads one certificate.
    pub fn from_der(bytes: &[u8]) -> Result<Self, der::Error> {
        Ok(Self { der: bytes.to_vec(), x509: x509_cert::Certificate::from_der(bytes)? })
    }

    /// Reads every certificate of a PEM file (RFC 7468), whatever else stands in it.
    pub fn from_pem(text: &[u8]) -> Result<Vec<Self>, der::Error> {
        blocks(text, "CERTIFICATE")
            .map(|block| {
                let (_, der) = der::pem::decode_vec(block.as_bytes())?;
                Self::from_der(&der)
            })
            .collect()
    }

    /// The certificate in PEM.
    pub fn to_pem(&self) -> String {
        der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, &self.der)
            .unwrap_or_default()
    }

    /// The certificate as it came.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whom it names: the common name, or the whole name where there is none.
    pub fn subject(&self) -> String {
        common_name(self.x509.tbs_certificate().subject())
    }

    /// Who issued it, by the same rule.
    pub fn issuer(&self) -> String {
        common_name(self.x509.tbs_certificate().issuer())
    }

    /// The first moment it holds.
    pub fn not_before(&self) -> DateTime<Utc> {
        moment(&self.x509.tbs_certificate().validity().not_before)
    }

    /// The last moment it holds.
    pub fn not_after(&self) -> DateTime<Utc> {
        moment(&self.x509.tbs_certificate().validity().not_after)
    }

    /// SHA-256 of the certificate.
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(&self.der).into()
    }

    /// Whether its subject issued another certificate: by name and by signature.
    pub fn issued(&self, other: &Self) -> bool {
        self.subject_name() == other.issuer_name()
            && Signed::from_der(&other.der).is_ok_and(|it| self.signed(&it))
    }

    /// Whether it names itself as its issuer, as a root does.
    pub fn is_self_issued(&self) -> bool {
        self.subject_name() == self.issuer_name()
    }

    /// The chain up to a root, with `pool` to find the issuers in; begins with this certificate and
    /// ends where no issuer is found.
    pub(super) fn chain(&self, pool: &[Self]) -> Vec<Self> {
        let mut chain = vec![self.clone()];
        while let Some(last) = chain.last().filter(|it| !it.is_self_issued())
            && let Some(issuer) = pool.iter().find(|it| it.issued(last) && !chain.contains(it))
        {
            chain.push(issuer.clone());
        }
        chain
    }

    pub(super) fn x509(&self) -> &x509_cert::Certificate {
        &self.x509
    }

    pub(super) fn subject_name(&self) -> &Name {
        self.x509.tbs_certificate().subject()
    }

    pub(super) fn issuer_name(&self) -> &Name {
        self.x509.tbs_certificate().issuer()
    }

    pub(super) fn serial(&self) -> &SerialNumber {
        self.x509.tbs_certificate().serial_number()
    }

    pub(super) fn key(&self) -> &SubjectPublicKeyInfoOwned {
        self.x509.tbs_certificate().subject_public_key_info()
    }

    /// An extension; nothing where it is absent or malformed.
    pub(super) fn extension<T>(&self) -> Option<T>
    where
        T: for<'a> Decode<'a, Error = der::Error> + AssociatedOid,
    {
        self.x509.tbs_certificate().get_extension::<T>().ok().flatten().map(|(_, it)| it)
    }

    /// Where its status can be asked (RFC 5280, 4.2.2.1).
    pub(super) fn ocsp_urls(&self) -> Vec<String> {
        let access = self.extension::<AuthorityInfoAccessSyntax>().unwrap_or_default();
        let places = access.0.iter().filter(|it| it.access_method == OCSP);
        places.filter_map(|it| http(&it.access_location)).collect()
    }

    /// Where the list of revoked certificates lies (RFC 5280, 4.2.1.13).
    pub(super) fn crl_urls(&self) -> Vec<String> {
        let Some(points) = self.extension::<CrlDistributionPoints>() else { return Vec::new() };
        let names = points.0.iter().filter_map(|it| match &it.distribution_point {
            Some(DistributionPointName::FullName(names)) => Some(names),
            _ => None,
        });
        names.flatten().filter_map(http).collect()
    }

    /// Whether its key signed what an authority signs.
    pub(super) fn signed(&self, signed: &Signed) -> bool {
        let (Ok(body), Some(signature)) = (signed.body.to_der(), signed.signature.as_bytes())
        else {
            return false;
        };
        self.verifies(&signed.algorithm.oid, None, &body, signature)
    }

    /// Whether a signature by its key is right. `digest` is the hash that CMS names beside a signature
    /// algorithm which names none. What aws-lc does not verify is not right.
    pub(super) fn verifies(
        &self,
        algorithm: &ObjectIdentifier,
        digest: Option<&ObjectIdentifier>,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let key = self.key();
        let curve = key.algorithm.parameters.as_ref().and_then(|it| it.decode_as().ok());
        let is = |wanted| curve == Some(wanted);
        let rsa = |wanted, hash| {
            key.algorithm.oid == RSA_KEY
                && (*algorithm == wanted || *algorithm == RSA_KEY && digest == Some(&hash))
        };
        let verifier: &dyn verify::VerificationAlgorithm = match *algorithm {
            ECDSA_SHA256 if is(P256) => &verify::ECDSA_P256_SHA256_ASN1,
            ECDSA_SHA384 if is(P256) => &verify::ECDSA_P256_SHA384_ASN1,
            ECDSA_SHA256 if is(P384) => &verify::ECDSA_P384_SHA256_ASN1,
            ECDSA_SHA384 if is(P384) => &verify::ECDSA_P384_SHA384_ASN1,
            _ if rsa(RSA_SHA256, SHA256) => &verify::RSA_PKCS1_2048_8192_SHA256,
            _ if rsa(RSA_SHA384, SHA384) => &verify::RSA_PKCS1_2048_8192_SHA384,
            _ if rsa(RSA_SHA512, SHA512) => &verify::RSA_PKCS1_2048_8192_SHA512,
            _ => return false,
        };
        let Some(key) = key.subject_public_key.as_bytes() else { return false };
        verify::UnparsedPublicKey::new(verifier, key).verify(message, signature).is_ok()
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Certificate({})", self.subject())
    }
}

/// The blocks of a PEM file with a label.
pub(super) fn blocks<'a>(text: &'a [u8], label: &str) -> impl Iterator<Item = &'a str> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let mut rest = std::str::from_utf8(text).unwrap_or_default();
    std::iter::from_fn(move || {
        let start = rest.find(&begin)?;
        let length = rest[start..].find(&end)? + end.len();
        let block = &rest[start..start + length];
        rest = &rest[start + length..];
        Some(block)
    })
}

pub(super) fn moment(time: &Time) -> DateTime<Utc> {
    let seconds = time.to_unix_duration().as_secs();
    DateTime::from_timestamp(i64::try_from(seconds).unwrap_or(i64::MAX), 0)
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn common_name(name: &Name) -> String {
    let text = name.to_string();
    let common = name.common_name().ok().flatten().map(|it| it.value().into_owned());
    common.unwrap_or(text)
}

fn http(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::UniformResourceIdentifier(url) => {
            Some(url.as_str().to_owned()).filter(|it| it.starts_with("http"))
        }
        _ => None,
    }
}
