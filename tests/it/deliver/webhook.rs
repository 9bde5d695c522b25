//! Every event is told in order, signed, until it is taken.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use paraphe::deliver::{Clock, Webhook, WebhookError, WebhookOptions};
use paraphe::secret::Secret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::database::{Place, on_both};
use crate::harness::at;
use crate::store::letter;

on_both! { events_are_told_in_order_until_they_are_taken }

/// Requests that came: head and body.
type Requests = Arc<Mutex<Vec<(String, String)>>>;

/// A receiver that refuses the second request and takes all others.
async fn receiver() -> (u16, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Requests::default();
    let kept = requests.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let kept = kept.clone();
            tokio::spawn(async move {
                let mut text = String::new();
                loop {
                    let mut part = [0; 4096];
                    let length = stream.read(&mut part).await.unwrap_or_default();
                    if length == 0 {
                        return;
                    }
                    text.push_str(std::str::from_utf8(&part[..length]).unwrap());
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let wanted = field(head, "content-length").parse::<usize>().unwrap();
                    if body.len() < wanted {
                        continue;
                    }
                    let number = {
                        let mut kept = kept.lock().unwrap();
                        kept.push((head.to_owned(), body.to_owned()));
                        kept.len()
                    };
                    let answer = if number == 2 { "503 later" } else { "204 taken" };
                    let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n");
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    text.clear();
                }
            });
        }
    });
    (port, requests)
}

fn field<'a>(head: &'a str, name: &str) -> &'a str {
    let mut lines = head.lines().filter_map(|it| it.split_once(": "));
    lines.find(|it| it.0.eq_ignore_ascii_case(name)).map(|it| it.1).unwrap()
}

/// What openssl makes of the same secret.
fn by_openssl(text: &str) -> String {
    let script = "openssl dgst -sha256 -hmac 'a secret' -binary | base64 -w0";
    let mut run = Command::new("bash")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    run.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    String::from_utf8(run.wait_with_output().unwrap().stdout).unwrap()
}

fn options(url: &str) -> WebhookOptions {
    let secret = Some(Secret::new("a secret"));
    WebhookOptions { name: "case-system".into(), url: url.into(), roots: None, secret }
}

async fn events_are_told_in_order_until_they_are_taken(place: Place) {
    let store = place.open().await;
    for number in 0..3 {
        store.put(letter(number), at()).await.unwrap();
    }
    let events = store.events(0, 100).await.unwrap();
    assert!(events.len() >= 3);
    let (port, requests) = receiver().await;
    let webhook = Webhook::new(options(&format!("http://127.0.0.1:{port}/events"))).unwrap();
    let (stop, stopped) = watch::channel(false);
    let (told, clock) = (store.clone(), Clock::new(at));
    let run = tokio::spawn(async move { webhook.run(&told, &clock, stopped).await });
    let start = Instant::now();
    while store.cursor("case-system").await.unwrap() < events.last().unwrap().number {
        assert!(start.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.send(true).unwrap();
    run.await.unwrap();
    let requests = requests.lock().unwrap().clone();
    let numbers: Vec<i64> =
        requests.iter().map(|it| field(&it.0, "webhook-id").parse().unwrap()).collect();
    let mut wanted: Vec<i64> = events.iter().map(|it| it.number).collect();
    wanted.insert(1, wanted[1]); // the one that was refused at first
    assert_eq!(numbers, wanted);
    for (head, body) in requests {
        let signed =
            format!("{}.{}.{body}", field(&head, "webhook-id"), field(&head, "webhook-timestamp"));
        assert_eq!(field(&head, "webhook-signature"), format!("v1,{}", by_openssl(&signed)));
        assert!(!body.contains("SPECIMEN") && !body.contains('@'), "{body}");
    }
}

#[test]
fn events_are_not_told_over_an_open_line() {
    for url in ["http://example.org/events", "ftp://example.org", "nothing"] {
        assert!(matches!(Webhook::new(options(url)), Err(WebhookError::Setting)), "{url}");
    }
    let no_secret = WebhookOptions { secret: None, ..options("https://example.org/") };
    assert!(matches!(Webhook::new(no_secret), Err(WebhookError::Setting)));
}
