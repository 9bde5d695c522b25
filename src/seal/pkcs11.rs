//! Keys that never leave their token: smart cards and hardware modules by PKCS#11.
//!
//! A module, the labels of a token and of a key, and a PIN in; signatures out. A token is logged into
//! once in a process, so that one PIN signs a half-day's contracts.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use der::asn1::UintRef;
use der::{Encode, Sequence};
use serde::Deserialize;

use super::certificate::Certificate;
use super::key::{Algorithm, Identity, KeyError, Signer};
use crate::secret::Secret;

/// Which key of which token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pkcs11Options {
    /// The library of the token's maker.
    pub module: PathBuf,
    /// The label of the token.
    pub token: String,
    /// The label of the key and of its certificate.
    pub key: String,
}

/// A key on a token.
pub struct Pkcs11Key {
    token: Arc<Token>,
    key: ObjectHandle,
    identity: Identity,
}

/// A token that is logged into.
struct Token {
    session: Mutex<Session>,
    pin: Secret,
}

/// What this process has opened: a module is initialized once, and a login holds for all of it.
#[derive(Default)]
struct Opened {
    modules: BTreeMap<PathBuf, Pkcs11>,
    tokens: BTreeMap<(PathBuf, String), Arc<Token>>,
}

static OPENED: LazyLock<Mutex<Opened>> = LazyLock::new(Mutex::default);

/// ECDSA-Sig-Value (RFC 3279, 2.2.3).
#[derive(Sequence)]
struct Ecdsa<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

impl Pkcs11Key {
    /// Opens a key. Its certificate and the issuers come from the token, and from `certificates` in PEM
    /// where the token does not hold them.
    pub fn open(
        options: &Pkcs11Options,
        pin: &Secret,
        certificates: &[u8],
    ) -> Result<Arc<dyn Signer>, KeyError> {
        let token = lock(&OPENED).token(options, pin)?;
        let (key, identity) = {
            let session = lock(&token.session);
            let find = |class| {
                session.find_objects(&[
                    Attribute::Class(class),
                    Attribute::Label(options.key.clone().into_bytes()),
                ])
            };
            let key = find(ObjectClass::PRIVATE_KEY)?.into_iter().next();
            let key = key.ok_or_else(|| absent("key", &options.key))?;
            let mut pool = Certificate::from_pem(certificates)?;
            pool.extend(read(
                &session,
                &session.find_objects(&[Attribute::Class(ObjectClass::CERTIFICATE)])?,
            )?);
            let own = read(&session, &find(ObjectClass::CERTIFICATE)?)?.into_iter().next();
            let own = own.or_else(|| pool.first().cloned());
            let own = own.ok_or_else(|| absent("certificate", &options.key))?;
            (key, Identity::new(&own, &pool)?)
        };
        let key = Self { token, key, identity };
        key.sign(b"does the key belong to the certificate?")?;
        Ok(Arc::new(key))
    }
}

impl Signer for Pkcs11Key {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let algorithm = self.identity.algorithm();
        let (mechanism, data) = match algorithm {
            Algorithm::Rsa => (Mechanism::Sha256RsaPkcs, message.to_vec()),
            // Older tokens know ECDSA without a hash only.
            Algorithm::P256 | Algorithm::P384 => (Mechanism::Ecdsa, algorithm.digest(&[message])),
        };
        let raw = lock(&self.token.session).sign(&mechanism, self.key, &data)?;
        let signature = match algorithm {
            Algorithm::Rsa => raw,
            Algorithm::P256 | Algorithm::P384 => {
                let (r, s) = raw.split_at(raw.len() / 2);
                Ecdsa { r: UintRef::new(r)?, s: UintRef::new(s)? }.to_der()?
            }
        };
        if !self.identity.confirms(message, &signature) {
            return Err(KeyError::Mismatch { subject: self.identity.certificate().subject() });
        }
        Ok(signature)
    }
}

impl Opened {
    fn token(&mut self, options: &Pkcs11Options, pin: &Secret) -> Result<Arc<Token>, KeyError> {
        let place = (options.module.clone(), options.token.clone());
        if let Some(token) = self.tokens.get(&place) {
            // Logged in already, the token would not look at the PIN again: so we do.
            return if &token.pin == pin {
                Ok(token.clone())
            } else {
                Err(KeyError::WrongPassword)
            };
        }
        let module = self.module(options)?;
        let mut found = None;
        for slot in module.get_slots_with_initialized_token()? {
            if module.get_token_info(slot)?.label().trim_end() == options.token {
                found = Some(slot);
            }
        }
        let slot = found.ok_or_else(|| absent("token", &options.token))?;
        let session = module.open_ro_session(slot)?;
        let pin_text = std::str::from_utf8(pin.expose()).map_err(|_| KeyError::WrongPassword)?;
        session.login(UserType::User, Some(&AuthPin::new(pin_text.into())))?;
        let token = Arc::new(Token { session: Mutex::new(session), pin: pin.clone() });
        self.tokens.insert(place, token.clone());
        Ok(token)
    }

    fn module(&mut self, options: &Pkcs11Options) -> Result<Pkcs11, KeyError> {
        if let Some(module) = self.modules.get(&options.module) {
            return Ok(module.clone());
        }
        let module = Pkcs11::new(&options.module)?;
        module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
        self.modules.insert(options.module.clone(), module.clone());
        Ok(module)
    }
}

impl fmt::Debug for Pkcs11Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Pkcs11Key({})", self.identity.certificate().subject())
    }
}

impl From<Error> for KeyError {
    fn from(error: Error) -> Self {
        match error {
            Error::Pkcs11(
                RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange,
                _,
            ) => Self::WrongPassword,
            Error::Pkcs11(RvError::PinLocked, _) => Self::Locked,
            error => Self::Token(error.to_string()),
        }
    }
}

fn read(session: &Session, objects: &[ObjectHandle]) -> Result<Vec<Certificate>, KeyError> {
    let mut certificates = Vec::new();
    for object in objects {
        for attribute in session.get_attributes(*object, &[AttributeType::Value])? {
            if let Attribute::Value(der) = attribute {
                certificates.push(Certificate::from_der(&der)?);
            }
        }
    }
    Ok(certificates)
}

fn absent(what: &str, label: &str) -> KeyError {
    KeyError::Unreadable(format!("there is no {what} with the label « {label} »"))
}

/// A thread that panicked while it held the lock has left nothing half done: the token's answer is
/// whole or an error.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
