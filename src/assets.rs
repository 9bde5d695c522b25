//! Templates and fonts: embedded in the binary, overlaid by a folder of the operator's.
//!
//! Everything that is data and not code comes through here: catalogues, regimes, offices, page
//! templates, brand and fonts. Paths are relative to the product's root, such as
//! `templates/locales/fr.toml`; an overlay folder has the same shape and wins file by file.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

#[derive(RustEmbed)]
#[folder = "templates/"]
#[prefix = "templates/"]
struct Templates;

#[derive(RustEmbed)]
#[folder = "fonts/"]
#[prefix = "fonts/"]
struct Fonts;

/// Every file the product typesets and checks with, by path.
#[derive(Debug, Clone)]
pub struct Assets(BTreeMap<String, Cow<'static, [u8]>>);

/// Why an overlay folder could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct AssetError {
    /// The file or folder that could not be read.
    pub path: PathBuf,
    source: io::Error,
}

impl Assets {
    /// The files the binary was built with.
    pub fn embedded() -> Self {
        let mut files = BTreeMap::new();
        for path in Templates::iter() {
            files.extend(Templates::get(&path).map(|file| (path.into_owned(), file.data)));
        }
        for path in Fonts::iter() {
            files.extend(Fonts::get(&path).map(|file| (path.into_owned(), file.data)));
        }
        Self(files)
    }

    /// The embedded files with `folder/templates` and `folder/fonts` laid over them.
    pub fn overlaid(folder: &Path) -> Result<Self, AssetError> {
        let mut assets = Self::embedded();
        for part in ["templates", "fonts"] {
            let inner = folder.join(part);
            if inner.is_dir() {
                assets.lay(&inner, &format!("{part}/"))?;
            }
        }
        Ok(assets)
    }

    /// The bytes of one file.
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.0.get(path).map(Cow::as_ref)
    }

    /// The files whose path begins with `prefix` and ends with `suffix`, in order.
    pub fn list<'a>(
        &'a self,
        prefix: &'a str,
        suffix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Cow<'static, [u8]>)> {
        self.0
            .iter()
            .filter(move |(path, _)| path.starts_with(prefix) && path.ends_with(suffix))
            .map(|(path, bytes)| (path.as_str(), bytes))
    }

    /// SHA-256 over every path and file, in hexadecimal digits: with which assets something was made.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (path, bytes) in &self.0 {
            hash.update(path.as_bytes());
            hash.update([0]);
            hash.update(Sha256::digest(bytes));
        }
        hex(&hash.finalize())
    }

    /// SHA-256 of one file, in hexadecimal digits; that of nothing for a file that is not there.
    pub fn digest_of(&self, path: &str) -> String {
        hex(&Sha256::digest(self.get(path).unwrap_or_default()))
    }

    /// Lays the files below `folder` over the ones at `prefix`.
    fn lay(&mut self, folder: &Path, prefix: &str) -> Result<(), AssetError> {
        let fail = |source| AssetError { path: folder.to_owned(), source };
        for entry in std::fs::read_dir(folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let path = entry.path();
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if path.is_dir() {
                self.lay(&path, &format!("{name}/"))?;
            } else {
                let bytes = std::fs::read(&path).map_err(|source| AssetError { path, source })?;
                self.0.insert(name, Cow::Owned(bytes));
            }
        }
        Ok(())
    }
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}
