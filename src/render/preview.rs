//! One page as an image, for a screen: the page that [`Renderer::render`] would print.

use chrono::{DateTime, Utc};
use typst_render::RenderOptions;

use super::{Haste, Marks, RenderError, Renderer};
use crate::document::{Document, Rulebook};

/// A page as an image.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The page as PNG; none: there is no such page.
    pub png: Option<Vec<u8>>,
    /// How many pages there are.
    pub pages: usize,
}

impl Renderer {
    /// Renders one page, counted from 1, with so many pixels an inch.
    pub fn preview(
        &self,
        document: &Document,
        rulebook: &Rulebook,
        marks: &Marks,
        at: DateTime<Utc>,
        page: usize,
        dpi: u32,
    ) -> Result<Preview, RenderError> {
        self.on_its_own(Haste::Desk, || {
            let content = document.content(rulebook);
            let (paged, _) = self.place(document, &content, marks, at)?;
            let options = RenderOptions {
                pixel_per_pt: (f64::from(dpi) / 72.0).into(),
                ..RenderOptions::default()
            };
            let found = page.checked_sub(1).and_then(|it| paged.pages().get(it));
            let png = found.and_then(|it| typst_render::render(it, &options).encode_png().ok());
            Ok(Preview { png, pages: paged.pages().len() })
        })
    }
}
