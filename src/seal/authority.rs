//! A test authority: keys and certificates for trials and the demonstration, worth nothing.
//!
//! A seed in, a root and whom it certifies out; the same seed makes the same keys. Whoever verifies
//! trusts such a root only when told to.

use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use der::asn1::{BitString, GeneralizedTime, OctetString};
use der::oid::AssociatedOid;
use der::{Decode, Encode, Sequence};
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::Signer as _;
use p256::pkcs8::{EncodePrivateKey, EncodePublicKey};
use sha2::{Digest, Sha256};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::time::{Time, Validity};

use super::certificate::{Certificate, ECDSA_SHA256, Signed};
use super::key::{KeyError, Signer, SoftwareKey};

/// What every certificate of it says beside the name.
const WORTHLESS: &str = "Paraphe test authority (no value)";

/// A root that certifies whomever it is asked to.
pub struct TestAuthority {
    seed: [u8; 32],
    key: SigningKey,
    root: Certificate,
}

/// TBSCertificate (RFC 5280, 4.1), version 3.
#[derive(Sequence)]
struct Body {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: u8,
    serial: SerialNumber,
    algorithm: AlgorithmIdentifierOwned,
    issuer: Name,
    validity: Validity,
    subject: Name,
    key: SubjectPublicKeyInfoOwned,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

impl TestAuthority {
    /// An authority of this moment that nobody can make again.
    pub fn random() -> Result<Self, KeyError> {
        let mut seed = [0; 32];
        aws_lc_rs::rand::SecureRandom::fill(&aws_lc_rs::rand::SystemRandom::new(), &mut seed)
            .map_err(|_| KeyError::Unreadable("this machine has no randomness".to_owned()))?;
        Self::from_seed(seed)
    }

    /// The authority of a seed, valid from 2020 to 2049.
    pub fn from_seed(seed: [u8; 32]) -> Result<Self, KeyError> {
        let key = key(&seed, "root");
        let subject = name("Root")?;
        let usage = KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign);
        let own = BasicConstraints { ca: true, path_len_constraint: Some(0) };
        let extensions = vec![extension(true, &own)?, extension(true, &usage)?];
        let span = (moment("2020-01-01T00:00:00Z"), moment("2049-12-31T23:59:59Z"));
        let root = certify(&key, &subject, &key, &subject, span, extensions)?;
        Ok(Self { seed, key, root })
    }

    /// The root, for whoever shall trust it.
    pub fn root(&self) -> &Certificate {
        &self.root
    }

    /// A key with its certificate, valid as long as the root.
    pub fn signer(&self, subject: &str) -> Result<Arc<dyn Signer>, KeyError> {
        self.signer_for(subject, self.root.not_before(), self.root.not_after())
    }

    /// A key with its certificate, valid from a moment until another.
    pub fn signer_for(
        &self,
        subject: &str,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Arc<dyn Signer>, KeyError> {
        let (key, own) = self.issue(subject, from, until)?;
        let pkcs8 = key.to_pkcs8_der().map_err(|_| KeyError::Unsupported)?;
        SoftwareKey::from_pkcs8(pkcs8.as_bytes(), &[own, self.root.clone()])
    }

    fn issue(
        &self,
        subject: &str,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<(SigningKey, Certificate), KeyError> {
        let key = key(&self.seed, subject);
        let usage = KeyUsage(KeyUsages::DigitalSignature | KeyUsages::NonRepudiation);
        let above = AuthorityKeyIdentifier {
            key_identifier: Some(key_identifier(&self.key)?),
            ..AuthorityKeyIdentifier::default()
        };
        let extensions = vec![extension(true, &usage)?, extension(false, &above)?];
        let issuer = self.root.subject_name();
        let own = certify(&self.key, issuer, &key, &name(subject)?, (from, until), extensions)?;
        Ok((key, own))
    }
}

impl std::fmt::Debug for TestAuthority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "TestAuthority({:?})", self.root)
    }
}

/// A certificate for a key, signed by another.
fn certify(
    signer: &SigningKey,
    issuer: &Name,
    key: &SigningKey,
    subject: &Name,
    (from, until): (DateTime<Utc>, DateTime<Utc>),
    mut extensions: Vec<Extension>,
) -> Result<Certificate, KeyError> {
    extensions.push(extension(false, &SubjectKeyIdentifier(key_identifier(key)?))?);
    let public = public(key)?;
    // A positive number that differs with the key and the days.
    let mut serial = Sha256::digest([&public[..], &from.timestamp().to_be_bytes()].concat());
    serial[0] = serial[0] & 0x3f | 0x40;
    let algorithm = AlgorithmIdentifierOwned { oid: ECDSA_SHA256, parameters: None };
    let body = Body {
        version: 2,
        serial: SerialNumber::new(&serial[..16])?,
        algorithm: algorithm.clone(),
        issuer: issuer.clone(),
        validity: Validity::new(time(from)?, time(until)?),
        subject: subject.clone(),
        key: SubjectPublicKeyInfoOwned::from_der(&public)?,
        extensions,
    };
    let signature: p256::ecdsa::DerSignature = signer.sign(&body.to_der()?);
    let signature = BitString::from_bytes(signature.as_bytes())?;
    let signed = Signed { body: der::Any::encode_from(&body)?, algorithm, signature };
    Ok(Certificate::from_der(&signed.to_der()?)?)
}

/// The key of somebody, the same for the same seed. Not one seed in 2^32 meets a hash that is no
/// scalar of the curve; then the next one is taken.
fn key(seed: &[u8; 32], of: &str) -> SigningKey {
    let mut scalar = Sha256::digest([&seed[..], of.as_bytes()].concat());
    loop {
        if let Ok(key) = SigningKey::from_slice(&scalar) {
            return key;
        }
        scalar = Sha256::digest(scalar);
    }
}

fn public(key: &SigningKey) -> Result<Vec<u8>, KeyError> {
    let der = key.verifying_key().to_public_key_der().map_err(|_| KeyError::Unsupported)?;
    Ok(der.into_vec())
}

/// A hash of the public key (RFC 7093, 2, method 1).
fn key_identifier(key: &SigningKey) -> Result<OctetString, KeyError> {
    Ok(OctetString::new(&Sha256::digest(public(key)?)[..20])?)
}

fn name(common: &str) -> Result<Name, KeyError> {
    let special = |c: char| ",+\"\\<>;=#".contains(c);
    let escape = |c: char| if special(c) { format!("\\{c}") } else { c.to_string() };
    let common: String = common.chars().map(escape).collect();
    Ok(Name::from_str(&format!("CN={common},O={WORTHLESS}"))?)
}

fn extension<T: Encode + AssociatedOid>(critical: bool, value: &T) -> Result<Extension, KeyError> {
    Ok(Extension { extn_id: T::OID, critical, extn_value: OctetString::new(value.to_der()?)? })
}

fn time(at: DateTime<Utc>) -> Result<Time, KeyError> {
    let seconds = u64::try_from(at.timestamp()).unwrap_or_default();
    let time = GeneralizedTime::from_unix_duration(std::time::Duration::from_secs(seconds))?;
    Ok(Time::from(time.to_date_time()))
}

fn moment(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or_default()
}
