//! Which characters can be printed, asked before a page is laid out.
//!
//! PDF/A and PDF/UA refuse a missing glyph, but name the first one only and too late; here all are
//! found at once, with the fields they stand in.

use std::collections::{BTreeMap, BTreeSet};

use typst::text::{Coverage, FontBook};

use crate::document::{Catalogue, Content, Document, Problem, Rulebook, RulebookError, Severity};

/// What each file of a family can print: its weights.
type Family = Vec<Coverage>;

/// What the fonts can print.
pub(super) struct Glyphs {
    /// Data is set in the fonts of French.
    data: Vec<Family>,
}

impl Glyphs {
    /// Looks up every catalogue's fonts; a font or a glyph that is missing is a fault.
    pub(super) fn new(book: &FontBook, rulebook: &Rulebook) -> Result<Self, RulebookError> {
        let mut faults = Vec::new();
        for (tag, catalogue) in &rulebook.catalogues {
            let path = format!("templates/locales/{tag}.toml");
            for family in catalogue.fonts.iter().filter(|it| family(book, it).is_none()) {
                faults.push(format!("{path}: fonts: there is no font \"{family}\" in fonts/"));
            }
            let families = families(book, catalogue);
            let sentences = catalogue.messages.iter().map(|(key, it)| (key.as_str(), it.text()));
            let countries =
                rulebook.countries[tag].iter().map(|(key, it)| (key.as_str(), it.clone()));
            let words = catalogue.words().map(|text| ("name, dates", text.to_owned()));
            for (key, text) in sentences.chain(countries).chain(words) {
                for c in missing(&families, &text) {
                    let code = u32::from(c);
                    faults.push(format!("{path}: `{key}`: no font has « {c} » (U+{code:04X})"));
                }
            }
        }
        if faults.is_empty() {
            Ok(Self { data: families(book, rulebook.french()) })
        } else {
            Err(RulebookError(faults))
        }
    }

    /// The fields of a document whose printed data has characters that no font has.
    pub(super) fn missing(&self, document: &Document, content: &Content) -> Vec<Problem> {
        let mut unknown = BTreeSet::new();
        content.each_datum(&mut |text| unknown.extend(missing(&self.data, text)));
        let mut fields: BTreeMap<String, BTreeSet<char>> = BTreeMap::new();
        document.each_string(|pointer, text| {
            let found: BTreeSet<char> = text.chars().filter(|c| unknown.contains(c)).collect();
            if !found.is_empty() {
                fields.insert(pointer.to_owned(), found);
            }
        });
        fields
            .into_iter()
            .map(|(pointer, characters)| Problem {
                code: "glyph.missing",
                severity: Severity::Error,
                pointer,
                values: vec![("characters", list(&characters))],
            })
            .collect()
    }
}

fn list(characters: &BTreeSet<char>) -> String {
    let names = characters.iter().map(|c| format!("{c} (U+{:04X})", u32::from(*c)));
    names.collect::<Vec<_>>().join(", ")
}

fn families(book: &FontBook, catalogue: &Catalogue) -> Vec<Family> {
    catalogue.fonts.iter().filter_map(|name| family(book, name)).collect()
}

/// The files of a family; nothing where there is none.
fn family(book: &FontBook, name: &str) -> Option<Family> {
    let files = book.select_family(&name.to_lowercase());
    let files: Family = files.filter_map(|it| Some(book.info(it)?.coverage.clone())).collect();
    (!files.is_empty()).then_some(files)
}

/// The characters of a text that no family has in all its weights; spaces need no glyph.
fn missing<'a>(families: &'a [Family], text: &'a str) -> impl Iterator<Item = char> + 'a {
    text.chars().filter(|c| !c.is_whitespace()).filter(|c| {
        let has = |family: &Family| family.iter().all(|file| file.contains(u32::from(*c)));
        !families.iter().any(has)
    })
}
