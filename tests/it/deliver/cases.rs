//! What can go wrong between a worker and a mail server, each with a worker process of its own: where the letter is
//! then is known, and it arrives once or is listed. What befalls the processes themselves stands in `processes`.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use paraphe::deliver::bounce;
use paraphe::store::{DeliveryState, Return, Store};
use serde_json::Value;

use super::processes::{AWAY, CONNECTIONS, Worker, copies, plain, put, settings, wait};
use super::server::{Fault, Server};
use super::smtp::Pki;
use super::worker::{states, until_within};
use crate::database::{Place, on_both};
use crate::harness::at;

use DeliveryState::{Accepted, Claimed, Failed, InDoubt, Ready, Transmitting};

on_both! {
    a_cut_before_the_end_is_tried_again_until_one_copy_is_there,
    a_cut_after_the_end_is_listed_and_resolved_by_a_report,
    a_stall_ends_in_time_and_is_told_apart,
    a_back_off_outlives_the_worker,
    a_refusal_for_good_is_tried_once_and_shown,
    a_connection_that_is_ended_between_letters_is_made_anew,
    nothing_leaves_over_a_line_that_is_not_private,
    a_paused_owner_of_leases_can_neither_send_nor_settle,
    nothing_leaves_that_cannot_be_noted,
}

/// Settings that wait for nothing longer than a second, ten for the last answer.
fn hasty(place: &Place, port: u16) -> std::path::PathBuf {
    settings(place, port, "security = \"none\"\nconnections = 1\ntimeout_seconds = 1\n")
}

/// Waits until the mails are in these states.
async fn until(store: &Store, wanted: &[(DeliveryState, usize)]) {
    until_within(store, wanted, 90).await;
}

async fn a_cut_before_the_end_is_tried_again_until_one_copy_is_there(place: Place) {
    let store = place.open().await;
    // More than the system takes ahead of a server that reads nothing: a letter that fits would have left with its end.
    put(&store, 2, 100_000).await;
    let server = Server::start(Fault::DropAtRcpt).await;
    let _worker = Worker::start(&plain(&place, server.port), &[]);
    for (fault, command) in [
        (Fault::DropAtRcpt, "RCPT"),
        (Fault::Dot451, "DATA"), // an answer: the line is not broken, and not waited for
        (Fault::DropAtData, "DATA"),
        (Fault::DropMid, "DATA"),
    ] {
        server.becomes(fault);
        let before = server.heard(command);
        wait(|| server.heard(command) > before, &store).await;
        assert_eq!(server.count(), 0, "{fault:?}");
    }
    server.becomes(Fault::None);
    until(&store, &[(Accepted, 2)]).await;
    assert_eq!((server.count(), copies(&server).len()), (2, 2));
}

async fn a_cut_after_the_end_is_listed_and_resolved_by_a_report(place: Place) {
    let store = place.open().await;
    let letters = put(&store, 1, 1000).await;
    let id = letters[0].deliveries[0].id;
    let server = Server::start(Fault::DropAfterDot).await;
    let settings = plain(&place, server.port);
    let worker = Worker::start(&settings, &[]);
    until(&store, &[(InDoubt, 1)]).await;
    server.becomes(Fault::None);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(server.count(), 1, "a doubt is not sent again by itself");
    drop(worker);
    let listed = ask(&settings, &["deliveries", "list", "--state", "in_doubt", "--json"]);
    assert_eq!(listed[0]["id"], id.to_string());
    let report = format!(
        "From: mailer-daemon@example.org\r\nContent-Type: multipart/report; boundary=x\r\n\r\n\
         --x\r\nContent-Type: message/delivery-status\r\n\r\nOriginal-Envelope-Id: {id}\r\n\r\n\
         Action: delivered\r\nStatus: 2.0.0\r\n\r\n--x--\r\n"
    );
    let report = bounce::read(report.as_bytes()).unwrap();
    let arrived = Return::Delivered { reply: report.status };
    assert!(store.returned(report.delivery, &arrived, at()).await.unwrap());
    until(&store, &[(DeliveryState::Delivered, 1)]).await;
}

async fn a_stall_ends_in_time_and_is_told_apart(place: Place) {
    let store = place.open().await;
    let letters = put(&store, 1, 10).await;
    let server = Server::start(Fault::StallGreet).await;
    let _worker = Worker::start(&hasty(&place, server.port), &[]);
    for (tries, fault) in [(1, Fault::StallGreet), (2, Fault::StallRcpt)] {
        server.becomes(fault);
        let connected = server.connections();
        wait(|| server.connections() > connected.min(tries - 1), &store).await;
        let start = Instant::now();
        loop {
            let (mail, _) =
                store.delivery(&crate::store::all(), letters[0].deliveries[0].id).await.unwrap();
            if mail.attempts as usize == tries {
                assert_eq!(mail.state, Ready, "nothing was handed over: it waits");
                let why = mail.reply.unwrap();
                assert!(why.contains("did not answer in time"), "{fault:?}: {why}");
                break;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "{fault:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    server.becomes(Fault::StallAfterDot);
    wait(|| server.count() == 1, &store).await;
    let start = Instant::now();
    until(&store, &[(InDoubt, 1)]).await;
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

async fn a_back_off_outlives_the_worker(place: Place) {
    let store = place.open().await;
    put(&store, 1, 10).await;
    let server = Server::start(Fault::Greylist(1)).await;
    let settings = plain(&place, server.port);
    let text = std::fs::read_to_string(&settings).unwrap();
    let hasty = "first_retry_seconds = 1\nlongest_retry_seconds = 2\n";
    assert!(text.contains(hasty));
    let text = text.replace(hasty, "first_retry_seconds = 10\n");
    std::fs::write(&settings, text).unwrap();
    let worker = Worker::start(&settings, &[]);
    wait(|| server.heard("RCPT") == 1, &store).await;
    let put_off = Instant::now();
    until(&store, &[(Ready, 1)]).await;
    drop(worker);
    let _worker = Worker::start(&settings, &[]);
    wait(|| server.heard("RCPT") == 2, &store).await;
    // A fifth more or less.
    assert!(put_off.elapsed() > Duration::from_secs(8), "{:?}", put_off.elapsed());
    until(&store, &[(Accepted, 1)]).await;
    assert_eq!(server.count(), 1);
}

async fn a_refusal_for_good_is_tried_once_and_shown(place: Place) {
    for (fault, words) in [
        (Fault::Rcpt550, "550 5.1.1 no such user"),
        (Fault::Dot552, "552 5.3.4 too big"),
        (Fault::Small, "the mail server takes 1000: send a link in place of the file"),
    ] {
        let store = place.open().await;
        let before = states(&store).await.get(&Failed).copied().unwrap_or_default();
        let entry = super::worker::long(before as u32, 100);
        let id = entry.deliveries[0].id.to_string();
        store.put(entry, at()).await.unwrap();
        let server = Server::start(fault).await;
        let settings = plain(&place, server.port);
        let worker = Worker::start(&settings, &[]);
        until(&store, &[(Failed, before + 1)]).await;
        tokio::time::sleep(Duration::from_millis(2500)).await;
        drop(worker);
        assert_eq!(server.count(), 0);
        assert!(server.heard("RCPT") <= 1, "{:?}", server.commands());
        let shown = ask(&settings, &["deliveries", "show", &id, "--json"]);
        assert_eq!(shown["tries"].as_array().unwrap().len(), 1);
        let reply = shown["delivery"]["reply"].as_str().unwrap();
        assert!(reply.contains(words), "{reply}");
    }
}

async fn a_connection_that_is_ended_between_letters_is_made_anew(place: Place) {
    let store = place.open().await;
    put(&store, 4, 100).await;
    let server = Server::start(Fault::SecondLetter421).await;
    let _worker = Worker::start(&hasty(&place, server.port), &[]);
    until(&store, &[(Accepted, 4)]).await;
    assert_eq!((server.count(), copies(&server).len(), server.connections()), (4, 4, 4));
}

async fn nothing_leaves_over_a_line_that_is_not_private(place: Place) {
    let store = place.open().await;
    put(&store, 3, 10).await;
    let pki = Pki::new();
    let folder = place.folder.path();
    std::fs::write(folder.join("ca.pem"), pki.roots()).unwrap();
    std::fs::write(folder.join("password"), "hunter2").unwrap();
    let smtp = format!(
        "security = \"starttls\"\ntimeout_seconds = 5\nconnections = 2\nuser = \"office\"\n\
         password_file = \"{0}/password\"\nca_file = \"{0}/ca.pem\"\n",
        folder.display()
    );
    for (fault, certificate) in [
        (Fault::Stripped, "good"),
        (Fault::Injected, "good"),
        (Fault::None, "expired"),
        (Fault::None, "wrong"),
        (Fault::WrongPassword, "good"),
    ] {
        let server = Server::with_tls(fault, pki.acceptor(certificate), false).await;
        let worker = Worker::start(&settings(&place, server.port, &smtp), &[]);
        wait(|| worker.said().contains("mail does not leave"), &store).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        worker.signal("-TERM");
        until(&store, &[(Ready, 3)]).await;
        let said = server.commands();
        assert!(!said.iter().any(|it| it.starts_with("MAIL")), "{fault:?} {certificate}: {said:?}");
        let log_in = said.iter().any(|it| it.starts_with("AUTH"));
        assert_eq!(log_in, fault == Fault::WrongPassword, "{fault:?} {certificate}: {said:?}");
        let told = worker.said();
        assert_eq!(told.matches("mail does not leave").count(), 1, "{told}");
        assert!(!told.contains("hunter2") && !told.contains("aHVudGVyMg"), "{told}");
    }
    let server = Server::with_tls(Fault::None, pki.acceptor("good"), false).await;
    let _worker = Worker::start(&settings(&place, server.port, &smtp), &[]);
    until(&store, &[(Accepted, 3)]).await;
    assert_eq!(server.count(), 3, "the queue has waited, and leaves when the line is good");
}

async fn a_paused_owner_of_leases_can_neither_send_nor_settle(place: Place) {
    let store = place.open().await;
    put(&store, 30, 100).await;
    let server = Server::start(Fault::Slow).await;
    let settings = plain(&place, server.port);
    let asleep = Worker::start(&settings, &[]);
    wait(|| server.count() >= 3, &store).await;
    asleep.signal("-STOP");
    let _awake = Worker::start(&settings, &[]);
    tokio::time::sleep(AWAY).await;
    let start = Instant::now();
    while states(&store).await.keys().any(|it| [Ready, Claimed, Transmitting].contains(it)) {
        assert!(start.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let then = states(&store).await;
    let doubtful = then.get(&InDoubt).copied().unwrap_or_default();
    assert!(doubtful <= CONNECTIONS, "{then:?}");
    asleep.signal("-CONT");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(states(&store).await, then, "who slept overwrites nothing");
    assert!(copies(&server).values().all(|it| *it == 1));
    assert!(copies(&server).len() >= 30 - doubtful);
}

/// A disk that is full, or a lock that is held, at each commit of a letter's way.
async fn nothing_leaves_that_cannot_be_noted(place: Place) {
    for (round, state) in ["claimed", "transmitting", "accepted"].into_iter().enumerate() {
        let store = place.open().await;
        for number in 0..6 {
            let entry = super::worker::long(100 * round as u32 + number, 10);
            store.put(entry, at()).await.unwrap();
        }
        let (make, mend) = match place.is_sqlite() {
            true => (
                format!(
                    "CREATE TRIGGER full BEFORE UPDATE ON deliveries WHEN NEW.state = '{state}' \
                     BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
                ),
                "DROP TRIGGER full",
            ),
            false => (
                format!(
                    "CREATE OR REPLACE FUNCTION is_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                     RAISE EXCEPTION 'disk full' USING ERRCODE = '53100'; END $$; \
                     CREATE TRIGGER is_full BEFORE UPDATE ON deliveries FOR EACH ROW \
                     WHEN (NEW.state = '{state}') EXECUTE FUNCTION is_full()"
                ),
                "DROP TRIGGER is_full ON deliveries",
            ),
        };
        place.sql(&make).await.unwrap();
        let server = Server::start(Fault::None).await;
        let worker = Worker::start(&plain(&place, server.port), &[]);
        wait(|| worker.said().contains("the store, "), &store).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (asked, sent) = (server.heard("RCPT"), server.heard("DATA"));
        match state {
            "claimed" => assert_eq!((asked, sent), (0, 0)),
            "transmitting" => assert!(asked > 0 && sent == 0, "{asked} {sent}"),
            _ => assert!(sent > 0 && sent <= CONNECTIONS, "{sent} sent, none could be settled"),
        }
        place.sql(mend).await.unwrap();
        until(&store, &[(Accepted, 6 * (round + 1))]).await;
        assert_eq!((server.count(), copies(&server).len()), (6, 6), "{state}");
    }
}

/// What the program answers in JSON.
fn ask(settings: &Path, args: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_paraphe"))
        .arg("--config")
        .arg(settings)
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
