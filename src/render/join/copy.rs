//! Objects of a part with the numbers of the whole file; what is there already is not written again.

use std::collections::HashMap;
use std::io::Write;

use lopdf::{Dictionary, Document, Object, ObjectId, Writer};
use sha2::{Digest, Sha256};

use super::JoinError;
use super::file::Growing;

/// Where parts are copied to.
pub(super) struct Target<W: Write> {
    pub(super) file: Growing<W>,
    /// What is shared, by the hash of how it is written.
    shared: HashMap<[u8; 32], u32>,
}

/// One part while it is copied.
pub(super) struct Part<'a> {
    pub(super) document: &'a Document,
    pub(super) numbers: HashMap<ObjectId, u32>,
    /// What has a number and is not written yet.
    pub(super) left: Vec<ObjectId>,
    /// What to add to the numbers of its pages in the tree that leads to the tags.
    pub(super) shift: i64,
}

impl<W: Write> Target<W> {
    pub(super) fn new(file: Growing<W>) -> Self {
        Self { file, shared: HashMap::new() }
    }

    /// The number of an object of a part; one without is copied later.
    pub(super) fn number(&mut self, part: &mut Part<'_>, id: ObjectId) -> u32 {
        *part.numbers.entry(id).or_insert_with(|| {
            part.left.push(id);
            self.file.number()
        })
    }

    /// An object with the numbers of the whole file.
    pub(super) fn copy(
        &mut self,
        part: &mut Part<'_>,
        object: &Object,
    ) -> Result<Object, JoinError> {
        self.copy_as(part, object, false)
    }

    /// `shared`: every object below that is there already is used again. For what refers to no page and no tag:
    /// resources are a tree.
    fn copy_as(
        &mut self,
        part: &mut Part<'_>,
        object: &Object,
        shared: bool,
    ) -> Result<Object, JoinError> {
        Ok(match object {
            Object::Reference(id) if shared => link(self.shared_number(part, *id)?),
            Object::Reference(id) => link(self.number(part, *id)),
            Object::Array(items) => {
                let items = items.iter().map(|it| self.copy_as(part, it, shared));
                Object::Array(items.collect::<Result<_, _>>()?)
            }
            Object::Dictionary(it) => self.copy_entries(part, it, shared)?.into(),
            Object::Stream(it) => {
                let mut stream = it.clone();
                stream.dict = self.copy_entries(part, &it.dict, shared)?;
                Object::Stream(stream)
            }
            plain => plain.clone(),
        })
    }

    fn copy_entries(
        &mut self,
        part: &mut Part<'_>,
        entries: &Dictionary,
        shared: bool,
    ) -> Result<Dictionary, JoinError> {
        let mut copy = Dictionary::new();
        for (name, value) in entries.iter() {
            let value = match (name.as_slice(), value) {
                (b"StructParents" | b"StructParent", Object::Integer(key)) if !shared => {
                    Object::Integer(key + part.shift)
                }
                (name, value) => {
                    let shared = shared || matches!(name, b"Resources" | b"OutputIntents");
                    self.copy_as(part, value, shared)?
                }
            };
            copy.set(name.clone(), value);
        }
        Ok(copy)
    }

    /// The number of the object that is written like this one.
    fn shared_number(&mut self, part: &mut Part<'_>, id: ObjectId) -> Result<u32, JoinError> {
        if let Some(number) = part.numbers.get(&id) {
            return Ok(*number);
        }
        let below = part.document.get_object(id)?;
        let copy = self.copy_as(part, below, true)?;
        let mut bytes = Vec::new();
        Writer::write_object(&mut bytes, &copy)?;
        let hash = Sha256::digest(&bytes).into();
        let number = match self.shared.get(&hash) {
            Some(number) => *number,
            None => {
                let number = self.file.number();
                let is_stream = matches!(copy, Object::Stream(_));
                self.file.put_written(number, bytes, is_stream)?;
                self.shared.insert(hash, number);
                number
            }
        };
        part.numbers.insert(id, number);
        Ok(number)
    }
}

impl<'a> Part<'a> {
    pub(super) fn new(document: &'a Document, shift: i64) -> Self {
        Self { document, numbers: HashMap::new(), left: Vec::new(), shift }
    }

    /// The dictionary that an entry is or names.
    pub(super) fn dictionary(
        &self,
        entries: &'a Dictionary,
        name: &[u8],
    ) -> Result<&'a Dictionary, JoinError> {
        Ok(match entries.get(name)? {
            Object::Reference(id) => self.document.get_dictionary(*id)?,
            object => object.as_dict()?,
        })
    }

    /// Whether a child of the tags is about a page, as its first piece says.
    pub(super) fn stands_on(&self, child: &Object, page: ObjectId) -> bool {
        let entries = match child {
            Object::Reference(id) => self.document.get_dictionary(*id).ok(),
            Object::Dictionary(it) => Some(it),
            _ => None,
        };
        let Some(entries) = entries else { return false };
        match (entries.get(b"Pg").and_then(Object::as_reference), entries.get(b"K")) {
            (Ok(own), _) => own == page,
            (_, Ok(Object::Array(kids))) => kids.first().is_some_and(|it| self.stands_on(it, page)),
            (_, Ok(kid)) => self.stands_on(kid, page),
            _ => false,
        }
    }
}

pub(super) fn link(number: u32) -> Object {
    Object::Reference((number, 0))
}
