//! CSV: separator, quotes and encoding recognised; one record after the other, each of bounded size.

use std::cell::Cell as Counter;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::rc::Rc;

use csv::{ReaderBuilder, StringRecord};
use encoding_rs::UTF_8;

use super::columns::Columns;
use super::encoding::{Decoded, limit, recognise};
use super::{Cell, MAX_COLUMNS, MAX_RECORD, Record, refused};
use crate::merge::MergeError;

/// The separators that lists come with.
const SEPARATORS: [(u8, &str); 4] =
    [(b';', "« ; »"), (b',', "« , »"), (b'\t', "« TAB »"), (b'|', "« | »")];

/// Reads the records of a text file; answers what it was taken for.
pub(super) fn read(
    mut file: File,
    columns: &Columns,
    take: &mut dyn FnMut(Record) -> Result<bool, MergeError>,
) -> Result<String, MergeError> {
    let encoding = recognise(&mut file)?;
    let mut text = BufReader::with_capacity(65_536, Decoded::new(file, encoding));
    let (separator, name, skipped) = separator(&mut text, columns)?;
    let read = Rc::new(Counter::new(0));
    let bounded = Bounded { text, read: Rc::clone(&read), ended: false };
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .from_reader(bounded);
    let mut record = StringRecord::new();
    let mut line = 0;
    loop {
        read.set(0);
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(_) if read.get() > MAX_RECORD => {
                return Err(refused(Some(line + 1 + skipped), "rows.line_too_long", limit()));
            }
            Err(error) => return Err(error_of(error)),
        }
        // The reader passes over empty lines before a record: count from the line after it.
        let inside: usize = record.iter().map(|it| it.matches('\n').count()).sum();
        let begins = reader.position().line().saturating_sub(1 + inside as u64);
        line = begins.max(line + 1);
        let number = line + skipped;
        if record.len() > 10 * MAX_COLUMNS {
            let values = [("count", record.len().to_string()), ("limit", MAX_COLUMNS.to_string())];
            return Err(refused(Some(number), "rows.too_many_columns", values));
        }
        let cells = record.iter().map(cell).collect();
        if !take(Record { number, cells })? {
            break;
        }
    }
    let encoding = if encoding == UTF_8 { "UTF-8" } else { encoding.name() };
    Ok(format!("CSV, {name}, {encoding}"))
}

fn cell(text: &str) -> Cell {
    if text.is_empty() { Cell::Empty } else { Cell::Text(text.to_owned()) }
}

/// The separator under which the first line has the most headers that are known; failing that, the
/// most fields. A first line `sep=;`, as Excel writes and reads it, says it and is passed over.
fn separator(
    text: &mut impl BufRead,
    columns: &Columns,
) -> Result<(u8, &'static str, u64), MergeError> {
    let head = text.fill_buf()?;
    let told = head.strip_prefix(b"sep=").and_then(<[u8]>::first).copied();
    let told = SEPARATORS.into_iter().find(|(it, _)| Some(*it) == told);
    if let Some((separator, name)) = told {
        let end = head.iter().position(|it| *it == b'\n').map_or(head.len(), |it| it + 1);
        text.consume(end);
        return Ok((separator, name, 1));
    }
    let score = |separator: u8| {
        let mut reader =
            ReaderBuilder::new().has_headers(false).delimiter(separator).from_reader(head);
        let mut first = StringRecord::new();
        while first.iter().all(|it| it.trim().is_empty()) {
            if !reader.read_record(&mut first).unwrap_or(false) {
                return (0, 0);
            }
        }
        (first.iter().filter(|it| columns.find(it).is_some()).count(), first.len())
    };
    let scored = SEPARATORS.into_iter().rev().max_by_key(|(it, _)| score(*it));
    let (separator, name) = scored.unwrap_or(SEPARATORS[0]);
    Ok((separator, name, 0))
}

fn error_of(error: csv::Error) -> MergeError {
    let line = error.position().map(csv::Position::line);
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        _ => refused(
            line,
            "rows.mixed_encodings",
            [("unicode", String::new()), ("other", String::new())],
        ),
    }
}

/// Counts what the record that is being read has taken, so that none fills the memory; ends the last
/// line where its writer did not, so that lines can be counted.
struct Bounded<R> {
    text: R,
    read: Rc<Counter<u64>>,
    ended: bool,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.read.get() > MAX_RECORD {
            return Err(std::io::Error::other("a record without end"));
        }
        let mut count = self.text.read(out)?;
        if count == 0 && !self.ended && !out.is_empty() {
            self.ended = true;
            out[0] = b'\n';
            count = 1;
        }
        self.read.set(self.read.get() + count as u64);
        Ok(count)
    }
}
