//! What stands in the outbox leaves once, whatever the server does and however often workers stop.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use futures_util::FutureExt;
use paraphe::deliver::bounce;
use paraphe::deliver::worker::{WorkerOptions, run};
use paraphe::deliver::{Clock, Limits, Memory, Smtp, SmtpOptions, TlsMode, Transport};
use paraphe::store::{DeliveryFilter, DeliveryState, Entry, Page, Return, Store};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::server::{Fault, Server};
use crate::database::{Place, on_both};
use crate::harness::{at, count};
use crate::store::{all, letter};

on_both! {
    every_letter_leaves_once_through_several_workers,
    a_greylisted_letter_waits_and_leaves_after_a_restart,
    a_refused_letter_fails_once_and_says_why,
    a_letter_in_doubt_is_not_sent_again_and_a_report_resolves_it,
    a_cut_before_the_end_is_tried_again,
    a_server_that_refuses_us_leaves_the_queue_as_it_is,
    a_worker_that_is_stopped_finishes_its_letters,
    a_folder_gets_each_letter_as_a_file,
    a_slow_server_costs_no_letter_its_lease,
}

/// Time that passes as it does, and jumps.
#[derive(Clone)]
struct Time(Arc<AtomicI64>, Instant);

impl Time {
    fn new() -> Self {
        Self(Arc::default(), Instant::now())
    }

    fn jump(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    fn clock(&self) -> Clock {
        let this = self.clone();
        Clock::new(move || {
            let jumped = TimeDelta::seconds(this.0.load(Ordering::SeqCst));
            at() + TimeDelta::from_std(this.1.elapsed()).unwrap() + jumped
        })
    }
}

/// A running worker.
struct Worker {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Worker {
    fn start(store: &Store, transport: &Arc<Transport>, name: &'static str, time: &Time) -> Self {
        Self::leasing(store, transport, name, time, WorkerOptions::default().lease)
    }

    fn leasing(
        store: &Store,
        transport: &Arc<Transport>,
        name: &'static str,
        time: &Time,
        lease: u64,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let options = WorkerOptions { poll: 1, sweep: 1, lease, ..WorkerOptions::default() };
        let (store, transport, clock) = (store.clone(), transport.clone(), time.clock());
        let task =
            tokio::spawn(async move { run(store, transport, options, name, clock, stopped).await });
        Self { stop, task }
    }

    async fn stop(self) {
        self.stop.send(true).unwrap();
        self.task.await.unwrap();
    }
}

fn smtp(port: u16) -> Arc<Transport> {
    limited(port, 2)
}

/// A way out that waits long for the last answer.
fn patient(port: u16) -> Arc<Transport> {
    limited(port, 20)
}

fn limited(port: u16, end: u64) -> Arc<Transport> {
    let options = SmtpOptions {
        host: "localhost".into(),
        port,
        tls: TlsMode::None,
        roots: None,
        username: None,
        password: None,
        hello: "client.example.org".into(),
        return_path: None,
        connections: 3,
        limits: Limits { connect: 2, command: 2, block: 2, end },
        dkim: None,
    };
    Arc::new(Transport::Smtp(Box::new(Smtp::new(options).unwrap())))
}

/// A letter that a mail server takes.
fn mailed(number: u32) -> Entry {
    long(number, 1000)
}

/// A letter of so many lines.
pub(super) fn long(number: u32, lines: usize) -> Entry {
    let mut entry = letter(number);
    let delivery = &mut entry.deliveries[0];
    let id = delivery.id;
    delivery.message = format!(
        "From: Office <office@example.org>\r\nTo: {}\r\nMessage-ID: <{id}@example.org>\r\n\r\n{}",
        delivery.recipient,
        "A line of a letter that is long enough to count for something.\r\n".repeat(lines)
    )
    .into();
    entry
}

pub(super) async fn states(store: &Store) -> HashMap<DeliveryState, usize> {
    let page = Page { after: None, most: 10_000 };
    let mails = store.deliveries(&all(), &DeliveryFilter::default(), page).await.unwrap();
    let mut states = HashMap::new();
    for mail in mails {
        *states.entry(mail.state).or_default() += 1;
    }
    states
}

/// Waits until every mail is in one of these states.
async fn until(store: &Store, wanted: &[(DeliveryState, usize)]) {
    until_within(store, wanted, 30).await;
}

/// The same, with so many seconds of patience.
pub(super) async fn until_within(store: &Store, wanted: &[(DeliveryState, usize)], seconds: u64) {
    let wanted: HashMap<_, _> = wanted.iter().copied().collect();
    let start = Instant::now();
    loop {
        let states = states(store).await;
        if states == wanted {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(seconds), "{states:?}, not {wanted:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(super) async fn put(store: &Store, letters: u32) -> Vec<Entry> {
    let entries: Vec<_> = (0..letters).map(mailed).collect();
    for entry in &entries {
        store.put(entry.clone(), at()).await.unwrap();
    }
    entries
}

async fn every_letter_leaves_once_through_several_workers(place: Place) {
    let letters = count(60, 2000);
    let (one, two) = (place.open().await, place.open().await);
    let entries = put(&one, letters).await;
    let server = Server::start(Fault::None).await;
    let time = Time::new();
    let workers = [
        Worker::start(&one, &smtp(server.port), "one", &time),
        Worker::start(&two, &smtp(server.port), "two", &time),
    ];
    until(&one, &[(DeliveryState::Accepted, letters as usize)]).await;
    for worker in workers {
        worker.stop().await;
    }
    let mut kept: Vec<_> = server.kept().into_iter().map(|it| it.message).collect();
    let mut sent: Vec<_> = entries.iter().map(|it| it.deliveries[0].message.clone()).collect();
    kept.sort();
    sent.sort();
    assert!(kept == sent, "{} of {} letters", kept.len(), sent.len());
    assert!(server.commands().iter().any(|it| it == "QUIT"), "the connections ended politely");
}

async fn a_greylisted_letter_waits_and_leaves_after_a_restart(place: Place) {
    let store = place.open().await;
    put(&store, 1).await;
    let server = Server::start(Fault::Greylist(2)).await;
    let time = Time::new();
    for tries in 1..3 {
        let worker = Worker::start(&store, &smtp(server.port), "one", &time);
        let start = Instant::now();
        while server.commands().iter().filter(|it| it.starts_with("RCPT")).count() < tries {
            assert!(start.elapsed() < Duration::from_secs(20));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        worker.stop().await;
        // Started again at once, the worker leaves it alone.
        let worker = Worker::start(&store, &smtp(server.port), "one", &time);
        tokio::time::sleep(Duration::from_millis(1200)).await;
        worker.stop().await;
        assert_eq!(server.commands().iter().filter(|it| it.starts_with("RCPT")).count(), tries);
        time.jump(900);
    }
    let worker = Worker::start(&store, &smtp(server.port), "one", &time);
    until(&store, &[(DeliveryState::Accepted, 1)]).await;
    worker.stop().await;
    assert_eq!(server.kept().len(), 1);
}

async fn a_refused_letter_fails_once_and_says_why(place: Place) {
    let store = place.open().await;
    let entry = put(&store, 1).await.remove(0);
    let server = Server::start(Fault::Rcpt550).await;
    let worker = Worker::start(&store, &smtp(server.port), "one", &Time::new());
    until(&store, &[(DeliveryState::Failed, 1)]).await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    worker.stop().await;
    let (mail, tries) = store.delivery(&all(), entry.deliveries[0].id).await.unwrap();
    assert_eq!(mail.reply.as_deref(), Some("550 5.1.1 no such user"));
    assert_eq!(tries.len(), 1);
}

async fn a_letter_in_doubt_is_not_sent_again_and_a_report_resolves_it(place: Place) {
    let store = place.open().await;
    let entries = put(&store, 2).await;
    let server = Server::start(Fault::DropAfterDot).await;
    let time = Time::new();
    let worker = Worker::start(&store, &smtp(server.port), "one", &time);
    until(&store, &[(DeliveryState::InDoubt, 2)]).await;
    time.jump(1_000_000);
    tokio::time::sleep(Duration::from_millis(2200)).await;
    worker.stop().await;
    assert_eq!((server.kept().len(), states(&store).await.len()), (2, 1));
    let id = entries[0].deliveries[0].id;
    let report = format!(
        "From: mailer-daemon@example.org\r\nContent-Type: multipart/report; boundary=x\r\n\r\n\
         --x\r\nContent-Type: message/delivery-status\r\n\r\nOriginal-Envelope-Id: {id}\r\n\r\n\
         Action: delivered\r\nStatus: 2.0.0\r\n\r\n--x--\r\n"
    );
    let report = bounce::read(report.as_bytes()).unwrap();
    let arrived = Return::Delivered { reply: report.status };
    assert!(store.returned(report.delivery, &arrived, time.clock().now()).await.unwrap());
    until(&store, &[(DeliveryState::Delivered, 1), (DeliveryState::InDoubt, 1)]).await;
}

async fn a_cut_before_the_end_is_tried_again(place: Place) {
    let store = place.open().await;
    put(&store, 1).await;
    let time = Time::new();
    for fault in [Fault::DropAtData, Fault::DropMid, Fault::Dot451] {
        let server = Server::start(fault).await;
        let worker = Worker::start(&store, &smtp(server.port), "one", &time);
        let start = Instant::now();
        while !server.commands().iter().any(|it| it == "DATA") {
            assert!(start.elapsed() < Duration::from_secs(20), "{fault:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        until(&store, &[(DeliveryState::Ready, 1)]).await;
        worker.stop().await;
        assert!(server.kept().is_empty());
        time.jump(3600);
    }
    let server = Server::start(Fault::None).await;
    let worker = Worker::start(&store, &smtp(server.port), "one", &time);
    until(&store, &[(DeliveryState::Accepted, 1)]).await;
    worker.stop().await;
    assert_eq!(server.kept().len(), 1);
}

async fn a_server_that_refuses_us_leaves_the_queue_as_it_is(place: Place) {
    let store = place.open().await;
    put(&store, 20).await;
    let server = Server::start(Fault::Greet554).await;
    let time = Time::new();
    let worker = Worker::start(&store, &smtp(server.port), "one", &time);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    worker.stop().await;
    until(&store, &[(DeliveryState::Ready, 20)]).await;
    assert!(server.connections() <= 6, "{} tries", server.connections());
    // Mended, everything leaves, also what was tried before.
    let server = Server::start(Fault::None).await;
    time.jump(3600);
    let worker = Worker::start(&store, &smtp(server.port), "one", &time);
    until(&store, &[(DeliveryState::Accepted, 20)]).await;
    worker.stop().await;
    assert_eq!(server.kept().len(), 20);
}

async fn a_worker_that_is_stopped_finishes_its_letters(place: Place) {
    let store = place.open().await;
    put(&store, 12).await;
    let server = Server::start(Fault::Dribble).await;
    let worker = Worker::start(&store, &smtp(server.port), "one", &Time::new());
    while server.kept().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let ended = worker.stop().boxed();
    tokio::time::timeout(Duration::from_secs(10), ended).await.unwrap();
    let states = states(&store).await;
    let accepted = states.get(&DeliveryState::Accepted).copied().unwrap_or_default();
    assert_eq!(accepted, server.kept().len());
    assert_eq!(states.get(&DeliveryState::Ready).copied().unwrap_or_default(), 12 - accepted);
}

async fn a_folder_gets_each_letter_as_a_file(place: Place) {
    let store = place.open().await;
    let entries = put(&store, 5).await;
    let folder = place.folder.path().join("mail");
    let transport = Arc::new(Transport::Folder(folder.clone()));
    let worker = Worker::start(&store, &transport, "one", &Time::new());
    until(&store, &[(DeliveryState::Accepted, 5)]).await;
    worker.stop().await;
    for entry in entries {
        let delivery = &entry.deliveries[0];
        let file = std::fs::read(folder.join(format!("{}.eml", delivery.id))).unwrap();
        assert_eq!(file, delivery.message);
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 5);
    let memory = Arc::new(Transport::Memory(Memory::default()));
    put_more(&store).await;
    let worker = Worker::start(&store, &memory, "two", &Time::new());
    until(&store, &[(DeliveryState::Accepted, 6)]).await;
    worker.stop().await;
    let Transport::Memory(memory) = &*memory else { unreachable!() };
    assert_eq!(memory.messages().len(), 1);
}

/// A worker that lives keeps its letter; one that is gone leaves it in doubt soon after.
async fn a_slow_server_costs_no_letter_its_lease(place: Place) {
    assert!(
        WorkerOptions::default().lease <= 300,
        "a killed worker blocks its letters for minutes"
    );
    let store = place.open().await;
    put(&store, 2).await;
    let server = Server::start(Fault::Slower).await;
    let time = Time::new();
    let smtp = patient(server.port);
    let workers = ["one", "two"].map(|name| Worker::leasing(&store, &smtp, name, &time, 2));
    until(&store, &[(DeliveryState::Accepted, 2)]).await;
    for worker in workers {
        worker.stop().await;
    }
    assert_eq!(server.count(), 2);
    store.put(mailed(2), at()).await.unwrap();
    let lost = Worker::leasing(&store, &smtp, "lost", &time, 2);
    while server.count() < 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    lost.task.abort();
    let worker = Worker::leasing(&store, &smtp, "next", &time, 2);
    until(&store, &[(DeliveryState::Accepted, 2), (DeliveryState::InDoubt, 1)]).await;
    worker.stop().await;
    assert_eq!(server.count(), 3);
}

/// A full disk or a locked database, just where a letter is noted as leaving.
#[test]
fn no_letter_leaves_that_the_store_could_not_note() {
    crate::database::run(Place::sqlite(), async |place| {
        let store = place.open().await;
        put(&store, 3).await;
        let trigger = "CREATE TRIGGER full BEFORE UPDATE ON deliveries WHEN NEW.state = 'transmitting' \
                       BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END";
        place.sql(trigger).await.unwrap();
        let server = Server::start(Fault::None).await;
        let time = Time::new();
        let worker = Worker::start(&store, &smtp(server.port), "one", &time);
        tokio::time::sleep(Duration::from_millis(1500)).await;
        worker.stop().await;
        let said = server.commands();
        assert!(said.iter().any(|it| it.starts_with("RCPT")), "{said:?}");
        assert!(!said.iter().any(|it| it == "DATA"), "{said:?}");
        place.sql("DROP TRIGGER full").await.unwrap();
        time.jump(3600);
        let worker = Worker::start(&store, &smtp(server.port), "one", &time);
        until(&store, &[(DeliveryState::Accepted, 3)]).await;
        worker.stop().await;
        assert_eq!(server.kept().len(), 3);
    });
}

async fn put_more(store: &Store) {
    store.put(mailed(100), at()).await.unwrap();
}
