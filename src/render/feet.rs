//! The feet of a contract's pages: "1 of 4", and the boxes for initials on all pages but the last.
//!
//! A footer that looks up its page makes Typst lay out the whole document once more. The template sets
//! the feet on pages of their own behind the text instead, for as many pages as a contract in this
//! language had before, and they are laid under the pages here. Where the guess was wrong the layout is
//! repeated, with most of it remembered: the pages come out the same whatever was guessed.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use typst::layout::Point;
use typst_layout::PagedDocument;

use super::{Diagnostic, RenderError};

/// How many pages the last contract in each language had.
#[derive(Debug, Default)]
pub(super) struct Lengths(Mutex<HashMap<String, usize>>);

impl Lengths {
    /// The pages of a contract in the language `tag`, each with its foot; `compile` lays them out with
    /// the feet of so many pages behind them.
    pub(super) fn lay_out(
        &self,
        tag: &str,
        mut compile: impl FnMut(usize) -> Result<PagedDocument, RenderError>,
    ) -> Result<PagedDocument, RenderError> {
        let mut guess = self.lengths().get(tag).copied().unwrap_or(4);
        // The feet change nothing in the pages before them, so the second guess is right.
        for _ in 0..2 {
            let paged = compile(guess)?;
            let pages = paged.pages().len().saturating_sub(guess);
            if pages == guess {
                self.lengths().insert(tag.to_owned(), pages);
                return Ok(with_feet(paged, pages));
            }
            guess = pages;
        }
        Err(RenderError::Template(vec![Diagnostic {
            place: "templates/document".to_owned(),
            message: "the contract does not set as many feet as `data.pages` says".to_owned(),
            hints: vec!["call `feet` of lib/page.typ after the text, with `data.pages`".to_owned()],
        }]))
    }

    fn lengths(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        let Self(lengths) = self;
        lengths.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn with_feet(mut paged: PagedDocument, pages: usize) -> PagedDocument {
    let info = paged.info_mut().clone();
    let (text, feet) = paged.pages().split_at(pages);
    let whole = text.iter().zip(feet).map(|(page, foot)| {
        let mut page = page.clone();
        page.frame.push_frame(Point::zero(), foot.frame.clone());
        page
    });
    PagedDocument::new(whole.collect(), info)
}
