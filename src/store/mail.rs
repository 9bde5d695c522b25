//! A mail's exact bytes, for whoever may read it: its id in, what was composed at issue out.

use uuid::Uuid;

use super::prepare::place;
use super::sql::values;
use super::{Scope, Store, StoreError};

impl Store {
    /// The bytes of a mail (RFC 5322) as they were composed and are sent.
    pub async fn mail(&self, scope: &Scope, delivery: Uuid) -> Result<Vec<u8>, StoreError> {
        let sql = "SELECT k.id, k.operator, k.wrapped, d.office, d.blob FROM deliveries d \
                   LEFT JOIN keys k ON k.id = d.dossier WHERE d.id = $1";
        let row = self.database.row(sql, values![delivery]).await?;
        let row = row.ok_or(StoreError::NotFound("delivery"))?;
        scope.check(&row.get::<String>(3)?, "delivery")?;
        let blob = row.get::<Option<String>>(4)?.ok_or(StoreError::Erased)?;
        self.key(&row, 0)?.open(&place::mail(delivery), self.blobs.get(&blob).await?)
    }
}
