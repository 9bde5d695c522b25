//! The print run: the letters of those without email, for the machine that folds and fills envelopes.
//!
//! Checked letters in; PDFs to print, the list of envelopes and the counts for the franking machine
//! out. The same letters always give the same run, numbers and codes, so that a part of it can be
//! printed again after a jam. An envelope holds one letter.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::MergeError;
use super::preflight::Kit;
use super::workbook::field;
use crate::assets::Assets;
use crate::document::Document;
use crate::render::{Fit, Pdf, PrintedLetter, SheetMark};

/// The most envelopes that are laid out as one document: each takes about 3 MB of memory while it is
/// laid out.
pub const MOST_ENVELOPES: usize = 100;

/// What paper and envelopes weigh, and the bands of the tariff.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Post {
    /// Grams of a sheet.
    pub sheet_grams: f64,
    /// Grams of an envelope.
    pub envelope_grams: f64,
    /// Upper ends of the bands, in grams.
    pub bands: Vec<u32>,
}

/// A letter to print.
#[derive(Debug)]
pub struct Letter {
    /// The letter.
    pub document: Document,
    /// How it fits its pages.
    pub fit: Fit,
}

/// An envelope of the run.
#[derive(Debug)]
pub struct Envelope {
    /// Its number, from 1.
    pub number: usize,
    /// The number of its first sheet in the whole run, from 1.
    pub first_sheet: usize,
    /// How many sheets it holds.
    pub sheets: usize,
    /// The upper end of its band, in grams; nothing above the last one.
    pub band: Option<u32>,
    letter: Letter,
}

/// A print run in the order of printing.
#[derive(Debug)]
pub struct PrintRun {
    /// Eight signs that tell this run from others.
    pub id: String,
    /// Those with fewer sheets first, so that one setting of the machine serves a stretch; among
    /// them by postcode.
    pub envelopes: Vec<Envelope>,
    duplex: bool,
}

/// How many envelopes the franking machine stamps alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The upper end of the band, in grams; nothing above the last one.
    pub band: Option<u32>,
    /// Sheets in each envelope.
    pub sheets: usize,
    /// Envelopes.
    pub envelopes: usize,
}

impl Post {
    /// Reads `templates/merge/post.toml`.
    pub fn load(assets: &Assets) -> Result<Self, MergeError> {
        const PATH: &str = "templates/merge/post.toml";
        let fault = |text: String| MergeError::Template(format!("{PATH}: {text}"));
        let bytes = assets.get(PATH).ok_or_else(|| fault("missing".to_owned()))?;
        let text = std::str::from_utf8(bytes).map_err(|error| fault(error.to_string()))?;
        toml::from_str(text).map_err(|error| fault(error.to_string()))
    }

    fn band(&self, sheets: usize) -> Option<u32> {
        let grams = self.envelope_grams + self.sheet_grams * sheets as f64;
        self.bands.iter().copied().find(|it| grams <= f64::from(*it))
    }
}

impl PrintRun {
    /// Puts letters in order and into envelopes. `duplex`: printed on both sides.
    pub fn plan(mut letters: Vec<Letter>, duplex: bool, post: &Post) -> Self {
        let sheets = |it: &Letter| it.fit.pages().div_ceil(if duplex { 2 } else { 1 });
        letters.sort_by_cached_key(|it| {
            (sheets(it), postcode(&it.document).to_owned(), it.document.reference().to_owned())
        });
        let mut hash = Sha256::new();
        hash.update([u8::from(duplex)]);
        letters.iter().for_each(|it| hash.update(it.document.digest()));
        let id = hash.finalize().iter().take(4).map(|byte| format!("{byte:02X}")).collect();
        let mut first_sheet = 1;
        let envelopes = letters.into_iter().enumerate().map(|(index, letter)| {
            let sheets = sheets(&letter);
            let band = post.band(sheets);
            let envelope = Envelope { number: index + 1, first_sheet, sheets, band, letter };
            first_sheet += sheets;
            envelope
        });
        Self { id, envelopes: envelopes.collect(), duplex }
    }

    /// How many sheets the run has.
    pub fn sheets(&self) -> usize {
        self.envelopes.iter().map(|it| it.sheets).sum()
    }

    /// Renders the run, or the envelopes that hold the sheets asked for: files of at most
    /// [`MOST_ENVELOPES`], in order.
    pub fn pdfs(
        &self,
        sheets: Option<RangeInclusive<usize>>,
        kit: Kit<'_>,
        at: DateTime<Utc>,
    ) -> Result<Vec<Pdf>, MergeError> {
        let holds = |it: &&Envelope| {
            let own = it.first_sheet..it.first_sheet + it.sheets;
            sheets.as_ref().is_none_or(|asked| own.clone().any(|sheet| asked.contains(&sheet)))
        };
        let chosen: Vec<&Envelope> = self.envelopes.iter().filter(holds).collect();
        let files: Vec<&[&Envelope]> = chosen.chunks(MOST_ENVELOPES).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(file) = files.get(index) else { return Ok::<_, MergeError>(done) };
                done.push((index, self.pdf(file, kit, at)?));
            }
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut pdfs = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
            let mut all = Vec::new();
            for worker in workers {
                match worker.join() {
                    Ok(done) => all.extend(done?),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            Ok::<_, MergeError>(all)
        })?;
        pdfs.sort_by_key(|(index, _)| *index);
        Ok(pdfs.into_iter().map(|(_, pdf)| pdf).collect())
    }

    fn pdf(&self, file: &[&Envelope], kit: Kit<'_>, at: DateTime<Utc>) -> Result<Pdf, MergeError> {
        let letters: Vec<PrintedLetter<'_>> = file
            .iter()
            .map(|it| PrintedLetter {
                document: &it.letter.document,
                marks: (kit.marks)(&it.letter.document),
                fit: it.letter.fit,
                sheets: (0..it.sheets).map(|n| self.mark(it, n)).collect(),
            })
            .collect();
        let (first, last) =
            (file.first().map_or(0, |it| it.number), file.last().map_or(0, |it| it.number));
        let ident = format!("{}-{first}-{last}", self.id);
        let title = format!("Tirage {} : plis {first} à {last}", self.id);
        Ok(kit.renderer.print(&letters, self.duplex, (&ident, &title), kit.rulebook, at)?)
    }

    /// The mark of the n-th sheet of an envelope, from 0: run, envelope, sheet n of m, reference.
    fn mark(&self, envelope: &Envelope, n: usize) -> SheetMark {
        let Envelope { number, sheets, .. } = envelope;
        let (n, reference) = (n + 1, envelope.letter.document.reference());
        SheetMark {
            code: format!("{} {number} {n}/{sheets} {reference}", self.id),
            label: format!("{} · {number} · {n}/{sheets}", self.id),
        }
    }

    /// The envelopes as CSV, in the order of the run.
    pub fn list(&self) -> String {
        let mut text = String::from(
            "\u{feff}Pli;Première feuille;Feuilles;Tranche (g);Code postal;Référence;Adresse\n",
        );
        for it in &self.envelopes {
            let document = &it.letter.document;
            let band = it.band.map_or_else(String::new, |it| it.to_string());
            let address = document.recipient().join(" / ");
            let fields = [
                it.number.to_string(),
                it.first_sheet.to_string(),
                it.sheets.to_string(),
                band,
                postcode(document).to_owned(),
                document.reference().to_owned(),
                address,
            ];
            text.push_str(&fields.map(|it| field(&it)).join(";"));
            text.push('\n');
        }
        text
    }

    /// How many envelopes there are of each weight and number of sheets.
    pub fn counts(&self) -> Vec<Count> {
        let mut counts: BTreeMap<(usize, Option<u32>), usize> = BTreeMap::new();
        for it in &self.envelopes {
            *counts.entry((it.sheets, it.band)).or_default() += 1;
        }
        let count = |((sheets, band), envelopes)| Count { band, sheets, envelopes };
        counts.into_iter().map(count).collect()
    }
}

/// The reference of the letter on whose sheet a code stands; nothing where it is no such code.
pub fn reference_of(code: &str) -> Option<&str> {
    let mut parts = code.trim().splitn(4, ' ');
    let (run, number, sheet) = (parts.next()?, parts.next()?, parts.next()?);
    let sound = run.len() == 8 && number.parse::<u32>().is_ok() && sheet.contains('/');
    parts.next().filter(|_| sound)
}

fn postcode(document: &Document) -> &str {
    let found = document.value().pointer("/applicant/address/postcode");
    found.and_then(|it| it.as_str()).unwrap_or_default()
}
