//! `verify`: who signed a file, when, whom that leads to, and what changed since.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::output::{print, print_json, printable, read};
use super::{Failure, Options};
use crate::seal::verify::{Trust, Words, verify};

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// A PDF; `-` reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Certificates that signers and timestamp authorities must lead to, in PEM or DER; repeatable
    #[arg(long, value_name = "FILE")]
    trust: Vec<PathBuf>,
}

/// More than the verification takes, so that it can say so, and no more than that in memory.
const MOST: u64 = (50 << 20) + 1;

impl Verify {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        let mut trust = Trust::nobody();
        for file in &self.trust {
            let added = trust.add(&read(file)?);
            added.map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?;
        }
        let report = verify(&bounded(&self.file)?, &trust, options.at());
        if options.json {
            print_json(&json!(report))?;
        } else {
            let words = Words::load(&options.assets()?)?;
            for line in words.report(&options.messages, &report) {
                print(&printable(&line))?;
            }
        }
        if report.is_valid() { Ok(()) } else { Err(Failure::Data) }
    }
}

/// Reads a file, but no more of it than is ever judged.
fn bounded(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let result = if path == Path::new("-") {
        std::io::stdin().take(MOST).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|it| it.take(MOST).read_to_end(&mut bytes))
    };
    let failure = |source| Failure::File { path: path.display().to_string(), source };
    result.map(|_| bytes).map_err(failure)
}
