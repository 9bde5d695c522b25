//! Sessions of people, and codes that open something once: each a random token kept as a keyed hash.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{from_str, json};

use super::access_keys::Access;
use super::keyring::token;
use super::sql::values;
use super::{Store, StoreError};

/// How often the time of last use is written down.
const NOTE_EVERY: TimeDelta = TimeDelta::seconds(60);

/// A session that was begun: what the browser keeps.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The cookie's value.
    pub token: String,
    /// What forms send along.
    pub csrf: String,
}

/// A session that holds.
#[derive(Debug, Clone)]
pub struct Session {
    /// Whose it is.
    pub access: Access,
    /// What forms send along.
    pub csrf: String,
}

impl Store {
    /// Begins a session. A new one has a new token, so nobody can plant one beforehand.
    pub async fn begin_session(
        &self,
        access: &Access,
        lasts: TimeDelta,
        at: DateTime<Utc>,
    ) -> Result<NewSession, StoreError> {
        let new = NewSession { token: token(), csrf: token() };
        let hash = self.hasher.secret("session", &new.token);
        let (access, csrf, until) = (json!(access).to_string(), new.csrf.clone(), at + lasts);
        self.write(move |it| {
            Box::pin(async move {
                it.tx.change("DELETE FROM sessions WHERE expires_at <= $1", values![at]).await?;
                let sql = "INSERT INTO sessions (hash, access, csrf, used_at, expires_at) \
                           VALUES ($1, $2, $3, $4, $5)";
                it.tx.change(sql, values![hash, access, csrf, at, until]).await?;
                Ok(())
            })
        })
        .await?;
        Ok(new)
    }

    /// The session of a token, if it has neither ended nor been left idle for longer than `idle`.
    pub async fn session(
        &self,
        token: &str,
        idle: TimeDelta,
        at: DateTime<Utc>,
    ) -> Result<Option<Session>, StoreError> {
        let hash = self.hasher.secret("session", token);
        let sql = "SELECT access, csrf, used_at FROM sessions \
                   WHERE hash = $1 AND expires_at > $2 AND used_at > $3";
        let Some(row) = self.database.row(sql, values![hash, at, at - idle]).await? else {
            return Ok(None);
        };
        if at - row.get::<DateTime<Utc>>(2)? > NOTE_EVERY {
            self.write(move |it| {
                Box::pin(async move {
                    let sql = "UPDATE sessions SET used_at = $1 WHERE hash = $2";
                    it.tx.change(sql, values![at, hash]).await?;
                    Ok(())
                })
            })
            .await?;
        }
        let damaged = |_| StoreError::Damaged("a session".to_owned());
        let access = from_str(&row.get::<String>(0)?).map_err(damaged)?;
        Ok(Some(Session { access, csrf: row.get(1)? }))
    }

    /// Ends a session.
    pub async fn end_session(&self, token: &str) -> Result<(), StoreError> {
        let hash = self.hasher.secret("session", token);
        self.write(move |it| {
            Box::pin(async move {
                it.tx.change("DELETE FROM sessions WHERE hash = $1", values![hash]).await?;
                Ok(())
            })
        })
        .await
    }

    /// Makes a code that opens something once; `purpose` tells kinds of codes apart, `detail` says what it opens.
    pub async fn make_code(
        &self,
        purpose: &str,
        detail: &str,
        lasts: TimeDelta,
        at: DateTime<Utc>,
    ) -> Result<String, StoreError> {
        let code = token();
        self.keep_code(purpose, &code, detail, lasts, at).await?;
        Ok(code)
    }

    /// Keeps a code that somebody else chose, such as a short one that a person types.
    pub async fn keep_code(
        &self,
        purpose: &str,
        code: &str,
        detail: &str,
        lasts: TimeDelta,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let hash = self.hasher.secret(purpose, code);
        let (detail, until) = (detail.to_owned(), at + lasts);
        self.write(move |it| {
            Box::pin(async move {
                it.tx.change("DELETE FROM codes WHERE expires_at <= $1", values![at]).await?;
                let sql = "INSERT INTO codes (hash, detail, expires_at) VALUES ($1, $2, $3)";
                it.tx.change(sql, values![hash, detail, until]).await?;
                Ok(())
            })
        })
        .await
    }

    /// What a code opens, without using it up; it lasts so much longer from now.
    pub async fn hold_code(
        &self,
        purpose: &str,
        code: &str,
        lasts: TimeDelta,
        at: DateTime<Utc>,
    ) -> Result<Option<String>, StoreError> {
        let (hash, until) = (self.hasher.secret(purpose, code), at + lasts);
        self.write(move |it| {
            Box::pin(async move {
                let sql = "UPDATE codes SET expires_at = $1 \
                           WHERE hash = $2 AND expires_at > $3 RETURNING detail";
                let row = it.tx.row(sql, values![until, hash, at]).await?;
                row.map(|row| row.get(0)).transpose()
            })
        })
        .await
    }

    /// What a code opens. It opens once: whoever asks second gets nothing.
    pub async fn take_code(
        &self,
        purpose: &str,
        code: &str,
        at: DateTime<Utc>,
    ) -> Result<Option<String>, StoreError> {
        let hash = self.hasher.secret(purpose, code);
        self.write(move |it| {
            Box::pin(async move {
                let sql = "DELETE FROM codes WHERE hash = $1 AND expires_at > $2 RETURNING detail";
                it.tx.row(sql, values![hash, at]).await?.map(|row| row.get(0)).transpose()
            })
        })
        .await
    }
}
