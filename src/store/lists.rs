//! What lists keep of a dossier beside its documents: rows that came to none, and what the check of a list found.
//!
//! Both are sealed under the key of the merge. To forget them is [`Store::forget_merge`].

use std::collections::BTreeSet;

use serde::Deserialize;
use uuid::Uuid;

use super::keyring::DataKey;
use super::merges::place;
use super::sql::values;
use super::{Store, StoreError};

/// The part of a row that says whose it is.
#[derive(Deserialize)]
struct Whose {
    dossier: String,
}

impl Store {
    /// The merges, not forgotten yet, that a dossier's documents came from, and those with a row of its number that came
    /// to no document. Every such row is opened, for no look-up leads to it.
    pub async fn merges_about(
        &self,
        dossier: Uuid,
        number: &str,
    ) -> Result<BTreeSet<Uuid>, StoreError> {
        let sql = "SELECT m.id FROM merges m WHERE m.key IS NOT NULL AND (m.id IN \
                   (SELECT r.merge FROM merge_rows r JOIN documents d ON d.id = r.document \
                   WHERE d.dossier = $1) OR m.id IN (SELECT merge FROM deliveries WHERE dossier = $1))";
        let rows = self.database.rows(sql, values![dossier]).await?;
        let mut merges: BTreeSet<Uuid> =
            rows.iter().map(|it| it.get(0)).collect::<Result<_, _>>()?;
        let sql = "SELECT r.merge, r.number, r.data FROM merge_rows r JOIN merges m ON m.id = r.merge \
                   WHERE m.key IS NOT NULL AND r.data IS NOT NULL ORDER BY r.merge";
        let mut opened: Option<(Uuid, DataKey)> = None;
        for row in self.database.rows(sql, values![]).await? {
            let merge = row.get(0)?;
            if merges.contains(&merge) {
                continue;
            }
            let key = match opened.take() {
                Some((id, key)) if id == merge => key,
                _ => self.merge_key(merge).await?,
            };
            let data = key.open(&place(merge, row.get(1)?), row.get(2)?)?;
            if serde_json::from_slice::<Whose>(&data).is_ok_and(|it| it.dossier == number) {
                merges.insert(merge);
            }
            opened = Some((merge, key));
        }
        Ok(merges)
    }
}
