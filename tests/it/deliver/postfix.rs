//! A real Postfix takes the letters over TLS, keeps each once, and its reports are understood.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use paraphe::deliver::bounce::{self, Fate};
use paraphe::deliver::{Attempt, Limits, Outgoing, Smtp, SmtpOptions, TlsMode};
use uuid::Uuid;

use super::smtp::Pki;
use crate::harness::{count, free_port};

/// A Postfix of our own, which keeps what comes for two mailboxes.
pub(super) struct Postfix {
    pki: Pki,
    port: u16,
}

impl Postfix {
    pub(super) fn start() -> Self {
        let pki = Pki::new();
        let folder = pki.folder.path();
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        let port = free_port();
        let root = folder.display();
        let main = format!(
            "compatibility_level = 3.6\nconfig_directory = {root}/etc\nqueue_directory = {root}/queue\n\
             data_directory = {root}/data\ncommand_directory = /usr/sbin\n\
             daemon_directory = /usr/lib/postfix/sbin\nshlib_directory = /usr/lib/postfix\n\
             mail_owner = postfix\nsetgid_group = postdrop\nmyhostname = mx.example.org\nmydestination =\n\
             mynetworks = 127.0.0.0/8\ninet_interfaces = loopback-only\ninet_protocols = ipv4\n\
             virtual_mailbox_domains = example.org\nvirtual_mailbox_base = {root}/mail\n\
             virtual_mailbox_maps = inline:{{ a@example.org=a/, bounces@example.org=bounces/ }}\n\
             virtual_uid_maps = static:65534\nvirtual_gid_maps = static:65534\n\
             alias_maps =\nalias_database =\nlocal_recipient_maps =\ndisable_dns_lookups = yes\n\
             maillog_file = {root}/queue/mail.log\nmaillog_file_prefixes = {root}\n\
             smtpd_peername_lookup = no\nsmtpd_tls_security_level = encrypt\n\
             smtpd_tls_cert_file = {root}/good.pem\nsmtpd_tls_key_file = {root}/server.key\n\
             smtpd_client_connection_count_limit = 0\n"
        );
        let script = format!(
            "set -e; mkdir etc queue data mail; chown postfix data; chown 65534:65534 mail
             sed -e 's/^smtp      inet.*/127.0.0.1:{port} inet n - n - - smtpd/' \
                 -e 's/^\\([a-z]* *unix *[-y] *[-n] *\\)y/\\1n/' /etc/postfix/master.cf.proto > etc/master.cf
             cat > etc/main.cf; postfix -c {root}/etc start"
        );
        let mut start = Command::new("bash")
            .args(["-c", &script])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut start.stdin.take().unwrap(), main.as_bytes()).unwrap();
        let this = Self { pki, port };
        assert!(
            start.wait().unwrap().success(),
            "Postfix did not start: see tests/run: {}",
            this.log()
        );
        this
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.pki.folder.path().join("queue/mail.log")).unwrap_or_default()
    }

    /// A way there.
    pub(super) fn smtp(&self) -> Smtp {
        let options = SmtpOptions {
            host: "localhost".into(),
            port: self.port,
            tls: TlsMode::Starttls,
            roots: Some(self.pki.roots()),
            username: None,
            password: None,
            hello: "client.example.org".into(),
            return_path: Some("bounces@example.org".into()),
            connections: 4,
            limits: Limits { connect: 30, command: 30, block: 30, end: 60 },
            dkim: None,
        };
        Smtp::new(options).unwrap()
    }

    fn mailbox(&self, name: &str) -> Vec<PathBuf> {
        let folder = self.pki.folder.path().join("mail").join(name).join("new");
        let files = std::fs::read_dir(folder).into_iter().flatten();
        files.map(|it| it.unwrap().path()).collect()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let settings = self.pki.folder.path().join("etc");
        let _ = Command::new("postfix").arg("-c").arg(settings).arg("stop").output();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_postfix_takes_every_letter_once_and_reports_it() {
    let letters = count(20, 1000) as usize;
    let postfix = Postfix::start();
    let smtp = Arc::new(postfix.smtp());
    let ids: Vec<_> = (0..letters).map(|_| Uuid::now_v7()).collect();
    let sent = ids.iter().map(|id| {
        let (smtp, id) = (smtp.clone(), *id);
        tokio::spawn(async move {
            let message = format!(
                "From: Office <office@example.org>\r\nTo: a@example.org\r\nMessage-ID: <{id}@example.org>\r\n\r\n\
                 .\r\n{}",
                "A line of a letter that is long enough to count for something.\r\n".repeat(1000)
            );
            let letter =
                Outgoing { id, recipient: "a@example.org", message: message.as_bytes() };
            smtp.send(&letter, async { true }).await
        })
    });
    for attempt in join_all(sent).await {
        let attempt = attempt.unwrap();
        assert!(matches!(attempt, Attempt::Accepted(_)), "{attempt:?}: {}", postfix.log());
    }
    smtp.close().await;
    let start = Instant::now();
    while postfix.mailbox("a").len() < letters || postfix.mailbox("bounces").len() < letters {
        assert!(start.elapsed() < Duration::from_secs(60), "{}", postfix.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let reports = postfix.mailbox("bounces");
    let told: BTreeSet<_> = reports
        .iter()
        .map(|path| {
            let report = bounce::read(&std::fs::read(path).unwrap()).unwrap();
            assert_eq!(report.fate, Fate::Delivered);
            report.delivery
        })
        .collect();
    assert_eq!(told, ids.iter().copied().collect());
    assert_eq!((reports.len(), postfix.mailbox("a").len()), (letters, letters));
}
