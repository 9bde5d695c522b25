//! Which characters a text file is written in: looked at whole, once, before it is read.
//!
//! UTF-8, with or without its mark; UTF-16 with its mark, as Excel's "Unicode text" is; else
//! Windows-1252, as Excel's CSV is. A file with both kinds of lines is refused: half of its names
//! would be wrong.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};

use encoding_rs::{Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::{MAX_RECORD, refused};
use crate::merge::MergeError;

/// What the lines with letters beyond ASCII are written in; where the first of each kind stands.
#[derive(Default)]
struct Seen {
    utf_8: Option<u64>,
    other: Option<u64>,
}

/// Recognises the encoding of a file, and stands at its beginning again.
pub(super) fn recognise(file: &mut File) -> Result<&'static Encoding, MergeError> {
    let mut mark = Vec::new();
    file.by_ref().take(3).read_to_end(&mut mark)?;
    file.rewind()?;
    if let Some((wide, _)) = Encoding::for_bom(&mark).filter(|(it, _)| *it != UTF_8) {
        return Ok(if wide == UTF_16BE { UTF_16BE } else { UTF_16LE });
    }
    let marked = mark == b"\xEF\xBB\xBF";
    let seen = look(BufReader::new(&*file))?;
    file.rewind()?;
    match (seen.utf_8, seen.other) {
        (Some(utf_8), Some(other)) => {
            let values = [("unicode", utf_8.to_string()), ("other", other.to_string())];
            Err(refused(Some(utf_8.max(other)), "rows.mixed_encodings", values))
        }
        (None, Some(other)) if marked => {
            let values = [("unicode", "1".to_owned()), ("other", other.to_string())];
            Err(refused(Some(other), "rows.mixed_encodings", values))
        }
        (None, Some(_)) => Ok(WINDOWS_1252),
        _ => Ok(UTF_8),
    }
}

fn look(mut reader: impl BufRead) -> Result<Seen, MergeError> {
    let mut seen = Seen::default();
    let mut number = 1;
    let mut line = Vec::new();
    loop {
        let block = reader.fill_buf()?;
        if block.is_empty() {
            judge(&line, number, &mut seen);
            return Ok(seen);
        }
        let end = block.iter().position(|it| matches!(it, b'\n' | b'\r'));
        let taken = end.map_or(block.len(), |it| it + 1);
        line.extend_from_slice(&block[..taken]);
        reader.consume(taken);
        if line.len() as u64 > MAX_RECORD {
            return Err(refused(Some(number), "rows.line_too_long", limit()));
        }
        if end.is_some() {
            judge(&line, number, &mut seen);
            number += u64::from(line.last() == Some(&b'\n'));
            line.clear();
        }
    }
}

fn judge(line: &[u8], number: u64, seen: &mut Seen) {
    let line = if number == 1 { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line) } else { line };
    if line.is_ascii() {
        return;
    }
    let place = if std::str::from_utf8(line).is_ok() { &mut seen.utf_8 } else { &mut seen.other };
    place.get_or_insert(number);
}

pub(super) fn limit() -> [(&'static str, String); 1] {
    [("limit", MAX_RECORD.to_string())]
}

/// Reads a file as UTF-8, whatever it is written in.
pub(super) struct Decoded {
    file: File,
    decoder: Decoder,
    raw: Vec<u8>,
    ready: Vec<u8>,
    given: usize,
    ended: bool,
}

impl Decoded {
    pub(super) fn new(file: File, encoding: &'static Encoding) -> Self {
        let decoder = encoding.new_decoder_with_bom_removal();
        Self { file, decoder, raw: vec![0; 16_384], ready: Vec::new(), given: 0, ended: false }
    }
}

impl Read for Decoded {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        while self.given == self.ready.len() && !self.ended {
            let count = self.file.read(&mut self.raw)?;
            self.ended = count == 0;
            // A byte becomes at most three of UTF-8; the decoder may hold back a few.
            self.ready.resize(3 * count + 16, 0);
            let (_, read, written, _) =
                self.decoder.decode_to_utf8(&self.raw[..count], &mut self.ready, self.ended);
            debug_assert_eq!(read, count);
            self.ready.truncate(written);
            self.given = 0;
        }
        let count = out.len().min(self.ready.len() - self.given);
        out[..count].copy_from_slice(&self.ready[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}
