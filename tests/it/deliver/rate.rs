//! How fast letters leave, each durably noted before it does, beside lettre's plain pool, which notes nothing: in one
//! run, over as many connections, to one sink. `tests/peers/run mail` builds the peer and runs this.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use paraphe::store::{Entry, Store};

use super::processes::{Worker, settings};
use crate::database::{Place, run};
use crate::harness::{at, free_port};

/// The connections of both.
const CONNECTIONS: usize = 32;

/// How often each is measured, in turn.
const ROUNDS: usize = 3;

#[test]
#[ignore = "is run by tests/peers/run mail"]
fn letters_leave_at_two_fifths_of_lettres_rate() {
    let peer = std::env::var("PARAPHE_PLAIN_MAILER").expect("tests/peers/run mail sets it");
    let letters = std::env::var("PARAPHE_LETTERS").ok().and_then(|it| it.parse().ok());
    let letters: u32 = letters.unwrap_or(3000);
    let folder = tempfile::tempdir().unwrap();
    let (pdf, key) = (folder.path().join("letter.pdf"), folder.path().join("key.pem"));
    std::fs::write(&pdf, pdf_like()).unwrap();
    let made = Command::new("openssl").args(["genrsa", "-traditional", "-out"]).arg(&key).output();
    assert!(made.unwrap().status.success());
    for (dkim, wanted) in [(false, 0.4), (true, 1.5)] {
        let theirs = || {
            let sink = Sink::start();
            // What takes long is measured on fewer.
            let count = if dkim { letters / 2 } else { 2 * letters };
            let mut command = Command::new(&peer);
            command.args([sink.port.to_string(), count.to_string(), CONNECTIONS.to_string()]);
            command.arg(&pdf).args(dkim.then_some(&key));
            let output = command.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap().trim().parse::<f64>().unwrap()
        };
        let key = dkim.then(|| key.display().to_string());
        // In turn, so that a slow moment of the machine meets both.
        let mut before = theirs();
        let mut shares = [0.0; ROUNDS];
        for share in &mut shares {
            let mut ours = 0.0;
            run(Place::sqlite(), async |place| {
                ours = ours_rate(&place, letters, key.as_deref()).await;
            });
            let after = theirs();
            *share = ours / ((before + after) / 2.0);
            println!(
                "lettre {before:.0} and {after:.0} a second, ours {ours:.0}: {share:.2} of it"
            );
            before = after;
        }
        shares.sort_by(f64::total_cmp);
        let median = shares[ROUNDS / 2];
        println!("median {median:.2}, wanted {wanted}");
        assert!(median >= wanted, "{median:.2}, wanted {wanted}");
    }
}

/// Letters a second that a worker process sends, without the first and the last twentieth.
async fn ours_rate(place: &Place, letters: u32, dkim: Option<&str>) -> f64 {
    let store = place.open().await;
    let body = STANDARD.encode(pdf_like());
    let body: Vec<_> = body.as_bytes().chunks(76).map(String::from_utf8_lossy).collect();
    let body = body.join("\r\n");
    for first in (0..letters).step_by(250) {
        let entries = (first..(first + 250).min(letters)).map(|it| long(it, &body)).collect();
        for answer in store.put_many(entries, at()).await {
            answer.unwrap();
        }
    }
    let sink = Sink::start();
    let smtp = format!("security = \"none\"\nconnections = {CONNECTIONS}\n");
    let dkim = dkim.map_or_else(String::new, |key| {
        format!(
            "[mail.dkim]\ndomain = \"example.org\"\nselector = \"paraphe\"\nkey_file = {key:?}\n"
        )
    });
    let settings = settings(place, sink.port, &(smtp + &dkim));
    let mut worker = Worker::start(&settings, &["--drain"]);
    let accepted = async |store: &Store| {
        let counts = store.queue(Utc::now()).await.unwrap().counts;
        counts.get("accepted").copied().unwrap_or_default() as u32
    };
    let (mut begun, mut begun_at) = (0, Instant::now());
    loop {
        let (count, now) = (accepted(&store).await, Instant::now());
        if begun == 0 && count >= letters / 20 {
            (begun, begun_at) = (count, now);
        }
        if count >= letters / 20 * 19 {
            worker.0.wait().unwrap();
            return f64::from(count - begun) / (now - begun_at).as_secs_f64();
        }
        let ended = worker.0.try_wait().unwrap();
        assert!(ended.is_none(), "{count} of {letters}: {}", worker.said());
        // Seldom: to count the queue is work too.
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn long(number: u32, body: &str) -> Entry {
    let mut entry = super::worker::long(number, 20);
    let message = &mut entry.deliveries[0].message;
    message.extend_from_slice(body.as_bytes());
    message.extend_from_slice(b"\r\n");
    entry
}

/// As long as a letter, and no easier to pack.
fn pdf_like() -> Vec<u8> {
    (0..60_000_u32).map(|it| (it.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// Postfix's own sink: it takes everything and keeps nothing.
struct Sink {
    child: Child,
    port: u16,
}

impl Sink {
    fn start() -> Self {
        let port = free_port();
        let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
        let child = Command::new("/usr/sbin/smtp-sink")
            .args(if root { &["-u", "nobody"][..] } else { &[] })
            .args([&format!("127.0.0.1:{port}"), "256"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, port }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
