//! A timestamp token (RFC 3161): who says that these bytes existed, and when.

use chrono::{DateTime, Utc};

use super::algorithm::Hash;
use super::certificate::{Certificate, TIME_STAMPING};
use super::cms::{Signed, TST_INFO};
use super::der::{INTEGER, OCTET_STRING, OID, SEQUENCE, Value, single};
use super::fault::{Checked, ensure};
use super::trust::{Trust, chain, vouched};

/// A token that is intact and over the right bytes; its authority is asked for separately.
pub(super) struct Token {
    pub(super) time: DateTime<Utc>,
    pub(super) authority: Certificate,
    pub(super) certificates: Vec<Certificate>,
}

impl Token {
    /// Reads a token and checks that it is over these parts, end to end.
    pub(super) fn read(token: Value<'_>, parts: &[&[u8]]) -> Checked<Self> {
        let signed = Signed::read(token, TST_INFO)?;
        let content = signed.content.unwrap_or_default();
        signed.covers(&[content])?;
        // An unsigned timestamp over a timestamp, or revocation data here, would go unchecked.
        ensure(signed.timestamp.is_none() && signed.revocation.is_none(), "timestamp.syntax")?;
        let mut info = single(content)?.of(SEQUENCE)?.inside();
        ensure(info.take(INTEGER)?.small()? == 1, "timestamp.syntax")?;
        info.take(OID)?;
        let mut imprint = info.take(SEQUENCE)?.inside();
        let hash = Hash::read(imprint.take(SEQUENCE)?)?;
        let digest = imprint.take(OCTET_STRING)?.content;
        imprint.end()?;
        ensure(digest == hash.of(parts), "timestamp.imprint")?;
        info.take(INTEGER)?;
        let time = info.any()?.time()?;
        Ok(Self { time, authority: signed.signer, certificates: signed.certificates })
    }

    /// The authority's chain, if it is one, is trusted and was current at that moment and then.
    pub(super) fn chain(
        &self,
        pool: &[Certificate],
        trust: &Trust,
        at: DateTime<Utc>,
    ) -> Checked<Vec<Certificate>> {
        vouched(&self.certificates, trust)?;
        self.authority.purpose(TIME_STAMPING, true)?;
        self.authority.current(self.time)?;
        let pool: Vec<_> = self.certificates.iter().chain(pool).cloned().collect();
        chain(&self.authority, &pool, trust, at)
    }
}
