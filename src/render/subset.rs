//! The glyphs of a whole print run, so that every part of it embeds the same subset of each font.
//!
//! Laid-out letters in; a page that shows each of their glyphs once out. It stands before the first page
//! of every part while the part becomes a file, and is left out when parts are joined: since the PDF
//! writer numbers glyphs as they come, the parts' fonts are then alike byte for byte and written once.

use std::collections::{BTreeMap, HashMap, btree_map, hash_map};

use typst::layout::{Abs, Frame, FrameItem, Point};
use typst::text::{FontInstance, Glyph, TextItem};
use typst_layout::{Page, PagedDocument};

/// Glyphs by font: how each is set, and the text that it stands for.
#[derive(Default)]
pub struct UsedGlyphs(HashMap<FontInstance, Font>);

struct Font {
    /// A run of the font, for all that a run has beside its glyphs.
    sample: TextItem,
    glyphs: BTreeMap<u16, (String, Glyph)>,
}

impl UsedGlyphs {
    /// Adds those of pages.
    pub(super) fn see(&mut self, paged: &PagedDocument) {
        paged.pages().iter().for_each(|page| self.see_frame(&page.frame));
    }

    fn see_frame(&mut self, frame: &Frame) {
        for (_, item) in frame.items() {
            match item {
                FrameItem::Group(group) => self.see_frame(&group.frame),
                FrameItem::Text(run) => {
                    let font = self.font(run);
                    for glyph in &run.glyphs {
                        let text = run.text[glyph.range()].to_owned();
                        font.add(glyph.id, (text, glyph.clone()));
                    }
                }
                _ => {}
            }
        }
    }

    fn font(&mut self, run: &TextItem) -> &mut Font {
        match self.0.entry(run.font.clone()) {
            hash_map::Entry::Occupied(known) => known.into_mut(),
            hash_map::Entry::Vacant(new) => {
                new.insert(Font { sample: run.clone(), glyphs: BTreeMap::new() })
            }
        }
    }

    /// Those of two stretches of a run.
    pub fn with(mut self, other: Self) -> Self {
        for (_, Font { sample, glyphs }) in other.0 {
            let font = self.font(&sample);
            glyphs.into_iter().for_each(|(id, glyph)| font.add(id, glyph));
        }
        self
    }

    /// A page like another on which each glyph stands once.
    pub(super) fn page(&self, like: &Page) -> Page {
        let mut frame = Frame::hard(like.frame.size());
        for font in self.0.values() {
            for (text, glyph) in font.glyphs.values() {
                let length = u16::try_from(text.len()).unwrap_or_default();
                let glyphs = vec![Glyph { range: 0..length, ..glyph.clone() }];
                let run = TextItem { text: text.as_str().into(), glyphs, ..font.sample.clone() };
                frame.push(Point::splat(Abs::pt(100.0)), FrameItem::Text(run));
            }
        }
        Page { frame, ..like.clone() }
    }
}

impl Font {
    /// A glyph that stands for several texts is noted with the same one whatever comes first.
    fn add(&mut self, id: u16, glyph: (String, Glyph)) {
        match self.glyphs.entry(id) {
            btree_map::Entry::Vacant(new) => {
                new.insert(glyph);
            }
            btree_map::Entry::Occupied(mut known) => {
                if glyph.0 < known.get().0 {
                    known.insert(glyph);
                }
            }
        }
    }
}
