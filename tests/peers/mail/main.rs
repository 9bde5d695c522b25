//! lettre's plain pool: `plain-mailer PORT LETTERS CONNECTIONS FILE.pdf [DKIM.pem]`.
//!
//! Sends as many letters with the file attached to a server on this machine, over as many connections, and notes
//! nothing anywhere. With a key (PKCS#1) lettre signs each of them, relaxed/relaxed. Messages are made before the clock
//! counts. Prints letters a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use lettre::message::dkim::{
    DkimCanonicalization, DkimCanonicalizationType, DkimConfig, DkimSigningAlgorithm,
    DkimSigningKey,
};
use lettre::message::header::{ContentType, HeaderName};
use lettre::message::{Attachment, MultiPart, SinglePart};
use lettre::transport::smtp::PoolConfig;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize| args[index].parse::<usize>().expect("a number");
    let (port, letters, connections) = (number(0), number(1), number(2));
    let file = std::fs::read(&args[3]).expect("the file");
    let dkim = args.get(4).map(|key| signer(&std::fs::read_to_string(key).expect("the key")));
    // A few serve all: a thousand copies would only fill the memory.
    let messages: Vec<_> = (0..32).map(|it| message(it, &file)).collect();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let rate = runtime.block_on(send(port, letters, connections, Arc::new((messages, dkim))));
    println!("{rate:.1}");
}

fn message(number: usize, file: &[u8]) -> Message {
    let pdf = ContentType::parse("application/pdf").expect("a type");
    let text = "Bonjour,\nVous êtes convoqué.\n".repeat(30);
    Message::builder()
        .from("Office <office@example.org>".parse().expect("an address"))
        .to(format!("specimen{number}@example.org").parse().expect("an address"))
        .subject("OFII : votre rendez-vous")
        .date_now()
        .message_id(Some(format!("<{number}@example.org>")))
        .multipart(
            MultiPart::mixed()
                .singlepart(SinglePart::plain(text))
                .singlepart(Attachment::new("letter.pdf".to_owned()).body(file.to_vec(), pdf)),
        )
        .expect("a message")
}

fn signer(pem: &str) -> DkimConfig {
    let key = DkimSigningKey::new(pem, DkimSigningAlgorithm::Rsa).expect("a key");
    let relaxed = DkimCanonicalizationType::Relaxed;
    let names = ["From", "Reply-To", "To", "Subject", "Date", "Message-ID"];
    DkimConfig::new(
        "paraphe".to_owned(),
        "example.org".to_owned(),
        key,
        names.map(HeaderName::new_from_ascii_str).to_vec(),
        DkimCanonicalization { header: relaxed, body: relaxed },
    )
}

/// Letters a second, from the first to the last answer.
async fn send(
    port: usize,
    letters: usize,
    connections: usize,
    work: Arc<(Vec<Message>, Option<DkimConfig>)>,
) -> f64 {
    let pool = PoolConfig::new().max_size(connections as u32);
    let mailer = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1")
        .port(port as u16)
        .pool_config(pool)
        .build();
    let next = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    let lanes = (0..connections).map(|_| {
        let (mailer, next, work) = (mailer.clone(), next.clone(), work.clone());
        tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= letters {
                    return;
                }
                let (messages, dkim) = &*work;
                let message = &messages[number % messages.len()];
                let sent = match dkim {
                    Some(dkim) => {
                        let mut message = message.clone();
                        message.sign(dkim);
                        mailer.send(message).await
                    }
                    None => mailer.send(message.clone()).await,
                };
                sent.expect("taken");
            }
        })
    });
    for lane in lanes.collect::<Vec<_>>() {
        lane.await.expect("a lane");
    }
    letters as f64 / start.elapsed().as_secs_f64()
}
