//! Keys: the operator's wrap the data keys, a data key seals what belongs to one dossier, one more makes look-ups.
//!
//! AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces, the place of the value as associated data, so that no
//! sealed value can stand in for another. To forget a data key is to erase all that it sealed.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};

use super::StoreError;
use crate::secret::Secret;

/// Length of every key, in bytes.
pub const KEY_LENGTH: usize = 32;

/// The operator's keys by fingerprint; the current one wraps.
pub(super) struct Keyring {
    current: String,
    keys: BTreeMap<String, LessSafeKey>,
}

/// A data key as it is kept.
#[derive(Debug, Clone)]
pub(super) struct Wrapped {
    /// Fingerprint of the operator's key.
    pub(super) operator: String,
    pub(super) bytes: Vec<u8>,
}

impl Keyring {
    pub(super) fn new(current: &Secret, older: &[Secret]) -> Result<Self, StoreError> {
        let mut keys = BTreeMap::new();
        for key in older.iter().chain([current]) {
            let key = parse(key)?;
            keys.insert(fingerprint_of(&key), aes(&key));
        }
        Ok(Self { current: fingerprint(current)?, keys })
    }

    /// Whether the operator's key of a fingerprint was given.
    pub(super) fn has(&self, operator: &str) -> bool {
        self.keys.contains_key(operator)
    }

    pub(super) fn current(&self) -> &str {
        &self.current
    }

    /// Makes a data key, and its wrapped form under a name.
    pub(super) fn make(&self, name: &str) -> Result<Wrapped, StoreError> {
        self.wrap(name, &random())
    }

    /// The secret that was wrapped under a name.
    pub(super) fn unwrap(&self, name: &str, wrapped: &Wrapped) -> Result<DataKey, StoreError> {
        let operator = self.keys.get(&wrapped.operator);
        let operator = operator.ok_or_else(|| StoreError::KeyMissing(wrapped.operator.clone()))?;
        let key = open(operator, name, wrapped.bytes.clone())?;
        let key = key.try_into().map_err(|_| StoreError::Damaged(format!("key {name}")))?;
        Ok(DataKey(key))
    }

    /// The same data key, wrapped by the current operator's key.
    pub(super) fn rewrap(&self, name: &str, wrapped: &Wrapped) -> Result<Wrapped, StoreError> {
        self.wrap(name, &self.unwrap(name, wrapped)?.0)
    }

    fn wrap(&self, name: &str, key: &[u8; KEY_LENGTH]) -> Result<Wrapped, StoreError> {
        let bytes = seal(&self.keys[&self.current], name, key);
        Ok(Wrapped { operator: self.current.clone(), bytes })
    }
}

/// The key of a dossier or of a merge.
pub(super) struct DataKey([u8; KEY_LENGTH]);

impl fmt::Debug for DataKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DataKey(..)")
    }
}

impl DataKey {
    /// Encrypts a value for a place, such as `file <document> 1`.
    pub(super) fn seal(&self, place: &str, plain: &[u8]) -> Vec<u8> {
        seal(&aes(&self.0), place, plain)
    }

    /// Decrypts the value of a place, where it lies.
    pub(super) fn open(&self, place: &str, sealed: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        open(&aes(&self.0), place, sealed)
    }

    /// The key that hashes look-ups and chains the trail.
    pub(super) fn into_hasher(self) -> Hasher {
        Hasher(hmac::Key::new(hmac::HMAC_SHA256, &self.0))
    }
}

/// Keyed hashes: equal values are found, and nobody without the key can try them out.
pub(super) struct Hasher(hmac::Key);

impl Hasher {
    /// HMAC-SHA256 of parts, each with its length, so that no two lists of parts are alike.
    pub(super) fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.sign().as_ref());
        hash
    }

    /// The hash of a secret that somebody holds: of a key, a session, a code. `name` tells them apart.
    pub(super) fn secret(&self, name: &str, secret: &str) -> [u8; 32] {
        self.hash(&[b"secret", name.as_bytes(), secret.as_bytes()])
    }

    /// The hash by which a value of a name is found: case and spaces do not count.
    pub(super) fn lookup(&self, name: &str, value: &str) -> [u8; 32] {
        let plain: String = value.split_whitespace().collect();
        self.hash(&[b"lookup", name.as_bytes(), plain.to_lowercase().as_bytes()])
    }
}

/// A new token of 256 random bits, as 64 hexadecimal digits.
pub(super) fn token() -> String {
    hex(&random::<KEY_LENGTH>())
}

/// A new operator's key as the text of its file: 64 hexadecimal digits.
pub fn make_operator_key() -> String {
    hex(&random::<KEY_LENGTH>()) + "\n"
}

/// The name of an operator's key: the first half of the SHA-256 of the key, which says nothing about it.
pub fn fingerprint(key: &Secret) -> Result<String, StoreError> {
    Ok(fingerprint_of(&parse(key)?))
}

fn fingerprint_of(key: &[u8; KEY_LENGTH]) -> String {
    let mut digest = Sha256::new();
    digest.update(b"paraphe operator key");
    digest.update(key);
    hex(&digest.finalize()[..16])
}

/// 32 bytes, or 64 hexadecimal digits with white space around.
fn parse(key: &Secret) -> Result<[u8; KEY_LENGTH], StoreError> {
    let bytes = key.expose();
    if let Ok(key) = bytes.try_into() {
        return Ok(key);
    }
    let refused = "the operator's key is neither 32 bytes nor 64 hexadecimal digits; \
                   `paraphe keys new FILE` makes one";
    let digits = std::str::from_utf8(bytes).map(str::trim).unwrap_or_default();
    unhex(digits)
        .and_then(|it| it.try_into().ok())
        .ok_or_else(|| StoreError::Setting(refused.to_owned()))
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hexadecimal digits as bytes.
pub(super) fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digit = |at: usize| char::from(digits.as_bytes()[at]).to_digit(16);
    let byte = |at: usize| u8::try_from(digit(at)? * 16 + digit(at + 1)?).ok();
    if digits.len() % 2 == 1 { None } else { (0..digits.len()).step_by(2).map(byte).collect() }
}

#[expect(clippy::expect_used, reason = "a machine without random numbers can keep no secret")]
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the system gives random numbers");
    bytes
}

#[expect(clippy::expect_used, reason = "the length is the algorithm's own")]
fn aes(key: &[u8; KEY_LENGTH]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("32 bytes make an AES-256 key"))
}

/// Nonce, then ciphertext, then tag.
#[expect(clippy::expect_used, reason = "AES-GCM takes up to 64 GiB")]
fn seal(key: &LessSafeKey, place: &str, plain: &[u8]) -> Vec<u8> {
    let nonce: [u8; NONCE_LEN] = random();
    let mut sealed = Vec::with_capacity(NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
    sealed.extend(nonce);
    sealed.extend(plain);
    let aad = Aad::from(place.as_bytes());
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = key.seal_in_place_separate_tag(nonce, aad, &mut sealed[NONCE_LEN..]);
    sealed.extend(tag.expect("less than 64 GiB").as_ref());
    sealed
}

fn open(key: &LessSafeKey, place: &str, mut sealed: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    let damaged = || StoreError::Damaged(place.to_owned());
    let nonce = sealed.get(..NONCE_LEN).ok_or_else(damaged)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
    let aad = Aad::from(place.as_bytes());
    let plain = key.open_within(nonce, aad, &mut sealed, NONCE_LEN..);
    let length = plain.map_err(|_| damaged())?.len();
    sealed.truncate(length);
    Ok(sealed)
}
