//! The program at work on a long list, cut off again and again; and on a disk that is full.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{Datelike, NaiveDate, TimeDelta, Utc, Weekday};
use paraphe::store::{Page, Scope, Store};
use serde_json::Value;

use crate::database::{Place, on_both};
use crate::deliver::server::{Fault, Server};
use crate::harness::count;

on_both!(every_letter_leaves_once_through_five_kills);

/// A list whose session is to come, in eleven languages; 15 of 100 rows without email.
fn list(rows: u32) -> String {
    let day = tuesday().format("%d/%m/%Y").to_string();
    let languages = [
        "arabe",
        "anglais",
        "français",
        "dari",
        "chinois",
        "amharique",
        "tamoul",
        "russe",
        "ourdou",
        "espagnol",
        "géorgien",
    ];
    let mut text = String::from(
        "Référence;Dossier;Direction;Étape;Langue;Nom;Prénoms;Date de naissance;N° étranger;Adresse;\
         Code postal;Ville;Courriel;Date;Début;Fin;Agent;Qualité de l’agent\n",
    );
    for n in 0..rows {
        let language = languages[n as usize % languages.len()];
        let step = ["visite médicale", "entretien individuel"][n as usize / 4 % 2];
        let postcode = ["69003", "69100", "01000", "69008"][n as usize * 7 % 4];
        let email = match n % 20 {
            3 | 9 | 14 => String::new(),
            _ => format!("p{n}.specimen@example.org"),
        };
        let hour = 8 + n % 8;
        text.push_str(&format!(
            "CV-{n:06};D-{n};sample;{step};{language};SPECIMEN;Amina;1990;69{n:08};{n} rue des Lilas;\
             {postcode};Lyon;{email};{day};{hour}h;{}h;Camille EXEMPLE;gestionnaire\n",
            hour + 1
        ));
    }
    text
}

/// A Tuesday in a month that is no holiday; the movable ones are Mondays and Thursdays.
fn tuesday() -> NaiveDate {
    let fixed = [(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)];
    let holiday = |it: &NaiveDate| fixed.contains(&(it.month(), it.day()));
    let mut days = (Utc::now().date_naive() + TimeDelta::days(30)).iter_days();
    days.find(|it| it.weekday() == Weekday::Tue && !holiday(it)).unwrap()
}

/// Where the program works: its settings, the list, what it writes.
struct Desk {
    folder: PathBuf,
}

impl Desk {
    fn new(place: &Place, rows: u32, more: &str) -> Self {
        let folder = place.folder.path().to_owned();
        std::fs::write(folder.join("operator.key"), place.options.key.expose()).unwrap();
        let (root, database) = (folder.display(), &place.options.database);
        let text = format!(
            "data = \"{root}\"\n{more}[store]\ndatabase = \"{database}\"\nblobs = \"{root}/blobs\"\n\
             key_file = \"{root}/operator.key\"\n"
        );
        std::fs::write(folder.join("paraphe.toml"), text).unwrap();
        std::fs::write(folder.join("list.csv"), list(rows)).unwrap();
        Self { folder }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paraphe"));
        command.current_dir(&self.folder).args(args).args(["--config", "paraphe.toml"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Runs to its end; what it says.
    fn run(&self, args: &[&str]) -> String {
        let output = self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn outcome(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.folder.join("report/outcome.json")).unwrap())
            .unwrap()
    }

    /// How often each address got a letter in the folder of mails.
    fn sink(&self) -> BTreeMap<String, u32> {
        let mut copies = BTreeMap::new();
        for entry in std::fs::read_dir(self.folder.join("mail")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "eml") {
                *copies.entry(recipient(&std::fs::read(&path).unwrap())).or_default() += 1;
            }
        }
        copies
    }
}

fn recipient(message: &[u8]) -> String {
    let head = String::from_utf8_lossy(&message[..message.len().min(4_000)]).into_owned();
    head.lines().find_map(|it| it.strip_prefix("To: ")).unwrap().to_owned()
}

/// A process that is killed when it goes out of use.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Rows done so far.
async fn done(store: &Store) -> u64 {
    let scope = Scope::all("tester");
    let Some(merge) = store.merges(&scope, Page { after: None, most: 1 }).await.unwrap().pop()
    else {
        return 0;
    };
    let counts = store.merge_counts(&scope, merge.id).await.unwrap();
    counts.rows.get("done").copied().unwrap_or_default().unsigned_abs()
}

const MERGE: &[&str] = &["merge", "list.csv", "--send", "--print", "run.pdf", "--report", "report"];

/// 10,000 rows in the long run: two processes at once, one of them killed five times on the way, while
/// rows are checked, made and sent.
async fn every_letter_leaves_once_through_five_kills(place: Place) {
    let rows = count(120, 10_000);
    let store = place.open().await;
    // Nobody waits long for the mails of a process that is gone.
    let desk = Desk::new(&place, rows, "[mail]\nlease_seconds = 10\nsweep_seconds = 1\n");
    let began = Instant::now();
    // Before the list is loaded.
    let early = Running(desk.command(MERGE).spawn().unwrap());
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    drop(early);
    // While letters are made: by one that was given the list, then by one that goes on with the merge.
    for blow in 1..=3_u64 {
        let id = match store.merges(&Scope::all("tester"), Page::default()).await.unwrap().pop() {
            Some(merge) => merge.id.to_string(),
            None => String::new(),
        };
        let resume = ["merges", "resume", id.as_str()];
        let args = if id.is_empty() { MERGE } else { &resume };
        let mut one = Running(desk.command(args).spawn().unwrap());
        while done(&store).await < u64::from(rows) * blow / 5 {
            assert!(began.elapsed() < Duration::from_secs(7_200), "it does not move");
            assert!(one.0.try_wait().unwrap().is_none(), "it ended by itself");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    // While they are sent.
    let sending = Running(desk.command(MERGE).spawn().unwrap());
    let mails = desk.folder.join("mail");
    let mails = || std::fs::read_dir(&mails).map_or(0, Iterator::count);
    while mails() < rows as usize / 10 {
        assert!(began.elapsed() < Duration::from_secs(7_200), "no mail leaves");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(sending);
    let merge = store.merges(&Scope::all("tester"), Page::default()).await.unwrap().remove(0);
    let id = merge.id.to_string();
    let beside = Running(desk.command(&["merges", "resume", id.as_str()]).spawn().unwrap());
    desk.run(MERGE);
    drop(beside);

    let outcome = desk.outcome();
    let number = |name: &str| outcome.pointer(name).map_or(0, |it| it.as_u64().unwrap());
    assert_eq!(outcome["adds_up"], true, "{outcome:#}");
    assert_eq!((number("/rows"), number("/issued")), (u64::from(rows), u64::from(rows)));
    let post = u64::from(rows / 20 * 3);
    assert_eq!(number("/printed"), post);
    // What was under way at a kill is in doubt, and listed; all else is there, each once.
    let (accepted, doubtful) = (number("/mails/accepted"), number("/mails/in_doubt"));
    assert_eq!(accepted + doubtful, u64::from(rows) - post);
    assert!(doubtful <= 4, "{doubtful} in doubt");
    let sink = desk.sink();
    assert!(sink.values().all(|it| *it == 1), "a letter arrived twice");
    assert!(sink.len() as u64 >= accepted && sink.len() as u64 <= accepted + doubtful);
    let pages = Command::new("qpdf").arg("--show-npages").arg(desk.folder.join("run.pdf")).output();
    let pages: u64 = String::from_utf8_lossy(&pages.unwrap().stdout).trim().parse().unwrap();
    assert_eq!(pages, 2 * post);
    eprintln!("{rows} rows in {:?}", began.elapsed());
}

/// A server takes the mails that `--send` sends, over SMTP and with the settings of production, and puts
/// two of them off; a draft that nobody has accepted is refused there.
#[test]
fn in_production_mails_leave_to_a_server_and_drafts_are_refused() {
    crate::database::run(Place::sqlite(), |place| async move {
        let server = Server::start(Fault::Greylist(2)).await;
        let folder = place.folder.path().display().to_string();
        let script = "set -e
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout seal.key \
                -out seal.crt -days 30 -subj '/CN=Test seal'
            cat seal.key seal.crt > seal.pem";
        let made = Command::new("bash").args(["-c", script]).current_dir(&folder).output().unwrap();
        assert!(made.status.success());
        let settings = |drafts: &str| {
            format!(
                "mode = \"production\"\nverify_url = \"https://example.org/v/\"\n\
                 [languages]\naccepted_drafts = [{drafts}]\n[seal]\nkey_file = \"{folder}/seal.pem\"\n\
                 [privacy]\ncontact = \"donnees@example.org\"\nretention_months = 60\n\
                 [mail.smtp]\nhost = \"localhost\"\nport = {}\nsecurity = \"none\"\n",
                server.port
            )
        };
        let all =
            "\"fr\", \"ar\", \"en\", \"prs\", \"zh-Hans\", \"am\", \"ta\", \"ru\", \"ur\", \"es\"";
        let desk = Desk::new(&place, 11, &settings(all));
        let merge = ["merge", "list.csv", "--send"];
        let output = tokio::task::block_in_place(|| {
            desk.command(&merge).stderr(Stdio::piped()).output().unwrap()
        });
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(65), "{said}");
        assert!(said.contains("E12 Langue") && said.contains("accepted_drafts"), "{said}");
        assert!(server.kept().is_empty());
        let desk = Desk::new(&place, 11, &settings(&format!("{all}, \"ka\"")));
        let said = tokio::task::block_in_place(|| desk.run(&merge));
        assert!(
            said.contains("11 issued") && said.contains("7 mails accepted, 2 mails deferred"),
            "{said}"
        );
        let kept = server.kept();
        assert_eq!(kept.len(), 7);
        assert!(kept.iter().all(|it| it.to.contains(&recipient(&it.message))), "{kept:?}");
    });
}

/// No file may grow beyond what is left of the disk: the run stops and says so; with room again the same
/// command goes on, and nothing is lost or doubled.
#[test]
fn a_disk_that_is_full_stops_the_run_and_loses_nothing() {
    let place = Place::sqlite();
    let desk = Desk::new(&place, 40, "");
    // Writes beyond the limit fail with EFBIG, as long as the signal for it is ignored.
    let script = "trap '' XFSZ; ulimit -f 500; exec \"$@\"";
    let program = env!("CARGO_BIN_EXE_paraphe");
    let mut full = Command::new("bash");
    full.args(["-c", script, "limit", program]).args(MERGE).args(["--config", "paraphe.toml"]);
    full.current_dir(&desk.folder).stdin(Stdio::null()).process_group(0);
    let mut full = full.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    full.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let code = full.wait().unwrap().code();
    assert!(matches!(code, Some(74 | 75)), "{code:?}: {said}");
    assert!(said.contains("disk") || said.contains("File too large"), "{said}");
    assert!(!desk.folder.join("run.pdf").exists(), "a file whole or not at all");
    desk.run(MERGE);
    let outcome = desk.outcome();
    assert_eq!(outcome["adds_up"], true, "{outcome:#}");
    assert_eq!((&outcome["issued"], &outcome["printed"]), (&40.into(), &6.into()));
    let sink = desk.sink();
    assert!(sink.len() == 34 && sink.values().all(|it| *it == 1));
    assert!(!left_over(&desk.folder), "a half-written file is left");
}

fn left_over(folder: &Path) -> bool {
    std::fs::read_dir(folder)
        .unwrap()
        .any(|it| it.unwrap().file_name().to_string_lossy().starts_with(".paraphe-"))
}
