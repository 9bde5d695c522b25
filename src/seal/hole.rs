//! The hole of a signature: a file is written with room for the signature's bytes, what stands around
//! the room is hashed and signed, and the signature is put into it (ISO 32000-1, 12.8.1).
//!
//! A signature dictionary in, a file with a hole out; [`Hole::fill`] closes it. What stands in it is
//! canonical: lower-case hex, one DER value, then zeros.

use lopdf::{Dictionary, ObjectId};

use super::SealError;
use super::update::{Update, written};

const RANGE: &str = "[0 0000000000 0000000000 0000000000]";

/// A file that waits for the bytes of a signature.
pub(super) struct Hole {
    bytes: Vec<u8>,
    /// From the `<` of the hole to behind its `>`.
    start: usize,
    end: usize,
}

impl Hole {
    /// Writes an update with a signature dictionary whose hole takes `room` bytes of DER.
    pub(super) fn cut(
        mut update: Update,
        id: ObjectId,
        dictionary: Dictionary,
        room: usize,
    ) -> Result<Self, SealError> {
        let mut value = written(&dictionary.into())?;
        value.truncate(value.len() - b">>".len());
        value.extend_from_slice(b"/ByteRange ");
        let range = value.len();
        value.extend_from_slice(RANGE.as_bytes());
        value.extend_from_slice(b"/Contents <");
        let start = value.len() - 1;
        value.resize(value.len() + 2 * room, b'0');
        value.extend_from_slice(b">");
        let end = value.len();
        value.extend_from_slice(b">>");
        update.set_written(id, value);
        let file = update.finish()?;
        let offset = file.offsets[&id.0];
        let mut hole = Self { bytes: file.bytes, start: offset + start, end: offset + end };
        let rest = hole.bytes.len() - hole.end;
        let text = format!("[0 {:010} {:010} {rest:010}]", hole.start, hole.end);
        let range = offset + range;
        hole.bytes[range..range + text.len()].copy_from_slice(text.as_bytes());
        Ok(hole)
    }

    /// What is signed: all that stands around the hole.
    pub(super) fn around(&self) -> [&[u8]; 2] {
        [&self.bytes[..self.start], &self.bytes[self.end..]]
    }

    /// Puts a signature in.
    pub(super) fn fill(mut self, der: &[u8]) -> Result<Vec<u8>, SealError> {
        let room = (self.end - self.start - b"<>".len()) / 2;
        if der.len() > room {
            return Err(SealError::HoleFull { needed: der.len(), room });
        }
        for (pair, byte) in self.bytes[self.start + 1..].chunks_exact_mut(2).zip(der) {
            pair.copy_from_slice(&hex(*byte));
        }
        Ok(self.bytes)
    }
}

fn hex(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}
