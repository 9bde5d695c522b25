//! A merge through real processes: given in twice, killed, paused, restored from a backup, cancelled, too late. Every
//! letter is accounted for each time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use paraphe::config::Config;
use paraphe::deliver::{Clock, Memory, Transport, worker};
use paraphe::merge::preflight::preflight;
use paraphe::merge::run::{Spool, Terms, submit, work};
use paraphe::pipeline::Pipeline;
use paraphe::store::{DeliveryState, Scope, Store};
use serde_json::Value;
use tokio::sync::watch;
use uuid::Uuid;

use super::{file, kit, list, list_on, options};
use crate::database::{Place, new_postgres_database, on_both};
use crate::harness::{at, count, paraphe};

on_both! {
    a_list_given_in_twice_at_once_and_again_is_one_set_of_letters,
    a_merge_that_is_paused_killed_and_restored_adds_up,
    what_is_cancelled_or_too_late_is_not_sent_and_is_counted,
}

/// Settings of trial mode on a test's database, with a folder of its own that mails leave into.
struct Desk {
    folder: PathBuf,
}

impl Desk {
    /// Sends so many mails a minute at the most.
    fn new(folder: &Path, database: &str, rate: usize) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let text = format!(
            "data = {:?}\n[store]\ndatabase = {database:?}\n[mail]\nfolder = {:?}\nper_minute = {rate}\n",
            folder.join("data"),
            folder.join("left")
        );
        std::fs::write(folder.join("paraphe.toml"), text).unwrap();
        Self { folder: folder.to_owned() }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paraphe"));
        command.arg("--config").arg(self.folder.join("paraphe.toml")).arg("--json").args(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn start(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }

    fn ask(&self, args: &[&str]) -> Value {
        answer(&self.command(args).output().unwrap())
    }

    /// The Message-IDs of the mails that have left.
    fn left(&self) -> BTreeSet<String> {
        let files = std::fs::read_dir(self.folder.join("left")).into_iter().flatten().flatten();
        let files = files.filter(|it| it.path().extension().is_some_and(|it| it == "eml"));
        files.map(|it| it.path().file_stem().unwrap().to_string_lossy().into_owned()).collect()
    }

    /// How many mails are in each state.
    fn states(&self) -> BTreeMap<String, i64> {
        let counts = self.ask(&["deliveries", "count"])["queue"]["counts"].clone();
        serde_json::from_value(counts).unwrap()
    }
}

/// The last value of an answer: a merge tells first what it found, then what came of it.
fn answer(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let values = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    values.map_while(Result::ok).last().unwrap_or_default()
}

/// Rows whose dates lie ahead of today, in a file; and how many have an email.
fn rows(folder: &Path, count: usize) -> (String, usize) {
    let example = paraphe(&["schema", "convocation", "--example"]).stdout;
    let example: Value = serde_json::from_slice(&example).unwrap();
    let day = example["appointment"]["sessions"][0]["date"].as_str().unwrap();
    let day = day.parse::<chrono::NaiveDate>().unwrap().format("%d/%m/%Y").to_string();
    let path = folder.join("list.csv");
    std::fs::write(&path, list_on(count, &day)).unwrap();
    (path.display().to_string(), count - count.div_ceil(3))
}

/// Asks again and again, seldom enough that asking, which is a process each time, leaves the work its cores.
fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let patience = Duration::from_secs(count(200, 1_800).into());
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < patience, "{what}: nothing happens any more");
        std::thread::sleep(Duration::from_millis(count(20, 500).into()));
    }
}

async fn a_list_given_in_twice_at_once_and_again_is_one_set_of_letters(place: Place) {
    let desk = Desk::new(place.folder.path(), &place.options.database, 60_000);
    let (list, mails) = rows(place.folder.path(), 12);
    let twice = [(); 2].map(|()| desk.start(&["merge", &list, "--send"]));
    let accounts = twice.map(|it| answer(&it.wait_with_output().unwrap()));
    let again = desk.ask(&["merge", &list, "--send"]);
    for account in accounts.iter().chain([&again]) {
        assert_eq!(account["id"], again["id"], "one merge");
    }
    assert_eq!(
        (&again["issued"], &again["open"], &again["adds_up"]),
        (&12.into(), &0.into(), &true.into())
    );
    assert_eq!(desk.states(), [("accepted".to_owned(), mails as i64)].into());
    assert_eq!(desk.left().len(), mails);
}

/// The long way of a merge; the long run kills the issuing process, too.
async fn a_merge_that_is_paused_killed_and_restored_adds_up(place: Place) {
    let total = count(30, 10_000) as usize;
    let (list, mails) = rows(place.folder.path(), total);
    // Slowly enough to be stopped half-way.
    let desk = Desk::new(&place.folder.path().join("one"), &place.options.database, 2 * mails);
    if total > 1000 {
        let mut killed = desk.start(&["merge", &list]);
        wait("letters", || desk.states().values().sum::<i64>() > mails as i64 / 4);
        killed.kill().unwrap();
        killed.wait().unwrap();
    }
    let account = desk.ask(&["merge", &list]);
    assert_eq!(account["adds_up"], true, "{account}");
    assert_eq!((&account["issued"], &account["open"]), (&total.into(), &0.into()), "{account}");
    assert_eq!(desk.states()["ready"], mails as i64);

    // Some leave; sending is paused, and a backup taken.
    let mut worker = desk.start(&["worker"]);
    wait("mails", || desk.left().len() > mails / 4);
    desk.ask(&["deliveries", "pause", "the server moves"]);
    wait("a pause", || {
        !["claimed", "transmitting"].iter().any(|it| desk.states().contains_key(*it))
    });
    let paused = desk.left().len();
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(desk.left().len(), paused, "nothing leaves while sending is paused");
    let backup = place.folder.path().join("backup");
    desk.ask(&["backup", backup.to_str().unwrap()]);

    // More leave, and the worker is killed at it.
    desk.ask(&["deliveries", "resume"]);
    wait("more mails", || desk.left().len() > paused.max(mails / 2));
    worker.kill().unwrap();
    worker.wait().unwrap();
    let sent = desk.left();
    assert!(sent.len() < mails, "it was killed while it sent");

    // The place is lost; the backup goes elsewhere, and the mail server's log is given in.
    let database = match place.is_sqlite() {
        true => place.folder.path().join("other.sqlite").display().to_string(),
        false => tokio::task::spawn_blocking(new_postgres_database).await.unwrap(),
    };
    let other = Desk::new(&place.folder.path().join("two"), &database, 60_000);
    let data = other.folder.join("data");
    std::fs::create_dir_all(&data).unwrap();
    for key in ["operator.key", "test-authority.key"] {
        std::fs::copy(desk.folder.join("data").join(key), data.join(key)).unwrap();
    }
    other.ask(&["restore", backup.to_str().unwrap()]);
    other.ask(&["worker", "--drain"]);
    assert_eq!(other.left().len(), 0, "a restored store sends nothing by itself");
    let log = other.folder.join("mail.log");
    let domain = domain(&desk);
    let lines = sent.iter().enumerate().map(|(queue, it)| {
        format!(
            "postfix/cleanup[7]: A{queue}: message-id=<{it}@{domain}>\n\
             postfix/qmgr[8]: A{queue}: from=<accueil@example.org>, size=1, nrcpt=1 (queue active)\n"
        )
    });
    std::fs::write(&log, lines.collect::<String>()).unwrap();
    other.ask(&["deliveries", "reconcile", log.to_str().unwrap()]);
    other.ask(&["deliveries", "resume"]);
    other.ask(&["worker", "--drain"]);
    let rest = other.left();
    assert!(rest.is_disjoint(&sent), "a mail was sent twice");
    assert_eq!(rest.len() + sent.len(), mails, "each recipient once");
    assert_eq!(other.states(), [("accepted".to_owned(), mails as i64)].into());
    let account = other.ask(&["merge", &list]);
    assert_eq!(
        (&account["issued"], &account["adds_up"]),
        (&total.into(), &true.into()),
        "{account}"
    );
}

/// The domain of the Message-IDs.
fn domain(desk: &Desk) -> String {
    let file = std::fs::read_dir(desk.folder.join("left")).unwrap().flatten().next().unwrap();
    let text = std::fs::read_to_string(file.path()).unwrap();
    let id = text.split_once("Message-ID: <").unwrap().1.split_once('>').unwrap().0.to_owned();
    id.split_once('@').unwrap().1.to_owned()
}

async fn what_is_cancelled_or_too_late_is_not_sent_and_is_counted(place: Place) {
    let config = {
        let mut config = Config { data: Some(place.folder.path().to_owned()), ..Config::default() };
        config.store.database = Some(place.options.database.clone());
        config
    };
    let assets = paraphe::assets::Assets::embedded();
    let rulebook = paraphe::document::Rulebook::load(&assets).unwrap();
    let journey = Pipeline::open(&assets, rulebook, &config).await.unwrap();
    let scope = Scope::all("tester");
    let issue = async |text: &str, hours: i64| {
        let mut spool = Spool::new().unwrap();
        let mut keep = |it| spool.add(&it).unwrap();
        let file = file(text.as_bytes());
        let found = preflight(file, kit(), &options(), at(), &mut keep, &mut |_| {}).unwrap();
        let not_before = Some(at() + chrono::TimeDelta::hours(hours));
        let terms = Terms { file: "list.csv", preflight: &found, accepted: &[], not_before };
        let merge = submit(&journey.store, &scope, spool, terms, at()).await.unwrap();
        let (_stop, told) = watch::channel(false);
        work(&journey, Some(merge), "tester", &Clock::new(at), &told).await.unwrap();
        merge
    };
    // Cancelled before its time has come.
    let merge = issue(&list(9), 24).await;
    assert_eq!(sent(&journey.store, 1).await, 0, "its time has not come");
    journey.store.cancel_merge(&scope, merge, at()).await.unwrap();
    assert_eq!(sent(&journey.store, 48).await, 0);
    assert_eq!(mails(&journey.store, &scope, merge).await, [("cancelled".to_owned(), 6)].into());
    // Two days late is in time; the clock jumps behind the appointment: then a person is asked.
    let text = list(9).replace("CV-", "CX-").replace("D-", "E-");
    let merge = issue(&text, 24).await;
    assert_eq!(sent(&journey.store, 24 * 60).await, 0, "the appointment is over");
    assert_eq!(mails(&journey.store, &scope, merge).await, [("late".to_owned(), 6)].into());
    assert_eq!(
        sent(&journey.store, 48).await,
        0,
        "the clock jumps back, and still a person is asked"
    );
    let page = paraphe::store::Page { after: None, most: 100 };
    let late =
        paraphe::store::DeliveryFilter { states: vec![DeliveryState::Late], ..Default::default() };
    let first = journey.store.deliveries(&scope, &late, page).await.unwrap()[0].id;
    let now = at() + chrono::TimeDelta::hours(48);
    journey.store.retry(&scope, first, now).await.unwrap();
    assert_eq!(sent(&journey.store, 49).await, 1, "the person said so");
    let counted = mails(&journey.store, &scope, merge).await;
    assert_eq!(counted, [("accepted".to_owned(), 1), ("late".to_owned(), 5)].into());
}

async fn mails(store: &Store, scope: &Scope, merge: Uuid) -> BTreeMap<String, i64> {
    store.merge_counts(scope, merge).await.unwrap().mails
}

/// Lets a worker send whose clock stands so many hours after the fixtures'; how many left.
async fn sent(store: &Store, hours: i64) -> usize {
    let transport = Arc::new(Transport::Memory(Memory::default()));
    let (stop, told) = watch::channel(false);
    let options = worker::WorkerOptions { poll: 1, sweep: 1, ..Default::default() };
    let clock = Clock::new(move || at() + chrono::TimeDelta::hours(hours));
    let sender = worker::run(store.clone(), transport.clone(), options, "post", clock, told);
    let end = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        stop.send_replace(true);
    };
    tokio::join!(sender, end);
    let Transport::Memory(memory) = &*transport else { panic!("not in memory") };
    memory.messages().len()
}
