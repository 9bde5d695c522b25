//! Whom the caller trusts, and the chain from a certificate to one of them (RFC 5280, 6).

use std::cell::Cell;

use chrono::{DateTime, Utc};

use super::certificate::Certificate;
use super::fault::{Checked, Fault, ensure};

/// How many certificates a chain may have, and how many signatures are tried to find one.
const LENGTH: usize = 8;
const TRIES: usize = 30;

/// The certificates that the caller trusts: everything else must lead to one of them.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    pub(super) anchors: Vec<Certificate>,
}

/// The bytes given as trusted certificates are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a certificate, in PEM or DER")]
pub struct TrustError;

impl Trust {
    /// Nobody: then nobody's signature is valid.
    pub fn nobody() -> Self {
        Self::default()
    }

    /// Also trusts these: one certificate in DER, or any number in PEM.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), TrustError> {
        self.anchors.extend(Certificate::read_all(bytes).map_err(|_| TrustError)?);
        Ok(())
    }
}

/// A chain from `leaf` to a trusted certificate, all of it current and permitted at the moment.
///
/// The first fault of the likeliest chain is told when there is none; `signer.unknown` when nothing
/// leads to a trusted certificate.
pub(super) fn chain(
    leaf: &Certificate,
    pool: &[Certificate],
    trust: &Trust,
    at: DateTime<Utc>,
) -> Checked<Vec<Certificate>> {
    let mut search = Search { pool, trust, at, tries: Cell::new(0), fault: None };
    let mut path = vec![leaf.clone()];
    if search.extend(&mut path) {
        return Ok(path);
    }
    Err(search.fault.unwrap_or_else(|| leaf.fault("signer.unknown")))
}

struct Search<'a> {
    pool: &'a [Certificate],
    trust: &'a Trust,
    at: DateTime<Utc>,
    tries: Cell<usize>,
    fault: Option<Fault>,
}

impl Search<'_> {
    /// Lengthens the path until it ends in a trusted certificate and is sound.
    fn extend(&mut self, path: &mut Vec<Certificate>) -> bool {
        let Some(last) = path.last().cloned() else { return false };
        if self.trust.anchors.contains(&last) {
            match sound(path, self.at) {
                Ok(()) => return true,
                Err(fault) => {
                    self.fault.get_or_insert(fault);
                    return false;
                }
            }
        }
        if path.len() == LENGTH {
            return false;
        }
        let (pool, trust) = (self.pool, self.trust);
        for issuer in trust.anchors.iter().chain(pool) {
            if issuer.subject != last.issuer || path.contains(issuer) {
                continue;
            }
            self.tries.set(self.tries.get() + 1);
            if self.tries.get() > TRIES || last.signed_by(issuer).is_err() {
                continue;
            }
            path.push(issuer.clone());
            if self.extend(path) {
                return true;
            }
            path.pop();
        }
        false
    }
}

/// Each certificate is current, understood and, above the first, an authority.
fn sound(path: &[Certificate], at: DateTime<Utc>) -> Checked<()> {
    for (depth, certificate) in path.iter().enumerate() {
        certificate.current(at)?;
        certificate.understood()?;
        // A chain of one is a certificate that the caller trusts by itself.
        if depth > 0 {
            certificate.authority(depth - 1)?;
        }
    }
    Ok(())
}

/// Whether each certificate that a signature brings along is vouched for by another, by itself or by
/// a trusted one: a bit that flips in one that nobody needs would else go unseen.
pub(super) fn vouched(brought: &[Certificate], trust: &Trust) -> Checked<()> {
    for certificate in brought {
        let known = trust.anchors.contains(certificate);
        let author = |it: &Certificate| {
            it.subject == certificate.issuer && certificate.signed_by(it).is_ok()
        };
        let signed = || trust.anchors.iter().chain(brought).any(author);
        ensure(known || signed(), "cms.certificates")?;
    }
    Ok(())
}
