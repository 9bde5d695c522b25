//! `backup` and `restore`: one consistent copy of ledger and files, without keys, and back from it.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::journey::{config, journey, runtime};
use super::output::{print, print_json};
use super::{Failure, Options};
use crate::store::{Backup as Copied, Store};

/// Arguments of `backup`.
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// A folder that is new or empty
    folder: PathBuf,
}

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The folder of a backup
    folder: PathBuf,
}

impl Backup {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        journey(options, async |pipeline, _| {
            said(&pipeline.store.backup(&self.folder, options.at()).await?, options)?;
            if !options.json {
                print("The operator's keys are not in it: keep them in another place.")?;
            }
            Ok(())
        })
    }
}

impl Restore {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        let shop = options.open()?;
        let store = config(options, &shop)?.store_options()?;
        runtime()?.block_on(async {
            let (store, backup) = Store::restore(&store, &self.folder, options.at()).await?;
            store.close().await;
            said(&backup, options)?;
            if !options.json {
                print("Sending is paused: mail of the time since the backup may have left already.")?;
                print("`paraphe deliveries reconcile LOG` settles what the mail server's log says it took;")?;
                print("then go on with `paraphe deliveries resume`.")?;
            }
            Ok(())
        })
    }
}

fn said(backup: &Copied, options: &Options) -> Result<(), Failure> {
    if options.json {
        return print_json(&json!(backup));
    }
    print(&format!("{} documents, {} files, as of {}", backup.documents, backup.files, backup.at))?;
    print(&format!("opens with the operator's keys {}", backup.keys.join(", ")))
}
