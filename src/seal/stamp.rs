//! What a field shows where nobody drew in it: a few lines of text, as outlines.
//!
//! Lines in, a content stream out. Outlines need no font in the file, which an appended one would have
//! to embed, and whoever cannot see reads the field's description instead.

use std::fmt::Write;
use std::sync::LazyLock;

use ttf_parser::{Face, OutlineBuilder};

use crate::assets::Assets;

/// The room left free at the edges of the field, in points.
const MARGIN: f32 = 8.0;

/// The size of the text and from one line to the next, in points.
const SIZE: f32 = 8.5;
const LEADING: f32 = 12.0;

static FONT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    Assets::embedded().get("fonts/NotoSans-Regular.ttf").unwrap_or_default().to_vec()
});

/// The content stream that writes a text into a field of a size in points, in the middle of its
/// height. What does not fit is left out: the page says it all beside the field.
pub(super) fn draw(text: &str, width: f32, height: f32) -> Vec<u8> {
    let Ok(face) = Face::parse(&FONT, 0) else { return Vec::new() };
    let scale = SIZE / f32::from(face.units_per_em());
    let room = (width - 2.0 * MARGIN) / scale;
    let mut lines: Vec<String> = text.lines().flat_map(|it| wrap(&face, it, room)).collect();
    lines.truncate(((height - 2.0 * MARGIN) / LEADING).max(1.0) as usize);
    let ascent = scale * f32::from(face.capital_height().unwrap_or(face.ascender()));
    let set = ascent + LEADING * (lines.len().max(1) - 1) as f32;
    let mut y = (height + set) / 2.0 - ascent;
    let mut content = String::from("q .09 .13 .16 rg\n");
    for line in lines {
        let _ = writeln!(content, "q {scale:.5} 0 0 {scale:.5} {MARGIN:.1} {y:.2} cm");
        let mut x = 0;
        for glyph in line.chars().filter_map(|c| face.glyph_index(c)) {
            // Each in its own place, so that a letter that comes again is the same bytes, packed once.
            let _ = writeln!(content, "q 1 0 0 1 {x} 0 cm");
            face.outline_glyph(glyph, &mut Pen { content: &mut content, last: (0.0, 0.0) });
            content.push_str("f Q\n");
            x += u32::from(face.glyph_hor_advance(glyph).unwrap_or_default());
        }
        content.push_str("Q\n");
        y -= LEADING;
    }
    content.push('Q');
    content.into_bytes()
}

/// The lines of a paragraph, broken at spaces.
fn wrap(face: &Face, text: &str, room: f32) -> Vec<String> {
    let advance =
        |c| face.glyph_index(c).and_then(|it| face.glyph_hor_advance(it)).unwrap_or_default();
    let length = |text: &str| text.chars().map(|c| f32::from(advance(c))).sum::<f32>();
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let longer = |line: &String| {
            if line.is_empty() { word.to_owned() } else { format!("{line} {word}") }
        };
        let last = lines.pop().unwrap_or_default();
        if last.is_empty() || length(&longer(&last)) <= room {
            lines.push(longer(&last));
        } else {
            lines.extend([last, word.to_owned()]);
        }
    }
    lines
}

/// Writes outlines as paths, in units of the font.
struct Pen<'a> {
    content: &'a mut String,
    /// Where the path has come to.
    last: (f32, f32),
}

impl Pen<'_> {
    fn put(&mut self, points: &[(f32, f32)], operator: char) {
        for (x, y) in points {
            let _ = write!(self.content, "{x:.0} {y:.0} ");
            self.last = (*x, *y);
        }
        self.content.push(operator);
        self.content.push('\n');
    }
}

impl OutlineBuilder for Pen<'_> {
    fn move_to(&mut self, x: f32, y: f32) {
        self.put(&[(x, y)], 'm');
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.put(&[(x, y)], 'l');
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        // PDF has cubic curves only.
        let (from_x, from_y) = self.last;
        let towards = |from: f32, to: f32| from + (to - from) * 2.0 / 3.0;
        self.put(
            &[(towards(from_x, x1), towards(from_y, y1)), (towards(x, x1), towards(y, y1)), (x, y)],
            'c',
        );
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.put(&[(x1, y1), (x2, y2), (x, y)], 'c');
    }

    fn close(&mut self) {
        self.content.push_str("h\n");
    }
}
