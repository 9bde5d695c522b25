//! Words of a language with data between them, and the values that fill a sentence.

use std::collections::BTreeMap;

use serde::Serialize;

/// Values by name.
pub type Values = BTreeMap<&'static str, Value>;

/// A value: data as it came, words of the side's language, or several lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Phrase(pub Vec<Piece>);

/// A part of a phrase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Piece {
    /// Words of the side's language.
    Text(String),
    /// Data as it came.
    Raw {
        /// The data.
        raw: String,
    },
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
            })
            .collect()
    }
}

impl From<Phrase> for Value {
    fn from(phrase: Phrase) -> Self {
        Self::Phrase(phrase)
    }
}
