//! A file in, a [`Report`] out: who signed, when, whom that leads to, and what changed since.
//!
//! Nothing of the file is believed before it has been checked. The reader is our own and strict: what
//! two readers could understand in two ways is refused, and depth, number and size of everything are
//! bounded, so any bytes give a report. It writes nothing and asks no network.

mod algorithm;
mod certificate;
mod change;
mod cms;
mod content;
mod der;
mod difference;
mod fault;
mod field;
mod file;
mod judge;
mod metadata;
mod object;
mod references;
mod report;
mod revocation;
mod section;
mod stream;
mod syntax;
mod timestamp;
mod trust;
mod validation_data;
mod words;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

pub use change::{Change, ChangeKind};
pub use content::Attachment;
pub use fault::Fault;
pub use report::{
    Report, RevocationReport, SignatureKind, SignatureLevel, SignatureReport, Signer, Verdict,
    Waiting,
};
pub use trust::{Trust, TrustError};
pub use words::{Words, WordsError};

use fault::{Checked, ensure};
use field::{Field, fields};
use file::File;

/// The largest file that is judged, in bytes.
const SIZE: usize = 50 << 20;
/// How many signatures one file may hold.
const SIGNATURES: usize = 32;

/// Verifies all signatures of a PDF. `trust` holds the certificates that signers and timestamp
/// authorities must lead to; `at` is the moment that counts for a certificate where no trusted
/// timestamp says when the signature was made.
pub fn verify(bytes: &[u8], trust: &Trust, at: DateTime<Utc>) -> Report {
    let mut report = Report {
        valid: false,
        verdict: Verdict::Unreadable,
        sha256: certificate::hex(&Sha256::digest(bytes)),
        size: bytes.len(),
        at,
        revisions: 0,
        standards: Vec::new(),
        signatures: Vec::new(),
        waiting: Vec::new(),
        attachments: Vec::new(),
        problems: Vec::new(),
    };
    match read(bytes).and_then(|file| examine(&file, trust, &mut report)) {
        Ok(()) => report.verdict = verdict(&report),
        Err(fault) => report.problems.push(fault),
    }
    report.valid = report.verdict == Verdict::Valid;
    report
}

fn read(bytes: &[u8]) -> Checked<File<'_>> {
    ensure(bytes.len() <= SIZE, "file.too_big")?;
    File::open(bytes)
}

fn examine(file: &File<'_>, trust: &Trust, report: &mut Report) -> Checked<()> {
    report.revisions = file.sections.len();
    let all = fields(file, file.last())?;
    let (signed, empty): (Vec<_>, Vec<_>) = all.iter().partition(|it| it.value.is_some());
    report.waiting = empty
        .into_iter()
        .map(|it| Waiting { field: it.name.clone(), label: it.label.clone() })
        .collect();
    ensure(signed.len() <= SIGNATURES, "file.too_complex")?;
    let removed = removed(file, &signed)?;
    report.problems.extend(removed);
    report.signatures = judge::judge(file, &all, trust, report.at)?;
    match content::standards(file) {
        Ok(standards) => report.standards = standards,
        Err(fault) => report.problems.push(fault),
    }
    match content::attachments(file) {
        Ok(attachments) => report.attachments = attachments,
        Err(fault) => report.problems.push(fault),
    }
    Ok(())
}

/// Signatures that an older revision shows and the newest does not, and ones that two fields share.
fn removed(file: &File<'_>, signed: &[&Field]) -> Checked<Vec<Fault>> {
    let mut faults = Vec::new();
    let mut kept: BTreeMap<u32, &str> = BTreeMap::new();
    for field in signed {
        if field.value.is_some_and(|it| kept.insert(it, &field.name).is_some()) {
            faults.push(Fault::new("signature.shared").with("field", &field.name));
        }
    }
    for view in 0..file.last() {
        for field in fields(file, view)? {
            let gone = field.value.is_some_and(|it| kept.get(&it) != Some(&field.name.as_str()));
            let fault = Fault::new("signature.removed").with("field", &field.name);
            if gone && !faults.contains(&fault) {
                faults.push(fault);
            }
        }
    }
    Ok(faults)
}

fn verdict(report: &Report) -> Verdict {
    let signatures = &report.signatures;
    let all = || report.problems.iter().chain(signatures.iter().flat_map(|it| &it.problems));
    // An archive timestamp alone says when a file existed, and nobody's will.
    let signed = signatures.iter().any(|it| it.kind != SignatureKind::ArchiveTimestamp);
    match () {
        () if !all().all(Fault::is_stranger) => Verdict::NotValid,
        () if !signed => Verdict::Unsigned,
        () if all().next().is_some() => Verdict::UnknownSigner,
        () => Verdict::Valid,
    }
}
