//! The operator's key is changed without a pause: data keys are wrapped anew, what they sealed stays as it is.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::keyring::Wrapped;
use super::sql::values;
use super::{Scope, Store, StoreError};

impl Store {
    /// Wraps with the current operator's key whatever an older one wraps; how many data keys. Interrupted, it goes on
    /// where it was.
    pub async fn rewrap(&self, scope: &Scope, at: DateTime<Utc>) -> Result<u64, StoreError> {
        let mut count = 0;
        loop {
            let sql = "SELECT id, operator, wrapped FROM keys WHERE operator <> $1 LIMIT 500";
            let rows = self.database.rows(sql, values![self.keyring.current()]).await?;
            if rows.is_empty() {
                break;
            }
            let mut changes = Vec::new();
            for row in rows {
                let (name, old): (String, String) = (row.get(0)?, row.get(1)?);
                let wrapped = Wrapped { operator: old.clone(), bytes: row.get(2)? };
                let new = self.keyring.rewrap(&name, &wrapped)?;
                changes.push(values![new.operator, new.bytes, name, old]);
            }
            count += self
                .write(move |it| {
                    Box::pin(async move {
                        let mut count = 0;
                        for values in changes {
                            let sql = "UPDATE keys SET operator = $1, wrapped = $2 \
                                       WHERE id = $3 AND operator = $4";
                            count += it.tx.change(sql, values).await?;
                        }
                        Ok(count)
                    })
                })
                .await?;
        }
        if count > 0 {
            let actor = scope.actor().to_owned();
            let note = format!("{count} {}", self.keyring.current());
            self.write(move |it| {
                it.note(at, &actor, "rewrapped", Uuid::nil(), note);
                Box::pin(std::future::ready(Ok(())))
            })
            .await?;
            self.scrub().await?;
        }
        Ok(count)
    }

    /// How many data keys each operator's key wraps, by fingerprint. One that is not here can be destroyed.
    pub async fn operator_keys(&self) -> Result<BTreeMap<String, i64>, StoreError> {
        let sql = "SELECT operator, COUNT(*) FROM keys GROUP BY operator";
        let rows = self.database.rows(sql, values![]).await?;
        rows.iter().map(|it| Ok((it.get(0)?, it.get(1)?))).collect()
    }
}
