//! Text that would leave its cell, its box or the page, found in the laid-out frames.
//!
//! The templates wrap every cell and column in a block, which Typst keeps as a hard frame of known
//! size. Text must lie within the nearest one; a box must lie within the one around it.

use typst::layout::{Abs, Frame, FrameItem, Point};
use typst::text::{Glyph, TextItem};
use typst_layout::Page;

use super::MAX_CONTRACT_PAGES;
use crate::document::{Body, Content, Document, Problem, Severity};

/// How far text may stand out: in a right-to-left paragraph Typst shifts a line of French by the
/// space at its end. Cells are wider apart than this.
fn tolerance() -> Abs {
    Abs::mm(1.2)
}

/// What does not fit: text outside its place, and pages beyond the number allowed.
pub(super) fn problems(pages: &[Page], document: &Document, content: &Content) -> Vec<Problem> {
    let mut found = Vec::new();
    for (index, page) in pages.iter().enumerate() {
        let area = Area::of(&page.frame, Point::zero());
        let mut outside = Vec::new();
        walk(&page.frame, Point::zero(), area, &mut outside);
        found.extend(outside.into_iter().map(|text| Problem {
            code: "page.overflow",
            severity: Severity::Error,
            pointer: field_of(document, &text),
            values: vec![("page", (index + 1).to_string()), ("text", text)],
        }));
    }
    let limit = match content.body {
        Body::Convocation(_) => content.sides.len(),
        Body::Contract(_) | Body::Family(_) => MAX_CONTRACT_PAGES,
    };
    if pages.len() > limit {
        found.push(Problem {
            code: "page.too_many",
            severity: Severity::Error,
            pointer: String::new(),
            values: vec![("pages", pages.len().to_string()), ("limit", limit.to_string())],
        });
    }
    found
}

/// Where text may stand, in coordinates of the page.
#[derive(Clone, Copy)]
struct Area {
    left: Abs,
    right: Abs,
    top: Abs,
    bottom: Abs,
}

impl Area {
    fn of(frame: &Frame, at: Point) -> Self {
        Self { left: at.x, right: at.x + frame.width(), top: at.y, bottom: at.y + frame.height() }
    }

    /// Whether a run of text on a baseline lies inside.
    fn holds(self, at: Point, width: Abs) -> bool {
        at.x >= self.left - tolerance()
            && at.x + width <= self.right + tolerance()
            && at.y >= self.top - tolerance()
            && at.y <= self.bottom + tolerance()
    }

    /// Whether a box lies inside, from left to right.
    fn spans(self, inner: Self) -> bool {
        inner.left >= self.left - tolerance() && inner.right <= self.right + tolerance()
    }
}

/// Collects the text that stands outside its area.
fn walk(frame: &Frame, at: Point, area: Area, outside: &mut Vec<String>) {
    for (offset, item) in frame.items() {
        let at = at + *offset;
        match item {
            FrameItem::Text(text) => {
                let (start, width) = ink(text);
                if !area.holds(at + Point::with_x(start), width) {
                    outside.push(text.text.to_string());
                }
            }
            FrameItem::Group(group) if group.transform.is_only_translate() => {
                let at = at + Point::new(group.transform.tx, group.transform.ty);
                let inner = Area::of(&group.frame, at);
                if group.frame.kind().is_soft() {
                    walk(&group.frame, at, area, outside);
                } else if area.spans(inner) {
                    walk(&group.frame, at, inner, outside);
                } else {
                    outside.push(text_of(&group.frame));
                }
            }
            _ => {}
        }
    }
}

/// Where the visible part of a run begins, and how wide it is: a space that hangs over the end of a
/// line is not seen.
fn ink(text: &TextItem) -> (Abs, Abs) {
    let blank = |glyph: &&Glyph| text.text[glyph.range()].trim().is_empty();
    let advance = |glyph: &Glyph| glyph.x_advance.at(text.size);
    let start: Abs = text.glyphs.iter().take_while(blank).map(advance).sum();
    let end: Abs = text.glyphs.iter().rev().take_while(blank).map(advance).sum();
    (start, (text.width() - start - end).max(Abs::zero()))
}

/// All text of a frame.
fn text_of(frame: &Frame) -> String {
    let mut text = String::new();
    for (_, item) in frame.items() {
        match item {
            FrameItem::Text(it) => text.push_str(&it.text),
            FrameItem::Group(group) => text.push_str(&text_of(&group.frame)),
            _ => {}
        }
    }
    text
}

/// The field whose value the text is, or is part of.
fn field_of(document: &Document, text: &str) -> String {
    const TELLING: usize = 4; // shorter fragments stand in many values
    let mut field = String::new();
    if text.trim().chars().count() < TELLING {
        return field;
    }
    document.each_string(|pointer, value| {
        if field.is_empty() && !value.is_empty() && (text.contains(value) || value.contains(text)) {
            pointer.clone_into(&mut field);
        }
    });
    field
}
