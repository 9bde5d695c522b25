//! `returned`: envelopes that came back, by the codes on their sheets.

use clap::Args;

use super::journey::{journey, scope};
use super::output::{print, printable};
use super::{Failure, Options};
use crate::merge::MergeError;
use crate::merge::returned::{Returned as Found, returned};
use crate::store::StoreError;

/// Arguments of `returned`.
#[derive(Debug, Args)]
pub(super) struct Returned {
    /// What a scanner reads from the sheets, or the letters' numbers; without any, lines of standard input
    codes: Vec<String>,
}

impl Returned {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        journey(options, async |pipeline, _| {
            let mut unknown = false;
            let typed = self.codes.is_empty().then(|| std::io::stdin().lines());
            let typed = typed.into_iter().flatten().map_while(Result::ok);
            for code in self.codes.iter().cloned().chain(typed).filter(|it| !it.trim().is_empty()) {
                match returned(&pipeline, &scope(), &code, options.at()).await {
                    Ok(Found::Marked(letter)) => {
                        print(&format!("{letter}: the address is marked"))?
                    }
                    Ok(Found::Known(letter)) => {
                        print(&format!("{letter}: the address was marked already"))?;
                    }
                    Err(MergeError::Store(StoreError::NotFound(_))) => {
                        unknown = true;
                        eprintln!("{}: no letter has this code or number", printable(&code));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            if unknown { Err(Failure::Data) } else { Ok(()) }
        })
    }
}
