//! Step 5: what stands in the outbox leaves by mail, once.
//!
//! A document and its sealed file in, the exact bytes of a message out ([`Mailer`], at issue, before
//! anything is stored); later those bytes leave ([`Transport`]), driven by the worker. Invariant: no
//! message is put together at the time it is sent, so what was stored is what the person gets.

pub mod address;
mod body;
pub mod bounce;
mod calendar;
mod clock;
mod compose;
mod dkim;
mod header;
mod inbox;
pub mod maillog;
mod simulator;
mod smtp;
mod tls;
mod transport;
pub mod upkeep;
mod webhook;
pub mod worker;

use serde::Deserialize;

pub use clock::Clock;
pub use compose::{ComposeError, Dispatch, Enclosure, Mail, Mailer};
pub use dkim::{Dkim, DkimError, DkimOptions};
pub use inbox::{Found, Inbox, InboxError, InboxOptions};
pub use smtp::{Limits, Smtp, SmtpError, SmtpOptions, SmtpSetupError, TlsMode};
pub use tls::TlsError;
pub use transport::{Attempt, Memory, Outgoing, ProbeError, Transport};
pub use webhook::{Webhook, WebhookError, WebhookOptions};
pub use worker::WorkerOptions;

use crate::class::Class;

/// How messages are put together.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailOptions {
    /// The domain of Message-IDs and of calendar entries; that of the office's mailbox when absent.
    pub domain: Option<String>,
}

/// Why mail cannot be put together at all.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// A template that is not there.
    #[error("{0}: missing or empty: put the template back")]
    Missing(String),
    /// A template that is no text.
    #[error("{0}: not UTF-8: save it as UTF-8")]
    Encoding(String),
    /// A template that cannot be read.
    #[error("a mail template is at fault: {0}")]
    Template(#[from] minijinja::Error),
}

impl MailerError {
    /// Whose turn it is: ours, for the templates are.
    pub fn class(&self) -> Class {
        Class::Us
    }
}
