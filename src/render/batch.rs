//! Many letters at once: whether each fits, and parts of a print run as documents of their own.
//!
//! The tags, the outline, PDF/A-2a and PDF/UA-1 come from the same hand as those of a single letter;
//! [`Joint`](super::Joint) makes one file of the parts.

use chrono::{DateTime, Utc};
use serde::Serialize;
use typst::foundations::{Bytes, Smart};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, Timestamp};

use super::matrix::Matrix;
use super::qr::{Codes, Qr};
use super::runs::in_reading_order;
use super::{
    Data, Density, Haste, Marks, RenderError, Renderer, UsedGlyphs, json, overflow, world,
};
use crate::document::{Content, Document, Problem, Rulebook, Severity};

/// How a letter fits its pages; only [`Renderer::fit`] makes one.
#[derive(Debug, Clone, Copy)]
pub struct Fit {
    pages: usize,
    density: Density,
}

/// A letter of a print run.
#[derive(Debug)]
pub struct PrintedLetter<'a> {
    /// The letter.
    pub document: &'a Document,
    /// What is printed beside its content.
    pub marks: Marks,
    /// How it fits, from [`Renderer::fit`] with the same marks.
    pub fit: Fit,
    /// The mark of each sheet: one where it is printed on both sides, else one a page.
    pub sheets: Vec<SheetMark>,
}

/// What stands at the edge of a sheet for the machine that fills envelopes.
#[derive(Debug, Clone)]
pub struct SheetMark {
    /// What its Data Matrix says, in ASCII.
    pub code: String,
    /// The same for a person, short.
    pub label: String,
}

/// A part of a print run; only [`Renderer::print`] makes one. Its first page shows the glyphs of the run
/// and is no page of it.
#[derive(Debug)]
pub struct RunPart {
    pub(super) bytes: Vec<u8>,
    /// Without the first one.
    pub(super) pages: usize,
}

/// What the page template reads.
#[derive(Serialize)]
struct Run<'a> {
    letters: Vec<Marked<'a>>,
    duplex: bool,
}

#[derive(Serialize)]
struct Marked<'a> {
    #[serde(flatten)]
    data: Data<'a>,
    marks: Vec<Option<Mark<'a>>>,
}

#[derive(Serialize)]
struct Mark<'a> {
    #[serde(flatten)]
    matrix: Matrix,
    label: &'a str,
}

impl Fit {
    /// How many pages the letter takes.
    pub fn pages(self) -> usize {
        self.pages
    }

    /// Whether it had to be set closely, as the longest letters are.
    pub fn is_compact(self) -> bool {
        self.density != Density::Normal
    }
}

impl Renderer {
    /// Lays a document out and throws the pages away: what [`Renderer::render`] would refuse is
    /// refused here, for less than half the price.
    pub fn fit(
        &self,
        document: &Document,
        rulebook: &Rulebook,
        marks: &Marks,
        at: DateTime<Utc>,
    ) -> Result<Fit, RenderError> {
        self.on_its_own(Haste::Merge, || {
            let content = document.content(rulebook);
            let (paged, density) = self.place(document, &content, marks, at)?;
            Ok(Fit { pages: paged.pages().len(), density })
        })
    }

    /// The same, and the glyphs that the letter is set with.
    pub fn fit_for_run(
        &self,
        document: &Document,
        rulebook: &Rulebook,
        marks: &Marks,
        at: DateTime<Utc>,
        used: &mut UsedGlyphs,
    ) -> Result<Fit, RenderError> {
        self.on_its_own(Haste::Merge, || {
            let content = document.content(rulebook);
            let (paged, density) = self.place(document, &content, marks, at)?;
            let fit = Fit { pages: paged.pages().len(), density };
            used.see(&in_reading_order(paged));
            Ok(fit)
        })
    }

    /// Renders letters as one part of a run, in the order given; `used` are the glyphs of the whole run.
    ///
    /// `duplex`: printed on both sides, so that each letter begins on a front. `ident` is the
    /// file's, `title` its title. Every page is that of the single letter, with the marks of the
    /// sheets beside it.
    pub fn print(
        &self,
        letters: &[PrintedLetter<'_>],
        duplex: bool,
        (ident, title): (&str, &str),
        used: &UsedGlyphs,
        rulebook: &Rulebook,
        at: DateTime<Utc>,
    ) -> Result<RunPart, RenderError> {
        self.on_its_own(Haste::Merge, || {
            let contents: Vec<Content> =
                letters.iter().map(|it| it.document.content(rulebook)).collect();
            let mut codes = Codes::default();
            let run = Run {
                letters: letters
                    .iter()
                    .zip(&contents)
                    .map(|(letter, content)| {
                        let qr = letter.marks.verify_url.as_deref().and_then(|it| codes.add(it));
                        Marked::of(letter, content, qr, duplex)
                    })
                    .collect(),
                duplex,
            };
            let mut sheet = self.shared.sheet(self.shared.convocation, at);
            sheet.data = json(&run);
            sheet.codes = Bytes::new(codes.into_pixels());
            let mut paged = self.compile(&sheet)?;
            let mut start = 0;
            for (letter, content) in letters.iter().zip(&contents) {
                let length = content.sides.len();
                let pages = paged.pages().get(start..start + length).unwrap_or_default();
                let problems = overflow::problems(pages, letter.document, content);
                if !problems.is_empty() {
                    return Err(RenderError::Data(problems));
                }
                start += if duplex { length.next_multiple_of(2) } else { length };
            }
            let last = contents.last().map_or(0, |it| if duplex { it.sides.len() % 2 } else { 0 });
            if paged.pages().len() != start - last {
                return Err(RenderError::Data(vec![too_many(paged.pages().len(), start - last)]));
            }
            let info = paged.info_mut();
            info.title = Some(title.into());
            info.author =
                contents.first().map(|it| it.author.as_str().into()).into_iter().collect();
            let pages = paged.pages().len();
            let options = PdfOptions {
                ident: Smart::Custom(ident.to_owned()),
                creator: Smart::Custom(Some(
                    concat!("Paraphe ", env!("CARGO_PKG_VERSION")).to_owned(),
                )),
                timestamp: world::datetime(at).map(Timestamp::new_utc),
                standards: self.letters.clone(),
                ..PdfOptions::default()
            };
            let mut paged = in_reading_order(paged);
            let info = paged.info_mut().clone();
            let glyphs = paged.pages().first().map(|it| used.page(it));
            let whole = glyphs.into_iter().chain(paged.pages().iter().cloned()).collect();
            let whole = PagedDocument::new(whole, info);
            let bytes = typst_pdf::pdf(&whole, &options)
                .map_err(|errors| super::diagnostic::error(&sheet, &errors))?;
            Ok(RunPart { bytes, pages })
        })
    }
}

impl<'a> Marked<'a> {
    fn of(
        letter: &'a PrintedLetter<'_>,
        content: &'a Content,
        qr: Option<Qr>,
        duplex: bool,
    ) -> Self {
        let density = letter.fit.density;
        let data = Data { content, specimen: letter.marks.specimen, density, qr, pages: None };
        let sheet = |page: usize| match (duplex, page) {
            (true, 0) => letter.sheets.first(),
            (true, _) => None,
            (false, page) => letter.sheets.get(page),
        };
        let mark = |it: &'a SheetMark| {
            Some(Mark { matrix: Matrix::of(&it.code)?, label: it.label.as_str() })
        };
        let marks = (0..content.sides.len()).map(|page| sheet(page).and_then(mark)).collect();
        Self { data, marks }
    }
}

fn too_many(pages: usize, limit: usize) -> Problem {
    Problem {
        code: "page.too_many",
        severity: Severity::Error,
        pointer: String::new(),
        values: vec![("pages", pages.to_string()), ("limit", limit.to_string())],
    }
}
