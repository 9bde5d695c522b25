//! A whole session in one act, on both databases; envelopes that come back.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::sync::Arc;

use paraphe::document::next_reference;
use paraphe::merge::known;
use paraphe::merge::preflight::{Kit, Preflight, PreflightOptions, preflight};
use paraphe::merge::print::reference_of;
use paraphe::merge::returned::{Returned, returned};
use paraphe::merge::run::{Spool, Terms, submit};
use paraphe::merge::session::{Change, Session, letters};
use paraphe::pipeline::Pipeline;
use paraphe::store::{By, Filter, Page, State};

use super::run::{journey, scope, send_in, send_out_whole, work_off};
use super::{file, kit, list, options};
use crate::database::{Place, on_both};
use crate::harness::at;

on_both!(
    a_session_is_moved_then_cancelled_in_one_act_each,
    a_reminder_goes_to_all_of_a_session_once_a_day,
    an_envelope_that_came_back_marks_its_address,
);

fn session() -> Session {
    Session {
        step: "medical_visit".to_owned(),
        date: "2026-03-23".parse().unwrap(),
        start: "08:00:00".parse().unwrap(),
        office: None,
        place: None,
    }
}

/// The list of a session, checked, issued; how many letters it has made.
async fn act(journey: &Arc<Pipeline>, session: &Session, change: &Change) -> u64 {
    let (list, count) = letters(journey, &scope(), session, change, at()).await.unwrap();
    if count == 0 {
        return 0;
    }
    let mut spool = Spool::new().unwrap();
    let found = against_store(journey, list, &mut spool);
    assert!(found.is_sound() && found.sound == count, "{:#?}", found.findings);
    let terms = Terms { file: "session", preflight: &found, accepted: &[], not_before: None };
    let merge = submit(&journey.store, &scope(), spool, terms, at()).await.unwrap();
    work_off(journey, merge).await;
    count
}

fn against_store(journey: &Arc<Pipeline>, list: File, spool: &mut Spool) -> Preflight {
    let (handle, scope) = (tokio::runtime::Handle::current(), scope());
    let known = |document: &_| handle.block_on(known(&journey.store, &scope, document));
    let kit = Kit { known: &known, ..kit() };
    let mut keep = |it| spool.add(&it).unwrap();
    tokio::task::block_in_place(|| {
        let options = PreflightOptions { threads: 1, ..options() };
        preflight(list, kit, &options, at(), &mut keep, &mut |_| {}).unwrap()
    })
}

/// The state of each letter, and its number in its chain.
async fn chain(journey: &Arc<Pipeline>, reference: &str) -> (State, u32) {
    let by = Some(By::Reference(reference.to_owned()));
    let filter = Filter { by, ..Filter::default() };
    let found = journey.store.list(&scope(), &filter, Page::default()).await.unwrap();
    assert_eq!(found.len(), 1, "{reference}");
    let held = journey.store.document(&scope(), found[0].id, at()).await.unwrap();
    (held.state, held.sequence)
}

/// What calendars are told, by address.
fn calendars(sent: &[(String, String)]) -> BTreeMap<String, (String, String)> {
    let line = |text: &str, name: &str| {
        let found = text.lines().find_map(|it| it.strip_prefix(name));
        found.unwrap_or_default().trim().to_owned()
    };
    sent.iter().map(|(to, it)| (to.clone(), (line(it, "METHOD:"), line(it, "SEQUENCE:")))).collect()
}

async fn a_session_is_moved_then_cancelled_in_one_act_each(place: Place) {
    let journey = journey(&place).await;
    let (merge, _) = send_in(&journey, &list(24)).await;
    work_off(&journey, merge).await;
    send_out_whole(&journey).await;
    let (date, start) = ("2026-03-30".parse().unwrap(), "10:00:00".parse().ok());
    let move_it = Change::Moved { date, start, room: Some("Salle 4".to_owned()) };
    // Rows 0, 8 and 16 are at eight; row 0 has no mail.
    assert_eq!(act(&journey, &session(), &move_it).await, 3);
    assert_eq!(chain(&journey, "CV-00008").await, (State::Replaced, 0));
    assert_eq!(chain(&journey, "CV-00008.M1").await, (State::Complete, 1));
    let sent = send_out_whole(&journey).await;
    let told = ("PUBLISH".to_owned(), "1".to_owned());
    assert_eq!(
        calendars(&sent),
        ["p16", "p8"].map(|it| (format!("{it}.specimen@example.org"), told.clone())).into()
    );
    assert!(sent.iter().all(|it| it.1.contains("DTSTART") && it.1.contains("20260330T080000Z")));
    // The same act again finds nobody there any more, and makes nothing.
    assert_eq!(act(&journey, &session(), &move_it).await, 0);
    let there = Session { date, start: start.unwrap(), ..session() };
    let elsewhere = Session { place: Some("Salle 9".to_owned()), ..there.clone() };
    assert_eq!(act(&journey, &elsewhere, &Change::Cancelled).await, 0);
    assert_eq!(act(&journey, &there, &Change::Cancelled).await, 3);
    assert_eq!(chain(&journey, "CV-00000.M1").await, (State::Replaced, 1));
    assert_eq!(chain(&journey, "CV-00000.A2").await, (State::Complete, 2));
    let told = ("CANCEL".to_owned(), "2".to_owned());
    let sent = send_out_whole(&journey).await;
    assert_eq!(calendars(&sent).into_values().collect::<Vec<_>>(), [told.clone(), told]);
    // Nobody is convened by a cancellation.
    assert_eq!(act(&journey, &there, &Change::Reminder).await, 0);
}

async fn a_reminder_goes_to_all_of_a_session_once_a_day(place: Place) {
    let journey = journey(&place).await;
    let (merge, _) = send_in(&journey, &list(24)).await;
    work_off(&journey, merge).await;
    send_out_whole(&journey).await;
    assert_eq!(act(&journey, &session(), &Change::Reminder).await, 3);
    assert_eq!(send_out_whole(&journey).await.len(), 2);
    // The letters stand, beside their reminders. The same day again: the same reminders.
    assert_eq!(chain(&journey, "CV-00008").await, (State::Complete, 0));
    assert_eq!(chain(&journey, "CV-00008.R0302").await, (State::Complete, 0));
    let (mut list, _) =
        letters(&journey, &scope(), &session(), &Change::Reminder, at()).await.unwrap();
    let mut text = String::new();
    list.read_to_string(&mut text).unwrap();
    assert_eq!(text.lines().count(), 3);
    list.rewind().unwrap();
    let found = against_store(&journey, list, &mut Spool::new().unwrap());
    let codes: Vec<_> = found.findings.iter().map(|it| it.problem.code).collect();
    assert_eq!(codes, ["rows.issued_before"; 3]);
}

async fn an_envelope_that_came_back_marks_its_address(place: Place) {
    let journey = journey(&place).await;
    let (merge, _) = send_in(&journey, &list(4)).await;
    work_off(&journey, merge).await;
    let code = "C3A3517F 12 1/1 CV-00003";
    assert_eq!(reference_of(code), Some("CV-00003"));
    let mark = async |code| returned(&journey, &scope(), code, at()).await;
    let letter = "CV-00003".to_owned();
    assert_eq!(mark(code).await.unwrap(), Returned::Marked(letter.clone()));
    assert_eq!(mark(" CV-00003\n").await.unwrap(), Returned::Known(letter));
    assert!(mark("CV-99999").await.is_err());
    // The next letter to the same person at the same place is stopped; one by mail, or to another place, is not.
    let next = list(4).replace("CV-", "CX-").replace("23/03/2026", "24/03/2026");
    let codes = |list: String| {
        let found = against_store(&journey, file(list.as_bytes()), &mut Spool::new().unwrap());
        let said = found.findings.iter().map(|it| (it.problem.code, it.cell()));
        said.map(|it| format!("{} {}", it.0, it.1)).collect::<Vec<_>>()
    };
    assert_eq!(codes(next.clone()), ["rows.address_returned J5"]);
    assert!(codes(next.replace("3 rue des Lilas", "4 rue des Lilas")).is_empty());
    let events = journey.store.events(0, 1_000).await.unwrap();
    assert_eq!(events.iter().filter(|it| it.action == "envelope_returned").count(), 1);
}

#[test]
fn a_letter_that_follows_has_a_number_of_its_own() {
    for (reference, mark, next) in [
        ("CV-7", "M1", "CV-7.M1"),
        ("CV-7.M1", "A2", "CV-7.A2"),
        ("CV-7.R0302", "M1", "CV-7.M1"),
        ("CAI-7.1", "M1", "CAI-7.1.M1"),
        ("CAI-7.MAT", "M1", "CAI-7.MAT.M1"),
    ] {
        assert_eq!(next_reference(reference, mark), next);
    }
    let long = next_reference(&format!("{}-7", "A".repeat(38)), "M1");
    assert!(long.len() <= 40 && long.ends_with("A-7.M1"), "{long}");
}
