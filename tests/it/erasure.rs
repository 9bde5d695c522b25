//! A person's file: handed over whole, and after its erasure found nowhere, in the clear or decrypted.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use paraphe::config::Config;
use paraphe::store::{Chain, Store};
use serde_json::Value;

use crate::harness::SHOP;

/// The letter's dossier, and what it says of the person.
const DOSSIER: &str = "069-2026-11873";
const PERSONAL: [&str; 6] =
    [DOSSIER, "SPECIMEN", "Amina", "rue des Lilas", "amina.specimen", "YW1pbmEuc3BlY2ltZW4"];

/// A place of its own: settings and data. Its letter is about a day that is still to come, and has left into a folder.
struct Place {
    folder: tempfile::TempDir,
    database: String,
}

impl Place {
    fn new() -> Self {
        Self::on(|folder| folder.path().join("data/ledger.db").display().to_string())
    }

    fn on(database: impl FnOnce(&tempfile::TempDir) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = database(&folder);
        let place = Self { folder, database };
        let data = place.path("data");
        fs::create_dir(&data).unwrap();
        let settings = format!(
            "data = {data:?}\n[store]\ndatabase = {:?}\n[privacy]\nretention_months = 12\n",
            place.database
        );
        fs::write(place.path("paraphe.toml"), settings).unwrap();
        let letter = crate::harness::paraphe(&["schema", "convocation", "--example"]).stdout;
        fs::write(place.path("letter.json"), letter).unwrap();
        place.ask(&["issue", place.path("letter.json").to_str().unwrap()]);
        place.ask(&["worker", "--drain"]);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The answer of a verb that must do.
    fn ask(&self, args: &[&str]) -> String {
        let (code, out, log) = self.run(args);
        assert_eq!(code, Some(0), "{args:?}: {log}");
        out
    }

    fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let config = self.path("paraphe.toml");
        let output = Command::new(env!("CARGO_BIN_EXE_paraphe"))
            .args(["--config", config.to_str().unwrap(), "--json"])
            .args(args)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    /// Everything that a database says of itself, as a file of the data folder.
    fn dump(&self) {
        if self.database.starts_with("postgres") {
            let dump = self.path("data/dump.sql");
            let done = Command::new("pg_dump").arg(&self.database).arg("-f").arg(dump).status();
            assert!(done.unwrap().success());
        }
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

#[test]
fn after_an_erasure_nothing_of_the_person_is_found_on_sqlite() {
    erased(&Place::new());
}

#[test]
fn after_an_erasure_nothing_of_the_person_is_found_on_postgres() {
    let database = crate::database::new_postgres_database();
    erased(&Place::on(|_| database));
}

fn erased(place: &Place) {
    let plan: Value = serde_json::from_str(&place.ask(&["erase", DOSSIER, "--dry-run"])).unwrap();
    assert_eq!(plan["dossiers"][0]["mails"].as_array().unwrap().len(), 1);
    let mail = plan["mail_files"][0].as_str().unwrap();
    assert!(fs::metadata(mail).unwrap().is_file(), "a dry run erases nothing");
    assert!(found(&place.path("data")).contains("amina.specimen"), "the search finds the mail");
    let id: uuid::Uuid = plan["dossiers"][0]["documents"][0].as_str().unwrap().parse().unwrap();
    let dossier = plan["dossiers"][0]["dossier"].as_str().unwrap();
    let runtime = crate::database::runtime();
    let wrapped = runtime.block_on(wrapped_key(place, dossier)).unwrap();
    place.ask(&["export", DOSSIER, "-o", place.path("before.zip").to_str().unwrap()]);
    place.ask(&["backup", place.path("earlier").to_str().unwrap()]);
    place.ask(&["erase", DOSSIER]);
    place.ask(&["backup", place.path("backup").to_str().unwrap()]);
    place.dump();
    // Whoever has the operator's key opens what its wrapped keys open: the dossier's is nowhere.
    assert!(holds(&place.path("earlier"), &wrapped), "the search finds a key where one is");
    for folder in ["data", "backup"] {
        assert_eq!(found(&place.path(folder)), BTreeSet::new(), "{folder}");
        assert!(!holds(&place.path(folder), &wrapped), "{folder} still opens");
        assert!(fs::read_dir(place.path(folder)).unwrap().next().is_some(), "{folder} is empty");
    }
    let (code, _, said) = place.run(&["export", DOSSIER, "-o", "-"]);
    assert_eq!(code, Some(65), "{said}");
    runtime.block_on(async {
        let (store, now) = (place.store().await, chrono::Utc::now());
        assert!(matches!(store.verify_chain().await.unwrap(), Chain::Whole { .. }));
        let scope = paraphe::store::Scope::all("test");
        assert!(store.file(&scope, id, None, now).await.is_err());
        let held = store.document(&scope, id, now).await.unwrap();
        assert!(held.record.is_none() && held.versions[0].sha256.len() == 64, "the proof stays");
    });
}

/// A dossier's key as the database has it.
async fn wrapped_key(place: &Place, dossier: &str) -> Result<Vec<u8>, sqlx::Error> {
    let sql = "SELECT wrapped FROM keys WHERE id = $1";
    if place.database.starts_with("postgres") {
        let pool = sqlx::PgPool::connect(&place.database).await?;
        return sqlx::query_scalar(sql).bind(dossier).fetch_one(&pool).await;
    }
    let pool = sqlx::SqlitePool::connect(&place.database).await?;
    sqlx::query_scalar(sql).bind(dossier).fetch_one(&pool).await
}

/// Whether bytes stand in the files below a folder, as they are or in hexadecimal digits.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    let hex: String = bytes.iter().map(|it| format!("{it:02x}")).collect();
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, bytes);
        }
        let all = fs::read(path).unwrap();
        all.windows(bytes.len()).any(|it| it == bytes)
            || all.windows(hex.len()).any(|it| it == hex.as_bytes())
    })
}

#[test]
fn by_policy_only_what_was_kept_long_enough_is_erased() {
    let place = Place::new();
    let dossiers = |said: &str| -> usize {
        serde_json::from_str::<Value>(said).unwrap()["dossiers"].as_array().unwrap().len()
    };
    assert_eq!(dossiers(&place.ask(&["erase", "--expired"])), 0);
    let later = (chrono::Utc::now() + chrono::TimeDelta::days(3 * 365)).to_rfc3339();
    assert_eq!(dossiers(&place.ask(&["erase", "--expired", "--dry-run", "--at", &later])), 1);
    assert_eq!(dossiers(&place.ask(&["erase", "--expired", "--at", &later])), 1);
    assert_eq!(dossiers(&place.ask(&["erase", "--expired", "--at", &later])), 0);
}
