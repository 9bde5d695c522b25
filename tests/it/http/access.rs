//! Who may do what: keys, offices, sessions, seats.

use std::collections::BTreeMap;

use paraphe::config::{Config, Mode};
use paraphe::pipeline::fresh_id;
use paraphe::store::{NewAccessKey, Scope};
use serde_json::{Value, json};

use super::server::{Server, ask};
use crate::harness::{at, count, letter};

#[test]
fn nobody_learns_of_another_offices_documents() {
    let server = Server::start();
    let receipt = server.issue(&letter("ar"));
    let id = receipt["id"].as_str().unwrap();
    let delivery = receipt["deliveries"][0].as_str().unwrap();
    let key = format!("Bearer {}", server.new_key(Some(&["lyon"])));
    let lyon = [("authorization", key.as_str()), ("if-match", "\"v1\"")];
    let missing = "019a0000-0000-7000-8000-000000000000";
    for (method, path, body) in [
        ("GET", "/v1/documents/{}", ""),
        ("GET", "/v1/documents/{}/file", ""),
        ("GET", "/v1/documents/{}/data", ""),
        ("GET", "/v1/documents/{}/history", ""),
        ("POST", "/v1/documents/{}/refusal", r#"{"field": "applicant"}"#),
        ("POST", "/v1/documents/{}/cancellation", r#"{"reason": "mistake"}"#),
        ("POST", "/v1/appointments/{}/cancel", r#"{"reference": "CV-2026-069-900009"}"#),
    ] {
        let there =
            server.call(method, &path.replace("{}", id), &lyon, body.as_bytes()).expect(404);
        let nowhere = server.call(method, &path.replace("{}", missing), &lyon, body.as_bytes());
        let said = |it: &Value| (it["title"].clone(), it["detail"].clone(), it["code"].clone());
        assert_eq!(said(&there.json()), said(&nowhere.expect(404).json()), "{path}");
    }
    for path in ["/v1/deliveries/{}", "/v1/deliveries/{}/retry", "/v1/deliveries/{}/cancel"] {
        let method = if path.ends_with("{}") { "GET" } else { "POST" };
        server.call(method, &path.replace("{}", delivery), &lyon, b"").expect(404);
    }
    let list = server.call("GET", "/v1/documents?foreigner_number=6903012345", &lyon, b"");
    assert_eq!(list.expect(200).json()["items"], json!([]));
    // The same data under its own digest is another office's receipt.
    server.call("POST", "/v1/documents", &lyon, letter("ar").to_string().as_bytes()).expect(403);
    server.call("GET", "/v1/events", &lyon, b"").expect(403);
}

#[test]
fn keys_open_until_they_end_and_wrong_ones_lock_the_address_out() {
    let server = Server::start();
    let ends = |at| NewAccessKey {
        id: fresh_id(at),
        name: "ends".to_owned(),
        offices: None,
        test: true,
        expires_at: Some(at),
    };
    let status = |key: &str| {
        let key = format!("Bearer {key}");
        server.call("GET", "/v1/languages", &[("authorization", &key)], b"").status
    };
    let live = server.make_key(ends(at() + chrono::TimeDelta::hours(1)));
    assert!(live.starts_with("paraphe_test_"));
    assert_eq!(status(&live), 200);
    assert_eq!(status(&server.make_key(ends(at()))), 401);
    let store = &server.service.pipeline().store;
    let keys = server.runtime.block_on(store.access_keys()).unwrap();
    let id = keys.iter().find(|it| it.expires_at > Some(at())).unwrap().id;
    server.runtime.block_on(store.revoke_access_key(&Scope::all("test"), id, at())).unwrap();
    assert_eq!(status(&live), 401);
    let bare = server.call("GET", "/v1/languages", &[("authorization", "")], b"").expect(401);
    assert_eq!(bare.headers["www-authenticate"], "Bearer");
    for _ in 0..8 {
        assert_eq!(status("paraphe_live_guessed"), 401);
    }
    let locked =
        server.call("GET", "/v1/languages", &[("authorization", "Bearer x")], b"").expect(429);
    assert_eq!(locked.headers["retry-after"], "300");
}

#[test]
fn a_link_lets_in_once_and_a_session_changes_nothing_without_its_token() {
    let server = Server::start();
    let link = server.link();
    let entered = ask("GET", &link, &BTreeMap::new(), b"");
    assert_eq!(entered.status, 303);
    let cookie = entered.headers["set-cookie"].clone();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let session = [("authorization", ""), ("cookie", cookie)];
    server.call("GET", "/v1/documents", &session, b"").expect(200);
    let body = letter("ar").to_string();
    let refused = server.call("POST", "/v1/documents", &session, body.as_bytes()).expect(403);
    assert_eq!(refused.json()["code"], "csrf");
    let store = &server.service.pipeline().store;
    let token = cookie.split_once('=').unwrap().1;
    let held = store.session(token, chrono::TimeDelta::hours(1), at());
    let csrf = server.runtime.block_on(held).unwrap().unwrap().csrf;
    let with = [("authorization", ""), ("cookie", cookie), ("x-csrf-token", csrf.as_str())];
    server.call("POST", "/v1/documents", &with, body.as_bytes()).expect(201);
    ask("GET", &link, &BTreeMap::new(), b"").expect(401);
    let form = format!("csrf={csrf}");
    let leave = [with[0], with[1], ("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(server.call("POST", "/logout", &leave, form.as_bytes()).status, 303);
    server.call("GET", "/v1/documents", &session, b"").expect(401);
}

/// Whatever an address or a header says, the way leads to a path of this service.
#[test]
fn a_redirect_leads_nowhere_else() {
    let server = Server::start();
    let away = [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("referer", "https://evil.example/"),
    ];
    let query = "next=https://evil.example/&redirect=//evil.example&return_to=https:evil.example";
    let follows = |cookie: &str, path: &str| {
        let headers = [&away[..], &[("authorization", ""), ("cookie", cookie)]].concat();
        let answer = server.call("GET", path, &headers, b"");
        let to = answer.headers.get("location").cloned();
        let is_ours =
            |to: &String| to.starts_with('/') && !to.starts_with("//") && !to.contains("evil");
        assert!(to.as_ref().is_none_or(is_ours), "{path}: {to:?}");
        to.is_some()
    };
    let paths = [
        "/",
        "/login",
        "/dossiers",
        "/envois",
        "/tablette/contrat",
        "//evil.example/dossiers",
        "/\\evil.example",
    ];
    let asked = paths.map(|path| follows("", &format!("{path}?{query}")));
    assert!(asked.iter().filter(|it| **it).count() >= 3, "to the login: {asked:?}");
    let link = server.link();
    let entered = ask("GET", &format!("{link}&{query}"), &BTreeMap::new(), b"");
    assert_eq!((entered.status, entered.headers["location"].as_str()), (303, "/"));
    let cookie = entered.headers["set-cookie"].split(';').next().unwrap();
    for path in paths {
        follows(cookie, &format!("{path}?{query}"));
    }
}

#[test]
fn the_last_seat_is_taken_once() {
    let server = Server::start();
    let rounds = count(20, 1000);
    let courses: Vec<_> = (0..rounds).map(|number| {
        json!({ "id": format!("C{number}"), "centre": "specimen-villeurbanne", "step": "civic_training",
            "starts_on": "2026-04-07", "appointment": {}, "seats": 1 })
    }).collect();
    server.post("/v1/courses", &json!({ "courses": courses })).expect(204);
    for number in 0..rounds {
        let path = format!("/v1/courses/C{number}/seats");
        let take = |who: &str| server.post(&path, &json!({ "holder": who })).status;
        let mut got = std::thread::scope(|scope| {
            let both = [scope.spawn(|| take("a")), scope.spawn(|| take("b"))];
            both.map(|it| it.join().unwrap())
        });
        got.sort_unstable();
        assert_eq!(got, [204, 409], "course {number}");
    }
    assert_eq!(server.get("/v1/courses?free=true").expect(200).json(), json!([]));
    server.post("/v1/courses/none/seats", &json!({ "holder": "a" })).expect(404);
}

#[test]
fn a_test_key_walks_the_whole_journey_apart_from_what_has_value() {
    let server = Server::of(Config { mode: Mode::Production, ..Config::default() });
    let new = NewAccessKey {
        id: fresh_id(at()),
        name: "tries".to_owned(),
        offices: None,
        test: true,
        expires_at: None,
    };
    let key = format!("Bearer {}", server.make_key(new));
    let tries = [("authorization", key.as_str())];
    let body = letter("fr").to_string();
    let receipt = server.call("POST", "/v1/documents", &tries, body.as_bytes()).expect(201).json();
    let path = format!("/v1/documents/{}", receipt["id"].as_str().unwrap());
    let file = server.call("GET", &format!("{path}/file"), &tries, b"").expect(200).body;
    let text = text_of(&file);
    assert!(text.contains("SPÉCIMEN"), "{text}");
    server.get(&path).expect(404);
    let mails = server.folder.path().join("data/tests/mail");
    for _ in 0..300 {
        if std::fs::read_dir(&mails).is_ok_and(|it| it.count() > 0) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(std::fs::read_dir(&mails).unwrap().count(), 1);
    assert!(!server.folder.path().join("data/mail").exists());
    // What has value is no specimen, under the same number.
    let id = server.issue(&letter("fr"))["id"].as_str().unwrap().to_owned();
    assert!(!text_of(&server.file(&id)).contains("SPÉCIMEN"));
    server.mails(1);
}

/// The text of a PDF.
fn text_of(file: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("document.pdf");
    std::fs::write(&path, file).unwrap();
    let output = std::process::Command::new("pdftotext").arg(path).arg("-").output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}
