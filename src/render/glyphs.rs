//! Which characters can be printed, asked before a page is laid out.
//!
//! PDF/A and PDF/UA refuse a missing glyph, but name the first one only and too late; here all are
//! found at once, with the fields they stand in.

use std::collections::{BTreeMap, BTreeSet};

use typst::text::{Coverage, FontBook, FontWeight};

use crate::document::{
    Content, Document, OWN_SCRIPT, Printed, Problem, Rulebook, RulebookError, Severity,
};

/// What each file of a family can print: its weights, the regular one first.
type Family = Vec<Coverage>;

/// What the fonts can print.
pub(super) struct Glyphs {
    families: BTreeMap<String, Family>,
    /// Data is set in the fonts of French.
    data: Vec<String>,
}

impl Glyphs {
    /// Looks up every catalogue's fonts; a font or a glyph that is missing is a fault.
    pub(super) fn new(book: &FontBook, rulebook: &Rulebook) -> Result<Self, RulebookError> {
        let mut faults = Vec::new();
        let names = rulebook.catalogues.values().flat_map(|it| &it.fonts);
        let families = names.filter_map(|name| Some((name.clone(), family(book, name)?))).collect();
        let glyphs = Self { families, data: rulebook.french().fonts.clone() };
        for (tag, catalogue) in &rulebook.catalogues {
            for name in catalogue.fonts.iter().filter(|it| !glyphs.families.contains_key(*it)) {
                faults
                    .push(catalogue.fault("fonts", &format!(": no \"{name}\" in fonts/: add it")));
            }
            let own = catalogue.fonts.as_slice();
            let sentences = catalogue.messages.iter().map(|(key, it)| (key.as_str(), it.text()));
            let texts: Vec<_> = sentences.chain(catalogue.words()).collect();
            let data: Vec<_> = catalogue.dates.data().collect();
            for (texts, fonts) in [(&texts, own), (&data, &glyphs.data)] {
                // Each character is looked up once: in a font that costs more than in a text.
                let printed: BTreeSet<char> = texts.iter().flat_map(|(_, it)| it.chars()).collect();
                let lacking = glyphs.lacking(printed, fonts, Family::len);
                for (key, text) in texts {
                    for c in text.chars().filter(|c| lacking.contains(c)) {
                        let code = u32::from(c);
                        let cure = format!(": no font has « {c} » (U+{code:04X}): choose another");
                        faults.push(catalogue.fault(key, &cure));
                    }
                }
            }
            for (key, text) in &rulebook.countries[tag] {
                for c in glyphs.lacking(text.chars(), own, Family::len) {
                    let code = u32::from(c);
                    let place = format!("templates/countries/{tag}.toml: `{key}`");
                    faults.push(format!("{place}: no font has « {c} » (U+{code:04X})"));
                }
            }
        }
        if faults.is_empty() { Ok(glyphs) } else { Err(RulebookError(faults)) }
    }

    /// The fields of a document whose printed data has characters that no font has.
    pub(super) fn missing(&self, document: &Document, content: &Content) -> Vec<Problem> {
        let (mut unknown, mut unknown_own) = (BTreeSet::new(), BTreeSet::new());
        content.each_printed(&mut |datum| match datum {
            Printed::Latin(text) => {
                unknown.extend(self.lacking(text.chars(), &self.data, Family::len));
            }
            // Such a name is never bold.
            Printed::Own(it) => {
                unknown_own.extend(self.lacking(it.name().chars(), it.fonts(), |_| 1))
            }
        });
        let mut fields: BTreeMap<String, BTreeSet<char>> = BTreeMap::new();
        document.each_string(|pointer, text| {
            let unknown = if pointer.ends_with(OWN_SCRIPT) { &unknown_own } else { &unknown };
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

    /// Which characters none of the fonts has in as many of its weights as are `wanted`; spaces need no
    /// glyph.
    fn lacking(
        &self,
        characters: impl IntoIterator<Item = char>,
        fonts: &[String],
        wanted: impl Fn(&Family) -> usize,
    ) -> Vec<char> {
        let families: Vec<_> = fonts.iter().filter_map(|name| self.families.get(name)).collect();
        let has = |family: &&Family, c: char| {
            family.iter().take(wanted(family)).all(|file| file.contains(u32::from(c)))
        };
        let printed = |c: char| c.is_whitespace() || families.iter().any(|it| has(it, c));
        characters.into_iter().filter(|c| !printed(*c)).collect()
    }
}

fn list(characters: &BTreeSet<char>) -> String {
    let names = characters.iter().map(|c| format!("{c} (U+{:04X})", u32::from(*c)));
    names.collect::<Vec<_>>().join(", ")
}

/// The files of a family; nothing where there is none.
fn family(book: &FontBook, name: &str) -> Option<Family> {
    let mut files: Vec<_> =
        book.select_family(&name.to_lowercase()).filter_map(|it| book.info(it)).collect();
    files.sort_by_key(|it| it.variant.weight != FontWeight::REGULAR);
    let files: Family = files.into_iter().map(|it| it.coverage.clone()).collect();
    (!files.is_empty()).then_some(files)
}
