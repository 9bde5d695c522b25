//! A PDF written object by object as it grows, however long it gets (ISO 32000-1, 7.5.7 and 7.5.8).
//!
//! Objects in, bytes out at once. Small objects are packed into object streams, which makes a file of
//! many tags less than half as long. What is kept in memory is one entry of the cross-reference a
//! number, and the object stream that is being filled.

use std::io::{self, Write};

use lopdf::{Dictionary, Object, Stream, Writer};
use miniz_oxide::deflate::compress_to_vec_zlib;

/// Objects of one object stream.
const PACKED: usize = 200;

/// How hard streams are compressed.
const LEVEL: u8 = 6;

/// Where an object is (ISO 32000-1, table 18).
#[derive(Clone, Copy)]
enum Place {
    /// Nowhere yet.
    Free,
    /// At an offset.
    At(u64),
    /// In an object stream, and which one it is of it.
    In(u32, u16),
}

/// A file under way.
pub(super) struct Growing<W: Write> {
    out: W,
    length: u64,
    /// By object number.
    places: Vec<Place>,
    /// Numbers and bytes of the objects that wait for their object stream.
    packed: Vec<(u32, Vec<u8>)>,
}

impl<W: Write> Growing<W> {
    pub(super) fn new(mut out: W) -> io::Result<Self> {
        // Four bytes above 127: the file is binary (7.5.2).
        let head = b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n";
        out.write_all(head)?;
        let length = head.len() as u64;
        Ok(Self { out, length, places: vec![Place::Free], packed: Vec::new() })
    }

    /// A number that no object has.
    pub(super) fn number(&mut self) -> u32 {
        self.places.push(Place::Free);
        u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX)
    }

    /// Writes the object of a number.
    pub(super) fn put(&mut self, number: u32, object: &Object) -> io::Result<()> {
        let mut bytes = Vec::new();
        Writer::write_object(&mut bytes, object)?;
        self.put_written(number, bytes, matches!(object, Object::Stream(_)))
    }

    /// The same of an object that is written already.
    pub(super) fn put_written(
        &mut self,
        number: u32,
        bytes: Vec<u8>,
        is_stream: bool,
    ) -> io::Result<()> {
        if is_stream {
            return self.put_alone(number, &bytes);
        }
        self.packed.push((number, bytes));
        if self.packed.len() == PACKED { self.flush() } else { Ok(()) }
    }

    fn put_alone(&mut self, number: u32, bytes: &[u8]) -> io::Result<()> {
        self.places[number as usize] = Place::At(self.length);
        let head = format!("{number} 0 obj\n");
        for part in [head.as_bytes(), bytes, b"\nendobj\n"] {
            self.out.write_all(part)?;
            self.length += part.len() as u64;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.packed.is_empty() {
            return Ok(());
        }
        let own = self.number();
        let (mut index, mut body) = (String::new(), Vec::new());
        let packed = std::mem::take(&mut self.packed);
        for (order, (number, bytes)) in (0..).zip(&packed) {
            index.push_str(&format!("{number} {} ", body.len()));
            body.extend_from_slice(bytes);
            body.push(b'\n');
            self.places[*number as usize] = Place::In(own, order);
        }
        let mut head = Dictionary::new();
        head.set("Type", Object::Name(b"ObjStm".to_vec()));
        head.set("N", int(packed.len()));
        head.set("First", int(index.len()));
        let bytes = self.stream(head, &[index.as_bytes(), &body].concat())?;
        self.put_alone(own, &bytes)
    }

    /// A compressed stream as it is written.
    fn stream(&self, mut head: Dictionary, plain: &[u8]) -> io::Result<Vec<u8>> {
        head.set("Filter", Object::Name(b"FlateDecode".to_vec()));
        let mut bytes = Vec::new();
        let stream = Stream::new(head, compress_to_vec_zlib(plain, LEVEL));
        Writer::write_object(&mut bytes, &Object::Stream(stream))?;
        Ok(bytes)
    }

    /// Ends the file; `trailer` names root, information and identifier.
    pub(super) fn end(mut self, mut trailer: Dictionary) -> io::Result<W> {
        self.flush()?;
        let (own, start) = (self.number(), self.length);
        self.places[own as usize] = Place::At(start);
        let mut table = Vec::with_capacity(self.places.len() * 8);
        for place in &self.places {
            // Five bytes reach to a terabyte.
            let (kind, first, second) = match *place {
                Place::Free => (0, 0, 0xFFFF),
                Place::At(offset) => (1, offset, 0),
                Place::In(stream, order) => (2, u64::from(stream), order),
            };
            table.push(kind);
            table.extend_from_slice(&first.to_be_bytes()[3..]);
            table.extend_from_slice(&u16::to_be_bytes(second));
        }
        trailer.set("Type", Object::Name(b"XRef".to_vec()));
        trailer.set("Size", int(self.places.len()));
        trailer.set("W", Object::Array([1, 5, 2].map(Object::Integer).to_vec()));
        let bytes = self.stream(trailer, &table)?;
        self.put_alone(own, &bytes)?;
        write!(self.out, "startxref\n{start}\n%%EOF\n")?;
        self.out.flush()?;
        Ok(self.out)
    }
}

pub(super) fn int(count: usize) -> Object {
    Object::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}
