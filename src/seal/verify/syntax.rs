//! Bytes in, PDF objects out: strictly, with bounds on depth and number, and no guess at what was
//! meant. What two readers could read in two ways is refused.

use std::cell::Cell;

use super::fault::{Checked, Fault, ensure};
use super::object::{Dict, Object, Stream, Text};

/// How deep objects may nest; generous for any writer, harmless for the stack.
const DEPTH: usize = 64;
/// How many objects of any kind are read from one file.
const OBJECTS: usize = 1_000_000;

/// Counts what is read, over all readings of one file.
#[derive(Debug, Default)]
pub(super) struct Budget {
    objects: Cell<usize>,
    inflated: Cell<usize>,
}

impl Budget {
    fn object(&self) -> Checked<()> {
        self.objects.set(self.objects.get() + 1);
        ensure(self.objects.get() <= OBJECTS, "file.too_complex")
    }

    /// How many bytes may still be decompressed.
    pub(super) fn left(&self) -> usize {
        INFLATED.saturating_sub(self.inflated.get())
    }

    pub(super) fn inflate(&self, bytes: usize) {
        self.inflated.set(self.inflated.get() + bytes);
    }
}

/// How many bytes are decompressed from one file.
const INFLATED: usize = 64 << 20;

/// Reads objects from a place in the bytes onwards.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    pub(super) at: usize,
    budget: &'a Budget,
}

/// What a stream's length is when it stands in another object.
pub(super) type LengthOf<'a> = &'a dyn Fn(u32, u16) -> Option<usize>;

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize, budget: &'a Budget) -> Self {
        Self { bytes, at, budget }
    }

    /// `number generation obj … endobj`, where the caller expects that object to stand.
    pub(super) fn indirect(
        &mut self,
        expected: (u32, u16),
        length: LengthOf<'_>,
    ) -> Checked<Object> {
        let start = self.at;
        if self.header()? != expected {
            return Err(fault(start));
        }
        let mut object = self.object()?;
        self.blank();
        if self.rest().starts_with(b"stream") {
            let Object::Dict(dict) = object else { return Err(fault(self.at)) };
            object = Object::Stream(Box::new(self.stream(dict, length)?));
            self.blank();
        }
        self.word(b"endobj")?;
        Ok(object)
    }

    /// `number generation obj`.
    pub(super) fn header(&mut self) -> Checked<(u32, u16)> {
        let start = self.at;
        let number = self.unsigned()?;
        self.space()?;
        let generation = self.unsigned()?;
        self.space()?;
        self.word(b"obj")?;
        let number = u32::try_from(number).map_err(|_| fault(start))?;
        let generation = u16::try_from(generation).map_err(|_| fault(start))?;
        Ok((number, generation))
    }

    /// Any object that stands directly here.
    pub(super) fn object(&mut self) -> Checked<Object> {
        self.nested(0)
    }

    /// Over white space and comments.
    pub(super) fn blank(&mut self) {
        loop {
            self.white();
            if self.rest().first() != Some(&b'%') {
                return;
            }
            let line = self.rest().iter().position(|it| matches!(it, b'\r' | b'\n'));
            self.at = line.map_or(self.bytes.len(), |it| self.at + it);
        }
    }

    /// Over white space alone.
    pub(super) fn white(&mut self) {
        while self.rest().first().is_some_and(|it| is_white(*it)) {
            self.at += 1;
        }
    }

    /// Over a keyword, which must stand here.
    pub(super) fn word(&mut self, word: &[u8]) -> Checked<()> {
        if !self.rest().starts_with(word) {
            return Err(fault(self.at));
        }
        self.at += word.len();
        Ok(())
    }

    /// Digits alone.
    pub(super) fn unsigned(&mut self) -> Checked<u64> {
        let digits = self.rest().iter().take_while(|it| it.is_ascii_digit()).count();
        let text = std::str::from_utf8(&self.rest()[..digits]).unwrap_or_default();
        let value = text.parse().map_err(|_| fault(self.at))?;
        self.at += digits;
        Ok(value)
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// White space, at least one.
    pub(super) fn space(&mut self) -> Checked<()> {
        let before = self.at;
        self.white();
        if self.at == before { Err(fault(before)) } else { Ok(()) }
    }

    fn nested(&mut self, depth: usize) -> Checked<Object> {
        if depth > DEPTH {
            return Err(Fault::new("file.too_complex"));
        }
        self.budget.object()?;
        self.blank();
        let start = self.at;
        match self.rest() {
            [b'<', b'<', ..] => self.dict(depth).map(Object::Dict),
            [b'<', ..] => self.hex(),
            [b'(', ..] => self.literal(),
            [b'[', ..] => self.array(depth),
            [b'/', ..] => self.name().map(Object::Name),
            [b'0'..=b'9', ..] => self.number_or_reference(),
            [b'+' | b'-' | b'.', ..] => self.number(),
            [b'a'..=b'z', ..] => match self.regular() {
                b"null" => Ok(Object::Null),
                b"true" => Ok(Object::Bool(true)),
                b"false" => Ok(Object::Bool(false)),
                _ => Err(fault(start)),
            },
            _ => Err(fault(start)),
        }
    }

    fn dict(&mut self, depth: usize) -> Checked<Dict> {
        let start = self.at;
        self.at += 2;
        let mut entries = Vec::new();
        loop {
            self.blank();
            if self.rest().starts_with(b">>") {
                self.at += 2;
                let twice = || Fault::new("file.key_twice").with("offset", start);
                return Dict::new(entries).ok_or_else(twice);
            }
            if self.rest().first() != Some(&b'/') {
                return Err(fault(self.at));
            }
            let key = self.name()?;
            entries.push((key, self.nested(depth + 1)?));
        }
    }

    fn array(&mut self, depth: usize) -> Checked<Object> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.blank();
            if self.rest().first() == Some(&b']') {
                self.at += 1;
                items.shrink_to_fit();
                return Ok(Object::Array(items));
            }
            items.push(self.nested(depth + 1)?);
        }
    }

    fn name(&mut self) -> Checked<Vec<u8>> {
        let start = self.at;
        self.at += 1;
        let raw = self.regular();
        let mut name = Vec::with_capacity(raw.len());
        let mut bytes = raw.iter();
        while let Some(byte) = bytes.next() {
            if *byte != b'#' {
                name.push(*byte);
                continue;
            }
            let digit = |it: Option<&u8>| it.and_then(|it| char::from(*it).to_digit(16));
            match (digit(bytes.next()), digit(bytes.next())) {
                (Some(high), Some(low)) if high + low > 0 => name.push((high * 16 + low) as u8),
                _ => return Err(fault(start)),
            }
        }
        Ok(name)
    }

    fn number_or_reference(&mut self) -> Checked<Object> {
        let start = self.at;
        let first = self.number()?;
        let Object::Integer(number) = first else { return Ok(first) };
        let after = self.at;
        if let Some(generation) = self.reference_tail() {
            let number = u32::try_from(number).map_err(|_| fault(start))?;
            return Ok(Object::Reference(number, generation));
        }
        self.at = after;
        Ok(first)
    }

    /// ` generation R`, after the number.
    fn reference_tail(&mut self) -> Option<u16> {
        self.blank();
        let generation = u16::try_from(self.unsigned().ok()?).ok()?;
        let before = self.at;
        self.blank();
        let apart = self.at > before;
        (apart && self.regular() == b"R").then_some(generation)
    }

    fn number(&mut self) -> Checked<Object> {
        let start = self.at;
        let raw = self.regular();
        let text = std::str::from_utf8(raw).map_err(|_| fault(start))?;
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let plain = digits.bytes().all(|it| it.is_ascii_digit() || it == b'.');
        if !plain || !digits.bytes().any(|it| it.is_ascii_digit()) {
            return Err(fault(start));
        }
        if digits.contains('.') {
            text.parse().map(Object::Real).map_err(|_| fault(start))
        } else {
            text.parse().map(Object::Integer).map_err(|_| fault(start))
        }
    }

    fn hex(&mut self) -> Checked<Object> {
        let start = self.at;
        let end = self.rest().iter().position(|it| *it == b'>').ok_or_else(|| fault(start))?;
        let mut digits = Vec::with_capacity(end);
        for byte in &self.rest()[1..end] {
            match char::from(*byte).to_digit(16) {
                Some(digit) => digits.push(digit as u8),
                None if is_white(*byte) => {}
                None => return Err(fault(start)),
            }
        }
        if digits.len() % 2 == 1 {
            digits.push(0);
        }
        self.at += end + 1;
        let bytes = digits.chunks_exact(2).map(|it| it[0] << 4 | it[1]).collect();
        Ok(Object::String(Box::new(Text { bytes, place: start..self.at })))
    }

    fn literal(&mut self) -> Checked<Object> {
        let start = self.at;
        self.at += 1;
        let (mut bytes, mut open) = (Vec::new(), 1);
        loop {
            let byte = *self.rest().first().ok_or_else(|| fault(start))?;
            self.at += 1;
            match byte {
                b'\\' => bytes.extend(self.escape(start)?),
                b'\r' => {
                    self.at += usize::from(self.rest().first() == Some(&b'\n'));
                    bytes.push(b'\n');
                }
                b')' if open == 1 => break,
                _ => {
                    open = open + usize::from(byte == b'(') - usize::from(byte == b')');
                    bytes.push(byte);
                }
            }
        }
        bytes.shrink_to_fit();
        Ok(Object::String(Box::new(Text { bytes, place: start..self.at })))
    }

    /// What stands after a backslash.
    fn escape(&mut self, start: usize) -> Checked<Option<u8>> {
        let rest = self.rest();
        let byte = *rest.first().ok_or_else(|| fault(start))?;
        self.at += 1;
        Ok(match byte {
            b'n' => Some(b'\n'),
            b'r' => Some(b'\r'),
            b't' => Some(b'\t'),
            b'b' => Some(8),
            b'f' => Some(12),
            b'\n' => None,
            b'\r' => {
                self.at += usize::from(self.rest().first() == Some(&b'\n'));
                None
            }
            b'0'..=b'7' => {
                let digits = rest.iter().take(3).take_while(|it| matches!(it, b'0'..=b'7')).count();
                self.at += digits - 1;
                let value =
                    rest[..digits].iter().fold(0_u32, |sum, it| sum * 8 + u32::from(it - b'0'));
                Some(value as u8)
            }
            other => Some(other),
        })
    }

    fn stream(&mut self, dict: Dict, length: LengthOf<'_>) -> Checked<Stream> {
        self.word(b"stream")?;
        match self.rest() {
            [b'\r', b'\n', ..] => self.at += 2,
            [b'\n', ..] => self.at += 1,
            _ => return Err(fault(self.at)),
        }
        let size = match dict.get("Length") {
            Some(Object::Reference(number, generation)) => length(*number, *generation),
            other => other.and_then(Object::size),
        };
        let start = self.at;
        let end = size.and_then(|it| start.checked_add(it)).filter(|it| *it <= self.bytes.len());
        self.at = end.ok_or_else(|| fault(start))?;
        let data = start..self.at;
        match self.rest() {
            [b'\r', b'\n', ..] => self.at += 2,
            [b'\r' | b'\n', ..] => self.at += 1,
            _ => {}
        }
        self.word(b"endstream")?;
        Ok(Stream { dict, data })
    }

    /// The characters up to the next white space or delimiter.
    fn regular(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let end = rest.iter().position(|it| is_white(*it) || b"()<>[]{}/%".contains(it));
        let word = &rest[..end.unwrap_or(rest.len())];
        self.at += word.len();
        word
    }
}

pub(super) fn is_white(byte: u8) -> bool {
    matches!(byte, 0 | 9 | 10 | 12 | 13 | 32)
}

fn fault(offset: usize) -> Fault {
    Fault::new("file.syntax").with("offset", offset)
}
