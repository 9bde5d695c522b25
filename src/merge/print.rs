//! The print run: the letters of those without email, for the machine that folds and fills envelopes.
//!
//! Letters in; PDFs to print, the list of envelopes and the counts for the franking machine out. The
//! same letters always give the same run, numbers and codes, so that a part of it can be printed again
//! after a jam. An envelope holds one letter. What is kept of a letter is what stands in the list: the
//! letters themselves are fetched when their part of the file is laid out.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::MergeError;
use super::workbook::field;
use crate::assets::Assets;
use crate::document::{Document, Rulebook};
use crate::render::{Fit, Joint, Marks, PrintedLetter, Renderer, RunPart, SheetMark, UsedGlyphs};

/// The most envelopes of a file. A PDF/A has at most 8,388,607 objects (ISO 19005-2, 6.1.13), and the
/// tags of an envelope are up to 260.
pub const MOST_ENVELOPES: usize = 30_000;

/// Envelopes that are laid out together: each takes about 3 MB of memory while it is laid out.
const TOGETHER: usize = 50;

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

/// A letter to print, as far as its place in the run goes.
#[derive(Debug, Clone)]
pub struct Letter {
    id: Uuid,
    reference: String,
    postcode: String,
    address: String,
    pages: usize,
    digest: [u8; 32],
}

/// What a run is printed with.
#[derive(Clone, Copy)]
pub struct Press<'a> {
    /// Law, places, sentences.
    pub rulebook: &'a Rulebook,
    /// Pages and fonts.
    pub renderer: &'a Renderer,
    /// What is printed on each letter beside its content.
    pub marks: &'a (dyn Fn(&Document) -> Marks + Sync),
    /// Fetches a letter, as it was issued.
    pub fetch: &'a (dyn Fn(Uuid) -> Result<Document, MergeError> + Sync),
    /// The moment the file is of.
    pub at: DateTime<Utc>,
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

impl Letter {
    /// What a run needs to know of a letter; `id` is what it is fetched by.
    pub fn of(id: Uuid, document: &Document, rulebook: &Rulebook) -> Self {
        let postcode = document.value().pointer("/applicant/address/postcode");
        Self {
            id,
            reference: document.reference().to_owned(),
            postcode: postcode.and_then(|it| it.as_str()).unwrap_or_default().to_owned(),
            address: document.recipient().join(" / "),
            // A letter is one page a language.
            pages: document.content(rulebook).sides.len(),
            digest: document.digest(),
        }
    }
}

impl PrintRun {
    /// Puts letters in order and into envelopes. `duplex`: printed on both sides.
    pub fn plan(mut letters: Vec<Letter>, duplex: bool, post: &Post) -> Self {
        let sheets = |it: &Letter| it.pages.div_ceil(if duplex { 2 } else { 1 });
        letters.sort_by_cached_key(|it| (sheets(it), it.postcode.clone(), it.reference.clone()));
        let mut hash = Sha256::new();
        hash.update([u8::from(duplex)]);
        letters.iter().for_each(|it| hash.update(it.digest));
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

    /// The envelopes of each file of the run, or of those that hold the sheets asked for: one file for
    /// each number of sheets an envelope, by which the machine is set.
    pub fn files(&self, sheets: Option<&RangeInclusive<usize>>) -> Vec<Vec<&Envelope>> {
        let holds = |it: &&Envelope| {
            let mut own = it.first_sheet..it.first_sheet + it.sheets;
            sheets.is_none_or(|asked| own.any(|sheet| asked.contains(&sheet)))
        };
        let chosen: Vec<&Envelope> = self.envelopes.iter().filter(holds).collect();
        let alike = chosen.chunk_by(|one, other| one.sheets == other.sheets);
        alike.flat_map(|it| it.chunks(MOST_ENVELOPES)).map(<[_]>::to_vec).collect()
    }

    /// Writes one file of the run; `progress` is told how many envelopes are in it so far. Answers what
    /// it was written to, and the number of its pages.
    pub fn write<W: Write>(
        &self,
        file: &[&Envelope],
        press: Press<'_>,
        out: W,
        progress: &mut dyn FnMut(usize),
    ) -> Result<(W, usize), MergeError> {
        let span = match file {
            [first, .., last] => format!("{}-{}", first.number, last.number),
            _ => file.first().map_or_else(String::new, |it| it.number.to_string()),
        };
        let name = (format!("{}-{span}", self.id), format!("Tirage {} : plis {span}", self.id));
        let parts: Vec<&[&Envelope]> = file.chunks(TOGETHER).collect();
        // First what all parts have in common: the glyphs that their fonts must have.
        let (mut fits, mut used, mut done) = (Vec::new(), UsedGlyphs::default(), 0);
        on_all_cores(
            &parts,
            |part| measure(part, press),
            |(fit, glyphs)| {
                done += fit.len();
                progress(done / 2);
                fits.push(fit);
                used = std::mem::take(&mut used).with(glyphs);
                Ok(())
            },
        )?;
        let mut joint = Joint::new(out)?;
        let parts: Vec<_> = parts.into_iter().zip(fits).collect();
        let lay_out = |(part, fits): (&[&Envelope], Vec<Fit>)| {
            Ok((self.lay_out(part, &fits, press, &name, &used)?, part.len()))
        };
        on_all_cores(&parts, lay_out, |(part, length)| {
            joint.add(&part, self.duplex)?;
            done += length;
            progress(done / 2);
            Ok(())
        })?;
        Ok(joint.end()?)
    }

    fn lay_out(
        &self,
        part: &[&Envelope],
        fits: &[Fit],
        press: Press<'_>,
        (ident, title): &(String, String),
        used: &UsedGlyphs,
    ) -> Result<RunPart, MergeError> {
        let Press { rulebook, renderer, marks, at, .. } = press;
        let documents = press.letters(part)?;
        let letter = |((envelope, document), fit): ((&&Envelope, _), &Fit)| PrintedLetter {
            document,
            marks: marks(document),
            fit: *fit,
            sheets: (0..envelope.sheets).map(|n| self.mark(envelope, n)).collect(),
        };
        let letters: Vec<_> = part.iter().zip(&documents).zip(fits).map(letter).collect();
        Ok(renderer.print(&letters, self.duplex, (ident, title), used, rulebook, at)?)
    }

    /// The mark of the n-th sheet of an envelope, from 0: run, envelope, sheet n of m, reference.
    fn mark(&self, envelope: &Envelope, n: usize) -> SheetMark {
        let Envelope { number, sheets, .. } = envelope;
        let (n, reference) = (n + 1, &envelope.letter.reference);
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
            let band = it.band.map_or_else(String::new, |it| it.to_string());
            let Letter { reference, postcode, address, .. } = &it.letter;
            let fields = [
                it.number.to_string(),
                it.first_sheet.to_string(),
                it.sheets.to_string(),
                band,
                postcode.clone(),
                reference.clone(),
                address.clone(),
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

impl Press<'_> {
    fn letters(&self, part: &[&Envelope]) -> Result<Vec<Document>, MergeError> {
        part.iter().map(|it| (self.fetch)(it.letter.id)).collect()
    }
}

/// How the letters of a part fit, and their glyphs.
fn measure(part: &[&Envelope], press: Press<'_>) -> Result<(Vec<Fit>, UsedGlyphs), MergeError> {
    let Press { rulebook, renderer, marks, at, .. } = press;
    let (mut used, mut fits) = (UsedGlyphs::default(), Vec::with_capacity(part.len()));
    for document in press.letters(part)? {
        let marks = marks(&document);
        fits.push(renderer.fit_for_run(&document, rulebook, &marks, at, &mut used)?);
    }
    Ok((fits, used))
}

/// Does some work on as many things at once as there are cores; `take` gets what came of each, in order.
fn on_all_cores<T: Clone + Send, R: Send>(
    things: &[T],
    work: impl Fn(T) -> Result<R, MergeError> + Sync,
    mut take: impl FnMut(R) -> Result<(), MergeError>,
) -> Result<(), MergeError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for things in things.chunks(cores) {
        let ends = std::thread::scope(|scope| {
            let work = &work;
            let workers: Vec<_> =
                things.iter().cloned().map(|it| scope.spawn(move || work(it))).collect();
            let end = |it: std::thread::ScopedJoinHandle<'_, _>| match it.join() {
                Ok(end) => end,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            workers.into_iter().map(end).collect::<Result<Vec<_>, MergeError>>()
        })?;
        ends.into_iter().try_for_each(&mut take)?;
    }
    Ok(())
}
