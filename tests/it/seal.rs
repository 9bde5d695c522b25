//! Sealing and signing: fields, the office's seal, whose turn it is, and every way it can go wrong.

mod faults;
mod keys;
mod time;

use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use lopdf::{Dictionary, Document, Object};
use paraphe::seal::{
    Act, Evidence, Level, Office, Presented, SealOptions, SealedPdf, Sealer, Signer, Strokes,
    TestAuthority,
};
use serde_json::{Value, json};

use crate::harness::{SHOP, at, good, letter};

/// The authority of all tests.
static AUTHORITY: LazyLock<TestAuthority> =
    LazyLock::new(|| TestAuthority::from_seed([7; 32]).unwrap());

fn office() -> Sealer {
    let signer = AUTHORITY.signer("Direction territoriale de Lyon").unwrap();
    Sealer::On(Office::new(signer, &SealOptions::default()).unwrap())
}

fn prefect() -> Arc<dyn Signer> {
    AUTHORITY.signer("Claire SPECIMEN").unwrap()
}

fn sealed(data: &Value, sealer: &Sealer) -> SealedPdf {
    let document = SHOP.check(data).unwrap();
    let pdf = SHOP.try_render(&document).unwrap();
    sealer.seal(&pdf, &document, &SHOP.rulebook, at()).unwrap()
}

fn contract() -> Value {
    good("cai/minor-sixteen-with-representative.json")
}

fn evidence(file: &SealedPdf) -> Evidence {
    Evidence {
        agent: "Agent 12".to_owned(),
        interpreter: None,
        language: "ar".to_owned(),
        presented: Presented::Heard,
        device: "tablet-3".to_owned(),
        signed_at: at(),
        shown: file.hash(),
    }
}

fn strokes() -> Strokes {
    let wave = |i: u16| {
        let t = f32::from(i) / 119.0;
        [30.0 + 240.0 * t, 60.0 + 35.0 * (t * 26.0).sin() * (1.0 - t)]
    };
    let line = |i: u16| [40.0 + 22.0 * f32::from(i), 105.0 - f32::from(i)];
    Strokes {
        width: 300.0,
        height: 120.0,
        lines: vec![(0..120).map(wave).collect(), (0..11).map(line).collect()],
    }
}

fn by_hand(file: &SealedPdf) -> Act {
    Act::Strokes { strokes: strokes(), evidence: evidence(file) }
}

fn by_certificate(file: &SealedPdf, signer: &Arc<dyn Signer>) -> Act {
    Act::Certificate { signer: signer.clone(), shown: file.hash() }
}

#[test]
fn a_contract_is_sealed_and_signed_by_everybody_in_turn() {
    let office = office();
    let file = sealed(&contract(), &office);
    assert_eq!(file.level(), Level::BaselineB);
    assert_eq!(file.turn().0, ["applicant", "representative"]);
    let file = office.sign(&file, "representative", &by_hand(&file), at()).unwrap();
    assert_eq!(file.turn().0, ["applicant"]);
    let unable = Act::DeclaredUnable { evidence: evidence(&file) };
    let file = office.sign(&file, "applicant", &unable, at()).unwrap();
    assert_eq!(file.turn().0, ["authority"]);
    let file = office.sign(&file, "authority", &by_certificate(&file, &prefect()), at()).unwrap();
    assert!(file.turn().0.is_empty());
    assert!(file.fields().iter().all(|it| it.signed));
    assert!(file.shortfall().is_none() && file.expiring().is_empty());
}

#[test]
fn every_signature_says_who_and_why_and_keeps_its_evidence() {
    let office = office();
    let file = sealed(&contract(), &office);
    let unable = Act::DeclaredUnable { evidence: evidence(&file) };
    let file = office.sign(&file, "applicant", &unable, at()).unwrap();
    let signature = signature(&file, "applicant");
    assert_eq!(text(&signature, "Name"), "Madame\u{a0}Halima SPECIMEN");
    assert!(text(&signature, "Reason").contains("ne pas savoir signer"));
    let kept = text(&signature, "PRPH_Evidence");
    assert!(
        kept.starts_with(r#"{"agent":"Agent 12","device":"tablet-3","language":"ar""#),
        "{kept}"
    );
    let file = office.sign(&file, "representative", &by_hand(&file), at()).unwrap();
    let file = office.sign(&file, "authority", &by_certificate(&file, &prefect()), at()).unwrap();
    let signature = self::signature(&file, "authority");
    assert_eq!(text(&signature, "Name"), "Claude EXEMPLE");
    assert!(text(&signature, "Reason").contains("arrêté n° 69-EXEMPLE-01"));
}

/// What is not sealed has its fields all the same: a link to nowhere would be left.
#[test]
fn no_file_leaves_with_a_dead_link() {
    let file = sealed(&contract(), &Sealer::Off);
    assert_eq!(file.level(), Level::None);
    let names: Vec<_> = file.fields().iter().map(|it| &it.name[..]).collect();
    assert_eq!(names, ["applicant", "representative", "authority"]);
    let document = Document::load_mem(file.bytes()).unwrap();
    let links = document.objects.values().filter_map(|it| it.as_dict().ok());
    let dead = links
        .filter(|it| it.get(b"URI").is_ok_and(|it| it.as_str().unwrap().starts_with(b"sigfield:")));
    let referenced = document.objects.values().filter_map(|it| it.as_dict().ok()).any(|it| {
        it.get(b"Subtype").and_then(Object::as_name).ok() == Some(b"Link")
            && it.get(b"A").is_ok_and(|action| format!("{action:?}").contains("sigfield"))
    });
    assert_eq!((dead.count(), referenced), (0, false));
}

#[test]
fn a_file_that_was_only_rendered_is_sealed_later() {
    let file = SealedPdf::read(sealed(&contract(), &Sealer::Off).into_bytes()).unwrap();
    let file = office().seal_file(&file, at()).unwrap();
    assert_eq!((file.level(), file.turn().0.len()), (Level::BaselineB, 2));
}

#[test]
fn a_letter_has_no_field_and_is_sealed_where_the_office_wants_it() {
    let signer = AUTHORITY.signer("Direction territoriale de Lyon").unwrap();
    let options = SealOptions { letters: true, ..SealOptions::default() };
    let sealer = Sealer::On(Office::new(signer, &options).unwrap());
    let file = sealed(&letter("ar"), &sealer);
    assert_eq!((file.level(), file.fields()), (Level::BaselineB, &[][..]));
    for sealer in [office(), Sealer::Off] {
        let file = sealed(&letter("fr"), &sealer);
        assert_eq!(file.level(), Level::None);
        assert_eq!(file.bytes(), SHOP.render(&letter("fr")).bytes());
    }
}

#[test]
fn same_act_same_bytes() {
    let made = || {
        let file = sealed(&contract(), &office());
        office().sign(&file, "applicant", &by_hand(&file), at()).unwrap().into_bytes()
    };
    assert_eq!(made(), made());
}

#[test]
fn a_signature_adds_at_most_twelve_kilobytes() {
    let office = office();
    let mut file = sealed(&contract(), &office);
    for field in ["applicant", "representative", "authority"] {
        let interpreter = Some("ISM-EXEMPLE n° 4471".to_owned());
        let act = match field {
            "applicant" => {
                Act::DeclaredUnable { evidence: Evidence { interpreter, ..evidence(&file) } }
            }
            "authority" => by_certificate(&file, &prefect()),
            _ => by_hand(&file),
        };
        let signed = office.sign(&file, field, &act, at()).unwrap();
        let growth = signed.bytes().len() - file.bytes().len();
        println!("{field}: {growth} bytes");
        assert!(growth <= 12_000, "{field}: {growth}");
        assert!(signed.bytes().starts_with(file.bytes()), "bytes that were there have changed");
        file = signed;
    }
}

/// Lower-case hex, one DER value, then zeros: nothing can hide in a hole.
#[test]
fn a_hole_is_canonical() {
    let file = sealed(&contract(), &office());
    let contents = file.bytes().windows(11).position(|it| it == b"/Contents <").unwrap() + 11;
    let hole: String = file.bytes()[contents..]
        .iter()
        .take_while(|it| **it != b'>')
        .map(|it| char::from(*it))
        .collect();
    assert!(hole.bytes().all(|it| b"0123456789abcdef".contains(&it)));
    let length = usize::from_str_radix(&hole[4..8], 16).unwrap() + 4;
    assert!(hole.starts_with("3082") && hole[2 * length..].bytes().all(|it| it == b'0'));
}

/// Independent of ours: a reader of PDF and a library for CMS.
#[test]
fn others_find_the_signatures_valid() {
    let office = office();
    let file = sealed(&contract(), &office);
    let file = office.sign(&file, "applicant", &by_hand(&file), at()).unwrap();
    let on_disk = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(on_disk.path(), file.bytes()).unwrap();
    let ask = |file: &std::path::Path| {
        let output = Command::new("pdfsig").arg("-nocert").arg(file).output().unwrap();
        String::from_utf8_lossy(&output.stdout).matches("Signature is Valid.").count()
    };
    assert_eq!(ask(on_disk.path()), 2);
    let mut flipped = file.bytes().to_vec();
    flipped[5000] ^= 1;
    std::fs::write(on_disk.path(), flipped).unwrap();
    assert_eq!(ask(on_disk.path()), 0);
}

/// The dictionary of a field's signature.
fn signature(file: &SealedPdf, field: &str) -> Dictionary {
    let document = Document::load_mem(file.bytes()).unwrap();
    let fields = document.objects.values().filter_map(|it| it.as_dict().ok());
    let mut named = fields.filter(|it| it.has(b"FT") && text(it, "T") == field);
    let value = named.next().unwrap().get(b"V").unwrap().as_reference().unwrap();
    document.get_dictionary(value).unwrap().clone()
}

fn text(dictionary: &Dictionary, key: &str) -> String {
    lopdf::decode_text_string(dictionary.get(key.as_bytes()).unwrap()).unwrap()
}

/// Both by the wall clock, for a rendering has a thread of its own; the fastest of many of each, for what else runs only adds.
#[test]
fn fields_and_seal_cost_at_most_two_fifths_of_the_rendering() {
    let office = office();
    let mut data = good("cai/interpreter-read-aloud.json");
    let (mut rendering, mut sealing) = (Duration::MAX, Duration::MAX);
    for number in 0..30 {
        data["reference"] = json!(format!("CAI-{number}"));
        data["applicant"]["family_name"] = json!(format!("SPECIMEN {}", char::from(b'A' + number)));
        let document = SHOP.check(&data).unwrap();
        let start = Instant::now();
        let pdf = SHOP.try_render(&document).unwrap();
        let rendered = Instant::now();
        office.seal(&pdf, &document, &SHOP.rulebook, at()).unwrap();
        rendering = rendering.min(rendered - start);
        sealing = sealing.min(rendered.elapsed());
    }
    println!("rendering {rendering:?}, fields and seal {sealing:?}");
    assert!(sealing <= rendering.mul_f64(0.4), "{sealing:?} of {rendering:?}");
}
