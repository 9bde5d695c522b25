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
