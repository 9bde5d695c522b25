//! Where a test's store is: an SQLite file, or a database of one PostgreSQL cluster that the first test starts.
//!
//! The cluster is private (a socket in a folder of its own) and ends with the tests: its script waits on a pipe from
//! them. A machine without PostgreSQL fails, it does not skip.

use std::future::Future;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use paraphe::secret::Secret;
use paraphe::store::{BlobOptions, Store, StoreOptions, make_operator_key};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool, Row, SqlitePool};

/// Runs each test, an `async fn(Place)`, once on SQLite and once on PostgreSQL.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[test] fn $test() { $crate::database::run($crate::database::Place::sqlite(), super::$test); })*
        }
        mod on_postgres {
            $(#[test] fn $test() { $crate::database::run($crate::database::Place::postgres(), super::$test); })*
        }
    };
}
pub(crate) use on_both;

/// Where one test's store is.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) options: StoreOptions,
}

impl Place {
    /// An SQLite file and a folder.
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("ledger.sqlite").to_str().unwrap().to_owned();
        Self::at(folder, database)
    }

    /// A new PostgreSQL database and a folder.
    pub(crate) fn postgres() -> Self {
        Self::at(tempfile::tempdir().unwrap(), new_postgres_database())
    }

    fn at(folder: tempfile::TempDir, database: String) -> Self {
        let blobs = BlobOptions::Folder(folder.path().join("blobs"));
        let key = Secret::new(make_operator_key());
        let options = StoreOptions { database, blobs, key, older_keys: Vec::new() };
        Self { folder, options }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        !self.options.database.starts_with("postgres")
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.options).await.unwrap()
    }

    /// Runs statements past the store, as somebody with access to the database could.
    pub(crate) async fn sql(&self, sql: &str) -> Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        if self.is_sqlite() {
            let options = sqlx::sqlite::SqliteConnectOptions::new();
            let mut it =
                sqlx::SqliteConnection::connect_with(&options.filename(&self.options.database))
                    .await?;
            it.execute(sqlx::raw_sql(sql)).await?;
            it.close().await
        } else {
            let mut it = PgConnection::connect(&self.options.database).await?;
            it.execute(sqlx::raw_sql(sql)).await?;
            it.close().await
        }
    }

    /// The bytes that a statement answers with, past the store.
    pub(crate) async fn bytes(&self, sql: &str) -> Vec<u8> {
        let sql = AssertSqlSafe(sql.to_owned());
        if self.is_sqlite() {
            let pool = SqlitePool::connect(&self.options.database).await.unwrap();
            sqlx::query(sql).fetch_one(&pool).await.unwrap().get(0)
        } else {
            let pool = PgPool::connect(&self.options.database).await.unwrap();
            sqlx::query(sql).fetch_one(&pool).await.unwrap().get(0)
        }
    }
}

/// Runs a test in a runtime of its own.
pub(crate) fn run<F: Future<Output = ()>>(place: Place, test: impl FnOnce(Place) -> F) {
    runtime().block_on(test(place));
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// The address of a new, empty database.
pub(crate) fn new_postgres_database() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("test{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let folder = CLUSTER.folder.display();
    let address = |name: &str| format!("postgres://postgres@localhost/{name}?host={folder}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(&address("postgres")).await.unwrap();
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        connection.close().await.unwrap();
    });
    address(&name)
}

struct Cluster {
    folder: PathBuf,
    /// Its input is the pipe that the script waits on.
    _script: Child,
}

static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap().keep();
    let script = r#"
        set -e
        trap 'rm -rf "$1"' EXIT
        bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
        as=()
        if [ "$(id -u)" -eq 0 ]; then # initdb refuses root
            chown postgres "$1"
            as=(setpriv --reuid=postgres --regid=postgres --init-groups)
        fi
        cd "$1"
        "${as[@]}" "$bin/initdb" -D "$1/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >&2
        "${as[@]}" "$bin/postgres" -D "$1/data" -k "$1" -c listen_addresses= -c fsync=off \
            -c max_connections=400 >"$1/log" 2>&1 </dev/null &
        server=$!
        until "$bin/pg_isready" -q -h "$1"; do kill -0 $server; sleep 0.05; done
        echo ready
        cat >/dev/null
        kill -INT $server
        wait
    "#;
    let mut script = Command::new("bash")
        .args(["-c", script, "postgres", folder.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(script.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n", "PostgreSQL did not start: see tests/run for the package");
    Cluster { folder, _script: script }
});
