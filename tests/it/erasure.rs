//! A person's file: handed over whole, kept out of the log, and after its erasure found nowhere.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use paraphe::config::Config;
use paraphe::store::{Chain, Store};
use serde_json::Value;

use crate::harness::{SHOP, letter};

const AT: &str = "2026-03-02T09:00:00+01:00";
/// The letter's dossier, and what it says of the person.
const DOSSIER: &str = "069-2026-11873";
const PERSONAL: [&str; 6] =
    [DOSSIER, "SPECIMEN", "Amina", "rue des Lilas", "amina.specimen", "YW1pbmEuc3BlY2ltZW4"];

/// A place of its own: settings, data, and outside of it the folder that mails leave into.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        let (data, mail) = (place.path("data"), place.path("left"));
        let settings = format!(
            "data = {data:?}\n[mail]\nfolder = {mail:?}\n[privacy]\nretention_months = 12\n"
        );
        fs::write(place.path("paraphe.toml"), settings).unwrap();
        fs::write(place.path("letter.json"), letter("ar").to_string()).unwrap();
        place.ask(&["issue", place.path("letter.json").to_str().unwrap()]);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Answer and log of a verb that must do.
    fn ask(&self, args: &[&str]) -> (String, String) {
        let (code, out, log) = self.run(args);
        assert_eq!(code, Some(0), "{args:?}: {log}");
        (out, log)
    }

    fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let config = self.path("paraphe.toml");
        let output = Command::new(env!("CARGO_BIN_EXE_paraphe"))
            .args(["--config", config.to_str().unwrap(), "--log-filter", "debug", "--json"])
            .args(["--at", AT])
            .args(args)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    async fn store(&self) -> Store {
        let settings = self.path("paraphe.toml");
        let config = Config::read(&settings, &SHOP.rulebook.explanations, "en").unwrap();
        Store::open(&config.store_options().unwrap()).await.unwrap()
    }
}

/// What of the person stands in the files below a folder, in their names too.
fn found(folder: &Path) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    let mut look = |bytes: &[u8]| {
        let holds = |word: &&str| bytes.windows(word.len()).any(|it| it == word.as_bytes());
        found.extend(PERSONAL.into_iter().filter(holds));
    };
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            look(path.to_string_lossy().as_bytes());
            if path.is_dir() {
                folders.push(path);
            } else {
                look(&fs::read(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn a_file_is_handed_over_whole_with_its_index() {
    let place = Place::new();
    let file = place.path("person.zip");
    place.ask(&["export", DOSSIER, "-o", file.to_str().unwrap()]);
    let mut archive = zip::ZipArchive::new(fs::File::open(&file).unwrap()).unwrap();
    let mut read = |name: &str| {
        let mut bytes = Vec::new();
        archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    let index: Value = serde_json::from_slice(&read("index.json")).unwrap();
    let document = &index["documents"][0];
    let data = read(document["data"].as_str().unwrap());
    assert_eq!(
        serde_json::from_slice::<Value>(&data).unwrap()["applicant"]["given_names"],
        "Amina"
    );
    assert!(read(document["files"][0].as_str().unwrap()).starts_with(b"%PDF-1.7"));
    let mail = &document["mails"][0];
    assert_eq!(mail["mail"]["recipient"], "amina.specimen@example.org");
    let bytes = read(mail["file"].as_str().unwrap());
    assert!(bytes.windows(14).any(|it| it == b"amina.specimen"), "the mail is the mail");
    assert_eq!(document["events"][0]["action"], "issued");
    // The search of this test sees what it looks for: in the archive everything stands in the clear.
    fs::create_dir(place.path("clear")).unwrap();
    fs::rename(file, place.path("clear/person.zip")).unwrap();
    assert!(found(&place.path("clear")).len() > 3, "{:?}", found(&place.path("clear")));
}

#[tokio::test]
async fn after_an_erasure_nothing_of_the_person_is_found() {
    let place = Place::new();
    let (plan, _) = place.ask(&["erase", DOSSIER, "--dry-run"]);
    let plan: Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(plan["dossiers"][0]["mails"], 1);
    let id: uuid::Uuid = plan["dossiers"][0]["documents"][0].as_str().unwrap().parse().unwrap();
    place.ask(&["export", DOSSIER, "-o", place.path("before.zip").to_str().unwrap()]);
    place.ask(&["erase", DOSSIER]);
    place.ask(&["backup", place.path("backup").to_str().unwrap()]);
    for folder in ["data", "backup"] {
        assert_eq!(found(&place.path(folder)), BTreeSet::new(), "{folder}");
        assert!(fs::read_dir(place.path(folder)).unwrap().next().is_some(), "{folder} is empty");
    }
    let (code, _, said) = place.run(&["export", DOSSIER, "-o", "-"]);
    assert_eq!(code, Some(65), "{said}");
    let store = place.store().await;
    assert!(matches!(store.verify_chain().await.unwrap(), Chain::Whole { .. }));
    let scope = paraphe::store::Scope::all("test");
    assert!(store.file(&scope, id, None, AT.parse().unwrap()).await.is_err());
    let held = store.document(&scope, id, AT.parse().unwrap()).await.unwrap();
    assert!(held.record.is_none() && held.versions[0].sha256.len() == 64, "the proof stays");
}

#[test]
fn by_policy_only_what_was_kept_long_enough_is_erased() {
    let place = Place::new();
    let (kept, _) = place.ask(&["erase", "--expired"]);
    assert_eq!(serde_json::from_str::<Value>(&kept).unwrap()["dossiers"], serde_json::json!([]));
    let config = place.path("paraphe.toml");
    let config = config.to_str().unwrap();
    let late = ["erase", "--expired", "--json", "--config", config, "--at", "2028-01-01T09:00:00Z"];
    let output = crate::harness::paraphe(&late);
    let erased: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(erased["dossiers"].as_array().unwrap().len(), 1, "{erased}");
}

#[test]
fn the_log_names_nobody() {
    let place = Place::new();
    let mut log = String::new();
    let letter = place.path("letter.json");
    log += &place.ask(&["issue", letter.to_str().unwrap()]).1;
    log += &place.ask(&["worker", "--drain"]).1;
    log += &place.ask(&["deliveries", "list"]).1;
    log += &place.ask(&["erase", DOSSIER]).1;
    assert!(log.lines().count() > 3, "the log was not written: {log}");
    for word in PERSONAL {
        assert!(!log.contains(word), "{word}: {log}");
    }
}
