//! What breaks: a newer database, a lock, a full disk, a lost connection. Nothing is lost, and it says whose turn it is.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use paraphe::class::Class;
use paraphe::secret::Secret;
use paraphe::store::{
    BlobOptions, Filter, Page, S3Options, Store, StoreError, StoreOptions, make_operator_key,
};
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};

use super::{all, later, letter};
use crate::database::{Place, on_both, run, runtime};
use crate::harness::{at, count};

on_both! {
    a_new_database_may_be_opened_by_several_at_once,
    a_newer_database_is_refused_untouched,
    a_blob_store_that_is_down_loses_nothing,
}

async fn a_new_database_may_be_opened_by_several_at_once(place: Place) {
    let opened = join_all((0..6).map(|_| {
        let options = place.options.clone();
        async move { tokio::spawn(async move { Store::open(&options).await }).await.unwrap() }
    }));
    let stores: Vec<_> = opened.await.into_iter().map(Result::unwrap).collect();
    let puts = join_all(stores.iter().map(|it| it.put(letter(1), at()))).await;
    let first = puts[0].as_ref().unwrap();
    assert!(puts.iter().all(|it| it.as_ref().unwrap() == first), "one key for look-ups");
}

async fn a_newer_database_is_refused_untouched(place: Place) {
    place.open().await.close().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'newer', true, ";
    let bytes = if place.is_sqlite() { "x'00', 0)" } else { "'\\x00', 0)" };
    place.sql(&format!("{newer}{bytes}")).await.unwrap();
    let before = content(&place);
    let error = Store::open(&place.options).await.err().unwrap();
    assert!(matches!(error, StoreError::Newer(9999)), "{error}");
    assert_eq!(error.class(), Class::Us);
    assert!(content(&place) == before, "it was touched");
}

fn content(place: &Place) -> Vec<u8> {
    if place.is_sqlite() {
        return fs::read(&place.options.database).unwrap();
    }
    let dump = Command::new("pg_dump").arg(&place.options.database).output().unwrap();
    assert!(dump.status.success());
    let text = String::from_utf8(dump.stdout).unwrap();
    // Each dump has a key of its own in these lines.
    let lines = text.lines().filter(|it| !it.contains("restrict "));
    lines.collect::<Vec<_>>().join("\n").into()
}

async fn a_blob_store_that_is_down_loses_nothing(mut place: Place) {
    place.options.blobs = BlobOptions::S3(S3Options {
        bucket: "nobody".to_owned(),
        endpoint: "http://127.0.0.1:9".to_owned(), // nobody answers at the discard port
        region: "here".to_owned(),
        access_key: "key".to_owned(),
        secret_key: Secret::new("secret"),
        allow_http: true,
    });
    let store = place.open().await;
    let error = store.put(letter(1), at()).await.unwrap_err();
    assert_eq!(error.class(), Class::Later, "{error}");
    assert!(store.list(&all(), &Filter::default(), Page::default()).await.unwrap().is_empty());
    assert!(store.queue(at()).await.unwrap().counts.is_empty());
}

#[test]
fn a_locked_database_is_waited_for_and_then_later() {
    run(Place::sqlite(), async |place| {
        let store = place.open().await;
        let path = &place.options.database;
        let mut other = SqliteConnection::connect(path).await.unwrap();
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        let put = tokio::spawn({
            let store = store.clone();
            async move { store.put(letter(1), at()).await }
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        other.execute("ROLLBACK").await.unwrap();
        put.await.unwrap().unwrap();
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        let error = store.put(letter(2), at()).await.unwrap_err();
        assert_eq!(error.class(), Class::Later, "{error}");
        other.execute("ROLLBACK").await.unwrap();
        store.put(letter(2), at()).await.unwrap();
        let held = store.list(&all(), &Filter::default(), Page::default()).await.unwrap();
        assert_eq!(held.len(), 2);
    });
}

/// The server ends every connection again and again; callers that were told `Later` come again.
#[test]
fn lost_connections_lose_nothing() {
    run(Place::postgres(), async |place| {
        let store = place.open().await;
        let stop = Arc::new(AtomicBool::new(false));
        let address = place.options.database.clone();
        let ends = stop.clone();
        let killer = tokio::spawn(async move {
            let mut connection = PgConnection::connect(&address).await.unwrap();
            let mut killed = 0;
            while !ends.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(40)).await;
                let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                           WHERE datname = current_database() AND pid <> pg_backend_pid()";
                killed += connection.fetch_all(sql).await.unwrap().len();
            }
            killed
        });
        let mut told_later = 0;
        for chunk in 0..count(6, 60) {
            let put = async |number| {
                let mut later_times = 0;
                loop {
                    match store.put(letter(number), at()).await {
                        Ok(_) => return later_times,
                        Err(error) => assert_eq!(error.class(), Class::Later, "{error}"),
                    }
                    later_times += 1;
                }
            };
            let times = join_all((chunk * 20..(chunk + 1) * 20).map(put)).await;
            told_later += times.iter().sum::<u32>();
        }
        stop.store(true, Ordering::Relaxed);
        assert!(killer.await.unwrap() > 0);
        println!("told to come later {told_later} times");
        let page = Page { after: None, most: 10_000 };
        let held = store.list(&all(), &Filter::default(), page).await.unwrap();
        assert_eq!(held.len(), count(6, 60) as usize * 20);
        assert_eq!(store.queue(later(1)).await.unwrap().counts["ready"], held.len() as i64);
        store.verify_chain().await.unwrap();
    });
}

/// A process whose files may not grow: what it had a receipt for is there, and nothing half.
#[test]
fn a_full_disk_loses_nothing() {
    let place = Place::sqlite();
    let key = make_operator_key();
    let script = "ulimit -f 3000; trap '' XFSZ; exec \"$0\" --exact --ignored --nocapture \
                  store::faults::put_until_the_disk_is_full";
    let child = Command::new("bash")
        .args(["-c", script, std::env::current_exe().unwrap().to_str().unwrap()])
        .env("PARAPHE_TEST_PLACE", place.folder.path())
        .env("PARAPHE_TEST_KEY", &key)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned();
    assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stderr));
    let put: i64 =
        said.split("receipts: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    assert!(put > 3, "{said}");
    runtime().block_on(async {
        let store =
            Store::open(&options(&place.folder.path().to_string_lossy(), &key)).await.unwrap();
        let page = Page { after: None, most: 10_000 };
        let held = store.list(&all(), &Filter::default(), page).await.unwrap();
        assert_eq!(held.len() as i64, put);
        assert_eq!(store.queue(at()).await.unwrap().counts["ready"], put);
        for it in held {
            store.file(&all(), it.id, None, at()).await.unwrap();
        }
        store.verify_chain().await.unwrap();
        store.put(letter(100_000), at()).await.unwrap();
    });
}

#[test]
#[ignore = "is run by a_full_disk_loses_nothing in a process of its own"]
fn put_until_the_disk_is_full() {
    let [place, key] =
        ["PARAPHE_TEST_PLACE", "PARAPHE_TEST_KEY"].map(|it| std::env::var(it).unwrap());
    runtime().block_on(async {
        let store = Store::open(&options(&place, &key)).await.unwrap();
        for number in 0..100_000 {
            if let Err(error) = store.put(letter(number), at()).await {
                assert_eq!(error.class(), Class::Later, "{error:?}");
                println!("receipts: {number}\n{error}");
                return;
            }
        }
        panic!("the disk was never full");
    });
}

fn options(folder: &str, key: &str) -> StoreOptions {
    StoreOptions {
        database: format!("{folder}/ledger.sqlite"),
        blobs: BlobOptions::Folder(format!("{folder}/blobs").into()),
        key: Secret::new(key),
        older_keys: Vec::new(),
    }
}
