//! The file's revisions, by our own strict rules: the chain of `startxref`, cross-reference tables
//! and streams, and `%%EOF` (ISO 32000-1, 7.5.4 to 7.5.8), from the oldest to the newest.
//!
//! Each section must stand after the one it continues, must end at its own `%%EOF`, and may only
//! list objects that it brings itself. So an update cannot bring back, hide or replace anything
//! without an entry that the comparison of revisions sees.

use std::collections::BTreeMap;

use super::fault::{Checked, Fault, ensure};
use super::object::{Dict, Object};
use super::stream;
use super::syntax::{Budget, Reader};

/// How many revisions, and how many entries all of them list.
const SECTIONS: usize = 64;
pub(super) const ENTRIES: usize = 200_000;

/// Where an object of a section stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Entry {
    Free,
    At { offset: usize, generation: u16 },
    In { container: u32, index: usize },
}

/// One revision's part of the file.
#[derive(Debug)]
pub(super) struct Section {
    /// Where the revision before it ended.
    pub(super) start: usize,
    /// Where its cross-reference table or stream begins.
    pub(super) table: usize,
    /// Just after `%%EOF`, and after the line end that may follow it.
    pub(super) end: usize,
    pub(super) line_end: usize,
    pub(super) entries: BTreeMap<u32, Entry>,
    pub(super) trailer: Dict,
    /// The cross-reference stream's own number.
    pub(super) stream: Option<u32>,
}

/// All sections of the file, the oldest first.
pub(super) fn sections(bytes: &[u8], budget: &Budget) -> Checked<Vec<Section>> {
    ensure(bytes.starts_with(b"%PDF-1.") || bytes.starts_with(b"%PDF-2."), "file.no_pdf")?;
    let mut found: Vec<Section> = Vec::new();
    let mut next = Some(last_table(bytes)?);
    let mut entries = 0;
    while let Some(table) = next {
        ensure(found.len() < SECTIONS, "file.too_complex")?;
        let section = section(bytes, table, budget)?;
        entries += section.entries.len();
        ensure(entries <= ENTRIES, "file.too_complex")?;
        next = match section.trailer.get("Prev") {
            None => None,
            Some(it) => Some(it.size().ok_or_else(|| Fault::new("file.order"))?),
        };
        // Strictly backwards, so the walk ends; and the older one ends before the newer begins.
        ensure(next.is_none_or(|it| it < table), "file.order")?;
        found.push(section);
    }
    found.reverse();
    chain(&mut found, bytes)?;
    Ok(found)
}

/// Compares each section with the one before it.
fn chain(sections: &mut [Section], bytes: &[u8]) -> Checked<()> {
    let mut start = 0;
    for section in sections.iter_mut() {
        ensure(section.table >= start, "file.order")?;
        section.start = start;
        start = section.end;
        let inside = section.start..section.table;
        let foreign = section.entries.values().any(|entry| match entry {
            Entry::At { offset, .. } => !inside.contains(offset) && *offset != section.table,
            Entry::In { container, .. } => {
                !matches!(section.entries.get(container), Some(Entry::At { .. }))
            }
            Entry::Free => false,
        });
        ensure(!foreign, "file.foreign_entry")?;
        ensure(section.trailer.get("Encrypt").is_none(), "file.encrypted")?;
        ensure(section.trailer.get("XRefStm").is_none(), "file.hybrid")?;
    }
    let last = sections.last().map_or(0, |it| it.line_end);
    ensure(last == bytes.len(), "file.tail")?;
    let root = |section: &Section| section.trailer.get("Root").and_then(Object::reference);
    let first = sections.first().and_then(root);
    ensure(first.is_some() && sections.iter().all(|it| root(it) == first), "file.root")
}

/// The place that the last `startxref` names; the file ends with it and `%%EOF`.
fn last_table(bytes: &[u8]) -> Checked<usize> {
    let tail = &bytes[bytes.len().saturating_sub(64)..];
    let at = tail.windows(9).rposition(|it| it == b"startxref");
    let at = at.ok_or_else(|| Fault::new("file.tail"))?;
    let budget = Budget::default();
    let mut reader = Reader::new(tail, at + 9, &budget);
    reader.space()?;
    usize::try_from(reader.unsigned()?).map_err(|_| Fault::new("file.tail"))
}

fn section(bytes: &[u8], table: usize, budget: &Budget) -> Checked<Section> {
    let mut reader = Reader::new(bytes, table, budget);
    let (entries, trailer, stream) = if reader.rest().starts_with(b"xref") {
        let (entries, trailer) = classic(&mut reader)?;
        (entries, trailer, None)
    } else {
        modern(bytes, &mut reader, budget)?
    };
    reader.white();
    reader.word(b"startxref")?;
    reader.space()?;
    ensure(reader.unsigned()? == table as u64, "file.startxref")?;
    reader.space()?;
    reader.word(b"%%EOF")?;
    let end = reader.at;
    let line_end = end
        + match reader.rest() {
            [b'\r', b'\n', ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            _ => 0,
        };
    Ok(Section { start: 0, table, end, line_end, entries, trailer, stream })
}

/// A table: lines of exactly twenty bytes, and the trailer.
fn classic(reader: &mut Reader<'_>) -> Checked<(BTreeMap<u32, Entry>, Dict)> {
    let mut entries = BTreeMap::new();
    reader.word(b"xref")?;
    reader.space()?;
    while !reader.rest().starts_with(b"trailer") {
        let first = reader.unsigned()?;
        reader.space()?;
        let count = reader.unsigned()?;
        reader.space()?;
        ensure(count <= ENTRIES as u64, "file.too_complex")?;
        for number in first..first.saturating_add(count) {
            let number = u32::try_from(number).map_err(|_| Fault::new("file.table"))?;
            let entry = line(reader.rest()).ok_or_else(|| Fault::new("file.table"))?;
            reader.at += 20;
            ensure(entries.insert(number, entry).is_none(), "file.table")?;
        }
    }
    reader.word(b"trailer")?;
    reader.white();
    match reader.object()? {
        Object::Dict(trailer) => Ok((entries, trailer)),
        _ => Err(Fault::new("file.table")),
    }
}

/// `nnnnnnnnnn ggggg n` and a line end of two bytes.
fn line(rest: &[u8]) -> Option<Entry> {
    let line = rest.get(..20)?;
    if line[10] != b' ' || line[16] != b' ' || !matches!(&line[18..], b" \r" | b" \n" | b"\r\n") {
        return None;
    }
    let digits = |part: &[u8]| -> Option<u64> {
        let plain = part.iter().all(u8::is_ascii_digit);
        std::str::from_utf8(part).ok().filter(|_| plain)?.parse().ok()
    };
    let offset = usize::try_from(digits(&line[..10])?).ok()?;
    let generation = u16::try_from(digits(&line[11..16])?).ok()?;
    match line[17] {
        b'n' => Some(Entry::At { offset, generation }),
        b'f' => Some(Entry::Free),
        _ => None,
    }
}

type Modern = (BTreeMap<u32, Entry>, Dict, Option<u32>);

/// A cross-reference stream.
fn modern(bytes: &[u8], reader: &mut Reader<'_>, budget: &Budget) -> Checked<Modern> {
    let wrong = || Fault::new("file.table");
    let start = reader.at;
    let (number, generation) = reader.header()?;
    reader.at = start;
    let object = reader.indirect((number, generation), &|_, _| None)?;
    let Object::Stream(table) = object else { return Err(wrong()) };
    let dict = &table.dict;
    ensure(dict.get("Type").is_some_and(|it| it.is_name("XRef")), "file.table")?;
    let sizes = |key| dict.get(key).and_then(|it| sizes(it.array()?));
    let widths = sizes("W").filter(|it| it.len() == 3 && it.iter().all(|width| *width <= 8));
    let widths = widths.ok_or_else(wrong)?;
    let size = dict.get("Size").and_then(Object::size).ok_or_else(wrong)?;
    let index = match dict.get("Index") {
        Some(_) => sizes("Index").ok_or_else(wrong)?,
        None => vec![0, size],
    };
    let row: usize = widths.iter().sum();
    ensure(row > 0 && index.len() % 2 == 0, "file.table")?;
    let data = stream::decoded(bytes, &table, budget)?;
    let mut rows = data.chunks_exact(row);
    let mut entries = BTreeMap::new();
    for range in index.chunks_exact(2) {
        ensure(range[1] <= ENTRIES, "file.too_complex")?;
        for number in range[0]..range[0].saturating_add(range[1]) {
            let number = u32::try_from(number).map_err(|_| wrong())?;
            let entry = entry(rows.next().ok_or_else(wrong)?, &widths).ok_or_else(wrong)?;
            ensure(entries.insert(number, entry).is_none(), "file.table")?;
        }
    }
    ensure(rows.next().is_none() && rows.remainder().is_empty(), "file.table")?;
    Ok((entries, table.dict, Some(number)))
}

fn entry(row: &[u8], widths: &[usize]) -> Option<Entry> {
    let (kind, rest) = row.split_at(widths[0]);
    let (first, second) = rest.split_at(widths[1]);
    let number = |part: &[u8]| part.iter().fold(0_u64, |sum, it| sum << 8 | u64::from(*it));
    let first = number(first);
    match if kind.is_empty() { 1 } else { number(kind) } {
        0 => Some(Entry::Free),
        1 => Some(Entry::At {
            offset: usize::try_from(first).ok()?,
            generation: u16::try_from(number(second)).ok()?,
        }),
        2 => Some(Entry::In {
            container: u32::try_from(first).ok()?,
            index: usize::try_from(number(second)).ok()?,
        }),
        _ => None,
    }
}

fn sizes(items: &[Object]) -> Option<Vec<usize>> {
    items.iter().map(Object::size).collect()
}
