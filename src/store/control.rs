//! What holds for the whole outbox: the pause of all sending, its pace, and how it stands.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::sql::values;
use super::{Control, Scope, Store, StoreError};

/// How the outbox stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Queue {
    /// How many mails are in each state.
    pub counts: BTreeMap<String, i64>,
    /// Since when the first mail whose time has come waits.
    pub waiting_since: Option<DateTime<Utc>>,
}

impl Store {
    /// Pauses all sending, with a reason, or goes on with it (after a restore: the confirmation).
    pub async fn pause(
        &self,
        scope: &Scope,
        reason: Option<&str>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let (actor, reason) = (scope.actor().to_owned(), reason.map(str::to_owned));
        self.write(move |it| {
            Box::pin(async move {
                it.wake = reason.is_none();
                let action = if reason.is_some() { "paused" } else { "resumed" };
                it.note(at, &actor, action, Uuid::nil(), reason.clone().unwrap_or_default());
                it.tx.change("UPDATE control SET paused = $1", values![reason]).await?;
                Ok(())
            })
        })
        .await
    }

    /// Sets how many mails may leave in a minute, over all workers; none: any number.
    pub async fn set_rate(&self, per_minute: Option<u32>) -> Result<(), StoreError> {
        self.write(move |it| {
            Box::pin(async move {
                it.wake = true;
                it.tx.change("UPDATE control SET per_minute = $1", values![per_minute]).await?;
                Ok(())
            })
        })
        .await
    }

    /// What all workers share.
    pub async fn control(&self) -> Result<Control, StoreError> {
        let row = self.database.row("SELECT paused, per_minute FROM control", values![]).await?;
        let row = row.ok_or_else(|| StoreError::Damaged("the control row".to_owned()))?;
        Ok(Control { paused: row.get(0)?, per_minute: row.get(1)? })
    }

    /// How the outbox stands.
    pub async fn queue(&self, at: DateTime<Utc>) -> Result<Queue, StoreError> {
        let sql = "SELECT state, COUNT(*) FROM deliveries GROUP BY state";
        let counts = self.database.rows(sql, values![]).await?;
        let sql = "SELECT next_at FROM deliveries WHERE state = 'ready' AND next_at <= $1 \
                   ORDER BY next_at LIMIT 1";
        let first = self.database.row(sql, values![at]).await?;
        Ok(Queue {
            counts: counts
                .iter()
                .map(|it| Ok((it.get(0)?, it.get(1)?)))
                .collect::<Result<_, StoreError>>()?,
            waiting_since: first.map(|it| it.get(0)).transpose()?,
        })
    }
}
