//! Each signature of a file, the newest first: a trusted archive timestamp tells by when the ones
//! before it existed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::certificate::{Certificate, hex};
use super::change::{Change, ChangeKind};
use super::cms::{DATA, Signed};
use super::der::single;
use super::difference::changes;
use super::fault::{Checked, Fault, ensure};
use super::field::{Field, Permission, date, hole, permission, revision, text};
use super::file::File;
use super::object::{Dict, Object};
use super::report::{RevocationReport, SignatureKind, SignatureLevel, SignatureReport, Signer};
use super::revocation::Status;
use super::timestamp::Token;
use super::trust::{Trust, chain, vouched};
use super::validation_data::ValidationData;

/// Where the dictionary of a signature on a tablet says how it was taken.
const EVIDENCE: &str = "PRPH_Evidence";
/// How long that may be, in bytes.
const EVIDENCE_SIZE: usize = 256 << 10;

/// Judges every signed field of `fields`, which are all of the file's; the oldest comes first.
pub(super) fn judge(
    file: &File<'_>,
    fields: &[Field],
    trust: &Trust,
    at: DateTime<Utc>,
) -> Checked<Vec<SignatureReport>> {
    let mut signed = Vec::new();
    for field in fields {
        if let Some(value) = field.value {
            signed.push((revision(file, value)?, value, field));
        }
    }
    signed.sort_by_key(|it| (it.0, it.1));
    let first = signed.first().map_or(file.last(), |it| it.0);
    let certified = signed.iter().map(|it| it.1).next();
    let mut court = Court {
        file,
        fields,
        trust,
        at,
        changes: (first + 1..=file.last()).map(|it| (it, changes(file, it))).collect(),
        data: ValidationData::of(file, file.last())?,
        stamps: Vec::new(),
    };
    let mut reports = Vec::new();
    for (section, value, field) in signed.into_iter().rev() {
        let mut report = court.signature(section, value, field)?;
        // A certification comes before all other signatures (ISO 32000-1, 12.8.2.2.1).
        if report.certifies.is_some() && certified != Some(value) {
            report.problems.push(Fault::new("signature.certification"));
        }
        report.valid = report.problems.is_empty();
        report.level = report.level.filter(|_| report.valid);
        reports.push(report);
    }
    reports.reverse();
    Ok(reports)
}

struct Court<'a, 'f> {
    file: &'a File<'f>,
    fields: &'a [Field],
    trust: &'a Trust,
    at: DateTime<Utc>,
    /// What each revision after the first signature changed.
    changes: BTreeMap<usize, Vec<Change>>,
    data: ValidationData,
    /// The trusted archive timestamps seen so far: their revision, what the file then held of validation
    /// data, and their time.
    stamps: Vec<Stamp>,
}

struct Stamp {
    section: usize,
    data: ValidationData,
    time: DateTime<Utc>,
}

impl Court<'_, '_> {
    fn signature(&mut self, section: usize, value: u32, field: &Field) -> Checked<SignatureReport> {
        let view = self.file.last();
        let object = self.file.object(section, value)?;
        let Object::Dict(dict) = &*object else { return Err(Fault::new("signature.missing")) };
        let text = |key| text(self.file, view, dict, key);
        let stamp = dict.get("Type").is_some_and(|it| it.is_name("DocTimeStamp"));
        let mut report = SignatureReport {
            field: field.name.clone(),
            label: field.label.clone(),
            kind: SignatureKind::Signature,
            valid: false,
            intact: false,
            level: None,
            signer: None,
            name: text("Name")?,
            reason: text("Reason")?,
            location: text("Location")?,
            claimed_time: text("M")?.as_deref().and_then(date),
            signing_time: None,
            trusted_time: None,
            timestamp_authority: None,
            certifies: None,
            locks: Vec::new(),
            revision: section + 1,
            covers_whole_file: section == self.file.last(),
            changes: Vec::new(),
            chain: Vec::new(),
            revocation: Vec::new(),
            evidence: None,
            problems: Vec::new(),
        };
        let permission = permission(self.file, view, dict).unwrap_or_else(|fault| {
            report.problems.push(fault);
            Permission::default()
        });
        report.certifies = permission.certifies;
        report.kind = match permission.certifies {
            _ if stamp => SignatureKind::ArchiveTimestamp,
            Some(_) => SignatureKind::Seal,
            None => SignatureKind::Signature,
        };
        if let Some(lock) = &permission.locks {
            let locked = self.fields.iter().filter(|it| lock.holds(&it.name));
            report.locks = locked.map(|it| it.name.clone()).collect();
        }
        self.compare(section, &permission, &mut report);
        let judged = if stamp {
            self.archive_timestamp(section, dict, &mut report)
        } else {
            self.person(section, dict, &mut report)
        };
        if let Err(fault) = judged {
            report.problems.push(fault);
        }
        report.intact &= report.changes.iter().all(|it| it.permitted);
        Ok(report)
    }

    /// What changed since, and whether this signature permits it.
    fn compare(&self, section: usize, permission: &Permission, report: &mut SignatureReport) {
        for change in self.changes.range(section + 1..).flat_map(|it| it.1) {
            let mut change = change.clone();
            let closed = permission.certifies == Some(1)
                || permission.locks.as_ref().is_some_and(|it| it.holds(&change.detail));
            change.permitted &= !(change.kind == ChangeKind::Signature && closed);
            report.changes.push(change);
        }
        if let Some(change) = report.changes.iter().find(|it| !it.permitted) {
            let object = change.object.map_or(String::new(), |it| it.to_string());
            let fault = Fault::new("signature.changed").with("revision", change.revision);
            report.problems.push(fault.with("object", object).with("detail", &change.detail));
        }
    }

    fn archive_timestamp(
        &mut self,
        section: usize,
        dict: &Dict,
        report: &mut SignatureReport,
    ) -> Checked<()> {
        let known = dict.get("SubFilter").is_some_and(|it| it.is_name("ETSI.RFC3161"));
        ensure(known, "signature.format")?;
        let hole = hole(self.file, dict, section)?;
        let token = Token::read(single(&hole.der)?, &hole.parts)?;
        report.intact = true;
        report.signer = Some(signer(&token.authority));
        let then = self.existed(section).unwrap_or(self.at);
        let chain = token.chain(&self.data.certificates, self.trust, then).map_err(stranger)?;
        self.chain(&chain, then, report);
        if report.problems.is_empty() {
            report.trusted_time = Some(token.time);
            let data = ValidationData::of(self.file, section)?;
            self.stamps.push(Stamp { section, data, time: token.time });
        }
        Ok(())
    }

    fn person(&mut self, section: usize, dict: &Dict, report: &mut SignatureReport) -> Checked<()> {
        let is = |name| dict.get("SubFilter").is_some_and(|it| it.is_name(name));
        ensure(is("ETSI.CAdES.detached") || is("adbe.pkcs7.detached"), "signature.format")?;
        let hole = hole(self.file, dict, section)?;
        let signed = Signed::read(single(&hole.der)?, DATA)?;
        report.signer = Some(signer(&signed.signer));
        report.signing_time = signed.signing_time;
        signed.covers(&hole.parts)?;
        report.intact = true;
        report.evidence = evidence(dict)?;
        if let Some(shown) = report.evidence.as_ref().and_then(|it| it["shown"].as_str()) {
            ensure(self.was_shown(section, shown), "evidence.shown")?;
        }
        if let Some(archival) = signed.revocation {
            self.data.statements.add(archival)?;
        }

        let existed = self.existed(section);
        let mut authority = Vec::new();
        if let Some(token) = signed.timestamp {
            let token = Token::read(token, &[signed.signature])?;
            report.timestamp_authority = Some(signer(&token.authority));
            let pool = &self.data.certificates;
            match token.chain(pool, self.trust, existed.unwrap_or(self.at)) {
                Ok(chain) => {
                    report.trusted_time = Some(token.time);
                    authority = chain;
                }
                Err(fault) => report.problems.push(stranger(fault)),
            }
        }
        report.trusted_time = report.trusted_time.or(existed);
        let then = report.trusted_time.unwrap_or(self.at);
        let mut pool = signed.certificates.clone();
        pool.extend(self.data.certificates.iter().cloned());
        let chain = chain(&signed.signer, &pool, self.trust, then)?;
        signed.signer.signs()?;
        vouched(&signed.certificates, self.trust)?;
        self.chain(&chain, then, report);
        let existed = existed.unwrap_or(self.at);
        for pair in authority.windows(2) {
            self.revoked(&pair[0], &pair[1], existed, report);
        }
        if is("ETSI.CAdES.detached") && report.problems.is_empty() {
            let proofs = [(&chain[..], then), (&authority[..], existed)];
            report.level = Some(self.level(section, report.trusted_time.is_some(), &proofs));
        }
        Ok(())
    }

    /// Whether a hash in hex is that of the file before a revision, with or without its last line end.
    fn was_shown(&self, section: usize, shown: &str) -> bool {
        let before = section.checked_sub(1).and_then(|it| self.file.sections.get(it));
        let ends = before.into_iter().flat_map(|it| [it.end, it.line_end]);
        ends.into_iter().any(|end| {
            let hash = hex(&Sha256::digest(&self.file.bytes[..end]));
            hash.eq_ignore_ascii_case(shown)
        })
    }

    /// The earliest trusted archive timestamp over a revision.
    fn existed(&self, section: usize) -> Option<DateTime<Utc>> {
        self.stamps.iter().filter(|it| it.section > section).map(|it| it.time).min()
    }

    /// Tells of the chain and of what the file says about it.
    fn chain(&self, chain: &[Certificate], at: DateTime<Utc>, report: &mut SignatureReport) {
        report.chain = chain.iter().map(Certificate::subject_name).collect();
        for pair in chain.windows(2) {
            let status = self.revoked(&pair[0], &pair[1], at, report);
            let subject = pair[0].subject_name();
            report.revocation.push(RevocationReport { subject, status });
        }
    }

    fn revoked(
        &self,
        certificate: &Certificate,
        issuer: &Certificate,
        at: DateTime<Utc>,
        report: &mut SignatureReport,
    ) -> &'static str {
        match self.data.statements.status(certificate, issuer, at) {
            Status::Good => "good",
            Status::Unknown => "not_known",
            Status::Revoked(since) => {
                let fault = certificate.fault("certificate.revoked");
                report.problems.push(fault.with("since", since.to_rfc3339()));
                "revoked"
            }
        }
    }

    fn level(
        &self,
        section: usize,
        timestamped: bool,
        proofs: &[(&[Certificate], DateTime<Utc>)],
    ) -> SignatureLevel {
        let proven = |data: &ValidationData| {
            proofs.iter().all(|(chain, at)| {
                chain
                    .windows(2)
                    .all(|pair| data.statements.status(&pair[0], &pair[1], *at) == Status::Good)
            })
        };
        if !timestamped {
            return SignatureLevel::Basic;
        }
        if !proven(&self.data) {
            return SignatureLevel::Timestamped;
        }
        let mut later = self.stamps.iter().filter(|it| it.section > section);
        if later.any(|it| proven(&it.data)) {
            return SignatureLevel::Archived;
        }
        SignatureLevel::LongTerm
    }
}

/// A timestamp authority that is not known is not a signer that is not known.
fn stranger(mut fault: Fault) -> Fault {
    if fault.code == "signer.unknown" {
        fault.code = "timestamp.unknown";
    }
    fault
}

/// The evidence as it stands in the dictionary: JSON as a string.
fn evidence(dict: &Dict) -> Checked<Option<Value>> {
    let Some(text) = dict.get(EVIDENCE) else { return Ok(None) };
    let text = text.text().filter(|it| it.bytes.len() <= EVIDENCE_SIZE);
    let text = text.ok_or_else(|| Fault::new("evidence.syntax"))?;
    let text = super::object::words(&text.bytes);
    serde_json::from_str(&text).map(Some).map_err(|_| Fault::new("evidence.syntax"))
}

fn signer(certificate: &Certificate) -> Signer {
    let subject = certificate.subject_name();
    Signer {
        name: certificate.attribute("2.5.4.3").unwrap_or_else(|| subject.clone()),
        organization: certificate.attribute("2.5.4.10"),
        subject,
        issuer: certificate.issuer_name(),
        serial: certificate.serial(),
        not_before: certificate.not_before,
        not_after: certificate.not_after,
        sha256: hex(&certificate.sha256),
    }
}
