//! `scan`: a contract that was signed on paper is complete once its scan is filed.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::journey::{journey, scope};
use super::output::{print, print_json, read};
use super::{Failure, Options};
use crate::pipeline::Pipeline;
use crate::store::{By, Filter, Page, State, StoreError, Summary};

/// Arguments of `scan`.
#[derive(Debug, Args)]
pub(super) struct Scan {
    /// What the code on the contract's pages says, typed or as a hand scanner reads it: its address or
    /// its number
    code: String,
    /// The scan, a PDF
    file: PathBuf,
}

impl Scan {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        let (bytes, at) = (read(&self.file)?, options.at());
        journey(options, async |pipeline, _| {
            let found = find(&pipeline, &self.code).await?;
            let filed = pipeline.file_scan(&scope(), found.id, found.version, bytes, at).await?;
            if options.json {
                return print_json(&json!(filed));
            }
            print(&format!("{} version {} is {}", filed.id, filed.version, filed.state))?;
            print(&format!("sha256 {} of the scan", filed.sha256))?;
            print(&format!("{} mails in the outbox", filed.deliveries.len()))
        })
    }
}

/// The one document with the number that a code says and that still waits for signatures.
async fn find(pipeline: &Pipeline, code: &str) -> Result<Summary, Failure> {
    let reference = code.trim().rsplit('/').next().unwrap_or(code);
    let by = Some(By::Reference(reference.to_owned()));
    let filter = Filter { by, ..Filter::default() };
    let found = pipeline.store.list(&scope(), &filter, Page::default()).await?;
    let mut waiting =
        found.into_iter().filter(|it| matches!(it.state, State::Presented | State::PartlySigned));
    match (waiting.next(), waiting.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => {
            let several = format!("{reference}: several contracts with this number wait");
            Err(Failure::Usage(several))
        }
        (None, _) => Err(StoreError::NotFound("contract with this number that waits").into()),
    }
}
