//! What `verify` says of files that pyHanko signed, of forgeries of them, and of anything at all.

mod bounds;
mod forge;
mod fuzz;
mod own;

use std::collections::BTreeSet;

use paraphe::assets::Assets;
use paraphe::seal::verify::{
    ChangeKind, Report, SignatureKind, SignatureLevel, Trust, Verdict, Words, verify,
};
use serde_json::Value;

use crate::harness::{at, count, paraphe, source};

/// A file of tests/fixtures/signed, made by make.py there.
fn signed(name: &str) -> Vec<u8> {
    std::fs::read(path(&format!("{name}.pdf"))).unwrap()
}

fn path(name: &str) -> String {
    format!("{}/tests/fixtures/signed/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Trusts the test authority.
fn trusted() -> Trust {
    let mut trust = Trust::nobody();
    trust.add(&std::fs::read(path("root.pem")).unwrap()).unwrap();
    trust
}

fn judged(bytes: &[u8]) -> Report {
    verify(bytes, &trusted(), at())
}

/// The codes of all that is wrong.
fn codes(report: &Report) -> BTreeSet<&'static str> {
    let signatures = report.signatures.iter().flat_map(|it| &it.problems);
    report.problems.iter().chain(signatures).map(|it| it.code).collect()
}

#[test]
fn each_level_is_told_by_what_is_there() {
    for (name, level) in [
        ("b-b", SignatureLevel::Basic),
        ("b-t", SignatureLevel::Timestamped),
        ("b-lt", SignatureLevel::LongTerm),
        ("b-lt-answer", SignatureLevel::LongTerm),
        ("b-lta", SignatureLevel::Archived),
    ] {
        let report = judged(&signed(name));
        assert!(report.is_valid(), "{name}: {report:#?}");
        assert_eq!(report.signatures[0].level, Some(level), "{name}: {report:#?}");
        assert_eq!(report.signatures[0].trusted_time.is_some(), name != "b-b", "{name}");
    }
}

#[test]
fn every_algorithm_of_the_list_is_verified() {
    for name in ["b-b", "b-b-rsa", "b-b-pss", "b-b-p384", "streams"] {
        let report = judged(&signed(name));
        assert!(report.is_valid(), "{name}: {report:#?}");
    }
}

#[test]
fn who_signed_and_what_the_file_carries_is_said() {
    let report = judged(&signed("b-b"));
    let signature = &report.signatures[0];
    assert_eq!(signature.field, "applicant");
    assert_eq!(signature.label, "Applicant");
    assert_eq!(signature.kind, SignatureKind::Signature);
    let signer = signature.signer.as_ref().unwrap();
    assert_eq!(signer.name, "Test Office Seal");
    assert_eq!(signer.organization.as_deref(), Some("SPECIMEN"));
    assert_eq!(signature.name.as_deref(), Some("SPECIMEN"));
    assert_eq!(signature.location.as_deref(), Some("Paris"));
    assert_eq!(signature.claimed_time, Some(at()));
    assert!(signature.covers_whole_file && signature.intact && signature.changes.is_empty());
    assert_eq!(signature.chain.len(), 3);
    assert_eq!(report.standards, ["PDF/UA-1", "PDF/A-3a"]);
    let attachment = &report.attachments[0];
    assert_eq!((&*attachment.name, &*attachment.relationship), ("contract.json", "Source"));
    assert_eq!((&*attachment.media_type, attachment.size), ("application/json", 39));
}

#[test]
fn a_certified_file_may_be_signed_and_archived() {
    let report = judged(&signed("certified-both-lta"));
    assert!(report.is_valid(), "{report:#?}");
    let kinds: Vec<_> = report.signatures.iter().map(|it| it.kind).collect();
    use SignatureKind::{ArchiveTimestamp, Seal, Signature};
    assert_eq!(kinds, [Seal, Signature, Signature, ArchiveTimestamp]);
    assert_eq!(report.signatures[0].certifies, Some(2));
    let later: BTreeSet<_> =
        report.signatures[0].changes.iter().map(|it| format!("{:?}", it.kind)).collect();
    assert_eq!(
        later.into_iter().collect::<Vec<_>>(),
        ["ArchiveTimestamp", "Signature", "ValidationData"]
    );
    assert!(report.waiting.is_empty());
    assert_eq!(report.signatures[2].level, Some(SignatureLevel::Archived));
}

/// pyHanko notes its name and the date in the metadata; nothing else may change there.
#[test]
fn an_outside_signer_may_sign_a_field_that_waits() {
    let report = judged(&signed("certified-outside"));
    assert!(report.is_valid(), "{report:#?}");
    let kinds: BTreeSet<_> =
        report.signatures[0].changes.iter().map(|it| format!("{:?}", it.kind)).collect();
    assert_eq!(kinds, ["Metadata".to_owned(), "Signature".to_owned()].into());
}

#[test]
fn who_has_not_signed_is_waited_for() {
    let waiting = |name: &str| -> Vec<String> {
        judged(&signed(name)).waiting.iter().map(|it| it.field.clone()).collect()
    };
    assert_eq!(waiting("certified"), ["applicant", "authority"]);
    assert_eq!(waiting("certified-one"), ["authority"]);
    let report = judged(&signed("unsigned"));
    assert_eq!(report.verdict, Verdict::Unsigned);
    assert_eq!(report.waiting.len(), 2);
}

#[test]
fn without_trust_it_is_intact_but_nobody_is_known() {
    for name in ["b-b", "b-lta", "certified-both-lta"] {
        let report = verify(&signed(name), &Trust::nobody(), at());
        assert_eq!(report.verdict, Verdict::UnknownSigner, "{name}: {report:#?}");
        assert!(!report.is_valid() && report.signatures.iter().all(|it| it.intact));
        assert!(report.signatures.iter().all(|it| it.level.is_none()));
    }
}

#[test]
fn an_expired_certificate_counts_at_the_trusted_time() {
    assert_eq!(codes(&judged(&signed("expired"))), ["certificate.expired"].into());
    let report = judged(&signed("expired-since"));
    assert!(report.is_valid(), "{report:#?}");
    let in_time = "2023-06-01T00:00:00Z".parse().unwrap();
    assert!(verify(&signed("expired"), &trusted(), in_time).is_valid());
    let early = "2019-06-01T00:00:00Z".parse().unwrap();
    assert_eq!(codes(&verify(&signed("b-b"), &trusted(), early)), ["certificate.not_yet"].into());
}

#[test]
fn a_revoked_certificate_is_refused() {
    for name in ["revoked", "revoked-answer"] {
        assert_eq!(codes(&judged(&signed(name))), ["certificate.revoked"].into(), "{name}");
    }
}

#[test]
fn a_locked_field_may_not_be_signed() {
    let report = judged(&signed("locked"));
    assert!(report.is_valid(), "{report:#?}");
    assert_eq!(report.signatures[0].locks, ["authority"]);
    let report = judged(&signed("locked-signed"));
    assert_eq!(codes(&report), ["signature.changed"].into(), "{report:#?}");
    assert!(!report.signatures[0].intact && report.signatures[1].valid);
}

#[test]
fn forgeries_by_somebody_with_a_key_are_refused() {
    for (name, code) in [
        ("gap-in-range", "signature.byte_range"),
        ("two-signers", "cms.signers"),
        ("unsigned-attribute", "cms.attribute_refused"),
        ("stamp-of-another", "timestamp.imprint"),
        ("b-b-pss-long-salt", "algorithm.pss"),
    ] {
        let report = judged(&signed(name));
        assert_eq!(report.verdict, Verdict::NotValid, "{name}");
        assert_eq!(codes(&report), [code].into(), "{name}: {report:#?}");
    }
}

/// Header, objects, tables, the hole, its padding, the gap: no byte may change.
#[test]
fn no_flipped_bit_goes_unseen() {
    for name in ["b-b", "b-t", "b-lta", "certified-one", "b-b-pss", "streams"] {
        let whole = signed(name);
        // pyHanko adds validation data after the archive timestamp, which nothing covers yet.
        let covered = match name {
            "b-lta" => covered(&whole),
            _ => whole.len(),
        };
        let mut dice = fuzz::Dice::new(7);
        for _ in 0..count(100, 1000) {
            let mut bytes = whole.clone();
            let (place, bit) = (dice.below(covered), dice.below(8));
            bytes[place] ^= 1 << bit;
            let report = judged(&bytes);
            assert!(!report.is_valid(), "{name}: bit {bit} of byte {place}: {report:#?}");
        }
    }
}

/// Where the range of the last signature ends.
fn covered(file: &[u8]) -> usize {
    let text = String::from_utf8_lossy(file).into_owned();
    let range = text.rsplit("/ByteRange [").next().unwrap().split(']').next().unwrap().to_owned();
    let numbers: Vec<usize> = range.split_whitespace().map(|it| it.parse().unwrap()).collect();
    numbers[2] + numbers[3]
}

#[test]
fn the_hole_has_one_form() {
    let whole = signed("b-b");
    let start = whole.windows(11).rposition(|it| it == b"/Contents <").unwrap() + 11;
    let end = start + whole[start..].iter().position(|it| *it == b'>').unwrap();
    let alter = |place: usize, byte: u8| {
        let mut bytes = whole.clone();
        assert_ne!(bytes[place], byte);
        bytes[place] = byte;
        codes(&judged(&bytes))
    };
    assert_eq!(alter(end - 1, b'1'), ["signature.hole"].into());
    assert_eq!(alter(end - 1, b' '), ["signature.hole"].into());
    let letter = start + whole[start..].iter().position(u8::is_ascii_uppercase).unwrap();
    assert_eq!(alter(letter, whole[letter].to_ascii_lowercase()), ["signature.hole"].into());
}

#[test]
fn every_code_has_its_sentences() {
    let words = Words::load(&Assets::embedded()).unwrap();
    let (english, french): (BTreeSet<_>, BTreeSet<_>) =
        (words.keys("en").collect(), words.keys("fr").collect());
    assert_eq!(english, french);
    let folder = format!("{}/src/seal/verify", env!("CARGO_MANIFEST_DIR"));
    let mut used = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        used.extend(text.split('"').map(str::to_owned));
    }
    used.extend(source("src/seal/verify.rs").split('"').map(str::to_owned));
    let is_code = |it: &&String| {
        let plain = |part: &str| {
            !part.is_empty() && part.bytes().all(|it| it.is_ascii_lowercase() || it == b'_')
        };
        it.split_once('.').is_some_and(|(family, rest)| plain(family) && plain(rest))
    };
    let other = ["contract.json", "std.fs"];
    for code in used.iter().filter(is_code).filter(|it| !other.contains(&it.as_str())) {
        // Faults that only make a statement count for nothing are never shown.
        assert!(english.contains(code.as_str()) || code.starts_with("revocation."), "{code}");
    }
    for key in english {
        assert!(used.contains(key), "nobody says {key}");
    }
}

#[test]
fn the_program_answers_people_programs_and_scripts() {
    let moment = "2026-03-02T09:00:00+01:00";
    let root = path("root.pem");
    let run = |name: &str, more: &[&str]| {
        let file = path(&format!("{name}.pdf"));
        let output = paraphe(&[&["verify", &file, "--at", moment], more].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), text)
    };
    let (code, text) = run("certified-one", &["--trust", &root]);
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("VALID"), "{text}");
    assert!(text.contains("Waiting for the signature of: Authority"), "{text}");
    let (code, text) = run("certified-one", &["--trust", &root, "--messages", "fr"]);
    assert_eq!(code, 0);
    assert!(text.contains("En attente de la signature de : Authority"), "{text}");
    let (code, text) = run("b-b", &[]);
    assert_eq!(code, 65);
    assert!(text.contains("intact, but the signer is not known here"), "{text}");
    let (code, text) = run("two-signers", &["--trust", &root, "--json"]);
    assert_eq!(code, 65);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["verdict"], "not_valid");
    assert_eq!(report["signatures"][0]["problems"][0]["code"], "cms.signers");
    assert_eq!(report["signatures"][0]["problems"][0]["values"]["count"], "2");
    let output = paraphe(&["verify", &path("absent.pdf")]);
    assert_eq!(output.status.code(), Some(74));
    let output = paraphe(&["verify", &root, "--trust", &path("b-b.pdf")]);
    assert_eq!(output.status.code(), Some(64));
}

#[test]
fn changes_of_a_report_name_their_revision() {
    let report = judged(&signed("certified-one"));
    let change = &report.signatures[0].changes[0];
    assert_eq!(change.kind, ChangeKind::Signature);
    assert_eq!((change.revision, &*change.detail), (report.revisions, "applicant"));
}
