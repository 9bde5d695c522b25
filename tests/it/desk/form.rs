//! The form of a dossier: nothing typed is lost, nothing is issued twice or for somebody else.

use paraphe::store::Role;
use serde_json::{Value, json};

use super::{Desk, fields, led_to};
use crate::harness::{fixtures, good, letter};
use crate::http::server::Server;

/// A contract that is sound.
fn contract() -> Value {
    good("cai/own-script-vocalised-arabic.json")
}

#[test]
fn a_form_without_its_token_issues_nothing_and_keeps_what_was_typed() {
    let server = Server::start();
    let desk = Desk::enter(&server);
    let mut pairs = desk.filled("emettre", "k", &contract());
    pairs.retain(|it| it.0 != "csrf");
    let refused = desk.send("/dossiers/nouveau", &pairs);
    assert_eq!(refused.status, 403);
    let page = refused.text();
    assert_eq!(fields(&page)["/applicant/email"], "amina.specimen@example.org");
    assert_eq!(fields(&page)["csrf"], desk.csrf);
    assert_eq!(server.get("/v1/documents").expect(200).json()["items"], json!([]));
    desk.send("/dossiers/nouveau/verification", &pairs).expect(403);
    desk.send("/dossiers/nouveau/apercu/1", &pairs).expect(403);
}

#[test]
fn another_offices_dossier_is_not_there() {
    let server = Server::start();
    let id = server.issue(&letter("ar"))["id"].as_str().unwrap().to_owned();
    let lyon = Desk::of(&server, Role::Agent, Some(&["lyon"]));
    for path in [
        format!("/dossiers/{id}"),
        format!("/dossiers/{id}/correction"),
        format!("/dossiers/nouveau?type=cai&de={id}"),
    ] {
        lyon.get(&path).expect(404);
        assert_eq!(Desk::enter(&server).get(&path).status, 200, "{path}");
    }
    for path in ["/?jour=2026-03-23", "/dossiers", "/dossiers?q=6903012345"] {
        let page = lyon.get(path);
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.text().contains(&id), "{path}");
    }
    lyon.press("emettre", "k", &contract()).expect(403);
    // Nor can an auditor begin one.
    Desk::of(&server, Role::Auditor, None).get("/dossiers/nouveau").expect(403);
}

#[test]
fn the_same_form_sent_twice_issues_one_document() {
    let server = Server::start();
    let desk = Desk::enter(&server);
    let mut data = contract();
    let first = led_to(&desk.press("emettre", "k", &data));
    assert_eq!(led_to(&desk.press("emettre", "k", &data)), first);
    // The number is taken, whatever the form.
    let taken = desk.press("emettre", "other", &data);
    assert_eq!(taken.status, 409);
    assert!(taken.text().contains(&first), "leads to the document that has it");
    // The same form with other data does not pass for the first.
    data["reference"] = json!("CAI-2026-069-000999");
    let used = desk.press("emettre", "k", &data);
    assert_eq!(used.status, 409);
    assert_ne!(fields(&used.text())["key"], "k", "the next try is another form");
    let both = std::thread::scope(|scope| {
        let again = || desk.press("emettre", "at once", &data);
        let both = [scope.spawn(again), scope.spawn(again)];
        both.map(|it| led_to(&it.join().unwrap()))
    });
    assert_eq!(both[0], both[1]);
    let all = server.get("/v1/documents").expect(200).json();
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
}

#[test]
fn an_expired_session_keeps_what_was_typed() {
    let server = Server::start();
    let desk = Desk::enter(&server);
    desk.leave();
    let told = desk.press("emettre", "k", &contract());
    assert_eq!(told.status, 401);
    let kept = fields(&told.text());
    assert!(!kept.contains_key("csrf"), "the token of the session that ended is of no use");
    assert_eq!(server.get("/v1/documents").expect(200).json()["items"], json!([]));
    // After the login in another tab, the page hands back what it carries.
    let again = Desk::enter(&server);
    let mut pairs: Vec<_> = kept.into_iter().collect();
    pairs.push(("faire".to_owned(), "reprendre".to_owned()));
    let page = again.send("/dossiers/nouveau", &pairs);
    assert_eq!(page.status, 200);
    let kept = fields(&page.text());
    assert_eq!(kept["csrf"], again.csrf);
    assert_eq!(kept["key"], "k");
    assert_eq!(kept["/applicant/native_name"], "أَمِينَةُ بِنْتُ مُحَمَّدٍ");
    assert_eq!(kept["/trainings/civic_training/sessions/1/start"], "13:00");
    assert_eq!(kept["/trainings/language_training/appointment/weekly/last"], "2027-02-25");
    desk.send("/dossiers/nouveau/verification", &pairs).expect(401);
}

#[test]
fn problems_stand_at_their_fields() {
    let server = Server::start();
    let desk = Desk::enter(&server);
    let mut data = contract();
    data["applicant"]["foreigner_number"] = json!("12");
    data["signing"]["copies"] = json!("deux");
    data["applicant"]["birth"]["date"] = json!("31/1/1993");
    data["trainings"]["civic_training"]["sessions"] = json!([]);
    let page = desk.press("emettre", "k", &data);
    assert_eq!(page.status, 422);
    let text = page.text();
    assert_eq!(fields(&text)["/signing/copies"], "deux", "what is no number is not lost");
    assert_eq!(fields(&text)["/applicant/birth/date"], "31/01/1993");
    let checked = desk.send("/dossiers/nouveau/verification", &desk.filled("", "k", &data));
    let checked = checked.expect(200).json();
    let at: Vec<_> = checked["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["id"].as_str().unwrap().to_owned(), it["field"].as_bool().unwrap()))
        .collect();
    for place in ["c-applicant-foreigner_number", "c-signing-copies"] {
        assert!(at.contains(&(place.to_owned(), true)), "{place}: {at:?}");
        assert!(text.contains(&format!("href=\"#{place}\"")), "{place} is linked from the top");
    }
    assert_eq!(checked["pages"], json!([]));
}

#[test]
fn what_is_sound_is_shown_page_by_page_with_its_french_text() {
    let server = Server::start();
    let desk = Desk::enter(&server);
    let pairs = desk.filled("", "k", &contract());
    let checked = desk.send("/dossiers/nouveau/verification", &pairs).expect(200).json();
    let pages = checked["pages"].as_array().unwrap();
    assert!(pages.len() > 1);
    let text = checked["pages"].to_string();
    assert!(text.contains("SPECIMEN") && text.contains("formation civique"), "{text}");
    assert!(!text.chars().any(|it| ('\u{621}'..='\u{64a}').contains(&it)), "French alone: {text}");
    let picture = desk.send("/dossiers/nouveau/apercu/1", &pairs).expect(200);
    assert!(picture.body.starts_with(b"\x89PNG"));
    desk.send("/dossiers/nouveau/apercu/9", &pairs).expect(404);
}

#[test]
fn every_good_fixture_comes_back_from_the_form_as_it_went_in() {
    let server = Server::start();
    let desk = Desk::enter(&server);
    let mut numbers = 1..;
    for (path, bytes) in fixtures("good") {
        let mut data: Value = serde_json::from_slice(&bytes).unwrap();
        let checked = desk.send("/dossiers/nouveau/verification", &desk.filled("", "k", &data));
        let wrong: Vec<_> = checked.expect(200).json()["problems"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|it| it["severity"] != "warning")
            .cloned()
            .collect();
        assert_eq!(wrong, Vec::<Value>::new(), "{path}");
        if !path.contains("own-script") {
            continue;
        }
        data["reference"] = json!(format!("CAI-{}", numbers.next().unwrap()));
        let id = led_to(&desk.press("emettre", &path, &data));
        let kept = server.get(&format!("/v1/documents/{id}/data")).expect(200).json();
        assert_eq!(kept, data, "{path}");
    }
}

#[test]
fn buttons_change_the_form_and_nothing_else() {
    let server = Server::start();
    let desk = Desk::enter(&server);
    let mut data = good("caif/both-parents.json");
    data["children"] = json!([{ "given_names": "Kofi", "birth": { "date": "2016-05-11" } }]);
    let more = fields(&desk.press("ajouter /children", "k", &data).text());
    assert_eq!(more["/children/0/given_names"], "Kofi");
    assert_eq!(more["/children/1/given_names"], "");
    let fewer = fields(&desk.press("retirer /children/0", "k", &data).text());
    assert_eq!(fewer["/children/0/given_names"], "");
    let aside = desk.press("accepter day.saturday", "k", &data).text();
    assert!(fields(&aside).contains_key("/accepted/0/by"));
    for odd in
        ["ajouter", "ajouter /kind/x", "retirer /children/99", "retirer x", "choisir /x", "x"]
    {
        assert_eq!(desk.press(odd, "k", &data).status, 200, "{odd}");
    }
    desk.press("emettre", "k", &json!({ "kind": "nothing" })).expect(404);
    assert_eq!(server.get("/v1/documents").expect(200).json()["items"], json!([]));
}
