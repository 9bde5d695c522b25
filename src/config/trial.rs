//! What trial mode makes for itself in its folder: an operator's key and a test authority, worth nothing.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::ConfigError;
use crate::seal::TestAuthority;
use crate::secret::Secret;
use crate::store::make_operator_key;

/// The operator's key of a folder, made when it is missing.
pub(super) fn operator_key(data: &Path) -> Result<Secret, ConfigError> {
    kept(data, "operator.key")
}

/// The test authority of a folder. Its seed is kept, so that what it signed stays known.
pub(crate) fn authority(data: &Path) -> Result<TestAuthority, ConfigError> {
    let text = kept(data, "test-authority.key")?;
    let digits = String::from_utf8_lossy(text.expose()).trim().to_owned();
    let mut seed = [0; 32];
    let pairs = seed.iter_mut().zip(0..);
    for (byte, at) in pairs {
        let pair = digits.get(2 * at..2 * at + 2).unwrap_or_default();
        *byte = u8::from_str_radix(pair, 16).map_err(|_| {
            ConfigError::Seal("test-authority.key is damaged: delete it".to_owned())
        })?;
    }
    TestAuthority::from_seed(seed).map_err(|error| ConfigError::Seal(error.to_string()))
}

/// The root of the test authority; it also stands in the folder, for `paraphe verify --trust`.
pub(super) fn root(data: &Path) -> Result<Vec<u8>, ConfigError> {
    let root = authority(data)?.root().der().to_vec();
    let path = data.join("test-authority.cer");
    fs::write(&path, &root).map_err(|source| failure(&path, source))?;
    Ok(root)
}

/// A file of 32 random bytes in hexadecimal digits, to be read by its owner alone; made when missing,
/// whole or not at all, by whoever comes first.
fn kept(data: &Path, name: &str) -> Result<Secret, ConfigError> {
    let path = data.join(name);
    if !path.exists() {
        let make = || {
            fs::create_dir_all(data)?;
            let mut new = tempfile::NamedTempFile::new_in(data)?;
            new.write_all(make_operator_key().as_bytes())?;
            new.as_file().sync_all()?;
            match new.persist_noclobber(&path) {
                Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => {
                    Err(error.error)
                }
                _ => Ok(()),
            }
        };
        make().map_err(|source| failure(&path, source))?;
    }
    fs::read(&path).map(Secret::new).map_err(|source| failure(&path, source))
}

fn failure(path: &Path, source: io::Error) -> ConfigError {
    ConfigError::File { path: path.display().to_string(), source }
}
