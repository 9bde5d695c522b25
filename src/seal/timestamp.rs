//! A client of timestamp authorities (RFC 3161 over HTTP).
//!
//! A hash in, a token out that has been checked: granted, about this hash, for this request, by a
//! certificate for timestamps alone that leads to a root we were told of. The network is asked here
//! and in `revocation`, nowhere else below the store.

use chrono::{DateTime, NaiveDateTime, Utc};
use der::asn1::{BitString, Int, ObjectIdentifier, OctetString};
use der::{Any, Decode, Encode, Sequence};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use x509_cert::ext::Extensions;
use x509_cert::ext::pkix::ExtendedKeyUsage;
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::certificate::{Certificate, SHA256, oid};
use super::cms::{Cms, hash};
use super::fetch::{Fetch, FetchError};
use super::key::KeyError;
use crate::class::Class;

const TOKEN_CONTENT: ObjectIdentifier = oid("1.2.840.113549.1.9.16.1.4");
const FOR_TIMESTAMPS: ObjectIdentifier = oid("1.3.6.1.5.5.7.3.8");

/// The most bytes of an answer.
const MOST: u64 = 128 * 1024;

/// Which timestamp authority to ask.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimestampOptions {
    /// Its address.
    pub url: String,
    /// The certificates that its own must lead to, in PEM.
    pub authorities: String,
    /// How many bytes to leave for a token; an authority with a long chain needs more.
    #[serde(default = "room")]
    pub room: usize,
}

impl TimestampOptions {
    /// An authority whose tokens are of the usual length.
    pub fn new(url: String, authorities: String) -> Self {
        Self { url, authorities, room: room() }
    }
}

fn room() -> usize {
    6 * 1024
}

/// Why there is no token. The file stays at the level it had.
#[derive(Debug, thiserror::Error)]
pub enum TimestampError {
    /// Down, or unreachable.
    #[error("the timestamp authority does not answer: {0}; extend the file later")]
    Unreachable(#[from] FetchError),
    /// It refuses.
    #[error(
        "the timestamp authority refuses (status {status}, failure {failure}); extend the file later"
    )]
    Refused {
        /// PKIStatus (RFC 3161, 2.4.2).
        status: u8,
        /// PKIFailureInfo: the number of the bit set, or 255.
        failure: u8,
    },
    /// What it answers is no timestamp.
    #[error("the timestamp authority answers what is no timestamp")]
    Malformed(#[from] der::Error),
    /// A timestamp for something else, by somebody else, or not rightly signed.
    #[error("the timestamp authority is not to be trusted: {0}")]
    Untrue(&'static str),
    /// The root certificates given in the options.
    #[error("the certificates of the timestamp authority: {0}")]
    Authorities(KeyError),
}

impl TimestampError {
    /// Whose turn it is: a refusal or silence may pass, a lie may not.
    pub fn class(&self) -> Class {
        match self {
            Self::Unreachable(_) | Self::Refused { .. } => Class::Later,
            _ => Class::Us,
        }
    }
}

/// TimeStampReq (RFC 3161, 2.4.1).
#[derive(Sequence)]
struct Request {
    version: u8,
    imprint: Imprint,
    nonce: Int,
    certificates_wanted: bool,
}

#[derive(Sequence, PartialEq, Eq)]
struct Imprint {
    algorithm: AlgorithmIdentifierOwned,
    hash: OctetString,
}

/// TimeStampResp (2.4.2).
#[derive(Sequence)]
struct Response {
    status: Status,
    #[asn1(optional = "true")]
    token: Option<Any>,
}

#[derive(Sequence)]
struct Status {
    status: u8,
    #[asn1(optional = "true")]
    text: Option<Vec<String>>,
    #[asn1(optional = "true")]
    failure: Option<BitString>,
}

/// TSTInfo (2.4.2).
#[derive(Sequence)]
struct Info {
    version: u8,
    policy: ObjectIdentifier,
    imprint: Imprint,
    serial: Int,
    /// GeneralizedTime, with fractions of a second where the authority gives them.
    time: Any,
    #[asn1(optional = "true")]
    accuracy: Option<Accuracy>,
    #[asn1(default = "Default::default")]
    ordered: bool,
    #[asn1(optional = "true")]
    nonce: Option<Int>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    authority: Option<Any>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    extensions: Option<Extensions>,
}

#[derive(Sequence)]
struct Accuracy {
    #[asn1(optional = "true")]
    seconds: Option<u64>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    millis: Option<u16>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    micros: Option<u16>,
}

/// A timestamp authority that has been told of.
#[derive(Debug, Clone)]
pub(super) struct Authority {
    url: String,
    /// What its certificate must lead to.
    pub(super) roots: Vec<Certificate>,
    pub(super) room: usize,
}

impl Authority {
    pub(super) fn new(options: &TimestampOptions) -> Result<Self, TimestampError> {
        let roots = Certificate::from_pem(options.authorities.as_bytes())?;
        if roots.is_empty() {
            let text = "there is none: give at least its root, in PEM".to_owned();
            return Err(TimestampError::Authorities(KeyError::Unreadable(text)));
        }
        Ok(Self { url: options.url.clone(), roots, room: options.room })
    }

    /// A token over some bytes, in DER.
    pub(super) fn stamp(&self, parts: &[&[u8]], fetch: &Fetch) -> Result<Vec<u8>, TimestampError> {
        self.ask(parts, fetch).map(|it| it.0)
    }

    /// What time it is there.
    pub(super) fn time(&self, fetch: &Fetch) -> Result<DateTime<Utc>, TimestampError> {
        self.ask(&[b"what time is it?"], fetch).map(|it| it.1)
    }

    /// A token over some bytes, and its time.
    fn ask(
        &self,
        parts: &[&[u8]],
        fetch: &Fetch,
    ) -> Result<(Vec<u8>, DateTime<Utc>), TimestampError> {
        let mut digest = Sha256::new();
        parts.iter().for_each(|part| digest.update(part));
        let algorithm = AlgorithmIdentifierOwned { oid: SHA256, parameters: None };
        let imprint = Imprint { algorithm, hash: OctetString::new(digest.finalize().to_vec())? };
        let nonce = Int::new(&nonce()?)?;
        let request =
            Request { version: 1, imprint, nonce: nonce.clone(), certificates_wanted: true };
        let answer =
            fetch.post(&self.url, "application/timestamp-query", &request.to_der()?, MOST)?;
        let response = Response::from_der(&answer)?;
        let granted = response.status.status <= 1; // granted, or granted with modifications
        let token = match response.token {
            Some(token) if granted => token.to_der()?,
            _ => return Err(response.status.refusal()),
        };
        let time = self.check(&token, &request.imprint, &nonce)?;
        Ok((token, time))
    }

    /// Believes a token, or not; its time.
    fn check(
        &self,
        token: &[u8],
        imprint: &Imprint,
        nonce: &Int,
    ) -> Result<DateTime<Utc>, TimestampError> {
        let cms = Cms::read(token)?;
        let Some((TOKEN_CONTENT, content)) = cms.content() else {
            return Err(TimestampError::Untrue("its answer holds something else"));
        };
        let info = Info::from_der(content)?;
        if info.nonce.as_ref() != Some(nonce) {
            return Err(TimestampError::Untrue("its answer is for another request"));
        }
        if info.imprint.hash != imprint.hash || info.imprint.algorithm.oid != SHA256 {
            return Err(TimestampError::Untrue("its answer is about something else"));
        }
        let certificate = cms.certificate();
        let certificate =
            certificate.ok_or(TimestampError::Untrue("its certificate is not in the answer"))?;
        let usage = certificate.extension::<ExtendedKeyUsage>();
        if usage.is_none_or(|it| it.0 != [FOR_TIMESTAMPS]) {
            return Err(TimestampError::Untrue("its certificate is not for timestamps alone"));
        }
        if !cms.confirms(&[content]) {
            return Err(TimestampError::Untrue("its signature is wrong"));
        }
        let time = info.moment().ok_or(TimestampError::Untrue("it says no time"))?;
        let pool = [&cms.certificates[..], &self.roots].concat();
        let chain = certificate.chain(&pool);
        if !chain.iter().any(|it| self.roots.contains(it)) {
            return Err(TimestampError::Untrue("its certificate leads to no root we were told of"));
        }
        if chain.iter().any(|it| time < it.not_before() || time > it.not_after()) {
            return Err(TimestampError::Untrue("its certificate was not valid at its time"));
        }
        Ok(time)
    }
}

impl Info {
    fn moment(&self) -> Option<DateTime<Utc>> {
        let text = std::str::from_utf8(self.time.value()).ok()?.strip_suffix('Z')?;
        NaiveDateTime::parse_from_str(text, "%Y%m%d%H%M%S%.f").ok().map(|it| it.and_utc())
    }
}

impl Status {
    fn refusal(&self) -> TimestampError {
        let bits = self.failure.as_ref().map(|it| it.bits().position(|bit| bit));
        let failure = bits.flatten().and_then(|it| u8::try_from(it).ok()).unwrap_or(u8::MAX);
        TimestampError::Refused { status: self.status, failure }
    }
}

/// Whether a token is rightly signed and about some bytes.
pub(super) fn is_about(cms: &Cms, signed: &[&[u8]]) -> bool {
    let Some((TOKEN_CONTENT, content)) = cms.content() else { return false };
    let Ok(info) = Info::from_der(content) else { return false };
    let digest = hash(&info.imprint.algorithm.oid, signed);
    digest.as_deref() == Some(info.imprint.hash.as_bytes()) && cms.confirms(&[content])
}

/// Eight random bytes as a positive number of one length.
fn nonce() -> Result<[u8; 8], TimestampError> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::SecureRandom::fill(&aws_lc_rs::rand::SystemRandom::new(), &mut bytes)
        .map_err(|_| TimestampError::Untrue("this machine has no randomness"))?;
    bytes[0] = bytes[0] & 0x3f | 0x40;
    Ok(bytes)
}
