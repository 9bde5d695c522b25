//! Rows of a mail merge: each done once, whoever works at it, and the counts add up.

use std::time::Duration;

use futures_util::future::join_all;
use paraphe::store::{
    Counts, DeliveryState, IdempotencyKey, NewMerge, NewRow, RowLease, RowOutcome, Scope, Store,
    StoreError,
};
use uuid::Uuid;

use super::{all, later, letter};
use crate::database::{Place, on_both};
use crate::harness::{at, count};

const LEASE: Duration = Duration::from_secs(60);

on_both! {
    a_merge_is_done_by_many_and_its_counts_add_up,
    the_same_merge_again_is_the_same_merge,
    a_row_left_behind_is_taken_up_and_makes_one_document,
    a_paused_merge_sends_nothing,
    a_cancelled_merge_stops,
    a_merge_is_forgotten,
}

fn merge(total: u32) -> NewMerge {
    NewMerge {
        id: Uuid::now_v7(),
        key: IdempotencyKey::new("merge"),
        digest: [7; 32],
        office: "paris".to_owned(),
        options: b"columns".to_vec(),
        total,
    }
}

fn row(number: u32, data: &str) -> NewRow {
    NewRow { number, batch: 0, data: data.into() }
}

async fn begun(store: &Store, total: u32) -> Uuid {
    let (id, loading) = store.begin_merge(&all(), merge(total), at()).await.unwrap();
    assert!(loading);
    let rows: Vec<_> = (1..=total).map(|it| row(it, &format!("SPECIMEN {it}"))).collect();
    for chunk in rows.chunks(25) {
        store.load_rows(id, chunk.to_vec()).await.unwrap();
        store.load_rows(id, chunk.to_vec()).await.unwrap();
    }
    store.start_merge(id, at()).await.unwrap();
    id
}

async fn issue(store: &Store, row: &RowLease) -> RowOutcome {
    assert_eq!(row.data, format!("SPECIMEN {}", row.number).into_bytes());
    if row.number.is_multiple_of(10) {
        return RowOutcome::Faulty(format!("no address for SPECIMEN {}", row.number));
    }
    let mut entry = letter(row.number);
    entry.merge = Some(row.merge);
    RowOutcome::Done(store.put(entry, later(1)).await.unwrap().id)
}

async fn work(store: &Store, merge: Option<Uuid>) -> usize {
    let mut done = 0;
    loop {
        let rows = store.claim_rows("worker", merge, 6, LEASE, later(1)).await.unwrap();
        if rows.is_empty() {
            return done;
        }
        let finished = join_all(rows.into_iter().map(async |row| {
            let outcome = issue(store, &row).await;
            (row, outcome)
        }));
        let sure = store.finish_rows(&finished.await).await.unwrap();
        done += sure.into_iter().filter(|it| *it).count();
    }
}

fn counted(counts: &Counts) -> i64 {
    counts.rows.values().sum()
}

async fn a_merge_is_done_by_many_and_its_counts_add_up(place: Place) {
    let total = count(60, 2000);
    let (one, two) = (place.open().await, place.open().await);
    let id = begun(&one, total).await;
    let done = join_all([work(&one, None), work(&two, Some(id)), work(&two, None)]).await;
    assert_eq!(done.iter().sum::<usize>(), total as usize);
    let counts = one.merge_counts(&all(), id).await.unwrap();
    assert_eq!(counted(&counts), i64::from(total));
    assert_eq!(counts.rows["faulty"], i64::from(total / 10));
    assert_eq!(counts.mails["ready"], counts.rows["done"]);
    assert_eq!(one.merge(&all(), id).await.unwrap().state, "done");
    let faulty = one.merge_rows(&all(), id, Some("faulty"), 15, 100).await.unwrap();
    assert_eq!(faulty[0].number, 20);
    assert_eq!(faulty[0].problem.as_deref(), Some("no address for SPECIMEN 20"));
    let lyon = Scope::offices("agent", ["lyon"]);
    assert!(matches!(one.merge(&lyon, id).await.unwrap_err(), StoreError::NotFound(_)));
}

async fn the_same_merge_again_is_the_same_merge(place: Place) {
    let store = place.open().await;
    let id = begun(&store, 3).await;
    let again = store.begin_merge(&all(), merge(3), later(9)).await.unwrap();
    assert_eq!(again, (id, false));
    let other = NewMerge { digest: [8; 32], ..merge(3) };
    let error = store.begin_merge(&all(), other, later(9)).await.unwrap_err();
    assert!(matches!(error, StoreError::KeyReused), "{error}");
    store.load_rows(id, vec![row(1, "other")]).await.unwrap();
    let rows = store.claim_rows("worker", None, 9, LEASE, later(1)).await.unwrap();
    assert_eq!((rows.len(), &rows[0].data[..]), (3, &b"SPECIMEN 1"[..]));
}

async fn a_row_left_behind_is_taken_up_and_makes_one_document(place: Place) {
    let store = place.open().await;
    let id = begun(&store, 1).await;
    let lost = store.claim_rows("lost", None, 1, LEASE, at()).await.unwrap().remove(0);
    let first = issue(&store, &lost).await;
    assert!(store.claim_rows("next", None, 1, LEASE, later(1)).await.unwrap().is_empty());
    assert_eq!(store.merge(&all(), id).await.unwrap().state, "running", "a row is still out");
    assert_eq!(store.sweep(later(61)).await.unwrap().rows, 1);
    let next = store.claim_rows("next", None, 1, LEASE, later(62)).await.unwrap().remove(0);
    let second = issue(&store, &next).await;
    let (RowOutcome::Done(first), RowOutcome::Done(second)) = (first, second) else { panic!() };
    assert_eq!(first, second);
    let finish = async |row, id| store.finish_rows(&[(row, RowOutcome::Done(id))]).await.unwrap();
    assert_eq!(finish(lost, first).await, [false], "it is another's row");
    assert_eq!(finish(next, second).await, [true]);
}

async fn a_paused_merge_sends_nothing(place: Place) {
    let store = place.open().await;
    let id = begun(&store, 4).await;
    let rows = store.claim_rows("worker", None, 2, LEASE, at()).await.unwrap();
    issue(&store, &rows[0]).await;
    store.pause_merge(&all(), id, true, later(2)).await.unwrap();
    issue(&store, &rows[1]).await; // was under way
    assert!(store.claim_rows("worker", None, 2, LEASE, later(3)).await.unwrap().is_empty());
    assert!(store.claim("worker", 9, LEASE, later(3)).await.unwrap().is_empty());
    assert_eq!(store.merge_counts(&all(), id).await.unwrap().mails["held"], 2);
    store.pause_merge(&all(), id, false, later(4)).await.unwrap();
    assert_eq!(store.claim("worker", 9, LEASE, later(5)).await.unwrap().len(), 2);
    assert_eq!(store.claim_rows("worker", None, 2, LEASE, later(5)).await.unwrap().len(), 2);
}

async fn a_cancelled_merge_stops(place: Place) {
    let store = place.open().await;
    let id = begun(&store, 4).await;
    let mut rows = store.claim_rows("worker", None, 2, LEASE, at()).await.unwrap();
    let outcome = issue(&store, &rows[0]).await;
    assert_eq!(store.finish_rows(&[(rows.remove(0), outcome)]).await.unwrap(), [true]);
    let sent = store.claim("worker", 1, LEASE, later(1)).await.unwrap();
    assert_eq!(store.transmitting(&[&sent[0]], later(1)).await.unwrap(), [true]);
    store.cancel_merge(&all(), id, later(2)).await.unwrap();
    let outcome = issue(&store, &rows[0]).await; // was under way: kept, not mailed
    assert_eq!(store.finish_rows(&[(rows.remove(0), outcome)]).await.unwrap(), [false]);
    let counts = store.merge_counts(&all(), id).await.unwrap();
    assert_eq!((counts.rows["cancelled"], counts.rows["done"]), (3, 1));
    assert_eq!((counts.mails["cancelled"], counts.mails["transmitting"]), (1, 1));
    let (mail, _) = store.delivery(&all(), sent[0].delivery).await.unwrap();
    assert_eq!(mail.state, DeliveryState::Transmitting);
    assert!(store.pause_merge(&all(), id, false, later(3)).await.is_err());
}

async fn a_merge_is_forgotten(place: Place) {
    let store = place.open().await;
    let id = begun(&store, 10).await;
    assert!(store.forget_merge(&all(), id, later(1)).await.is_err(), "it runs");
    work(&store, None).await;
    store.forget_merge(&all(), id, later(2)).await.unwrap();
    let rows = store.merge_rows(&all(), id, None, 0, 100).await.unwrap();
    assert!(rows.iter().all(|it| it.problem.is_none()), "{rows:?}");
    assert_eq!(rows.iter().filter(|it| it.document.is_some()).count(), 9);
}
