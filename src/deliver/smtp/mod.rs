//! Letters to a mail server, phase by phase, so that after any fault it is known who has the letter.
//!
//! Every phase has a time limit. One recipient a transaction. The end of a letter (`.`) divides what can
//! safely be sent again from what is in doubt (RFC 1047); just before DATA the caller is asked, who
//! records durably that the letter may now leave. Passwords and letters travel inside TLS or not at all.

mod talk;
mod wire;

use std::io;
use std::sync::Mutex;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::address;
use super::dkim::{Dkim, DkimError, DkimOptions};
use super::tls::{Tls, TlsError};
use super::transport::{Attempt, Outgoing, sender};
use crate::class::Class;
use crate::secret::Secret;
use talk::{Envelope, Talk};
use wire::{Cut, transparent};

/// Which server takes the mail, and how.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpOptions {
    /// The server's name, which its certificate must bear.
    pub host: String,
    /// 587 for STARTTLS, 465 for implicit TLS.
    #[serde(default = "submission")]
    pub port: u16,
    /// How the line is made private.
    #[serde(default)]
    pub tls: TlsMode,
    /// Certificates to trust in place of the system's, PEM.
    pub roots: Option<String>,
    /// The account, where the server asks for one.
    pub username: Option<String>,
    /// Its password.
    #[serde(skip)]
    pub password: Option<Secret>,
    /// The name by which we present ourselves.
    #[serde(default = "literal")]
    pub hello: String,
    /// Where bounces go, and notices of success with them; the office's own mailbox when absent.
    pub return_path: Option<String>,
    /// How many connections are open at most.
    #[serde(default = "connections")]
    pub connections: usize,
    /// How long each phase may take.
    #[serde(default)]
    pub limits: Limits,
    /// Who signs the messages; the server does when absent.
    pub dkim: Option<DkimOptions>,
}

/// How a line is made private.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsMode {
    /// TLS asked for in the conversation (RFC 3207); without it nothing is sent.
    #[default]
    Starttls,
    /// TLS from the first byte (RFC 8314).
    Implicit,
    /// None: for a server on the same machine. No password is sent over it.
    None,
}

/// How long each phase may take, in seconds. A worker holds its letter by signs of life, however long they add up.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Name resolution, connection and TLS.
    pub connect: u64,
    /// The greeting and each command.
    pub command: u64,
    /// Each 16 KiB of a letter.
    pub block: u64,
    /// From the end of a letter to the answer; RFC 5321, 4.5.3.2.6 asks for ten minutes, since haste
    /// here makes doubts.
    pub end: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: 30, command: 120, block: 60, end: 600 }
    }
}

/// A server, its open connections, and no more of these than allowed.
#[derive(Debug)]
pub struct Smtp {
    options: SmtpOptions,
    tls: Option<Tls>,
    dkim: Option<Dkim>,
    idle: Mutex<Vec<(Talk, Instant)>>,
    room: Semaphore,
}

/// What a conversation failed of.
#[derive(Debug, thiserror::Error)]
pub enum SmtpError {
    /// No connection.
    #[error("the mail server cannot be reached: {0}")]
    Connect(#[source] io::Error),
    /// The line broke.
    #[error("the line to the mail server broke: {0}")]
    Line(#[source] io::Error),
    /// The server hung up.
    #[error("the mail server hung up")]
    Closed,
    /// No answer in time.
    #[error("the mail server did not answer in time")]
    Silent,
    /// An answer that is not SMTP.
    #[error("the mail server gave an answer that is not SMTP")]
    Garbage,
    /// A refusal of the connection or of a letter's middle.
    #[error("the mail server refused: {0}")]
    Refused(String),
    /// The server does not want us.
    #[error("the mail server does not take our mail: {0}")]
    Barred(String),
    /// Wrong certificate, or a broken handshake.
    #[error("the mail server's certificate or TLS is not acceptable: {0}")]
    Tls(#[source] io::Error),
    /// The server offers no STARTTLS, or somebody on the way hides it.
    #[error(
        "the mail server offers no STARTTLS, so nothing was sent: check the line, or use implicit TLS"
    )]
    NoStarttls,
    /// Bytes between STARTTLS and the handshake.
    #[error("somebody on the line slipped in answers before TLS: nothing was sent")]
    Injected,
    /// The server refuses the account.
    #[error("the mail server refuses the account: {0}")]
    Account(String),
}

/// Why the options make no transport.
#[derive(Debug, thiserror::Error)]
pub enum SmtpSetupError {
    /// A password over an open line.
    #[error("a password is never sent without TLS: set tls = \"starttls\" or \"implicit\"")]
    PasswordWithoutTls,
    /// No connection allowed.
    #[error("connections = 0: allow at least one")]
    NoConnection,
    /// Something that would end a line.
    #[error("`{0}` holds a space or a control character: write a plain name")]
    Name(&'static str),
    /// See [`TlsError`].
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// See [`DkimError`].
    #[error(transparent)]
    Dkim(#[from] DkimError),
}

impl SmtpError {
    /// Whose turn it is: ours where every letter would fail alike until somebody mends it.
    pub fn class(&self) -> Class {
        match self {
            Self::Barred(_)
            | Self::Tls(_)
            | Self::NoStarttls
            | Self::Injected
            | Self::Account(_) => Class::Us,
            _ => Class::Later,
        }
    }
}

impl SmtpSetupError {
    /// Whose turn it is: ours, for the settings are.
    pub fn class(&self) -> Class {
        Class::Us
    }
}

/// How long a server may take to say that it is there.
const PROBE: Duration = Duration::from_secs(5);

/// How long a connection may wait for its next letter; servers end idle ones after some minutes.
const IDLE: Duration = Duration::from_secs(30);

impl Smtp {
    /// Checks the options; connects to nothing yet.
    pub fn new(options: SmtpOptions) -> Result<Self, SmtpSetupError> {
        if options.tls == TlsMode::None && options.password.is_some() {
            return Err(SmtpSetupError::PasswordWithoutTls);
        }
        if options.connections == 0 {
            return Err(SmtpSetupError::NoConnection);
        }
        let bad = |text: &str| text.is_empty() || text.chars().any(|c| c <= ' ' || c.is_control());
        if bad(&options.hello) {
            return Err(SmtpSetupError::Name("hello"));
        }
        let tls = match options.tls {
            TlsMode::None => None,
            _ => Some(Tls::new(&options.host, options.roots.as_deref())?),
        };
        let dkim = options.dkim.as_ref().map(Dkim::new).transpose()?;
        let room = Semaphore::new(options.connections);
        Ok(Self { options, tls, dkim, idle: Mutex::default(), room })
    }

    /// How many letters can be under way at once.
    pub fn connections(&self) -> usize {
        self.options.connections
    }

    /// Connects, makes the line private, logs in, and says goodbye; sends nothing.
    pub async fn greet(&self) -> Result<(), SmtpError> {
        Talk::open(&self.options, self.tls.as_ref()).await?.quit().await;
        Ok(())
    }

    /// Sends one letter. `before_data` is awaited when the server has taken sender and recipient, and
    /// says whether the letter may leave; nothing of it has been sent then.
    pub async fn send(
        &self,
        letter: &Outgoing<'_>,
        before_data: impl Future<Output = bool> + Send,
    ) -> Attempt {
        let Ok(_permit) = self.room.acquire().await else { return Attempt::Withdrawn };
        let signature = match self.dkim.as_ref().map(|it| it.header(letter.message)).transpose() {
            Ok(signature) => signature.unwrap_or_default(),
            Err(error) => return Attempt::Broken { class: Class::Us, reason: error.to_string() },
        };
        let envelope = match self.envelope(letter, signature.len() + letter.message.len()) {
            Ok(envelope) => envelope,
            Err(attempt) => return attempt,
        };
        let mut talk = match self.begin(&envelope).await {
            Ok(talk) => talk,
            Err(attempt) => return attempt,
        };
        if !before_data.await {
            self.keep_after_reset(talk).await;
            return Attempt::Withdrawn;
        }
        let parts = [signature.as_bytes(), &*transparent(letter.message)];
        let attempt = match talk.data(parts, &self.options.limits).await {
            Ok(reply) if reply.is(2) => Attempt::Accepted(reply.to_string()),
            Ok(reply) if reply.is(4) || reply.is(5) => {
                Attempt::Refused { permanent: reply.is(5), reply: reply.to_string() }
            }
            Ok(reply) => return Attempt::InDoubt(reply.to_string()),
            Err(Cut::BeforeEnd(error)) => return error.into(),
            Err(Cut::AfterEnd(error)) => return Attempt::InDoubt(error.to_string()),
        };
        self.keep(talk);
        attempt
    }

    /// Greets the server, makes the line private, and leaves again: what every letter needs first. It takes five seconds
    /// at the most.
    pub async fn probe(&self) -> Result<(), SmtpError> {
        let open = Talk::open(&self.options, self.tls.as_ref());
        let mut talk = timeout(PROBE, open).await.map_err(|_| SmtpError::Silent)??;
        let _ = timeout(PROBE, talk.quit()).await;
        Ok(())
    }

    /// Says goodbye on every idle connection.
    pub async fn close(&self) {
        let idle = std::mem::take(&mut *lock(&self.idle));
        for (mut talk, _) in idle {
            talk.quit().await;
        }
    }

    /// A connection on which the server has taken sender and recipient. One that waited since the
    /// last letter may have been ended by the server: then the next, and at last a fresh one.
    async fn begin(&self, envelope: &Envelope) -> Result<Talk, Attempt> {
        loop {
            let waiting = lock(&self.idle).pop();
            let (mut talk, fresh) = match waiting {
                Some((_, since)) if since.elapsed() > IDLE => continue,
                Some((talk, _)) => (talk, false),
                None => (Talk::open(&self.options, self.tls.as_ref()).await?, true),
            };
            match talk.envelope(envelope, &self.options.limits).await {
                Ok(None) => return Ok(talk),
                Ok(Some(refusal)) => {
                    self.keep_after_reset(talk).await;
                    return Err(refusal);
                }
                Err(error) if fresh => return Err(error.into()),
                Err(_) => {}
            }
        }
    }

    fn envelope(&self, letter: &Outgoing<'_>, length: usize) -> Result<Envelope, Attempt> {
        let refused = |reply: String| Attempt::Refused { permanent: true, reply };
        let recipient = address::parse(letter.recipient);
        let recipient = recipient.map_err(|error| refused(error.to_string()))?;
        let path = self.options.return_path.as_deref();
        let from = path.or_else(|| sender(letter.message)).unwrap_or_default();
        let from = address::parse(from).map_err(|error| Attempt::Broken {
            class: Class::Us,
            reason: format!("the sender's mailbox: {error}"),
        })?;
        Ok(Envelope {
            from,
            recipient,
            id: letter.id,
            length,
            ascii: letter.message.is_ascii(),
            notify_success: path.is_some(),
        })
    }

    fn keep(&self, talk: Talk) {
        lock(&self.idle).push((talk, Instant::now()));
    }

    async fn keep_after_reset(&self, mut talk: Talk) {
        if talk.reset(&self.options.limits).await {
            self.keep(talk);
        }
    }
}

/// The lock of a plain list: what a thread that panicked left in it is as good as before.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl From<SmtpError> for Attempt {
    /// What failed before the end of a letter.
    fn from(error: SmtpError) -> Self {
        Self::Broken { class: error.class(), reason: error.to_string() }
    }
}

fn submission() -> u16 {
    587
}

fn connections() -> usize {
    4
}

/// An address literal (RFC 5321, 4.1.3), where a client has no name of its own.
fn literal() -> String {
    "[127.0.0.1]".to_owned()
}
