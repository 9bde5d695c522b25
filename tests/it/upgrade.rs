//! From the first schema on: what an older program kept is there, is read and verifies, and work goes on meanwhile.
//!
//! `tests/fixtures/upgrade` was made by the last program of schema 1: a letter whose mail waits and a contract that
//! nobody has signed, on SQLite and, restored from its backup, on PostgreSQL.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use paraphe::deliver::worker::{WorkerOptions, run};
use paraphe::deliver::{Clock, Memory, Transport};
use paraphe::document::Document;
use paraphe::seal::verify::{Trust, verify};
use paraphe::seal::{SealedPdf, TestAuthority};
use paraphe::secret::Secret;
use paraphe::store::{BlobOptions, Chain, DeliveryState, Filter, Page, Store};
use tokio::sync::watch;

use crate::database::{Place, on_both};
use crate::harness::{SHOP, at, count, source, source_path};
use crate::store::{all, letter};

on_both! {
    what_the_first_schema_kept_is_there_and_verifies,
    an_older_version_issues_and_sends_on_while_the_newer_migrates,
}

const FIXTURE: &str = "tests/fixtures/upgrade";

/// The place as the older program left it.
async fn older(place: &mut Place) {
    let dump = if place.is_sqlite() { "sqlite.sql" } else { "postgres.sql" };
    if place.is_sqlite() {
        fs::write(&place.options.database, "").unwrap();
    }
    place.sql(&source(&format!("{FIXTURE}/{dump}"))).await.unwrap();
    let blobs = place.folder.path().join("blobs");
    copy(&source_path(FIXTURE).join("blobs"), &blobs);
    place.options.blobs = BlobOptions::Folder(blobs);
    place.options.key = Secret::new(source(&format!("{FIXTURE}/operator.key")));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = (entry.as_ref().unwrap().path(), entry.unwrap().file_name());
        match path.is_dir() {
            true => copy(&path, &to.join(name)),
            false => fs::copy(&path, to.join(name)).map(|_| ()).unwrap(),
        }
    }
}

async fn what_the_first_schema_kept_is_there_and_verifies(mut place: Place) {
    older(&mut place).await;
    let look = Store::look(&place.options).await.unwrap();
    assert_eq!((look.schema, look.missing_keys.len()), (Some(1), 0));
    let again = Store::look(&place.options).await.unwrap();
    assert_eq!(again.schema, Some(1), "a look migrates nothing");
    let store = place.open().await;
    let look = Store::look(&place.options).await.unwrap();
    assert_eq!(look.schema, Some(look.newest));
    let held = store.list(&all(), &Filter::default(), Page::default()).await.unwrap();
    assert_eq!(held.len(), 2);
    for it in &held {
        let data = store.data(&all(), it.id, at()).await.unwrap();
        assert!(Document::check(&data, &SHOP.rulebook, it.created_at).is_ok(), "it is read");
        let file = store.file(&all(), it.id, None, at()).await.unwrap();
        let file = SealedPdf::read(file).unwrap();
        let found = store.document(&all(), it.id, at()).await.unwrap();
        assert_eq!(found.versions[0].sha256, file.hash());
        if found.record.unwrap().kind == "cai" {
            let report = verify(file.bytes(), &trust(), at());
            assert!(report.is_valid(), "{report:#?}");
            assert_eq!(file.turn().0.first().map(String::as_str), Some("applicant"));
        }
    }
    assert!(matches!(store.verify_chain().await.unwrap(), Chain::Whole { .. }));
    store.pause(&all(), None, at()).await.unwrap(); // the copy on PostgreSQL was restored
    let leases = store.claim("new", 9, Duration::from_secs(60), at()).await.unwrap();
    assert_eq!(leases.len(), 1);
    let mail = store.message(&leases[0]).await.unwrap();
    assert!(String::from_utf8_lossy(&mail).contains("Message-ID: <"));
}

/// Whom the older program sealed by.
fn trust() -> Trust {
    let digits = source(&format!("{FIXTURE}/test-authority.key"));
    let digit = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap();
    let authority = TestAuthority::from_seed(std::array::from_fn(digit)).unwrap();
    let mut trust = Trust::nobody();
    trust.add(authority.root().der()).unwrap();
    trust
}

/// The statements that issue a letter and send its mail are the same since the first schema, so a store that was opened
/// before it is taken back to that schema is an older one. It issues and sends while another migrates and issues; each
/// letter is kept and leaves once.
async fn an_older_version_issues_and_sends_on_while_the_newer_migrates(place: Place) {
    let older = place.open().await;
    let letters = count(60, 2000);
    for answer in older.put_many((0..letters).map(letter).collect(), at()).await {
        answer.unwrap();
    }
    older.set_rate(Some(10 * letters)).await.unwrap(); // so that it has them for six seconds
    place.sql(&back_to_the_first_schema(place.is_sqlite())).await.unwrap();
    assert_eq!(Store::look(&place.options).await.unwrap().schema, Some(1));
    let (stop, stopped) = watch::channel(false);
    let transport = Arc::new(Transport::Memory(Memory::default()));
    let begun = Utc::now();
    let clock = Clock::new(move || at() + (Utc::now() - begun));
    let options = WorkerOptions { poll: 1, sweep: 1, ..WorkerOptions::default() };
    let sending =
        tokio::spawn(run(older.clone(), transport.clone(), options, "older", clock, stopped));
    let Transport::Memory(sent) = &*transport else { unreachable!() };
    while sent.messages().len() < 5 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (migrated, mut told) = watch::channel(false);
    let store = older.clone();
    let issuing = tokio::spawn(async move {
        let mut issued = 0;
        while !*told.borrow_and_update() || issued < 10 {
            store.put(letter(2 * letters + issued), at()).await.unwrap();
            issued += 1;
        }
        issued
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let newer = place.open().await;
    tokio::time::sleep(Duration::from_millis(50)).await; // on the newer schema, too
    migrated.send(true).unwrap();
    let total = 2 * letters + issuing.await.unwrap();
    assert!(sent.messages().len() < letters as usize, "it was to migrate under load");
    let look = Store::look(&place.options).await.unwrap();
    assert_eq!(look.schema, Some(look.newest));
    newer.set_rate(None).await.unwrap();
    for answer in newer.put_many((letters..2 * letters).map(letter).collect(), at()).await {
        answer.unwrap();
    }
    let all_sent = async {
        while newer.queue(at()).await.unwrap().counts.get("accepted") != Some(&i64::from(total)) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), all_sent).await.expect("all leave");
    stop.send(true).unwrap();
    sending.await.unwrap();
    let mut recipients: Vec<_> = sent.messages().into_iter().map(|it| it.0).collect();
    recipients.sort();
    recipients.dedup();
    assert_eq!((recipients.len(), sent.messages().len()), (total as usize, total as usize));
    let swept = newer.sweep(at() + TimeDelta::hours(9)).await.unwrap();
    assert_eq!((swept.ready, swept.in_doubt), (0, 0), "nothing is left under way");
    let states = newer.queue(at()).await.unwrap().counts;
    assert_eq!(states.keys().collect::<Vec<_>>(), [DeliveryState::Accepted.as_str()]);
    assert!(matches!(newer.verify_chain().await.unwrap(), Chain::Whole { .. }));
}

/// The migrations after the first, statement by statement.
fn later_statements(sqlite: bool) -> Vec<String> {
    let folder = if sqlite { "sqlite" } else { "postgres" };
    let folder = source_path("src/store/migrations").join(folder);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    let later = files.iter().filter(|it| !it.ends_with("1_first.sql"));
    let text: String = later.map(|it| fs::read_to_string(it).unwrap() + "\n").collect();
    statements(&text)
}

fn statements(text: &str) -> Vec<String> {
    let lines = text.lines().map(|it| it.split("--").next().unwrap().trim());
    let text = lines.collect::<Vec<_>>().join(" ");
    text.split(';').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

fn back_to_the_first_schema(sqlite: bool) -> String {
    let undo = |it: &String| {
        let words: Vec<_> = it.split_whitespace().collect();
        match words[..] {
            ["CREATE", kind, name, ..] => format!("DROP {kind} {name};"),
            ["ALTER", "TABLE", table, "ADD", "COLUMN", name, ..] => {
                format!("ALTER TABLE {table} DROP COLUMN {name};")
            }
            _ => String::new(),
        }
    };
    let undone: String = later_statements(sqlite).iter().rev().map(undo).collect();
    undone + "DELETE FROM _sqlx_migrations WHERE version > 1;"
}

/// Why a statement may break an older program that is still at work; none when it only adds what that one need not
/// know: a table, an index that forbids nothing, a column that fills itself.
fn breaks(statement: &str) -> bool {
    let words: Vec<_> = statement.split_whitespace().collect();
    let adds = matches!(
        words[..],
        ["CREATE", "TABLE" | "INDEX", ..] | ["ALTER", "TABLE", _, "ADD", "COLUMN", ..]
    );
    !adds
        || (words[0] == "ALTER" && statement.contains("NOT NULL") && !statement.contains("DEFAULT"))
}

#[test]
fn migrations_only_add() {
    for sqlite in [true, false] {
        let statements = later_statements(sqlite);
        assert!(statements.len() > 10);
        for it in statements {
            assert!(!breaks(&it), "an older program at work would not survive: {it}");
        }
    }
    for red in [
        "DROP TABLE seats",
        "ALTER TABLE deliveries RENAME COLUMN fence TO number",
        "ALTER TABLE deliveries ADD COLUMN lane TEXT NOT NULL",
        "CREATE UNIQUE INDEX one ON deliveries (worker)",
        "UPDATE deliveries SET state = 'ready'",
    ] {
        assert!(breaks(red), "not seen: {red}");
    }
}
