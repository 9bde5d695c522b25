//! The mailbox that bounces come to, read over IMAP (RFC 3501) inside TLS.
//!
//! People may read the same mailbox: nothing is moved, deleted or marked as read. What was read here
//! bears a keyword of our own, set only after the report is kept, so a report is never lost and its
//! second reading changes nothing.

use std::fmt::Debug;
use std::io;
use std::time::Duration;

use async_imap::Session;
use futures_util::TryStreamExt;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::bounce::{self, Report};
use super::tls::{Tls, TlsError};
use crate::class::Class;
use crate::secret::Secret;

/// Where bounces come to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InboxOptions {
    /// The server's name, which its certificate must bear.
    pub host: String,
    /// Implicit TLS (RFC 8314).
    #[serde(default = "imaps")]
    pub port: u16,
    /// Certificates to trust in place of the system's, PEM.
    pub roots: Option<String>,
    /// The account.
    pub username: String,
    /// Its password.
    #[serde(skip)]
    pub password: Option<Secret>,
    /// The folder.
    #[serde(default = "folder")]
    pub folder: String,
}

/// Why the mailbox could not be read.
#[derive(Debug, thiserror::Error)]
pub enum InboxError {
    /// No connection, or a broken one.
    #[error("the mailbox of bounces cannot be reached: {0}")]
    Line(#[from] io::Error),
    /// No answer in time.
    #[error("the mailbox of bounces did not answer in time")]
    Silent,
    /// The server refuses something.
    #[error("the mailbox of bounces: {0}")]
    Imap(#[from] async_imap::error::Error),
    /// See [`TlsError`].
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl InboxError {
    /// Whose turn it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Tls(_) => Class::Us,
            _ => Class::Later,
        }
    }
}

/// A message of the mailbox: its UID, and the report it is, if it is one.
pub type Found = (u32, Option<Report>);

/// An open mailbox.
#[derive(Debug)]
pub struct Inbox(Session<TlsStream<TcpStream>>);

/// How long any one answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What marks a message as read here.
const KEYWORD: &str = "ParapheRead";

/// How much of a message is looked at: the report stands at its beginning.
const LONGEST: usize = 256 * 1024;

impl Inbox {
    /// Connects, logs in, opens the folder.
    pub async fn open(options: &InboxOptions) -> Result<Self, InboxError> {
        let tls = Tls::new(&options.host, options.roots.as_deref())?;
        let stream = within(TcpStream::connect((options.host.as_str(), options.port))).await?;
        let mut client = async_imap::Client::new(within(tls.wrap(stream)).await?);
        let greeting = within(client.read_response()).await?;
        greeting.ok_or(io::Error::from(io::ErrorKind::UnexpectedEof))?;
        let password = options.password.as_ref().map(|it| String::from_utf8_lossy(it.expose()));
        let login = client.login(&options.username, password.unwrap_or_default());
        let mut session = within(async { login.await.map_err(|it| it.0) }).await?;
        within(session.select(&options.folder)).await?;
        Ok(Self(session))
    }

    /// The oldest messages not yet read here, at most so many.
    pub async fn unread(&mut self, most: usize) -> Result<Vec<Found>, InboxError> {
        let unread = within(self.0.uid_search(format!("UNKEYWORD {KEYWORD} UNDELETED"))).await?;
        let mut uids: Vec<_> = unread.into_iter().collect();
        uids.sort_unstable();
        uids.truncate(most);
        let mut found = Vec::new();
        for uid in uids {
            let query = format!("(UID BODY.PEEK[]<0.{LONGEST}>)");
            let messages = within(async {
                self.0.uid_fetch(uid.to_string(), query).await?.try_collect::<Vec<_>>().await
            });
            let messages = messages.await?;
            let report = messages.iter().find_map(|it| bounce::read(it.body()?));
            found.push((uid, report));
        }
        Ok(found)
    }

    /// Marks a message as read here.
    pub async fn mark(&mut self, uid: u32) -> Result<(), InboxError> {
        let query = format!("+FLAGS.SILENT ({KEYWORD})");
        within(async {
            self.0.uid_store(uid.to_string(), query).await?.try_collect::<Vec<_>>().await
        })
        .await?;
        Ok(())
    }

    /// Says goodbye.
    pub async fn close(mut self) -> Result<(), InboxError> {
        within(self.0.logout()).await
    }
}

async fn within<T, E: Into<InboxError> + Debug>(
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, InboxError> {
    timeout(PATIENCE, answer).await.map_err(|_| InboxError::Silent)?.map_err(Into::into)
}

fn imaps() -> u16 {
    993
}

fn folder() -> String {
    "INBOX".to_owned()
}
