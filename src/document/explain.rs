//! Problems in words: the sentence and the hint of each code, in French and English.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::message::Message;
use super::phrase::{Value, Values};
use super::problem::Problem;
use super::rulebook::{parse, stem};
use crate::assets::Assets;

/// The sentences of all problems, by language and code.
#[derive(Debug, Default)]
pub struct Explanations(BTreeMap<String, BTreeMap<String, Sentence>>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sentence {
    message: Message,
    hint: Message,
}

/// A problem in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: String,
}

impl Explanations {
    pub(crate) fn load(assets: &Assets, faults: &mut Vec<String>) -> Self {
        let mut languages = BTreeMap::new();
        for (path, bytes) in assets.list("templates/problems/", ".toml") {
            languages.extend(parse(path, bytes, faults).map(|it| (stem(path), it)));
        }
        Self(languages)
    }

    /// The languages problems can be said in.
    pub fn languages(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The codes that a language has sentences for.
    pub fn codes(&self, language: &str) -> impl Iterator<Item = &str> {
        self.0.get(language).into_iter().flat_map(|it| it.keys()).map(String::as_str)
    }

    /// A problem in words; the bare code where a language lacks its sentence.
    pub fn explain(&self, problem: &Problem, language: &str) -> Explained {
        match self.0.get(language).and_then(|it| it.get(problem.code)) {
            Some(it) => {
                Explained { message: fill(&it.message, problem), hint: fill(&it.hint, problem) }
            }
            None => Explained { message: problem.code.to_owned(), hint: String::new() },
        }
    }
}

/// The text with the problem's values; a sentence whose value is empty is left out.
fn fill(text: &Message, problem: &Problem) -> String {
    let values: Values =
        problem.values.iter().map(|(name, value)| (*name, Value::raw(value))).collect();
    let is_empty = |name: &&str| values.get(name).is_some_and(|it| it.plain().is_empty());
    let source = text.source();
    let sentences =
        source.split_inclusive(". ").filter_map(|it| Message::try_from(it.to_owned()).ok());
    let said = sentences.filter(|it| !it.names().iter().any(is_empty));
    said.map(|it| it.fill(&values).plain()).collect::<String>().trim_end().to_owned()
}
