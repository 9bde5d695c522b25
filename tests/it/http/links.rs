//! Mails that bring a link in place of the file, and recipients that play their part.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use chrono::{DateTime, TimeDelta, Utc};
use paraphe::config::{Config, LinkSection, LinkedKind, MailSection, Mode, Security, SmtpSection};
use paraphe::store::{DeliveryFilter, Page, Role, Scope};
use serde_json::json;

use super::desk::Desk;
use super::server::{Answer, Server, ask};
use crate::harness::{at, letter};

/// A service that mails links to letters; where they lead is the public listener.
fn linking() -> Server {
    let link = LinkSection {
        address: "https://documents.example.org/d/".to_owned(),
        kinds: vec![LinkedKind::Convocation],
        days: Some(10),
    };
    let mail = MailSection { link: Some(link), ..MailSection::default() };
    Server::of(Config { mail, ..Config::default() })
}

/// The code in the mail, which brings no file.
fn code(server: &Server) -> String {
    let mail = std::fs::read(&server.mails(1)[0]).unwrap();
    assert!(!String::from_utf8_lossy(&mail).contains("application/pdf"), "no file goes along");
    let mail = mail_parser::MessageParser::default().parse(&mail).unwrap();
    let text = mail.body_text(0).unwrap().into_owned();
    let code = text.split("https://documents.example.org/d/").nth(1).unwrap();
    code.chars().take_while(char::is_ascii_hexdigit).collect()
}

fn open(server: &Server, code: &str, reference: &str, birth: &str) -> Answer {
    let body = format!("reference={reference}&birth={birth}");
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let url = format!("{}/d/{code}?lang=ar", server.public);
    ask("POST", &url, &[kind].into(), body.as_bytes())
}

#[test]
fn a_link_opens_with_reference_and_birth_a_few_times_and_until_its_day() {
    let server = linking();
    let receipt = server.issue(&letter("ar"));
    let reference = letter("ar")["reference"].as_str().unwrap().to_owned();
    let code = code(&server);
    assert_eq!(code.len(), 64);
    // The page tells nothing before, not even whether there is something.
    let page = |code: &str| {
        let url = format!("{}/d/{code}", server.public);
        ask("GET", &url, &[("accept-language", "ar")].into(), b"").expect(200).text()
    };
    let none = "0".repeat(64);
    assert_eq!(page(&code).replace(&code, &none), page(&none));
    assert!(page(&code).contains("dir=\"rtl\"") && !page(&code).contains("<script"));
    let right = open(&server, &code, &reference, "17%2F04%2F1992").expect(200);
    assert!(right.body.starts_with(b"%PDF-"));
    // As people write: digits of their own script, small letters, spaces.
    let small = format!("+{}+", reference.to_lowercase());
    let arabic = "%D9%A1%D9%A7%2F%D9%A0%D9%A4%2F%D9%A1%D9%A9%D9%A9%D9%A2";
    assert_eq!(open(&server, &code, &small, arabic).status, 200);
    let wrong = |reference: &str, birth: &str| {
        let answer = open(&server, &code, reference, birth);
        assert_eq!(answer.status, 422);
        assert!(answer.text().contains("role=\"alert\""));
        answer.text()
    };
    for _ in 0..4 {
        wrong(&reference, "1992-04-18");
    }
    let last = wrong("CV-1", "1992-04-17");
    let spent = wrong(&reference, "1992-04-17");
    assert_ne!(last, spent, "the link is closed now, for the right answer too");
    // An agent opens it again; another office cannot.
    let delivery = receipt["deliveries"][0].as_str().unwrap();
    let path = format!("/envois/{delivery}");
    let lyon = Desk::enter(&server, Role::Agent, Some(&["lyon"]));
    lyon.send(&path, &[("decision", "reopen")]).expect(404);
    let desk = Desk::enter(&server, Role::Agent, None);
    assert!(desk.get(&path).expect(200).text().contains("il n’ouvre plus rien"));
    assert_eq!(desk.send(&path, &[("decision", "reopen")]).status, 303);
    assert_eq!(open(&server, &code, &reference, "17.4.1992").status, 200);
    // Its time passes: the store is asked as of the day before and the day after its last.
    let store = server.service.pipeline().store.clone();
    let state = |at: DateTime<Utc>| {
        let scope = Scope::all("test");
        let link = store.link(&scope, delivery.parse().unwrap(), at);
        server.runtime.block_on(link).unwrap().unwrap().opens
    };
    assert!(state(at() + TimeDelta::days(10)));
    assert!(!state(at() + TimeDelta::days(12)));
    let late = store.try_link(&code, at() + TimeDelta::days(12));
    assert_eq!(server.runtime.block_on(late).unwrap(), None);
    let history = server.get(&format!("/v1/documents/{}/history", receipt["id"].as_str().unwrap()));
    assert_eq!(history.expect(200).text().matches("link_opened").count(), 3);
}

#[test]
fn wrong_links_lock_the_address_out() {
    let server = linking();
    for _ in 0..10 {
        assert_eq!(open(&server, &"1".repeat(64), "CV-1", "1992").status, 422);
    }
    open(&server, &"1".repeat(64), "CV-1", "1992").expect(429);
}

#[test]
fn recipients_of_tests_play_refusal_bounce_delay_and_doubt() {
    let server = Server::start();
    let parts =
        [("refused", "failed"), ("bounce", "bounced"), ("delay", "ready"), ("doubt", "in_doubt")];
    for (number, (name, _)) in parts.iter().enumerate() {
        let mut data = letter("fr");
        data["reference"] = format!("CV-2026-069-60000{number}").into();
        data["applicant"]["email"] = format!("{name}@simulator.example").into();
        server.issue(&data);
    }
    server.issue(&letter("fr"));
    let store = &server.service.pipeline().store;
    let (all, scope) = (DeliveryFilter::default(), Scope::all("test"));
    let found = || {
        let mails = store.deliveries(&scope, &all, Page::default());
        let mails = server.runtime.block_on(mails).unwrap();
        mails
            .into_iter()
            .map(|it| (it.recipient.unwrap(), it.state.as_str(), it.attempts))
            .collect::<Vec<_>>()
    };
    let settled = |name: &str, state: &str| {
        found().iter().any(|it| it.0.starts_with(name) && it.1 == state && it.2 == 1)
    };
    for (name, state) in parts.into_iter().chain([("amina", "accepted")]) {
        for _ in 0..300 {
            if settled(name, state) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert!(settled(name, state), "{name}: {:?}", found());
    }
    let about = server.get("/openapi.json").expect(200).json()["info"]["description"].clone();
    for (name, _) in parts {
        assert!(about.as_str().unwrap().contains(&format!("{name}@simulator.example")));
    }
}

#[test]
fn readiness_is_red_while_no_mail_can_leave() {
    let ready = |config: Config| {
        let server = Server::of(config);
        let answer = server.call("GET", "/ready", &[("authorization", "")], b"");
        (answer.status, answer.json()["mail"].clone(), answer.json()["certificate"].clone())
    };
    let ok = json!("ok");
    assert_eq!(ready(Config::default()), (200, ok.clone(), ok.clone()));
    // A folder in whose place a file stands takes no mail.
    let taken = tempfile::NamedTempFile::new().unwrap();
    let mail = MailSection { folder: Some(taken.path().to_owned()), ..MailSection::default() };
    assert_eq!(ready(Config { mail, ..Config::default() }), (503, json!("fails"), ok.clone()));
    // A mail server that is down, and one that greets.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let smtp = SmtpSection {
        host: "127.0.0.1".to_owned(),
        port: Some(port),
        security: Security::None,
        user: None,
        password_file: None,
        ca_file: None,
        hello: None,
        return_path: None,
        connections: None,
        timeout_seconds: Some(2),
    };
    let mail = MailSection { smtp: Some(smtp), ..MailSection::default() };
    let config = Config { mode: Mode::Production, mail, ..Config::default() };
    let greeter = std::thread::spawn(move || {
        let (mut line, _) = listener.accept().unwrap();
        let mut said = BufReader::new(line.try_clone().unwrap()).lines();
        line.write_all(b"220 here\r\n").unwrap();
        assert!(said.next().unwrap().unwrap().starts_with("EHLO"));
        line.write_all(b"250 here\r\n").unwrap();
        assert_eq!(said.next().unwrap().unwrap(), "QUIT");
        line.write_all(b"221 bye\r\n").unwrap();
    });
    assert_eq!(ready(config.clone()), (200, ok.clone(), ok.clone()));
    greeter.join().unwrap();
    assert_eq!(ready(config), (503, json!("fails"), ok));
}

#[test]
fn lists_are_cut_by_date() {
    let server = Server::start();
    server.issue(&letter("fr"));
    let count = |path: &str| server.get(path).expect(200).json()["items"].as_array().unwrap().len();
    for list in ["documents", "deliveries"] {
        assert_eq!(count(&format!("/v1/{list}?since=2026-03-02T00:00:00Z")), 1, "{list}");
        assert_eq!(count(&format!("/v1/{list}?since=2026-03-03T00:00:00Z")), 0, "{list}");
        assert_eq!(count(&format!("/v1/{list}?before=2026-03-03T00:00:00Z")), 1, "{list}");
        assert_eq!(count(&format!("/v1/{list}?before=2026-03-02T00:00:00Z")), 0, "{list}");
        server.get(&format!("/v1/{list}?since=yesterday")).expect(400);
    }
}
