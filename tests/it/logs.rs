//! What is logged names nobody and opens nothing: a whole day's work at the level `debug`, then everything is looked for.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use paraphe::seal::SealedPdf;
use serde_json::{Value, json};

use crate::deliver::server::{Fault, Server};
use crate::harness::free_port;
use crate::http::server::{Answer, ask};

/// A password of a person's certificate, and a key that somebody guesses.
const PASSWORD: &str = "mot-de-passe-du-prefet";
const GUESSED: &str = "paraphe_live_cle-devinee";

/// A service as it runs in production: its own process, its log a file.
struct Service {
    folder: tempfile::TempDir,
    process: Option<Child>,
    address: String,
    key: String,
}

impl Service {
    fn start(smtp: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = "set -e
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout seal.key -out seal.crt \
                -days 30 -subj '/CN=Test seal' 2>/dev/null
            cat seal.key seal.crt > seal.pem
            openssl pkcs12 -export -inkey seal.key -in seal.crt -out person.p12 -passout \"pass:$0\"";
        let mut make = Command::new("bash");
        make.args(["-c", script, PASSWORD]).current_dir(folder.path());
        assert!(make.status().unwrap().success());
        let root = folder.path().display();
        let free = || format!("127.0.0.1:{}", free_port());
        let [listen, public, metrics] = [free(), free(), free()];
        let text = format!(
            "mode = \"production\"\ndata = \"{root}/data\"\nverify_url = \"https://example.org/v/\"\n\
             [languages]\naccepted_drafts = [\"fr\", \"ar\"]\n\
             [store]\nkey_file = \"{root}/operator.key\"\n[seal]\nkey_file = \"{root}/seal.pem\"\n\
             [privacy]\ncontact = \"donnees@example.org\"\nretention_months = 60\n\
             [http]\nlisten = \"{listen}\"\npublic_listen = \"{public}\"\nmetrics_listen = \"{metrics}\"\n\
             [mail]\nsweep_seconds = 1\nfirst_retry_seconds = 1\n\
             [mail.smtp]\nhost = \"localhost\"\nport = {smtp}\nsecurity = \"none\"\n"
        );
        fs::write(folder.path().join("paraphe.toml"), text).unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        let address = format!("http://{listen}");
        let mut this = Self { folder, process: None, address, key: String::new() };
        let key = this.path("operator.key");
        this.run(&["keys", "new", key.to_str().unwrap()]);
        this.key = this.run(&["keys", "api", "--name", "test"]).trim().to_owned();
        let mut serve = this.command(&["serve"]);
        let log = |name: &str| Stdio::from(File::create(this.path(name)).unwrap());
        serve.stdin(Stdio::null()).stdout(log("serve.out")).stderr(log("serve.log"));
        // As where systemd keeps what is printed.
        let out = fs::metadata(this.path("serve.out")).unwrap();
        serve.env("JOURNAL_STREAM", format!("{}:{}", out.dev(), out.ino()));
        this.process = Some(serve.spawn().unwrap());
        for _ in 0..300 {
            if std::net::TcpStream::connect(&listen).is_ok() {
                return this;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("it does not listen: {}", this.log());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paraphe"));
        command.arg("--config").arg(self.path("paraphe.toml"));
        command.args(["--log", "json", "--log-filter", "debug"]).args(args);
        command
    }

    /// The answer of a verb that must do; its log is kept with the service's.
    fn run(&self, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {log}");
        let kept = self.path("verbs.log");
        let before = fs::read_to_string(&kept).unwrap_or_default();
        fs::write(kept, before + &log).unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let key = format!("Bearer {}", self.key);
        let mut all = BTreeMap::from([("authorization", key.as_str())]);
        all.insert("content-type", "application/json");
        all.extend(headers.iter().copied());
        all.retain(|_, value| !value.is_empty());
        ask(method, &format!("{}{path}", self.address), &all, body)
    }

    /// Everything that was printed into logs.
    fn log(&self) -> String {
        let read = |name| fs::read_to_string(self.path(name)).unwrap_or_default();
        ["serve.out", "serve.log", "verbs.log"].map(read).concat()
    }

    fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        let told = Command::new("kill").arg(process.id().to_string()).status();
        assert!(told.unwrap().success());
        assert!(process.wait().unwrap().success(), "{}", self.log());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Issues the example of a contract and has everybody sign it.
fn contract(service: &Service) {
    let data = service.run(&["schema", "cai", "--example"]);
    let receipt = service.call("POST", "/v1/documents", &[], data.as_bytes()).expect(201).json();
    let id = receipt["id"].as_str().unwrap();
    let pkcs12 = STANDARD.encode(fs::read(service.path("person.p12")).unwrap());
    for version in 1.. {
        let file = service.call("GET", &format!("/v1/documents/{id}/file"), &[], b"").expect(200);
        let file = SealedPdf::read(file.body).unwrap();
        let Some(field) = file.turn().0.first().cloned() else { break };
        let shown = file.hash();
        let body = if field == "authority" {
            json!({ "field": field, "act": "certificate",
                "certificate": { "pkcs12": pkcs12, "password": PASSWORD, "shown": shown } })
        } else {
            json!({ "field": field, "act": "strokes",
                "strokes": { "width": 300, "height": 100, "lines": [[[10, 80], [60, 20], [90, 70]]] },
                "evidence": { "agent": "A-17", "language": "fr", "presented": "read", "device": "tablet 3",
                    "signed_at": chrono::Utc::now(), "shown": shown } })
        };
        let path = format!("/v1/documents/{id}/signatures");
        let tag = format!("\"v{version}\"");
        let body = body.to_string();
        let wrong = body.replace(PASSWORD, "faux-mot-de-passe");
        if wrong != body {
            service.call("POST", &path, &[("if-match", &tag)], wrong.as_bytes()).expect(422);
        }
        service.call("POST", &path, &[("if-match", &tag)], body.as_bytes()).expect(201);
    }
}

/// What must not stand in a log: texts of the data below these names, and what opens something.
fn personal(data: &Value, words: &mut Vec<String>) {
    const NAMES: [&str; 9] = [
        "family_name",
        "given_names",
        "email",
        "foreigner_number",
        "lines",
        "town",
        "name",
        "reference",
        "dossier",
    ];
    match data {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if NAMES.contains(&name.as_str()) => {
                        words.push(text.clone())
                    }
                    Value::Array(texts) if name == "lines" => {
                        words.extend(texts.iter().filter_map(Value::as_str).map(str::to_owned));
                    }
                    other => personal(other, words),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|it| personal(it, words)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_work_leaves_no_name_and_no_secret_in_the_log() {
    let mail = Server::start(Fault::SaysWhom).await;
    let mut service = Service::start(mail.port);
    let mut words = Vec::new();
    for kind in ["cai", "convocation"] {
        let example: Value =
            serde_json::from_str(&service.run(&["schema", kind, "--example"])).unwrap();
        personal(&example, &mut words);
    }
    // In: by a link, by a key, and by neither.
    let link = service.run(&["keys", "link"]).trim().to_owned();
    words.push(link.split_once("code=").unwrap().1.to_owned());
    let entered = ask("GET", &link, &BTreeMap::new(), b"");
    assert_eq!(entered.status, 303);
    let cookie = entered.headers["set-cookie"].split(';').next().unwrap().to_owned();
    words.push(cookie.split_once('=').unwrap().1.to_owned());
    let session = [("authorization", ""), ("cookie", cookie.as_str())];
    service.call("GET", "/v1/documents", &session, b"").expect(200);
    let guess = format!("Bearer {GUESSED}");
    service.call("GET", "/v1/documents", &[("authorization", &guess)], b"").expect(401);
    contract(&service);
    let rows = service.run(&["schema", "convocation", "--csv"]);
    let merge = [("content-type", "text/csv")];
    let begun = service.call("POST", "/v1/merges?file=rows.csv", &merge, rows.as_bytes());
    assert!(begun.status == 201, "{}", begun.text());
    let bad = rows.replace("69003", "99999");
    service.call("POST", "/v1/merges?file=bad.csv", &merge, bad.as_bytes()).expect(422);
    service.call("POST", "/v1/documents", &[], b"{\"applicant\": \"SPECIMEN Amina\"}").expect(422);
    for word in ["SPECIMEN", "069-2026-11873", "amina.specimen@example.org"] {
        service.call("GET", &format!("/v1/documents?dossier={word}"), &[], b"").expect(200);
    }
    for _ in 0..600 {
        if mail.kept().len() >= 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(mail.kept().len() >= 2, "{} mails: {}", mail.kept().len(), service.log());
    assert!(mail.commands().iter().filter(|it| it.starts_with("RCPT")).count() > 4, "no failure");
    let list = format!("/v1/merges/{}", begun.json()["id"].as_str().unwrap());
    for _ in 0..600 {
        if service.call("GET", &list, &[], b"").expect(200).json()["merge"]["state"] == "done" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    service.stop();
    let dossier = service.run(&["erase", "069-2026-11873", "--dry-run"]);
    assert!(dossier.contains("documents"));

    let secret = fs::read_to_string(service.path("operator.key")).unwrap();
    words.extend(
        [PASSWORD, GUESSED, "faux-mot-de-passe", &service.key, secret.trim()].map(str::to_owned),
    );
    words.sort();
    words.dedup();
    let log = service.log();
    assert!(words.len() > 15, "{words:?}");
    for part in ["answered", "mail does not leave", "sqlx", "Paraphe listens"] {
        assert!(log.contains(part), "{part} is not logged: {log}");
    }
    let found: Vec<_> = words.iter().filter(|it| stands(&log, it)).collect();
    assert!(found.is_empty(), "{found:?} in the log:\n{}", lines(&log, &found));
    assert!(stands(&(log + "to AMINA.SPECIMEN@example.org"), "amina.specimen@example.org"));
    everything_is_json(&service.path("serve.log"));
}

/// Whether a text stands in a log, as it is or in Base64; short ones of common words do not count.
fn stands(log: &str, text: &str) -> bool {
    let encoded = STANDARD.encode(text);
    let encoded = encoded.trim_end_matches('=');
    let log = log.to_lowercase();
    text.len() > 3
        && (log.contains(&text.to_lowercase())
            || log.contains(&encoded[..encoded.len() - 1].to_lowercase()))
}

fn lines(log: &str, words: &[&String]) -> String {
    let named = |line: &&str| words.iter().any(|it| stands(line, it));
    log.lines().filter(named).collect::<Vec<_>>().join("\n")
}

fn everything_is_json(log: &Path) {
    for line in fs::read_to_string(log).unwrap().lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "no JSON: {line}");
    }
}
