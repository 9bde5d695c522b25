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
    /// On which line of its file each key stands first.
    #[serde(skip)]
    lines: BTreeMap<String, usize>,
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
        let own = text.lines().take_while(|line| *line != "[stamps]");
        for (index, line) in own.enumerate() {
            if let Some((key, _)) = line.split_once('=') {
                let key = key.trim().trim_matches('"').to_owned();
                catalogue.lines.entry(key).or_insert(index + 1);
            }
        }
        Ok(catalogue)
    }

    /// A fault of this catalogue for whoever mends it: file, line where the key is there, key and cure.
    pub(crate) fn fault(&self, key: &str, cure: &str) -> String {
        let line = self.lines.get(key).map(|line| format!(":{line}")).unwrap_or_default();
        format!("templates/locales/{}.toml{line}: `{key}`{cure}", self.tag)
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

    /// The words that stand outside its sentences, by their key: its name, the months, the days of the week, the patterns.
    pub(crate) fn words(&self) -> impl Iterator<Item = (&str, String)> {
        let dates = &self.dates;
        let lists = [("months", dates.months.as_slice()), ("weekdays", dates.weekdays.as_slice())];
        let lists = lists.into_iter().chain([("list", dates.list.as_slice())]);
        let words = lists.flat_map(|(key, words)| words.iter().map(move |it| (key, it.clone())));
        let own = [("name", self.name.clone()), ("space", self.space.clone())];
        words.chain(own).chain(dates.patterns().map(|(key, it, _)| (key, it.text())))
    }

    /// What is wrong with this catalogue beside the French one: one line each, with key and cure.
    pub(crate) fn faults(&self, french: &Self) -> Vec<String> {
        let mut faults = Vec::new();
        // Found once: there are a thousand sentences, and every start looks at all of them.
        let categories: Vec<_> = self.plural.categories().collect();
        let scripts = self.scripts();
        for (key, source) in &french.messages {
            let Some((family, _)) = plural_family(key, french) else {
                match self.messages.get(key) {
                    None => faults.push(self.fault(key, " is missing: translate it")),
                    Some(message) if message.names() != source.names() => {
                        let values = braces(&source.names());
                        let cure = format!(" must use exactly these values: {values}");
                        faults.push(self.fault(key, &cure));
                    }
                    Some(_) => {}
                }
                continue;
            };
            for category in &categories {
                let key = format!("{family}.{category}");
                if !self.messages.contains_key(&key) {
                    faults.push(self.fault(&key, " is missing: this language has the plural form"));
                }
            }
        }
        faults.sort();
        faults.dedup();
        for (key, message) in &self.messages {
            let family = plural_family(key, french);
            match family {
                Some((_, category)) if !categories.contains(&category) => {
                    let cure =
                        format!(": this language has no plural form `{category}`: remove it");
                    faults.push(self.fault(key, &cure));
                }
                None if !french.messages.contains_key(key) => {
                    faults.push(self.fault(key, " is not in the French catalogue: remove it"));
                }
                _ => {}
            }
            let text = message.text();
            if text.trim().is_empty() {
                faults.push(self.fault(key, " is empty: write the sentence"));
            }
            faults.extend(self.text_faults(key, &text, &scripts));
            if self.tag != FRENCH && is_left_over(message, french.messages.get(key)) {
                faults.push(self.fault(key, " is still French: translate it"));
            }
        }
        let words = self.words();
        faults.extend(words.flat_map(|(key, text)| self.text_faults(key, &text, &scripts)));
        for (key, pattern, values) in self.dates.patterns() {
            let names = pattern.names();
            let wanted = french.dates.patterns().find(|it| it.0 == key);
            let wanted = wanted.map(|it| it.1.names()).unwrap_or_default();
            let known = names.iter().all(|it| values.contains(it));
            if !known || !wanted.iter().all(|it| names.contains(it)) {
                let (wanted, values) = (braces(&wanted), braces(values));
                let cure = format!(" must use the values {wanted}, and no other than {values}");
                faults.push(self.fault(key, &cure));
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

    /// Faults of one text, in a language of these scripts, that need no other catalogue to be seen.
    fn text_faults(&self, key: &str, text: &str, scripts: &HashSet<Script>) -> Vec<String> {
        let mut faults = Vec::new();
        if !unicode_normalization::is_nfc(text) {
            faults.push(" is not in Unicode normal form C: normalise the file".to_owned());
        }
        if let Some(c) = text.chars().find(|c| super::text::is_control(*c)) {
            let code = u32::from(c);
            faults.push(format!(" holds the control character U+{code:04X}: remove it"));
        }
        if let Some(c) = text.chars().find(|c| !scripts.contains(&c.script())) {
            let script = c.script().full_name();
            faults.push(format!(" holds « {c} » of another script ({script}): replace it"));
        }
        for word in &self.forbidden.words {
            if text.to_lowercase().contains(&word.to_lowercase()) {
                faults.push(format!(" uses the forbidden word « {word} »: choose another"));
            }
        }
        faults.iter().map(|cure| self.fault(key, cure)).collect()
    }
}

impl Dates {
    /// The patterns, each with its key and the values there are for it.
    fn patterns(&self) -> impl Iterator<Item = (&'static str, &Message, &'static [&'static str])> {
        const DAY: &[&str] = &["day", "month", "weekday", "year"];
        let days = [
            ("full", &self.full),
            ("long", &self.long),
            ("month", &self.month),
            ("short", &self.short),
        ];
        let hours = [("time", &self.time), ("hour", &self.hour)];
        days.map(|(key, it)| (key, it, DAY))
            .into_iter()
            .chain(hours.map(|(key, it)| (key, it, ["hour", "minute"].as_slice())))
            .chain([("range", &self.range, ["start", "end"].as_slice())])
    }

    /// What is printed as French data in any language, by its key.
    pub(crate) fn data(&self) -> impl Iterator<Item = (&str, String)> {
        let first = self.first.iter().map(|it| ("first", it.clone()));
        first.chain([("time", self.time.text()), ("hour", self.hour.text())])
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
