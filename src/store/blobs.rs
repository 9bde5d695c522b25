//! Files by the SHA-256 of what is stored: a folder, an S3-compatible store, or memory. Written once, never changed.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, RetryConfig,
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::StoreError;
use super::keyring::{hex, token};
use crate::secret::Secret;

/// How long a server is asked again before the caller is told to come later.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the files are kept.
#[derive(Debug, Clone)]
pub enum BlobOptions {
    /// A folder; each file is on the disk before its row.
    Folder(PathBuf),
    /// An S3-compatible store.
    S3(S3Options),
    /// Nowhere: gone with the process.
    Memory,
}

/// An S3-compatible store.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Options {
    /// The bucket, which is there already.
    pub bucket: String,
    /// The server's address, such as `https://s3.example.org`.
    pub endpoint: String,
    /// The region's name; many servers take any.
    pub region: String,
    /// The access key's id.
    pub access_key: String,
    /// The access key's secret.
    #[serde(skip, default = "no_secret")]
    pub secret_key: Secret,
    /// Whether an address without TLS is taken.
    #[serde(default)]
    pub allow_http: bool,
}

/// The files, by name. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Blobs {
    store: Arc<dyn ObjectStore>,
    /// Where the store is a folder.
    folder: Option<PathBuf>,
}

impl Blobs {
    pub(super) fn open(options: &BlobOptions) -> Result<Self, StoreError> {
        let (store, folder): (Arc<dyn ObjectStore>, _) = match options {
            BlobOptions::Folder(path) => {
                std::fs::create_dir_all(path).map_err(StoreError::file(path))?;
                let store = LocalFileSystem::new_with_prefix(path)?.with_fsync(true);
                (Arc::new(store), Some(path.clone()))
            }
            BlobOptions::S3(it) => (Arc::new(s3(it)?), None),
            BlobOptions::Memory => (Arc::new(InMemory::new()), None),
        };
        Ok(Self { store, folder })
    }

    /// Keeps bytes and names them. The same bytes have the same name and are kept once.
    pub(super) async fn put(&self, bytes: Vec<u8>) -> Result<String, StoreError> {
        let name = hex(&Sha256::digest(&bytes));
        let create = PutOptions::from(PutMode::Create);
        match self.store.put_opts(&path(&name), bytes.into(), create).await {
            Ok(_) | Err(Error::AlreadyExists { .. }) => Ok(name),
            Err(error) => Err(error.into()),
        }
    }

    /// The bytes of a name, which they must still deserve.
    pub(super) async fn get(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        let bytes = self.store.get(&path(name)).await?.bytes().await?;
        if hex(&Sha256::digest(&bytes)) != name {
            return Err(StoreError::Damaged(format!("file {name}")));
        }
        Ok(bytes.into())
    }

    /// Deletes a file; one that is gone already is deleted.
    pub(super) async fn delete(&self, name: &str) -> Result<(), StoreError> {
        match self.store.delete(&path(name)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether files can be written and read: writes one, reads it, deletes it.
    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        let name = self.put(token().into_bytes()).await?;
        self.get(&name).await?;
        self.delete(&name).await
    }

    /// The names of files last written before a moment, in batches.
    pub(super) fn written_before(
        &self,
        moment: DateTime<Utc>,
    ) -> BoxStream<'_, Result<HashSet<String>, StoreError>> {
        let old = move |it: &ObjectMeta| it.last_modified < moment;
        let names = self.store.list(None).try_filter(move |it| std::future::ready(old(it)));
        let names = names.map_ok(|it| it.location.filename().unwrap_or_default().to_owned());
        let chunks = names.try_chunks(500).map_err(|it| it.1.into());
        Box::pin(chunks.map_ok(HashSet::from_iter))
    }

    /// Deletes what a process that was killed left half-written in the folder before a moment; how many. Other stores
    /// show nothing that is not whole.
    pub(super) async fn sweep_unfinished(&self, moment: DateTime<Utc>) -> Result<u64, StoreError> {
        let Some(folder) = self.folder.clone() else { return Ok(0) };
        let swept = tokio::task::spawn_blocking(move || unfinished(&folder, moment)).await;
        swept.map_err(|_| StoreError::Closed)?
    }
}

fn s3(options: &S3Options) -> Result<AmazonS3, StoreError> {
    // The process has one provider of TLS; it does not matter who installs it.
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let patience = RetryConfig { max_retries: 3, retry_timeout: PATIENCE, ..Default::default() };
    let store = AmazonS3Builder::new()
        .with_bucket_name(&options.bucket)
        .with_endpoint(&options.endpoint)
        .with_region(&options.region)
        .with_access_key_id(&options.access_key)
        .with_secret_access_key(String::from_utf8_lossy(options.secret_key.expose()))
        .with_allow_http(options.allow_http)
        .with_retry(patience);
    Ok(store.build()?)
}

/// Walks `folder/ab/`. The store writes `name#1` beside a file and then links it; one that is old belongs to nobody.
fn unfinished(folder: &std::path::Path, moment: DateTime<Utc>) -> Result<u64, StoreError> {
    let mut count = 0;
    for inner in std::fs::read_dir(folder).map_err(StoreError::file(folder))? {
        let inner = inner.map_err(StoreError::file(folder))?.path();
        let Ok(files) = std::fs::read_dir(&inner) else { continue };
        for file in files.flatten().filter(|it| it.file_name().to_string_lossy().contains('#')) {
            let written = file.metadata().and_then(|it| it.modified());
            let is_old = written.is_ok_and(|it| DateTime::<Utc>::from(it) < moment);
            if is_old && std::fs::remove_file(file.path()).is_ok() {
                count += 1;
            }
        }
    }
    Ok(count)
}

/// `ab/abcdef…`: no folder holds more than a 256th of all.
fn path(name: &str) -> Path {
    Path::from(format!("{}/{name}", name.get(..2).unwrap_or_default()))
}

fn no_secret() -> Secret {
    Secret::new([])
}
