//! Which characters can be printed, asked before a page is laid out.
//!
//! PDF/A and PDF/UA refuse a missing glyph, but name the first one only and too late; here all are
//! found at once, with the fields they stand in.

use std::collections::{BTreeMap, BTreeSet};

use typst::text::{Coverage, FontBook};

use crate::document::{Catalogue, Content, Document, Problem, Rulebook, RulebookError, Severity};

/// What the fonts can print.
pub(super) struct Glyphs {
    /// Data is set in the fonts of French.
    data: Vec<Coverage>,
}

impl Glyphs {
    /// Looks up every catalogue's fonts; a font or a glyph that is missing is a fault.
    pub(super) fn new(book: &FontBook, rulebook: &Rulebook) -> Result<Self, RulebookError> {
        let mut faults = Vec::new();
        for (tag, catalogue) in &rulebook.catalogues {
            let path = format!("templates/locales/{tag}.toml");
            for family in catalogue.fonts.iter().filter(|it| coverage(book, it).is_none()) {
                faults.push(format!("{path}: fonts: there is no font \"{family}\" in fonts/"));
            }
            let coverage = coverages(book, catalogue);
            let sentences = catalogue.messages.iter().map(|(key, it)| (key.as_str(), it.text()));
            let countries =
                rulebook.countries[tag].iter().map(|(key, it)| (key.as_str(), it.clone()));
            for (key, text) in sentences.chain(countries) {
                for c in missing(&coverage, &text) {
                    let code = u32::from(c);
                    faults.push(format!("{path}: `{key}`: no font has « {c} » (U+{code:04X})"));
                }
            }
        }
        if faults.is_empty() {
            Ok(Self { data: coverages(book, rulebook.french()) })
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

fn coverages(book: &FontBook, catalogue: &Catalogue) -> Vec<Coverage> {
    catalogue.fonts.iter().filter_map(|family| coverage(book, family)).collect()
}

fn coverage(book: &FontBook, family: &str) -> Option<Coverage> {
    let index = book.select_family(&family.to_lowercase()).next()?;
    book.info(index).map(|info| info.coverage.clone())
}

/// The characters of a text that no font has; spaces need no glyph.
fn missing<'a>(fonts: &'a [Coverage], text: &'a str) -> impl Iterator<Item = char> + 'a {
    text.chars()
        .filter(|c| !c.is_whitespace())
        .filter(|c| !fonts.iter().any(|font| font.contains(u32::from(*c))))
}
