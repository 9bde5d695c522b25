//! What our own seal makes is valid, waits for whom it must, and bears no flipped bit.

use paraphe::seal::verify::{Report, SignatureKind, SignatureLevel, Trust, verify};
use paraphe::seal::{
    Act, Evidence, Office, Presented, SealOptions, SealedPdf, Sealer, TestAuthority,
};

use super::fuzz::Dice;
use crate::harness::{SHOP, at, count, good};

/// A contract sealed by the office and signed by the representative, and whom to trust.
fn contract() -> (SealedPdf, SealedPdf, Trust) {
    let authority = TestAuthority::from_seed([9; 32]).unwrap();
    let signer = authority.signer("Direction territoriale SPECIMEN").unwrap();
    let office = Sealer::On(Office::new(signer, &SealOptions::default()).unwrap());
    let data = good("cai/minor-sixteen-with-representative.json");
    let document = SHOP.check(&data).unwrap();
    let pdf = SHOP.try_render(&document).unwrap();
    let sealed = office.seal(&pdf, &document, &SHOP.rulebook, at()).unwrap();
    let evidence = Evidence {
        agent: "Agent 12".to_owned(),
        interpreter: None,
        language: "ar".to_owned(),
        presented: Presented::Heard,
        device: "tablet-3".to_owned(),
        signed_at: at(),
        shown: sealed.hash(),
    };
    let act = Act::DeclaredUnable { evidence };
    let signed = office.sign(&sealed, "representative", &act, at()).unwrap();
    let mut trust = Trust::nobody();
    trust.add(authority.root().der()).unwrap();
    (sealed, signed, trust)
}

fn waiting(report: &Report) -> Vec<&str> {
    report.waiting.iter().map(|it| it.field.as_str()).collect()
}

#[test]
fn a_contract_is_valid_and_waits_for_whom_it_must() {
    let (sealed, signed, trust) = contract();
    let report = verify(sealed.bytes(), &trust, at());
    assert!(report.is_valid(), "{report:#?}");
    assert_eq!(waiting(&report), ["applicant", "representative", "authority"]);
    assert_eq!(report.standards, ["PDF/UA-1", "PDF/A-3a"]);
    assert_eq!(report.attachments.len(), 1);
    let report = verify(signed.bytes(), &trust, at());
    assert!(report.is_valid(), "{report:#?}");
    assert_eq!(waiting(&report), ["applicant", "authority"]);
    let [seal, person] = &report.signatures[..] else { panic!("{report:#?}") };
    assert_eq!((seal.kind, person.kind), (SignatureKind::Seal, SignatureKind::Signature));
    assert_eq!(person.level, Some(SignatureLevel::Basic));
    assert_eq!(person.evidence.as_ref().unwrap()["shown"], sealed.hash());
    assert!(person.locks.contains(&"representative".to_owned()));
}

#[test]
fn no_flipped_bit_of_a_contract_goes_unseen() {
    let (_, signed, trust) = contract();
    let mut dice = Dice::new(11);
    for _ in 0..count(40, 1000) {
        let mut bytes = signed.bytes().to_vec();
        let (place, bit) = (dice.below(bytes.len()), dice.below(8));
        bytes[place] ^= 1 << bit;
        let report = verify(&bytes, &trust, at());
        assert!(!report.is_valid(), "bit {bit} of byte {place}: {report:#?}");
    }
}
