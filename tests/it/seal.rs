//! Sealing and signing: fields, the office's seal, whose turn it is, and every way it can go wrong.

use std::sync::{Arc, LazyLock};

use chrono::{DateTime, Utc};
use paraphe::class::Class;
use paraphe::seal::{
    Act, Evidence, KeyError, Level, Office, Presented, SealError, SealOptions, SealedPdf, Sealer,
    Signer, Strokes, TestAuthority,
};
use serde_json::{Value, json};

use crate::harness::{SHOP, at, good};

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
    std::fs::write("/tmp/seal-signed.pdf", file.bytes()).unwrap();
    std::fs::write("/tmp/seal-root.der", AUTHORITY.root().der()).unwrap();
}

/// CPU of this thread, for what is compared in one run.
fn cpu_ms() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

#[test]
fn fields_and_seal_cost_at_most_two_fifths_of_the_rendering() {
    let office = office();
    let mut data = good("cai/interpreter-read-aloud.json");
    let (mut rendering, mut sealing) = (Vec::new(), Vec::new());
    for number in 0..30 {
        data["reference"] = json!(format!("CAI-{number}"));
        data["applicant"]["family_name"] = json!(format!("SPECIMEN {}", char::from(b'A' + number)));
        let document = SHOP.check(&data).unwrap();
        let start = cpu_ms();
        let pdf = SHOP.try_render(&document).unwrap();
        let rendered = cpu_ms();
        office.seal(&pdf, &document, &SHOP.rulebook, at()).unwrap();
        rendering.push(rendered - start);
        sealing.push(cpu_ms() - rendered);
    }
    let median = |times: &mut Vec<f64>| {
        times.drain(..10);
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let (rendering, sealing) = (median(&mut rendering), median(&mut sealing));
    println!("rendering {rendering:.2} ms, fields and seal {sealing:.2} ms");
    assert!(sealing <= 0.4 * rendering, "{sealing:.2} ms of {rendering:.2} ms");
}
