//! `extend`: a signed file to a level that lasts longer.

use std::path::PathBuf;

use clap::Args;

use super::key::{LevelArgs, hand_over, read_sealed};
use super::{Failure, Options};

/// Arguments of `extend`.
#[derive(Debug, Args)]
pub(super) struct Extend {
    /// A signed PDF; `-` reads standard input
    file: PathBuf,
    /// Where to write the longer PDF; `-` writes standard output
    #[arg(short, long, value_name = "OUT.pdf")]
    output: PathBuf,
    #[command(flatten)]
    level: LevelArgs,
    /// Certificates of issuers that the signatures do not bring along, in PEM
    #[arg(long, value_name = "FILE.pem")]
    certificates: Option<PathBuf>,
}

impl Extend {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        let file = read_sealed(&self.file)?;
        let extender = self.level.extender(self.certificates.as_deref())?;
        hand_over(extender.extend(&file, self.level.level, options.at())?, &self.output, options)
    }
}
