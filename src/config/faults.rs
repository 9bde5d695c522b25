//! What is wrong with a file of settings: everything at once, each with its line and a cure.

use std::io::ErrorKind;

use serde_json::Value;
use toml_edit::{ImDocument, TableLike};

use super::{Config, secret};
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

/// Parses settings; the shape is judged by the schema of [`Config`], as with documents. With settings of a sound shape
/// come the faults of the files that they name.
pub(super) fn parse(
    text: &str,
    path: &str,
    explanations: &Explanations,
    language: &str,
) -> Result<(Config, Vec<String>), ConfigError> {
    let one =
        |line: usize, message: &str| ConfigError::Faults(vec![format!("{path}:{line}: {message}")]);
    let tree = ImDocument::parse(text)
        .map_err(|it| one(line(text, it.span().map_or(0, |it| it.start)), it.message()))?;
    let value: Value = toml::from_str(text).map_err(|it| one(1, it.message()))?;
    let place = |pointer: &str| {
        let names: Vec<_> = pointer.split('/').skip(1).collect();
        line(text, start(tree.as_table(), &names).unwrap_or(0))
    };
    let shape = shape_faults::<Config>(&value).into_iter().map(|problem| {
        let said = explanations.explain(&problem, language);
        (place(&problem.pointer), format!("{} {}", said.message, said.hint))
    });
    let shape: Vec<_> = shape.collect();
    let is_sound = shape.is_empty();
    let files = unreadable(&value).into_iter().map(|(pointer, fault)| (place(&pointer), fault));
    let mut faults: Vec<_> = shape.into_iter().chain(files).collect();
    faults.sort();
    let faults = faults.into_iter().map(|(line, fault)| format!("{path}:{line}: {fault}"));
    let faults: Vec<_> = faults.collect();
    if !is_sound {
        return Err(ConfigError::Faults(faults));
    }
    let config = serde_json::from_value(value).map_err(|it| one(1, &it.to_string()))?;
    Ok((config, faults))
}

/// The files that settings name and that cannot be read: a setting's pointer, what is wrong and how to mend it. Files
/// are what settings called `…_file` and `…_files` name.
fn unreadable(settings: &Value) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    let mut rest = vec![(String::new(), false, settings)];
    while let Some((pointer, is_file, value)) = rest.pop() {
        match value {
            Value::String(place) if is_file => {
                if let Err(error) = secret(place) {
                    faults.push((pointer, format!("{error}. {}", cure(&error))));
                }
            }
            Value::Array(values) => rest.extend(
                values.iter().enumerate().map(|(at, it)| (format!("{pointer}/{at}"), is_file, it)),
            ),
            Value::Object(values) => rest.extend(values.iter().map(|(name, it)| {
                let is_file = name.ends_with("_file") || name.ends_with("_files");
                (format!("{pointer}/{name}"), is_file, it)
            })),
            _ => {}
        }
    }
    faults
}

fn cure(error: &ConfigError) -> &'static str {
    match error {
        ConfigError::Secret { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            "Let the user that this program runs as read it."
        }
        ConfigError::Secret { .. } => "Put the file there, or name another one.",
        _ => "Name the credential in the unit, or name a file.",
    }
}

/// Where the value of an RFC 6901 pointer starts, by its names, or the nearest table around it.
fn start(table: &dyn TableLike, names: &[&str]) -> Option<usize> {
    let (name, names) = names.split_first()?;
    let (key, item) = table.get_key_value(name)?;
    let inner = match (item.as_table_like(), item.as_array_of_tables(), names) {
        (Some(table), _, names) => start(table, names),
        (_, Some(tables), [number, names @ ..]) => {
            number.parse().ok().and_then(|it| tables.get(it)).and_then(|it| start(it, names))
        }
        _ => None,
    };
    inner.or_else(|| key.span().map(|it| it.start))
}

/// The line of a position, from 1.
fn line(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|it| **it == b'\n').count() + 1
}
