//! The text of each page, line by line, for whoever cannot see the pages' pictures.
//!
//! A line's runs stand in the order in which they are read: from right to left, where the line is of such a script.

use chrono::{DateTime, Utc};
use typst::layout::{Abs, Frame, FrameItem, Point};

use super::{Marks, RenderError, Renderer};
use crate::document::{Document, Rulebook};

impl Renderer {
    /// The lines of every page that [`Renderer::preview`] would draw.
    pub fn reading(
        &self,
        document: &Document,
        rulebook: &Rulebook,
        marks: &Marks,
        at: DateTime<Utc>,
    ) -> Result<Vec<Vec<String>>, RenderError> {
        let content = document.content(rulebook);
        let placed = self.place(document, &content, marks, at);
        self.sweep();
        let (paged, _) = placed?;
        let lines = |frame: &Frame| {
            let mut runs = Vec::new();
            collect(frame, Point::zero(), &mut runs);
            lines(&runs)
        };
        Ok(paged.pages().iter().map(|it| lines(&it.frame)).collect())
    }
}

/// A run of text and where it begins.
struct Run {
    at: Point,
    width: Abs,
    text: String,
}

fn collect(frame: &Frame, origin: Point, runs: &mut Vec<Run>) {
    for (place, item) in frame.items() {
        let at = origin + *place;
        match item {
            FrameItem::Group(group) => {
                let moved = Point::new(group.transform.tx, group.transform.ty);
                collect(&group.frame, at + moved, runs);
            }
            FrameItem::Text(text) => {
                runs.push(Run { at, width: text.width(), text: text.text.to_string() });
            }
            _ => {}
        }
    }
}

fn lines(runs: &[Run]) -> Vec<String> {
    let near = |a: Abs, b: Abs| (a - b).abs() < Abs::pt(3.0);
    let same = |a: &Run, b: &Run| near(a.at.y, b.at.y) && near(a.at.x + a.width, b.at.x);
    runs.chunk_by(same).map(line).filter(|it| !it.is_empty()).collect()
}

fn line(runs: &[Run]) -> String {
    let texts = runs.iter().map(|it| it.text.as_str());
    let is_rtl = runs.iter().flat_map(|it| it.text.chars()).any(is_right_to_left);
    let line: String = if is_rtl { texts.rev().collect() } else { texts.collect() };
    line.trim().to_owned()
}

/// Letters of the scripts that are written from right to left (Unicode Standard, blocks 0590 to 08FF and their forms).
fn is_right_to_left(letter: char) -> bool {
    matches!(letter, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}')
}
