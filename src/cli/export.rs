//! `export`: all that is kept about a dossier in one archive with an index, for the person it is about (GDPR, article 15).

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use uuid::Uuid;
use zip::ZipWriter;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;

use super::journey::{journey, scope};
use super::output::{print, write};
use super::{Failure, Options};
use crate::store::{DeliveryFilter, Page, Store, StoreError};

/// Arguments of `export`.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// The dossier's number
    dossier: String,
    /// The archive; `-` is standard output
    #[arg(short, long, value_name = "FILE.zip")]
    output: PathBuf,
}

/// How many mails of a document are read at once; a document has a handful.
const MOST: u32 = 1000;

impl Export {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        journey(options, async |pipeline, _| {
            let store = &pipeline.store;
            let found = store.dossier_of(&self.dossier).await?;
            let dossier = found.ok_or(StoreError::NotFound("dossier"))?;
            let files = gather(store, dossier, options).await?;
            let archive = pack(&files).map_err(|error| Failure::File {
                path: self.output.display().to_string(),
                source: error.into(),
            })?;
            write(&self.output, &archive)?;
            if self.output != Path::new("-") {
                print(&format!("{} files in {}", files.len(), self.output.display()))?;
            }
            Ok(())
        })
    }
}

/// A file of the archive: its name and its bytes.
type Entry = (String, Vec<u8>);

/// Every file, the index first. Each read is noted in the audit trail.
async fn gather(store: &Store, dossier: Uuid, options: &Options) -> Result<Vec<Entry>, Failure> {
    let (scope, at) = (scope().noted(), options.at());
    let mut files = Vec::new();
    let mut documents = Vec::new();
    for id in store.erasure(&scope, dossier).await?.documents {
        let held = store.document(&scope, id, at).await?;
        let data = format!("documents/{id}/data.json");
        files.push((data.clone(), store.data(&scope, id, at).await?));
        let mut versions = Vec::new();
        for stand in &held.versions {
            let name = format!("documents/{id}/version-{}.pdf", stand.version);
            files.push((name.clone(), store.file(&scope, id, Some(stand.version), at).await?));
            versions.push(name);
        }
        let mails = mails(store, id, &mut files).await?;
        let events = store.history(id).await?;
        let index = json!({ "document": held, "data": data, "files": versions, "mails": mails, "events": events });
        documents.push(index);
    }
    let events = store.history(dossier).await?;
    let index =
        json!({ "dossier": dossier, "made_at": at, "documents": documents, "events": events });
    files.insert(0, ("index.json".to_owned(), format!("{index:#}").into_bytes()));
    Ok(files)
}

/// The mails of a document: their bytes into the files, the rest into the index.
async fn mails(
    store: &Store,
    document: Uuid,
    files: &mut Vec<Entry>,
) -> Result<Vec<Value>, Failure> {
    let scope = scope();
    let filter = DeliveryFilter { document: Some(document), ..DeliveryFilter::default() };
    let mut index = Vec::new();
    for it in store.deliveries(&scope, &filter, Page { after: None, most: MOST }).await? {
        let (mail, tries) = store.delivery(&scope, it.id).await?;
        let name = format!("mails/{}.eml", it.id);
        files.push((name.clone(), store.mail(&scope, it.id).await?));
        let events = store.history(it.id).await?;
        index.push(json!({ "mail": mail, "file": name, "tries": tries, "events": events }));
    }
    Ok(index)
}

/// The archive, its files stored as they are: PDF and mail hardly get smaller.
fn pack(files: &[Entry]) -> Result<Vec<u8>, ZipError> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in files {
        archive.start_file(name.as_str(), options)?;
        archive.write_all(bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}
