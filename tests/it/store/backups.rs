//! Backups: one consistent copy without keys, restored into an empty place of any kind, and nothing sent twice.

use std::fs;
use std::time::Duration;

use paraphe::secret::Secret;
use paraphe::store::{BlobOptions, Chain, Filter, Page, Store, StoreError, make_operator_key};

use super::{all, contract, later, letter};
use crate::database::{Place, on_both};
use crate::harness::at;

on_both! {
    a_backup_is_restored_and_sends_nothing_until_confirmed,
    a_backup_moves_to_the_other_database,
    a_backup_while_work_goes_on_is_one_moment,
    a_backup_after_an_erasure_holds_no_key,
    a_restore_wants_an_empty_place_and_a_whole_backup,
    every_table_is_copied,
}

fn elsewhere(place: &Place, other: Place) -> Place {
    let mut other = other;
    other.options.key = place.options.key.clone();
    other
}

fn same_kind(place: &Place) -> Place {
    elsewhere(place, if place.is_sqlite() { Place::sqlite() } else { new_postgres() })
}

/// Off the runtime's thread, which may not wait.
fn new_postgres() -> Place {
    std::thread::spawn(Place::postgres).join().unwrap()
}

async fn filled(place: &Place) -> Store {
    let store = place.open().await;
    for answer in store.put_many((0..8).map(letter).collect(), at()).await {
        answer.unwrap();
    }
    store.put(contract(9), at()).await.unwrap();
    let first = store.list(&all(), &Filter::default(), Page::default()).await.unwrap();
    let mut replacing = letter(10);
    replacing.replaces = Some(first.last().unwrap().id);
    store.put(replacing, at()).await.unwrap();
    store
}

async fn a_backup_is_restored_and_sends_nothing_until_confirmed(place: Place) {
    let store = filled(&place).await;
    let leases = store.claim("gone", 3, Duration::from_secs(60), at()).await.unwrap();
    assert_eq!(store.transmitting(&[&leases[0]], at()).await.unwrap(), [true]);
    let folder = place.folder.path().join("backup");
    let backup = store.backup(&folder, later(1)).await.unwrap();
    assert_eq!((backup.documents, backup.files), (10, 19));
    let there = same_kind(&place);
    let (copy, told) = Store::restore(&there.options, &folder, later(100)).await.unwrap();
    assert_eq!(told, backup);
    assert!(matches!(copy.verify_chain().await.unwrap(), Chain::Whole { .. }));
    for it in copy.list(&all(), &Filter::default(), Page::default()).await.unwrap() {
        let read = async |from: &Store| from.file(&all(), it.id, None, at()).await.unwrap();
        assert_eq!(read(&copy).await, read(&store).await);
    }
    assert!(copy.control().await.unwrap().paused.unwrap().starts_with("restored"));
    let lease = Duration::from_secs(60);
    assert!(copy.claim("new", 9, lease, later(100)).await.unwrap().is_empty());
    let swept = copy.sweep(later(101)).await.unwrap();
    assert_eq!((swept.ready, swept.in_doubt), (2, 1));
    // The mail server's log: these two left after the backup was taken.
    let sent = vec![leases[0].message_id.clone(), leases[1].message_id.clone(), "<no>".to_owned()];
    assert_eq!(copy.accepted_elsewhere(&all(), sent, later(102)).await.unwrap(), 2);
    copy.pause(&all(), None, later(103)).await.unwrap();
    let left = copy.claim("new", 99, lease, later(104)).await.unwrap();
    assert_eq!(left.len(), 6, "eight, one replaced, one more, two were sent");
    assert!(left.iter().all(|it| it.delivery != leases[0].delivery));
}

async fn a_backup_moves_to_the_other_database(place: Place) {
    let store = filled(&place).await;
    let folder = place.folder.path().join("backup");
    store.backup(&folder, later(1)).await.unwrap();
    let other = if place.is_sqlite() { new_postgres() } else { Place::sqlite() };
    let mut other = elsewhere(&place, other);
    other.options.blobs = BlobOptions::Folder(other.folder.path().join("elsewhere"));
    let (copy, _) = Store::restore(&other.options, &folder, later(2)).await.unwrap();
    let all_of = async |store: &Store| {
        let page = Page { after: None, most: 100 };
        let documents = store.list(&all(), &Filter::default(), page).await.unwrap();
        let mails = store.deliveries(&all(), &Default::default(), page).await.unwrap();
        (format!("{documents:?}"), format!("{mails:?}"))
    };
    assert_eq!(all_of(&copy).await, all_of(&store).await);
}

async fn a_backup_while_work_goes_on_is_one_moment(place: Place) {
    let store = filled(&place).await;
    let folder = place.folder.path().join("backup");
    let more = store.put_many((20..60).map(letter).collect(), later(1));
    let (backup, more) = futures_util::future::join(store.backup(&folder, later(1)), more).await;
    assert!(more.iter().all(Result::is_ok));
    let there = same_kind(&place);
    let (copy, _) = Store::restore(&there.options, &folder, later(2)).await.unwrap();
    let page = Page { after: None, most: 100 };
    let held = copy.list(&all(), &Filter::default(), page).await.unwrap();
    assert_eq!(held.len() as i64, backup.unwrap().documents);
    for it in held {
        copy.file(&all(), it.id, None, at()).await.unwrap();
    }
}

async fn a_backup_after_an_erasure_holds_no_key(place: Place) {
    let store = filled(&place).await;
    let dossier = store.dossier_of("DOSSIER-3").await.unwrap().unwrap();
    store.erase(&all(), &[dossier], "request", later(1)).await.unwrap();
    let folder = place.folder.path().join("backup");
    let backup = store.backup(&folder, later(2)).await.unwrap();
    assert_eq!(backup.files, 17);
    let there = same_kind(&place);
    let (copy, _) = Store::restore(&there.options, &folder, later(3)).await.unwrap();
    assert_eq!(copy.dossier_of("DOSSIER-3").await.unwrap(), None);
    assert!(matches!(copy.erasure(&all(), dossier).await.unwrap_err(), StoreError::Erased));
    let keys: i64 = copy.operator_keys().await.unwrap().values().sum();
    assert_eq!(keys, 10, "ten dossiers and the store's own, less the erased one's");
}

async fn a_restore_wants_an_empty_place_and_a_whole_backup(place: Place) {
    let store = filled(&place).await;
    let folder = place.folder.path().join("backup");
    store.backup(&folder, later(1)).await.unwrap();
    let refused = |it: Result<(Store, _), StoreError>| match it.err() {
        Some(StoreError::Backup(why)) => why,
        other => panic!("{other:?}"),
    };
    let full = refused(Store::restore(&place.options, &folder, later(2)).await);
    assert!(full.contains("not empty"), "{full}");
    let error = store.backup(&folder, later(2)).await.unwrap_err();
    assert!(error.to_string().contains("not empty"), "{error}");
    let mut there = same_kind(&place);
    there.options.key = Secret::new(make_operator_key());
    let error = Store::restore(&there.options, &folder, later(2)).await.err().unwrap();
    assert!(matches!(error, StoreError::KeyMissing(_)), "{error}");
    there.options.key = place.options.key.clone();
    let lost = fs::read_dir(folder.join("files")).unwrap().next().unwrap().unwrap().path();
    fs::rename(&lost, folder.join("lost")).unwrap();
    assert!(Store::restore(&there.options, &folder, later(2)).await.is_err(), "a file is missing");
    fs::rename(folder.join("lost"), &lost).unwrap();
    Store::restore(&there.options, &folder, later(2)).await.unwrap();
    fs::remove_file(folder.join("manifest.json")).unwrap();
    let cut = refused(Store::restore(&same_kind(&place).options, &folder, later(2)).await);
    assert!(cut.contains("no whole backup"), "{cut}");
}

/// A table that a later migration adds must not be forgotten.
async fn every_table_is_copied(place: Place) {
    let store = filled(&place).await;
    let folder = place.folder.path().join("backup");
    store.backup(&folder, later(1)).await.unwrap();
    let first = include_str!("../../../src/store/migrations/sqlite/1_first.sql");
    let access = include_str!("../../../src/store/migrations/sqlite/2_access.sql");
    let expected = include_str!("../../../src/store/migrations/sqlite/4_expected.sql");
    let drafts = include_str!("../../../src/store/migrations/sqlite/5_drafts.sql");
    let links = include_str!("../../../src/store/migrations/sqlite/6_links.sql");
    let made = first.to_owned() + access + expected + drafts + links;
    let made = made.matches("CREATE TABLE ").count();
    let backup = include_str!("../../../src/store/backup.rs");
    let listed = backup.split("TABLES: [(&str, &str); ").nth(1).unwrap();
    assert_eq!(listed.split(']').next().unwrap(), made.to_string());
}
