//! Documents: kept once, versioned, read within a scope.

use futures_util::future::join_all;
use paraphe::class::Class;
use paraphe::store::{By, Filter, IdempotencyKey, Page, Scope, State, StoreError};
use uuid::Uuid;

use super::{all, contract, later, letter, mail, signed};
use crate::database::{Place, on_both};
use crate::harness::{at, count};

on_both! {
    what_is_put_is_read_again,
    concurrent_submissions_make_one_document,
    a_key_with_other_data_is_refused,
    a_document_is_found_by_what_it_says,
    another_offices_documents_are_not_there,
    a_stale_signature_is_a_conflict,
    the_completing_signature_brings_mail_and_what_follows,
    a_half_signed_contract_cannot_be_mailed,
    a_replacement_cancels_the_mail_of_what_it_replaces,
    a_version_without_a_file_is_the_same_file_again,
    one_that_fails_takes_back_its_own_changes_only,
}

async fn what_is_put_is_read_again(place: Place) {
    let store = place.open().await;
    let entry = letter(1);
    let receipt = store.put(entry.clone(), at()).await.unwrap();
    assert_eq!((receipt.id, receipt.version, receipt.state), (entry.id, 1, State::Complete));
    assert_eq!(receipt.deliveries, [entry.deliveries[0].id]);
    let held = store.document(&all(), entry.id, at()).await.unwrap();
    assert_eq!(held.record.as_ref(), Some(&entry.record));
    assert_eq!(held.versions[0].sha256, receipt.sha256);
    assert_eq!(store.file(&all(), entry.id, None, at()).await.unwrap(), entry.file);
    assert_eq!(store.data(&all(), entry.id, at()).await.unwrap(), entry.data);
    assert_eq!(
        store.put(entry.clone(), later(9)).await.unwrap(),
        receipt,
        "the first answer again"
    );
    store.close().await;
    let store = place.open().await;
    assert_eq!(store.receipt(&entry.key, &entry.digest).await.unwrap(), Some(receipt));
}

async fn concurrent_submissions_make_one_document(place: Place) {
    let (one, two) = (place.open().await, place.open().await);
    let put = |number| {
        let mut entry = letter(7);
        entry.id = Uuid::now_v7();
        entry.deliveries[0].id = Uuid::now_v7();
        entry.deliveries[0].message_id = format!("<{}@example.org>", entry.deliveries[0].id);
        if number % 2 == 0 { one.put(entry, at()) } else { two.put(entry, at()) }
    };
    let receipts = join_all((0..count(40, 400)).map(put)).await;
    let receipts: Vec<_> = receipts.into_iter().map(Result::unwrap).collect();
    assert!(receipts.iter().all(|it| *it == receipts[0]), "{receipts:#?}");
    let found = one.list(&all(), &Filter::default(), Page::default()).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(one.queue(at()).await.unwrap().counts["ready"], 1);
}

async fn a_key_with_other_data_is_refused(place: Place) {
    let store = place.open().await;
    store.put(letter(1), at()).await.unwrap();
    let mut other = letter(2);
    other.key = letter(1).key;
    let error = store.put(other, at()).await.unwrap_err();
    assert!(matches!(error, StoreError::KeyReused), "{error}");
    assert_eq!(error.class(), Class::Caller);
}

async fn a_document_is_found_by_what_it_says(place: Place) {
    let store = place.open().await;
    let answers = store.put_many((0..20).map(letter).collect(), at()).await;
    assert!(answers.iter().all(Result::is_ok));
    let find = async |by| {
        let filter = Filter { by: Some(by), ..Filter::default() };
        let found = store.list(&all(), &filter, Page::default()).await.unwrap();
        found.into_iter().map(|it| it.record.unwrap().reference).collect::<Vec<_>>()
    };
    assert_eq!(find(By::Reference("ref-3".into())).await, ["REF-3"]);
    assert_eq!(find(By::Dossier("DOSSIER-4".into())).await, ["REF-4"]);
    assert_eq!(find(By::ForeignerNumber("99 0000 0005".into())).await, ["REF-5"]);
    assert_eq!(find(By::Email("Specimen6@example.org".into())).await, ["REF-6"]);
    assert_eq!(find(By::Any("specimen7@example.org".into())).await, ["REF-7"]);
    assert!(find(By::Reference("DOSSIER-4".into())).await.is_empty());
    let mut page = Page { after: None, most: 8 };
    let mut seen = Vec::new();
    loop {
        let found = store.list(&all(), &Filter::default(), page).await.unwrap();
        let Some(last) = found.last() else { break };
        page.after = Some(last.id);
        seen.extend(found.into_iter().map(|it| it.id));
    }
    assert_eq!(seen.len(), 20);
    assert!(seen.is_sorted_by(|a, b| a > b), "the newest first, none twice");
}

async fn another_offices_documents_are_not_there(place: Place) {
    let store = place.open().await;
    let receipt = store.put(letter(1), at()).await.unwrap();
    let lyon = Scope::offices("agent", ["lyon"]);
    for scope in [&lyon, &Scope::offices("agent", [""; 0])] {
        let gone = |it: StoreError| matches!(it, StoreError::NotFound(_));
        assert!(gone(store.document(scope, receipt.id, at()).await.unwrap_err()));
        assert!(gone(store.file(scope, receipt.id, None, at()).await.unwrap_err()));
        assert!(gone(store.data(scope, receipt.id, at()).await.unwrap_err()));
        assert!(gone(store.delivery(scope, receipt.deliveries[0]).await.unwrap_err()));
        assert!(gone(store.cancel(scope, receipt.deliveries[0], at()).await.unwrap_err()));
        let end = store.conclude(scope, receipt.id, 1, State::Cancelled, "", at());
        assert!(gone(end.await.unwrap_err()));
        assert!(store.list(scope, &Filter::default(), Page::default()).await.unwrap().is_empty());
    }
    let paris = Scope::offices("agent", ["lyon", "paris"]).noted();
    assert!(store.file(&paris, receipt.id, None, at()).await.is_ok());
    let said = store.history(receipt.id).await.unwrap();
    let said: Vec<_> = said.iter().map(|it| (it.actor.as_str(), it.action.as_str())).collect();
    assert_eq!(said, [("tester", "issued"), ("agent", "read_file")]);
}

async fn a_stale_signature_is_a_conflict(place: Place) {
    let store = place.open().await;
    let id = store.put(contract(1), at()).await.unwrap().id;
    let scope = all();
    let sign = |expected, file| {
        store.append(&scope, id, expected, signed(file), State::PartlySigned, vec![], later(1))
    };
    let both = join_all([sign(1, "applicant"), sign(1, "authority")]).await;
    let (won, lost): (Vec<_>, Vec<_>) = both.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 1));
    let error = lost.into_iter().next().unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Conflict { current: 2 }), "{error}");
    assert_eq!(sign(2, "authority too").await.unwrap().version, 3);
    assert_eq!(store.file(&all(), id, Some(1), at()).await.unwrap(), contract(1).file);
    assert_eq!(store.file(&all(), id, Some(3), at()).await.unwrap(), b"authority too");
}

async fn the_completing_signature_brings_mail_and_what_follows(place: Place) {
    let store = place.open().await;
    let id = store.put(contract(1), at()).await.unwrap().id;
    assert!(store.queue(at()).await.unwrap().counts.is_empty());
    let complete = |key: &str| {
        let mut follows = letter(1);
        follows.key = IdempotencyKey::new(key);
        let version = paraphe::store::Version { deliveries: vec![mail(1)], ..signed("all") };
        (version, vec![follows])
    };
    // What follows was issued before with other data: nothing of it all happens.
    store.put(letter(2), at()).await.unwrap();
    let (version, follows) = complete("letter 2");
    let add = store.append(&all(), id, 1, version, State::Complete, follows, later(1)).await;
    assert!(matches!(add.unwrap_err(), StoreError::KeyReused));
    assert_eq!(store.document(&all(), id, at()).await.unwrap().state, State::Presented);
    assert_eq!(store.queue(at()).await.unwrap().counts["ready"], 1);
    let (version, follows) = complete("follows");
    let add =
        store.append(&all(), id, 1, version, State::Complete, follows, later(1)).await.unwrap();
    assert_eq!((add.version, add.deliveries.len()), (2, 1));
    assert_eq!(store.queue(at()).await.unwrap().counts["ready"], 3);
}

async fn a_half_signed_contract_cannot_be_mailed(place: Place) {
    let store = place.open().await;
    let mut entry = contract(1);
    entry.deliveries = vec![mail(1)];
    let error = store.put(entry, at()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unsigned(State::Presented)), "{error}");
    let id = store.put(contract(1), at()).await.unwrap().id;
    let version = paraphe::store::Version { deliveries: vec![mail(1)], ..signed("one") };
    let add = store.append(&all(), id, 1, version, State::PartlySigned, vec![], at()).await;
    assert!(matches!(add.unwrap_err(), StoreError::Unsigned(State::PartlySigned)));
}

async fn a_replacement_cancels_the_mail_of_what_it_replaces(place: Place) {
    let store = place.open().await;
    let first = store.put(letter(1), at()).await.unwrap();
    let mut moved = letter(2);
    moved.replaces = Some(first.id);
    let second = store.put(moved.clone(), later(1)).await.unwrap();
    assert_eq!(store.put(moved, later(2)).await.unwrap(), second, "the first answer again");
    let old = store.document(&all(), first.id, at()).await.unwrap();
    assert_eq!((old.state, old.replaced_by), (State::Replaced, Some(second.id)));
    let new = store.document(&all(), second.id, at()).await.unwrap();
    assert_eq!((new.root, new.sequence), (first.id, 1));
    let (mail, _) = store.delivery(&all(), first.deliveries[0]).await.unwrap();
    assert_eq!(mail.state.as_str(), "cancelled");
    let mut again = letter(3);
    again.replaces = Some(first.id);
    let error = store.put(again, later(3)).await.unwrap_err();
    assert!(matches!(error, StoreError::NotReplaceable(id) if id == first.id), "{error}");
    let mut nothing = letter(4);
    nothing.replaces = Some(Uuid::now_v7());
    assert!(matches!(store.put(nothing, at()).await.unwrap_err(), StoreError::NotFound(_)));
}

async fn a_version_without_a_file_is_the_same_file_again(place: Place) {
    let store = place.open().await;
    let first = store.put(letter(1), at()).await.unwrap();
    let again = paraphe::store::Version { file: None, deliveries: vec![mail(1)], ..signed("") };
    let second = store.append(&all(), first.id, 1, again, State::Complete, vec![], later(1)).await;
    let second = second.unwrap();
    assert_eq!((second.version, &second.sha256), (2, &first.sha256));
    assert_eq!(store.file(&all(), first.id, Some(2), at()).await.unwrap(), letter(1).file);
    assert_eq!(store.queue(at()).await.unwrap().counts["ready"], 2);
}

async fn one_that_fails_takes_back_its_own_changes_only(place: Place) {
    let store = place.open().await;
    let ended = store.put(contract(99), at()).await.unwrap().id;
    store.conclude(&all(), ended, 1, State::Refused, "", at()).await.unwrap();
    let entry = |number: u32| {
        let mut entry = letter(number);
        entry.replaces = Some(ended).filter(|_| number % 2 == 1); // cannot be replaced any more
        entry
    };
    let answers = store.put_many((0..40).map(entry).collect(), at()).await;
    let (put, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((put.len(), refused.len()), (20, 20));
    let page = Page { after: None, most: 100 };
    let held = store.list(&all(), &Filter::default(), page).await.unwrap();
    assert_eq!(held.len(), 21);
    assert_eq!(store.queue(at()).await.unwrap().counts["ready"], 20);
    let said = store.events(0, 1000).await.unwrap();
    assert_eq!(said.iter().filter(|it| it.action == "issued").count(), 21);
    assert!(!said.iter().any(|it| it.action == "replaced"));
}
