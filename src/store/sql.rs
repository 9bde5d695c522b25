//! The one place that knows which database it is: neutral values in, neutral rows out.
//!
//! Every statement of the store is written once and valid on SQLite and on PostgreSQL (`$1`, `RETURNING`,
//! `ON CONFLICT`). Values are integers, texts and bytes; moments are microseconds, identifiers UUIDs as text.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use sqlx::postgres::{PgArguments, PgListener, PgPool, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqlitePool, SqliteRow};
use sqlx::{
    AssertSqlSafe, Column, Postgres, Row as _, SqlSafeStr, Sqlite, Transaction, TypeInfo, ValueRef,
};
use tokio::sync::watch;
use uuid::Uuid;

use super::StoreError;

/// A value of a column, or of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

/// The parameters of a statement.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::sql::Value::from($value)),*] };
}
pub(super) use values;

/// One row of an answer. Columns are read by their place.
#[derive(Debug)]
pub(super) struct Row {
    values: Vec<Value>,
    names: Vec<String>,
}

impl Row {
    /// The column at a place as a type that its values can have.
    pub(super) fn get<T: TryFrom<Value, Error = StoreError>>(
        &self,
        place: usize,
    ) -> Result<T, StoreError> {
        let value = self.values.get(place).cloned();
        value.ok_or_else(|| StoreError::Damaged(format!("no column {place}")))?.try_into()
    }

    /// All columns, by name.
    pub(super) fn columns(self) -> impl Iterator<Item = (String, Value)> {
        self.names.into_iter().zip(self.values)
    }
}

/// The database: one writing connection and several reading ones on SQLite, a pool on PostgreSQL.
#[derive(Debug, Clone)]
pub(super) enum Database {
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    Postgres(PgPool),
}

impl Database {
    /// The rows that a reading statement answers with.
    pub(super) async fn rows(
        &self,
        sql: impl SqlSafeStr,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite { readers, .. } => {
                sqlite(sql, values).fetch_all(readers).await?.iter().map(sqlite_row).collect()
            }
            Self::Postgres(pool) => {
                postgres(sql, values).fetch_all(pool).await?.iter().map(postgres_row).collect()
            }
        }
    }

    /// The one row that a reading statement answers with, if there is one.
    pub(super) async fn row(
        &self,
        sql: impl SqlSafeStr,
        values: Vec<Value>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// Begins to write. On SQLite the lock is taken at once, so that nothing fails half-way.
    pub(super) async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Self::Sqlite { writer, .. } => Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        })
    }

    /// Begins to read one unchanging state of everything.
    pub(super) async fn snapshot(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Tx::Sqlite(readers.begin().await?),
            Self::Postgres(pool) => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                Tx::Postgres(pool.begin_with(begin).await?)
            }
        })
    }

    /// Overwrites what was deleted, as far as the database's own files go.
    pub(super) async fn scrub(&self) -> Result<(), StoreError> {
        match self {
            // `secure_delete` is on; what the log still holds goes into the file, and the log is cut off.
            Self::Sqlite { writer, .. } => {
                sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(writer).await?;
            }
            Self::Postgres(pool) => {
                sqlx::query("VACUUM FULL keys").execute(pool).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// A transaction. Dropped before [`Tx::commit`], it leaves nothing.
pub(super) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    /// The rows that a statement answers with.
    pub(super) async fn rows(
        &mut self,
        sql: impl SqlSafeStr,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite(tx) => {
                sqlite(sql, values).fetch_all(&mut **tx).await?.iter().map(sqlite_row).collect()
            }
            Self::Postgres(tx) => {
                postgres(sql, values).fetch_all(&mut **tx).await?.iter().map(postgres_row).collect()
            }
        }
    }

    /// The one row that a statement answers with, if there is one.
    pub(super) async fn row(
        &mut self,
        sql: impl SqlSafeStr,
        values: Vec<Value>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// The rows that a reading statement answers with, one by one.
    pub(super) fn stream(&mut self, sql: String) -> BoxStream<'_, Result<Row, StoreError>> {
        let sql = AssertSqlSafe(sql);
        match self {
            Self::Sqlite(tx) => {
                sqlx::query(sql).fetch(&mut **tx).map(|row| sqlite_row(&row?)).boxed()
            }
            Self::Postgres(tx) => {
                sqlx::query(sql).fetch(&mut **tx).map(|row| postgres_row(&row?)).boxed()
            }
        }
    }

    /// Runs a statement and says how many rows it changed.
    pub(super) async fn change(
        &mut self,
        sql: impl SqlSafeStr,
        values: Vec<Value>,
    ) -> Result<u64, StoreError> {
        Ok(match self {
            Self::Sqlite(tx) => sqlite(sql, values).execute(&mut **tx).await?.rows_affected(),
            Self::Postgres(tx) => postgres(sql, values).execute(&mut **tx).await?.rows_affected(),
        })
    }

    /// The statement for this database, where the two differ.
    pub(super) fn either(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self {
            Self::Sqlite(_) => sqlite,
            Self::Postgres(_) => postgres,
        }
    }

    /// Inserts rows of equal columns with as few statements as the databases allow.
    pub(super) async fn insert(
        &mut self,
        table: &str,
        columns: &[&str],
        rows: Vec<Vec<Value>>,
    ) -> Result<(), StoreError> {
        const MOST: usize = 1000; // parameters in one statement
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let chunk: Vec<_> = rows.by_ref().take((MOST / columns.len()).max(1)).collect();
            let tuples: Vec<_> = (0..chunk.len())
                .map(|row| format!("({})", places(row * columns.len() + 1, columns.len())))
                .collect();
            let columns = columns.join(", ");
            let sql = format!("INSERT INTO {table} ({columns}) VALUES {}", tuples.join(", "));
            self.change(AssertSqlSafe(sql), chunk.into_iter().flatten().collect()).await?;
        }
        Ok(())
    }

    /// Tells other processes, once committed, that there is something to do. On SQLite they look by themselves.
    pub(super) async fn notify(&mut self) -> Result<(), StoreError> {
        if let Self::Postgres(_) = self {
            self.change("NOTIFY paraphe", values![]).await?;
        }
        Ok(())
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

/// Hears what other processes commit. A lost connection is made again.
pub(super) async fn listen(pool: PgPool, wakes: watch::Sender<()>) {
    while !pool.is_closed() {
        if let Ok(mut listener) = PgListener::connect_with(&pool).await
            && listener.listen("paraphe").await.is_ok()
        {
            while listener.recv().await.is_ok() {
                wakes.send_replace(());
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// `$first, $(first + 1), ...`: the places of `count` parameters.
pub(super) fn places(first: usize, count: usize) -> String {
    let places: Vec<_> = (first..first + count).map(|it| format!("${it}")).collect();
    places.join(", ")
}

fn sqlite<'q>(sql: impl SqlSafeStr, values: Vec<Value>) -> Query<'q, Sqlite, SqliteArguments> {
    values.into_iter().fold(sqlx::query(sql), |query, value| match value {
        Value::Int(it) => query.bind(it),
        Value::Text(it) => query.bind(it),
        Value::Bytes(it) => query.bind(it),
    })
}

fn postgres<'q>(sql: impl SqlSafeStr, values: Vec<Value>) -> Query<'q, Postgres, PgArguments> {
    values.into_iter().fold(sqlx::query(sql), |query, value| match value {
        Value::Int(it) => query.bind(it),
        Value::Text(it) => query.bind(it),
        Value::Bytes(it) => query.bind(it),
    })
}

fn sqlite_row(row: &SqliteRow) -> Result<Row, StoreError> {
    let value = |place| -> Result<Value, StoreError> {
        let kind = row.try_get_raw(place)?.type_info().name().to_owned();
        Ok(match kind.as_str() {
            "INTEGER" => Value::Int(row.try_get(place)?),
            "BLOB" => Value::Bytes(row.try_get(place)?),
            _ => Value::Text(row.try_get(place)?),
        })
    };
    let names = row.columns().iter().map(|it| it.name().to_owned()).collect();
    Ok(Row { values: (0..row.len()).map(value).collect::<Result<_, _>>()?, names })
}

fn postgres_row(row: &PgRow) -> Result<Row, StoreError> {
    let value = |place: usize| -> Result<Value, StoreError> {
        Ok(match row.column(place).type_info().name() {
            "INT8" => Value::Int(row.try_get(place)?),
            "INT4" => Value::Int(row.try_get::<Option<i32>, _>(place)?.map(i64::from)),
            "BYTEA" => Value::Bytes(row.try_get(place)?),
            _ => Value::Text(row.try_get(place)?),
        })
    };
    let names = row.columns().iter().map(|it| it.name().to_owned()).collect();
    Ok(Row { values: (0..row.len()).map(value).collect::<Result<_, _>>()?, names })
}

impl<T: Into<Value> + Null> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(T::NULL, Into::into)
    }
}

/// Types that a nullable parameter can have: a null has a type too.
pub(super) trait Null {
    const NULL: Value;
}

/// How a type stands in the database: to a value, and back from one.
macro_rules! stands_as {
    ($variant:ident: $($type:ty, |$to:ident| $into:expr, |$from:ident| $back:expr;)*) => { $(
        impl From<$type> for Value {
            fn from($to: $type) -> Self { Self::$variant(Some($into)) }
        }
        impl Null for $type {
            const NULL: Value = Value::$variant(None);
        }
        impl TryFrom<Value> for $type {
            type Error = StoreError;
            fn try_from(value: Value) -> Result<Self, StoreError> {
                Option::<$type>::try_from(value)?.ok_or_else(|| damaged(stringify!($type)))
            }
        }
        impl TryFrom<Value> for Option<$type> {
            type Error = StoreError;
            fn try_from(value: Value) -> Result<Self, StoreError> {
                match value {
                    Value::$variant(Some($from)) => match $back {
                        Some(it) => Ok(Some(it)),
                        None => Err(damaged(stringify!($type))),
                    },
                    Value::Int(None) | Value::Text(None) | Value::Bytes(None) => Ok(None),
                    _ => Err(damaged(stringify!($type))),
                }
            }
        }
    )* };
}

stands_as! { Int:
    i64, |it| it, |it| Some(it);
    u32, |it| i64::from(it), |it| u32::try_from(it).ok();
    DateTime<Utc>, |it| it.timestamp_micros(), |it| DateTime::from_timestamp_micros(it);
}
stands_as! { Text:
    String, |it| it, |it| Some(it);
    Uuid, |it| it.to_string(), |it| it.parse().ok();
    NaiveDate, |it| it.to_string(), |it| it.parse().ok();
}
stands_as! { Bytes:
    Vec<u8>, |it| it, |it| Some(it);
    [u8; 32], |it| it.to_vec(), |it| it.try_into().ok();
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.to_owned()))
    }
}

fn damaged(kind: &str) -> StoreError {
    StoreError::Damaged(format!("a column that is no {kind}"))
}
