//! Every sentence of one language, with what its typesetting needs.
//!
//! A message is plain text with `{name}` placeholders and no logic. Loading parses each into pieces
//! and checks it against the French one, so that a document cannot be issued with a sentence that is
//! missing, stale or malformed.

use std::collections::BTreeMap;

use icu_plurals::{PluralCategory, PluralRules};
use serde::{Deserialize, Serialize};

use super::content::{Phrase, Piece, Value, Values};

/// The language all others translate.
pub const FRENCH: &str = "fr";

/// One language.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// BCP 47.
    pub tag: String,
    /// The language's own name for itself.
    pub name: String,
    /// Its French name in a sentence: « arabe ».
    pub french_name: String,
    /// The ISO 639 code that fonts and screen readers know.
    pub lang: String,
    /// ISO 3166-1, where the language differs by country.
    pub region: Option<String>,
    /// The direction of writing.
    pub direction: Direction,
    /// The families that set this language, in order; no other is used.
    pub fonts: Vec<String>,
    /// Text size relative to French.
    pub scale: f64,
    /// From one baseline to the next, in em, above the height of a French line.
    pub leading: f64,
    /// How high the letters reach above the baseline, in em.
    #[serde(default = "latin_ascent")]
    pub ascent: f64,
    /// How far below the baseline a line needs room, in em.
    #[serde(default)]
    pub descent: f64,
    /// What stands between two sentences.
    #[serde(default = "latin_space")]
    pub space: String,
    /// Who has read it.
    pub review: Review,
    /// How dates and times are said.
    pub dates: Dates,
    /// Words that must not occur, such as those of an army or court summons.
    #[serde(default)]
    pub forbidden: Forbidden,
    /// The sentences by key.
    pub messages: BTreeMap<String, Message>,
    /// For each key the hash of the French that was translated.
    #[serde(default)]
    pub stamps: BTreeMap<String, String>,
    #[serde(skip)]
    plural: Plural,
}

/// The direction of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Left to right.
    Ltr,
    /// Right to left.
    Rtl,
}

/// The state of a translation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Whether a person who speaks the language has read it.
    pub status: Status,
    /// How sure its author is.
    pub confidence: String,
    /// Who read it.
    pub by: String,
    /// When, `YYYY-MM-DD`.
    pub on: String,
}

/// Whether a catalogue has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nobody has read it yet.
    Draft,
    /// Read by the person named.
    Reviewed,
}

/// Names and patterns of dates, as they stand in a sentence.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dates {
    pub(crate) months: [String; 12],
    pub(crate) weekdays: [String; 7],
    /// The first of the month where it is special: « 1er ».
    pub(crate) first: Option<String>,
    pub(crate) full: Message,
    pub(crate) long: Message,
    pub(crate) month: Message,
    pub(crate) short: Message,
    pub(crate) time: Message,
    pub(crate) hour: Message,
    pub(crate) range: Message,
    /// Between the items of a list, and before its last.
    pub(crate) list: [String; 2],
}

/// Words a translation must not use.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forbidden {
    words: Vec<String>,
}

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

impl Catalogue {
    /// Reads a catalogue; the error says line and column.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut catalogue: Self =
            toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        catalogue.plural = Plural::of(&catalogue.lang)?;
        Ok(catalogue)
    }

    /// The message of a key that loading has checked to be there.
    pub fn message(&self, key: &str) -> &Message {
        &self.messages[key]
    }

    /// Whether there is a message of this key.
    pub fn has(&self, key: &str) -> bool {
        self.messages.contains_key(key)
    }

    /// A message filled with values.
    pub fn say(&self, key: &str, values: &Values) -> Phrase {
        self.message(key).fill(values)
    }

    /// A counted phrase such as « 6 heures »: the plural form of `key` with `{n}` filled.
    pub fn count(&self, key: &str, n: u32) -> Phrase {
        let key = format!("{key}.{}", self.plural.category(n));
        self.say(&key, &Values::from([("n", Value::raw(n.to_string()))]))
    }

    /// What is wrong with this catalogue beside the French one: one line each, with key and cure.
    pub(crate) fn faults(&self, french: &Self) -> Vec<String> {
        let mut faults = Vec::new();
        for (key, source) in &french.messages {
            let Some((family, _)) = plural_family(key, french) else {
                match self.messages.get(key) {
                    None => faults.push(format!("`{key}` is missing: translate it")),
                    Some(message) if message.names() != source.names() => faults.push(format!(
                        "`{key}` must use exactly these values: {}",
                        braces(&source.names())
                    )),
                    Some(_) => {}
                }
                continue;
            };
            for category in self.plural.categories() {
                let key = format!("{family}.{category}");
                if !self.messages.contains_key(&key) {
                    faults.push(format!("`{key}` is missing: this language has the plural form"));
                }
            }
        }
        faults.sort();
        faults.dedup();
        for (key, message) in &self.messages {
            let family = plural_family(key, french);
            match family {
                Some((_, category)) if !self.plural.categories().any(|it| it == category) => faults
                    .push(format!(
                        "`{key}`: this language has no plural form `{category}`: remove it"
                    )),
                None if !french.messages.contains_key(key) => {
                    faults.push(format!("`{key}` is not in the French catalogue: remove it"));
                }
                _ => {}
            }
            faults.extend(self.text_faults(key, message));
        }
        faults
    }

    /// Faults of one sentence that need no other catalogue to be seen.
    fn text_faults(&self, key: &str, message: &Message) -> Vec<String> {
        use unicode_normalization::is_nfc;
        let text = message.text();
        let mut faults = Vec::new();
        if text.trim().is_empty() {
            faults.push(format!("`{key}` is empty: write the sentence"));
        }
        if !is_nfc(&text) {
            faults.push(format!("`{key}` is not in Unicode normal form C: normalise the file"));
        }
        if let Some(c) = text.chars().find(|c| super::text::is_control(*c)) {
            faults
                .push(format!("`{key}` holds the control character U+{:04X}: remove it", c as u32));
        }
        for word in &self.forbidden.words {
            if text.to_lowercase().contains(&word.to_lowercase()) {
                faults.push(format!("`{key}` uses the forbidden word « {word} »: choose another"));
            }
        }
        faults
    }
}

impl Message {
    /// The names of its values, sorted, each once.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.values().collect();
        names.sort_unstable();
        names.dedup();
        names
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

/// The plural rules of a language (CLDR).
#[derive(Debug, Clone, Default)]
struct Plural(Option<std::sync::Arc<PluralRules>>);

impl Plural {
    fn of(lang: &str) -> Result<Self, String> {
        let locale: icu_plurals::PluralRulesPreferences = lang
            .parse::<icu_locale_core::Locale>()
            .map_err(|_| format!("lang = \"{lang}\" is not a language code"))?
            .into();
        let rules = PluralRules::try_new_cardinal(locale)
            .map_err(|_| format!("lang = \"{lang}\": no plural rules are known"))?;
        Ok(Self(Some(rules.into())))
    }

    fn category(&self, n: u32) -> &'static str {
        name(self.0.as_ref().map_or(PluralCategory::Other, |rules| rules.category_for(n)))
    }

    /// The categories that whole numbers below a thousand fall into.
    fn categories(&self) -> impl Iterator<Item = &'static str> {
        let mut names: Vec<_> = (0..1000).map(|n| self.category(n)).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter()
    }
}

/// A key such as `unit.hours.few` as family and category, if French counts with it.
fn plural_family<'a>(key: &'a str, french: &Catalogue) -> Option<(&'a str, &'a str)> {
    let (family, category) = key.rsplit_once('.')?;
    let known = ["zero", "one", "two", "few", "many", "other"].contains(&category);
    let counted = french.messages.contains_key(&format!("{family}.other"));
    (known && counted).then_some((family, category))
}

/// The height of capitals of the Latin script, with a little room.
fn latin_ascent() -> f64 {
    0.74
}

fn latin_space() -> String {
    " ".to_owned()
}

fn name(category: PluralCategory) -> &'static str {
    match category {
        PluralCategory::Zero => "zero",
        PluralCategory::One => "one",
        PluralCategory::Two => "two",
        PluralCategory::Few => "few",
        PluralCategory::Many => "many",
        PluralCategory::Other => "other",
    }
}

fn braces(names: &[&str]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.iter().map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(" "),
    }
}
