//! `keys`: the operator's key, which wraps the keys of all dossiers.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::journey::{journey, scope};
use super::output::{print, write};
use super::{Failure, Options};
use crate::store::make_operator_key;

/// Arguments of `keys`.
#[derive(Debug, Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a new operator's key, readable by its owner alone
    New {
        /// Its file, which must not exist
        file: PathBuf,
    },
    /// Wrap with the operator's key of the settings whatever an earlier one wraps
    Rewrap,
}

impl Keys {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        match &self.verb {
            Verb::New { file } => {
                if file.exists() {
                    let name = file.display();
                    return Err(Failure::Usage(format!(
                        "{name} exists: a key is never written over"
                    )));
                }
                write(file, make_operator_key().as_bytes())?;
                print("Keep a copy in another place: without it nothing that is kept can be read.")
            }
            Verb::Rewrap => journey(options, async |pipeline, _| {
                let count = pipeline.store.rewrap(&scope(), options.at()).await?;
                print(&format!(
                    "{count} keys wrapped anew; the earlier key is no longer needed here"
                ))
            }),
        }
    }
}
