//! A sentence of a catalogue: plain text with `{name}` placeholders and no logic.

use serde::{Deserialize, Serialize};

use super::phrase::{Phrase, Piece, Values};

/// A sentence or a label: text and the names of values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "Vec<Part>")]
pub struct Message(Vec<Part>);

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Part {
    /// Words of the language.
    Text(String),
    /// The place of a value.
    Value {
        /// Its name.
        name: String,
    },
}

impl Message {
    /// The names of its values, sorted, each once.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.values().collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Its parts, in order.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    fn values(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Value { name } => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// Its words, without the values.
    pub fn text(&self) -> String {
        self.0
            .iter()
            .filter_map(|part| match part {
                Part::Text(text) => Some(text.as_str()),
                Part::Value { .. } => None,
            })
            .collect()
    }

    /// The message as its author wrote it.
    pub fn source(&self) -> String {
        self.0
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Value { name } => format!("{{{name}}}"),
            })
            .collect()
    }

    /// Puts values in their places. A name without value stays visible in braces: loading and the
    /// tests see to it that there is none.
    pub fn fill(&self, values: &Values) -> Phrase {
        let mut pieces = Vec::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => pieces.push(Piece::Text(text.clone())),
                Part::Value { name } => match values.get(name.as_str()) {
                    Some(value) => pieces.extend(value.pieces()),
                    None => pieces.push(Piece::Text(format!("{{{name}}}"))),
                },
            }
        }
        Phrase(pieces)
    }
}

impl TryFrom<String> for Message {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text.as_str();
        while let Some(open) = rest.find('{') {
            let close = rest[open..].find('}').ok_or(format!("`{text}`: a brace is not closed"))?;
            let name = &rest[open + 1..open + close];
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
                return Err(format!("`{text}`: `{{{name}}}` is not the name of a value"));
            }
            if open > 0 {
                parts.push(Part::Text(rest[..open].to_owned()));
            }
            parts.push(Part::Value { name: name.to_owned() });
            rest = &rest[open + close + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }
}

impl From<Message> for Vec<Part> {
    fn from(message: Message) -> Self {
        message.0
    }
}
