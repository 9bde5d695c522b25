//! Where messages go: a mail server, a folder of `.eml` files, or memory.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use super::simulator::{Part, part};
use super::smtp::{Smtp, SmtpError};
use crate::class::Class;

/// A way out for messages.
#[derive(Debug)]
pub enum Transport {
    /// A mail server.
    Smtp(Box<Smtp>),
    /// A folder: one file `<delivery>.eml` a message, there whole or not at all.
    Folder(PathBuf),
    /// For tests.
    Memory(Memory),
}

/// Messages that left, in order: recipient and bytes.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Vec<(String, Vec<u8>)>>);

/// A stored message on its way.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// The delivery.
    pub id: Uuid,
    /// The envelope's recipient.
    pub recipient: &'a str,
    /// The stored bytes.
    pub message: &'a [u8],
}

/// Why no message could leave.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The server.
    #[error(transparent)]
    Smtp(#[from] SmtpError),
    /// The folder.
    #[error("the folder: {0}")]
    Folder(#[from] io::Error),
}

/// How one attempt to send a message ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// It is there; what was answered.
    Accepted(String),
    /// This letter was refused.
    Refused {
        /// For good, or for now.
        permanent: bool,
        /// What was answered.
        reply: String,
    },
    /// Nothing was handed over; the line or the server is at fault.
    Broken {
        /// Later: by itself. Us: when somebody has mended it, and every letter would meet the same.
        class: Class,
        /// What happened.
        reason: String,
    },
    /// It was handed over and no answer came: it may be there.
    InDoubt(String),
    /// The caller withdrew it before it left.
    Withdrawn,
}

impl Transport {
    /// Sends one message. `before_data` is awaited last before it leaves and says whether it may.
    pub async fn send(
        &self,
        letter: &Outgoing<'_>,
        before_data: impl Future<Output = bool> + Send,
    ) -> Attempt {
        match self {
            Self::Smtp(smtp) => smtp.send(letter, before_data).await,
            Self::Folder(folder) => {
                if !before_data.await {
                    return Attempt::Withdrawn;
                }
                match write(folder, letter).await {
                    Ok(()) => Attempt::Accepted(format!("written as {}", message(letter.id))),
                    Err(error) => {
                        Attempt::Broken { class: Class::Us, reason: format!("the folder: {error}") }
                    }
                }
            }
            Self::Memory(memory) => {
                if !before_data.await {
                    return Attempt::Withdrawn;
                }
                let message = (letter.recipient.to_owned(), letter.message.to_vec());
                memory.0.lock().unwrap_or_else(PoisonError::into_inner).push(message);
                Attempt::Accepted("kept in memory".to_owned())
            }
        }
    }

    /// What a recipient plays at the n-th try, where mail stays in a folder.
    pub(super) fn part(&self, recipient: &str, attempt: u32) -> Option<Part> {
        match self {
            Self::Folder(_) => part(recipient, attempt),
            Self::Smtp(_) | Self::Memory(_) => None,
        }
    }

    /// Whether a message could leave now, without one: a server is greeted and hears our name, a folder is there.
    pub async fn probe(&self) -> Result<(), ProbeError> {
        match self {
            Self::Smtp(smtp) => Ok(smtp.probe().await?),
            Self::Folder(folder) => Ok(tokio::fs::create_dir_all(folder).await?),
            Self::Memory(_) => Ok(()),
        }
    }

    /// The files that deliveries have left here. What a mail server has taken is no longer ours.
    pub fn left(&self, deliveries: &[Uuid]) -> Vec<PathBuf> {
        let Self::Folder(folder) = self else { return Vec::new() };
        let names = deliveries.iter().flat_map(|it| [message(*it), unfinished(*it)]);
        names.map(|it| folder.join(it)).filter(|it| it.exists()).collect()
    }

    /// How many messages can be under way at once.
    pub fn connections(&self) -> usize {
        match self {
            Self::Smtp(smtp) => smtp.connections(),
            Self::Folder(_) | Self::Memory(_) => 4,
        }
    }

    /// Ends idle connections.
    pub async fn close(&self) {
        if let Self::Smtp(smtp) = self {
            smtp.close().await;
        }
    }
}

impl Memory {
    /// What left so far: recipient and bytes.
    pub fn messages(&self) -> Vec<(String, Vec<u8>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The name of a delivery's file.
fn message(delivery: Uuid) -> String {
    format!("{delivery}.eml")
}

/// Its name until it is whole.
fn unfinished(delivery: Uuid) -> String {
    format!(".{delivery}.part")
}

/// Writes beside, makes it durable, renames: the same delivery again replaces the same file.
async fn write(folder: &Path, letter: &Outgoing<'_>) -> io::Result<()> {
    tokio::fs::create_dir_all(folder).await?;
    let beside = folder.join(unfinished(letter.id));
    let written = async {
        let mut file = tokio::fs::File::create(&beside).await?;
        file.write_all(letter.message).await?;
        file.sync_all().await?;
        tokio::fs::rename(&beside, folder.join(message(letter.id))).await
    };
    let result = written.await;
    if result.is_err() {
        let _ = tokio::fs::remove_file(&beside).await;
    }
    result
}

/// The mailbox that a message of ours is from.
pub(super) fn sender(message: &[u8]) -> Option<&str> {
    let head = message.split(|it| *it == b'\n').take_while(|it| !it.trim_ascii().is_empty());
    let mut lines = head.map(|it| std::str::from_utf8(it).unwrap_or_default().trim_end());
    let mut from =
        lines.find(|it| it.get(..5).is_some_and(|it| it.eq_ignore_ascii_case("from:")))?;
    loop {
        if let Some((_, address)) = from.rsplit_once('<') {
            return address.split_once('>').map(|it| it.0);
        }
        match lines.next() {
            Some(more) if more.starts_with([' ', '\t']) => from = more,
            _ => return from.split_once(':').map(|it| it.1.trim()),
        }
    }
}
