//! A message is its document: the same facts, French first, nothing that tells health or status early.

use mail_parser::{MessageParser, MimeHeaders};
use paraphe::assets::Assets;
use paraphe::deliver::{Dispatch, Enclosure, Mail, MailOptions, Mailer, address};
use paraphe::document::Document;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{SHOP, at, good, letter};

pub(super) const ID: Uuid = Uuid::from_u128(0x0195_5555_0000_7000_8000_0000_0000_002a);
pub(super) const FILE: &[u8] = b"%PDF-1.7\n% stands for a sealed letter\n%%EOF\n";

pub(super) fn mailer() -> Mailer {
    Mailer::new(&Assets::embedded(), MailOptions::default()).unwrap()
}

pub(super) fn dispatch() -> Dispatch<'static> {
    let recipient = "amina.specimen@example.org";
    Dispatch { id: ID, recipient, first: "CV-1", sequence: 0, earlier: &[], test: false }
}

pub(super) fn compose(data: &Value, enclosure: Enclosure<'_>, dispatch: &Dispatch<'_>) -> Mail {
    let document = check(data);
    mailer().compose(&document, &SHOP.rulebook, enclosure, dispatch, at()).unwrap()
}

fn check(data: &Value) -> Document {
    SHOP.check(data).unwrap_or_else(|it| panic!("{it:#?}"))
}

fn mail(data: &Value) -> Mail {
    compose(data, Enclosure::Attached(FILE), &dispatch())
}

/// Text and HTML of a message.
fn bodies(mail: &Mail) -> (String, String) {
    let message = MessageParser::default().parse(&mail.bytes).unwrap();
    let plain = |text: &str| text.replace(['\u{a0}', '\u{202f}'], " ").replace("\r\n", "\n");
    (plain(&message.body_text(0).unwrap()), plain(&message.body_html(0).unwrap()))
}

/// A letter that cancels, or tells of an absence.
fn notice(name: &str) -> Value {
    let mut data = letter("ar");
    data["notice"] = name.into();
    data["replaces"] = json!({ "reference": "CV-0", "date": "2026-02-02" });
    if name == "missed" {
        data["appointment"]["sessions"][0]["date"] = "2026-02-24".into();
    }
    data
}

#[test]
fn whole_messages_stay_as_they_are() {
    for (name, data) in [
        ("fr", letter("fr")),
        ("ar", letter("ar")),
        ("zh-Hans", letter("zh-Hans")),
        ("cancelled", notice("cancelled")),
        ("contract", good_contract()),
    ] {
        let text = String::from_utf8(mail(&data).bytes).unwrap();
        insta::with_settings!({ snapshot_path => "../../snapshots/mail", prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name, text);
        });
    }
}

pub(super) fn good_contract() -> Value {
    let name = crate::harness::fixtures("good").into_keys().find(|it| it.starts_with("cai/"));
    good(&name.unwrap())
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let data = letter("ar");
    assert_eq!(mail(&data), mail(&data));
    let other = Dispatch { id: Uuid::from_u128(1), ..dispatch() };
    assert_ne!(mail(&data).bytes, compose(&data, Enclosure::Attached(FILE), &other).bytes);
}

#[test]
fn lines_are_short_and_all_is_ascii() {
    for language in ["fr", "ar", "zh-Hans", "am", "ta"] {
        let bytes = mail(&letter(language)).bytes;
        assert!(bytes.is_ascii(), "{language}");
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.ends_with("\r\n") && !text.replace("\r\n", "").contains(['\r', '\n']));
        let longest = text.lines().map(str::len).max().unwrap();
        assert!(longest <= 120, "{language}: a line of {longest}");
    }
}

#[test]
fn the_person_reads_french_first_then_their_language() {
    let (text, html) = bodies(&mail(&letter("ar")));
    for body in [&text, &html] {
        let french = body.find("Si vous ne pouvez pas venir").unwrap();
        let words = SHOP.rulebook.catalogue("ar").message("unable.title").text();
        assert!(body.find(&words).unwrap() > french);
    }
    assert!(html.contains("lang=\"ar\" dir=\"rtl\""));
    // A telephone number in an Arabic sentence stays in order.
    assert!(text.contains("\u{2066}04 65 71 00 00\u{2069}"), "{text}");
    assert!(html.contains("<bdi dir=\"ltr\" style=\"white-space: nowrap;\">04 65 71 00 00</bdi>"));
}

#[test]
fn text_and_html_say_the_same() {
    for data in [letter("fr"), letter("ar"), notice("cancelled"), notice("missed"), good_contract()]
    {
        let (text, html) = bodies(&mail(&data));
        let words = |text: &str| -> Vec<String> {
            let plain: String =
                text.chars().filter(|c| !matches!(c, '\u{2066}' | '\u{2069}')).collect();
            let mut words: Vec<_> = plain
                .split(|c: char| c.is_whitespace() || matches!(c, '-' | '—'))
                .filter(|it| !it.is_empty())
                .map(str::to_owned)
                .collect();
            words.sort();
            words.dedup();
            words
        };
        let body = html.split_once("</div>").unwrap().1;
        let mut plain = String::new();
        let mut inside = true;
        for c in body.chars() {
            match c {
                '<' => inside = false,
                '>' => {
                    inside = true;
                    plain.push(' ');
                }
                c if inside => plain.push(c),
                _ => {}
            }
        }
        let plain = plain.replace("&amp;", "&").replace("&#39;", "'").replace("&quot;", "\"");
        let (mut seen, mut said) = (words(&plain), words(&text));
        // A tag may stand between a word and its full stop.
        let trim = |list: &mut Vec<String>| {
            list.iter_mut().for_each(|it| {
                *it = it.trim_matches(['.', ',', '،', '。', ':', '(', ')', '：']).to_owned()
            });
            list.sort();
            list.dedup();
            list.retain(|it| !it.is_empty());
        };
        trim(&mut seen);
        trim(&mut said);
        assert_eq!(seen, said);
    }
}

#[test]
fn neither_subject_nor_first_lines_tell_health_or_status() {
    for name in ["first", "reminder", "moved", "cancelled", "missed"] {
        let mut data = if name == "first" { letter("ar") } else { notice(name) };
        data["language"] = "en".into();
        let mail = mail(&data);
        let message = MessageParser::default().parse(&mail.bytes).unwrap();
        let subject = message.subject().unwrap().to_owned();
        let (text, html) = bodies(&mail);
        let preview = html.split("<div").nth(1).unwrap().split("</div>").next().unwrap().to_owned();
        let first: String = text.lines().take(8).collect();
        for said in [&subject, &preview, &first] {
            for word in ["édical", "edical", "réfugi", "asile", "apatrid"] {
                assert!(!said.contains(word), "{name}: « {said} »");
            }
        }
        assert!(subject.contains("OFII") && subject.contains("CV-"), "{subject}");
    }
}

#[test]
fn the_mail_alone_suffices() {
    let (text, html) = bodies(&mail(&letter("fr")));
    for word in
        ["9 h 30", "mardi 24 mars 2026", "Apportez", "Votre carnet de vaccination", "avant le"]
    {
        assert!(text.contains(word) && html.contains(word), "{word}:\n{text}");
    }
    assert!(html.contains("href=\"tel:0465710000\""), "{html}");
    assert!(html.contains("href=\"mailto:"), "{html}");
    assert!(html.contains("?subject=CV-"), "{html}");
    assert!(!html.contains("geo:"), "the office has no coordinates");
    assert!(!html.contains("<img") && !html.contains("http"), "nothing is fetched");
    let mut data = letter("fr");
    data["step"] = "civic_training".into();
    data["appointment"]["place"] = json!({ "centre": "specimen-part-dieu" });
    let (_, html) = bodies(&mail(&data));
    assert!(html.contains("href=\"geo:45.760000,4.860000?q=3%20rue"), "{html}");
}

#[test]
fn a_link_takes_the_place_of_the_file() {
    let link = "https://lettres.example.org/d/abc";
    let enclosure = Enclosure::Link { url: link, until: "2026-04-01".parse().unwrap() };
    let mail = compose(&letter("ar"), enclosure, &dispatch());
    let message = MessageParser::default().parse(&mail.bytes).unwrap();
    let names: Vec<_> = message.attachments().filter_map(|it| it.attachment_name()).collect();
    assert_eq!(names.len(), 1, "{names:?}");
    assert!(names[0].ends_with(".ics"));
    let (text, html) = bodies(&mail);
    assert!(text.contains(link) && html.contains(&format!("<a href=\"{link}\">")), "{text}");
    assert!(text.contains("1er avril 2026"));
}

#[test]
fn a_moved_appointment_keeps_its_entry_and_a_cancelled_one_takes_it_away() {
    let calendar = |data: &Value, sequence| {
        let dispatch = Dispatch { sequence, ..dispatch() };
        let mail = compose(data, Enclosure::Attached(FILE), &dispatch);
        let message = MessageParser::default().parse(&mail.bytes).unwrap();
        let part = message
            .attachments()
            .find(|it| it.attachment_name().is_some_and(|name| name.ends_with(".ics")));
        part.map(|it| it.text_contents().unwrap().replace("\r\n ", ""))
    };
    let first = calendar(&letter("ar"), 0).unwrap();
    for line in
        ["METHOD:PUBLISH", "UID:CV-1-1@example.org", "SEQUENCE:0", "DTSTART:20260324T083000Z"]
    {
        assert!(first.contains(line), "{line}:\n{first}");
    }
    let mut moved = notice("moved");
    moved["appointment"]["sessions"][0]["date"] = "2026-03-30".into();
    let moved = calendar(&moved, 1).unwrap();
    // Summer time began the day before.
    for line in
        ["METHOD:PUBLISH", "UID:CV-1-1@example.org", "SEQUENCE:1", "DTSTART:20260330T073000Z"]
    {
        assert!(moved.contains(line), "{line}:\n{moved}");
    }
    let cancelled = calendar(&notice("cancelled"), 2).unwrap();
    for line in ["METHOD:CANCEL", "UID:CV-1-1@example.org", "SEQUENCE:2", "STATUS:CANCELLED"] {
        assert!(cancelled.contains(line), "{line}:\n{cancelled}");
    }
    assert_eq!(calendar(&notice("missed"), 0), None);
    assert_eq!(calendar(&good_contract(), 0), None);
    assert!(!first.contains("édical") && !first.contains("الطبي"), "{first}");
}

#[test]
fn sessions_that_a_later_letter_has_no_more_are_taken_away() {
    let day = |day: u32| {
        let at = |hour: u32| format!("2026-04-{day:02}T{hour:02}:00:00Z").parse().unwrap();
        (at(8), at(10))
    };
    let earlier = [day(1), day(2), day(3)];
    let calendar = |data: &Value| {
        let dispatch = Dispatch { sequence: 1, earlier: &earlier, ..dispatch() };
        let mail = compose(data, Enclosure::Attached(FILE), &dispatch);
        let message = MessageParser::default().parse(&mail.bytes).unwrap();
        let mut parts = message.attachments();
        let part = parts.find(|it| it.attachment_name().is_some_and(|it| it.ends_with(".ics")));
        let text = part.unwrap().text_contents().unwrap().replace("\r\n ", "");
        let told = ["METHOD:", "UID:", "DTSTART:", "STATUS:"];
        let told = |line: &&str| told.iter().any(|it| line.starts_with(it));
        text.lines().filter(told).map(str::to_owned).collect::<Vec<_>>()
    };
    let [second, third] = ["UID:CV-1-2@example.org", "UID:CV-1-3@example.org"];
    let gone = |uid, start| [uid, start, "STATUS:CANCELLED"];
    let gone = [gone(second, "DTSTART:20260402T080000Z"), gone(third, "DTSTART:20260403T080000Z")];
    let moved = calendar(&notice("moved"));
    assert_eq!(moved[..2], ["METHOD:PUBLISH", "UID:CV-1-1@example.org"]);
    assert_eq!(moved[3], "STATUS:CONFIRMED");
    assert_eq!(moved[4..], gone.concat());
    let cancelled = calendar(&notice("cancelled"));
    assert_eq!(cancelled[0], "METHOD:PUBLISH", "several events in one object");
    assert_eq!(cancelled[3], "STATUS:CANCELLED");
    assert_eq!(cancelled[4..], gone.concat());
}

#[test]
fn what_hides_in_the_data_stays_inert() {
    let mut data = letter("fr");
    for payload in [
        "{{ 7 * 7 }}{% for x in y %}",
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "=?utf-8?q?=0D=0ABcc:_x?=",
        "x; filename=\"y.exe\"",
    ] {
        data["appointment"]["place"] =
            json!({ "room": payload.chars().take(40).collect::<String>() });
        let bytes = mail(&data).bytes;
        let message = MessageParser::default().parse(&bytes).unwrap();
        assert!(message.bcc().is_none());
        let html = message.body_html(0).unwrap();
        assert!(!html.contains("<script") && !html.contains("<img") && !html.contains(">49<"));
        let text = message.body_text(0).unwrap();
        let kept: String = payload.chars().take(20).collect();
        assert!(text.contains(kept.trim_end()), "{payload}");
    }
}

#[test]
fn addresses_are_read_as_people_write_them() {
    for (written, read) in [
        (" Amina.Specimen@example.org ", "Amina.Specimen@example.org"),
        ("a+b@sub.example.org", "a+b@sub.example.org"),
        ("amina@bücher.example", "amina@xn--bcher-kva.example"),
        ("قدير@مثال.إختبار", "قدير@xn--mgbh0fb.xn--kgbechtv"),
        ("o'neil@example.org", "o'neil@example.org"),
    ] {
        assert_eq!(address::parse(written).unwrap().to_string(), read);
    }
    for hostile in [
        "a@b",
        "a@@example.org",
        "a@exa mple.org",
        "a\u{200f}@example.org",
        "a@-x.org",
        "\"a b\"@example.org",
    ] {
        assert!(address::parse(hostile).is_err(), "{hostile}");
    }
}
