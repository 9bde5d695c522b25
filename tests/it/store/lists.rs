//! What a list keeps of a dossier is found, so that it can be forgotten with it.

use std::collections::BTreeSet;
use std::time::Duration;

use paraphe::store::{IdempotencyKey, NewMerge, NewRow, RowOutcome, Store};
use uuid::Uuid;

use super::{all, later, letter};
use crate::database::{Place, on_both};
use crate::harness::at;

on_both! { lists_that_keep_something_of_a_dossier_are_found_and_forgotten }

/// A list of these dossiers, each a row.
async fn list(store: &Store, name: &str, dossiers: &[&str]) -> Uuid {
    let merge = NewMerge {
        id: Uuid::now_v7(),
        key: IdempotencyKey::new(name),
        digest: [7; 32],
        office: "paris".to_owned(),
        options: format!("findings about {dossiers:?}").into_bytes(),
        total: dossiers.len() as u32,
    };
    let (id, _) = store.begin_merge(&all(), merge, at()).await.unwrap();
    let row = |it: &&str| format!("{{\"dossier\": \"{it}\", \"name\": \"SPECIMEN\"}}").into_bytes();
    let rows = (1..).zip(dossiers.iter().map(row));
    let rows = rows.map(|(number, data)| NewRow { number, batch: 0, data }).collect();
    store.load_rows(id, rows).await.unwrap();
    store.start_merge(id, at()).await.unwrap();
    id
}

/// Every row comes to its letter, or to none.
async fn work(store: &Store, letters: bool) {
    let lease = Duration::from_secs(60);
    while let Some(row) = store.claim_rows("a", None, 1, lease, later(1)).await.unwrap().pop() {
        let outcome = if letters {
            let mut entry = letter(row.number);
            entry.merge = Some(row.merge);
            RowOutcome::Done(store.put(entry, later(1)).await.unwrap().id)
        } else {
            RowOutcome::Faulty("no address for SPECIMEN".to_owned())
        };
        store.finish_rows(&[(row, outcome)]).await.unwrap();
    }
}

async fn lists_that_keep_something_of_a_dossier_are_found_and_forgotten(place: Place) {
    let store = place.open().await;
    let of_letters = list(&store, "letters", &["DOSSIER-1", "DOSSIER-2"]).await;
    work(&store, true).await;
    let of_faults = list(&store, "faults", &["DOSSIER-7", "DOSSIER-1"]).await;
    work(&store, false).await;
    let other = list(&store, "others", &["DOSSIER-8"]).await;
    work(&store, false).await;
    let first = store.dossier_of("DOSSIER-1").await.unwrap().unwrap();
    let second = store.dossier_of("DOSSIER-2").await.unwrap().unwrap();
    let about = async |dossier, number| store.merges_about(dossier, number).await.unwrap();
    assert_eq!(about(first, "DOSSIER-1").await, BTreeSet::from([of_letters, of_faults]));
    assert_eq!(about(second, "DOSSIER-2").await, BTreeSet::from([of_letters]));
    for merge in [of_letters, of_faults] {
        store.forget_merge(&all(), merge, later(2)).await.unwrap();
        assert!(store.merge(&all(), merge).await.unwrap().options.is_none());
    }
    assert!(about(first, "DOSSIER-1").await.is_empty());
    assert!(store.merge(&all(), other).await.unwrap().options.is_some(), "another's stays");
}
