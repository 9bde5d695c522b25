//! Pages of the desk: sessions and their forms, mails, the State's signatures, help.

use chrono::TimeDelta;
use paraphe::store::{Access, DeliveryFilter, DeliveryState, Page, Role, Scope};
use serde_json::json;

use super::server::{Answer, Server};
use crate::harness::{at, good, letter, source};

/// A person at the desk.
pub(super) struct Desk<'a> {
    pub(super) server: &'a Server,
    cookie: String,
    pub(super) csrf: String,
}

impl<'a> Desk<'a> {
    pub(super) fn enter(server: &'a Server, role: Role, offices: Option<&[&str]>) -> Self {
        let offices = offices.map(|it| it.iter().map(|it| (*it).to_owned()).collect());
        let actor = format!("agent:{role:?}:{offices:?}");
        let access = Access { actor, role, offices, test: false };
        let store = &server.service.pipeline().store;
        // Sessions are of the service's own clock.
        let begun = store.begin_session(&access, TimeDelta::hours(1), server.service.at());
        let session = server.runtime.block_on(begun).unwrap();
        Self { server, cookie: format!("paraphe={}", session.token), csrf: session.csrf }
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        let headers = [("authorization", ""), ("cookie", &*self.cookie)];
        self.server.call("GET", path, &headers, b"")
    }

    /// A form, with the session's token unless the fields have one.
    pub(super) fn send(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let own = [("csrf", self.csrf.as_str())];
        let own = own.iter().filter(|_| fields.iter().all(|it| it.0 != "csrf"));
        let pair = |(name, value): &(&str, &str)| format!("{name}={}", encoded(value));
        let body = own.chain(fields).map(pair).collect::<Vec<_>>().join("&");
        self.post(path, "application/x-www-form-urlencoded", body.as_bytes())
    }

    /// A form with files: name, file's name or nothing, content.
    pub(super) fn upload(&self, path: &str, parts: &[(&str, &str, &[u8])]) -> Answer {
        let mut body = Vec::new();
        for (name, file, content) in parts {
            let file =
                if file.is_empty() { String::new() } else { format!("; filename=\"{file}\"") };
            let head =
                format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
            body.extend(head.into_bytes());
            body.extend(*content);
            body.extend(b"\r\n");
        }
        body.extend(b"--edge--\r\n");
        self.post(path, "multipart/form-data; boundary=edge", &body)
    }

    fn post(&self, path: &str, kind: &str, body: &[u8]) -> Answer {
        let headers = [("authorization", ""), ("cookie", &*self.cookie), ("content-type", kind)];
        self.server.call("POST", path, &headers, body)
    }
}

fn encoded(text: &str) -> String {
    let plain = |it: &u8| it.is_ascii_alphanumeric() || b"-._~".contains(it);
    text.bytes()
        .map(|it| if plain(&it) { char::from(it).to_string() } else { format!("%{it:02X}") })
        .collect()
}

/// A contract that everybody but the State has signed.
fn contract_for_the_state(server: &Server, reference: &str) -> String {
    let mut data = good("cai/good-friday-in-lyon.json");
    data["reference"] = reference.into();
    let id = server.issue(&data)["id"].as_str().unwrap().to_owned();
    let mut version = 1;
    while let (Some(field), shown) = server.turn(&id) {
        if field == "authority" {
            break;
        }
        let body = server.signature(&field, &shown).to_string();
        let tag = format!("\"v{version}\"");
        let path = format!("/v1/documents/{id}/signatures");
        server.call("POST", &path, &[("if-match", &tag)], body.as_bytes()).expect(201);
        version += 1;
    }
    id
}

/// A key in a file that its PIN, which is not 0000, opens.
fn pkcs12() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let openssl = |arguments: &str| {
        let mut command = std::process::Command::new("openssl");
        let done = command.args(arguments.split(' ')).current_dir(folder.path()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2000 -subj /CN=Delegue -keyout k.key -out k.crt",
    );
    openssl("pkcs12 -export -inkey k.key -in k.crt -passout pass:4711 -out k.p12");
    std::fs::read(folder.path().join("k.p12")).unwrap()
}

#[test]
fn one_act_signs_every_contract_that_waits_for_the_state_and_tells_each_end() {
    let server = Server::start();
    let ids = ["CAI-2026-069-700001", "CAI-2026-069-700002"]
        .map(|it| contract_for_the_state(&server, it));
    let desk = Desk::enter(&server, Role::Agent, None);
    let page = desk.get("/signatures").expect(200).text();
    let boxes: Vec<String> = page
        .split("name=\"contract\" value=\"")
        .skip(1)
        .map(|it| it.split('"').next().unwrap().to_owned())
        .collect();
    assert_eq!(boxes.len(), 2, "{page}");
    assert!(page.contains("CAI-2026-069-700001"));
    // That they are listed is no reading.
    let history = server.get(&format!("/v1/documents/{}/history", ids[0])).expect(200).text();
    assert!(!history.contains("agent:"), "{history}");
    let lyon = Desk::enter(&server, Role::Agent, Some(&["lyon"]));
    assert!(!lyon.get("/signatures").expect(200).text().contains("700001"));
    // A key that does not open signs nothing, and says so once.
    let form = |csrf: &str, key: &[u8]| {
        let mut parts: Vec<(&str, &str, &[u8])> = vec![("csrf", "", csrf.as_bytes())];
        parts.extend(boxes.iter().map(|it| ("contract", "", it.as_bytes())));
        parts.push(("key", "key.p12", key));
        parts.push(("pin", "", b"0000"));
        desk.upload("/signatures", &parts)
    };
    let refused = form(&desk.csrf, b"no key").expect(200).text();
    assert!(refused.contains("Rien n’a été signé"), "{refused}");
    let refused = form(&desk.csrf, &pkcs12()).expect(200).text();
    assert!(refused.contains("Ce code n’ouvre pas la clé"), "{refused}");
    form("wrong", b"").expect(403);
    let done = form(&desk.csrf, b"").expect(200).text();
    assert!(done.contains("2 contrats signés sur 2"), "{done}");
    for id in &ids {
        assert_eq!(
            server.get(&format!("/v1/documents/{id}")).expect(200).json()["state"],
            "complete"
        );
    }
    // Once more: each one says why not.
    let again = form(&desk.csrf, b"").expect(200).text();
    assert!(again.contains("0 contrat signé sur 2") && again.contains("Il a changé"), "{again}");
}

#[test]
fn who_did_not_get_a_mail_is_told_with_the_reason_and_what_to_do() {
    let server = Server::start();
    let mut data = letter("ar");
    // The service's worker must not be first.
    data["applicant"]["email"] = "amina.specimen@example.org".into();
    let store = &server.service.pipeline().store;
    let scope = Scope::all("test");
    server.runtime.block_on(store.pause(&scope, Some("a test"), at())).unwrap();
    server.issue(&data);
    server.runtime.block_on(store.pause(&scope, None, at())).unwrap();
    server.mails(1);
    let all = DeliveryFilter::default();
    let sent = loop {
        let mails = server.runtime.block_on(store.deliveries(&scope, &all, Page::default()));
        let mail = mails.unwrap().remove(0);
        if mail.state == DeliveryState::Accepted {
            break mail;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    let reply = "550 5.1.1 no such user".to_owned();
    let bounced = paraphe::store::Return::Bounced { reply, status: Some("5.1.1".to_owned()) };
    server.runtime.block_on(store.returned(sent.id, &bounced, at())).unwrap();
    let desk = Desk::enter(&server, Role::Agent, None);
    let list = desk.get("/envois").expect(200).text();
    assert!(list.contains("Cette adresse n’existe pas.") && list.contains("Revenu"), "{list}");
    let none = desk.get("/envois?state=in_doubt&from=2026-01-01&to=2026-12-31").expect(200).text();
    assert!(none.contains("Aucun envoi ne répond"), "{none}");
    let found = desk.get("/envois?state=all&address=Amina.Specimen%40example.org").expect(200);
    assert!(found.text().contains("amina.specimen@example.org"));
    let path = format!("/envois/{}", sent.id);
    let shown = desk.get(&path).expect(200).text();
    assert!(shown.contains("Vérifiez l’adresse") && shown.contains("5.1.1"), "{shown}");
    let trail = server.runtime.block_on(store.history(sent.id)).unwrap();
    assert_eq!(trail.iter().filter(|it| it.action == "read").count(), 1, "{trail:?}");
    let lyon = Desk::enter(&server, Role::Supervisor, Some(&["lyon"]));
    lyon.get(&path).expect(404);
    lyon.send(&path, &[("decision", "cancel")]).expect(404);
    desk.send(&path, &[("csrf", "wrong"), ("decision", "cancel")]).expect(403);
    // What came back cannot be taken back.
    desk.send(&path, &[("decision", "cancel")]).expect(409);
    desk.send(&path, &[("decision", "accepted")]).expect(403);
    let auditor = Desk::enter(&server, Role::Auditor, None);
    auditor.send(&path, &[("decision", "retry")]).expect(403);
}

#[test]
fn a_page_says_in_which_section_it_is() {
    let server = Server::start();
    let desk = Desk::enter(&server, Role::Supervisor, None);
    let read = |path: &str| desk.get(path).expect(200).text().replace("&#x2f;", "/");
    let home = read("/");
    let (_, nav) = home.split_once("<nav").unwrap();
    let (nav, _) = nav.split_once("</nav>").unwrap();
    let sections = nav.split("href=\"").skip(1).map(|it| it.split('"').next().unwrap());
    let sections: Vec<&str> = sections.collect();
    assert!(sections.len() > 5, "{nav}");
    for path in sections {
        let current = format!("<a href=\"{path}\" aria-current=\"page\">");
        assert!(read(path).contains(&current), "{path}: {nav}");
    }
    let id = server.issue(&letter("fr"))["id"].as_str().unwrap().to_owned();
    let page = read(&format!("/dossiers/{id}"));
    assert!(page.contains("<a href=\"/dossiers\" aria-current=\"true\">"), "{page}");
}

#[test]
fn every_help_page_is_in_the_index_and_leads_somewhere() {
    let server = Server::start();
    let read =
        |path: &str| server.call("GET", path, &[("authorization", "")], b"").expect(200).text();
    let index = read("/aide");
    let folder = std::fs::read_dir("templates/desk/help").unwrap();
    let mut count = 0;
    for entry in folder {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let name = name.trim_end_matches(".md");
        if name == "index" {
            continue;
        }
        count += 1;
        assert!(index.contains(&format!("href=\"/aide/{name}\"")), "{name} is not in the index");
        let page = read(&format!("/aide/{name}"));
        assert!(page.contains("<h1>") && !page.contains("**"), "{name}: {page}");
        for link in page.split("href=\"/aide/").skip(1) {
            read(&format!("/aide/{}", link.split('"').next().unwrap()));
        }
    }
    assert!(count > 10);
    server.call("GET", "/aide/..%2f..%2flocales%2ffr", &[("authorization", "")], b"").expect(404);
    assert!(source("templates/desk/desk/frame.html.j2").contains("href=\"/aide\""));
}

#[test]
fn a_browser_is_refused_in_words_and_a_program_in_json() {
    let server = Server::start();
    let desk = Desk::enter(&server, Role::Agent, None);
    let html = [("authorization", ""), ("cookie", &*desk.cookie), ("accept", "text/html,*/*")];
    let path = "/envois/019a0000-0000-7000-8000-000000000000";
    let page = server.call("GET", path, &html, b"");
    assert_eq!(page.status, 404);
    assert!(page.headers["content-type"].starts_with("text/html"));
    assert!(page.text().contains("ce n’est pas à votre office"), "{}", page.text());
    assert_eq!(desk.get(path).expect(404).json()["code"], json!("not_found"));
    server.call("GET", "/v1/nothing", &html, b"").expect(404);
}
