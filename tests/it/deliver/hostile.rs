//! What an attacker would write into a form, on its way from the command line to a mail server: refused with its field,
//! or printed and mailed as the text that it is.

use std::io::Write;
use std::process::{Command, Stdio};

use mail_parser::{MessageParser, MimeHeaders};
use paraphe::store::DeliveryState::Accepted;
use serde_json::{Value, json};

use super::processes::{Worker, plain};
use super::server::{Fault, Kept, Server};
use super::worker::until_within;
use crate::database::{Place, on_both};
use crate::harness::paraphe;

on_both! { what_an_attacker_writes_is_refused_or_stays_text }

/// What a mail says, too.
const ROOM: &str = "/appointment/place/room";

/// Where it is written, and what. All of it fits a letter, so that nothing is refused for its length alone.
const INERT: [(&str, &str); 7] = [
    (ROOM, "{{ 7 * 7 }}{% for x in y %}"),
    ("/applicant/given_names", "{{ 7 * 7 }}{% for x in y %}"),
    ("/applicant/family_name", "<b onload=alert(1)>X</b>"),
    (ROOM, "\"><img src=x onerror=alert(1)>"),
    (ROOM, "x; filename=\"y.exe\""),
    ("/sender/name", "#eval(\"1\") \\u{41} $x$"),
    ("/sender/capacity", "=?utf-8?q?=0D=0ABcc:_x?="),
];

/// Where it is written, and what must be refused there.
const REFUSED: [(&str, &str); 14] = [
    ("/applicant/given_names", "Amina\r\nBcc: other@example.org"),
    ("/applicant/given_names", "Amina\u{0}"),
    ("/applicant/family_name", "SPECIMEN\u{202e}FDP"),
    ("/appointment/place/room", "Salle\r\n\r\n<html>"),
    ("/sender/name", "Camille\nX-Header: 1"),
    ("/reference", "CV-1\r\nSubject: other"),
    ("/reference", "../../../etc/passwd"),
    ("/reference", "CV\u{202e}fdp.exe"),
    ("/applicant/email", "a@example.org\r\nBcc: b@example.org"),
    ("/applicant/email", "a@example.org, b@example.org"),
    ("/applicant/email", "a@example.org> NOTIFY=NEVER"),
    ("/applicant/email", "a\u{0}@example.org"),
    ("/applicant/email", "a@exa\u{202e}mple.org"),
    ("/applicant/email", "\"a b\"@example.org"),
];

const LONG: [&str; 5] = [
    "/applicant/given_names",
    "/appointment/place/room",
    "/sender/name",
    "/reference",
    "/applicant/email",
];

async fn what_an_attacker_writes_is_refused_or_stays_text(place: Place) {
    let store = place.open().await;
    let server = Server::start(Fault::None).await;
    let settings = plain(&place, server.port);
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, format!("{text}[languages]\naccepted_drafts = [\"fr\", \"ar\"]\n"))
        .unwrap();
    let issue = |data: &Value| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_paraphe"));
        program.args(["issue", "-", "--config"]).arg(&settings);
        program.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut program = program.spawn().unwrap();
        program.stdin.take().unwrap().write_all(data.to_string().as_bytes()).unwrap();
        let output = program.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };

    let long = "x".repeat(10_000);
    let refused = REFUSED.into_iter().chain(LONG.map(|pointer| (pointer, long.as_str())));
    for (pointer, value) in refused {
        let (code, said) = issue(&letter(0, pointer, value));
        let told = format!("{pointer} = {:.40}: {code:?} {said:.400}", format!("{value:?}"));
        assert_eq!(code, Some(65), "{told}");
        assert!(said.contains(&format!("error at {pointer}")), "{told}");
        let control = |it: char| it.is_control() && it != '\n' || it == '\u{202e}';
        assert!(!said.contains(control), "a message that moves the terminal: {told}");
    }

    for (number, (pointer, value)) in INERT.into_iter().enumerate() {
        let (code, said) = issue(&letter(number, pointer, value));
        assert_eq!(code, Some(0), "{pointer} = {value}: {said}");
    }
    let _worker = Worker::start(&settings, &[]);
    until_within(&store, &[(Accepted, INERT.len())], 90).await;
    let mut kept = server.kept();
    kept.sort_by(|one, other| one.to.cmp(&other.to));
    for (number, (mail, (pointer, value))) in kept.iter().zip(INERT).enumerate() {
        let text = harmless(mail, number, value);
        assert!(pointer != ROOM || text.contains(value), "{value} is said as it is: {text}");
    }
    assert_eq!(kept.len(), INERT.len());
}

/// The example letter to person `number`, with one value changed.
fn letter(number: usize, pointer: &str, value: &str) -> Value {
    let example = paraphe(&["schema", "convocation", "--example"]).stdout;
    let mut data: Value = serde_json::from_slice(&example).unwrap();
    data["reference"] = json!(format!("CV-2026-069-{number:06}"));
    data["applicant"]["email"] = json!(format!("p{number}.specimen@example.org"));
    *data.pointer_mut(pointer).unwrap() = json!(value);
    data
}

/// The mail goes to its person alone; it has no header, part, tag or name but our own. Its text.
fn harmless(mail: &Kept, number: usize, value: &str) -> String {
    assert!(
        mail.to.starts_with(&format!("RCPT TO:<p{number}.specimen@example.org>")),
        "{}",
        mail.to
    );
    let message = MessageParser::default().parse(&mail.message).unwrap();
    for header in ["To", "From", "Subject", "Date", "Message-ID", "Reply-To"] {
        assert_eq!(
            message.headers().iter().filter(|it| it.name() == header).count(),
            1,
            "{header}: {value}"
        );
    }
    assert!(message.bcc().is_none() && message.cc().is_none(), "{value}");
    assert_eq!(message.to().unwrap().iter().count(), 1, "{value}");
    let names: Vec<_> = message.attachments().filter_map(|it| it.attachment_name()).collect();
    assert!(
        names.iter().all(|it| it.ends_with(".pdf") || it.ends_with(".ics")) && names.len() <= 3,
        "{value}: {names:?}"
    );
    let html = message.body_html(0).unwrap();
    let text = message.body_text(0).unwrap();
    for live in ["<script", "<img", "<b ", ">49<", "> 49"] {
        assert!(!html.contains(live), "{value}: {live}");
    }
    text.into_owned()
}
