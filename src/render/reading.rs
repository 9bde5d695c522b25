//! The text of each page, line by line, for whoever cannot see the pages' pictures.
//!
//! A line's runs stand in the order in which they are read: from right to left, where the line is of such a script.

use chrono::{DateTime, Utc};
use typst::layout::{Abs, Frame, FrameItem, Point};

use super::{Haste, Marks, RenderError, Renderer};
use crate::document::{Document, Rulebook};

impl Renderer {
    /// The lines of every page that [`Renderer::preview`] would draw; in one language alone, if one is named (BCP 47,
    /// the part before the first hyphen).
    pub fn reading(
        &self,
        document: &Document,
        rulebook: &Rulebook,
        marks: &Marks,
        at: DateTime<Utc>,
        language: Option<&str>,
    ) -> Result<Vec<Vec<String>>, RenderError> {
        let lines = |frame: &Frame| {
            let mut runs = Vec::new();
            collect(frame, Point::zero(), language, &mut runs);
            lines(&runs)
        };
        self.on_its_own(Haste::Desk, || {
            let content = document.content(rulebook);
            let (paged, _) = self.place(document, &content, marks, at)?;
            Ok(paged.pages().iter().map(|it| lines(&it.frame)).collect())
        })
    }
}

/// A run of text and where it begins.
struct Run {
    at: Point,
    width: Abs,
    text: String,
    /// Whether it is in the language that is asked for.
    wanted: bool,
}

fn collect(frame: &Frame, origin: Point, language: Option<&str>, runs: &mut Vec<Run>) {
    for (place, item) in frame.items() {
        let at = origin + *place;
        match item {
            FrameItem::Group(group) => {
                let moved = Point::new(group.transform.tx, group.transform.ty);
                collect(&group.frame, at + moved, language, runs);
            }
            FrameItem::Text(text) => {
                let wanted = language.is_none_or(|it| text.lang.as_str() == it);
                runs.push(Run { at, width: text.width(), text: text.text.to_string(), wanted });
            }
            _ => {}
        }
    }
}

fn lines(runs: &[Run]) -> Vec<String> {
    let near = |a: Abs, b: Abs| (a - b).abs() < Abs::pt(3.0);
    let same = |a: &Run, b: &Run| near(a.at.y, b.at.y) && near(a.at.x + a.width, b.at.x);
    // A name within a line of another language is of that line.
    let wanted = |it: &&[Run]| it.iter().all(|it| it.wanted);
    runs.chunk_by(same).filter(wanted).map(line).filter(|it| !it.is_empty()).collect()
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
