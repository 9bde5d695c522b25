//! Words of a language with data between them, and the values that fill a sentence.

use std::collections::BTreeMap;

use serde::Serialize;

use super::catalogue::{Catalogue, Direction};

/// Values by name.
pub type Values = BTreeMap<&'static str, Value>;

/// A value: data as it came, words of the side's language, or several lines.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A name, number or address: printed as it is, left to right.
    Raw(String),
    /// Words around data, such as a date.
    Phrase(Phrase),
    /// Several of them, one below the other.
    Lines {
        /// From top to bottom.
        lines: Vec<Phrase>,
        /// What stands between them on one line.
        #[serde(skip)]
        separator: String,
    },
}

/// Words of a language with data between them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Phrase(pub Vec<Piece>);

/// A part of a phrase.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Piece {
    /// Words of the side's language.
    Text(String),
    /// Data as it came.
    Raw {
        /// The data.
        raw: String,
    },
    /// A name in the person's own script.
    Own(Own),
}

/// A name in the person's own script, and how a language of that script is set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Own {
    own: String,
    dir: Direction,
    fonts: Vec<String>,
    scale: f64,
}

impl Value {
    /// Data as it came.
    pub fn raw(text: impl Into<String>) -> Self {
        Self::Raw(text.into())
    }

    /// The value as pieces of a phrase.
    pub fn pieces(&self) -> Vec<Piece> {
        match self {
            Self::Raw(raw) => vec![Piece::Raw { raw: raw.clone() }],
            Self::Phrase(phrase) => phrase.0.clone(),
            Self::Lines { lines, separator } => {
                let mut pieces = Vec::new();
                for (index, line) in lines.iter().enumerate() {
                    if index > 0 {
                        pieces.push(Piece::Text(separator.clone()));
                    }
                    pieces.extend(line.0.clone());
                }
                pieces
            }
        }
    }

    /// The value as plain text.
    pub fn plain(&self) -> String {
        Phrase(self.pieces()).plain()
    }
}

impl Own {
    pub(crate) fn new(name: &str, language: &Catalogue) -> Self {
        Self {
            own: name.to_owned(),
            dir: language.direction,
            fonts: language.fonts.clone(),
            scale: language.scale,
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.own
    }

    /// The families that set it.
    pub fn fonts(&self) -> &[String] {
        &self.fonts
    }
}

impl Phrase {
    pub(crate) fn text(text: &str) -> Self {
        Self(vec![Piece::Text(text.to_owned())])
    }

    pub(crate) fn raw(raw: impl Into<String>) -> Self {
        Self(vec![Piece::Raw { raw: raw.into() }])
    }

    /// The phrase as plain text, as a mail or a log-free report has it.
    pub fn plain(&self) -> String {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) | Piece::Raw { raw: text } => text.as_str(),
                Piece::Own(own) => own.name(),
            })
            .collect()
    }
}

impl From<Phrase> for Value {
    fn from(phrase: Phrase) -> Self {
        Self::Phrase(phrase)
    }
}
