//! Lists in preparation: their owner's alone, checked by one at a time, gone in time; links of mails.

use chrono::TimeDelta;
use paraphe::store::{Checked, Scope, StoreError};

use super::{all, later, letter};
use crate::database::{Place, on_both};
use crate::harness::at;

on_both! {
    a_draft_is_its_owners_alone_and_is_forgotten_with_its_key,
    a_draft_may_name_anybody_and_goes_with_every_erasure,
    a_check_that_was_lost_is_begun_anew_and_cannot_note_anything_any_more,
    a_link_has_few_tries_and_a_right_one_gives_them_back,
}

async fn a_draft_is_its_owners_alone_and_is_forgotten_with_its_key(place: Place) {
    let store = place.open().await;
    let id = store.make_draft(&all(), b"SPECIMEN;Amina", b"how", at()).await.unwrap();
    let draft = store.draft(&all(), id, at()).await.unwrap();
    assert_eq!((draft.state.as_str(), &*draft.asked), ("checked", &b"how"[..]));
    assert_eq!(store.draft_files(&all(), id, at()).await.unwrap().0, b"SPECIMEN;Amina");
    let other = Scope::all("somebody else");
    let gone = |error: StoreError| matches!(error, StoreError::NotFound(_));
    assert!(gone(store.draft(&other, id, at()).await.unwrap_err()));
    assert!(gone(store.draft_files(&other, id, at()).await.unwrap_err()));
    assert!(gone(store.check_draft(&other, id, b"", false, at()).await.unwrap_err()));
    assert!(gone(store.drop_draft(&other, id, at()).await.unwrap_err()));
    assert!(store.drafts(&other, at()).await.unwrap().is_empty());
    // A day later it is not there, and the next sweep forgets it.
    let tomorrow = at() + TimeDelta::hours(25);
    assert!(gone(store.draft(&all(), id, tomorrow).await.unwrap_err()));
    store.sweep(tomorrow).await.unwrap();
    assert!(store.drafts(&all(), at()).await.unwrap().is_empty());
    let id = store.make_draft(&all(), b"file", b"how", at()).await.unwrap();
    store.drop_draft(&all(), id, at()).await.unwrap();
    assert!(gone(store.draft(&all(), id, at()).await.unwrap_err()));
    store.close().await;
}

async fn a_draft_may_name_anybody_and_goes_with_every_erasure(place: Place) {
    let store = place.open().await;
    store.put(letter(1), at()).await.unwrap();
    let draft = store.make_draft(&all(), b"SPECIMEN;Amina", b"how", at()).await.unwrap();
    let dossier = store.dossier_of("DOSSIER-1").await.unwrap().unwrap();
    let none = if place.is_sqlite() { "x''" } else { "''::bytea" };
    let key = format!("SELECT COALESCE((SELECT wrapped FROM keys WHERE id = '{draft}'), {none})");
    assert!(!place.bytes(&key).await.is_empty());
    store.erase(&all(), &[dossier], "asked", at()).await.unwrap();
    assert!(matches!(store.draft(&all(), draft, at()).await, Err(StoreError::NotFound(_))));
    assert!(place.bytes(&key).await.is_empty(), "its key is still there");
    store.close().await;
}

async fn a_check_that_was_lost_is_begun_anew_and_cannot_note_anything_any_more(place: Place) {
    let store = place.open().await;
    let id = store.make_draft(&all(), b"file", b"how", at()).await.unwrap();
    let lost = store.check_draft(&all(), id, b"how", false, at()).await.unwrap();
    assert!(store.advance_draft(id, lost, 12, later(1)).await.unwrap());
    let draft = store.draft(&all(), id, later(2)).await.unwrap();
    assert_eq!((draft.state.as_str(), draft.done), ("checking", 12));
    // While it goes on, nobody begins another.
    let again = store.check_draft(&all(), id, b"how", true, later(10)).await;
    assert!(matches!(again.unwrap_err(), StoreError::Settled(_)));
    assert_eq!(store.draft(&all(), id, later(60)).await.unwrap().state, "lost");
    let next = store.check_draft(&all(), id, b"how", true, later(60)).await.unwrap();
    assert!(!store.advance_draft(id, lost, 13, later(61)).await.unwrap());
    let ended = Checked { found: b"old".to_vec(), ..Checked::default() };
    assert!(!store.end_draft(&all(), id, lost, ended, later(61)).await.unwrap());
    let found = Checked { found: b"found".to_vec(), marked: Some(b"marked".to_vec()), merge: None };
    assert!(store.end_draft(&all(), id, next, found, later(62)).await.unwrap());
    let draft = store.draft(&all(), id, later(63)).await.unwrap();
    assert_eq!((draft.state.as_str(), draft.found.as_deref()), ("checked", Some(&b"found"[..])));
    let files = store.draft_files(&all(), id, later(63)).await.unwrap();
    assert_eq!(files.1.as_deref(), Some(&b"marked"[..]));
    store.close().await;
}

async fn a_link_has_few_tries_and_a_right_one_gives_them_back(place: Place) {
    let store = place.open().await;
    let mut entry = letter(1);
    entry.deliveries[0].link_until = Some(later(1_000));
    let (delivery, document) = (entry.deliveries[0].id, entry.id);
    store.put(entry, at()).await.unwrap();
    let code = store.link_code(delivery);
    for _ in 0..4 {
        assert_eq!(store.try_link(&code, at()).await.unwrap().unwrap().document, document);
    }
    let linked = store.try_link(&code, at()).await.unwrap().unwrap();
    assert_eq!(store.try_link(&code, at()).await.unwrap(), None);
    store.opened_link(linked, at()).await.unwrap();
    assert!(store.try_link(&code, at()).await.unwrap().is_some());
    assert_eq!(store.try_link(&code, later(1_001)).await.unwrap(), None);
    // No other code opens: not one of another mail, not one with a digit changed, no nonsense.
    let plain = letter(2);
    let other = store.link_code(plain.deliveries[0].id);
    store.put(plain, at()).await.unwrap();
    let changed = format!("{}{}", &code[..63], if code.ends_with('0') { '1' } else { '0' });
    for none in [&*other, &changed, "", "é", &"f".repeat(64), &code.to_uppercase()] {
        assert_eq!(store.try_link(none, at()).await.unwrap(), None, "{none}");
    }
    let office = Scope::offices("agent", ["lyon"]);
    let refused = store.reopen_link(&office, delivery, later(9_000), at()).await.unwrap_err();
    assert!(matches!(refused, StoreError::NotFound(_)));
    store.reopen_link(&all(), delivery, later(9_000), at()).await.unwrap();
    let link = store.link(&all(), delivery, at()).await.unwrap().unwrap();
    assert_eq!((link.tries, link.opens), (5, true));
    store.close().await;
}
