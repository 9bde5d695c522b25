//! Signed messages for readers that are not ours: `tests/judges/mail.py` and `node/mail.mjs` judge the folder
//! that this writes.

use std::path::Path;
use std::process::Command;

use paraphe::deliver::{Dkim, DkimError, DkimOptions, Enclosure};
use paraphe::secret::Secret;
use serde_json::json;

use super::compose::{FILE, compose, dispatch, good_contract};
use crate::harness::letter;

/// A private RSA key of some length, PEM.
fn key(bits: &str) -> Vec<u8> {
    let output = Command::new("openssl").args(["genrsa", bits]).output().unwrap();
    assert!(output.status.success());
    output.stdout
}

fn options(key: Vec<u8>) -> DkimOptions {
    let (domain, selector) = ("example.org".into(), "paraphe".into());
    DkimOptions { domain, selector, key: Some(Secret::new(key)) }
}

#[test]
fn signed_messages_are_written_for_the_judges() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mail");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let key = key("2048");
    std::fs::write(folder.join("key.pem"), &key).unwrap();
    let public = Command::new("bash")
        .args(["-c", "openssl rsa -in key.pem -pubout -outform DER | base64 -w0"])
        .current_dir(&folder)
        .output()
        .unwrap();
    let record = format!("v=DKIM1; k=rsa; p={}", String::from_utf8(public.stdout).unwrap());
    std::fs::write(folder.join("dkim.txt"), record).unwrap();
    let dkim = Dkim::new(&options(key)).unwrap();
    for (name, data, file) in [
        ("latin", letter("fr"), "convocation-CV-2026-069-004211-fr"),
        ("right-to-left", letter("ar"), "convocation-CV-2026-069-004211-ar"),
        ("chinese", letter("zh-Hans"), "convocation-CV-2026-069-004211-zh-Hans"),
        ("contract", good_contract(), ""),
    ] {
        let mail = compose(&data, Enclosure::Attached(FILE), &dispatch());
        let header = dkim.header(&mail.bytes).unwrap();
        assert_eq!(
            header,
            dkim.header(&mail.bytes).unwrap(),
            "the same message, the same signature"
        );
        let signed = [header.as_bytes(), &mail.bytes].concat();
        std::fs::write(folder.join(format!("{name}.eml")), signed).unwrap();
        let letter = !file.is_empty();
        let expected = json!({
            "to": "amina.specimen@example.org",
            "message_id": mail.message_id,
            "reference": data["reference"],
            "language": data["language"],
            "file": FILE.iter().map(|it| char::from(*it)).collect::<String>(),
            "stem": if letter { json!(file) } else { json!(format!("contrat-{}-{}", data["reference"].as_str().unwrap(), data["language"].as_str().unwrap())) },
            "events": if letter { json!([{ "uid": "CV-1-1@example.org", "start": "2026-03-24T08:30:00Z", "end": "2026-03-24T10:30:00Z" }]) } else { json!([]) },
        });
        std::fs::write(folder.join(format!("{name}.json")), expected.to_string()).unwrap();
    }
}

/// The example of RFC 6376, 3.4.5, with what relays do to a body and what they must not do.
#[test]
fn blanks_that_relays_change_do_not_change_the_hash_of_a_body() {
    let dkim = Dkim::new(&options(key("2048"))).unwrap();
    let hash = |body: &str| {
        let message = format!("From: a@example.org\r\n\r\n{body}");
        let header = dkim.header(message.as_bytes()).unwrap();
        header.split_once("bh=").unwrap().1.split_once(';').unwrap().0.to_owned()
    };
    // SHA-256 of " C\r\nD E\r\n", by another program.
    let relaxed = "unak6JHq0wL+Q1HP7dW1tjBx9FLA6DffoZ0qrLwbbpo=";
    for body in
        [" C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n", "\tC\r\nD\tE \t\r\n \r\n", " C\r\nD E"]
    {
        assert_eq!(hash(body), relaxed, "{body:?}");
    }
    for body in ["C\r\nD E\r\n", " C\r\n\r\nD E\r\n", " C\r\nDE\r\n", " C\nD E\r\n", ""] {
        assert_ne!(hash(body), relaxed, "{body:?}");
    }
    let long = "QUJD".repeat(19) + "\r\n";
    assert_eq!(hash(&long.repeat(2_000)), hash(&(long.repeat(2_000) + " \t\r\n\r\n")));
    assert_ne!(hash(&long.repeat(2_000)), hash(&long.repeat(1_999)));
}

#[test]
fn keys_that_verifiers_refuse_are_refused() {
    for (key, error) in [
        (key("1024"), DkimError::Short),
        (
            b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_vec(),
            DkimError::Key,
        ),
        (b"nothing".to_vec(), DkimError::Key),
    ] {
        assert_eq!(Dkim::new(&options(key)).unwrap_err(), error);
    }
}
