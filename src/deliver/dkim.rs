//! A DKIM signature over the bytes that leave (RFC 6376, RFC 8301): rsa-sha256, relaxed/relaxed.
//!
//! It is computed over the finished message, so nothing is serialised twice and what is signed is what
//! is sent. `From` is signed once more than it occurs, so that none can be added (8.15). No time stands
//! in it: the same message under the same key has the same signature.

use aws_lc_rs::digest::{Context, Digest, SHA256};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::{memchr2, memmem};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;

use crate::secret::Secret;

/// The headers that are signed where they occur (RFC 6376, 5.4.1).
const SIGNED: [&str; 10] = [
    "from",
    "reply-to",
    "to",
    "subject",
    "date",
    "message-id",
    "auto-submitted",
    "content-language",
    "mime-version",
    "content-type",
];

/// The smallest RSA modulus that verifiers must take (RFC 8301, 3.2), in bytes.
const SMALLEST_MODULUS: usize = 2048 / 8;

/// Who signs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DkimOptions {
    /// The domain that answers for the mail: `d=`.
    pub domain: String,
    /// Which of its keys: `s=`; the public one stands at `selector._domainkey.domain`.
    pub selector: String,
    /// The private RSA key, PEM, of 2048 bits or more.
    #[serde(skip)]
    pub key: Option<Secret>,
}

/// Why there can be no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DkimError {
    /// No key, or one of another kind.
    #[error("the DKIM key is not a private RSA key in PEM: make one with `openssl genrsa 2048`")]
    Key,
    /// A key that verifiers refuse.
    #[error("the DKIM key is shorter than 2048 bits: make one with `openssl genrsa 2048`")]
    Short,
    /// The signature failed.
    #[error("the DKIM signature failed")]
    Sign,
}

/// A key and whose it is.
pub struct Dkim {
    domain: String,
    selector: String,
    key: RsaKeyPair,
    random: SystemRandom,
}

impl Dkim {
    /// Reads the key.
    pub fn new(options: &DkimOptions) -> Result<Self, DkimError> {
        let pem = options.key.as_ref().ok_or(DkimError::Key)?;
        let key = PrivateKeyDer::from_pem_slice(pem.expose()).map_err(|_| DkimError::Key)?;
        let key = match &key {
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            _ => return Err(DkimError::Key),
        };
        let key = key.map_err(|error| match error.to_string().as_str() {
            "TooSmall" => DkimError::Short,
            _ => DkimError::Key,
        })?;
        if key.public_modulus_len() < SMALLEST_MODULUS {
            return Err(DkimError::Short);
        }
        let (domain, selector) = (options.domain.clone(), options.selector.clone());
        Ok(Self { domain, selector, key, random: SystemRandom::new() })
    }

    /// The `DKIM-Signature` header of a message, with its line end: it goes before the message.
    pub fn header(&self, message: &[u8]) -> Result<String, DkimError> {
        let (head, body) = split(message);
        let fields = fields(head);
        let mut names = Vec::new();
        let mut signed = Vec::new();
        for name in SIGNED {
            // The last field of a name is signed first (RFC 6376, 5.4.2).
            for field in fields.iter().rev().filter(|it| it.0.eq_ignore_ascii_case(name)) {
                names.push(name);
                relax_field(field.0, field.1, &mut signed);
                signed.extend_from_slice(b"\r\n");
            }
        }
        names.push("from");
        let hash = STANDARD.encode(hash_relaxed(body));
        let header = format!(
            "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={}; s={};\r\n h={};\r\n bh={hash};\r\n b=",
            self.domain,
            self.selector,
            names.join(":")
        );
        let value = header.split_once(':').map_or("", |it| it.1);
        relax_field("dkim-signature", value.as_bytes(), &mut signed);
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &self.random, &signed, &mut signature)
            .map_err(|_| DkimError::Sign)?;
        let mut folded = header;
        for line in STANDARD.encode(signature).as_bytes().chunks(72) {
            // A space in b= is not part of it (RFC 6376, 3.5).
            folded.push_str(&String::from_utf8_lossy(line));
            folded.push_str("\r\n ");
        }
        folded.truncate(folded.len() - 1);
        Ok(folded)
    }
}

impl std::fmt::Debug for Dkim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dkim({}._domainkey.{})", self.selector, self.domain)
    }
}

/// Head and body; the empty line between them belongs to neither.
fn split(message: &[u8]) -> (&[u8], &[u8]) {
    match message.windows(4).position(|it| it == b"\r\n\r\n") {
        Some(at) => (&message[..at + 2], &message[at + 4..]),
        None => (message, &[]),
    }
}

/// The header fields: name, and value with its folds, without the last line end.
fn fields(head: &[u8]) -> Vec<(&str, &[u8])> {
    let mut fields = Vec::new();
    let mut start = 0;
    for at in 0..head.len() {
        let ends = head[at..].starts_with(b"\r\n")
            && !matches!(head.get(at + 2), Some(b' ' | b'\t'))
            && at >= start;
        if ends {
            let field = &head[start..at];
            if let Some(colon) = field.iter().position(|it| *it == b':') {
                let name = std::str::from_utf8(&field[..colon]).unwrap_or_default();
                fields.push((name.trim_end(), &field[colon + 1..]));
            }
            start = at + 2;
        }
    }
    fields
}

/// A header field in relaxed form, without line end (RFC 6376, 3.4.2).
fn relax_field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend(name.bytes().map(|it| it.to_ascii_lowercase()));
    out.push(b':');
    let words = value.split(|it| matches!(it, b' ' | b'\t' | b'\r' | b'\n'));
    for (number, word) in words.filter(|it| !it.is_empty()).enumerate() {
        if number > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
}

/// SHA-256 of a body in relaxed form (RFC 6376, 3.4.4).
fn hash_relaxed(body: &[u8]) -> Digest {
    const TOGETHER: usize = 8 * 1024; // what is hashed at once
    let mut hash = Context::new(&SHA256);
    let mut out = Vec::with_capacity(2 * TOGETHER);
    let line_end = memmem::Finder::new(b"\r\n");
    let mut blank_lines = 0;
    let mut rest = body;
    while !rest.is_empty() {
        let end = line_end.find(rest);
        let line = &rest[..end.unwrap_or(rest.len())];
        rest = end.map_or(&[], |end| &rest[end + 2..]);
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let length = line.iter().rposition(|it| !is_blank(it)).map_or(0, |last| last + 1);
        let line = &line[..length];
        if line.is_empty() {
            blank_lines += 1;
            continue;
        }
        for _ in 0..std::mem::take(&mut blank_lines) {
            out.extend_from_slice(b"\r\n");
        }
        if memchr2(b' ', b'\t', line).is_none() {
            out.extend_from_slice(line); // as nearly all are, for the file is in Base64
        } else {
            for (number, word) in line.chunk_by(|a, b| is_blank(a) == is_blank(b)).enumerate() {
                let stays = number % 2 == usize::from(is_blank(&line[0]));
                out.extend_from_slice(if stays { word } else { b" " });
            }
        }
        out.extend_from_slice(b"\r\n");
        if out.len() >= TOGETHER {
            hash.update(&out);
            out.clear();
        }
    }
    hash.update(&out);
    hash.finish()
}
