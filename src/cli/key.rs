//! Keys, timestamps and levels on the command line of `seal`, `sign` and `extend`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::output::{print_json, printable, read, write};
use super::{Failure, Options};
use crate::seal::{
    Certificate, Extender, Level, Office, Pkcs11Key, Pkcs11Options, SealError, SealOptions,
    SealedPdf, Signer, SoftwareKey, TimestampOptions,
};
use crate::secret::Secret;

/// Which key signs.
#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    /// A PKCS#12 file, a PEM key, or with --pkcs11 the label of a key
    #[arg(long, value_name = "FILE|LABEL")]
    key: String,
    /// Its certificates up to the root in PEM, where they are not with the key
    #[arg(long, value_name = "FILE.pem")]
    certificates: Option<PathBuf>,
    /// A file whose first line is the password or PIN; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
    /// The library of a token (PKCS#11)
    #[arg(long, value_name = "MODULE.so", requires = "token")]
    pkcs11: Option<PathBuf>,
    /// The label of the token
    #[arg(long, value_name = "LABEL", requires = "pkcs11")]
    token: Option<String>,
}

/// How far to go, and who says the time.
#[derive(Debug, Args)]
pub(super) struct LevelArgs {
    /// B-B, B-T, B-LT or B-LTA
    #[arg(long, value_name = "LEVEL", default_value = "B-B")]
    pub(super) level: Level,
    /// The address of a timestamp authority (RFC 3161)
    #[arg(long, value_name = "URL", requires = "timestamp_roots")]
    timestamp: Option<String>,
    /// The certificates that its own must lead to
    #[arg(long, value_name = "FILE.pem", requires = "timestamp")]
    timestamp_roots: Option<PathBuf>,
}

impl KeyArgs {
    pub(super) fn open(&self) -> Result<Arc<dyn Signer>, Failure> {
        let pin = match &self.pin_file {
            Some(file) => first_line(&read(file)?),
            None => Secret::new(""),
        };
        let certificates = self.certificates.as_deref().map(read).transpose()?.unwrap_or_default();
        let key = match (&self.pkcs11, &self.token) {
            (Some(module), Some(token)) => {
                let (module, token) = (module.clone(), token.clone());
                let options = Pkcs11Options { module, token, key: self.key.clone() };
                Pkcs11Key::open(&options, &pin, &certificates)
            }
            _ => {
                let file = Secret::new(read(self.key.as_ref())?);
                SoftwareKey::open(&file, &pin, &certificates)
            }
        };
        Ok(key.map_err(SealError::from)?)
    }
}

impl LevelArgs {
    pub(super) fn office(&self, signer: Arc<dyn Signer>) -> Result<Office, Failure> {
        let timestamp = self.timestamp()?;
        Ok(Office::new(signer, &SealOptions { level: self.level, letters: true, timestamp })?)
    }

    pub(super) fn extender(&self, issuers: Option<&Path>) -> Result<Extender, Failure> {
        let issuers = issuers.map(read).transpose()?.unwrap_or_default();
        let issuers = Certificate::from_pem(&issuers).map_err(SealError::from)?;
        Ok(Extender::new(self.timestamp()?.as_ref(), &issuers)?)
    }

    fn timestamp(&self) -> Result<Option<TimestampOptions>, Failure> {
        let (Some(url), Some(roots)) = (&self.timestamp, &self.timestamp_roots) else {
            return Ok(None);
        };
        let authorities = String::from_utf8_lossy(&read(roots)?).into_owned();
        Ok(Some(TimestampOptions::new(url.clone(), authorities)))
    }
}

/// Reads a file that is sealed, or at least has its fields.
pub(super) fn read_sealed(path: &Path) -> Result<SealedPdf, Failure> {
    Ok(SealedPdf::read(read(path)?)?)
}

/// Writes what was made, and says how far it got. Where it fell short, it is written all the same, and
/// the exit code says whose turn it is.
pub(super) fn hand_over(
    mut file: SealedPdf,
    output: &Path,
    options: &Options,
) -> Result<(), Failure> {
    write(output, file.bytes())?;
    for it in file.expiring() {
        let (subject, until) = (printable(&it.subject), it.until.date_naive());
        eprintln!("warning: the certificate of {subject} ends on {until}: renew it");
    }
    if options.json {
        let (level, turn) = (file.level(), &file.turn().0);
        print_json(&serde_json::json!({ "level": level, "turn": turn, "sha256": file.hash() }))?;
    } else {
        eprintln!("{}: {}, {}", output.display(), file.level(), file.turn());
    }
    match file.take_shortfall() {
        Some(error) => Err(Failure::Seal(error)),
        None => Ok(()),
    }
}

fn first_line(bytes: &[u8]) -> Secret {
    let line = bytes.split(|it| *it == b'\n').next().unwrap_or_default();
    Secret::new(line.strip_suffix(b"\r").unwrap_or(line))
}
