//! Settings: the only reader of configuration files and of the environment.
//!
//! A file in TOML comes in, a [`Config`] goes out, or everything that is wrong with the file, each with
//! its line and a cure. Without a file the defaults hold: trial mode, everything in one folder, mail
//! into a folder. Secrets are named by their file, never written into the settings.

mod faults;
mod parts;
mod sections;
mod trial;

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::Explanations;
use crate::secret::Secret;

pub use faults::ConfigError;
pub use sections::*;

/// All settings.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// Whether documents have value: `trial` or `production`.
    pub mode: Mode,
    /// The folder of everything that is kept, unless a section says otherwise.
    pub data: Option<PathBuf>,
    /// Where readers verify a document; its reference is appended. Printed as a QR mark.
    pub verify_url: Option<String>,
    /// Languages.
    pub languages: Languages,
    /// What is kept, and where.
    pub store: StoreSection,
    /// Seal and signatures.
    pub seal: SealSection,
    /// Mail.
    pub mail: MailSection,
    /// The service.
    pub http: HttpSection,
    /// What the law on personal data asks the operator to say.
    pub privacy: Privacy,
}

/// Whether documents have value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A test key, draft languages, mail into a folder, and a line on each page that says so.
    #[default]
    Trial,
    /// A real key, languages that were read or accepted, and what the law asks the operator to set.
    Production,
}

impl Config {
    /// Reads a file of settings; problems are explained in `language`.
    pub fn read(
        path: &Path,
        explanations: &Explanations,
        language: &str,
    ) -> Result<Self, ConfigError> {
        let (config, fault) = Self::examine(path, explanations, language)?;
        fault.map_or(Ok(config), Err)
    }

    /// Settings of a sound shape, and what else is wrong with them: files that cannot be read, and what
    /// production lacks.
    pub fn examine(
        path: &Path,
        explanations: &Explanations,
        language: &str,
    ) -> Result<(Self, Option<ConfigError>), ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::File { path: path.display().to_string(), source })?;
        let path = path.display().to_string();
        let (config, mut faults) = faults::parse(&text, &path, explanations, language)?;
        let missing = config.missing();
        let fault = match (faults.is_empty(), missing.is_empty()) {
            (true, true) => None,
            (true, false) => Some(ConfigError::Missing { path, missing }),
            (false, _) => {
                let lacks = |it| format!("{path}: production lacks {it}");
                faults.extend(missing.into_iter().map(lacks));
                Some(ConfigError::Faults(faults))
            }
        };
        Ok((config, fault))
    }

    /// Whether every page says that it is a specimen.
    pub fn is_trial(&self) -> bool {
        self.mode == Mode::Trial
    }

    /// The settings of what test keys do beside a service in production: the trial's, in a folder of their own.
    pub fn for_tests(&self) -> Self {
        Self {
            data: Some(self.data().join("tests")),
            verify_url: self.verify_url.clone(),
            languages: self.languages.clone(),
            mail: MailSection { link: self.mail.link.clone(), ..MailSection::default() },
            ..Self::default()
        }
    }

    /// The folder of everything that is kept.
    pub fn data(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(|| PathBuf::from("paraphe-data"))
    }

    /// What production needs and the file does not say.
    fn missing(&self) -> Vec<String> {
        if self.is_trial() {
            return Vec::new();
        }
        let needs = [
            (self.verify_url.is_none(), "verify_url: the address of the public verification page"),
            (
                self.store.key_file.is_none(),
                "store.key_file: the operator's key (make one with `paraphe keys new`)",
            ),
            (!self.seal.has_key(), "seal.key: the office's certificate and key"),
            (self.privacy.contact.is_none(), "privacy.contact: who answers about personal data"),
            (
                self.privacy.retention_months.is_none(),
                "privacy.retention_months: how long a file is kept after the contract's end",
            ),
        ];
        needs.into_iter().filter(|it| it.0).map(|it| it.1.to_owned()).collect()
    }
}

/// Whether what is printed goes into the journal: systemd tells its device and inode (systemd.exec, JOURNAL_STREAM).
#[expect(clippy::disallowed_methods, reason = "settings are read here")]
pub fn in_journal() -> bool {
    let Some(journal) = std::env::var_os("JOURNAL_STREAM") else { return false };
    let own = rustix::fs::fstat(std::io::stdout());
    own.is_ok_and(|it| journal == *format!("{}:{}", it.st_dev, it.st_ino))
}

/// Reads a secret from its file. `credential:NAME` is a credential that systemd hands over.
///
/// A line end at the end of the file is not part of the secret.
pub fn secret(place: &str) -> Result<Secret, ConfigError> {
    let path = match place.strip_prefix("credential:") {
        #[expect(clippy::disallowed_methods, reason = "settings are read here")]
        Some(name) => match std::env::var_os("CREDENTIALS_DIRECTORY") {
            Some(folder) => PathBuf::from(folder).join(name),
            None => return Err(ConfigError::Credential(name.to_owned())),
        },
        None => PathBuf::from(place),
    };
    let mut bytes = std::fs::read(&path)
        .map_err(|source| ConfigError::Secret { path: path.display().to_string(), source })?;
    while bytes.last().is_some_and(|it| matches!(it, b'\n' | b'\r')) {
        bytes.pop();
    }
    Ok(Secret::new(bytes))
}
