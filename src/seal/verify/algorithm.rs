//! The closed list of algorithms, and the one place where a signature is checked against a key.
//!
//! SHA-256, SHA-384 and SHA-512; ECDSA on P-256 and P-384; RSA of at least 2048 bits, PKCS #1 v1.5
//! and PSS (ETSI TS 119 312). Anything else is refused by name.

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    UnparsedPublicKey,
};
use der::asn1::ObjectIdentifier;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::der::{INTEGER, NULL, OID, SEQUENCE, Value, context, single};
use super::fault::{Checked, Fault, ensure};

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

const HASHES: [(ObjectIdentifier, Hash); 3] = [
    (oid("2.16.840.1.101.3.4.2.1"), Hash::Sha256),
    (oid("2.16.840.1.101.3.4.2.2"), Hash::Sha384),
    (oid("2.16.840.1.101.3.4.2.3"), Hash::Sha512),
];
const SIGNATURES: [(ObjectIdentifier, Scheme); 6] = [
    (oid("1.2.840.10045.4.3.2"), Scheme::Ecdsa(Hash::Sha256)),
    (oid("1.2.840.10045.4.3.3"), Scheme::Ecdsa(Hash::Sha384)),
    (oid("1.2.840.10045.4.3.4"), Scheme::Ecdsa(Hash::Sha512)),
    (oid("1.2.840.113549.1.1.11"), Scheme::Rsa(Hash::Sha256)),
    (oid("1.2.840.113549.1.1.12"), Scheme::Rsa(Hash::Sha384)),
    (oid("1.2.840.113549.1.1.13"), Scheme::Rsa(Hash::Sha512)),
];
const RSA: ObjectIdentifier = oid("1.2.840.113549.1.1.1");
const PSS: ObjectIdentifier = oid("1.2.840.113549.1.1.10");
const MGF1: ObjectIdentifier = oid("1.2.840.113549.1.1.8");
const EC: ObjectIdentifier = oid("1.2.840.10045.2.1");
const P256: ObjectIdentifier = oid("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = oid("1.3.132.0.34");

/// A hash that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// How a signature was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Ecdsa(Hash),
    Rsa(Hash),
    Pss(Hash),
}

impl Hash {
    /// The hash that an AlgorithmIdentifier names.
    pub(super) fn read(algorithm: Value<'_>) -> Checked<Self> {
        let mut inside = algorithm.of(SEQUENCE)?.inside();
        let name = inside.take(OID)?;
        if let Some(parameters) = inside.maybe(NULL)? {
            ensure(parameters.content.is_empty(), "der.syntax")?;
        }
        inside.end()?;
        let known = HASHES.iter().find(|(oid, _)| name.is(*oid));
        known.map(|(_, hash)| *hash).ok_or_else(|| refused(name))
    }

    /// The hash of parts laid end to end.
    pub(super) fn of(self, parts: &[&[u8]]) -> Vec<u8> {
        fn digest<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
            let mut hash = D::new();
            parts.iter().for_each(|part| hash.update(part));
            hash.finalize().to_vec()
        }
        match self {
            Self::Sha256 => digest::<Sha256>(parts),
            Self::Sha384 => digest::<Sha384>(parts),
            Self::Sha512 => digest::<Sha512>(parts),
        }
    }

    fn size(self) -> u8 {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

impl Scheme {
    /// The scheme that an AlgorithmIdentifier names; `hash` is the one to go with bare RSA
    /// (RFC 8933), where the format names it elsewhere.
    pub(super) fn read(algorithm: Value<'_>, hash: Option<Hash>) -> Checked<Self> {
        let mut inside = algorithm.of(SEQUENCE)?.inside();
        let name = inside.take(OID)?;
        if name.is(PSS) {
            let hash = pss(inside.take(SEQUENCE)?)?;
            inside.end()?;
            return Ok(Self::Pss(hash));
        }
        let null = inside.maybe(NULL)?;
        inside.end()?;
        let known = SIGNATURES.iter().find(|(oid, _)| name.is(*oid)).map(|(_, scheme)| *scheme);
        let bare = hash.filter(|_| name.is(RSA)).map(Self::Rsa);
        let scheme = known.or(bare).ok_or_else(|| refused(name))?;
        // RFC 5758, 3.2: ECDSA has no parameters; RFC 4055: RSA has an empty one.
        let ecdsa = matches!(scheme, Self::Ecdsa(_));
        ensure(null.is_none_or(|it| !ecdsa && it.content.is_empty()), "der.syntax")?;
        Ok(scheme)
    }

    pub(super) fn hash(self) -> Hash {
        match self {
            Self::Ecdsa(hash) | Self::Rsa(hash) | Self::Pss(hash) => hash,
        }
    }

    /// Whether the signature over the message is by the key, a SubjectPublicKeyInfo.
    pub(super) fn verify(self, key: &[u8], message: &[u8], signature: &[u8]) -> Checked<()> {
        let mut key = single(key)?.of(SEQUENCE)?.inside();
        let mut algorithm = key.take(SEQUENCE)?.inside();
        let point = key.any()?.bits()?;
        key.end()?;
        let kind = algorithm.take(OID)?;
        let right = match self {
            Self::Ecdsa(hash) if kind.is(EC) => {
                let curve = algorithm.take(OID)?;
                let hash = hash.of(&[message]);
                if curve.is(P256) {
                    p256(point, &hash, signature)
                } else if curve.is(P384) {
                    p384(point, &hash, signature)
                } else {
                    return Err(refused(curve));
                }
            }
            Self::Rsa(_) | Self::Pss(_) if kind.is(RSA) => {
                UnparsedPublicKey::new(self.rsa(), point).verify(message, signature).is_ok()
            }
            _ => return Err(refused(kind)),
        };
        ensure(right, "signature.wrong")
    }

    fn rsa(self) -> &'static RsaParameters {
        match self {
            Self::Pss(Hash::Sha256) => &RSA_PSS_2048_8192_SHA256,
            Self::Pss(Hash::Sha384) => &RSA_PSS_2048_8192_SHA384,
            Self::Pss(Hash::Sha512) => &RSA_PSS_2048_8192_SHA512,
            _ => match self.hash() {
                Hash::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
                Hash::Sha384 => &RSA_PKCS1_2048_8192_SHA384,
                Hash::Sha512 => &RSA_PKCS1_2048_8192_SHA512,
            },
        }
    }
}

fn p256(point: &[u8], hash: &[u8], signature: &[u8]) -> bool {
    use p256::ecdsa::{Signature, VerifyingKey};
    let Ok(key) = VerifyingKey::from_sec1_bytes(point) else { return false };
    Signature::from_der(signature).is_ok_and(|it| key.verify_prehash(hash, &it).is_ok())
}

fn p384(point: &[u8], hash: &[u8], signature: &[u8]) -> bool {
    use p384::ecdsa::{Signature, VerifyingKey};
    let Ok(key) = VerifyingKey::from_sec1_bytes(point) else { return false };
    Signature::from_der(signature).is_ok_and(|it| key.verify_prehash(hash, &it).is_ok())
}

/// The parameters of PSS (RFC 4055, 3.1): one hash for all, and a salt as long as it (RFC 8017, 9.1
/// note 4: a usual choice, and the one that can be verified here).
fn pss(parameters: Value<'_>) -> Checked<Hash> {
    let mut inside = parameters.inside();
    let hash = Hash::read(inside.take(context(0))?.inner()?)?;
    let mut mask = inside.take(context(1))?.inner()?.of(SEQUENCE)?.inside();
    let name = mask.take(OID)?;
    let mask_hash = Hash::read(mask.any()?)?;
    mask.end()?;
    let salt = inside.take(context(2))?.inner()?.of(INTEGER)?.content;
    let trailer = inside.maybe(context(3))?.map(|it| it.inner()?.small()).transpose()?;
    inside.end()?;
    let plain = name.is(MGF1) && mask_hash == hash && salt == [hash.size()];
    ensure(plain && trailer.is_none_or(|it| it == 1), "algorithm.pss")?;
    Ok(hash)
}

fn refused(name: Value<'_>) -> Fault {
    let text = ObjectIdentifier::from_bytes(name.content).map(|it| it.to_string());
    Fault::new("algorithm.refused").with("name", text.unwrap_or_default())
}
