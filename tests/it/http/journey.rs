//! A contract and a letter through the API, from their data to the mail in the folder.

use serde_json::json;

use super::server::Server;
use crate::harness::{good, letter};

#[test]
fn a_contract_is_issued_signed_completed_and_mailed() {
    let server = Server::start();
    let answer = server.post("/v1/documents", &good("cai/good-friday-in-lyon.json")).expect(201);
    let receipt = answer.json();
    let id = receipt["id"].as_str().unwrap();
    assert_eq!(receipt["state"], "presented");
    assert_eq!(answer.headers["location"], format!("/v1/documents/{id}"));
    assert_eq!(answer.headers["etag"], "\"v1.presented\"");
    assert!(server.file(id).starts_with(b"%PDF-1."));
    let path = format!("/v1/documents/{id}/signatures");
    let mut version = 1;
    while let (Some(field), shown) = server.turn(id) {
        let body = server.signature(&field, &shown).to_string();
        let tag = format!("\"v{version}\"");
        server.call("POST", &path, &[], body.as_bytes()).expect(428);
        server.call("POST", &path, &[("if-match", "\"v9\"")], body.as_bytes()).expect(412);
        let signed = server.call("POST", &path, &[("if-match", &tag)], body.as_bytes()).expect(201);
        version += 1;
        assert_eq!(signed.json()["version"], version);
    }
    let shown = server.get(&format!("/v1/documents/{id}")).expect(200);
    assert_eq!(shown.json()["state"], "complete");
    assert_eq!(shown.json()["versions"].as_array().unwrap().len(), version);
    let file = server.file(id);
    let report =
        server.call("POST", "/v1/verification", &[("content-type", "application/pdf")], &file);
    assert_eq!(report.expect(200).json()["verdict"], "valid");
    // The contract's mail, and one for each letter about the dates that it fixes.
    let mails = server.mails(2);
    let ours = mails.iter().filter(|it| {
        let mail = std::fs::read_to_string(it).unwrap();
        mail.contains("amina.specimen@example.org")
    });
    assert_eq!(ours.count(), mails.len());
    let history = server.get(&format!("/v1/documents/{id}/history")).expect(200).json();
    let actions: Vec<_> =
        history.as_array().unwrap().iter().map(|it| it["action"].clone()).collect();
    for action in ["issued", "read", "read_file", "version"] {
        assert!(
            actions.iter().any(|it| it.as_str().unwrap().starts_with(action)),
            "{action}: {actions:?}"
        );
    }
}

#[test]
fn the_same_key_gets_the_same_answer_and_another_body_is_refused() {
    let server = Server::start();
    let data = letter("ar");
    let key = [("idempotency-key", "call-1")];
    let first = server.call("POST", "/v1/documents", &key, data.to_string().as_bytes()).expect(201);
    let again = server.call("POST", "/v1/documents", &key, data.to_string().as_bytes()).expect(201);
    assert_eq!(first.json(), again.json());
    let other = letter("ps").to_string();
    let refused = server.call("POST", "/v1/documents", &key, other.as_bytes()).expect(409);
    assert_eq!(refused.json()["code"], "key_reused");
    // What is done to it, too.
    let id = server.issue(&good("cai/good-friday-in-lyon.json"))["id"].as_str().unwrap().to_owned();
    let (field, shown) = server.turn(&id);
    let body = server.signature(&field.unwrap(), &shown).to_string();
    let headers = [("if-match", "\"v1\""), ("idempotency-key", "sign-1")];
    let path = format!("/v1/documents/{id}/signatures");
    let first = server.call("POST", &path, &headers, body.as_bytes()).expect(201);
    let again = server.call("POST", &path, &headers, body.as_bytes()).expect(201);
    assert_eq!((first.json(), &first.headers["etag"]), (again.json(), &again.headers["etag"]));
    server.call("POST", &path, &headers, b"{}").expect(409);
}

#[test]
fn an_appointment_is_moved_and_cancelled_by_letters_that_replace_one_another() {
    let server = Server::start();
    let id = server.issue(&letter("ar"))["id"].as_str().unwrap().to_owned();
    let appointment = json!({ "sessions": [{ "date": "2026-04-09", "start": "09:30", "end": "11:30" }],
        "place": letter("ar")["appointment"]["place"] });
    let body = json!({ "reference": "CV-2026-069-900001", "appointment": appointment });
    let moved = server.post(&format!("/v1/appointments/{id}/move"), &body).expect(201).json();
    let earlier = server.get(&format!("/v1/documents/{id}")).expect(200).json();
    assert_eq!(earlier["state"], "replaced");
    assert_eq!(earlier["replaced_by"], moved["id"]);
    let id = moved["id"].as_str().unwrap();
    let body = json!({ "reference": "CV-2026-069-900002" });
    let cancelled = server.post(&format!("/v1/appointments/{id}/cancel"), &body).expect(201).json();
    let last = server.get(&format!("/v1/documents/{}", cancelled["id"].as_str().unwrap()));
    assert_eq!(last.expect(200).json()["sequence"], 2);
    // The same again is the same letter; another one has nothing left to cancel.
    let again = server.post(&format!("/v1/appointments/{id}/cancel"), &body).expect(201).json();
    assert_eq!(again, cancelled);
    let body = json!({ "reference": "CV-2026-069-900003" });
    server.post(&format!("/v1/appointments/{id}/cancel"), &body).expect(409);
}

#[test]
fn lists_are_filtered_and_come_in_pieces() {
    let server = Server::start();
    let mut ids = Vec::new();
    for number in 0..5 {
        let mut data = letter("fr");
        data["reference"] = format!("CV-2026-069-80000{number}").into();
        ids.push(server.issue(&data)["id"].clone());
    }
    let mut found = Vec::new();
    let mut after = String::new();
    loop {
        let path =
            format!("/v1/documents?kind=convocation&state=complete&office=sample&limit=2{after}");
        let piece = server.get(&path).expect(200).json();
        found.extend(piece["items"].as_array().unwrap().iter().map(|it| it["id"].clone()));
        let Some(next) = piece["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    // Of one moment each, so in the order of their ids.
    ids.sort_by_key(|it| std::cmp::Reverse(it.to_string()));
    assert_eq!(found, ids);
    let count = |query: &str| {
        let list = server.get(&format!("/v1/documents?{query}")).expect(200).json();
        list["items"].as_array().unwrap().len()
    };
    assert_eq!(count("reference=cv-2026-069-800003"), 1);
    assert_eq!(count("foreigner_number=6903012345"), 5);
    assert_eq!(count("foreigner_number=6903012346"), 0);
    assert_eq!(count("state=presented"), 0);
    assert_eq!(count("office=lyon"), 0);
    server.get("/v1/documents?limit=0").expect(400);
    server.get("/v1/documents?state=lost").expect(400);
    server.get("/v1/documents?reference=a&dossier=b").expect(400);
}

#[test]
fn a_preview_is_a_specimen_and_keeps_nothing() {
    let server = Server::start();
    let data = letter("ar").to_string();
    let pdf = server.call("POST", "/v1/previews", &[], data.as_bytes()).expect(200);
    assert!(pdf.body.starts_with(b"%PDF-"));
    let beyond = pdf.headers["x-pages"].parse::<u32>().unwrap() + 1;
    let png =
        server.call("POST", "/v1/previews?dpi=60", &[("accept", "image/png")], data.as_bytes());
    assert!(png.expect(200).body.starts_with(b"\x89PNG\r\n"));
    server
        .call(
            "POST",
            &format!("/v1/previews?page={beyond}"),
            &[("accept", "image/png")],
            data.as_bytes(),
        )
        .expect(404);
    let checked = server.call("POST", "/v1/check", &[], data.as_bytes()).expect(200).json();
    assert_eq!(
        (&checked["sound"], &checked["emails"][0]),
        (&json!(true), &json!("amina.specimen@example.org"))
    );
    assert_eq!(server.get("/v1/documents").expect(200).json()["items"], json!([]));
}

#[test]
fn a_list_becomes_letters() {
    let server = Server::start();
    let rows = std::fs::read("tests/fixtures/rows/good/semicolons.csv").unwrap();
    let csv = [("content-type", "text/csv")];
    let dry = server.call("POST", "/v1/merges?dry_run=true", &csv, &rows).expect(200).json();
    assert_eq!(dry["sound_list"], true, "{dry}");
    let begun = server.call("POST", "/v1/merges?file=semicolons.csv", &csv, &rows).expect(201);
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    let again =
        server.call("POST", "/v1/merges?file=semicolons.csv", &csv, &rows).expect(201).json();
    assert_eq!(again["id"], id);
    for _ in 0..300 {
        let merge = server.get(&format!("/v1/merges/{id}")).expect(200).json();
        if merge["counts"]["rows"]["done"] == merge["merge"]["total"] {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let report = server.get(&format!("/v1/merges/{id}/report")).expect(200).json();
    assert_eq!(report["rows"], dry["rows"], "{report}");
    assert!(
        server
            .get(&format!("/v1/merges/{id}/report.csv"))
            .expect(200)
            .text()
            .contains("Compte;Nombre")
    );
    let foreign = server.new_key(Some(&["lyon"]));
    let key = format!("Bearer {foreign}");
    let key = [("authorization", key.as_str()), ("content-type", "text/csv")];
    server.call("POST", "/v1/merges", &key, &rows).expect(404);
    server.call("GET", &format!("/v1/merges/{id}"), &key, b"").expect(404);
}
