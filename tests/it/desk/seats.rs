//! Sessions of trainings: chosen near the person, seated once, and followed by their convocations. And the day's list.

use paraphe::store::Role;
use serde_json::{Value, json};

use super::{Desk, led_to};
use crate::harness::{count, good, letter};
use crate::http::server::{Answer, Server};

const CIVIC: &str = "cours:/trainings/civic_training";

/// A contract whose civic training is to be chosen.
fn contract(number: u32) -> Value {
    let mut data = good("cai/own-script-vocalised-arabic.json");
    data["reference"] = json!(format!("CAI-2026-069-{number:06}"));
    data["trainings"].as_object_mut().unwrap().remove("civic_training");
    data
}

/// A course of civic training on 25 March.
fn course(id: &str, seats: u32) -> Value {
    let hours = [("09:00", "12:00"), ("13:00", "16:00")];
    let session = |(start, end)| json!({ "date": "2026-03-25", "start": start, "end": end });
    json!({ "id": id, "centre": "specimen-part-dieu", "step": "civic_training", "seats": seats,
        "starts_on": "2026-03-25", "appointment": { "sessions": hours.map(session) } })
}

fn put(server: &Server, courses: &[Value]) {
    server.post("/v1/courses", &json!({ "courses": courses })).expect(204);
}

/// Issues a contract with a course.
fn issue(desk: &Desk<'_>, key: &str, data: &Value, course: &str) -> Answer {
    let mut pairs = desk.filled("emettre", key, data);
    pairs.push((CIVIC.to_owned(), course.to_owned()));
    desk.send("/dossiers/nouveau", &pairs)
}

fn taken(server: &Server) -> Vec<u64> {
    let courses = server.get("/v1/courses").expect(200).json();
    courses.as_array().unwrap().iter().map(|it| it["taken"].as_u64().unwrap()).collect()
}

#[test]
fn two_agents_never_take_the_last_seat_twice() {
    let server = Server::start();
    let desks = [Desk::enter(&server), Desk::enter(&server)];
    for round in 0..count(20, 1000) {
        let id = format!("C{round}");
        put(&server, &[course(&id, 1)]);
        let mut got = std::thread::scope(|scope| {
            let tries = [0, 1].map(|agent: usize| {
                let (desk, id) = (&desks[agent], &id);
                let number = round * 2 + u32::try_from(agent).unwrap();
                scope.spawn(move || issue(desk, &format!("f{number}"), &contract(number), id))
            });
            tries.map(|it| it.join().unwrap())
        });
        got.sort_by_key(|it| it.status);
        led_to(&got[0]);
        assert_eq!(got[1].status, 409, "round {round}");
        let told = got[1].text();
        assert!(told.contains("La dernière place vient d’être prise"), "{told}");
        assert!(told.contains("amina.specimen@example.org"), "what was typed is there");
    }
    assert!(taken(&server).iter().all(|it| *it == 1));
    let all = server.get("/v1/documents?limit=200").expect(200).json();
    assert_eq!(all["items"].as_array().unwrap().len(), count(20, 200) as usize);
}

#[test]
fn the_courses_near_the_person_are_proposed_with_their_seats() {
    let server = Server::start();
    let desk = Desk::enter(&server);
    let mut full = course("full", 1);
    full["starts_on"] = json!("2026-03-01");
    put(&server, &[course("near", 3), course("one", 1), full]);
    let page = desk.press("choisir /trainings/civic_training", "k", &contract(1)).text();
    assert!(page.contains("value=\"near\"") && page.contains("3 places libres"), "{page}");
    assert!(!page.contains("value=\"full\""), "before the contract is signed");
    led_to(&issue(&desk, "k", &contract(1), "one"));
    let page = desk.press("choisir /trainings/civic_training", "k", &contract(2)).text();
    assert!(!page.contains("value=\"one\""), "no seat is left");
    // A course that is there no more is no course: the dates are still to be given.
    assert_eq!(issue(&desk, "x", &contract(3), "gone").status, 422);
}

#[test]
fn a_completed_contract_convenes_to_the_dates_of_its_courses() {
    let server = Server::start();
    let desk = Desk::enter(&server);
    put(&server, &[course("civic", 5)]);
    let id = led_to(&issue(&desk, "k", &contract(1), "civic"));
    let path = format!("/v1/documents/{id}/signatures");
    let mut version = 1;
    while let (Some(field), shown) = server.turn(&id) {
        let body = server.signature(&field, &shown).to_string();
        let tag = format!("\"v{version}\"");
        server.call("POST", &path, &[("if-match", &tag)], body.as_bytes()).expect(201);
        version += 1;
    }
    let letters = server.get("/v1/documents?step=civic_training").expect(200).json();
    assert_eq!(letters["items"].as_array().unwrap().len(), 1);
    let letter = letters["items"][0]["id"].as_str().unwrap();
    let data = server.get(&format!("/v1/documents/{letter}/data")).expect(200).json();
    assert_eq!(data["appointment"]["sessions"], course("civic", 5)["appointment"]["sessions"]);
    assert_eq!(data["appointment"]["place"], json!({ "centre": "specimen-part-dieu" }));
    server.mails(4);
}

#[test]
fn a_contract_that_takes_the_place_of_another_takes_over_its_seats() {
    let server = Server::start();
    let desk = Desk::enter(&server);
    put(&server, &[course("civic", 1)]);
    let old = led_to(&issue(&desk, "k", &contract(1), "civic"));
    assert_eq!(taken(&server), [1]);
    let page = desk.get(&format!("/dossiers/{old}/correction")).text();
    let fields = super::fields(&page);
    assert_eq!(fields["/replaces/reference"], "CAI-2026-069-000001");
    assert_eq!(fields["/reference"], "CAI-2026-069-000001-2");
    assert_eq!(fields[CIVIC], "civic");
    let mut data = contract(1);
    data["reference"] = json!("CAI-2026-069-000001-2");
    data["replaces"] = json!({ "reference": "CAI-2026-069-000001", "date": "2026-03-03" });
    let new = led_to(&issue(&desk, "k2", &data, "civic"));
    assert_eq!(taken(&server), [1]);
    let held = server.get(&format!("/v1/documents/{old}")).expect(200).json();
    assert_eq!((&held["state"], &held["replaced_by"]), (&json!("replaced"), &json!(new)));
    // Whoever comes second with a correction is told.
    data["reference"] = json!("CAI-2026-069-000001-3");
    assert_eq!(issue(&desk, "k3", &data, "").status, 422);
    data["trainings"]["civic_training"] = course("civic", 1)["appointment"].clone();
    let late = issue(&desk, "k4", &data, "");
    assert_eq!(late.status, 409, "{}", late.text());
    // A contract that is withdrawn gives its seat back.
    let path = format!("/v1/documents/{new}/cancellation");
    let body = br#"{"reason": "mistake"}"#;
    server.call("POST", &path, &[("if-match", "\"v1\"")], body).expect(204);
    assert_eq!(taken(&server), [0]);
}

#[test]
fn the_day_lists_who_is_expected_at_the_office() {
    let server = Server::start();
    let desk = Desk::enter(&server);
    let letter = letter("uk");
    let day = letter["appointment"]["sessions"][0]["date"].as_str().unwrap().to_owned();
    let id = server.issue(&letter)["id"].as_str().unwrap().to_owned();
    let signed = led_to(&issue(&desk, "k", &good("cai/good-friday-in-lyon.json"), ""));
    let page = desk.get(&format!("/?jour={day}")).text();
    assert!(
        page.contains(&id) && page.contains("SPECIMEN") && page.contains("українська"),
        "{page}"
    );
    assert!(page.contains(&format!("/dossiers/nouveau?type=cai&amp;de={id}")), "{page}");
    let signing = good("cai/good-friday-in-lyon.json")["signing"]["date"].clone();
    let page = desk.get(&format!("/?jour={}", signing.as_str().unwrap())).text();
    assert!(page.contains(&signed) && !page.contains(&id), "{page}");
    assert!(desk.get("/?jour=2031-01-01").text().contains("Personne n’est attendu"));
    assert_eq!(desk.get("/?jour=soon").status, 200);
    // What was listed stands in the audit trail.
    let history = server.get(&format!("/v1/documents/{id}/history")).expect(200).json();
    let listed = history.as_array().unwrap().iter().filter(|it| it["action"] == "listed");
    assert!(listed.count() >= 1, "{history}");
}

#[test]
fn a_table_of_courses_is_taken_whole_or_refused_line_by_line() {
    let server = Server::start();
    let desk = Desk::enter(&server);
    let head = "Session;Formation;Centre;Date;Début;Fin;Jours;Dernier jour;Places\r\n";
    let good = "C1;formation civique;specimen-part-dieu;25/03/2026;9:00;12 h;;;12\r\n\
        C1;formation civique;specimen-part-dieu;25/03/2026;13h00;16:00;;;12\r\n\
        F1;formation de français;Centre de formation Spécimen Gerland;31/08/2026;9:00;12:00;lundi et jeudi;25/02/2027;8\r\n";
    let latin = encoding_rs::WINDOWS_1252.encode(&format!("{head}{good}")).0.into_owned();
    assert_eq!(upload(&desk, &latin, &desk.csrf).status, 303);
    let courses = server.get("/v1/courses").expect(200).json();
    assert_eq!(courses[0]["appointment"]["sessions"].as_array().unwrap().len(), 2);
    assert_eq!(courses[1]["appointment"]["weekly"]["days"], json!(["monday", "thursday"]));
    let bad = "C2;cuisine;nulle part;31/02/2026;9:00;8:00;lundimanche x;;0\r\n";
    let told = upload(&desk, format!("{head}{good}{bad}").as_bytes(), &desk.csrf);
    assert_eq!(told.status, 422);
    for column in ["Formation", "Centre", "Date", "Fin", "Jours", "Places"] {
        assert!(told.text().contains(&format!("Ligne 5, « {column} »")), "{}", told.text());
    }
    let missing = upload(&desk, b"Session;Date\r\n", &desk.csrf).text();
    assert!(missing.contains("La colonne « Centre » manque"), "{missing}");
    upload(&desk, &latin, "").expect(403);
    let agent = Desk::of(&server, Role::Agent, None);
    upload(&agent, &latin, &agent.csrf).expect(403);
    assert!(!agent.get("/seances").text().contains("Importer"));
    assert_eq!(server.get("/v1/courses").expect(200).json(), courses);
}

fn upload(desk: &Desk<'_>, table: &[u8], csrf: &str) -> Answer {
    let part = |name: &str| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"");
    let mut body = format!("{}\r\n\r\n{csrf}\r\n", part("csrf")).into_bytes();
    body.extend(format!("{}; filename=\"t.csv\"\r\n\r\n", part("table")).into_bytes());
    body.extend(table);
    body.extend(b"\r\n--b--\r\n");
    desk.post("/seances", "multipart/form-data; boundary=b", &body)
}
