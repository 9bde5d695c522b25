//! Who is expected at an office on a day: letters that invite to it, contracts to be signed there.
//!
//! A day in, the day's visitors out, the earliest first. Days and hours stand in the clear, for they name nobody.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use super::access::Summary;
use super::prepare::place;
use super::sql::values;
use super::{Scope, Store, StoreError};

/// When a person is expected at the office: the day, in its local time, and the time of day; none: at any.
pub type Expected = (NaiveDate, Option<NaiveTime>);

/// Somebody who is expected.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// When; none: at any time of the day.
    pub time: Option<NaiveTime>,
    /// The document that says so.
    pub document: Summary,
    /// Its data.
    pub data: Vec<u8>,
}

impl Store {
    /// Who is expected on a day, the earliest first, the most 500. What stands in the place of another counts, not
    /// that one; what was erased is not there.
    pub async fn expected(
        &self,
        scope: &Scope,
        day: NaiveDate,
        at: DateTime<Utc>,
    ) -> Result<Vec<Visitor>, StoreError> {
        let mut values = values![day];
        let allowed = scope.condition(&mut values);
        let sql = format!(
            "SELECT k.id, k.operator, k.wrapped, d.id, d.version, d.state, d.record, d.created_at, \
             d.data, e.begins FROM (SELECT document, begins FROM expected \
             WHERE day = $1 AND {allowed} ORDER BY begins, document LIMIT 500) e \
             JOIN documents d ON d.id = e.document JOIN keys k ON k.id = d.key \
             WHERE d.state <> 'replaced' ORDER BY e.begins, d.id"
        );
        let mut visitors = Vec::new();
        for row in self.database.rows(sqlx::AssertSqlSafe(sql), values).await? {
            let document = self.summary(&row)?;
            let key = self.key(&row, 0)?;
            let data = key.open(&place::data(document.id), row.get(8)?)?;
            let time = NaiveTime::parse_from_str(&row.get::<String>(9)?, "%H:%M").ok();
            visitors.push(Visitor { time, document, data });
        }
        let ids = visitors.iter().map(|it| it.document.id).collect();
        self.note_listed(scope, ids, at).await?;
        Ok(visitors)
    }
}

/// A time of day as it is written down.
pub(super) fn begins(time: Option<NaiveTime>) -> String {
    time.map(|it| it.format("%H:%M").to_string()).unwrap_or_default()
}
