//! Postal addresses that envelopes came back from, by keyed hash: nothing of a person stands here.

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::sql::values;
use super::{Scope, Store, StoreError};

/// The name of these hashes among others.
const POST: &str = "post";

impl Store {
    /// Notes that the envelope of a letter came back: its address is marked. `address` is whatever names the person
    /// and the place alike each time. False: it was marked already.
    pub async fn envelope_returned(
        &self,
        scope: &Scope,
        document: Uuid,
        address: &str,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT office FROM documents WHERE id = $1";
        let row = self.database.row(sql, values![document]).await?;
        let row = row.ok_or(StoreError::NotFound("document"))?;
        scope.check(&row.get::<String>(0)?, "document")?;
        let hash = self.hasher.lookup(POST, address);
        let (actor, day) = (scope.actor().to_owned(), at.date_naive().to_string());
        self.write(move |it| {
            Box::pin(async move {
                let sql = "INSERT INTO addresses (hash, problem, at) VALUES ($1, $2, $3) \
                           ON CONFLICT (hash) DO NOTHING";
                let new = it.tx.change(sql, values![hash, day, at]).await? == 1;
                if new {
                    it.note(at, &actor, "envelope_returned", document, String::new());
                }
                Ok(new)
            })
        })
        .await
    }

    /// The day on which the return of an envelope to an address was noted.
    pub async fn returned_on(&self, address: &str) -> Result<Option<NaiveDate>, StoreError> {
        let hash = self.hasher.lookup(POST, address);
        let sql = "SELECT problem FROM addresses WHERE hash = $1";
        let row = self.database.row(sql, values![hash]).await?;
        let day = row.map(|it| it.get::<String>(0)).transpose()?;
        let damaged = |it: String| StoreError::Damaged(format!("the day {it}"));
        day.map(|it| it.parse().map_err(|_| damaged(it))).transpose()
    }
}
