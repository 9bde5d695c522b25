//! The parts of a print run as one PDF: pages, tags, outline and resources put together.
//!
//! Parts in, one file out, written as the parts come: what is kept between them is a few numbers a part
//! and a hash for each resource. What parts have in common (fonts, colour profile, pictograms) is written
//! once. The tags stay one tree: each part is a `Part` of the one `Document`, and the number tree that
//! leads from the page to the tag has one leaf a part (ISO 32000-1, 14.7.4.4). So what was PDF/UA-1 and
//! PDF/A-2a in parts is so as a whole.

mod copy;
mod file;

use std::io::{self, Write};

use lopdf::{Dictionary, Document, Object, ObjectId, dictionary};

use super::RunPart;
use copy::{Part, Target, link};
use file::{Growing, int};

/// Why parts were not put together.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] io::Error),
    /// A part is not built as this renderer builds its files.
    #[error("a part of the file cannot be joined: {0}")]
    Part(String),
}

impl From<lopdf::Error> for JoinError {
    fn from(error: lopdf::Error) -> Self {
        Self::Part(error.to_string())
    }
}

/// A file of several parts, under way.
pub struct Joint<W: Write> {
    to: Target<W>,
    /// Numbers of objects that every part hangs on.
    roots: Roots,
    /// The nodes of the page tree, a part each, and of the two trees of tags.
    nodes: Vec<Object>,
    parts: Vec<Object>,
    leaves: Vec<Object>,
    pages: usize,
    /// The first number of the next part's pages in the tree that leads to the tags.
    next_parent: i64,
    outline: Outline,
    /// What the file says of itself, as its first part said it of all.
    face: Option<Face>,
}

struct Roots {
    pages: u32,
    tags: u32,
    document: u32,
    parents: u32,
    outlines: u32,
}

/// The chain of entries; its last one is written when it is known what follows it.
#[derive(Default)]
struct Outline {
    first: Option<u32>,
    last: Option<(u32, Dictionary)>,
    count: i64,
}

struct Face {
    catalog: Dictionary,
    information: u32,
    metadata: (u32, lopdf::Stream),
    identifier: Object,
    roles: Object,
    language: Option<Object>,
}

impl<W: Write> Joint<W> {
    /// An empty file, written to `out` as it grows.
    pub fn new(out: W) -> Result<Self, JoinError> {
        let mut file = Growing::new(out)?;
        let roots = Roots {
            pages: file.number(),
            tags: file.number(),
            document: file.number(),
            parents: file.number(),
            outlines: file.number(),
        };
        Ok(Self {
            to: Target::new(file),
            roots,
            nodes: Vec::new(),
            parts: Vec::new(),
            leaves: Vec::new(),
            pages: 0,
            next_parent: 0,
            outline: Outline::default(),
            face: None,
        })
    }

    /// Adds a part. The first one gives the whole file its title and its identifier. `duplex`: what
    /// follows begins on a front, after an empty page where need be.
    pub fn add(&mut self, run: &RunPart, duplex: bool) -> Result<(), JoinError> {
        let document = Document::load_mem(&run.bytes)?;
        let mut part = Part::new(&document, self.next_parent);
        let catalog = document.catalog()?;
        let tags = part.dictionary(catalog, b"StructTreeRoot")?;
        // The page of glyphs has made the fonts what they are; nothing leads to it from here on.
        let glyphs = self.add_pages(&mut part, catalog, run.pages, duplex)?;
        self.add_tags(&mut part, tags, glyphs)?;
        self.add_outline(&mut part, catalog)?;
        if self.face.is_none() {
            self.face = Some(self.face(&mut part, catalog, tags)?);
        }
        while let Some(id) = part.left.pop() {
            let object = self.to.copy(&mut part, document.get_object(id)?)?;
            self.to.file.put(part.numbers[&id], &object)?;
        }
        Ok(())
    }

    /// Ends the file; answers what it was written to, and how many pages it has.
    pub fn end(mut self) -> Result<(W, usize), JoinError> {
        let face = self.face.ok_or_else(|| JoinError::Part("there is none".to_owned()))?;
        let Roots { pages, tags, document, parents, outlines } = self.roots;
        let file = &mut self.to.file;
        let tree = dictionary! {
            "Type" => "Pages", "Kids" => self.nodes, "Count" => int(self.pages),
        };
        file.put(pages, &tree.into())?;
        let root = dictionary! {
            "Type" => "StructTreeRoot", "K" => vec![link(document)], "ParentTree" => link(parents),
            "ParentTreeNextKey" => self.next_parent, "RoleMap" => face.roles,
        };
        file.put(tags, &root.into())?;
        let mut whole = dictionary! {
            "Type" => "StructElem", "S" => "Document", "P" => link(tags), "K" => self.parts,
        };
        if let Some(language) = face.language {
            whole.set("Lang", language);
        }
        file.put(document, &whole.into())?;
        file.put(parents, &dictionary! { "Kids" => self.leaves }.into())?;
        let mut catalog = face.catalog;
        catalog.set("Pages", link(pages));
        catalog.set("StructTreeRoot", link(tags));
        if let (Some(first), Some((last, entry))) = (self.outline.first, self.outline.last) {
            file.put(last, &entry.into())?;
            let entries = dictionary! {
                "Type" => "Outlines", "First" => link(first), "Last" => link(last),
                "Count" => self.outline.count,
            };
            file.put(outlines, &entries.into())?;
            catalog.set("Outlines", link(outlines));
        }
        let (number, mut metadata) = face.metadata;
        metadata.set_plain_content(with_pages(&metadata.content, self.pages));
        file.put(number, &metadata.into())?;
        catalog.set("Metadata", link(number));
        let root = file.number();
        file.put(root, &catalog.into())?;
        let trailer = dictionary! {
            "Root" => link(root), "Info" => link(face.information), "ID" => face.identifier,
        };
        Ok((self.to.file.end(trailer)?, self.pages))
    }

    /// The part's pages are a node of the tree of all.
    fn add_pages(
        &mut self,
        part: &mut Part<'_>,
        catalog: &Dictionary,
        count: usize,
        duplex: bool,
    ) -> Result<ObjectId, JoinError> {
        let own = catalog.get(b"Pages")?.as_reference()?;
        let number = self.to.file.number();
        part.numbers.insert(own, number);
        let mut tree = part.document.get_dictionary(own)?.clone();
        let kids = tree.get_mut(b"Kids")?.as_array_mut()?;
        if kids.len() != count + 1 {
            return Err(JoinError::Part("its page tree".to_owned()));
        }
        let glyphs = kids.remove(0).as_reference()?;
        let Object::Dictionary(mut node) = self.to.copy(part, &tree.into())? else {
            return Err(JoinError::Part("its page tree".to_owned()));
        };
        node.set("Parent", link(self.roots.pages));
        let mut total = count;
        if duplex && count % 2 == 1 {
            let sheet = part.document.get_dictionary(glyphs)?.get(b"MediaBox")?.clone();
            let blank = self.to.file.number();
            let page = dictionary! {
                "Type" => "Page", "Parent" => link(number), "MediaBox" => sheet,
                "Resources" => Dictionary::new(), "Tabs" => "S",
            };
            self.to.file.put(blank, &page.into())?;
            node.get_mut(b"Kids")?.as_array_mut()?.push(link(blank));
            total += 1;
        }
        node.set("Count", int(total));
        self.to.file.put(number, &node.into())?;
        self.nodes.push(link(number));
        self.pages += total;
        Ok(glyphs)
    }

    /// The part's document is a part of the whole one, and its numbers follow those before it.
    fn add_tags(
        &mut self,
        part: &mut Part<'_>,
        tags: &Dictionary,
        glyphs: ObjectId,
    ) -> Result<(), JoinError> {
        let known: [&[u8]; 5] = [b"Type", b"K", b"ParentTree", b"ParentTreeNextKey", b"RoleMap"];
        if let Some((name, _)) = tags.iter().find(|(name, _)| !known.contains(&name.as_slice())) {
            let name = String::from_utf8_lossy(name);
            return Err(JoinError::Part(format!("{name} in its tags")));
        }
        let [Object::Reference(own)] = tags.get(b"K")?.as_array()?.as_slice() else {
            return Err(JoinError::Part("its tags have no one root".to_owned()));
        };
        let number = self.to.file.number();
        part.numbers.insert(*own, number);
        let mut element = part.document.get_dictionary(*own)?.clone();
        element.remove(b"P");
        let kids = element.get_mut(b"K")?.as_array_mut()?;
        kids.retain(|it| !part.stands_on(it, glyphs));
        element.set("S", "Part");
        let Object::Dictionary(mut element) = self.to.copy(part, &element.into())? else {
            return Err(JoinError::Part("its tags".to_owned()));
        };
        element.set("P", link(self.roots.document));
        self.to.file.put(number, &element.into())?;
        self.parts.push(link(number));
        let numbers = part.dictionary(tags, b"ParentTree")?.get(b"Nums")?.as_array()?;
        let mut moved = Vec::with_capacity(numbers.len());
        let left_out = part.document.get_dictionary(glyphs)?.get(b"StructParents").ok();
        let (mut least, mut most) = (None, self.next_parent);
        for pair in numbers.chunks_exact(2).filter(|it| Some(&it[0]) != left_out) {
            let key = pair[0].as_i64()? + part.shift;
            least.get_or_insert(key);
            most = key;
            moved.push(Object::Integer(key));
            moved.push(self.to.copy(part, &pair[1])?);
        }
        if let Some(least) = least {
            let leaf = dictionary! { "Limits" => vec![least.into(), most.into()], "Nums" => moved };
            let number = self.to.file.number();
            self.to.file.put(number, &leaf.into())?;
            self.leaves.push(link(number));
            self.next_parent = most + 1;
        }
        Ok(())
    }

    /// The part's entries follow those before them.
    fn add_outline(&mut self, part: &mut Part<'_>, catalog: &Dictionary) -> Result<(), JoinError> {
        let Ok(Object::Reference(own)) = catalog.get(b"Outlines") else { return Ok(()) };
        part.numbers.insert(*own, self.roots.outlines);
        let root = part.document.get_dictionary(*own)?;
        let first = root.get(b"First")?.as_reference()?;
        let last = root.get(b"Last")?.as_reference()?;
        let (first_number, last_number) = (self.to.number(part, first), self.to.number(part, last));
        let before = self.outline.last.take();
        self.outline.first.get_or_insert(first_number);
        self.outline.count += root.get(b"Count").and_then(Object::as_i64).unwrap_or_default();
        // Both ends are written here, with what links them to the other parts.
        part.left.retain(|id| ![first, last].contains(id));
        let mut ends = Vec::new();
        for id in [first, last] {
            let entry = part.document.get_dictionary(id)?.clone();
            let Object::Dictionary(entry) = self.to.copy(part, &entry.into())? else {
                return Err(JoinError::Part("its outline".to_owned()));
            };
            ends.push(entry);
        }
        let (Some(mut end), Some(mut start)) = (ends.pop(), ends.pop()) else { return Ok(()) };
        if let Some((number, mut entry)) = before {
            start.set("Prev", link(number));
            if first == last {
                end.set("Prev", link(number));
            }
            entry.set("Next", link(first_number));
            self.to.file.put(number, &entry.into())?;
        }
        if first != last {
            self.to.file.put(first_number, &start.into())?;
        }
        self.outline.last = Some((last_number, end));
        Ok(())
    }

    /// What the file says of itself.
    fn face(
        &mut self,
        part: &mut Part<'_>,
        catalog: &Dictionary,
        tags: &Dictionary,
    ) -> Result<Face, JoinError> {
        let metadata = part.document.get_object(catalog.get(b"Metadata")?.as_reference()?)?;
        let metadata = metadata.as_stream()?.clone();
        let mut own = catalog.clone();
        for name in [&b"Pages"[..], b"StructTreeRoot", b"Outlines", b"Metadata"] {
            own.remove(name);
        }
        let Object::Dictionary(own) = self.to.copy(part, &own.into())? else {
            return Err(JoinError::Part("its catalog".to_owned()));
        };
        let trailer = &part.document.trailer;
        let information = self.to.number(part, trailer.get(b"Info")?.as_reference()?);
        Ok(Face {
            language: own.get(b"Lang").ok().cloned(),
            catalog: own,
            information,
            metadata: (self.to.file.number(), metadata),
            identifier: trailer.get(b"ID")?.clone(),
            roles: tags.get(b"RoleMap").cloned().unwrap_or(Dictionary::new().into()),
        })
    }
}

/// XMP metadata with another number of pages.
fn with_pages(xmp: &[u8], pages: usize) -> Vec<u8> {
    const NAME: &str = "NPages>";
    let text = String::from_utf8_lossy(xmp);
    let replaced = text.split_once(NAME).and_then(|(before, rest)| {
        let after = rest.split_once('<')?.1;
        Some(format!("{before}{NAME}{pages}<{after}"))
    });
    replaced.map_or_else(|| xmp.to_vec(), String::into_bytes)
}
