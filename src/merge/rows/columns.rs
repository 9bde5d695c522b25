//! The columns that are known, and the header of one file matched with them.
//!
//! `templates/merge/columns.toml` -> [`Columns`]; headers of a file -> [`Header`]. A header that is
//! not known is refused with its nearest neighbour, never passed over.

use std::collections::BTreeMap;

use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::super::{Finding, MergeError};
use super::{MAX_COLUMNS, RowOptions, refused};
use crate::assets::Assets;
use crate::document::{FRENCH, Rulebook, STATELESS, Severity};

/// All columns that are known, and the choices of those that have some.
#[derive(Debug)]
pub struct Columns {
    /// In the order of templates.
    pub columns: Vec<Column>,
    /// By list, then by folded label.
    choices: BTreeMap<String, BTreeMap<String, String>>,
    labels: BTreeMap<String, BTreeMap<String, String>>,
    ignored: Vec<String>,
    totals: Vec<String>,
    pub(crate) months: Vec<String>,
    /// The regime of rows that name none.
    pub(crate) regime: Option<String>,
}

/// A column that is known.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Where its value goes; `{n}` where it may come several times.
    pub at: String,
    /// How it is read.
    pub kind: Kind,
    /// The list of its choices.
    #[serde(default)]
    pub list: String,
    /// How often it may come.
    #[serde(default = "once")]
    pub repeat: usize,
    /// Its headers, the one of templates first.
    pub headers: Vec<String>,
}

/// How a cell is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "described in columns.toml")]
pub enum Kind {
    Text,
    Integer,
    Digits,
    Postcode,
    Date,
    PartialDate,
    Time,
    YesNo,
    Choice,
    Choices,
}

/// The header of one file.
#[derive(Debug, Clone, Default)]
pub struct Header {
    /// Its line.
    pub row: u64,
    /// The headers as they stand.
    pub names: Vec<String>,
    /// For each, the column it is known as: index into [`Columns::columns`] and which repetition.
    pub slots: Vec<Option<(usize, usize)>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnFile {
    column: Vec<Column>,
    choices: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    rest: Rest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rest {
    ignored: Vec<String>,
    totals: Vec<String>,
    months: Vec<String>,
}

fn once() -> usize {
    1
}

impl Columns {
    /// Reads the columns; their choices come from there and from the rulebook.
    pub fn load(assets: &Assets, rulebook: &Rulebook) -> Result<Self, MergeError> {
        const PATH: &str = "templates/merge/columns.toml";
        let fault = |text: &str| MergeError::Template(format!("{PATH}: {text}"));
        let bytes = assets.get(PATH).ok_or_else(|| fault("missing"))?;
        let text = std::str::from_utf8(bytes).map_err(|_| fault("not UTF-8"))?;
        let file: ColumnFile = toml::from_str(text).map_err(|error| fault(&error.to_string()))?;
        let mut lists = file.choices;
        lists.extend(of_rulebook(rulebook));
        for column in &file.column {
            let chooses = matches!(column.kind, Kind::Choice | Kind::Choices);
            if column.headers.is_empty() || chooses != lists.contains_key(&column.list) {
                return Err(fault(&format!("{}: no header, or no such list", column.at)));
            }
        }
        let mut regimes = rulebook.regimes.keys();
        let regime = regimes.next().filter(|_| regimes.next().is_none()).cloned();
        Ok(Self {
            columns: file.column,
            choices: lists.iter().map(|(name, list)| (name.clone(), by_label(list))).collect(),
            labels: lists.into_iter().map(|(name, list)| (name, first_labels(list))).collect(),
            ignored: file.rest.ignored.iter().map(|it| fold(it)).collect(),
            totals: file.rest.totals.iter().map(|it| fold(it)).collect(),
            months: file.rest.months.iter().map(|it| fold(it)).collect(),
            regime,
        })
    }

    /// The column that a header names, and which repetition of it.
    pub fn find(&self, header: &str) -> Option<(usize, usize)> {
        let wanted = fold(header);
        let (stem, number) = match wanted.rsplit_once(' ') {
            Some((stem, number)) if number.len() == 1 => {
                (stem, number.parse::<usize>().ok().filter(|it| *it > 0))
            }
            _ => ("", None),
        };
        let index = |text: &str| {
            self.columns.iter().position(|it| it.headers.iter().any(|name| fold(name) == text))
        };
        if let Some(found) = index(&wanted) {
            return Some((found, 0));
        }
        let (found, n) = (index(stem)?, number? - 1);
        (n < self.columns[found].repeat).then_some((found, n))
    }

    /// The pointer of a column.
    pub fn pointer(&self, (index, n): (usize, usize)) -> String {
        self.columns[index].at.replace("{n}", &n.to_string())
    }

    /// The header that a place in the data has, or would have.
    pub fn header_of(&self, pointer: &str) -> Option<String> {
        let inner = format!("{pointer}/");
        self.columns.iter().find_map(|column| {
            (0..column.repeat).find_map(|n| {
                let at = column.at.replace("{n}", &n.to_string());
                let holds =
                    at == pointer || at.starts_with(&inner) || pointer.starts_with(&(at + "/"));
                holds.then(|| column.header(n))
            })
        })
    }

    /// The name on the wire of a choice.
    pub(crate) fn choice(&self, list: &str, text: &str) -> Option<&String> {
        self.choices.get(list)?.get(&fold(text)).filter(|it| !it.is_empty())
    }

    /// How a person calls a choice; the name on the wire where it has no other.
    pub fn label<'a>(&'a self, list: &str, value: &'a str) -> &'a str {
        self.labels.get(list).and_then(|it| it.get(value)).map_or(value, String::as_str)
    }

    /// The choices of a list: names on the wire, and how a person calls them.
    pub fn options(&self, list: &str) -> Vec<(&str, &str)> {
        let all = self.labels.get(list).into_iter().flatten();
        all.map(|(value, label)| (value.as_str(), label.as_str())).collect()
    }

    /// The labels of a list, and the one nearest to a text.
    pub(crate) fn labels(&self, list: &str, text: &str) -> (String, String) {
        const SHOWN: usize = 30;
        let labels: Vec<&str> = self
            .labels
            .get(list)
            .into_iter()
            .flat_map(|it| it.values())
            .map(String::as_str)
            .collect();
        let near = nearest(text, labels.iter().copied());
        let mut all = labels.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
        if labels.len() > SHOWN {
            all.push_str(", …");
        }
        (all, near)
    }

    /// Whether a text opens a line of totals.
    pub(crate) fn is_total(&self, text: &str) -> bool {
        let text = fold(text);
        let begins = |word: &String| {
            text.strip_prefix(word.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        self.totals.iter().any(begins)
    }

    /// Whether columns of a header are known to hold no data of a letter.
    pub(crate) fn ignores(&self, header: &str) -> bool {
        self.ignored.contains(&fold(header))
    }

    /// The known header that looks most like one; nothing when none is near.
    pub(crate) fn near(&self, header: &str) -> String {
        nearest(header, self.columns.iter().flat_map(|it| it.headers.iter().map(String::as_str)))
    }

    /// Matches the header of a file; everything that is wrong with it is in the first refusal.
    pub(crate) fn header(
        &self,
        row: u64,
        names: Vec<String>,
        options: &RowOptions,
    ) -> Result<Header, MergeError> {
        if names.len() > MAX_COLUMNS {
            let values = [("count", names.len().to_string()), ("limit", MAX_COLUMNS.to_string())];
            return Err(refused(Some(row), "rows.too_many_columns", values));
        }
        let aliases: BTreeMap<String, &String> =
            options.aliases.iter().map(|(name, it)| (fold(name), it)).collect();
        let mut slots = Vec::new();
        let mut unknown = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let alias = aliases.get(&fold(name)).map(|it| it.as_str());
            let slot = self.find(alias.unwrap_or(name));
            let passed = fold(name).is_empty()
                || alias.is_some_and(str::is_empty)
                || self.ignored.contains(&fold(alias.unwrap_or(name)));
            if slot.is_none() && !passed {
                unknown.push((index, name));
            }
            if let Some(first) = slot.and_then(|it| slots.iter().position(|old| *old == Some(it))) {
                let values = [("header", name.clone()), ("other", names[first].clone())];
                return Err(refused_at(row, index, name, "rows.repeated_header", values));
            }
            slots.push(slot);
        }
        let known = slots.iter().flatten().count();
        if known < 2 && known <= unknown.len() {
            let found = names.iter().filter(|it| !it.is_empty()).take(5).cloned();
            let values = [("found", found.collect::<Vec<_>>().join(", "))];
            return Err(refused(Some(row), "rows.no_header", values));
        }
        if let Some((index, name)) = unknown.first() {
            let all = self.columns.iter().flat_map(|it| it.headers.iter().map(String::as_str));
            let others: Vec<&str> = unknown[1..].iter().map(|(_, it)| it.as_str()).collect();
            let values = [
                ("header", (*name).clone()),
                ("nearest", nearest(name, all)),
                ("others", others.join(", ")),
            ];
            return Err(refused_at(row, *index, name, "rows.unknown_column", values));
        }
        Ok(Header { row, names, slots })
    }
}

impl Column {
    /// The header of templates for the n-th repetition, from 0.
    pub fn header(&self, n: usize) -> String {
        if n == 0 { self.headers[0].clone() } else { format!("{} {}", self.headers[0], n + 1) }
    }
}

fn refused_at<const N: usize>(
    row: u64,
    column: usize,
    header: &str,
    code: &'static str,
    values: [(&'static str, String); N],
) -> MergeError {
    let finding = Finding::new(Some(row), Severity::Error, code, values);
    MergeError::Refused(Box::new(finding.at(column, header)))
}

/// Small letters without accents and punctuation, words apart by one space.
pub(crate) fn fold(text: &str) -> String {
    let plain: String = text
        .nfd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .collect::<String>()
        .replace('œ', "oe");
    let words = plain.split(|c: char| !c.is_alphanumeric()).filter(|it| !it.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// The choice that looks most like a text; nothing when none is near.
fn nearest<'a>(text: &str, choices: impl Iterator<Item = &'a str>) -> String {
    let text = fold(text);
    let near = choices
        .map(|it| (strsim::normalized_damerau_levenshtein(&text, &fold(it)), it))
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    near.map_or_else(String::new, |(_, it)| it.to_owned())
}

/// The lists that other templates hold: wire name and labels, French first.
fn of_rulebook(rulebook: &Rulebook) -> Vec<(String, BTreeMap<String, Vec<String>>)> {
    let mut steps: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for tag in [FRENCH, "en"] {
        let Some(catalogue) = rulebook.catalogues.get(tag) else { continue };
        for (key, message) in &catalogue.messages {
            let step = key.strip_prefix("step.").filter(|it| !it.contains('.'));
            if let Some(step) = step {
                steps.entry(step.to_owned()).or_default().push(message.source());
            }
        }
    }
    let languages = rulebook.catalogues.values();
    let languages = languages
        .map(|it| (it.tag.clone(), vec![it.french_name.clone(), it.name.clone()]))
        .collect();
    let mut countries: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for tag in [FRENCH, "en"] {
        for (code, name) in rulebook.countries.get(tag).into_iter().flatten() {
            countries.entry(code.clone()).or_default().push(name.clone());
        }
    }
    let mut nationalities = countries.clone();
    let stateless = vec!["apatride".to_owned(), "stateless".to_owned()];
    nationalities.insert(STATELESS.to_owned(), stateless);
    let offices = rulebook.offices.directorates.values();
    let offices =
        offices.map(|it| (it.id.clone(), vec![it.name.clone(), it.city.clone()])).collect();
    let centres = rulebook.offices.centres.values();
    let centres = centres.map(|it| (it.id.clone(), vec![it.name.clone()])).collect();
    [
        ("step", steps),
        ("language", languages),
        ("country", countries),
        ("nationality", nationalities),
        ("office", offices),
        ("centre", centres),
    ]
    .into_iter()
    .map(|(name, list)| (name.to_owned(), list))
    .collect()
}

/// Folded label -> wire name. A label of two choices stands for neither.
fn by_label(list: &BTreeMap<String, Vec<String>>) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<String, String> = BTreeMap::new();
    for (value, names) in list {
        for name in names {
            let claimed = labels.entry(fold(name)).or_insert_with(|| value.clone());
            if claimed != value {
                claimed.clear();
            }
        }
    }
    labels.extend(list.keys().map(|value| (fold(value), value.clone())));
    labels
}

fn first_labels(list: BTreeMap<String, Vec<String>>) -> BTreeMap<String, String> {
    list.into_iter()
        .map(|(value, names)| {
            let label = names.into_iter().next().unwrap_or_else(|| value.clone());
            (value, label)
        })
        .collect()
}
