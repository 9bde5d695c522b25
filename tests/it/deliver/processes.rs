//! Whole workers, killed and paused at random: no letter twice, none missing, few in doubt.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use paraphe::store::{DeliveryState, Entry, Store};
use uuid::Uuid;

use super::server::{Fault, Server};
use super::worker::{long, states};
use crate::database::{Place, on_both, run};
use crate::harness::{at, count};

on_both! { kill_9_and_pauses_at_random_moments_lose_and_double_nothing }

/// The connections of a worker, how long a lease lasts here, and how long one must be away to lose it.
pub(super) const CONNECTIONS: usize = 3;
const LEASE: u64 = 5;
pub(super) const AWAY: Duration = Duration::from_secs(LEASE + 3);

/// The settings of a worker that sends to a port of this machine in the clear.
pub(super) fn plain(place: &Place, port: u16) -> PathBuf {
    let smtp = format!("security = \"none\"\nconnections = {CONNECTIONS}\ntimeout_seconds = 5\n");
    settings(place, port, &smtp)
}

/// The settings of workers on a test's store, which send to a port of this machine.
pub(super) fn settings(place: &Place, port: u16, smtp: &str) -> PathBuf {
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
         [mail]\nsweep_seconds = 1\nfirst_retry_seconds = 1\nlongest_retry_seconds = 2\nlease_seconds = {LEASE}\n\
         [mail.smtp]\nhost = \"localhost\"\nport = {port}\n{smtp}"
    );
    let path = folder.join("paraphe.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// A worker process; killed when it goes out of use.
pub(super) struct Worker(pub(super) Child, PathBuf);

impl Worker {
    pub(super) fn start(settings: &Path, more: &[&str]) -> Self {
        let log = settings.with_extension(format!("{}.log", Uuid::now_v7()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_paraphe"));
        command.arg("worker").arg("--config").arg(settings).args(more);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        Self(command.spawn().unwrap(), log)
    }

    pub(super) fn signal(&self, name: &str) {
        let told = Command::new("kill").args([name, &self.0.id().to_string()]).status();
        assert!(told.unwrap().success());
    }

    /// What it told the operator.
    pub(super) fn said(&self) -> String {
        std::fs::read_to_string(&self.1).unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Letters of so many lines in the outbox.
pub(super) async fn put(store: &Store, letters: u32, lines: usize) -> Vec<Entry> {
    let entries: Vec<_> = (0..letters).map(|it| long(it, lines)).collect();
    for chunk in entries.chunks(500) {
        for answer in store.put_many(chunk.to_vec(), at()).await {
            answer.unwrap();
        }
    }
    entries
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
pub(super) fn copies(server: &Server) -> HashMap<Uuid, usize> {
    let mut copies = HashMap::new();
    for kept in server.kept() {
        let text = String::from_utf8(kept.message).unwrap();
        let id = text.split_once("Message-ID: <").unwrap().1.split_once('@').unwrap().0;
        *copies.entry(id.parse().unwrap()).or_default() += 1;
    }
    copies
}

async fn kill_9_and_pauses_at_random_moments_lose_and_double_nothing(place: Place) {
    let blows = count(5, 100);
    let store = place.open().await;
    let letters = put(&store, 30 + 15 * blows, 1000).await;
    storm(&place, &store, &letters, Storm { workers: 2, blows, fault: Fault::Slow }).await;
}

/// Several machines are several processes that share nothing but a database and a folder.
#[test]
fn workers_of_several_machines_send_each_recipient_one_letter() {
    for workers in [2, 4] {
        run(Place::postgres(), async |place| {
            let store = place.open().await;
            let letters = put(&store, count(150, 10_000), 20).await;
            let blows = count(3, 40);
            storm(&place, &store, &letters, Storm { workers, blows, fault: Fault::None }).await;
        });
    }
}

/// What befalls the workers.
struct Storm {
    workers: usize,
    blows: u32,
    fault: Fault,
}

/// Kills or pauses one worker after the other while they send, and looks at what came of it.
async fn storm(place: &Place, store: &Store, letters: &[Entry], storm: Storm) {
    let begun = Instant::now();
    let server = Server::start(storm.fault).await;
    let settings = plain(place, server.port);
    let start = || Worker::start(&settings, &[]);
    let mut workers: Vec<_> = (0..storm.workers).map(|_| start()).collect();
    let mut dice = Dice(7);
    let step = letters.len() / (2 * storm.blows as usize + 2);
    for blow in 0..storm.blows {
        let wanted = (server.count() + step).min(letters.len() / 2);
        wait(|| server.count() >= wanted, store).await;
        tokio::time::sleep(Duration::from_millis(dice.below(200))).await;
        let which = dice.below(storm.workers as u64) as usize;
        if blow % 3 == 2 {
            workers[which].signal("-STOP");
            // Its leases end while it sleeps; it wakes, and can neither send nor overwrite.
            tokio::time::sleep(AWAY).await;
            workers[which].signal("-CONT");
        } else {
            workers[which] = start(); // the old one is killed as it is dropped
        }
    }
    drop(workers);
    let mut last = Worker::start(&settings, &["--drain"]);
    while last.0.try_wait().unwrap().is_none() {
        let seen = server.count();
        wait(|| last.0.try_wait().unwrap().is_some() || server.count() > seen, store).await;
    }

    let copies = copies(&server);
    assert!(copies.values().all(|it| *it == 1), "a letter arrived twice");
    let known: HashSet<_> = letters.iter().map(|it| it.deliveries[0].id).collect();
    assert!(copies.keys().all(|it| known.contains(it)));
    let mut states: HashMap<DeliveryState, usize> = HashMap::new();
    for id in known {
        let mail = store.delivery(&crate::store::all(), id).await.unwrap().0;
        *states.entry(mail.state).or_default() += 1;
        match mail.state {
            DeliveryState::Accepted => assert!(copies.contains_key(&id), "{id} is not there"),
            DeliveryState::InDoubt => {}
            state => panic!("{id} is {state}: {:?}", mail.reply),
        }
    }
    println!("{:?}: {states:?} after {} blows", begun.elapsed(), storm.blows);
    let doubtful = states.get(&DeliveryState::InDoubt).copied().unwrap_or_default();
    let under_way = CONNECTIONS * (storm.blows as usize + storm.workers);
    assert!(doubtful <= under_way, "{doubtful} in doubt");
}

pub(super) async fn wait(mut done: impl FnMut() -> bool, store: &Store) {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > Duration::from_secs(240) {
            panic!("nothing happens any more: {:?}", states(store).await);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
