//! Opens a database and brings it to this version's schema: forward only, newer ones untouched.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, SqlSafeStr};

use super::StoreError;
use super::sql::Database;

/// How long a statement waits for another process's lock, and a caller for a connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a process waits for another one that makes the same file.
const AGAIN: Duration = Duration::from_millis(300);
/// Connections that read, on SQLite; all connections, on PostgreSQL.
const CONNECTIONS: u32 = 8;
/// What each connection that reads keeps of an SQLite file, in KiB: the steps from the root of a table to its rows. The
/// system keeps the rest, once for all of them.
const READER_CACHE: u32 = 512;

const SQLITE: &[(i64, &str, &str)] = &[
    (1, "first", include_str!("migrations/sqlite/1_first.sql")),
    (2, "access", include_str!("migrations/sqlite/2_access.sql")),
    (3, "digest", include_str!("migrations/sqlite/3_digest.sql")),
    (4, "expected", include_str!("migrations/sqlite/4_expected.sql")),
    (5, "drafts", include_str!("migrations/sqlite/5_drafts.sql")),
    (6, "links", include_str!("migrations/sqlite/6_links.sql")),
    (7, "batches", include_str!("migrations/sqlite/7_batches.sql")),
];
const POSTGRES: &[(i64, &str, &str)] = &[
    (1, "first", include_str!("migrations/postgres/1_first.sql")),
    (2, "access", include_str!("migrations/postgres/2_access.sql")),
    (3, "digest", include_str!("migrations/postgres/3_digest.sql")),
    (4, "expected", include_str!("migrations/postgres/4_expected.sql")),
    (5, "drafts", include_str!("migrations/postgres/5_drafts.sql")),
    (6, "links", include_str!("migrations/postgres/6_links.sql")),
    (7, "batches", include_str!("migrations/postgres/7_batches.sql")),
];

/// The version of this program's schema.
pub(super) const VERSION: i64 = SQLITE[SQLITE.len() - 1].0;

/// Opens `postgres://…`, or else an SQLite file, which it makes if its folder is there.
pub(super) async fn open(database: &str) -> Result<Database, StoreError> {
    if let Some(options) = postgres(database)? {
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(PATIENCE);
        let pool = pool.connect_with(options).await?;
        migrator(POSTGRES).run(&pool).await.map_err(migration)?;
        return Ok(Database::Postgres(pool));
    }
    // Deleted content is overwritten, for an erased dossier's key must not linger in a free page.
    let options = SqliteConnectOptions::new()
        .filename(file(database)?)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
        .pragma("secure_delete", "ON");
    let mut tries = 0;
    let writer = loop {
        tries += 1;
        match writer(options.clone()).await {
            Ok(writer) => break writer,
            Err(StoreError::Database(_)) if tries < 4 => tokio::time::sleep(AGAIN).await,
            Err(error) => return Err(error),
        }
    };
    let readers = SqlitePoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(PATIENCE);
    let options =
        options.pragma("query_only", "ON").pragma("cache_size", format!("-{READER_CACHE}"));
    let readers = readers.connect_with(options).await?;
    Ok(Database::Sqlite { writer, readers })
}

/// Opens a database to look at it: nothing is made, migrated or written. None: it is not there yet.
pub(super) async fn look(database: &str) -> Result<Option<Database>, StoreError> {
    if let Some(options) = postgres(database)? {
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE);
        return Ok(Some(Database::Postgres(pool.connect_with(options).await?)));
    }
    let file = file(database)?;
    if !file.exists() {
        return Ok(None);
    }
    let options = SqliteConnectOptions::new().filename(file).busy_timeout(PATIENCE);
    let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(PATIENCE);
    let pool = pool.connect_with(options.pragma("query_only", "ON")).await?;
    Ok(Some(Database::Sqlite { writer: pool.clone(), readers: pool }))
}

/// What an address of PostgreSQL says; none for a file.
fn postgres(database: &str) -> Result<Option<PgConnectOptions>, StoreError> {
    if !database.starts_with("postgres://") && !database.starts_with("postgresql://") {
        return Ok(None);
    }
    let options = database.parse();
    options.map(Some).map_err(|it| StoreError::Setting(format!("the database's address: {it}")))
}

/// The SQLite file, whose folder must be there.
fn file(database: &str) -> Result<&Path, StoreError> {
    let path = Path::new(database.strip_prefix("sqlite:").unwrap_or(database));
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    match folder.filter(|it| !it.is_dir()) {
        None => Ok(path),
        Some(folder) => {
            let folder = folder.display();
            let missing = format!("{folder}: the database's folder is not there; make it");
            Err(StoreError::Setting(missing))
        }
    }
}

/// SQLite has no lock for migrations: of two processes that make the same file at once, one is refused, and comes again.
async fn writer(options: SqliteConnectOptions) -> Result<SqlitePool, StoreError> {
    let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(PATIENCE * 2);
    // Of a transaction that SQLite has ended by itself, as on a full disk, the connection still thinks that it is in
    // one: another takes its place.
    let pool = pool.before_acquire(|it, _| Box::pin(async { Ok(!it.is_in_transaction()) }));
    let pool = pool.connect_with(options).await?;
    migrator(SQLITE).run(&pool).await.map_err(migration)?;
    Ok(pool)
}

fn migrator(migrations: &[(i64, &'static str, &'static str)]) -> Migrator {
    let migration = |&(version, name, sql): &(i64, &'static str, &'static str)| {
        let simple = MigrationType::Simple;
        Migration::new(version, Cow::Borrowed(name), simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(migrations.iter().map(migration).collect())
}

fn migration(error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMissing(version) => StoreError::Newer(version),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        error => sqlx::Error::Migrate(Box::new(error)).into(),
    }
}
