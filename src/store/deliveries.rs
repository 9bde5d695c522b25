//! What a person sees of the outbox and decides about it: list, show, retry, resolve, cancel; and what reports
//! of mail servers tell.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::keyring::DataKey;
use super::prepare::place;
use super::sql::{Row, Value, places, values};
use super::{DeliveryState, Page, Resolution, Scope, Store, StoreError};

/// A mail of the outbox.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Delivery {
    /// Its id, and the envelope's.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub id: Uuid,
    /// The document it brings.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub document: Uuid,
    /// The version of the document.
    pub version: u32,
    /// The document's kind.
    pub kind: String,
    /// The office it comes from.
    pub office: String,
    /// The merge it belongs to.
    #[schemars(with = "Option<String>", extend("format" = "uuid"))]
    pub merge: Option<Uuid>,
    /// Where it goes; none once erased.
    pub recipient: Option<String>,
    /// Its Message-ID.
    pub message_id: String,
    /// Where it is.
    pub state: DeliveryState,
    /// Not to be sent before.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub not_before: Option<DateTime<Utc>>,
    /// After this a person is asked first.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub late_after: Option<DateTime<Utc>>,
    /// When it is tried next, while it is ready.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub next_at: DateTime<Utc>,
    /// How often it was tried.
    pub attempts: u32,
    /// The last words about it; none once erased.
    pub reply: Option<String>,
    /// When it came in.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created_at: DateTime<Utc>,
    /// When its state last changed.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub changed_at: DateTime<Utc>,
}

/// One try to send a mail.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Try {
    /// When it ended.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: DateTime<Utc>,
    /// Which worker tried.
    pub worker: String,
    /// `accepted`, `deferred`, `failed`, `in_doubt`.
    pub outcome: String,
    /// The server's words; none once erased, or when the worker was lost.
    pub reply: Option<String>,
}

/// Which mails a list holds. Nothing asked: all.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// One of these states; none named: any.
    pub states: Vec<DeliveryState>,
    /// The document.
    pub document: Option<Uuid>,
    /// The merge.
    pub merge: Option<Uuid>,
    /// The address, but for case and spaces.
    pub recipient: Option<String>,
    /// Came in at this moment or later.
    pub since: Option<DateTime<Utc>>,
    /// Came in before this moment.
    pub before: Option<DateTime<Utc>>,
}

/// What a report of a mail server says (RFC 3464).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Return {
    /// It arrived.
    Delivered {
        /// The report's words.
        reply: String,
    },
    /// It came back.
    Bounced {
        /// The report's words.
        reply: String,
        /// The status that marks the address, such as `5.1.1`; none if the address is not at fault.
        status: Option<String>,
    },
}

const COLUMNS: &str = "k.id, k.operator, k.wrapped, d.id, d.document, d.version, d.kind, d.office, \
    d.merge, d.recipient, d.message_id, d.state, d.not_before, d.late_after, d.next_at, d.attempts, \
    d.reply, d.created_at, d.changed_at FROM deliveries d LEFT JOIN keys k ON k.id = d.dossier";

impl Store {
    /// Mails, the newest first.
    pub async fn deliveries(
        &self,
        scope: &Scope,
        filter: &DeliveryFilter,
        page: Page,
    ) -> Result<Vec<Delivery>, StoreError> {
        let mut values = Vec::new();
        let mut conditions = vec![scope.condition(&mut values)];
        let recipient = filter.recipient.as_deref().map(|it| self.hasher.lookup("email", it));
        let asked = [
            ("d.document =", filter.document.map(Value::from)),
            ("d.merge =", filter.merge.map(Value::from)),
            ("d.recipient_hash =", recipient.map(Value::from)),
            ("d.created_at >=", filter.since.map(Value::from)),
            ("d.created_at <", filter.before.map(Value::from)),
            ("d.id <", page.after.map(Value::from)),
        ];
        for (comparison, value) in asked {
            if let Some(value) = value {
                values.push(value);
                conditions.push(format!("{comparison} ${}", values.len()));
            }
        }
        if !filter.states.is_empty() {
            let places = places(values.len() + 1, filter.states.len());
            values.extend(filter.states.iter().map(|it| Value::from(it.as_str())));
            conditions.push(format!("d.state IN ({places})"));
        }
        values.push(page.most.into());
        let (all, last) = (conditions.join(" AND "), values.len());
        let sql = format!("SELECT {COLUMNS} WHERE {all} ORDER BY d.id DESC LIMIT ${last}");
        let rows = self.database.rows(AssertSqlSafe(sql), values).await?;
        rows.iter().map(|row| self.opened(row)).collect()
    }

    /// A mail and every try to send it, the first one first.
    pub async fn delivery(
        &self,
        scope: &Scope,
        id: Uuid,
    ) -> Result<(Delivery, Vec<Try>), StoreError> {
        let sql = format!("SELECT {COLUMNS} WHERE d.id = $1");
        let row = self.database.row(AssertSqlSafe(sql), values![id]).await?;
        let row = row.ok_or(StoreError::NotFound("delivery"))?;
        let delivery = self.opened(&row)?;
        scope.check(&delivery.office, "delivery")?;
        let sql = "SELECT k.id, k.operator, k.wrapped, a.at, a.worker, a.outcome, a.reply \
                   FROM attempts a JOIN deliveries d ON d.id = a.delivery \
                   LEFT JOIN keys k ON k.id = d.dossier WHERE a.delivery = $1 ORDER BY a.fence";
        let tries = self.database.rows(sql, values![id]).await?;
        let tries = tries.iter().map(|row| {
            Ok(Try {
                at: row.get(3)?,
                worker: row.get(4)?,
                outcome: row.get(5)?,
                reply: self.text(row, 6, &place::reply(id))?,
            })
        });
        Ok((delivery, tries.collect::<Result<_, StoreError>>()?))
    }

    /// Sends a mail that failed or is late, now.
    pub async fn retry(
        &self,
        scope: &Scope,
        id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let from = &[DeliveryState::Failed, DeliveryState::Late];
        self.decide(scope, id, from, DeliveryState::Ready, "retried", at).await
    }

    /// Decides about a mail in doubt.
    pub async fn resolve(
        &self,
        scope: &Scope,
        id: Uuid,
        resolution: Resolution,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let (state, action) = match resolution {
            Resolution::Accepted => (DeliveryState::Accepted, "resolved_accepted"),
            Resolution::SendAgain => (DeliveryState::Ready, "resolved_again"),
            Resolution::GiveUp => (DeliveryState::Failed, "resolved_failed"),
        };
        self.decide(scope, id, &[DeliveryState::InDoubt], state, action, at).await
    }

    /// Has a mail not sent that no worker is transmitting.
    pub async fn cancel(
        &self,
        scope: &Scope,
        id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        use DeliveryState::{Cancelled, Claimed, Failed, Held, Late, Ready};
        let from = &[Ready, Held, Late, Claimed, Failed];
        self.decide(scope, id, from, Cancelled, "mail_cancelled", at).await
    }

    /// The mail with a Message-ID.
    pub async fn delivery_of(&self, message_id: &str) -> Result<Option<Uuid>, StoreError> {
        let sql = "SELECT id FROM deliveries WHERE message_id = $1";
        self.database.row(sql, values![message_id]).await?.map(|it| it.get(0)).transpose()
    }

    /// Notes what a report says about a mail that was accepted or is in doubt, and marks its address. False: nothing
    /// of the kind was waited for.
    pub async fn returned(
        &self,
        id: Uuid,
        report: &Return,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let (state, reply, status) = match report {
            Return::Delivered { reply } => ("delivered", reply, None),
            Return::Bounced { reply, status } => ("bounced", reply, status.clone()),
        };
        let key = self.delivery_key(id).await?;
        let reply = key.seal(&place::reply(id), reply.as_bytes());
        self.write(move |it| {
            Box::pin(async move {
                let sql = "UPDATE deliveries SET state = $1, reply = $2, changed_at = $3 \
                           WHERE id = $4 AND state IN ('accepted', 'in_doubt', 'delivered') \
                           AND state <> $1 RETURNING recipient_hash";
                let Some(row) = it.tx.row(sql, values![state, reply, at, id]).await? else {
                    return Ok(false);
                };
                if let (Some(hash), Some(status)) = (row.get::<Option<Vec<u8>>>(0)?, status) {
                    let sql = "INSERT INTO addresses (hash, problem, at) VALUES ($1, $2, $3) \
                               ON CONFLICT (hash) DO UPDATE SET problem = $2, at = $3";
                    it.tx.change(sql, values![hash, status, at]).await?;
                }
                it.note(at, "report", state, id, String::new());
                Ok(true)
            })
        })
        .await
    }

    /// The status that an earlier mail to an address came back with.
    pub async fn address_problem(&self, address: &str) -> Result<Option<String>, StoreError> {
        let hash = self.hasher.lookup("email", address);
        let sql = "SELECT problem FROM addresses WHERE hash = $1";
        self.database.row(sql, values![hash]).await?.map(|it| it.get(0)).transpose()
    }

    /// Moves a mail by a person's decision, if it is in one of some states.
    async fn decide(
        &self,
        scope: &Scope,
        id: Uuid,
        from: &[DeliveryState],
        to: DeliveryState,
        action: &'static str,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let (scope, from) = (scope.clone(), from.to_vec());
        self.write(move |it| {
            Box::pin(async move {
                let sql = "SELECT office, state, fence FROM deliveries WHERE id = $1";
                let row = it.tx.row(sql, values![id]).await?;
                let row = row.ok_or(StoreError::NotFound("delivery"))?;
                scope.check(&row.get::<String>(0)?, "delivery")?;
                let now: String = row.get(1)?;
                if !from.iter().any(|it| it.as_str() == now) {
                    return Err(StoreError::Settled(now));
                }
                let sql = "UPDATE deliveries SET state = $1, next_at = $2, late_after = NULL, \
                           fence = fence + 1, lease_until = NULL, changed_at = $2 \
                           WHERE id = $3 AND fence = $4 AND state = $5";
                let values = values![to.as_str(), at, id, row.get::<i64>(2)?, now.as_str()];
                if it.tx.change(sql, values).await? == 0 {
                    return Err(StoreError::Settled(now));
                }
                it.wake |= to == DeliveryState::Ready;
                it.note(at, scope.actor(), action, id, String::new());
                Ok(())
            })
        })
        .await
    }

    /// The key that a mail's columns are sealed with.
    async fn delivery_key(&self, delivery: Uuid) -> Result<DataKey, StoreError> {
        let sql = "SELECT k.id, k.operator, k.wrapped FROM deliveries d \
                   LEFT JOIN keys k ON k.id = d.dossier WHERE d.id = $1";
        let row = self.database.row(sql, values![delivery]).await?;
        self.key(&row.ok_or(StoreError::NotFound("delivery"))?, 0)
    }

    fn opened(&self, row: &Row) -> Result<Delivery, StoreError> {
        let id: Uuid = row.get(3)?;
        Ok(Delivery {
            id,
            document: row.get(4)?,
            version: row.get(5)?,
            kind: row.get(6)?,
            office: row.get(7)?,
            merge: row.get(8)?,
            recipient: self.text(row, 9, &place::recipient(id))?,
            message_id: row.get(10)?,
            state: DeliveryState::named(&row.get::<String>(11)?)?,
            not_before: row.get(12)?,
            late_after: row.get(13)?,
            next_at: row.get(14)?,
            attempts: row.get(15)?,
            reply: self.text(row, 16, &place::reply(id))?,
            created_at: row.get(17)?,
            changed_at: row.get(18)?,
        })
    }

    /// A sealed text of a row that begins with its key; none once erased.
    pub(super) fn text(
        &self,
        row: &Row,
        column: usize,
        place: &str,
    ) -> Result<Option<String>, StoreError> {
        let Some(sealed) = row.get::<Option<Vec<u8>>>(column)? else { return Ok(None) };
        let plain = self.key(row, 0)?.open(place, sealed)?;
        Ok(Some(String::from_utf8_lossy(&plain).into_owned()))
    }
}
