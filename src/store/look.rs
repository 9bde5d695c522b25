//! A look at what a store would open, without opening it: nothing is made, migrated or written.

use chrono::{DateTime, Utc};

use super::keyring::Keyring;
use super::sql::{Database, values};
use super::{Store, StoreError, StoreOptions, blobs::Blobs, schema};

/// How a database stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The version of its schema; none where the database is still to be made, or empty.
    pub schema: Option<i64>,
    /// The version of this program's schema.
    pub newest: i64,
    /// Fingerprints of operator's keys that are needed and were not given.
    pub missing_keys: Vec<String>,
    /// Why sending is paused, if it is.
    pub paused: Option<String>,
    /// The moment of the audit trail's last entry.
    pub last_entry: Option<DateTime<Utc>>,
    /// The clock of the database's server, if it is another program.
    pub clock: Option<DateTime<Utc>>,
}

impl Store {
    /// Looks at the database that the options name.
    pub async fn look(options: &StoreOptions) -> Result<Look, StoreError> {
        let keyring = Keyring::new(&options.key, &options.older_keys)?;
        let mut look = Look {
            schema: None,
            newest: schema::VERSION,
            missing_keys: Vec::new(),
            paused: None,
            last_entry: None,
            clock: None,
        };
        let Some(database) = schema::look(&options.database).await? else { return Ok(look) };
        let found = look.read(&database, &keyring).await;
        database.close().await;
        found.map(|()| look)
    }

    /// Whether files can be written, read and deleted where the options say.
    pub async fn try_files(options: &StoreOptions) -> Result<(), StoreError> {
        Blobs::open(&options.blobs)?.probe().await
    }
}

impl Look {
    async fn read(&mut self, database: &Database, keyring: &Keyring) -> Result<(), StoreError> {
        let (table, clock) = match database {
            Database::Sqlite { .. } => {
                ("SELECT name FROM sqlite_master WHERE name = '_sqlx_migrations'", None)
            }
            Database::Postgres(_) => (
                "SELECT CAST(to_regclass('_sqlx_migrations') AS TEXT)",
                Some("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"),
            ),
        };
        if let Some(clock) = clock {
            self.clock = first(database, clock).await?;
        }
        if first::<String>(database, table).await?.is_none() {
            return Ok(());
        }
        let version = "SELECT MAX(version) FROM _sqlx_migrations WHERE success";
        self.schema = first(database, version).await?;
        if self.schema.is_none_or(|it| it > schema::VERSION) {
            return Ok(());
        }
        for row in database.rows("SELECT DISTINCT operator FROM keys", values![]).await? {
            let operator: String = row.get(0)?;
            if !keyring.has(&operator) {
                self.missing_keys.push(operator);
            }
        }
        self.paused = first(database, "SELECT paused FROM control").await?;
        self.last_entry = first(database, "SELECT MAX(at) FROM trail").await?;
        Ok(())
    }
}

/// The first column of the first row; none where there is no row, or nothing in it.
async fn first<T>(database: &Database, sql: &'static str) -> Result<Option<T>, StoreError>
where
    Option<T>: TryFrom<super::sql::Value, Error = StoreError>,
{
    database.row(sql, values![]).await?.map_or(Ok(None), |it| it.get(0))
}
