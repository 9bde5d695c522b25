//! Every sentence of one language, with what its typesetting needs.
//!
//! A message is plain text with `{name}` placeholders and no logic. Loading parses each into pieces
//! and checks it against the French one, so that a document cannot be issued with a sentence that is
//! missing, stale or malformed.

use std::collections::{BTreeMap, HashSet};

use icu_plurals::{PluralCategory, PluralRules};
use serde::{Deserialize, Serialize};
use unicode_script::{Script, UnicodeScript};

use super::message::Message;
use super::phrase::{Phrase, Value, Values};

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
    pub(super) stale: Vec<String>,
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

    /// The keys whose French has changed since they were translated.
    pub fn stale(&self) -> &[String] {
        &self.stale
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

    /// The words that stand outside its sentences: its name, the months, the days of the week.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        let dates = self.dates.months.iter().chain(&self.dates.weekdays).chain(&self.dates.list);
        dates.chain([&self.name, &self.space]).map(String::as_str)
    }

    /// What is wrong with this catalogue beside the French one: one line each, with key and cure.
    pub(crate) fn faults(&self, french: &Self) -> Vec<String> {
        let mut faults = Vec::new();
        // Found once: there are a thousand sentences, and every start looks at all of them.
        let categories: Vec<_> = self.plural.categories().collect();
        let scripts = self.scripts();
        let forbidden: Vec<_> =
            self.forbidden.words.iter().map(|it| (it, it.to_lowercase())).collect();
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
            for category in &categories {
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
                Some((_, category)) if !categories.contains(&category) => faults.push(format!(
                    "`{key}`: this language has no plural form `{category}`: remove it"
                )),
                None if !french.messages.contains_key(key) => {
                    faults.push(format!("`{key}` is not in the French catalogue: remove it"));
                }
                _ => {}
            }
            faults.extend(text_faults(key, &message.text(), &scripts));
            if !forbidden.is_empty() {
                let text = message.text().to_lowercase();
                for (word, _) in forbidden.iter().filter(|(_, it)| text.contains(it)) {
                    faults.push(format!(
                        "`{key}` uses the forbidden word « {word} »: choose another"
                    ));
                }
            }
            if self.tag != FRENCH && is_left_over(message, french.messages.get(key)) {
                faults.push(format!("`{key}` is still French: translate it"));
            }
        }
        faults
    }

    /// The scripts the language is written in, as its names of months tell, and those of any text:
    /// Latin for names and abbreviations, and what has no script of its own.
    fn scripts(&self) -> HashSet<Script> {
        let months = self.dates.months.iter().flat_map(|month| month.chars());
        let own = months.map(|c| c.script());
        own.chain([Script::Latin, Script::Common, Script::Inherited]).collect()
    }

    /// Whether the language is written in the script of a text.
    pub(crate) fn writes(&self, text: &str) -> bool {
        let scripts = self.scripts();
        text.chars().all(|c| scripts.contains(&c.script()))
    }
}

/// Faults of one sentence, in a language of these scripts, that need no other catalogue to be seen.
fn text_faults(key: &str, text: &str, scripts: &HashSet<Script>) -> Vec<String> {
    use unicode_normalization::is_nfc;
    let mut faults = Vec::new();
    if text.trim().is_empty() {
        faults.push(format!("`{key}` is empty: write the sentence"));
    }
    if !is_nfc(text) {
        faults.push(format!("`{key}` is not in Unicode normal form C: normalise the file"));
    }
    if let Some(c) = text.chars().find(|c| super::text::is_control(*c)) {
        faults.push(format!("`{key}` holds the control character U+{:04X}: remove it", c as u32));
    }
    if let Some(c) = text.chars().find(|c| !scripts.contains(&c.script())) {
        let script = c.script().full_name();
        faults.push(format!("`{key}` holds « {c} » of another script ({script}): replace it"));
    }
    faults
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

/// Whether a sentence was left as it is in French; a word or two may be the same in both.
fn is_left_over(message: &Message, french: Option<&Message>) -> bool {
    const LONGEST_LOAN: usize = 24;
    Some(message) == french && message.text().chars().count() > LONGEST_LOAN
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
