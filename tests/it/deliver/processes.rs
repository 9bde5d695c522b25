//! Whole workers, killed and paused at random: no letter twice, none missing, few in doubt.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use paraphe::store::{DeliveryState, Store};
use uuid::Uuid;

use super::server::{Fault, Server};
use super::worker::{put, states};
use crate::database::{Place, on_both};
use crate::harness::count;

on_both! { kill_9_and_pauses_at_random_moments_lose_and_double_nothing }

const CONNECTIONS: usize = 3;

/// The settings of workers on a test's store, which send to a port of this machine.
fn settings(place: &Place, port: u16) -> PathBuf {
    let folder = place.folder.path();
    let script = "set -e
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout seal.key -out seal.crt \
            -days 30 -subj '/CN=Test seal'
        cat seal.key seal.crt > seal.pem";
    let made = Command::new("bash").args(["-c", script]).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::write(folder.join("operator.key"), place.options.key.expose()).unwrap();
    let (root, database) = (folder.display(), &place.options.database);
    let text = format!(
        "mode = \"production\"\ndata = \"{root}\"\nverify_url = \"https://example.org/v/\"\n\
         [store]\ndatabase = \"{database}\"\nblobs = \"{root}/blobs\"\nkey_file = \"{root}/operator.key\"\n\
         [seal]\nkey_file = \"{root}/seal.pem\"\n\
         [privacy]\ncontact = \"donnees@example.org\"\nretention_months = 60\n\
         [mail]\nsweep_seconds = 1\nfirst_retry_seconds = 1\n\
         [mail.smtp]\nhost = \"localhost\"\nport = {port}\nsecurity = \"none\"\n\
         connections = {CONNECTIONS}\ntimeout_seconds = 5\n"
    );
    let path = folder.join("paraphe.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// A worker process; killed when it goes out of use.
struct Worker(Child);

impl Worker {
    fn start(settings: &Path, drain: bool) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paraphe"));
        command.arg("worker").arg("--config").arg(settings);
        if drain {
            command.arg("--drain");
        }
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }

    fn signal(&self, name: &str) {
        let told = Command::new("kill").args([name, &self.0.id().to_string()]).status();
        assert!(told.unwrap().success());
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Numbers that look random, the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % most
    }
}

/// Which letters the server keeps, and how often.
fn copies(server: &Server) -> HashMap<Uuid, usize> {
    let mut copies = HashMap::new();
    for kept in server.kept() {
        let text = String::from_utf8(kept.message).unwrap();
        let id = text.split_once("Message-ID: <").unwrap().1.split_once('@').unwrap().0;
        *copies.entry(id.parse().unwrap()).or_default() += 1;
    }
    copies
}

async fn kill_9_and_pauses_at_random_moments_lose_and_double_nothing(place: Place) {
    let blows = count(5, 100) as usize;
    let store = place.open().await;
    let letters = put(&store, (30 + 15 * blows) as u32).await;
    let server = Server::start(Fault::Slow).await;
    let settings = settings(&place, server.port);
    let mut workers = [Worker::start(&settings, false), Worker::start(&settings, false)];
    let mut dice = Dice(7);
    for blow in 0..blows {
        let before = server.kept().len();
        wait(|| server.kept().len() > before + 2, &store).await;
        tokio::time::sleep(Duration::from_millis(dice.below(200))).await;
        let which = dice.below(2) as usize;
        if blow % 3 == 2 {
            workers[which].signal("-STOP");
            tokio::time::sleep(Duration::from_millis(300)).await;
            // Its leases end while it sleeps; it wakes, and can neither send nor overwrite.
            store.sweep(Utc::now() + TimeDelta::hours(1)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(500)).await;
            workers[which].signal("-CONT");
        } else {
            workers[which] = Worker::start(&settings, false); // the old one is killed as it is dropped
        }
    }
    drop(workers);
    store.sweep(Utc::now() + TimeDelta::hours(1)).await.unwrap();
    let mut last = Worker::start(&settings, true);
    wait(|| last.0.try_wait().unwrap().is_some(), &store).await;

    let copies = copies(&server);
    assert!(copies.values().all(|it| *it == 1), "a letter arrived twice");
    let doubtful = states(&store).await.get(&DeliveryState::InDoubt).copied().unwrap_or_default();
    let mut accepted = 0;
    for id in letters.iter().map(|it| it.deliveries[0].id) {
        let mail = store.delivery(&crate::store::all(), id).await.unwrap().0;
        match mail.state {
            DeliveryState::Accepted => {
                assert!(copies.contains_key(&id), "{id} was accepted and is not there");
                accepted += 1;
            }
            DeliveryState::InDoubt => {}
            state => panic!("{id} is {state}: {:?}", mail.reply),
        }
    }
    assert_eq!(accepted + doubtful, letters.len());
    // A sweep while the other worker sends makes doubts of what that one had under way, too.
    assert!(doubtful <= 2 * CONNECTIONS * (blows + 1), "{doubtful} in doubt");
    let known: HashSet<_> = letters.iter().map(|it| it.deliveries[0].id).collect();
    assert!(copies.keys().all(|it| known.contains(it)));
}

async fn wait(mut done: impl FnMut() -> bool, store: &Store) {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > Duration::from_secs(90) {
            panic!("nothing happens any more: {:?}", states(store).await);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
