//! First answers to requests that carry an idempotency key: the same request gets the same answer again.
//!
//! Documents keep their own keys for good ([`super::IdempotencyKey`]); this is for all other requests, for a day.
//! Answers hold ids and states, nothing of a person.

use chrono::{DateTime, TimeDelta, Utc};

use super::sql::values;
use super::{IdempotencyKey, Store, StoreError};

/// How long an answer is kept, and how long a request may be under way before another may try.
const KEPT: TimeDelta = TimeDelta::hours(24);
const UNDER_WAY: TimeDelta = TimeDelta::seconds(90);

/// What is known of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// Nothing: it is the caller's to answer now.
    New,
    /// The first one is under way.
    UnderWay,
    /// The first one's answer.
    Before(String),
}

impl Store {
    /// Begins to answer a request, or says how far the first one with its key is. Another body under the same key is
    /// [`StoreError::KeyReused`].
    pub async fn begin_answer(
        &self,
        key: &IdempotencyKey,
        digest: &[u8; 32],
        at: DateTime<Utc>,
    ) -> Result<Answered, StoreError> {
        let (hash, digest) = (self.idempotency(key), self.keyed_digest(digest));
        self.write(move |it| {
            Box::pin(async move {
                it.tx.change("DELETE FROM answers WHERE expires_at <= $1", values![at]).await?;
                let sql = "INSERT INTO answers (hash, digest, expires_at) VALUES ($1, $2, $3) \
                           ON CONFLICT (hash) DO NOTHING";
                if it.tx.change(sql, values![hash, digest, at + UNDER_WAY]).await? == 1 {
                    return Ok(Answered::New);
                }
                let sql = "SELECT digest, answer FROM answers WHERE hash = $1";
                let row = it.tx.row(sql, values![hash]).await?;
                let row = row.ok_or(StoreError::NotFound("answer"))?;
                if row.get::<[u8; 32]>(0)? != digest {
                    return Err(StoreError::KeyReused);
                }
                let answer: Option<String> = row.get(1)?;
                Ok(answer.map_or(Answered::UnderWay, Answered::Before))
            })
        })
        .await
    }

    /// Keeps the answer for whoever asks again; none: the request failed and may be tried again.
    pub async fn end_answer(
        &self,
        key: &IdempotencyKey,
        answer: Option<String>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let hash = self.idempotency(key);
        self.write(move |it| {
            Box::pin(async move {
                match answer {
                    Some(answer) => {
                        let sql = "UPDATE answers SET answer = $1, expires_at = $2 WHERE hash = $3";
                        it.tx.change(sql, values![answer, at + KEPT, hash]).await?;
                    }
                    None => {
                        it.tx.change("DELETE FROM answers WHERE hash = $1", values![hash]).await?;
                    }
                }
                Ok(())
            })
        })
        .await
    }
}
