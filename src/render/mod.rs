//! Step 2: a checked document becomes a tagged, archivable PDF.
//!
//! Pure and synchronous: no clock, no network, no system fonts. The same document, marks, assets and
//! `at` give the same bytes. Letters are PDF/UA-1 and PDF/A-2a; contracts are PDF/UA-1 and PDF/A-3a,
//! since they carry their data as an attachment.

mod batch;
mod diagnostic;
mod feet;
mod glyphs;
mod join;
mod lanes;
mod matrix;
mod overflow;
mod preview;
mod qr;
mod reading;
mod runs;
mod subset;
mod world;

use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, Utc};
use serde::Serialize;
use typst::diag::Warned;
use typst::foundations::{Bytes, Smart};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards, Timestamp};

use crate::assets::Assets;
use crate::document::{Body, Content, Document, Problem, Rulebook, RulebookError};

pub use batch::{Fit, PrintedLetter, RunPart, SheetMark};
pub use diagnostic::Diagnostic;
use feet::Lengths;
use glyphs::Glyphs;
pub use join::{JoinError, Joint};
pub use lanes::Haste;
use lanes::Lanes;
pub use preview::Preview;
use qr::{Codes, Qr};
pub use subset::UsedGlyphs;
use world::{Shared, Sheet};

/// The most pages a contract may take.
pub const MAX_CONTRACT_PAGES: usize = 8;

/// How many pages are laid out between two sweeps of the layout cache, and how many sweeps an unused
/// entry survives. Measured: memory stays flat, what two dozen languages in turn share stays cached, and
/// no document pays for the sweep of many.
const SWEEP_EVERY: usize = 16;
const SWEEP_AGE: usize = 3;

/// Page templates and fonts, loaded once, shared by every rendering on every thread.
pub struct Renderer {
    shared: Shared,
    glyphs: Glyphs,
    letters: PdfStandards,
    contracts: PdfStandards,
    lengths: Lengths,
    lanes: Lanes,
    /// Pages since the last sweep.
    laid_out: AtomicUsize,
}

/// What is printed on a document beside its content.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    /// Where a reader can verify the document; printed as a QR mark.
    pub verify_url: Option<String>,
    /// Whether each page says that it is a specimen.
    pub specimen: bool,
}

/// A rendered PDF, not yet sealed. Only [`Renderer::render`] makes one.
#[derive(Debug, Clone)]
pub struct Pdf {
    bytes: Vec<u8>,
    pages: usize,
}

/// Why a rendering failed.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The data cannot be set: characters without glyph, text that leaves its place, too many pages.
    #[error("the data does not fit the page")]
    Data(Vec<Problem>),
    /// A page template is at fault, or the PDF would break a standard.
    #[error("a page template is at fault:\n{}", diagnostic::lines(.0))]
    Template(Vec<Diagnostic>),
}

/// What a page template reads: the content and how to set it.
#[derive(Serialize)]
struct Data<'a> {
    #[serde(flatten)]
    content: &'a Content,
    specimen: bool,
    density: Density,
    #[serde(skip_serializing_if = "Option::is_none")]
    qr: Option<Qr>,
    /// How many pages have a foot to be laid under them: see [`feet`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pages: Option<usize>,
}

/// How closely a letter is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Density {
    Normal,
    Compact,
    Tight,
}

impl Renderer {
    /// Loads templates and fonts; every sentence of every catalogue must have its glyphs.
    pub fn new(assets: &Assets, rulebook: &Rulebook) -> Result<Self, RulebookError> {
        let shared = Shared::load(assets, rulebook)?;
        let glyphs = Glyphs::new(&shared.book, rulebook)?;
        let standards = |list: &[PdfStandard]| {
            PdfStandards::new(list)
                .map_err(|error| RulebookError(vec![error.message().to_string()]))
        };
        Ok(Self {
            shared,
            glyphs,
            letters: standards(&[PdfStandard::A_2a, PdfStandard::Ua_1])?,
            contracts: standards(&[PdfStandard::A_3a, PdfStandard::Ua_1])?,
            lengths: Lengths::default(),
            lanes: Lanes::default(),
            laid_out: AtomicUsize::new(0),
        })
    }

    /// Renders a document as of `at`.
    ///
    /// `haste`: who waits for it. A letter that does not fit its page is set once more, more closely; nothing is ever cut.
    pub fn render(
        &self,
        document: &Document,
        rulebook: &Rulebook,
        marks: &Marks,
        at: DateTime<Utc>,
        haste: Haste,
    ) -> Result<Pdf, RenderError> {
        self.on_its_own(haste, || {
            let content = document.content(rulebook);
            let pages = self.typeset(document, &content, marks, at)?;
            self.export(runs::in_reading_order(pages), &content, at)
        })
    }

    /// Does on one thread what takes a core for a document, its rendering among it, and waits for it: see [`lanes`].
    pub fn on_one_thread<T: Send>(&self, haste: Haste, work: impl FnOnce() -> T + Send) -> T {
        self.lanes.run(haste, work)
    }

    /// A rendering on a thread of its own, after which the layout cache is kept from growing: after a failure too, for
    /// a failed layout fills it as well.
    fn on_its_own<T: Send>(&self, haste: Haste, render: impl FnOnce() -> T + Send) -> T {
        self.lanes.run(haste, || {
            let done = render();
            if self.laid_out.load(Ordering::Relaxed) >= SWEEP_EVERY {
                let pages = self.laid_out.swap(0, Ordering::Relaxed);
                // Many pages laid out at once make older ones as old as if they had come one by one.
                for _ in 0..(pages / SWEEP_EVERY).min(SWEEP_AGE) {
                    comemo::evict(SWEEP_AGE);
                }
            }
            done
        })
    }

    /// Typst's layout. A warning is an error too.
    fn compile(&self, sheet: &Sheet<'_>) -> Result<PagedDocument, RenderError> {
        let Warned { output, warnings } = typst::compile::<PagedDocument>(sheet);
        let pages = output.as_ref().map_or(1, |it| it.pages().len());
        self.laid_out.fetch_add(pages, Ordering::Relaxed);
        let paged = output.map_err(|errors| diagnostic::error(sheet, &errors))?;
        if warnings.is_empty() { Ok(paged) } else { Err(diagnostic::error(sheet, &warnings)) }
    }

    /// The laid-out pages of a document as of `at`, before they become a file: for pictures of them.
    pub fn pages(
        &self,
        document: &Document,
        rulebook: &Rulebook,
        marks: &Marks,
        at: DateTime<Utc>,
    ) -> Result<PagedDocument, RenderError> {
        self.on_its_own(Haste::Desk, || {
            self.typeset(document, &document.content(rulebook), marks, at)
        })
    }

    fn typeset(
        &self,
        document: &Document,
        content: &Content,
        marks: &Marks,
        at: DateTime<Utc>,
    ) -> Result<PagedDocument, RenderError> {
        let (mut paged, _) = self.place(document, content, marks, at)?;
        self.describe(&mut paged, content);
        Ok(paged)
    }

    fn export(
        &self,
        paged: PagedDocument,
        content: &Content,
        at: DateTime<Utc>,
    ) -> Result<Pdf, RenderError> {
        let options = PdfOptions {
            ident: Smart::Custom(content.reference.clone()),
            creator: Smart::Custom(Some(concat!("Paraphe ", env!("CARGO_PKG_VERSION")).to_owned())),
            timestamp: world::datetime(at).map(Timestamp::new_utc),
            standards: match content.body {
                Body::Convocation(_) => self.letters.clone(),
                Body::Contract(_) | Body::Family(_) => self.contracts.clone(),
            },
            ..PdfOptions::default()
        };
        let bytes = typst_pdf::pdf(&paged, &options)
            .map_err(|errors| self.template_error(&errors, content))?;
        Ok(Pdf { bytes, pages: paged.pages().len() })
    }

    /// Lays a document out so that everything has its glyphs and its place.
    fn place(
        &self,
        document: &Document,
        content: &Content,
        marks: &Marks,
        at: DateTime<Utc>,
    ) -> Result<(PagedDocument, Density), RenderError> {
        let missing = self.glyphs.missing(document, content);
        if !missing.is_empty() {
            return Err(RenderError::Data(missing));
        }
        let mut codes = Codes::default();
        let qr = marks.verify_url.as_deref().and_then(|it| codes.add(it));
        let mut sheet = self.shared.sheet(self.shared.main(&content.body), at);
        sheet.attachment = json(&content.printed());
        sheet.codes = Bytes::new(codes.into_pixels());
        let mut lay_out = |density| match content.body {
            Body::Convocation(_) => {
                sheet.data =
                    json(&Data { content, specimen: marks.specimen, density, qr, pages: None });
                self.compile(&sheet)
            }
            Body::Contract(_) | Body::Family(_) => {
                let tag = content.sides.last().map_or("fr", |it| &it.tag);
                self.lengths.lay_out(tag, |pages| {
                    let pages = Some(pages);
                    sheet.data =
                        json(&Data { content, specimen: marks.specimen, density, qr, pages });
                    self.compile(&sheet)
                })
            }
        };
        let mut density = Density::Normal;
        let mut paged = lay_out(density)?;
        let mut problems = overflow::problems(paged.pages(), document, content);
        for closer in [Density::Compact, Density::Tight] {
            if problems.is_empty() || !matches!(content.body, Body::Convocation(_)) {
                break;
            }
            density = closer;
            paged = lay_out(density)?;
            problems = overflow::problems(paged.pages(), document, content);
        }
        if problems.is_empty() { Ok((paged, density)) } else { Err(RenderError::Data(problems)) }
    }

    /// The real metadata: set here and not in the template, where a value of its own would make the
    /// layout cache miss every static paragraph.
    fn describe(&self, paged: &mut PagedDocument, content: &Content) {
        let info = paged.info_mut();
        info.title = Some(content.heading.as_str().into());
        info.author = vec![content.author.as_str().into()];
        info.description = Some(content.subject.as_str().into());
    }

    fn template_error(
        &self,
        errors: &[typst::diag::SourceDiagnostic],
        content: &Content,
    ) -> RenderError {
        let sheet = self.shared.sheet(self.shared.main(&content.body), DateTime::default());
        diagnostic::error(&sheet, errors)
    }
}

impl Pdf {
    /// The file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many pages it has.
    pub fn pages(&self) -> usize {
        self.pages
    }
}

/// Our own types always encode: they hold no map with keys that are not strings.
fn json(data: &impl Serialize) -> Bytes {
    Bytes::new(serde_json::to_vec(data).unwrap_or_default())
}
