//! The objects of a file as each of its revisions shows them.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::fault::{Checked, Fault, ensure};
use super::object::{Dict, Object, Stream};
use super::section::{ENTRIES, Entry, Section, sections};
use super::stream;
use super::syntax::{Budget, Reader};

/// A file whose revisions are known. A *view* is the number of a revision: the file as it was when
/// that revision was its last.
pub(super) struct File<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) sections: Vec<Section>,
    budget: Budget,
    read: Known<(usize, u32), Object>,
    containers: Known<(usize, u32), Container>,
    streams: Known<usize, Vec<u8>>,
}

/// What was read once, or why it could not be.
type Known<Key, T> = RefCell<HashMap<Key, Checked<Rc<T>>>>;

/// An object stream, decompressed: where each object begins, by index.
struct Container {
    data: Rc<Vec<u8>>,
    objects: Vec<(u32, usize)>,
}

impl<'a> File<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Checked<Self> {
        let budget = Budget::default();
        let sections = sections(bytes, &budget)?;
        let (read, containers, streams) = Default::default();
        Ok(Self { bytes, sections, budget, read, containers, streams })
    }

    pub(super) fn last(&self) -> usize {
        self.sections.len() - 1
    }

    /// The number of the catalog; it is the same in all revisions.
    pub(super) fn root(&self) -> (u32, u16) {
        let root = self.sections[0].trailer.get("Root").and_then(Object::reference);
        root.unwrap_or_default()
    }

    pub(super) fn catalog(&self, view: usize) -> Checked<Rc<Object>> {
        let (number, generation) = self.root();
        let catalog = self.get(view, number, generation)?;
        ensure(matches!(*catalog, Object::Dict(_)), "file.root")?;
        Ok(catalog)
    }

    /// The revision that brought what the view shows under a number, and where it stands.
    pub(super) fn entry(&self, view: usize, number: u32) -> Option<(usize, Entry)> {
        let mut newest = (0..=view).rev();
        newest.find_map(|it| Some((it, *self.sections[it].entries.get(&number)?)))
    }

    /// Whether the view has an object of that number.
    pub(super) fn has(&self, view: usize, number: u32) -> bool {
        !matches!(self.entry(view, number), None | Some((_, Entry::Free)))
    }

    /// The object of a number; what is not there is null (ISO 32000-1, 7.3.10).
    pub(super) fn get(&self, view: usize, number: u32, generation: u16) -> Checked<Rc<Object>> {
        match self.entry(view, number) {
            Some((section, Entry::At { generation: own, .. })) if own == generation => {
                self.object(section, number)
            }
            Some((section, Entry::In { .. })) if generation == 0 => self.object(section, number),
            _ => Ok(Rc::new(Object::Null)),
        }
    }

    /// The object behind a reference, or the object itself.
    pub(super) fn resolve(&self, view: usize, object: &Object) -> Checked<Rc<Object>> {
        match object.reference() {
            Some((number, generation)) => {
                let found = self.get(view, number, generation)?;
                ensure(found.reference().is_none(), "file.reference_to_reference")?;
                Ok(found)
            }
            None => Ok(Rc::new(object.clone())),
        }
    }

    /// The value of a dictionary's key, behind its reference.
    pub(super) fn value(&self, view: usize, dict: &Dict, key: &str) -> Checked<Option<Rc<Object>>> {
        dict.get(key).map(|it| self.resolve(view, it)).transpose()
    }

    /// All numbers that the view shows an object for.
    pub(super) fn numbers(&self, view: usize) -> BTreeMap<u32, usize> {
        let mut numbers = BTreeMap::new();
        for (index, section) in self.sections[..=view].iter().enumerate() {
            for (number, entry) in &section.entries {
                match entry {
                    Entry::Free => numbers.remove(number),
                    _ => numbers.insert(*number, index),
                };
            }
        }
        numbers
    }

    /// The object that a section brings under a number.
    pub(super) fn object(&self, section: usize, number: u32) -> Checked<Rc<Object>> {
        if let Some(found) = self.read.borrow().get(&(section, number)) {
            return found.clone();
        }
        let found = self.parse(section, number).map(|(object, _)| Rc::new(object));
        self.read.borrow_mut().insert((section, number), found.clone());
        found
    }

    /// Reads an object, and says where it ends if it stands in the file itself.
    pub(super) fn parse(&self, section: usize, number: u32) -> Checked<(Object, usize)> {
        match self.sections[section].entries.get(&number) {
            Some(Entry::At { offset, generation }) => {
                let mut reader = Reader::new(self.bytes, *offset, &self.budget);
                let length = |number, generation| self.length(section, number, generation);
                let object = reader.indirect((number, *generation), &length)?;
                Ok((object, reader.at))
            }
            Some(Entry::In { container, index }) => {
                let container = self.container(section, *container)?;
                let place = container.objects.get(*index).filter(|it| it.0 == number);
                let place = place.ok_or_else(|| Fault::new("file.container"))?.1;
                let mut reader = Reader::new(&container.data, place, &self.budget);
                let object = reader.object()?;
                // Strings there have no place in the file.
                Ok((object, 0))
            }
            _ => Ok((Object::Null, 0)),
        }
    }

    /// A stream's length in an object of its own: a plain number in the file itself. One in an object
    /// stream could be the length of that very stream.
    fn length(&self, view: usize, number: u32, generation: u16) -> Option<usize> {
        let (_, entry) = self.entry(view, number)?;
        let Entry::At { offset, generation: own } = entry else { return None };
        if own != generation {
            return None;
        }
        let mut reader = Reader::new(self.bytes, offset, &self.budget);
        reader.indirect((number, generation), &|_, _| None).ok()?.size()
    }

    fn container(&self, section: usize, number: u32) -> Checked<Rc<Container>> {
        if let Some(found) = self.containers.borrow().get(&(section, number)) {
            return found.clone();
        }
        let found = self.open_container(section, number).map(Rc::new);
        self.containers.borrow_mut().insert((section, number), found.clone());
        found
    }

    fn open_container(&self, section: usize, number: u32) -> Checked<Container> {
        let wrong = || Fault::new("file.container");
        let direct = matches!(self.sections[section].entries.get(&number), Some(Entry::At { .. }));
        ensure(direct, "file.container")?;
        let object = self.object(section, number)?;
        let Object::Stream(stream) = &*object else { return Err(wrong()) };
        let dict = &stream.dict;
        let known = dict.get("Type").is_some_and(|it| it.is_name("ObjStm"));
        ensure(known && dict.get("Extends").is_none(), "file.container")?;
        let size = |key| dict.get(key).and_then(Object::size).ok_or_else(wrong);
        let (count, first) = (size("N")?, size("First")?);
        ensure(count <= ENTRIES, "file.too_complex")?;
        let data = self.decoded(stream)?;
        let mut objects = Vec::new();
        let mut reader = Reader::new(&data, 0, &self.budget);
        for _ in 0..count {
            reader.white();
            let number = u32::try_from(reader.unsigned()?).map_err(|_| wrong())?;
            reader.space()?;
            let offset = usize::try_from(reader.unsigned()?).map_err(|_| wrong())?;
            objects.push((number, first.checked_add(offset).ok_or_else(wrong)?));
        }
        Ok(Container { data, objects })
    }

    /// A stream's bytes as they stand.
    pub(super) fn raw(&self, stream: &Stream) -> &'a [u8] {
        self.bytes.get(stream.data.clone()).unwrap_or_default()
    }

    /// A stream's bytes, decompressed: once, however often they are asked for.
    pub(super) fn decoded(&self, stream: &Stream) -> Checked<Rc<Vec<u8>>> {
        let place = stream.data.start;
        if let Some(found) = self.streams.borrow().get(&place) {
            return found.clone();
        }
        let found = stream::decoded(self.bytes, stream, &self.budget).map(Rc::new);
        self.streams.borrow_mut().insert(place, found.clone());
        found
    }

    /// Whether two objects say the same; streams by their bytes, wherever they stand.
    pub(super) fn same(&self, one: &Object, other: &Object) -> bool {
        match (one, other) {
            (Object::Stream(one), Object::Stream(other)) => {
                one.dict == other.dict && self.raw(one) == self.raw(other)
            }
            _ => one == other,
        }
    }
}
