//! Incremental updates: objects appended to a PDF whose earlier bytes stay as they are
//! (ISO 32000-1, 7.5.6).
//!
//! A file in, the same file with more at its end out. Reading is lopdf's; what cannot be read as
//! written is refused, for a file that had to be repaired is not one to sign.

use std::collections::BTreeMap;

use lopdf::{
    Dictionary, Document, LoadOptions, Object, ObjectId, Stream, StringFormat, Writer, dictionary,
};

use super::SealError;

/// The most that one stream of a file may unpack to.
const MAX_STREAM: usize = 64 << 20;

/// A file and the objects to append to it.
pub(super) struct Update<'a> {
    base: &'a [u8],
    /// The file as it is.
    pub(super) document: Document,
    changed: BTreeMap<u32, Vec<u8>>,
    objects: BTreeMap<u32, Object>,
    next: u32,
}

/// The longer file, and where its new objects begin.
pub(super) struct Appended {
    pub(super) bytes: Vec<u8>,
    /// For each object number the offset of its value, after `obj`.
    pub(super) offsets: BTreeMap<u32, usize>,
}

impl<'a> Update<'a> {
    pub(super) fn open(base: &'a [u8]) -> Result<Self, SealError> {
        if !base.starts_with(b"%PDF-") {
            return Err(SealError::NotPdf);
        }
        let options =
            LoadOptions { max_decompressed_size: Some(MAX_STREAM), ..LoadOptions::default() };
        let document = Document::load_mem_with_options(base, options)?;
        if document.xref_recovery.is_some() || document.is_encrypted() {
            return Err(SealError::Damaged("it cannot be read as it was written".to_owned()));
        }
        let size = document.trailer.get(b"Size").and_then(Object::as_i64).unwrap_or_default();
        let next = u32::try_from(size).unwrap_or_default().max(document.max_id.saturating_add(1));
        Ok(Self { base, document, changed: BTreeMap::new(), objects: BTreeMap::new(), next })
    }

    /// An object as it will be after this update.
    pub(super) fn object(&self, id: ObjectId) -> Result<&Object, SealError> {
        match self.objects.get(&id.0) {
            Some(object) => Ok(object),
            None => Ok(self.document.get_object(id)?),
        }
    }

    /// A copy of a dictionary, to be changed and set.
    pub(super) fn dictionary(&self, id: ObjectId) -> Result<Dictionary, SealError> {
        Ok(self.object(id)?.as_dict()?.clone())
    }

    /// What an object says, followed where it is a reference.
    pub(super) fn resolve<'b>(&'b self, object: &'b Object) -> Result<&'b Object, SealError> {
        match object {
            Object::Reference(id) => self.object(*id),
            object => Ok(object),
        }
    }

    /// The value of a key, followed; nothing where the key is absent.
    pub(super) fn get<'b>(
        &'b self,
        dictionary: &'b Dictionary,
        key: &[u8],
    ) -> Result<Option<&'b Object>, SealError> {
        dictionary.get(key).ok().map(|it| self.resolve(it)).transpose()
    }

    pub(super) fn catalog_id(&self) -> Result<ObjectId, SealError> {
        Ok(self.document.trailer.get(b"Root")?.as_reference()?)
    }

    /// A number for an object to come.
    pub(super) fn reserve(&mut self) -> ObjectId {
        let id = (self.next, 0);
        self.next += 1;
        id
    }

    pub(super) fn set(&mut self, id: ObjectId, object: impl Into<Object>) {
        self.objects.insert(id.0, object.into());
    }

    pub(super) fn add(&mut self, object: impl Into<Object>) -> ObjectId {
        let id = self.reserve();
        self.set(id, object);
        id
    }

    /// Sets an object as bytes that are already written.
    pub(super) fn set_written(&mut self, id: ObjectId, bytes: Vec<u8>) {
        self.changed.insert(id.0, bytes);
    }

    /// Appends what was set: objects, cross-reference section of the kind the file has, trailer. Where
    /// nothing was set, nothing is appended.
    pub(super) fn finish(mut self) -> Result<Appended, SealError> {
        if self.objects.is_empty() && self.changed.is_empty() {
            return Ok(Appended { bytes: self.base.to_vec(), offsets: BTreeMap::new() });
        }
        let mut bytes = Vec::with_capacity(self.base.len() + 32_768);
        bytes.extend_from_slice(self.base);
        if !bytes.ends_with(b"\n") {
            bytes.push(b'\n');
        }
        for (id, object) in std::mem::take(&mut self.objects) {
            self.changed.insert(id, written(&object)?);
        }
        let mut starts = BTreeMap::new();
        let mut offsets = BTreeMap::new();
        for (id, value) in &self.changed {
            starts.insert(*id, bytes.len());
            bytes.extend(format!("{id} 0 obj\n").bytes());
            offsets.insert(*id, bytes.len());
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\nendobj\n");
        }
        let start = bytes.len();
        let streamed =
            !self.base[self.document.xref_start.min(self.base.len())..].starts_with(b"xref");
        if streamed {
            starts.insert(self.next, start);
            self.next += 1;
            let stream = self.cross_reference_stream(&starts);
            bytes.extend(format!("{} 0 obj\n", self.next - 1).bytes());
            bytes.extend(written(&stream.into())?);
            bytes.extend_from_slice(b"\nendobj\n");
        } else {
            bytes.extend_from_slice(b"xref\n");
            for (id, offset) in &starts {
                bytes.extend(format!("{id} 1\n{offset:010} 00000 n \n").bytes());
            }
            bytes.extend_from_slice(b"trailer\n");
            bytes.extend(written(&self.trailer().into())?);
            bytes.push(b'\n');
        }
        bytes.extend(format!("startxref\n{start}\n%%EOF\n").bytes());
        Ok(Appended { bytes, offsets })
    }

    fn trailer(&self) -> Dictionary {
        let mut trailer = Dictionary::new();
        for key in ["Root", "Info", "ID"] {
            if let Ok(value) = self.document.trailer.get(key.as_bytes()) {
                trailer.set(key, value.clone());
            }
        }
        trailer.set("Prev", integer(self.document.xref_start));
        trailer.set("Size", i64::from(self.next));
        trailer
    }

    /// Type, offset of eight bytes, and generation of each object (7.5.8).
    fn cross_reference_stream(&self, starts: &BTreeMap<u32, usize>) -> Stream {
        let mut trailer = self.trailer();
        let index = starts.keys().flat_map(|id| [i64::from(*id).into(), 1.into()]).collect();
        trailer.set("Type", name("XRef"));
        trailer.set("W", vec![1.into(), 8.into(), 2.into()]);
        trailer.set("Index", Object::Array(index));
        let mut entries = Vec::new();
        for offset in starts.values() {
            entries.push(1);
            entries.extend((*offset as u64).to_be_bytes());
            entries.extend([0, 0]);
        }
        Stream::new(trailer, entries).with_compression(false)
    }
}

/// An object in PDF syntax.
pub(super) fn written(object: &Object) -> Result<Vec<u8>, SealError> {
    let mut bytes = Vec::new();
    Writer::write_object(&mut bytes, object).map_err(lopdf::Error::from)?;
    Ok(bytes)
}

pub(super) fn name(text: &str) -> Object {
    Object::Name(text.as_bytes().to_vec())
}

/// A text string: ASCII as it is, else UTF-16 in bytes, which is half as long as lopdf's in hex.
pub(super) fn text(text: &str) -> Object {
    match lopdf::text_string(text) {
        Object::String(bytes, _) => Object::String(bytes, StringFormat::Literal),
        other => other,
    }
}

pub(super) fn integer(value: usize) -> Object {
    Object::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

/// A form XObject of a size in points: what a field looks like.
pub(super) fn appearance(width: f32, height: f32, content: Vec<u8>) -> Result<Stream, SealError> {
    let dictionary = dictionary! {
        "Type" => "XObject",
        "Subtype" => "Form",
        "BBox" => vec![0.into(), 0.into(), width.into(), height.into()],
        "Resources" => Dictionary::new(),
    };
    let mut stream = Stream::new(dictionary, content);
    stream.compress()?;
    Ok(stream)
}
