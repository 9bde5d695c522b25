//! `sign`: one more signature in a file.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::key::{KeyArgs, LevelArgs, hand_over, read_sealed};
use super::output::read;
use super::{Failure, Options};
use crate::seal::{Act, Evidence, SealedPdf, Sealer};

/// Arguments of `sign`.
#[derive(Debug, Args)]
pub(super) struct Sign {
    /// A sealed PDF; `-` reads standard input
    file: PathBuf,
    /// Where to write the signed PDF; `-` writes standard output
    #[arg(short, long, value_name = "OUT.pdf")]
    output: PathBuf,
    /// The field to sign in, such as applicant or authority
    #[arg(long, value_name = "NAME")]
    field: String,
    /// Strokes from a tablet in JSON, instead of the signer's own certificate; the key is the office's
    #[arg(long, value_name = "FILE.json", requires = "evidence")]
    strokes: Option<PathBuf>,
    /// Certify that the person declared not to be able to sign; the key is the office's
    #[arg(long, conflicts_with = "strokes", requires = "evidence")]
    unable: bool,
    /// How it came about, in JSON: agent, interpreter, language, presented, device, signed_at
    #[arg(long, value_name = "FILE.json")]
    evidence: Option<PathBuf>,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    level: LevelArgs,
}

impl Sign {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        let file = read_sealed(&self.file)?;
        let signer = self.key.open()?;
        let act = match (&self.strokes, &self.evidence) {
            (Some(strokes), Some(evidence)) => {
                Act::Strokes { strokes: json(strokes, None)?, evidence: told(evidence, &file)? }
            }
            (None, Some(evidence)) if self.unable => {
                Act::DeclaredUnable { evidence: told(evidence, &file)? }
            }
            _ => Act::Certificate { signer: signer.clone(), shown: file.hash() },
        };
        let sealer = Sealer::On(self.level.office(signer)?);
        hand_over(sealer.sign(&file, &self.field, &act, options.at())?, &self.output, options)
    }
}

/// Evidence; what was shown is the file itself where it says nothing else.
fn told(path: &Path, file: &SealedPdf) -> Result<Evidence, Failure> {
    json(path, Some(("shown", file.hash())))
}

fn json<T: DeserializeOwned>(path: &Path, default: Option<(&str, String)>) -> Result<T, Failure> {
    let wrong = |error| Failure::Usage(format!("{}: {error}", path.display()));
    let mut value: Value = serde_json::from_slice(&read(path)?).map_err(wrong)?;
    if let (Some(object), Some((key, text))) = (value.as_object_mut(), default) {
        object.entry(key).or_insert_with(|| text.into());
    }
    serde_json::from_value(value).map_err(wrong)
}
