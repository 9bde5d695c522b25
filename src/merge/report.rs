//! What the preflight found, for people and programs: lines, CSV, JSON, one page of HTML.
//!
//! A [`Preflight`] in, text out. Everything that was found is in the CSV; lines and page say how much
//! more there is where they stop.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;

use super::preflight::{Acceptance, Preflight};
use super::workbook::field;
use super::{Finding, MergeError};
use crate::assets::Assets;
use crate::document::{Rulebook, Severity};

/// The most findings that a person is shown at once.
const SHOWN: usize = 500;

/// A finding in words.
#[derive(Debug, Clone, Serialize)]
pub struct Said {
    /// The line, as [`Finding::row`].
    pub row: Option<u64>,
    /// `D12`.
    pub cell: String,
    /// The header of the column.
    pub column: String,
    /// How grave it is.
    pub severity: Severity,
    /// The rule.
    pub code: &'static str,
    /// Where in the data of the letter.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: String,
}

/// Puts findings into words.
pub fn say(findings: &[Finding], rulebook: &Rulebook, language: &str) -> Vec<Said> {
    let said = |it: &Finding| {
        let words = rulebook.explanations.explain(&it.problem, language);
        Said {
            row: it.row,
            cell: it.cell(),
            column: it.header.clone(),
            severity: it.problem.severity,
            code: it.problem.code,
            pointer: it.problem.pointer.clone(),
            message: words.message,
            hint: words.hint,
        }
    };
    findings.iter().map(said).collect()
}

/// Lines for a terminal: each finding, its hint the first time; and how many more there are.
pub fn lines(said: &[Said]) -> Vec<String> {
    let mut hinted = BTreeSet::new();
    let mut lines = Vec::new();
    for it in said.iter().take(SHOWN) {
        let place = [it.cell.as_str(), it.column.as_str()];
        let place = place.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ");
        let place = if place.is_empty() { String::new() } else { place + ": " };
        lines.push(format!("{place}{}: {} [{}]", it.severity, it.message, it.code));
        if hinted.insert(it.code) && !it.hint.is_empty() {
            lines.push(format!("    {}", it.hint));
        }
    }
    if said.len() > SHOWN {
        lines.push(format!("… {} more", said.len() - SHOWN));
    }
    lines
}

/// All findings as CSV, as Excel in France opens it.
pub fn csv(said: &[Said]) -> String {
    let mut text = String::from("\u{feff}Ligne;Cellule;Colonne;Gravité;Code;Problème;Conseil\n");
    for it in said {
        let row = it.row.map_or_else(String::new, |it| it.to_string());
        let severity = it.severity.to_string();
        let fields = [&row, &it.cell, &it.column, &severity, it.code, &it.message, &it.hint];
        let fields: Vec<String> = fields.into_iter().map(|it: &str| field(it)).collect();
        text.push_str(&fields.join(";"));
        text.push('\n');
    }
    text
}

/// What the page of a preflight shows.
#[derive(Serialize)]
struct Page<'a> {
    file: &'a str,
    at: &'a str,
    sound: bool,
    preflight: &'a Preflight,
    faulty: usize,
    errors: Vec<Kind<'a>>,
    warnings: Vec<Kind<'a>>,
    rows: Vec<Line<'a>>,
    more: usize,
    languages: Vec<Language<'a>>,
    acceptances: &'a [Acceptance],
}

/// All findings of one code in one column.
#[derive(Serialize)]
pub(crate) struct Kind<'a> {
    code: &'a str,
    count: usize,
    severity: Severity,
    message: &'a str,
    hint: &'a str,
    column: &'a str,
    rows: String,
}

/// A finding with its place.
#[derive(Serialize)]
struct Line<'a> {
    row: Option<u64>,
    cell: &'a str,
    column: &'a str,
    severity: Severity,
    message: &'a str,
}

#[derive(Serialize)]
struct Language<'a> {
    name: &'a str,
    count: u64,
    draft: bool,
}

/// One page of HTML, whole in itself.
pub fn html(
    preflight: &Preflight,
    (file, at): (&str, &str),
    acceptances: &[Acceptance],
    assets: &Assets,
    rulebook: &Rulebook,
) -> Result<String, MergeError> {
    let said = say(&preflight.findings, rulebook, "fr");
    let refusing = |it: &&Said| it.severity.refuses();
    let languages = preflight.languages.iter().map(|(tag, count)| Language {
        name: &rulebook.catalogue(tag).french_name,
        count: *count,
        draft: preflight.drafts.contains(tag),
    });
    let page = Page {
        file,
        at,
        sound: preflight.is_sound(),
        preflight,
        faulty: preflight.faulty.len(),
        errors: kinds(said.iter().filter(refusing)),
        warnings: kinds(said.iter().filter(|it| !refusing(it))),
        rows: said.iter().take(SHOWN).map(Line::of).collect(),
        more: said.len().saturating_sub(SHOWN),
        languages: languages.collect(),
        acceptances,
    };
    fill("preflight.html.j2", assets, &page)
}

/// Fills a template of the merge.
pub(super) fn fill(
    name: &str,
    assets: &Assets,
    page: &impl Serialize,
) -> Result<String, MergeError> {
    let path = format!("templates/merge/{name}");
    let fault = |text: String| MergeError::Template(format!("{path}: {text}"));
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let bytes = assets.get(&path).ok_or_else(|| fault("missing".to_owned()))?;
    let text = std::str::from_utf8(bytes).map_err(|error| fault(error.to_string()))?;
    environment.add_template("page", text).map_err(|error| fault(format!("{error:#}")))?;
    let template = environment.get_template("page").map_err(|error| fault(format!("{error:#}")))?;
    template.render(minijinja::value::Serde(page)).map_err(|error| fault(format!("{error:#}")))
}

/// Findings by code and column, the most frequent first.
pub(crate) fn kinds<'a>(said: impl Iterator<Item = &'a Said>) -> Vec<Kind<'a>> {
    let mut alike: BTreeMap<(&str, &str), Vec<&Said>> = BTreeMap::new();
    said.for_each(|it| alike.entry((it.code, it.column.as_str())).or_default().push(it));
    let mut kinds: Vec<Kind<'a>> = alike
        .into_iter()
        .map(|((code, column), all)| {
            let rows = ranges(all.iter().filter_map(|it| it.row));
            let (message, hint) = (&all[0].message, &all[0].hint);
            Kind { code, column, count: all.len(), severity: all[0].severity, message, hint, rows }
        })
        .collect();
    kinds.sort_by_key(|it| std::cmp::Reverse(it.count));
    kinds
}

/// `2-5, 9, 12-13`; cut where there are many.
fn ranges(rows: impl Iterator<Item = u64>) -> String {
    const SHOWN: usize = 12;
    let mut all: Vec<(u64, u64)> = Vec::new();
    for row in rows.collect::<BTreeSet<_>>() {
        match all.last_mut() {
            Some((_, last)) if *last + 1 == row => *last = row,
            _ => all.push((row, row)),
        }
    }
    let one = |(first, last): &(u64, u64)| {
        if first == last { first.to_string() } else { format!("{first}–{last}") }
    };
    let mut text = all.iter().take(SHOWN).map(one).collect::<Vec<_>>().join(", ");
    if all.len() > SHOWN {
        text.push_str(", …");
    }
    text
}

impl<'a> Line<'a> {
    fn of(said: &'a Said) -> Self {
        let Said { row, cell, column, severity, message, .. } = said;
        Self { row: *row, cell, column, severity: *severity, message }
    }
}
