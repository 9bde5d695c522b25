//! `seal`: the office's seal on a file that `render` made.

use std::path::PathBuf;

use clap::Args;

use super::key::{KeyArgs, LevelArgs, hand_over, read_sealed};
use super::{Failure, Options};
use crate::seal::Sealer;

/// Arguments of `seal`.
#[derive(Debug, Args)]
pub(super) struct Seal {
    /// A PDF that `render` made; `-` reads standard input
    file: PathBuf,
    /// Where to write the sealed PDF; `-` writes standard output
    #[arg(short, long, value_name = "OUT.pdf")]
    output: PathBuf,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    level: LevelArgs,
}

impl Seal {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        let file = read_sealed(&self.file)?;
        let sealer = Sealer::On(self.level.office(self.key.open()?)?);
        hand_over(sealer.seal_file(&file, options.at())?, &self.output, options)
    }
}
