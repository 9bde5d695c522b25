//! Nothing of a person stands in the clear; what is erased is gone; keys change; the audit trail shows every change.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use paraphe::class::Class;
use paraphe::secret::Secret;
use paraphe::store::{
    By, Chain, Filter, Outcome, Page, Retention, Scope, State, Store, StoreError, fingerprint,
    make_operator_key,
};
use uuid::Uuid;

use super::{all, later, letter};
use crate::database::{Place, on_both};
use crate::harness::at;

on_both! {
    nothing_of_a_person_stands_in_the_clear,
    an_erased_dossier_cannot_be_read_and_its_proof_stays,
    a_policy_says_what_is_due,
    the_operators_key_changes_without_a_pause,
    a_wrong_key_opens_nothing,
    the_trail_shows_what_was_changed,
    the_trail_cannot_be_changed_by_mistake,
    a_changed_file_is_seen,
    orphans_are_swept_and_files_in_use_are_not,
}

/// What stands in the entries of the tests and must not be found.
const PERSONAL: [&str; 5] = ["SPECIMEN", "specimen", "example.org>", "DOSSIER", "REF-"];

async fn filled(place: &Place) -> Store {
    let store = place.open().await;
    for answer in store.put_many((0..5).map(letter).collect(), at()).await {
        answer.unwrap();
    }
    let lease = store.claim("one", 1, Duration::from_secs(60), at()).await.unwrap().remove(0);
    let reply = format!("550 <{}> unknown", lease.recipient);
    assert!(store.settle(&lease, &Outcome::Failed { reply }, at()).await.unwrap());
    store
}

/// The bytes of all files below a folder, and of the database's content.
fn everything(place: &Place) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut folders = vec![place.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                bytes.extend(fs::read(path).unwrap());
            }
        }
    }
    if !place.is_sqlite() {
        let dump = Command::new("pg_dump").arg(&place.options.database).output().unwrap();
        assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
        bytes.extend(dump.stdout);
    }
    bytes
}

/// Whether a text stands in bytes, as it is or in hexadecimal digits.
fn contains(bytes: &[u8], text: &str) -> bool {
    let hex: String = text.bytes().map(|it| format!("{it:02x}")).collect();
    contains_bytes(bytes, text.as_bytes()) || contains_bytes(bytes, hex.as_bytes())
}

fn contains_bytes(bytes: &[u8], part: &[u8]) -> bool {
    // As text of one character a byte: the standard library's search of texts is a quick one.
    let [all, part] =
        [bytes, part].map(|it| it.iter().map(|it| char::from(*it)).collect::<String>());
    all.contains(&part)
}

async fn wrapped_key(place: &Place, dossier: Uuid) -> Vec<u8> {
    let sql = format!("SELECT wrapped FROM keys WHERE id = '{dossier}'");
    place.bytes(&sql).await
}

async fn nothing_of_a_person_stands_in_the_clear(place: Place) {
    let store = filled(&place).await;
    let open = everything(&place); // with the log of writes not yet in the file
    store.close().await;
    let closed = everything(&place);
    if !place.is_sqlite() {
        // What the server keeps of all this, its log of writes included.
        place.sql("CHECKPOINT").await.unwrap();
        let cluster = place.options.database.split("host=").nth(1).unwrap();
        let found = |word: &str| {
            let grep = Command::new("grep").args(["-rqaF", word]).arg(cluster).status();
            grep.unwrap().code() == Some(0)
        };
        assert!(found("medical_visit"), "the search finds what is there");
        for word in PERSONAL.iter().filter(|it| **it != "example.org>") {
            assert!(!found(word), "{word} stands in the clear");
        }
    }
    for bytes in [open, closed] {
        assert!(contains(&bytes, "medical_visit"), "the search finds what is there");
        for word in PERSONAL.iter().filter(|it| **it != "example.org>") {
            assert!(!contains(&bytes, word), "{word} stands in the clear");
        }
        assert!(!contains(&bytes, "9900000001"), "the person's number stands in the clear");
    }
}

async fn an_erased_dossier_cannot_be_read_and_its_proof_stays(place: Place) {
    let store = filled(&place).await;
    let by = |it: &str| Filter { by: Some(By::Any(it.to_owned())), ..Filter::default() };
    let found = store.list(&all(), &by("DOSSIER-2"), Page::default()).await.unwrap();
    let id = found[0].id;
    let before = store.document(&all(), id, at()).await.unwrap();
    let dossier = store.dossier_of("DOSSIER-2").await.unwrap().unwrap();
    let lyon = Scope::offices("agent", ["lyon"]);
    assert!(matches!(store.erasure(&lyon, dossier).await.unwrap_err(), StoreError::NotFound(_)));
    let dry = store.erasure(&all(), dossier).await.unwrap();
    assert_eq!((dry.documents.clone(), dry.mails.len(), dry.files), (vec![id], 1, 2));
    assert!(store.file(&all(), id, None, at()).await.is_ok(), "a dry run");
    let other = store.dossier_of("DOSSIER-3").await.unwrap().unwrap();
    let [forgotten, kept] = [dossier, other].map(|it| wrapped_key(&place, it));
    let (forgotten, kept) = (forgotten.await, kept.await);
    assert_eq!(store.erase(&all(), &[dossier], "request", later(1)).await.unwrap(), [dry]);
    for error in [
        store.file(&all(), id, None, at()).await.unwrap_err(),
        store.data(&all(), id, at()).await.unwrap_err(),
        store.erase(&all(), &[dossier], "again", later(2)).await.unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Erased), "{error}");
    }
    for text in ["DOSSIER-2", "REF-2", "specimen2@example.org", "9900000002"] {
        assert!(store.list(&all(), &by(text), Page::default()).await.unwrap().is_empty());
    }
    let after = store.document(&all(), id, at()).await.unwrap();
    assert_eq!((after.record, after.digest), (None, None));
    assert_eq!(after.versions[0].sha256, before.versions[0].sha256, "the proof stays");
    let mails = store.deliveries(&all(), &Default::default(), Page::default()).await.unwrap();
    let mail = mails.iter().find(|it| it.document == id).unwrap();
    assert_eq!((mail.recipient.clone(), mail.state.as_str()), (None, "cancelled"));
    assert!(matches!(store.verify_chain().await.unwrap(), Chain::Whole { .. }));
    assert_eq!(store.claim("one", 9, Duration::from_secs(60), later(3)).await.unwrap().len(), 3);
    let error = store.put(letter(2), later(4)).await.unwrap_err();
    assert!(matches!(error, StoreError::KeyReused), "it is not issued again by itself: {error}");
    if place.is_sqlite() {
        store.close().await;
        assert!(contains_bytes(&everything(&place), &kept), "the search finds another's key");
        assert!(!contains_bytes(&everything(&place), &forgotten), "its wrapped key is left");
    }
}

async fn a_policy_says_what_is_due(place: Place) {
    let store = place.open().await;
    let mut old = letter(1);
    old.record.ends_on = Some("2020-05-31".parse().unwrap());
    let mut both = letter(2);
    both.record.dossier = "DOSSIER-1".to_owned();
    both.record.ends_on = Some("2021-01-01".parse().unwrap());
    let mut other = letter(3);
    other.record.ends_on = Some("2020-05-31".parse().unwrap());
    other.record.kind = "cai".to_owned();
    for answer in store.put_many(vec![old, both, other], at()).await {
        answer.unwrap();
    }
    let policy = |kind: &str, months| Retention { kind: kind.to_owned(), months };
    let due = async |policy: &[Retention], day: &str| {
        store.expired(policy, day.parse().unwrap(), 10).await.unwrap()
    };
    let first = store.dossier_of("DOSSIER-1").await.unwrap().unwrap();
    let letters = [policy("convocation", 12)];
    assert!(due(&letters, "2021-12-31").await.is_empty(), "its second letter is too young");
    assert_eq!(due(&letters, "2022-01-02").await, [first]);
    assert!(due(&[], "2100-01-01").await.is_empty(), "no policy, no erasure");
    let all_kinds = [policy("convocation", 12), policy("cai", 60)];
    assert_eq!(due(&all_kinds, "2025-05-31").await, [first]);
    assert_eq!(due(&all_kinds, "2025-06-01").await.len(), 2);
}

async fn the_operators_key_changes_without_a_pause(mut place: Place) {
    let store = filled(&place).await;
    let id = store.put(letter(9), at()).await.unwrap().id;
    let old = place.options.key.clone();
    place.options.key = Secret::new(make_operator_key());
    place.options.older_keys = vec![old.clone()];
    let next = place.open().await; // while the first one works
    next.put(letter(10), at()).await.unwrap();
    assert_eq!(next.operator_keys().await.unwrap().len(), 2);
    let wrapped = next.rewrap(&all(), later(1)).await.unwrap();
    assert_eq!(wrapped, 7, "five dossiers, the ninth, and the store's own");
    assert_eq!(next.rewrap(&all(), later(2)).await.unwrap(), 0);
    let used = next.operator_keys().await.unwrap();
    assert!(!used.contains_key(&fingerprint(&old).unwrap()), "{used:?}");
    place.options.older_keys.clear();
    let last = place.open().await;
    assert_eq!(last.file(&all(), id, None, at()).await.unwrap(), letter(9).file);
    assert!(matches!(last.verify_chain().await.unwrap(), Chain::Whole { .. }));
    place.options.key = old;
    let error = Store::open(&place.options).await.err().unwrap();
    assert!(matches!(error, StoreError::KeyMissing(_)), "{error}");
}

async fn a_wrong_key_opens_nothing(mut place: Place) {
    filled(&place).await.close().await;
    place.options.key = Secret::new(make_operator_key());
    let error = Store::open(&place.options).await.err().unwrap();
    assert!(matches!(error, StoreError::KeyMissing(_)), "{error}");
    assert_eq!(error.class(), Class::Us);
    for short in ["", "0123", "not a key, though it is long enough to be one, one would think ..."]
    {
        place.options.key = Secret::new(short);
        let error = Store::open(&place.options).await.err().unwrap();
        assert!(error.to_string().contains("paraphe keys new"), "{error}");
    }
}

async fn the_trail_shows_what_was_changed(place: Place) {
    let store = filled(&place).await;
    let Chain::Whole { entries, .. } = store.verify_chain().await.unwrap() else { panic!() };
    assert!(entries > 5);
    // Somebody with access to the database takes the fence down first.
    let (down, swap) = match place.is_sqlite() {
        true => {
            ("DROP TRIGGER trail_keeps; DROP TRIGGER trail_stays;", "UPDATE trail SET number =")
        }
        false => ("DROP TRIGGER trail_keeps ON trail;", "UPDATE trail SET number ="),
    };
    place.sql(down).await.unwrap();
    let broken = async |change: &str, back: &str| {
        place.sql(change).await.unwrap();
        let chain = store.verify_chain().await.unwrap();
        place.sql(back).await.unwrap();
        assert!(matches!(store.verify_chain().await.unwrap(), Chain::Whole { .. }), "{back}");
        match chain {
            Chain::Broken { number } => number,
            whole => panic!("{change}: {whole:?}"),
        }
    };
    let changed = "UPDATE trail SET actor = 'nobody' WHERE number = 3";
    assert_eq!(broken(changed, "UPDATE trail SET actor = 'tester' WHERE number = 3").await, 3);
    let moved = format!(
        "{swap} 100 WHERE number = 2; {swap} 2 WHERE number = 3; {swap} 3 WHERE number = 100;"
    );
    assert_eq!(broken(&moved, &moved).await, 2, "reordered");
    let cut = format!("{swap} 1000 + number WHERE number = {entries}");
    let mend = format!("{swap} number - 1000 WHERE number > 1000");
    assert_eq!(broken(&cut, &mend).await, entries, "the end cut off");
    let removed = format!("{swap} -2 WHERE number = 2");
    assert_eq!(broken(&removed, &format!("{swap} 2 WHERE number = -2")).await, 2, "removed");
}

async fn the_trail_cannot_be_changed_by_mistake(place: Place) {
    let _store = filled(&place).await;
    for sql in ["UPDATE trail SET actor = ''", "DELETE FROM trail"] {
        let error = place.sql(sql).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{error}");
    }
}

async fn a_changed_file_is_seen(place: Place) {
    let store = filled(&place).await;
    let id = store.put(letter(8), at()).await.unwrap().id;
    change_files(&place.folder.path().join("blobs"));
    let error = store.file(&all(), id, None, at()).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error}");
}

fn change_files(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            change_files(&path);
        } else {
            let mut bytes = fs::read(&path).unwrap();
            bytes[20] ^= 1;
            fs::write(&path, bytes).unwrap();
        }
    }
}

async fn orphans_are_swept_and_files_in_use_are_not(place: Place) {
    let store = filled(&place).await;
    let mut stopped = letter(20);
    stopped.key = letter(1).key; // its files are stored, its row is refused
    stopped.digest = letter(1).digest;
    stopped.digest[0] ^= 1;
    let now =
        chrono::DateTime::from(std::fs::metadata(place.folder.path()).unwrap().modified().unwrap());
    assert!(store.put(stopped, at()).await.is_err());
    let orphan = place.folder.path().join("blobs/ab").join("ab".repeat(32));
    fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    fs::write(&orphan, "left by a process that was killed").unwrap();
    // As the store writes it, beside the file that it is going to be.
    let unfinished = orphan.with_file_name(format!("{}#1", "ab".repeat(32)));
    fs::write(&unfinished, "half of one").unwrap();
    let hour = chrono::TimeDelta::hours(1);
    assert_eq!(store.sweep_files(now - hour).await.unwrap(), 0, "too young");
    assert!(unfinished.exists());
    assert_eq!(store.sweep_files(now + hour).await.unwrap(), 2);
    assert!(!orphan.exists() && !unfinished.exists());
    for it in store.list(&all(), &Filter::default(), Page::default()).await.unwrap() {
        assert_eq!(it.state, State::Complete);
        store.file(&all(), it.id, None, at()).await.unwrap();
    }
}
