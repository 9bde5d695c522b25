//! Runs of text in the order of reading, so that whoever reads the file gets back what was written.
//!
//! Laid-out pages in, the same pages out: no glyph moves. Two things of Typst and of the PDF writer below
//! it are mended. Typst begins a new run where a glyph stands higher or lower than the one before, and
//! gives both runs the letter and its mark: « أيضًا » comes back as « أيض » and « ضًا ». And a run from right
//! to left is written word by word from its left end, whereas ISO 32000-1, 14.8.2.3.3 wants the words in
//! the order of reading, each turned round.

#![expect(
    clippy::mutable_key_type,
    reason = "a font is compared by its identity, not by what it remembers"
)]

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use typst::layout::{Abs, Dir, Em, Frame, FrameItem, GroupItem, Point};
use typst::text::{FontInstance, Glyph, TextItem};
use typst_layout::{Page, PagedDocument};
use unicode_normalization::char::is_combining_mark;

/// The glyphs of runs from right to left that were set without a joiner, by font.
type Seen = HashMap<FontInstance, HashSet<u16>>;

/// How far apart two runs of one word may stand by rounding.
fn hair() -> Abs {
    Abs::pt(0.01)
}

/// The pages with their runs in the order of reading; handed back as they came where they are.
pub(super) fn in_reading_order(mut paged: PagedDocument) -> PagedDocument {
    let mut seen = Seen::new();
    let frames: Vec<_> = paged.pages().iter().map(|page| mended(&page.frame, &mut seen)).collect();
    if frames.iter().all(Option::is_none) {
        return paged;
    }
    let info = paged.info_mut().clone();
    let pages = paged.pages().iter().zip(frames).map(|(page, frame)| match frame {
        Some(frame) => Page { frame, ..page.clone() },
        None => page.clone(),
    });
    PagedDocument::new(pages.collect(), info)
}

/// Whether the frame has no run to mend: so it is in most languages.
fn is_in_order(frame: &Frame) -> bool {
    let mut before = None;
    frame.items().all(|(at, item)| match item {
        FrameItem::Text(run) => {
            let beside = before.replace((*at, run));
            !is_right_to_left(run)
                && run.lang.dir() == Dir::LTR
                && matches!(without_controls(run), Cow::Borrowed(_))
                && beside.is_none_or(|it| join(it, (*at, run)).is_none())
        }
        item => {
            before = None;
            !matches!(item, FrameItem::Group(group) if !is_in_order(&group.frame))
        }
    })
}

/// The frame with its runs mended; nothing where none had to be.
fn mended(frame: &Frame, seen: &mut Seen) -> Option<Frame> {
    if is_in_order(frame) {
        return None;
    }
    let mut whole: Vec<(Point, FrameItem)> = Vec::with_capacity(frame.items().len());
    let mut changed = false;
    for (at, item) in frame.items() {
        let item = match item {
            FrameItem::Text(run) => {
                let run = &without_controls(run);
                if let Some((start, FrameItem::Text(before))) = whole.last_mut()
                    && let Some(both) = join((*start, before), (*at, run))
                {
                    *before = both;
                    changed = true;
                    continue;
                }
                changed |= matches!(run, Cow::Owned(_));
                FrameItem::Text(run.clone().into_owned())
            }
            FrameItem::Group(group) => match mended(&group.frame, seen) {
                Some(frame) => {
                    changed = true;
                    FrameItem::Group(GroupItem { frame, ..group.clone() })
                }
                None => item.clone(),
            },
            item => item.clone(),
        };
        whole.push((*at, item));
    }
    let mut ordered = Vec::with_capacity(whole.len());
    for line in whole.chunk_by(are_of_one_run_from_the_right) {
        // Where fonts change the parts of a run from right to left stand from left to right.
        changed |= line.len() > 1;
        for (at, item) in line.iter().rev() {
            match item {
                FrameItem::Text(run) if is_right_to_left(run) => {
                    changed = true;
                    let run = part_clusters(with_joiners_apart(run.clone(), seen));
                    let strings = strings_from_the_right(&run);
                    let place = |(x, string)| (*at + Point::with_x(x), FrameItem::Text(string));
                    ordered.extend(strings.into_iter().map(place));
                }
                item => ordered.push((*at, item.clone())),
            }
        }
    }
    changed.then(|| {
        let mut frame = frame.clone();
        frame.clear();
        frame.push_multiple(ordered);
        frame
    })
}

/// The run without the bidirectional controls (UAX #9, table 4) that Typst wraps a change of direction in:
/// no glyph stands for them, so they would count among the characters of the glyph before.
fn without_controls(run: &TextItem) -> Cow<'_, TextItem> {
    let is_control = |c: char| matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    if !run.text.contains(is_control) {
        return Cow::Borrowed(run);
    }
    let mut run = run.clone();
    for glyph in &mut run.glyphs {
        let text = &run.text[glyph.range()];
        let (before, after) =
            (text.trim_start_matches(is_control), text.trim_end_matches(is_control));
        if !before.is_empty() {
            let (skipped, left) = (text.len() - before.len(), text.len() - after.len());
            glyph.range = glyph.range.start + skipped as u16..glyph.range.end - left as u16;
        }
    }
    Cow::Owned(run)
}

/// Whether two items are parts of one run from right to left: Typst sets down runs in the order of
/// reading, each to the left of the one before, but the parts of one run from left to right.
fn are_of_one_run_from_the_right(a: &(Point, FrameItem), b: &(Point, FrameItem)) -> bool {
    let ((start, FrameItem::Text(first)), (at, FrameItem::Text(next))) = (a, b) else {
        return false;
    };
    // A run from left to right inside has its parts in order; in it are Latin letters or digits.
    let is_latin = |run: &TextItem| run.text.contains(|c: char| c.is_ascii_alphanumeric());
    let place = |run: &TextItem| run.glyphs.iter().map(|it| it.span.1).min();
    first.lang == next.lang
        && first.lang.dir() == Dir::RTL
        && (start.x + first.width() - at.x).abs() < hair()
        && (place(next) < place(first) || !(is_latin(first) || is_latin(next)))
}

/// Glyphs stand from left to right, so in such a run their text goes back.
fn is_right_to_left(run: &TextItem) -> bool {
    run.glyphs.windows(2).any(|it| it[0].range.start > it[1].range.start)
}

/// A run from right to left as strings to show, the first to read first, each with its distance from the
/// left end of the run. A string is a word, with the space between two words before it is read; or a part
/// of a word at one height, since the writer begins a new string at another; or a cluster of several
/// glyphs or with a joiner, whose characters the writer gives beside them.
fn strings_from_the_right(run: &TextItem) -> Vec<(Abs, TextItem)> {
    let glyphs = run.glyphs.as_slice();
    let is_space = |glyph: &Glyph| &run.text[glyph.range()] == " ";
    // The glyphs of a cluster stand beside each other.
    let share =
        |a: usize, b: usize| glyphs.get(a).map(|it| &it.range) == glyphs.get(b).map(|it| &it.range);
    let stands_alone: Vec<bool> = (0..glyphs.len())
        .map(|it| {
            (it > 0 && share(it - 1, it))
                || share(it, it + 1)
                || run.text[glyphs[it].range()].contains(is_joiner)
        })
        .collect();
    let belong = |a: usize, b: usize| {
        let level = glyphs[a].y_offset == glyphs[b].y_offset && !is_space(&glyphs[b]);
        share(a, b) || (level && !stands_alone[a] && !stands_alone[b])
    };
    let mut strings = Vec::new();
    let (mut start, mut x) = (0, Abs::zero());
    for end in 1..=glyphs.len() {
        if end == glyphs.len() || !belong(end - 1, end) {
            let string = slice(run, start..end);
            start = end;
            let width = string.width();
            strings.push((x, string));
            x += width;
        }
    }
    strings.reverse();
    strings
}

/// Some of the glyphs of a run, with their part of its text.
fn slice(run: &TextItem, glyphs: Range<usize>) -> TextItem {
    let glyphs = &run.glyphs[glyphs];
    let start = glyphs.iter().map(|it| it.range.start).min().unwrap_or_default();
    let end = glyphs.iter().map(|it| it.range.end).max().unwrap_or_default();
    let moved = |glyph: &Glyph| Glyph {
        range: glyph.range.start - start..glyph.range.end - start,
        ..glyph.clone()
    };
    TextItem {
        text: run.text[usize::from(start)..usize::from(end)].into(),
        glyphs: glyphs.iter().map(moved).collect(),
        ..run.clone()
    }
}

/// Two runs side by side as one, where Typst split them for the height of a glyph; nothing where
/// they are two for another reason.
fn join((start, first): (Point, &TextItem), (at, next): (Point, &TextItem)) -> Option<TextItem> {
    let alike = first.font == next.font
        && first.size == next.size
        && first.fill == next.fill
        && first.stroke == next.stroke
        && (first.lang, first.region) == (next.lang, next.region);
    let beside = (start.x + first.width() - at.x).abs() < hair();
    let (left, right) = (first.glyphs.last()?, next.glyphs.first()?);
    let raised = Em::from_abs(start.y - at.y, first.size);
    let level = ((left.y_offset - raised).at(first.size)).abs() < hair();
    if !alike || !beside || level {
        return None;
    }
    let (text, shift, next_shift) = joined_text(first, next, left, right)?;
    u16::try_from(text.len()).ok()?;
    let moved = |glyph: &Glyph, by: usize| {
        let by = by as u16; // less than the length of the text
        Glyph { range: glyph.range.start + by..glyph.range.end + by, ..glyph.clone() }
    };
    let mut glyphs: Vec<_> = first.glyphs.iter().map(|it| moved(it, shift)).collect();
    glyphs.extend(next.glyphs.iter().map(|it| {
        let glyph = moved(it, next_shift);
        Glyph { y_offset: glyph.y_offset + raised, ..glyph }
    }));
    Some(TextItem { text: text.into(), glyphs, ..first.clone() })
}

/// The text of both runs in the order of reading, and by how much the ranges of each move. A cluster
/// that both have stands once. The runs follow each other in the source, or they stay two.
fn joined_text(
    first: &TextItem,
    next: &TextItem,
    left: &Glyph,
    right: &Glyph,
) -> Option<(String, usize, usize)> {
    if left.span.0 != right.span.0 {
        return None;
    }
    let shared = if left.span == right.span { left.range().len() } else { 0 };
    let follows = |earlier: &Glyph, later: &Glyph| {
        usize::from(earlier.span.1) + earlier.range().len() == usize::from(later.span.1) + shared
    };
    let ends = |run: &TextItem, glyph: &Glyph| glyph.range().end == run.text.len();
    let begins = |glyph: &Glyph| glyph.range().start == 0;
    if follows(left, right) && ends(first, left) && begins(right) {
        let text = format!("{}{}", first.text, next.text.get(shared..)?);
        Some((text, 0, first.text.len() - shared))
    } else if follows(right, left) && ends(next, right) && begins(left) {
        let text = format!("{}{}", next.text, first.text.get(shared..)?);
        Some((text, next.text.len() - shared, 0))
    } else {
        None
    }
}

/// Takes the joiner (U+200C, U+200D) from a glyph that was not seen without one: the writer takes the
/// first characters it meets for those of the glyph, and would have to say at each other place that they
/// are not.
fn with_joiners_apart(mut run: TextItem, seen: &mut Seen) -> TextItem {
    let seen = seen.entry(run.font.clone()).or_default();
    for index in 0..run.glyphs.len() {
        let glyph = &run.glyphs[index];
        let text = &run.text[glyph.range()];
        let plain = text.trim_matches(is_joiner);
        if plain.len() < text.len() && !seen.contains(&glyph.id) {
            let skipped = text.len() - text.trim_start_matches(is_joiner).len();
            let start = glyph.range.start + skipped as u16;
            run.glyphs[index].range = start..start + plain.len() as u16;
        }
    }
    seen.extend(run.glyphs.iter().map(|it| it.id));
    run
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}')
}

/// Gives a letter and the marks on it each their own characters, where it is certain which are whose:
/// a reader that turns a line round, glyph by glyph, then keeps the mark behind its letter.
fn part_clusters(mut run: TextItem) -> TextItem {
    let text = run.text.clone();
    let mut rest = run.glyphs.as_mut_slice();
    while let Some(first) = rest.first() {
        let range = first.range();
        let count = rest.iter().take_while(|it| it.range() == range).count();
        let (cluster, after) = std::mem::take(&mut rest).split_at_mut(count);
        rest = after;
        // From right to left the letter stands last.
        let is_mark = |glyph: &Glyph| glyph.x_advance == Em::zero();
        let Some((letter, marks)) = cluster.split_last_mut() else { break };
        if is_mark(letter) || marks.is_empty() || !marks.iter().all(is_mark) {
            continue;
        }
        if let Some(parts) = parts(&text[range.clone()], marks.len()) {
            let in_order = std::iter::once(letter).chain(marks.iter_mut().rev());
            for (glyph, part) in in_order.zip(parts) {
                let offset = |it: usize| (range.start + it) as u16; // within the range there was
                glyph.range = offset(part.start)..offset(part.end);
            }
        }
    }
    run
}

/// A cluster of text as letters and, for each of `count` glyphs, its marks.
fn parts(text: &str, count: usize) -> Option<Vec<Range<usize>>> {
    let (at, _) = text.char_indices().find(|(_, c)| is_combining_mark(*c))?;
    let marks: Vec<_> = text[at..].char_indices().map(|(start, c)| (at + start, c)).collect();
    let certain = at > 0 && marks.iter().all(|(_, c)| is_combining_mark(*c));
    let mut parts = Vec::from([Range { start: 0, end: at }]);
    if count == 1 {
        parts.push(at..text.len());
    } else if count == marks.len() {
        parts.extend(marks.iter().map(|(start, c)| *start..start + c.len_utf8()));
    }
    (certain && parts.len() == count + 1).then_some(parts)
}
