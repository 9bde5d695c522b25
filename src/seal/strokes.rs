//! The strokes of a tablet as the appearance of a field: lines, and nothing else.
//!
//! Points in, a content stream out, fitted into the field with a margin and the proportions kept.
//! Neither pressure nor speed is asked for.

use std::fmt::Write;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SealError;

/// The most points a drawing may keep: its file stays small.
const MOST_POINTS: usize = 2_000;

/// The room left free at the edges of the field, in points.
const MARGIN: f32 = 6.0;

/// How far apart two points must be to be told apart on paper, in points.
const FINE: f32 = 0.6;

/// What was drawn on a tablet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Strokes {
    /// The width of what was drawn on, in the unit of the points.
    pub width: f32,
    /// Its height.
    pub height: f32,
    /// The strokes: points from left and top.
    pub lines: Vec<Vec<[f32; 2]>>,
}

impl Strokes {
    /// The content stream that draws them in a field of a size in points.
    pub(super) fn draw(&self, width: f32, height: f32) -> Result<Vec<u8>, SealError> {
        let sized = |it: f32| it.is_finite() && it >= 1.0;
        if !(sized(self.width) && sized(self.height)) {
            return Err(SealError::Strokes("the size of the tablet's field is missing"));
        }
        let inside =
            |[x, y]: &[f32; 2]| (0.0..=self.width).contains(x) && (0.0..=self.height).contains(y);
        if !self.lines.iter().flatten().all(inside) {
            return Err(SealError::Strokes("a point lies outside the tablet's field"));
        }
        let (room_x, room_y) = (width - 2.0 * MARGIN, height - 2.0 * MARGIN);
        let scale = (room_x / self.width).min(room_y / self.height);
        let left = MARGIN + (room_x - scale * self.width) / 2.0;
        let top = height - MARGIN - (room_y - scale * self.height) / 2.0;
        let place = |[x, y]: &[f32; 2]| [left + scale * x, top - scale * y];
        let lines: Vec<_> = self
            .lines
            .iter()
            .map(|line| thin(line.iter().map(place)))
            .filter(|it| !it.is_empty())
            .collect();
        match lines.iter().map(Vec::len).sum::<usize>() {
            // One dot is no signature; somebody has touched the screen.
            0 | 1 => Err(SealError::Strokes("nothing was drawn")),
            points if points > MOST_POINTS => Err(SealError::Strokes("there are too many of them")),
            _ => Ok(content(&lines)),
        }
    }
}

/// The points of a line without those that paper does not show.
fn thin(points: impl Iterator<Item = [f32; 2]>) -> Vec<[f32; 2]> {
    let mut kept: Vec<[f32; 2]> = Vec::new();
    for [x, y] in points {
        if kept.last().is_none_or(|[a, b]| (x - a).hypot(y - b) >= FINE) {
            kept.push([x, y]);
        }
    }
    kept
}

/// Round caps and joins, a pen of 1.3 points, the blue-black of ink.
fn content(lines: &[Vec<[f32; 2]>]) -> Vec<u8> {
    let mut content = String::from("q 1 J 1 j 1.3 w .08 .12 .32 RG\n");
    for line in lines {
        for (index, [x, y]) in line.iter().enumerate() {
            let _ = write!(content, "{x:.1} {y:.1} {} ", if index == 0 { 'm' } else { 'l' });
        }
        // A dot is a line that goes nowhere.
        if let [[x, y]] = line[..] {
            let _ = write!(content, "{x:.1} {y:.1} l ");
        }
        content.push_str("S\n");
    }
    content.push('Q');
    content.into_bytes()
}
