//! Bounces are read from a real IMAP server (Dovecot), and resolve what is in doubt.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use paraphe::deliver::{Clock, Inbox, InboxError, InboxOptions, upkeep};
use paraphe::secret::Secret;
use paraphe::store::{DeliveryState, Outcome};

use super::smtp::Pki;
use crate::database::{Place, on_both};
use crate::harness::{at, free_port};
use crate::store::{all, letter};

on_both! { reports_in_the_mailbox_resolve_doubt_and_mark_addresses }

/// A Dovecot of our own with one mailbox, inside TLS only.
struct Dovecot {
    pki: Pki,
    port: u16,
    server: Child,
}

impl Dovecot {
    fn start() -> Self {
        let pki = Pki::new();
        let folder = pki.folder.path();
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        let port = free_port();
        let home = folder.join("office");
        for name in ["run", "state", "office", "office/Maildir"] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
        }
        for name in ["new", "cur", "tmp"] {
            std::fs::create_dir_all(home.join("Maildir").join(name)).unwrap();
        }
        let root = folder.display();
        let settings = format!(
            "base_dir = {root}/run\nstate_dir = {root}/state\nlog_path = {root}/log\nlisten = 127.0.0.1\n\
             protocols = imap\nssl = required\nssl_cert = <{root}/good.pem\nssl_key = <{root}/server.key\n\
             mail_location = maildir:{root}/office/Maildir\nfirst_valid_uid = 1\n\
             passdb {{\n driver = static\n args = password=hunter2\n}}\n\
             userdb {{\n driver = static\n args = uid=nobody gid=nogroup home={root}/office\n}}\n\
             service imap-login {{\n chroot =\n inet_listener imap {{\n port = 0\n }}\n \
             inet_listener imaps {{\n port = {port}\n ssl = yes\n }}\n}}\n"
        );
        std::fs::write(folder.join("dovecot.conf"), settings).unwrap();
        let owned = Command::new("chown").args(["-R", "nobody:nogroup"]).arg(&home).status();
        assert!(owned.unwrap().success(), "Dovecot's test runs as root");
        let server = Command::new("dovecot")
            .args(["-F", "-c"])
            .arg(folder.join("dovecot.conf"))
            .stdin(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("dovecot: {error}: see tests/run"));
        let this = Self { pki, port, server };
        let start = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(10), "{}", this.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        this
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.pki.folder.path().join("log")).unwrap_or_default()
    }

    fn maildir(&self) -> PathBuf {
        self.pki.folder.path().join("office/Maildir")
    }

    /// Puts a message into the mailbox.
    fn deliver(&self, name: &str, message: &[u8]) {
        let path = self.maildir().join("new").join(name);
        std::fs::write(&path, message).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    }

    fn options(&self) -> InboxOptions {
        InboxOptions {
            host: "localhost".into(),
            port: self.port,
            roots: Some(self.pki.roots()),
            username: "office".into(),
            password: Some(Secret::new("hunter2")),
            folder: "INBOX".into(),
        }
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.server.id().to_string()).status();
        let _ = self.server.wait();
    }
}

fn sample(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dsn");
    std::fs::read(folder.join(name)).unwrap()
}

/// A sample about another delivery.
fn about(name: &str, id: uuid::Uuid) -> Vec<u8> {
    let sample = String::from_utf8(sample(name)).unwrap();
    sample.replace("01955555-0000-7000-8000-00000000002a", &id.to_string()).into()
}

async fn reports_in_the_mailbox_resolve_doubt_and_mark_addresses(place: Place) {
    let dovecot = Dovecot::start();
    let store = place.open().await;
    let entries = [letter(1), letter(2)];
    for entry in &entries {
        store.put(entry.clone(), at()).await.unwrap();
    }
    let lease = Duration::from_secs(600);
    for lease in store.claim("one", 2, lease, at()).await.unwrap() {
        assert_eq!(store.transmitting(&[&lease], at()).await.unwrap(), [true]);
        let doubt = Outcome::InDoubt { reply: "the line broke".into() };
        assert!(store.settle(&lease, &doubt, at()).await.unwrap());
    }
    let [arrived, lost] = entries.map(|it| it.deliveries[0].clone());
    dovecot.deliver("1", &about("postfix-delivered.eml", arrived.id));
    dovecot.deliver("2", &about("exim-failed.eml", lost.id));
    dovecot.deliver("3", &sample("answer.eml"));
    dovecot.deliver("4", &sample("postfix-failed.eml")); // of nobody we know
    dovecot.deliver("5", &about("postfix-delayed.eml", lost.id));
    let clock = Clock::new(at);
    let options = dovecot.options();
    let changed = upkeep::bounces(&store, &options, &clock).await;
    assert_eq!(changed.unwrap_or_else(|it| panic!("{it}: {}", dovecot.log())), 2);
    let state = async |id| store.delivery(&all(), id).await.unwrap().0.state;
    assert_eq!(state(arrived.id).await, DeliveryState::Delivered);
    assert_eq!(state(lost.id).await, DeliveryState::Bounced);
    let problem = store.address_problem(&lost.recipient).await.unwrap();
    assert_eq!(problem.as_deref(), Some("5.1.1"));
    assert_eq!(store.address_problem(&arrived.recipient).await.unwrap(), None);

    // Read once; and what people read stays unread for them.
    assert_eq!(upkeep::bounces(&store, &options, &clock).await.unwrap(), 0);
    let mut inbox = Inbox::open(&options).await.unwrap();
    assert!(inbox.unread(10).await.unwrap().is_empty());
    inbox.close().await.unwrap();
    for entry in std::fs::read_dir(dovecot.maildir().join("cur")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let flags = name.split(":2,").nth(1).unwrap_or_default();
        assert!(!flags.contains('S'), "{name} was marked as read");
    }

    let wrong = InboxOptions { password: Some(Secret::new("wrong")), ..options.clone() };
    let error = Inbox::open(&wrong).await.unwrap_err();
    assert!(!error.to_string().contains("wrong "), "{error}");
    let stranger = InboxOptions { roots: Some(Pki::new().roots()), ..options };
    assert!(matches!(Inbox::open(&stranger).await, Err(InboxError::Line(_))));
}
