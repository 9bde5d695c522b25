//! What a mail in the outbox is: its states, a worker's lease on it, and what came of a try.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::StoreError;
use super::keyring::DataKey;

/// Where a mail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// To be sent when its time comes.
    Ready,
    /// Its merge is paused.
    Held,
    /// Its time has passed unsent: a person is asked.
    Late,
    /// A worker has it.
    Claimed,
    /// A worker is sending it.
    Transmitting,
    /// The server has taken it.
    Accepted,
    /// Nobody knows whether the server has taken it: a report or a person will tell.
    InDoubt,
    /// It was refused for good, or too often.
    Failed,
    /// A report says that it arrived.
    Delivered,
    /// A report says that it came back.
    Bounced,
    /// It will not be sent.
    Cancelled,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 11] = [
        Self::Ready,
        Self::Held,
        Self::Late,
        Self::Claimed,
        Self::Transmitting,
        Self::Accepted,
        Self::InDoubt,
        Self::Failed,
        Self::Delivered,
        Self::Bounced,
        Self::Cancelled,
    ];

    /// Its name in data.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Held => "held",
            Self::Late => "late",
            Self::Claimed => "claimed",
            Self::Transmitting => "transmitting",
            Self::Accepted => "accepted",
            Self::InDoubt => "in_doubt",
            Self::Failed => "failed",
            Self::Delivered => "delivered",
            Self::Bounced => "bounced",
            Self::Cancelled => "cancelled",
        }
    }

    pub(super) fn named(name: &str) -> Result<Self, StoreError> {
        let found = Self::ALL.into_iter().find(|it| it.as_str() == name);
        found.ok_or_else(|| StoreError::Damaged(format!("the state {name}")))
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A mail that a worker has, until its time is over.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The mail, and the envelope's id.
    pub delivery: Uuid,
    /// The document it brings.
    pub document: Uuid,
    /// The version of the document.
    pub version: u32,
    /// The document's kind.
    pub kind: String,
    /// The office it comes from.
    pub office: String,
    /// The one address it goes to.
    pub recipient: String,
    /// Its Message-ID.
    pub message_id: String,
    /// Its length in bytes.
    pub size: u32,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// When the lease ends.
    pub until: DateTime<Utc>,
    /// How long it was given for, and is given for again by each sign of life.
    pub length: Duration,
    /// The fencing number.
    pub fence: i64,
    pub(super) worker: String,
    /// Where its bytes are, and the key that opens them.
    pub(super) blob: Option<String>,
    pub(super) key: Arc<DataKey>,
}

/// What came of a try. Replies are kept sealed, for servers repeat addresses in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The server has taken it.
    Accepted {
        /// Its words.
        reply: String,
    },
    /// It was certainly not taken; try again.
    Deferred {
        /// The server's words, or what went wrong.
        reply: String,
        /// When to try again.
        next_at: DateTime<Utc>,
    },
    /// It was refused for good, or often enough.
    Failed {
        /// The server's words, or what went wrong.
        reply: String,
    },
    /// The last byte was sent and no answer came.
    InDoubt {
        /// What went wrong.
        reply: String,
    },
}

impl Outcome {
    /// Its name in the ledger and in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Deferred { .. } => "deferred",
            Self::Failed { .. } => "failed",
            Self::InDoubt { .. } => "in_doubt",
        }
    }

    /// The state it brings, and the words.
    pub(super) fn parts(&self) -> (DeliveryState, &str) {
        match self {
            Self::Accepted { reply } => (DeliveryState::Accepted, reply),
            Self::Deferred { reply, .. } => (DeliveryState::Ready, reply),
            Self::Failed { reply } => (DeliveryState::Failed, reply),
            Self::InDoubt { reply } => (DeliveryState::InDoubt, reply),
        }
    }
}

/// What a person knows about a mail in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// The server had taken it.
    Accepted,
    /// It had not, or a second copy does no harm: the same bytes go again.
    SendAgain,
    /// It had not, and it shall not go.
    GiveUp,
}

/// What all workers share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Control {
    /// Why nothing is sent; none when it is.
    pub paused: Option<String>,
    /// How many mails may leave in a minute, over all workers; none: any number.
    pub per_minute: Option<u32>,
}

/// How many mails and rows a sweep moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Claimed and left: ready again.
    pub ready: u64,
    /// Left while transmitting.
    pub in_doubt: u64,
    /// Past their time: a person is asked.
    pub late: u64,
    /// Rows of merges, claimed and left: waiting again.
    pub rows: u64,
}
