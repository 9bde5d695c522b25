//! The outbox: each mail to one worker at a time, sent once, or in doubt and said so.

use std::collections::HashSet;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use paraphe::store::{
    DeliveryFilter, DeliveryState, Outcome, Page, Resolution, Return, StoreError,
};

use super::{all, later, letter};
use crate::database::{Place, on_both};
use crate::harness::{at, count};

const LEASE: Duration = Duration::from_secs(60);

on_both! {
    a_mail_is_claimed_sent_and_settled,
    no_mail_is_claimed_twice,
    a_stale_lease_can_neither_send_nor_settle,
    what_was_left_is_ready_or_in_doubt,
    a_deferred_mail_waits_for_its_time,
    a_late_mail_asks_first,
    all_workers_share_the_rate,
    nothing_is_claimed_while_paused,
    a_cancelled_mail_is_not_sent,
    a_report_resolves_doubt_and_marks_the_address,
    a_person_decides,
    a_put_wakes_the_worker,
}

fn accepted() -> Outcome {
    Outcome::Accepted { reply: "250 queued".to_owned() }
}

async fn a_mail_is_claimed_sent_and_settled(place: Place) {
    let store = place.open().await;
    let entry = letter(1);
    store.put(entry.clone(), at()).await.unwrap();
    let leases = store.claim("one", 10, LEASE, later(1)).await.unwrap();
    let [lease] = &leases[..] else { panic!("{leases:?}") };
    assert_eq!(lease.recipient, entry.deliveries[0].recipient);
    assert_eq!((lease.attempt, lease.document), (1, entry.id));
    assert_eq!(store.message(lease).await.unwrap(), entry.deliveries[0].message);
    assert!(!store.settle(lease, &accepted(), later(2)).await.unwrap(), "accepted, but never sent");
    assert_eq!(store.transmitting(&[lease], later(2)).await.unwrap(), [true]);
    assert_eq!(store.transmitting(&[lease], later(2)).await.unwrap(), [false], "once only");
    assert!(store.settle(lease, &accepted(), later(3)).await.unwrap());
    assert!(!store.settle(lease, &accepted(), later(3)).await.unwrap());
    let (mail, tries) = store.delivery(&all(), lease.delivery).await.unwrap();
    assert_eq!((mail.state, mail.attempts), (DeliveryState::Accepted, 1));
    assert_eq!(tries[0].reply.as_deref(), Some("250 queued"));
    assert!(store.claim("one", 10, LEASE, later(4)).await.unwrap().is_empty());
}

async fn no_mail_is_claimed_twice(place: Place) {
    let all = count(60, 1000);
    let (one, two) = (place.open().await, place.open().await);
    for answer in one.put_many((0..all).map(letter).collect(), at()).await {
        answer.unwrap();
    }
    let work = async |store: &paraphe::store::Store, name: &str| {
        let mut mine = Vec::new();
        loop {
            let leases = store.claim(name, 7, LEASE, later(1)).await.unwrap();
            if leases.is_empty() {
                return mine;
            }
            mine.extend(leases.iter().map(|it| it.delivery));
        }
    };
    let claimed = join_all([work(&one, "a"), work(&two, "b"), work(&one, "c")]).await.concat();
    assert_eq!(claimed.len(), all as usize);
    assert_eq!(claimed.into_iter().collect::<HashSet<_>>().len(), all as usize);
}

async fn a_stale_lease_can_neither_send_nor_settle(place: Place) {
    let store = place.open().await;
    store.put(letter(1), at()).await.unwrap();
    let stale = store.claim("asleep", 1, LEASE, at()).await.unwrap().remove(0);
    assert_eq!(
        store.transmitting(&[&stale], later(61)).await.unwrap(),
        [false],
        "its time is over"
    );
    assert_eq!(store.sweep(later(61)).await.unwrap().ready, 1);
    let fresh = store.claim("awake", 1, LEASE, later(62)).await.unwrap().remove(0);
    assert!(fresh.fence > stale.fence);
    assert_eq!(store.transmitting(&[&stale, &fresh], later(63)).await.unwrap(), [false, true]);
    for outcome in [accepted(), Outcome::Failed { reply: String::new() }] {
        assert!(!store.settle(&stale, &outcome, later(63)).await.unwrap());
    }
    assert!(store.settle(&fresh, &accepted(), later(64)).await.unwrap());
    assert!(!store.settle(&stale, &accepted(), later(65)).await.unwrap());
}

async fn what_was_left_is_ready_or_in_doubt(place: Place) {
    let store = place.open().await;
    for answer in store.put_many((0..3).map(letter).collect(), at()).await {
        answer.unwrap();
    }
    let leases = store.claim("lost", 3, LEASE, at()).await.unwrap();
    store.transmitting(&[&leases[0]], later(30)).await.unwrap();
    drop(store); // the worker is gone
    let store = place.open().await;
    assert_eq!(store.sweep(later(59)).await.unwrap(), Default::default(), "it may live still");
    let swept = store.sweep(later(91)).await.unwrap();
    assert_eq!((swept.ready, swept.in_doubt), (2, 1));
    let (mail, tries) = store.delivery(&all(), leases[0].delivery).await.unwrap();
    assert_eq!((mail.state, tries[0].outcome.as_str()), (DeliveryState::InDoubt, "in_doubt"));
    let again = store.claim("next", 3, LEASE, later(92)).await.unwrap();
    assert!(again.iter().all(|it| it.delivery != leases[0].delivery), "doubt is not sent again");
    assert_eq!(again.len(), 2);
}

async fn a_deferred_mail_waits_for_its_time(place: Place) {
    let store = place.open().await;
    store.put(letter(1), at()).await.unwrap();
    let lease = store.claim("one", 1, LEASE, at()).await.unwrap().remove(0);
    let deferred = Outcome::Deferred { reply: "450 later".to_owned(), next_at: later(600) };
    assert!(store.settle(&lease, &deferred, later(1)).await.unwrap());
    store.close().await;
    let store = place.open().await;
    assert!(store.claim("one", 1, LEASE, later(599)).await.unwrap().is_empty());
    let lease = store.claim("one", 1, LEASE, later(600)).await.unwrap().remove(0);
    assert_eq!(lease.attempt, 2);
}

async fn a_late_mail_asks_first(place: Place) {
    let store = place.open().await;
    let mut entry = letter(1);
    entry.deliveries[0].not_before = Some(later(100));
    entry.deliveries[0].late_after = Some(later(200));
    let mail = store.put(entry, at()).await.unwrap().deliveries[0];
    assert!(store.claim("one", 1, LEASE, later(99)).await.unwrap().is_empty());
    // The worker was away: its time passed.
    assert!(store.claim("one", 1, LEASE, later(200)).await.unwrap().is_empty());
    assert_eq!(store.sweep(later(200)).await.unwrap().late, 1);
    assert!(store.claim("one", 1, LEASE, later(201)).await.unwrap().is_empty());
    store.retry(&all(), mail, later(300)).await.unwrap();
    assert_eq!(store.claim("one", 1, LEASE, later(300)).await.unwrap().len(), 1);
}

async fn all_workers_share_the_rate(place: Place) {
    let (one, two) = (place.open().await, place.open().await);
    for answer in one.put_many((0..30).map(letter).collect(), at()).await {
        answer.unwrap();
    }
    one.set_rate(Some(120)).await.unwrap(); // two a second
    let mut sent = 0;
    for tenth in 0..50 {
        let now = at() + TimeDelta::milliseconds(100 * tenth);
        sent += one.claim("one", 5, LEASE, now).await.unwrap().len();
        sent += two.claim("two", 5, LEASE, now).await.unwrap().len();
    }
    assert!((10..=12).contains(&sent), "{sent} in five seconds");
    one.set_rate(None).await.unwrap();
    assert_eq!(two.claim("two", 50, LEASE, later(5)).await.unwrap().len(), 30 - sent);
}

async fn nothing_is_claimed_while_paused(place: Place) {
    let store = place.open().await;
    store.put(letter(1), at()).await.unwrap();
    store.pause(&all(), Some("the server moves"), at()).await.unwrap();
    assert_eq!(store.control().await.unwrap().paused.as_deref(), Some("the server moves"));
    assert!(store.claim("one", 1, LEASE, later(1)).await.unwrap().is_empty());
    store.pause(&all(), None, later(2)).await.unwrap();
    assert_eq!(store.claim("one", 1, LEASE, later(3)).await.unwrap().len(), 1);
}

async fn a_cancelled_mail_is_not_sent(place: Place) {
    let store = place.open().await;
    let receipt = store.put(letter(1), at()).await.unwrap();
    let lease = store.claim("one", 1, LEASE, at()).await.unwrap().remove(0);
    store.cancel(&all(), lease.delivery, later(1)).await.unwrap();
    assert_eq!(store.transmitting(&[&lease], later(2)).await.unwrap(), [false]);
    let error = store.cancel(&all(), receipt.deliveries[0], later(3)).await.unwrap_err();
    assert!(matches!(error, StoreError::Settled(_)), "{error}");
}

async fn a_report_resolves_doubt_and_marks_the_address(place: Place) {
    let store = place.open().await;
    let mail = store.put(letter(1), at()).await.unwrap().deliveries[0];
    let lease = store.claim("one", 1, LEASE, at()).await.unwrap().remove(0);
    let bounced =
        Return::Bounced { reply: "550 unknown".to_owned(), status: Some("5.1.1".to_owned()) };
    assert!(!store.returned(mail, &bounced, later(1)).await.unwrap(), "not sent yet");
    store.transmitting(&[&lease], later(1)).await.unwrap();
    let doubt = Outcome::InDoubt { reply: "cut after the dot".to_owned() };
    assert!(store.settle(&lease, &doubt, later(2)).await.unwrap());
    assert_eq!(store.address_problem("specimen1@example.org").await.unwrap(), None);
    assert!(store.returned(mail, &bounced, later(3)).await.unwrap());
    assert!(!store.returned(mail, &bounced, later(4)).await.unwrap(), "once");
    let problem = store.address_problem("Specimen1@example.org").await.unwrap();
    assert_eq!(problem.as_deref(), Some("5.1.1"));
    assert_eq!(store.delivery_of(&lease.message_id).await.unwrap(), Some(mail));
}

async fn a_person_decides(place: Place) {
    let store = place.open().await;
    for answer in store.put_many((0..3).map(letter).collect(), at()).await {
        answer.unwrap();
    }
    let leases = store.claim("one", 3, LEASE, at()).await.unwrap();
    let all_leases: Vec<_> = leases.iter().collect();
    store.transmitting(&all_leases, later(1)).await.unwrap();
    store.sweep(later(70)).await.unwrap();
    let doubtful = DeliveryFilter { states: vec![DeliveryState::InDoubt], ..Default::default() };
    let listed = store.deliveries(&all(), &doubtful, Page::default()).await.unwrap();
    assert_eq!(listed.len(), 3);
    let choices = [Resolution::Accepted, Resolution::SendAgain, Resolution::GiveUp];
    for (mail, choice) in listed.iter().zip(choices) {
        store.resolve(&all(), mail.id, choice, later(71)).await.unwrap();
        assert!(store.resolve(&all(), mail.id, choice, later(71)).await.is_err(), "once");
    }
    let counts = store.queue(later(71)).await.unwrap().counts;
    assert_eq!((counts["accepted"], counts["ready"], counts["failed"]), (1, 1, 1));
    let again = store.claim("one", 3, LEASE, later(72)).await.unwrap().remove(0);
    assert!(!store.settle(&leases[0], &accepted(), later(73)).await.unwrap());
    assert_eq!(again.delivery, listed[1].id);
    store.retry(&all(), listed[2].id, later(74)).await.unwrap();
    assert!(store.retry(&all(), listed[0].id, later(74)).await.is_err(), "it was accepted");
}

async fn a_put_wakes_the_worker(place: Place) {
    let (one, two) = (place.open().await, place.open().await);
    let mut near = one.wakes();
    let mut far = two.wakes();
    if !place.is_sqlite() {
        tokio::time::sleep(Duration::from_millis(300)).await; // until it listens
    }
    near.mark_unchanged();
    far.mark_unchanged();
    one.put(letter(1), at()).await.unwrap();
    let soon = |it| tokio::time::timeout(Duration::from_secs(5), it);
    soon(near.changed()).await.unwrap().unwrap();
    if !place.is_sqlite() {
        soon(far.changed()).await.unwrap().unwrap();
    }
}
