//! Seats that a document takes, and the days its person is expected.

use chrono::NaiveTime;
use futures_util::future::join_all;
use paraphe::store::{Course, CourseFilter, Scope, State, StoreError};
use serde_json::json;
use uuid::Uuid;

use super::{all, contract, later};
use crate::database::{Place, on_both};
use crate::harness::at;

on_both! {
    a_document_takes_its_seat_or_is_not_kept,
    a_document_that_ends_gives_its_seat_back,
    the_day_lists_who_is_expected_within_the_scope,
}

fn course(seats: u32) -> Course {
    Course {
        id: "C1".to_owned(),
        centre: "sample-gerland".to_owned(),
        step: "civic_training".to_owned(),
        starts_on: "2026-04-07".parse().unwrap(),
        appointment: json!({}),
        seats,
        taken: 0,
    }
}

async fn a_document_takes_its_seat_or_is_not_kept(place: Place) {
    let (one, two) = (place.open().await, place.open().await);
    one.put_courses(vec![course(3)]).await.unwrap();
    let put = |number: u32| {
        let mut entry = contract(number);
        entry.seats = vec!["C1".to_owned()];
        if number.is_multiple_of(2) { one.put(entry, at()) } else { two.put(entry, at()) }
    };
    let put = join_all((1..=10).map(put)).await;
    let full = |it: &&Result<_, StoreError>| matches!(it, Err(StoreError::Full(id)) if id == "C1");
    assert_eq!(put.iter().filter(|it| it.is_ok()).count(), 3);
    assert_eq!(put.iter().filter(full).count(), 7);
    assert_eq!(one.course("C1").await.unwrap().unwrap().taken, 3);
    let kept = one.list(&all(), &Default::default(), Default::default()).await.unwrap();
    assert_eq!(kept.len(), 3, "who has no seat has no document");
    assert_eq!(one.courses(&CourseFilter { free: true, ..Default::default() }).await.unwrap(), []);
    let mut nowhere = contract(11);
    nowhere.seats = vec!["C9".to_owned()];
    assert!(matches!(one.put(nowhere, at()).await, Err(StoreError::NotFound("course"))));
}

async fn a_document_that_ends_gives_its_seat_back(place: Place) {
    let store = place.open().await;
    store.put_courses(vec![course(1)]).await.unwrap();
    let mut old = contract(1);
    old.seats = vec!["C1".to_owned()];
    store.put(old.clone(), at()).await.unwrap();
    assert_eq!(store.seats_of(&old.id.to_string()).await.unwrap()[0].id, "C1");
    let mut new = contract(2);
    (new.replaces, new.seats) = (Some(old.id), old.seats.clone());
    store.put(new.clone(), later(1)).await.unwrap();
    assert_eq!(store.course("C1").await.unwrap().unwrap().taken, 1, "from the old to the new");
    let scope = all();
    let end = store.conclude(&scope, new.id, 1, State::Refused, "applicant", later(2));
    end.await.unwrap();
    assert_eq!(store.course("C1").await.unwrap().unwrap().taken, 0);
}

async fn the_day_lists_who_is_expected_within_the_scope(place: Place) {
    let store = place.open().await;
    let day = "2026-03-23".parse().unwrap();
    let time = |hour| NaiveTime::from_hms_opt(hour, 30, 0);
    let mut ids = Vec::new();
    for (number, time) in [(1, time(14)), (2, time(9)), (3, None)] {
        let mut entry = contract(number);
        entry.expected = vec![(day, time), (day.succ_opt().unwrap(), time)];
        ids.push(entry.id);
        store.put(entry, at()).await.unwrap();
    }
    let listed = store.expected(&all().noted(), day, at()).await.unwrap();
    let found: Vec<(Uuid, _)> = listed.iter().map(|it| (it.document.id, it.time)).collect();
    assert_eq!(found, [(ids[2], None), (ids[1], time(9)), (ids[0], time(14))]);
    assert!(String::from_utf8_lossy(&listed[0].data).contains("SPECIMEN 3"));
    let history = store.history(ids[0]).await.unwrap();
    assert!(history.iter().any(|it| it.action == "listed"), "{history:?}");
    let elsewhere = store.expected(&Scope::offices("x", ["lyon"]), day, at()).await.unwrap();
    assert!(elsewhere.is_empty());
    let dossier = store.dossier_of("DOSSIER-1").await.unwrap().unwrap();
    store.erase(&all(), &[dossier], "test", later(1)).await.unwrap();
    assert_eq!(store.expected(&all(), day, later(2)).await.unwrap().len(), 2);
}
