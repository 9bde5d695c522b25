//! The run on both databases: one set of letters whatever happens, and an account that adds up.

use std::collections::BTreeSet;
use std::sync::Arc;

use paraphe::assets::Assets;
use paraphe::config::Config;
use paraphe::deliver::{Clock, Memory, Transport, worker};
use paraphe::document::Rulebook;
use paraphe::merge::known;
use paraphe::merge::outcome::{self, Outcome};
use paraphe::merge::preflight::{Kit, Preflight, PreflightOptions, preflight};
use paraphe::merge::print::{Post, PrintRun};
use paraphe::merge::run::{Spool, Terms, submit, work};
use paraphe::pipeline::Pipeline;
use paraphe::store::Scope;
use tokio::sync::watch;
use uuid::Uuid;

use super::{file, kit, list, options};
use crate::database::{Place, on_both};
use crate::harness::{SHOP, at};

on_both!(
    a_list_is_issued_once_and_adds_up,
    rows_that_are_set_alike_are_claimed_together,
    workers_that_are_killed_lose_nothing,
    a_paused_merge_waits_and_a_cancelled_one_ends,
);

pub(super) async fn journey(place: &Place) -> Arc<Pipeline> {
    let assets = Assets::embedded();
    let mut config = Config { data: Some(place.folder.path().to_owned()), ..Config::default() };
    config.store.database = Some(place.options.database.clone());
    Pipeline::open(&assets, Rulebook::load(&assets).unwrap(), &config).await.unwrap()
}

pub(super) fn scope() -> Scope {
    Scope::all("tester")
}

/// Checks and submits a list; the rows at fault are passed over.
pub(super) async fn send_in(journey: &Arc<Pipeline>, list: &str) -> (Uuid, Preflight) {
    let mut spool = Spool::new().unwrap();
    let mut keep = |it| spool.add(&it).unwrap();
    let found =
        preflight(file(list.as_bytes()), kit(), &options(), at(), &mut keep, &mut |_| {}).unwrap();
    let scope = scope();
    let terms = Terms { file: "list.csv", preflight: &found, accepted: &[], not_before: None };
    let merge = submit(&journey.store, &scope, spool, terms, at()).await;
    (merge.unwrap(), found)
}

pub(super) async fn work_off(journey: &Arc<Pipeline>, merge: Uuid) -> u64 {
    let (_stop, told) = watch::channel(false);
    work(journey, Some(merge), "tester", &Clock::new(at), &told).await.unwrap()
}

/// Sends what the outbox holds into memory; answers who got something.
async fn send_out(journey: &Arc<Pipeline>) -> Vec<String> {
    send_out_whole(journey).await.into_iter().map(|it| it.0).collect()
}

/// The same with what they got.
pub(super) async fn send_out_whole(journey: &Arc<Pipeline>) -> Vec<(String, String)> {
    let transport = Arc::new(Transport::Memory(Memory::default()));
    let (stop, told) = watch::channel(false);
    let store = journey.store.clone();
    let options = worker::WorkerOptions { poll: 1, ..Default::default() };
    let later = || at() + chrono::TimeDelta::hours(1);
    let clock = Clock::new(later);
    let sender = worker::run(store, transport.clone(), options, "post", clock, told);
    let watcher = async {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            let queue = journey.store.queue(later()).await.unwrap();
            let busy =
                ["claimed", "transmitting"].iter().any(|it| queue.counts.get(*it) > Some(&0));
            if queue.waiting_since.is_none() && !busy {
                break;
            }
        }
        stop.send_replace(true);
    };
    tokio::join!(sender, watcher);
    let Transport::Memory(memory) = &*transport else { panic!("not in memory") };
    let text = |it: Vec<u8>| String::from_utf8_lossy(&it).into_owned();
    memory.messages().into_iter().map(|it| (it.0, text(it.1))).collect()
}

async fn rows_that_are_set_alike_are_claimed_together(place: Place) {
    let journey = journey(&place).await;
    // Four languages in turn, each with two steps: what is set alike stands eight rows apart.
    let (merge, _) = send_in(&journey, &list(16)).await;
    let mut lines = Vec::new();
    loop {
        let lease = std::time::Duration::from_secs(60);
        let rows = journey.store.claim_rows("tester", Some(merge), 3, lease, at()).await.unwrap();
        if rows.is_empty() {
            break;
        }
        lines.extend(rows.iter().map(|it| it.number));
    }
    assert_eq!(lines, [2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15, 8, 16, 9, 17]);
}

async fn a_list_is_issued_once_and_adds_up(place: Place) {
    let journey = journey(&place).await;
    let list = list(24).replace("CV-00005;", "CV-00004;"); // a reference that stands twice
    let (merge, found) = send_in(&journey, &list).await;
    assert_eq!((found.sound, found.faulty.len()), (23, 1));
    assert_eq!(work_off(&journey, merge).await, 23);
    // Given in again, at once and later: the same merge, and nothing to do.
    assert_eq!(send_in(&journey, &list).await.0, merge);
    assert_eq!(work_off(&journey, merge).await, 0);
    let sent = send_out(&journey).await;
    assert_eq!(sent.len(), 15, "each mail once");
    assert_eq!(sent.iter().collect::<BTreeSet<_>>().len(), 15);
    let account = Outcome::of(&journey.store, &scope(), merge).await.unwrap();
    assert!(account.adds_up, "{account:#?}");
    assert_eq!((account.rows, account.issued, account.skipped, account.printed), (24, 23, 1, 8));
    assert_eq!(account.mails["accepted"], 15);
    assert!(account.html(&Assets::embedded()).unwrap().contains("Le compte est bon"));
    assert!(account.csv().contains("Courriers émis;23"));
    // The same letters in a longer list: known before, and made once.
    let longer = super::list(26);
    let handle = tokio::runtime::Handle::current();
    let known = |document: &_| handle.block_on(known(&journey.store, &scope(), document));
    let with_store = Kit { known: &known, ..kit() };
    let again = tokio::task::block_in_place(|| {
        let (file, options) = (file(longer.as_bytes()), options());
        preflight(file, with_store, &options, at(), &mut drop, &mut |_| {}).unwrap()
    });
    let codes: Vec<_> = again.findings.iter().map(|it| it.problem.code).collect();
    assert_eq!(codes.iter().filter(|it| **it == "rows.issued_before").count(), 23);
    let (second, _) = send_in(&journey, &longer).await;
    work_off(&journey, second).await;
    let account = Outcome::of(&journey.store, &scope(), second).await.unwrap();
    assert_eq!((account.issued, account.duplicates), (3, 23));
    assert!(account.adds_up, "{account:#?}");
    // Those without email, as they were issued.
    let letters = outcome::letters_to_print(&journey, &scope(), merge, at()).await.unwrap();
    let run = PrintRun::plan(letters, true, &Post::load(&Assets::embedded()).unwrap());
    assert_eq!(run.envelopes.len(), 8);
    // And all as files.
    let folder = place.folder.path().join("letters");
    let names = "{row}-{reference}.pdf".parse().unwrap();
    let place = (folder.as_path(), &names);
    let files = outcome::write_files(&journey.store, &scope(), merge, place, at()).await;
    assert_eq!(files.unwrap(), 23);
    assert!(folder.join("2-CV-00000.pdf").exists());
}

/// Workers cut off anywhere: what they had is taken up again when their time is over.
async fn workers_that_are_killed_lose_nothing(place: Place) {
    let journey = journey(&place).await;
    let (merge, _) = send_in(&journey, &list(60)).await;
    let mut now = at();
    for after in [40, 150, 400] {
        let (_stop, told) = watch::channel(false);
        let clock = Clock::new(move || now);
        let work = work(&journey, Some(merge), "killed", &clock, &told);
        let _ = tokio::time::timeout(std::time::Duration::from_millis(after), work).await;
        now += chrono::TimeDelta::minutes(6); // the leases are over
        journey.store.sweep(now).await.unwrap();
    }
    let (_stop, told) = watch::channel(false);
    let clock = Clock::new(move || now);
    let (one, two) = tokio::join!(
        work(&journey, Some(merge), "one", &clock, &told),
        work(&journey, Some(merge), "two", &clock, &told)
    );
    assert!(one.is_ok() && two.is_ok());
    let account = Outcome::of(&journey.store, &scope(), merge).await.unwrap();
    assert!(account.adds_up, "{account:#?}");
    assert_eq!((account.issued, account.duplicates, account.open), (60, 0, 0));
    let sent = send_out(&journey).await;
    assert_eq!((sent.len(), sent.iter().collect::<BTreeSet<_>>().len()), (40, 40));
}

async fn a_paused_merge_waits_and_a_cancelled_one_ends(place: Place) {
    let journey = journey(&place).await;
    let (merge, _) = send_in(&journey, &list(6)).await;
    let store = &journey.store;
    store.pause_merge(&scope(), merge, true, at()).await.unwrap();
    assert_eq!(work_off(&journey, merge).await, 0);
    store.pause_merge(&scope(), merge, false, at()).await.unwrap();
    assert_eq!(work_off(&journey, merge).await, 6);
    let other = list(9).replace("CV-", "CX-").replace("D-", "E-");
    let (merge, _) = send_in(&journey, &other).await;
    store.cancel_merge(&scope(), merge, at()).await.unwrap();
    assert_eq!(work_off(&journey, merge).await, 0);
    let account = Outcome::of(store, &scope(), merge).await.unwrap();
    assert_eq!((account.open, account.issued), (9, 0));
    assert!(account.adds_up);
    assert!(account.html(&Assets::embedded()).unwrap().contains("L’envoi n’est pas terminé"));
}

/// The proof shows the ends of a list and its languages.
#[test]
fn a_proof_holds_the_longest_the_shortest_and_each_language() {
    let mut proof = paraphe::merge::proof::Proof::new(6);
    let long = list(16).replace("16 rue des Lilas", "Résidence du Spécimen, bâtiment C");
    let mut keep = |it| proof.see(it, &SHOP.rulebook);
    let options = PreflightOptions { threads: 1, ..options() };
    preflight(file(long.as_bytes()), kit(), &options, at(), &mut keep, &mut |_| {}).unwrap();
    let letters = proof.letters();
    assert_eq!(letters.len(), 6);
    let languages: BTreeSet<&str> = letters.iter().map(|it| it.document.language()).collect();
    assert_eq!(languages.len(), 4, "{languages:?}");
}
