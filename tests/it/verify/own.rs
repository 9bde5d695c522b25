//! What our own seal makes is valid, waits for whom it must, and bears no flipped bit.

use std::process::Command;

use paraphe::seal::verify::{Report, SignatureKind, SignatureLevel, Trust, Verdict, verify};
use paraphe::seal::{
    Act, Evidence, Office, Presented, SealOptions, SealedPdf, Sealer, TestAuthority,
};

use super::fuzz::Dice;
use crate::harness::{SHOP, at, count, good};

/// A contract sealed by the office and signed by the representative, and whom to trust.
pub(super) fn contract() -> (SealedPdf, SealedPdf, Trust) {
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

/// Somebody with a key can sign anything, also evidence that names another file: nobody is told that it is valid.
#[test]
fn evidence_of_something_else_is_refused() {
    let (sealed, signed, mut trust) = contract();
    let folder = tempfile::tempdir().unwrap();
    let openssl = |script: &str| {
        let mut bash = Command::new("bash");
        let output = bash.args(["-ec", script]).current_dir(&folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    openssl(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 20000 -subj /CN=Root \
            -addext keyUsage=critical,keyCertSign -keyout root.key -out root.crt
         openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=Forger -keyout key -out csr
         printf 'keyUsage = critical, digitalSignature, nonRepudiation' > ext
         openssl x509 -req -in csr -CA root.crt -CAkey root.key -CAcreateserial -days 20000 -extfile ext -out crt",
    );
    trust.add(&std::fs::read(folder.path().join("root.crt")).unwrap()).unwrap();
    let moment = chrono::Utc::now;
    let forged = |shown: &str| {
        assert_eq!(shown.len(), sealed.hash().len());
        let mut file = signed.bytes().to_vec();
        let place = file.windows(64).rposition(|it| it == sealed.hash().as_bytes()).unwrap();
        file[place..place + 64].copy_from_slice(shown.as_bytes());
        let start = file.windows(11).rposition(|it| it == b"/Contents <").unwrap() + 11;
        let end = start + file[start..].iter().position(|it| *it == b'>').unwrap();
        std::fs::write(
            folder.path().join("parts"),
            [&file[..start - 1], &file[end + 1..]].concat(),
        )
        .unwrap();
        openssl(
            "openssl cms -sign -cades -binary -md sha256 -in parts -signer crt -inkey key -certfile root.crt \
                -nosmimecap -outform DER -out cms",
        );
        let cms = std::fs::read(folder.path().join("cms")).unwrap();
        let hex: String = cms.iter().map(|it| format!("{it:02x}")).collect();
        file[start..end].fill(b'0');
        file[start..start + hex.len()].copy_from_slice(hex.as_bytes());
        verify(&file, &trust, moment())
    };
    let true_one = forged(&sealed.hash());
    assert!(true_one.signatures[1].problems.is_empty(), "{:#?}", true_one.signatures[1]);
    let report = forged(&signed.hash());
    assert_eq!(report.verdict, Verdict::NotValid);
    let codes: Vec<_> = report.signatures[1].problems.iter().map(|it| it.code).collect();
    assert_eq!(codes, ["evidence.shown"]);
}
