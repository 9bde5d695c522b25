//! Whether a certificate had been revoked, by the lists (RFC 5280, 5) and answers (RFC 6960) that the
//! file itself holds. One that is not signed by whom it must be says nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use chrono::{DateTime, Utc};
use der::asn1::ObjectIdentifier;

use super::algorithm::{Hash, Scheme};
use super::certificate::{Certificate, OCSP_SIGNING};
use super::der::{
    BIT_STRING, BOOLEAN, ENUMERATED, INTEGER, OCTET_STRING, OID, SEQUENCE, Value, context, single,
};
use super::fault::{Checked, Fault, ensure};

const BASIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.1");
/// How many lists and answers one file may hold.
const PAPERS: usize = 200;
const ISSUING_DISTRIBUTION_POINT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.28");
const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");

/// What the file holds of lists and answers, as they stand, and what they said when they were asked.
#[derive(Debug, Default)]
pub(super) struct Statements {
    papers: Vec<Paper>,
    said: RefCell<BTreeMap<Question, Option<Statement>>>,
}

#[derive(Debug)]
enum Paper {
    List(Vec<u8>),
    Answer(Vec<u8>),
}

/// Which paper is asked about which certificate of which issuer.
type Question = (usize, [u8; 32], [u8; 32]);

/// What is known of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Somebody who must know says that it was not revoked.
    Good,
    /// Revoked since then.
    Revoked(DateTime<Utc>),
    /// Nothing in the file says anything of it.
    Unknown,
}

/// One statement on one certificate.
#[derive(Debug, Clone, Copy)]
struct Statement {
    revoked: Option<DateTime<Utc>>,
    from: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
    /// Whether it would have to name the certificate if it had been revoked.
    complete: bool,
}

impl Statements {
    /// Adds those of a signed `adbe-revocationInfoArchival`.
    pub(super) fn add(&mut self, archival: Value<'_>) -> Checked<()> {
        for part in archival.of(SEQUENCE)?.inside().rest()? {
            let items = part.inner()?.of(SEQUENCE)?.inside().rest()?;
            ensure(self.papers.len() + items.len() <= PAPERS, "file.too_complex")?;
            match part.tag {
                0xa0 => items.iter().for_each(|it| self.add_list(it.whole.to_vec())),
                0xa1 => items.iter().for_each(|it| self.add_answer(it.whole.to_vec())),
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn add_list(&mut self, der: Vec<u8>) {
        self.papers.push(Paper::List(der));
    }

    pub(super) fn add_answer(&mut self, der: Vec<u8>) {
        self.papers.push(Paper::Answer(der));
    }

    /// What is said of `certificate`, which `issuer` issued, as of `at`.
    pub(super) fn status(
        &self,
        certificate: &Certificate,
        issuer: &Certificate,
        at: DateTime<Utc>,
    ) -> Status {
        let mut status = Status::Unknown;
        for index in 0..self.papers.len() {
            let Some(statement) = self.ask(index, certificate, issuer) else { continue };
            if let Some(since) = statement.revoked.filter(|it| *it <= at) {
                return Status::Revoked(since);
            }
            // It must reach to the moment, and be of a time when it had to list the certificate.
            let reaches = statement.until.map_or(statement.from >= at, |it| it >= at);
            if reaches && statement.complete && statement.from <= certificate.not_after {
                status = Status::Good;
            }
        }
        status
    }

    /// What a paper says; the same again for the same question, for its signature takes time.
    fn ask(
        &self,
        index: usize,
        certificate: &Certificate,
        issuer: &Certificate,
    ) -> Option<Statement> {
        let question = (index, certificate.sha256, issuer.sha256);
        if let Some(known) = self.said.borrow().get(&question) {
            return *known;
        }
        let said = match &self.papers[index] {
            Paper::List(der) => listed(der, certificate, issuer),
            Paper::Answer(der) => answered(der, certificate, issuer),
        };
        let said = said.ok().flatten();
        self.said.borrow_mut().insert(question, said);
        said
    }
}

/// What a list says; `None` when it is another authority's.
fn listed(der: &[u8], of: &Certificate, issuer: &Certificate) -> Checked<Option<Statement>> {
    let mut parts = single(der)?.of(SEQUENCE)?.inside();
    let tbs = parts.take(SEQUENCE)?;
    let algorithm = parts.take(SEQUENCE)?;
    let signature = parts.take(BIT_STRING)?.bits()?;
    parts.end()?;
    let mut list = tbs.inside();
    ensure(list.take(INTEGER)?.small()? == 1, "revocation.syntax")?;
    ensure(list.take(SEQUENCE)?.whole == algorithm.whole, "revocation.syntax")?;
    if list.take(SEQUENCE)?.whole != issuer.subject {
        return Ok(None);
    }
    let from = list.any()?.time()?;
    let mut next = list.rest()?.into_iter().peekable();
    let until = next.next_if(|it| it.tag != SEQUENCE && it.tag != context(0));
    let until = until.map(|it| it.time()).transpose()?;
    let entries = next.next_if(|it| it.tag == SEQUENCE);
    let extensions = next.next_if(|it| it.tag == context(0));
    let complete = extensions.map_or(Ok(true), |it| complete(it.inner()?, of))?;
    ensure(next.next().is_none() && issuer.lists(), "revocation.syntax")?;
    Scheme::read(algorithm, None)?.verify(&issuer.key, tbs.whole, signature)?;
    let serial = of.parsed.tbs_certificate().serial_number().as_bytes();
    let mut revoked = None;
    for entry in entries.map_or(Ok(Vec::new()), |it| it.inside().rest())? {
        let mut entry = entry.of(SEQUENCE)?.inside();
        let number = entry.take(INTEGER)?.content;
        let since = entry.any()?.time()?;
        let extensions = entry.maybe(SEQUENCE)?;
        let other = extensions.map_or(Ok(Vec::new()), critical)?;
        ensure(other.is_empty(), "revocation.partial")?; // of another issuer
        if number == serial {
            revoked = Some(since);
        }
    }
    Ok(Some(Statement { revoked, from, until, complete }))
}

/// Whether a list is about certificates like this one: it has no issuing distribution point (RFC 5280,
/// 5.2.5), or one that the certificate names. A delta, or an indirect list, is an error.
fn complete(extensions: Value<'_>, of: &Certificate) -> Checked<bool> {
    let mut complete = true;
    for (name, value) in critical(extensions)? {
        ensure(name.is(ISSUING_DISTRIBUTION_POINT), "revocation.partial")?;
        for part in single(value.content)?.of(SEQUENCE)?.inside().rest()? {
            ensure(part.tag != 0x84, "revocation.partial")?;
            complete &= match part.tag {
                0xa0 => of.distributed(part.content),
                0x81 => of.authority(0).is_err(), // users' certificates alone
                0x82 => of.authority(0).is_ok(),  // authorities' alone
                _ => false,
            };
        }
    }
    Ok(complete)
}

/// The critical ones of a list of extensions: names and values.
fn critical(extensions: Value<'_>) -> Checked<Vec<(Value<'_>, Value<'_>)>> {
    let mut found = Vec::new();
    for extension in extensions.of(SEQUENCE)?.inside().rest()? {
        let mut parts = extension.of(SEQUENCE)?.inside();
        let name = parts.take(OID)?;
        let critical = parts.maybe(BOOLEAN)?.map_or(Ok(false), |it| it.truth())?;
        if critical {
            found.push((name, parts.take(OCTET_STRING)?));
        }
    }
    Ok(found)
}

/// What an answer says; `None` when it is on another certificate.
fn answered(der: &[u8], of: &Certificate, issuer: &Certificate) -> Checked<Option<Statement>> {
    let mut response = single(der)?.of(SEQUENCE)?.inside();
    ensure(response.take(ENUMERATED)?.small()? == 0, "revocation.syntax")?;
    let mut bytes = response.take(context(0))?.inner()?.of(SEQUENCE)?.inside();
    ensure(bytes.take(OID)?.is(BASIC), "revocation.syntax")?;
    let basic = single(bytes.take(OCTET_STRING)?.content)?;
    let mut basic = basic.of(SEQUENCE)?.inside();
    let data = basic.take(SEQUENCE)?;
    let scheme = Scheme::read(basic.take(SEQUENCE)?, None)?;
    let signature = basic.take(BIT_STRING)?.bits()?;
    let brought = basic.maybe(context(0))?;
    basic.end()?;

    let mut parts = data.inside();
    parts.maybe(context(0))?;
    parts.any()?; // the responder's name or key hash: the signature tells more
    let produced = parts.any()?.time()?;
    let answers = parts.take(SEQUENCE)?.inside().rest()?;
    let mut found = None;
    for answer in answers {
        let mut parts = answer.of(SEQUENCE)?.inside();
        if concerns(parts.take(SEQUENCE)?, of, issuer)? {
            let status = parts.any()?;
            let from = parts.any()?.time()?;
            let until = parts.maybe(context(0))?.map(|it| it.inner()?.time()).transpose()?;
            let revoked = match status.tag {
                0x80 => None,
                0xa1 => Some(status.inside().any()?.time()?),
                _ => return Err(Fault::new("revocation.unknown")),
            };
            found = Some(Statement { revoked, from, until, complete: true });
        }
    }
    let Some(statement) = found else { return Ok(None) };
    if scheme.verify(&issuer.key, data.whole, signature).is_ok() {
        return Ok(Some(statement));
    }
    let brought = brought.ok_or_else(|| Fault::new("revocation.responder"))?;
    for certificate in brought.inner()?.of(SEQUENCE)?.inside().rest()? {
        let responder = Certificate::read(certificate.whole)?;
        // RFC 6960, 4.2.2.2: the authority itself must have appointed it.
        let appointed = responder.issuer == issuer.subject
            && responder.signed_by(issuer).is_ok()
            && responder.current(produced).is_ok()
            && responder.understood().is_ok()
            && responder.purpose(OCSP_SIGNING, false).is_ok();
        if appointed && scheme.verify(&responder.key, data.whole, signature).is_ok() {
            return Ok(Some(statement));
        }
    }
    Err(Fault::new("revocation.responder"))
}

/// Whether a CertID is the certificate's. SHA-1 is the customary name-giver here; it proves nothing.
fn concerns(id: Value<'_>, of: &Certificate, issuer: &Certificate) -> Checked<bool> {
    let mut parts = id.inside();
    let algorithm = parts.take(SEQUENCE)?;
    let name = parts.take(OCTET_STRING)?.content;
    let key = parts.take(OCTET_STRING)?.content;
    let serial = parts.take(INTEGER)?.content;
    parts.end()?;
    let hash = |bytes: &[u8]| -> Checked<Vec<u8>> {
        if algorithm.inside().take(OID)?.is(SHA1) {
            Ok(digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec())
        } else {
            Ok(Hash::read(algorithm)?.of(&[bytes]))
        }
    };
    let mut info = single(&issuer.key)?.inside();
    info.take(SEQUENCE)?;
    let point = info.any()?.bits()?;
    let own = of.parsed.tbs_certificate().serial_number().as_bytes();
    Ok(serial == own && name == hash(&issuer.subject)? && key == hash(point)?)
}
