//! What goes wrong when files are sealed and signed: each fault a clear error, and whose turn it is.

use paraphe::class::Class;
use paraphe::seal::{
    Act, Level, Office, SealError, SealOptions, SealedPdf, Sealer, Signer, Strokes,
};

use super::{
    AUTHORITY, by_certificate, by_hand, contract, evidence, office, prefect, sealed, strokes,
};
use crate::harness::{at, good};

fn refused(result: Result<SealedPdf, SealError>) -> (String, Class) {
    let error = result.expect_err("refused");
    (error.to_string(), error.class())
}

#[test]
fn a_wrong_field_says_whose_turn_it_is() {
    let office = office();
    let file = sealed(&contract(), &office);
    let (text, class) = refused(office.sign(&file, "spouse", &by_hand(&file), at()));
    assert_eq!(text, "there is no field `spouse`; it is the turn of `applicant`, `representative`");
    assert_eq!(class, Class::Caller);
    let file = office.sign(&file, "applicant", &by_hand(&file), at()).unwrap();
    let (text, class) = refused(office.sign(&file, "applicant", &by_hand(&file), at()));
    assert_eq!(text, "`applicant` is already signed; it is the turn of `representative`");
    assert_eq!(class, Class::Caller);
    let (text, _) =
        refused(office.sign(&file, "authority", &by_certificate(&file, &prefect()), at()));
    assert_eq!(text, "`authority` signs last; it is the turn of `representative`");
    let file = office.sign(&file, "representative", &by_hand(&file), at()).unwrap();
    let (text, _) = refused(office.sign(&file, "authority", &by_hand(&file), at()));
    assert_eq!(text, "`authority` signs by certificate; it is the turn of `authority`");
}

#[test]
fn what_was_shown_is_what_is_signed() {
    let office = office();
    let file = sealed(&contract(), &office);
    let act = by_hand(&file);
    let file = office.sign(&file, "representative", &act, at()).unwrap();
    let error = office.sign(&file, "applicant", &act, at()).unwrap_err();
    assert!(matches!(error, SealError::Stale), "{error}");
    assert!(error.to_string().contains("present"), "{error}");
    assert_eq!(error.class(), Class::Caller);
    let signer = prefect();
    let shown = evidence(&sealed(&good("cai/with-escapes.json"), &office)).shown;
    let other = Act::Certificate { signer, shown };
    let (text, class) = refused(office.sign(&file, "applicant", &other, at()));
    assert_eq!((text, class), (error.to_string(), Class::Caller));
}

#[test]
fn nobody_signs_below_a_change() {
    let office = office();
    let file = sealed(&contract(), &office);
    let mut flipped = file.bytes().to_vec();
    let content = flipped.windows(6).position(|it| it == b"stream").unwrap() + 40;
    flipped[content] ^= 1;
    // More at the end: a page loses its content. And harmless: a comment behind the end.
    let appended = |more: &str| [file.bytes(), more.as_bytes()].concat();
    for changed in [flipped, rewritten(&file), appended("% one more line\n")] {
        let Ok(changed) = SealedPdf::read(changed) else { continue };
        let (text, class) = refused(office.sign(&changed, "applicant", &by_hand(&changed), at()));
        assert!(text.starts_with("the file was changed under the signature `seal`"), "{text}");
        assert_eq!(class, Class::Caller);
        assert!(office.extend(&changed, Level::BaselineT, at()).is_err());
    }
}

/// The file with an update after the seal that takes the content of a page away.
fn rewritten(file: &SealedPdf) -> Vec<u8> {
    let read = lopdf::Document::load_mem(file.bytes()).unwrap();
    let mut document = lopdf::IncrementalDocument::create_from(file.bytes().to_vec(), read);
    let page = document.get_prev_documents().page_iter().next().unwrap();
    document.opt_clone_object_to_new_document(page).unwrap();
    let dictionary = document.new_document.get_dictionary_mut(page).unwrap();
    dictionary.remove(b"Contents");
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_delegation_covers_its_last_day_in_the_time_of_the_office() {
    let data = good("cai/delegation-ends-on-the-day-of-signing.json");
    let office = office();
    let file = sealed(&data, &office);
    let file = office.sign(&file, "applicant", &by_hand(&file), at()).unwrap();
    let act = by_certificate(&file, &prefect());
    let sign = |moment: &str| office.sign(&file, "authority", &act, moment.parse().unwrap());
    assert!(sign("2026-03-03T23:59:59+01:00").is_ok());
    let (text, class) = refused(sign("2026-03-04T00:00:00+01:00"));
    assert!(text.starts_with("on 2026-03-04 the delegation arrêté"), "{text}");
    assert!(text.ends_with("until 2026-03-03)"), "{text}");
    assert_eq!(class, Class::Caller);
}

#[test]
fn strokes_that_are_none_are_refused() {
    let office = office();
    let file = sealed(&contract(), &office);
    let good = strokes();
    let faulty = [
        Strokes { lines: vec![], ..good.clone() },
        Strokes { lines: vec![vec![[1.0, 1.0]]], ..good.clone() },
        Strokes { lines: vec![vec![[1.0, 1.0], [301.0, 1.0]]], ..good.clone() },
        Strokes { lines: vec![vec![[f32::NAN, 1.0], [3.0, 1.0]]], ..good.clone() },
        Strokes { width: 0.0, ..good.clone() },
        Strokes { height: f32::INFINITY, ..good.clone() },
        Strokes {
            lines: vec![(0..9000_u16).map(|i| [f32::from(i % 2) * 300.0, 60.0]).collect()],
            ..good
        },
    ];
    for strokes in faulty {
        let act = Act::Strokes { strokes, evidence: evidence(&file) };
        let error = office.sign(&file, "applicant", &act, at()).unwrap_err();
        assert!(matches!(error, SealError::Strokes(_)), "{error}");
    }
}

#[test]
fn what_is_no_file_of_ours_is_refused() {
    let file = sealed(&contract(), &office());
    let bytes = file.bytes();
    let read = |bytes: &[u8]| SealedPdf::read(bytes.to_vec());
    assert!(matches!(read(b"GIF89a"), Err(SealError::NotPdf)));
    assert!(matches!(read(b""), Err(SealError::NotPdf)));
    for end in [10, 1000, bytes.len() / 2, bytes.len() - 200] {
        let error = read(&bytes[..end]).unwrap_err();
        assert_eq!(error.class(), Class::Caller, "{end}: {error}");
    }
    assert!(matches!(office().seal_file(&file, at()), Err(SealError::AlreadySealed)));
}

#[test]
fn a_key_is_needed_and_it_must_hold_today() {
    let off = Sealer::Off;
    let file = sealed(&contract(), &off);
    assert!(matches!(
        off.sign(&file, "applicant", &by_hand(&file), at()),
        Err(SealError::NoSigner)
    ));
    assert!(matches!(off.seal_file(&file, at()), Err(SealError::NoSigner)));
    let days = |days: i64| at() + chrono::TimeDelta::days(days);
    let office = |from: i64, until: i64| {
        let signer = AUTHORITY.signer_for("Office", days(from), days(until)).unwrap();
        Sealer::On(Office::new(signer, &SealOptions::default()).unwrap())
    };
    let (text, class) = refused(office(1, 400).seal_file(&file, at()));
    assert!(text.contains("is not valid before 2026-03-03"), "{text}");
    assert_eq!(class, Class::Caller);
    let (text, class) = refused(office(-400, -1).seal_file(&file, at()));
    assert!(text.contains("has expired at 2026-03-01"), "{text}");
    assert_eq!(class, Class::Caller);
    let warned = |until| office(-400, until).seal_file(&file, at()).unwrap().expiring().len();
    assert_eq!((warned(59), warned(61)), (1, 0));
    assert!(matches!(
        office(-1, 400).extend(&file, Level::BaselineT, at()),
        Err(SealError::Unsigned)
    ));
}

#[test]
fn a_person_may_sign_without_a_key_of_the_office() {
    let file = sealed(&contract(), &Sealer::Off);
    let signer: std::sync::Arc<dyn Signer> = AUTHORITY.signer("Halima SPECIMEN").unwrap();
    let file = Sealer::Off.sign(&file, "applicant", &by_certificate(&file, &signer), at()).unwrap();
    assert_eq!(file.level(), Level::BaselineB);
}
