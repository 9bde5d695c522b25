//! Keys that sign: what a signer is, and the software one from PKCS#12 or PEM.
//!
//! Bytes of a key and its certificates in, signatures out. A key comes with the chain up to its root,
//! for later levels ask every issuer. No key, password or PIN reaches an error or a debugger's print.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use chrono::{DateTime, Days, Utc};
use der::{Decode, Encode};
use p12_keystore::{KeyStore, KeyStoreEntry};
use p256::pkcs8::{DecodePrivateKey, PrivateKeyInfoRef};
use sha2::{Digest, Sha256, Sha384};
use x509_cert::ext::pkix::{KeyUsage, KeyUsages};
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::certificate::{self, Certificate, blocks};
use crate::class::Class;
use crate::secret::Secret;

/// How long before its end a certificate is warned of.
const WARNED_BEFORE: Days = Days::new(60);

/// Whoever signs: a key in this process, or one that never leaves its token.
pub trait Signer: Send + Sync + fmt::Debug {
    /// Its certificate and the chain.
    fn identity(&self) -> &Identity;

    /// Signs a message: DER for ECDSA (RFC 3279, 2.2.3), PKCS#1 v1.5 for RSA.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError>;
}

/// How a key signs. The hash follows from the key, and the document is hashed by the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    P256,
    /// ECDSA on P-384 with SHA-384.
    P384,
    /// RSA, PKCS#1 v1.5, with SHA-256.
    Rsa,
}

/// A signer's certificate, and its issuers up to the root.
#[derive(Debug, Clone)]
pub struct Identity {
    chain: Vec<Certificate>,
    algorithm: Algorithm,
}

/// A certificate that ends soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// Whom it names.
    pub subject: String,
    /// Its last moment.
    pub until: DateTime<Utc>,
}

/// Why a key does not sign. Whoever gave the key mends it. Nobody is named in the text, for errors
/// reach logs and a certificate may be a person's.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The password of a file or the PIN of a token.
    #[error("the password or PIN does not open the key: check it and try again")]
    WrongPassword,
    /// Too many wrong PINs.
    #[error("the token has locked its PIN after too many wrong ones: its administrator unlocks it")]
    Locked,
    /// What is there is no key or certificate file we know.
    #[error("{0}")]
    Unreadable(String),
    /// A certificate that is malformed.
    #[error("a certificate cannot be read")]
    Certificate(#[from] der::Error),
    /// A kind of key that we do not sign with.
    #[error("the key is neither P-256, P-384 nor RSA of at least 2048 bits")]
    Unsupported,
    /// An issuer is missing.
    #[error("the certificate of the issuer « {issuer} » is missing: add the chain up to its root")]
    NoChain {
        /// The issuer not found.
        issuer: String,
    },
    /// The key is another one's.
    #[error("the key does not belong to the certificate")]
    Mismatch {
        /// Whom the certificate names.
        subject: String,
    },
    /// The certificate is for something else.
    #[error("the certificate is not for signing: its key usage says so")]
    Usage {
        /// Whom it names.
        subject: String,
    },
    /// Too early.
    #[error("a certificate of the key is not valid before {from}")]
    NotYetValid {
        /// Whom it names.
        subject: String,
        /// Its first moment.
        from: DateTime<Utc>,
    },
    /// Too late.
    #[error("a certificate of the key has expired at {until}: renew it")]
    Expired {
        /// Whom it names.
        subject: String,
        /// Its last moment.
        until: DateTime<Utc>,
    },
    /// The token answers with an error; it may be back later.
    #[error("the token: {0}")]
    Token(String),
}

impl KeyError {
    /// Whose turn it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Token(_) => Class::Later,
            _ => Class::Caller,
        }
    }
}

impl Algorithm {
    /// The algorithm of a certificate's key.
    fn of(certificate: &Certificate) -> Option<Self> {
        let key = &certificate.key().algorithm;
        let curve = key.parameters.as_ref().and_then(|it| it.decode_as().ok());
        match (key.oid, curve) {
            (certificate::EC_KEY, Some(certificate::P256)) => Some(Self::P256),
            (certificate::EC_KEY, Some(certificate::P384)) => Some(Self::P384),
            (certificate::RSA_KEY, _) => Some(Self::Rsa),
            _ => None,
        }
    }

    /// The hash of what is signed.
    pub(super) fn digest(self, parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::P256 | Self::Rsa => digest::<Sha256>(parts),
            Self::P384 => digest::<Sha384>(parts),
        }
    }

    /// The name of the hash (RFC 5754, 2.2).
    pub(super) fn digest_identifier(self) -> AlgorithmIdentifierOwned {
        let oid = match self {
            Self::P256 | Self::Rsa => certificate::SHA256,
            Self::P384 => certificate::SHA384,
        };
        AlgorithmIdentifierOwned { oid, parameters: None }
    }

    /// The name of the signature (RFC 5754, 3.2 and 3.3).
    pub(super) fn identifier(self) -> AlgorithmIdentifierOwned {
        let (oid, parameters) = match self {
            Self::P256 => (certificate::ECDSA_SHA256, None),
            Self::P384 => (certificate::ECDSA_SHA384, None),
            Self::Rsa => (certificate::RSA_SHA256, Some(der::Any::null())),
        };
        AlgorithmIdentifierOwned { oid, parameters }
    }
}

impl Identity {
    /// Orders a certificate's chain, with the issuers found among `others`.
    pub fn new(certificate: &Certificate, others: &[Certificate]) -> Result<Self, KeyError> {
        let algorithm = Algorithm::of(certificate).ok_or(KeyError::Unsupported)?;
        let signs = KeyUsages::DigitalSignature | KeyUsages::NonRepudiation;
        if certificate.extension::<KeyUsage>().is_some_and(|it| it.0.is_disjoint(signs)) {
            return Err(KeyError::Usage { subject: certificate.subject() });
        }
        let chain = certificate.chain(others);
        match chain.last() {
            Some(last) if !last.is_self_issued() => {
                Err(KeyError::NoChain { issuer: last.issuer() })
            }
            _ => Ok(Self { chain, algorithm }),
        }
    }

    /// The signer's own certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.chain[0]
    }

    /// The signer's own certificate, its issuer, and so on up to the root.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// How it signs.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Refuses certificates that do not hold at `at`, and names those that end within 60 days.
    pub fn check(&self, at: DateTime<Utc>) -> Result<Vec<Expiry>, KeyError> {
        let mut soon = Vec::new();
        for certificate in &self.chain {
            let (subject, until) = (certificate.subject(), certificate.not_after());
            if at < certificate.not_before() {
                return Err(KeyError::NotYetValid { subject, from: certificate.not_before() });
            }
            if at > until {
                return Err(KeyError::Expired { subject, until });
            }
            if at + WARNED_BEFORE > until {
                soon.push(Expiry { subject, until });
            }
        }
        Ok(soon)
    }

    /// Whether a signature is the certificate's: a wrong key or a faulty token is found here, before
    /// anything is written.
    pub(super) fn confirms(&self, message: &[u8], signature: &[u8]) -> bool {
        let algorithm = self.algorithm.identifier().oid;
        self.certificate().verifies(&algorithm, None, message, signature)
    }
}

/// A key in this process.
pub struct SoftwareKey {
    key: Key,
    identity: Identity,
}

enum Key {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    Rsa(Box<RsaKeyPair>),
}

impl SoftwareKey {
    /// Opens a key file of either kind: PKCS#12 with its password, or PEM, whose certificates stand in
    /// the same file or in `certificates`.
    pub fn open(
        file: &Secret,
        password: &Secret,
        certificates: &[u8],
    ) -> Result<Arc<dyn Signer>, KeyError> {
        // A DER sequence; PEM begins with dashes.
        if file.expose().first() == Some(&0x30) {
            return Self::from_pkcs12(file.expose(), password);
        }
        Self::from_pem(file, if certificates.is_empty() { file.expose() } else { certificates })
    }

    /// Opens a PKCS#12 file (RFC 7292) with its password.
    pub fn from_pkcs12(file: &[u8], password: &Secret) -> Result<Arc<dyn Signer>, KeyError> {
        let password = std::str::from_utf8(password.expose());
        let store = KeyStore::from_pkcs12(file, password.map_err(|_| KeyError::WrongPassword)?);
        let store = store.map_err(|error| match error {
            p12_keystore::error::Error::MacError(_) => KeyError::WrongPassword,
            error => KeyError::Unreadable(format!("the PKCS#12 file cannot be read: {error}")),
        })?;
        let keys = store.entries().filter_map(|(_, entry)| match entry {
            KeyStoreEntry::PrivateKeyChain(chain) => Some(chain),
            _ => None,
        });
        let [entry] = keys.collect::<Vec<_>>()[..] else {
            let text = "the PKCS#12 file must hold one key with its certificate";
            return Err(KeyError::Unreadable(text.to_owned()));
        };
        let certificates = entry.chain().iter().map(|it| Certificate::from_der(it.as_der()));
        let certificates = certificates.collect::<Result<Vec<_>, _>>()?;
        Self::from_pkcs8(entry.key(), &certificates)
    }

    /// Opens a PEM key (RFC 7468, `PRIVATE KEY`) with its certificates, the key's own first.
    pub fn from_pem(key: &Secret, certificates: &[u8]) -> Result<Arc<dyn Signer>, KeyError> {
        let Some(block) = blocks(key.expose(), "PRIVATE KEY").next() else {
            let text = "the key file must be unencrypted PKCS#8 PEM (`BEGIN PRIVATE KEY`); \
                        for a key with a password use PKCS#12";
            return Err(KeyError::Unreadable(text.to_owned()));
        };
        let (_, key) = der::pem::decode_vec(block.as_bytes())
            .map_err(|_| KeyError::Unreadable("the key file is not sound PEM".to_owned()))?;
        Self::from_pkcs8(&key, &Certificate::from_pem(certificates)?)
    }

    /// Takes a PKCS#8 key (RFC 5958) in DER with its certificates, the key's own first.
    pub fn from_pkcs8(
        key: &[u8],
        certificates: &[Certificate],
    ) -> Result<Arc<dyn Signer>, KeyError> {
        let Some(own) = certificates.first() else {
            return Err(KeyError::Unreadable("there is no certificate with the key".to_owned()));
        };
        let identity = Identity::new(own, certificates)?;
        let key = Self { key: Key::read(key)?, identity };
        key.sign(b"does the key belong to the certificate?")?;
        Ok(Arc::new(key))
    }
}

impl Signer for SoftwareKey {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        use p256::ecdsa::signature::Signer as _;
        let signature = match &self.key {
            Key::P256(key) => {
                let signature: p256::ecdsa::DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
            Key::P384(key) => {
                let signature: p384::ecdsa::DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                let random = aws_lc_rs::rand::SystemRandom::new();
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(|_| KeyError::Unsupported)?;
                signature
            }
        };
        if !self.identity.confirms(message, &signature) {
            return Err(KeyError::Mismatch { subject: self.identity.certificate().subject() });
        }
        Ok(signature)
    }
}

impl Key {
    fn read(pkcs8: &[u8]) -> Result<Self, KeyError> {
        let unreadable = || KeyError::Unreadable("the key cannot be read".to_owned());
        let info = PrivateKeyInfoRef::from_der(pkcs8).map_err(|_| unreadable())?;
        let parameters = info.algorithm.parameters.map(|it| it.to_der()).transpose();
        let curve = parameters.map_err(|_| unreadable())?;
        let is = |wanted: der::asn1::ObjectIdentifier| {
            wanted.to_der().is_ok_and(|it| curve.as_deref() == Some(&it[..]))
        };
        let oid = info.algorithm.oid;
        if oid == certificate::EC_KEY && is(certificate::P256) {
            let key = p256::ecdsa::SigningKey::from_pkcs8_der(pkcs8);
            key.map(Self::P256).map_err(|_| unreadable())
        } else if oid == certificate::EC_KEY && is(certificate::P384) {
            let key = p384::ecdsa::SigningKey::from_pkcs8_der(pkcs8);
            key.map(Self::P384).map_err(|_| unreadable())
        } else if oid == certificate::RSA_KEY {
            // aws-lc refuses RSA keys under 2048 bits and malformed ones alike.
            let key = RsaKeyPair::from_pkcs8(pkcs8);
            key.map(|it| Self::Rsa(Box::new(it))).map_err(|_| KeyError::Unsupported)
        } else {
            Err(KeyError::Unsupported)
        }
    }
}

impl fmt::Debug for SoftwareKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SoftwareKey({})", self.identity.certificate().subject())
    }
}

fn digest<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
    let mut digest = D::new();
    for part in parts {
        digest.update(part);
    }
    digest.finalize().to_vec()
}
