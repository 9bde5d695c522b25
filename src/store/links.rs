//! Links that bring a document in place of the file itself: tried a few times, open until a day.
//!
//! A code in, the document and version that its mail was about out. The code is a keyed hash of the mail's id: it can
//! be neither guessed nor read anywhere. Each try counts before its answer is known, and a right one counts no more.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::keyring::{hex, unhex};
use super::sql::values;
use super::{Scope, Store, StoreError};

/// How often a link may be tried in vain.
const TRIES: u32 = 5;
/// Bytes of a delivery's id, and of the hash behind it.
const ID: usize = 16;
const HASH: usize = 16;

/// What a link leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linked {
    /// The mail that brought it.
    pub delivery: Uuid,
    /// The document.
    pub document: Uuid,
    /// The version that was mailed.
    pub version: u32,
}

/// How a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct LinkState {
    /// How many more tries it has.
    pub tries: u32,
    /// Until when it opens.
    pub expires_at: DateTime<Utc>,
    /// Whether it opens now.
    pub opens: bool,
}

impl Store {
    /// The code of a mail's link: 64 hexadecimal digits.
    pub fn link_code(&self, delivery: Uuid) -> String {
        let hash = self.hasher.hash(&[b"link", delivery.as_bytes()]);
        hex(delivery.as_bytes()) + &hex(&hash[..HASH])
    }

    /// Counts a try at a link. Nothing: the code is none, its tries are spent or its time is over.
    pub async fn try_link(
        &self,
        code: &str,
        at: DateTime<Utc>,
    ) -> Result<Option<Linked>, StoreError> {
        let Some(delivery) = self.delivery_of_code(code) else { return Ok(None) };
        self.write(move |it| {
            Box::pin(async move {
                let sql = "UPDATE links SET wrong = wrong + 1 WHERE delivery = $1 AND wrong < $2 \
                           AND expires_at > $3";
                if it.tx.change(sql, values![delivery, TRIES, at]).await? == 0 {
                    return Ok(None);
                }
                let sql = "SELECT document, version FROM deliveries WHERE id = $1";
                let row = it.tx.row(sql, values![delivery]).await?;
                let row = row.ok_or(StoreError::NotFound("delivery"))?;
                Ok(Some(Linked { delivery, document: row.get(0)?, version: row.get(1)? }))
            })
        })
        .await
    }

    /// Notes that a try was right: it has its tries back, and that it was opened stands in the audit trail.
    pub async fn opened_link(&self, linked: Linked, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.write(move |it| {
            Box::pin(async move {
                let sql = "UPDATE links SET wrong = 0 WHERE delivery = $1";
                it.tx.change(sql, values![linked.delivery]).await?;
                it.note(at, "link", "link_opened", linked.document, linked.delivery.to_string());
                Ok(())
            })
        })
        .await
    }

    /// How the link of a mail stands; nothing for a mail that brought the file itself.
    pub async fn link(
        &self,
        scope: &Scope,
        delivery: Uuid,
        at: DateTime<Utc>,
    ) -> Result<Option<LinkState>, StoreError> {
        let sql = "SELECT d.office, l.wrong, l.expires_at FROM links l \
                   JOIN deliveries d ON d.id = l.delivery WHERE l.delivery = $1";
        let Some(row) = self.database.row(sql, values![delivery]).await? else { return Ok(None) };
        scope.check(&row.get::<String>(0)?, "delivery")?;
        let tries = TRIES.saturating_sub(row.get(1)?);
        let expires_at: DateTime<Utc> = row.get(2)?;
        Ok(Some(LinkState { tries, expires_at, opens: tries > 0 && expires_at > at }))
    }

    /// Lets a link open again, until another moment and with all its tries.
    pub async fn reopen_link(
        &self,
        scope: &Scope,
        delivery: Uuid,
        until: DateTime<Utc>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.link(scope, delivery, at).await?.ok_or(StoreError::NotFound("link"))?;
        let actor = scope.actor.clone();
        self.write(move |it| {
            Box::pin(async move {
                let sql = "UPDATE links SET wrong = 0, expires_at = $1 WHERE delivery = $2";
                it.tx.change(sql, values![until, delivery]).await?;
                it.note(at, &actor, "link_reopened", delivery, String::new());
                Ok(())
            })
        })
        .await
    }

    /// The mail of a code, if the code is ours.
    fn delivery_of_code(&self, code: &str) -> Option<Uuid> {
        let bytes = unhex(code).filter(|it| it.len() == ID + HASH)?;
        let delivery = Uuid::from_slice(&bytes[..ID]).ok()?;
        let own = self.link_code(delivery);
        // In a time that does not tell where they differ.
        let differs = own.bytes().zip(code.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
        (differs == 0).then_some(delivery)
    }
}
