//! Files in an S3-compatible store: a real server, `s3s-fs`, that tests/run installs.

use std::fs;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chrono::TimeDelta;
use paraphe::class::Class;
use paraphe::secret::Secret;
use paraphe::store::{BlobOptions, Chain, S3Options, Store};

use super::{all, later, letter};
use crate::database::{Place, run};
use crate::harness::{at, free_port};

/// A server that ends with the test.
struct Server {
    process: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("paraphe")).unwrap();
        let port = free_port();
        Self { process: Self::launch(&folder, port), folder, port }
    }

    fn launch(folder: &tempfile::TempDir, port: u16) -> Child {
        let mut process = Command::new("s3s-fs")
            .args(["--access-key", "key", "--secret-key", "secret", "--host", "127.0.0.1"])
            .args(["--port", &port.to_string()])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("s3s-fs: {error}: see tests/run"));
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return process;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        process.kill().unwrap();
        process.wait().unwrap();
        panic!("s3s-fs does not answer");
    }

    fn options(&self) -> BlobOptions {
        BlobOptions::S3(S3Options {
            bucket: "paraphe".to_owned(),
            endpoint: format!("http://127.0.0.1:{}", self.port),
            region: "eu-west-3".to_owned(),
            access_key: "key".to_owned(),
            secret_key: Secret::new("secret"),
            allow_http: true,
        })
    }

    fn files(&self) -> usize {
        let folders = fs::read_dir(self.folder.path().join("paraphe")).unwrap();
        folders.map(|it| fs::read_dir(it.unwrap().path()).unwrap().count()).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[test]
fn files_are_kept_swept_erased_and_backed_up_on_s3() {
    let server = Server::start();
    run(Place::sqlite(), async |mut place| {
        place.options.blobs = server.options();
        let store = place.open().await;
        for answer in store.put_many((0..10).map(letter).collect(), at()).await {
            answer.unwrap();
        }
        assert_eq!(server.files(), 20, "a file and a mail each");
        let mut stopped = letter(1);
        stopped.digest[0] ^= 1;
        assert!(store.put(stopped, at()).await.is_err());
        let id = store.put(letter(3), at()).await.unwrap().id;
        assert_eq!(store.file(&all(), id, None, at()).await.unwrap(), letter(3).file);
        let written = fs::metadata(&place.options.database).unwrap().modified().unwrap();
        let tomorrow = chrono::DateTime::from(written) + TimeDelta::days(1);
        assert_eq!(store.sweep_files(tomorrow).await.unwrap(), 0, "all are in use");
        let dossier = store.dossier_of("DOSSIER-4").await.unwrap().unwrap();
        store.erase(&all(), &[dossier], "request", later(1)).await.unwrap();
        assert_eq!(server.files(), 18);
        // Out to a folder, and back to another place with a folder.
        let folder = place.folder.path().join("backup");
        assert_eq!(store.backup(&folder, later(2)).await.unwrap().files, 18);
        let mut there = Place::sqlite();
        there.options.key = place.options.key.clone();
        let (copy, _) = Store::restore(&there.options, &folder, later(3)).await.unwrap();
        assert_eq!(copy.file(&all(), id, None, at()).await.unwrap(), letter(3).file);
        assert!(matches!(copy.verify_chain().await.unwrap(), Chain::Whole { .. }));
    });
}

#[test]
fn a_server_that_comes_back_has_everything() {
    let mut server = Server::start();
    run(Place::sqlite(), async |mut place| {
        place.options.blobs = server.options();
        let store = place.open().await;
        let id = store.put(letter(1), at()).await.unwrap().id;
        server.process.kill().unwrap();
        server.process.wait().unwrap();
        for error in [
            store.put(letter(2), at()).await.unwrap_err(),
            store.file(&all(), id, None, at()).await.unwrap_err(),
        ] {
            assert_eq!(error.class(), Class::Later, "{error}");
        }
        server.process = Server::launch(&server.folder, server.port);
        assert_eq!(store.file(&all(), id, None, at()).await.unwrap(), letter(1).file);
        store.put(letter(2), at()).await.unwrap();
    });
}
