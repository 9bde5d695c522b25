//! What is refused, how, and what it tells.

use std::collections::BTreeMap;

use serde_json::json;

use super::server::{Server, ask};
use crate::harness::letter;

#[test]
fn bad_data_is_told_problem_by_problem_in_the_language_of_the_request() {
    let server = Server::start();
    let mut data = letter("ar");
    data["applicant"]["nationality"] = "ZZ".into();
    data["appointment"]["sessions"][0]["start"] = "25:00".into();
    let refused = server.post("/v1/documents", &data).expect(422).json();
    let pointers: Vec<_> =
        refused["problems"].as_array().unwrap().iter().map(|it| it["pointer"].clone()).collect();
    assert!(pointers.contains(&json!("/applicant/nationality")), "{refused}");
    assert!(pointers.contains(&json!("/appointment/sessions/0/start")), "{refused}");
    let french = server.call(
        "POST",
        "/v1/documents",
        &[("accept-language", "fr")],
        data.to_string().as_bytes(),
    );
    assert_ne!(french.json()["problems"][0]["message"], refused["problems"][0]["message"]);
    let checked = server.post("/v1/check", &data).expect(200).json();
    assert_eq!(checked["problems"], refused["problems"]);
    let broken = server.call("POST", "/v1/documents", &[], b"{\"kind\": ").expect(400).json();
    assert_eq!(broken["problems"][0]["code"], "json.syntax");
    let twice =
        server.call("POST", "/v1/documents", &[], b"{\"kind\": 1, \"kind\": 2}").expect(400);
    assert!(twice.text().contains("json."), "{}", twice.text());
}

#[test]
fn what_cannot_be_read_is_refused_early() {
    let server = Server::start();
    let huge = vec![b' '; 2 << 20];
    server.call("POST", "/v1/documents", &[], &huge).expect(413);
    let key = [("idempotency-key", "k")];
    server.call("POST", "/v1/courses", &key, &huge).expect(413);
    server.call("POST", "/v1/documents", &[("content-type", "text/plain")], b"{}").expect(415);
    server.call("DELETE", "/v1/documents", &[], b"").expect(405);
    server.get("/v1/nothing").expect(404);
    server.get("/v1/documents/not-an-id").expect(404);
    server
        .call("POST", "/v1/documents", &[("idempotency-key", &"k".repeat(300))], b"{}")
        .expect(400);
}

#[test]
fn a_slow_client_is_let_go_and_holds_nobody_up() {
    use std::io::{Read, Write};
    let server = Server::start();
    let address = server.main.trim_start_matches("http://").to_owned();
    let mut slow = std::net::TcpStream::connect(address).unwrap();
    slow.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n").unwrap();
    server.call("GET", "/health", &[], b"").expect(200);
    let begun = std::time::Instant::now();
    let mut rest = Vec::new();
    slow.set_read_timeout(Some(std::time::Duration::from_secs(40))).unwrap();
    slow.read_to_end(&mut rest).unwrap();
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
}

#[test]
fn every_answer_carries_the_headers_that_browsers_heed() {
    let server = Server::start();
    let answer = server.get("/v1/languages").expect(200);
    assert!(answer.headers["content-security-policy"].starts_with("default-src 'none'"));
    assert!(!answer.headers["content-security-policy"].contains("unsafe"));
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let id = &answer.headers["x-request-id"];
    assert_eq!(id.len(), 36);
    let refused = server.get("/v1/nothing").expect(404);
    assert_eq!(refused.json()["instance"], format!("urn:uuid:{}", refused.headers["x-request-id"]));
}

/// The public pages, a refusal among them, lead to the statement of accessibility and not to the desk.
#[test]
fn the_public_side_leads_to_nothing_of_the_desk() {
    let server = Server::start();
    let browser = BTreeMap::from([("accept", "text/html")]);
    let page = |path: &str| ask("GET", &format!("{}{path}", server.public), &browser, b"");
    for (path, status) in
        [("/v/", 200), ("/d/none", 200), ("/dossiers", 404), ("/accessibilite", 200)]
    {
        let answer = page(path);
        assert_eq!(answer.status, status, "{path}");
        let text = answer.text().replace("&#x2f;", "/");
        let links = text.split("href=\"").skip(1).filter_map(|it| it.split('"').next());
        for link in links.filter(|it| it.starts_with('/')) {
            assert_ne!(page(link).status, 404, "{path} leads to {link}");
        }
        assert!(text.contains("href=\"/accessibilite\""), "{path}");
    }
}

#[test]
fn the_openapi_document_is_whole() {
    let server = Server::start();
    let api = server.get("/openapi.json").expect(200).json();
    assert!(api["openapi"].as_str().unwrap().starts_with("3.1"));
    let text = api.to_string();
    let targets = text.split("\"$ref\":\"#").skip(1).map(|it| it.split('"').next().unwrap());
    let targets: std::collections::BTreeSet<_> = targets.collect();
    assert!(targets.len() > 20);
    for target in targets {
        assert!(api.pointer(target).is_some(), "{target} leads nowhere");
    }
    for path in ["/v1/documents", "/v1/documents/{id}/signatures", "/v1/merges", "/v1/verification"]
    {
        let operation = &api["paths"][path]["post"];
        assert!(operation["requestBody"].is_object(), "{path}");
        let refusal = &operation["responses"]["default"]["content"]["application/problem+json"];
        assert!(refusal.is_object(), "{path}");
    }
}

#[test]
fn readiness_and_metrics_tell_how_it_stands() {
    let server = Server::start();
    let ready = server.call("GET", "/ready", &[("authorization", "")], b"").expect(200).json();
    assert_eq!(ready["renders"], "ok");
    server.get("/v1/languages").expect(200);
    let text =
        super::server::ask("GET", &format!("{}/metrics", server.metrics), &[].into(), b"").text();
    assert!(
        text.contains(
            "paraphe_requests_total{method=\"GET\",route=\"/v1/languages\",status=\"200\"} 1"
        ),
        "{text}"
    );
    assert!(text.trim_end().ends_with("# EOF"));
}
