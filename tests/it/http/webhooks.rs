//! What other systems are told: signed, in order, again until they have it, and to be read again.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::mpsc;

use paraphe::config::{HttpSection, WebhookSection};
use serde_json::Value;

use super::server::Server;
use crate::harness::letter;

struct Told {
    id: String,
    timestamp: String,
    signature: String,
    body: Vec<u8>,
}

#[test]
fn a_receiver_is_told_again_until_it_answers_and_can_check_the_signature() {
    let secrets = tempfile::tempdir().unwrap();
    let secret_file = secrets.path().join("secret").to_str().unwrap().to_owned();
    std::fs::write(&secret_file, "a webhook's secret\n").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/told", listener.local_addr().unwrap());
    let (send, told) = mpsc::channel();
    // The first call is answered with an error, the others are taken.
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let stream = stream.unwrap();
            let status = if number == 0 { "500 No" } else { "204 No Content" };
            let Some(it) = receive(stream, status) else { continue };
            if send.send(it).is_err() {
                return;
            }
        }
    });
    let webhook = WebhookSection { name: "case".to_owned(), url, secret_file };
    let server = Server::with(HttpSection { webhooks: vec![webhook], ..HttpSection::default() });
    let id = server.issue(&letter("ar"))["id"].clone();
    let mut seen: Vec<Told> = Vec::new();
    let patience = std::time::Duration::from_secs(60);
    while !seen.iter().any(|it| it.json()["type"] == "issued" && it.json()["data"]["subject"] == id)
    {
        seen.push(told.recv_timeout(patience).unwrap());
    }
    seen.push(told.recv_timeout(patience).unwrap());
    assert_eq!(seen[0].id, seen[1].id, "the refused one comes again");
    let numbers: Vec<i64> = seen[1..].iter().map(|it| it.id.parse().unwrap()).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
    for it in &seen {
        let expected = hmac(&format!("{}.{}.", it.id, it.timestamp), &it.body);
        assert_eq!(it.signature, format!("v1,{expected}"));
        assert!(!String::from_utf8_lossy(&it.body).contains("amina"));
    }
    // Read again from a number on.
    let events = server.get("/v1/events?after=0&limit=200").expect(200).json();
    let again = |number: &str| {
        let items = events["items"].as_array().unwrap().iter();
        items.clone().find(|it| it["number"].as_i64() == number.parse().ok()).cloned()
    };
    for it in &seen {
        assert_eq!(again(&it.id), Some(it.json()["data"].clone()));
    }
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

fn receive(stream: std::net::TcpStream, status: &str) -> Option<Told> {
    let mut reader = BufReader::new(stream);
    let mut headers = std::collections::BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    reader.get_mut().write_all(answer.as_bytes()).ok()?;
    let mut take = |name: &str| headers.remove(name);
    let (id, timestamp) = (take("webhook-id")?, take("webhook-timestamp")?);
    Some(Told { id, timestamp, signature: take("webhook-signature")?, body })
}

/// By another implementation: Python's.
fn hmac(head: &str, body: &[u8]) -> String {
    let program = "import base64, hashlib, hmac, sys; \
        print(base64.b64encode(hmac.digest(b\"a webhook's secret\", sys.stdin.buffer.read(), 'sha256')).decode())";
    let mut python = Command::new("python3");
    let python = python.args(["-c", program]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = python.spawn().unwrap();
    child.stdin.take().unwrap().write_all(&[head.as_bytes(), body].concat()).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
