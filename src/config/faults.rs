//! What is wrong with a file of settings: everything at once, each with its line and a cure.

use serde_json::Value;
use toml_edit::{ImDocument, Item};

use super::Config;
use crate::class::Class;
use crate::document::{Explanations, shape_faults};

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// The system's words.
        source: std::io::Error,
    },
    /// A secret cannot be read.
    #[error("the secret {path} cannot be read: {source}")]
    Secret {
        /// The file.
        path: String,
        /// The system's words.
        source: std::io::Error,
    },
    /// systemd hands over no credentials.
    #[error("credential:{0} is asked for, but systemd hands over no credentials (LoadCredential=)")]
    Credential(String),
    /// The file is no TOML, or says what no setting means.
    #[error("the settings are at fault:\n{}", .0.join("\n"))]
    Faults(Vec<String>),
    /// The seal's key or its options.
    #[error("the seal: {0}")]
    Seal(String),
    /// The mail server's options.
    #[error("the mail server: {0}")]
    Mail(String),
    /// Production needs more.
    #[error("{path}: mode = \"production\" needs more settings:\n{}", .missing.join("\n"))]
    Missing {
        /// The file.
        path: String,
        /// The settings, with what each is for.
        missing: Vec<String>,
    },
}

impl ConfigError {
    /// Whose turn it is.
    pub fn class(&self) -> Class {
        match self {
            Self::File { .. } | Self::Secret { .. } | Self::Credential(_) => Class::Us,
            Self::Faults(_) | Self::Missing { .. } | Self::Seal(_) | Self::Mail(_) => Class::Caller,
        }
    }
}

/// Parses settings; the shape is judged by the schema of [`Config`], as with documents.
pub(super) fn parse(
    text: &str,
    path: &str,
    explanations: &Explanations,
    language: &str,
) -> Result<Config, ConfigError> {
    let one =
        |line: usize, message: &str| ConfigError::Faults(vec![format!("{path}:{line}: {message}")]);
    let tree = ImDocument::parse(text)
        .map_err(|it| one(line(text, it.span().map_or(0, |it| it.start)), it.message()))?;
    let value: Value = toml::from_str(text).map_err(|it| one(1, it.message()))?;
    let faults: Vec<_> = shape_faults::<Config>(&value)
        .iter()
        .map(|problem| {
            let said = explanations.explain(problem, language);
            let line = line(text, start(tree.as_item(), &problem.pointer));
            format!("{path}:{line}: {} {}", said.message, said.hint)
        })
        .collect();
    if !faults.is_empty() {
        return Err(ConfigError::Faults(faults));
    }
    serde_json::from_value(value).map_err(|it| one(1, &it.to_string()))
}

/// Where the value of an RFC 6901 pointer starts, or the nearest table around it.
fn start(root: &Item, pointer: &str) -> usize {
    let mut item = root;
    let mut start = 0;
    for name in pointer.split('/').skip(1) {
        let table = item.as_table_like();
        let key = table.and_then(|it| it.get_key_value(name));
        let next = match key {
            Some((key, next)) => {
                start = key.span().map_or(start, |it| it.start);
                next
            }
            None => break,
        };
        item = next;
    }
    start
}

/// The line of a position, from 1.
fn line(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|it| **it == b'\n').count() + 1
}
