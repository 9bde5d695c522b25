//! After any fault of a mail server it is known who has the letter.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use paraphe::class::Class;
use paraphe::deliver::{Attempt, Limits, Outgoing, Smtp, SmtpOptions, TlsMode};
use paraphe::secret::Secret;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use uuid::Uuid;

use super::server::{Fault, Server};

const ID: Uuid = Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001);

/// A letter of some size with lines that begin with dots.
fn message(bytes: usize) -> Vec<u8> {
    let mut message = b"From: Office <office@example.org>\r\nTo: a@example.org\r\nSubject: x\r\n\r\n.\r\n..two\r\n".to_vec();
    while message.len() < bytes {
        message.extend_from_slice(
            b"A line of a letter that is long enough to count for something.\r\n",
        );
    }
    message
}

fn options(port: u16) -> SmtpOptions {
    SmtpOptions {
        host: "localhost".into(),
        port,
        tls: TlsMode::None,
        roots: None,
        username: None,
        password: None,
        hello: "client.example.org".into(),
        return_path: None,
        connections: 2,
        limits: Limits { connect: 2, command: 1, block: 2, end: 1 },
        dkim: None,
    }
}

async fn send(smtp: &Smtp, message: &[u8]) -> Attempt {
    let letter = Outgoing { id: ID, recipient: "a@example.org", message };
    smtp.send(&letter, async { true }).await
}

/// One letter to a faulty server: how it ended, and how many copies the server has.
async fn meet(fault: Fault, size: usize) -> (Attempt, usize) {
    let server = Server::start(fault).await;
    let smtp = Smtp::new(options(server.port)).unwrap();
    let start = Instant::now();
    let attempt = send(&smtp, &message(size)).await;
    assert!(start.elapsed() < Duration::from_secs(10), "{fault:?} took {:?}", start.elapsed());
    (attempt, server.kept().len())
}

fn refused(attempt: &Attempt, permanent: bool) -> bool {
    matches!(attempt, Attempt::Refused { permanent: it, .. } if *it == permanent)
}

fn broken(attempt: &Attempt, class: Class) -> bool {
    matches!(attempt, Attempt::Broken { class: it, .. } if *it == class)
}

#[tokio::test]
async fn a_letter_arrives_as_it_was_stored() {
    let server = Server::start(Fault::None).await;
    let smtp = Smtp::new(options(server.port)).unwrap();
    let sent = message(100_000);
    assert!(
        matches!(send(&smtp, &sent).await, Attempt::Accepted(reply) if reply.contains("queued"))
    );
    let kept = &server.kept()[0];
    assert_eq!(kept.message, sent);
    assert!(kept.from.starts_with("MAIL FROM:<office@example.org> SIZE="), "{}", kept.from);
    assert!(kept.from.contains(&format!("RET=HDRS ENVID={ID}")), "{}", kept.from);
    assert_eq!(kept.to, "RCPT TO:<a@example.org> NOTIFY=FAILURE,DELAY");
}

#[tokio::test]
async fn a_cut_before_the_end_of_a_letter_is_safe() {
    for fault in [Fault::DropAtRcpt, Fault::DropAtData, Fault::DropMid, Fault::EarlyAnswer] {
        let (attempt, copies) = meet(fault, 400_000).await;
        assert!(broken(&attempt, Class::Later), "{fault:?}: {attempt:?}");
        assert_eq!(copies, 0, "{fault:?}");
    }
}

#[tokio::test]
async fn a_cut_after_the_end_of_a_letter_is_a_doubt() {
    for fault in [Fault::DropAfterDot, Fault::StallAfterDot] {
        let (attempt, copies) = meet(fault, 1_000).await;
        assert!(matches!(attempt, Attempt::InDoubt(_)), "{fault:?}: {attempt:?}");
        assert_eq!(copies, 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_stall_ends_in_time() {
    for fault in [Fault::StallGreet, Fault::StallRcpt, Fault::Garbage, Fault::Greet421] {
        let (attempt, _) = meet(fault, 1_000).await;
        assert!(broken(&attempt, Class::Later), "{fault:?}: {attempt:?}");
    }
    assert!(matches!(meet(Fault::Dribble, 1_000).await, (Attempt::Accepted(_), 1)));
}

#[tokio::test]
async fn refusals_are_for_good_or_for_now() {
    for (fault, permanent) in [
        (Fault::Rcpt550, true),
        (Fault::Dot552, true),
        (Fault::Small, true),
        (Fault::Greylist(1), false),
        (Fault::Dot451, false),
    ] {
        let (attempt, copies) = meet(fault, 5_000).await;
        assert!(refused(&attempt, permanent), "{fault:?}: {attempt:?}");
        assert_eq!(copies, 0, "{fault:?}");
    }
    for fault in [Fault::Greet554, Fault::Mail530] {
        let (attempt, _) = meet(fault, 1_000).await;
        assert!(broken(&attempt, Class::Us), "{fault:?}: {attempt:?}");
    }
}

#[tokio::test]
async fn a_greylisted_letter_goes_on_the_same_connection() {
    let server = Server::start(Fault::Greylist(1)).await;
    let smtp = Smtp::new(options(server.port)).unwrap();
    assert!(refused(&send(&smtp, &message(10)).await, false));
    assert!(matches!(send(&smtp, &message(10)).await, Attempt::Accepted(_)));
    assert_eq!((server.kept().len(), server.connections()), (1, 1));
}

#[tokio::test]
async fn a_reused_connection_that_ends_is_replaced() {
    let server = Server::start(Fault::SecondLetter421).await;
    let smtp = Smtp::new(options(server.port)).unwrap();
    for _ in 0..3 {
        assert!(matches!(send(&smtp, &message(10)).await, Attempt::Accepted(_)));
    }
    assert_eq!((server.kept().len(), server.connections()), (3, 3));
}

#[tokio::test]
async fn no_more_connections_are_open_than_allowed() {
    let server = Server::start(Fault::Dribble).await;
    let smtp = Arc::new(Smtp::new(options(server.port)).unwrap());
    let letters = (0..12).map(|_| {
        let smtp = smtp.clone();
        tokio::spawn(async move { send(&smtp, &message(10)).await })
    });
    for letter in letters.collect::<Vec<_>>() {
        assert!(matches!(letter.await.unwrap(), Attempt::Accepted(_)));
    }
    assert_eq!((server.kept().len(), server.most_open()), (12, 2));
    assert!(server.connections() <= 2, "{}", server.connections());
}

#[tokio::test]
async fn nothing_is_sent_when_the_caller_withdraws_before_data() {
    let server = Server::start(Fault::None).await;
    let smtp = Smtp::new(options(server.port)).unwrap();
    let asked = AtomicUsize::new(0);
    let bytes = message(10);
    let letter = Outgoing { id: ID, recipient: "a@example.org", message: &bytes };
    let attempt = smtp
        .send(&letter, async {
            asked.fetch_add(1, Ordering::SeqCst);
            let said: Vec<_> = server.commands();
            assert!(said.last().unwrap().starts_with("RCPT"), "{said:?}");
            false
        })
        .await;
    assert_eq!((attempt, asked.into_inner()), (Attempt::Withdrawn, 1));
    assert!(!server.commands().contains(&"DATA".to_owned()));
    assert!(server.kept().is_empty());
}

#[tokio::test]
async fn addresses_in_any_script_reach_servers_that_take_them() {
    for (fault, address, taken) in [
        (Fault::None, "用户@例え.jp", true),
        (Fault::Old, "用户@例え.jp", false),
        (Fault::Old, "user@例え.jp", true),
    ] {
        let server = Server::start(fault).await;
        let smtp = Smtp::new(options(server.port)).unwrap();
        let bytes = message(10);
        let letter = Outgoing { id: ID, recipient: address, message: &bytes };
        let attempt = smtp.send(&letter, async { true }).await;
        assert_eq!(matches!(attempt, Attempt::Accepted(_)), taken, "{address}: {attempt:?}");
        assert!(taken || refused(&attempt, true));
        if taken {
            let kept = &server.kept()[0];
            assert!(kept.to.contains("@xn--r8jz45g.jp>"), "{}", kept.to);
            assert_eq!(
                kept.from.contains("SMTPUTF8"),
                !address.is_ascii() && !address.starts_with("user")
            );
        }
    }
}

#[tokio::test]
async fn a_hostile_address_is_refused() {
    let smtp = Smtp::new(options(1)).unwrap();
    let long = format!("{}@example.org", "a".repeat(10_000));
    for address in [
        "a@example.org\r\nRCPT TO:<b@example.org>",
        "a@example.org\0",
        "a\u{202e}@example.org",
        "a b@example.org>",
        "<a@example.org>",
        "a@[127.0.0.1]",
        "a@localhost",
        "@example.org",
        "a",
        "",
        &long,
    ] {
        let letter = Outgoing { id: ID, recipient: address, message: &message(10) };
        let attempt = smtp.send(&letter, async { true }).await;
        assert!(refused(&attempt, true), "{address:?}: {attempt:?}");
    }
}

/// A certificate authority and two servers of its: one good, one expired. Made by openssl.
pub(super) struct Pki {
    pub(super) folder: tempfile::TempDir,
}

impl Pki {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = "set -e
            openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=Test-CA
            openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost
            printf 'subjectAltName=DNS:localhost' > good.ext
            printf 'subjectAltName=DNS:elsewhere.example.org' > wrong.ext
            openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -extfile good.ext -days 30 -out good.pem
            openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -extfile wrong.ext -days 30 -out wrong.pem
            openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -extfile good.ext -days -1 -out expired.pem";
        let output =
            Command::new("bash").arg("-c").arg(script).current_dir(&folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { folder }
    }

    /// The authority's certificate, PEM.
    pub(super) fn roots(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("ca.pem")).unwrap()
    }

    pub(super) fn acceptor(&self, certificate: &str) -> TlsAcceptor {
        let file = |name: &str| std::fs::read(self.folder.path().join(name)).unwrap();
        let chain = CertificateDer::pem_slice_iter(&file(&format!("{certificate}.pem")))
            .collect::<Result<Vec<_>, _>>()
            .unwrap();
        let key = PrivateKeyDer::from_pem_slice(&file("server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    fn options(&self, port: u16, tls: TlsMode) -> SmtpOptions {
        SmtpOptions {
            tls,
            roots: Some(self.roots()),
            username: Some("office".into()),
            password: Some(Secret::new("hunter2")),
            ..options(port)
        }
    }
}

#[tokio::test]
async fn letters_travel_inside_tls() {
    let pki = Pki::new();
    for (tls, implicit) in [(TlsMode::Starttls, false), (TlsMode::Implicit, true)] {
        let server = Server::with_tls(Fault::None, pki.acceptor("good"), implicit).await;
        let smtp = Smtp::new(pki.options(server.port, tls)).unwrap();
        let sent = message(100_000);
        for _ in 0..2 {
            let attempt = send(&smtp, &sent).await;
            assert!(matches!(attempt, Attempt::Accepted(_)), "{tls:?}: {attempt:?}");
        }
        assert_eq!((server.kept()[1].message.clone(), server.connections()), (sent, 1));
        let log_in = server.commands().into_iter().find(|it| it.starts_with("AUTH"));
        assert_eq!(log_in.as_deref(), Some("AUTH PLAIN AG9mZmljZQBodW50ZXIy"));
    }
}

#[tokio::test]
async fn nothing_is_sent_over_a_line_that_is_not_private() {
    let pki = Pki::new();
    for (fault, certificate) in [
        (Fault::Stripped, "good"),
        (Fault::Injected, "good"),
        (Fault::None, "expired"),
        (Fault::None, "wrong"),
        (Fault::WrongPassword, "good"),
    ] {
        let server = Server::with_tls(fault, pki.acceptor(certificate), false).await;
        let smtp = Smtp::new(pki.options(server.port, TlsMode::Starttls)).unwrap();
        let attempt = send(&smtp, &message(10)).await;
        assert!(broken(&attempt, Class::Us), "{fault:?} {certificate}: {attempt:?}");
        let said = server.commands();
        assert!(!said.iter().any(|it| it.starts_with("MAIL")), "{fault:?}: {said:?}");
        let log_in = said.iter().any(|it| it.starts_with("AUTH"));
        assert_eq!(log_in, fault == Fault::WrongPassword, "{fault:?} {certificate}: {said:?}");
        assert!(!format!("{attempt:?}").contains("hunter2"));
    }
}

#[test]
fn a_password_is_never_meant_for_an_open_line() {
    let open = SmtpOptions { password: Some(Secret::new("x")), ..options(25) };
    assert!(Smtp::new(open).is_err());
}
