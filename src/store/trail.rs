//! The audit trail: numbered without gaps, each entry chained to the one before by a keyed hash, never changed.
//!
//! It holds ids, hashes and words of the program only. The head is locked last in a transaction, so numbers are in
//! the order of commits: whoever reads on from a number (a webhook) misses nothing.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::keyring::Hasher;
use super::sql::{Row, Tx, values};
use super::{Store, StoreError};

/// Something that happened, to be chained when the transaction ends.
#[derive(Debug, Clone)]
pub(super) struct Happening {
    pub(super) at: DateTime<Utc>,
    pub(super) actor: String,
    pub(super) action: &'static str,
    pub(super) subject: String,
    pub(super) detail: String,
}

/// One entry of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Event {
    /// Its number, from 1, without gaps.
    pub number: i64,
    /// When.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: DateTime<Utc>,
    /// Who: an opaque id.
    pub actor: String,
    /// What was done: `issued`, `signed`, `read`, `accepted`, `erased` …
    pub action: String,
    /// To what: the id of a document, a delivery, a dossier, a merge.
    pub subject: String,
    /// A hash or a word of the program.
    pub detail: String,
}

/// Where a chain is at fault, or its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Chain {
    /// Every entry is the one that was written. `mac` noted elsewhere shows later that no end was cut off.
    Whole {
        /// How many entries there are.
        entries: i64,
        /// The last one's keyed hash, in hexadecimal digits.
        mac: String,
    },
    /// The first entry that is changed, missing or out of its place.
    Broken {
        /// Its number.
        number: i64,
    },
}

/// Writes what happened, chained to the end of the trail.
pub(super) async fn append(
    tx: &mut Tx,
    hasher: &Hasher,
    happenings: Vec<Happening>,
) -> Result<(), StoreError> {
    let count = i64::try_from(happenings.len()).unwrap_or(i64::MAX);
    let lock = "UPDATE trail_head SET number = number + $1 RETURNING number, mac";
    let head = tx.row(lock, values![count]).await?.ok_or_else(no_head)?;
    let first = head.get::<i64>(0)? - count + 1;
    let mut mac: Vec<u8> = head.get(1)?;
    let mut rows = Vec::new();
    for (number, it) in (first..).zip(happenings) {
        let Happening { at, actor, action, subject, detail } = it;
        let event = Event { number, at, actor, action: action.to_owned(), subject, detail };
        mac = link(hasher, &mac, &event).to_vec();
        let Event { actor, action, subject, detail, .. } = event;
        rows.push(values![number, at, actor, action, subject, detail, mac.clone()]);
    }
    let columns = ["number", "at", "actor", "action", "subject", "detail", "mac"];
    tx.insert("trail", &columns, rows).await?;
    tx.change("UPDATE trail_head SET mac = $1", values![mac]).await?;
    Ok(())
}

impl Store {
    /// Reads the whole trail again and says whether it is the one that was written.
    pub async fn verify_chain(&self) -> Result<Chain, StoreError> {
        let mut tx = self.database.snapshot().await?;
        let head = tx.row("SELECT number, mac FROM trail_head", values![]).await?;
        let head = head.ok_or_else(no_head)?;
        let (last, end): (i64, Vec<u8>) = (head.get(0)?, head.get(1)?);
        let mut mac = Vec::new();
        let mut number = 0;
        loop {
            let sql = "SELECT number, at, actor, action, subject, detail, mac FROM trail \
                       WHERE number > $1 ORDER BY number LIMIT 1000";
            let rows = tx.rows(sql, values![number]).await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let event = event(&row)?;
                mac = link(&self.hasher, &mac, &event).to_vec();
                number += 1;
                if event.number != number || row.get::<Vec<u8>>(6)? != mac {
                    return Ok(Chain::Broken { number });
                }
            }
        }
        if number != last || mac != end {
            return Ok(Chain::Broken { number: number + 1 });
        }
        Ok(Chain::Whole { entries: number, mac: super::keyring::hex(&mac) })
    }

    /// What happened after a number, oldest first.
    pub async fn events(&self, after: i64, most: u32) -> Result<Vec<Event>, StoreError> {
        let sql = "SELECT number, at, actor, action, subject, detail FROM trail \
                   WHERE number > $1 ORDER BY number LIMIT $2";
        self.database.rows(sql, values![after, most]).await?.iter().map(event).collect()
    }

    /// What happened to a document, a delivery, a dossier or a merge, oldest first.
    pub async fn history(&self, subject: Uuid) -> Result<Vec<Event>, StoreError> {
        let sql = "SELECT number, at, actor, action, subject, detail FROM trail \
                   WHERE subject = $1 ORDER BY number";
        self.database.rows(sql, values![subject]).await?.iter().map(event).collect()
    }

    /// How far a reader of the trail has come: the last number it is done with, 0 at first.
    pub async fn cursor(&self, reader: &str) -> Result<i64, StoreError> {
        let sql = "SELECT number FROM cursors WHERE name = $1";
        let row = self.database.row(sql, values![reader]).await?;
        row.map_or(Ok(0), |it| it.get(0))
    }

    /// Notes how far a reader has come. It never goes back.
    pub async fn set_cursor(&self, reader: &str, number: i64) -> Result<(), StoreError> {
        let reader = reader.to_owned();
        self.write(move |it| {
            Box::pin(async move {
                let sql = "INSERT INTO cursors (name, number) VALUES ($1, $2) \
                           ON CONFLICT (name) DO UPDATE SET number = excluded.number \
                           WHERE excluded.number > cursors.number";
                it.tx.change(sql, values![reader, number]).await?;
                Ok(())
            })
        })
        .await
    }
}

fn event(row: &Row) -> Result<Event, StoreError> {
    Ok(Event {
        number: row.get(0)?,
        at: row.get(1)?,
        actor: row.get(2)?,
        action: row.get(3)?,
        subject: row.get(4)?,
        detail: row.get(5)?,
    })
}

fn link(hasher: &Hasher, before: &[u8], event: &Event) -> [u8; 32] {
    hasher.hash(&[
        b"trail",
        before,
        &event.number.to_be_bytes(),
        &event.at.timestamp_micros().to_be_bytes(),
        event.actor.as_bytes(),
        event.action.as_bytes(),
        event.subject.as_bytes(),
        event.detail.as_bytes(),
    ])
}

fn no_head() -> StoreError {
    StoreError::Damaged("the head of the audit trail".to_owned())
}
