//! Two revisions in, what the newer changed out. Permitted are, as after a certification with P=2
//! (ISO 32000-1, table 254; ISO 32000-2, 12.8.2.2): signing a signature field that was there and
//! empty, validation data, and invisible archive timestamps. Every object that the newer revision
//! brings must be explained by one of these, and may play no other part; else it is a change by name.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Change, ChangeKind};
use super::content::short;
use super::fault::Checked;
use super::field::{Field, fields};
use super::file::File;
use super::object::{Dict, Object};
use super::references::References;
use super::section::Entry;
use super::syntax::is_white;

/// How many changes of one revision are told: the first that is not permitted decides.
const MOST: usize = 1_200;

/// What revision `new` changed against the one before.
pub(super) fn changes(file: &File<'_>, new: usize) -> Vec<Change> {
    let mut found = Vec::new();
    let mut tell = |kind, object, detail: String| {
        let permitted = ChangeKind::permissible(kind);
        found.push(Change { revision: new + 1, kind, object, detail, permitted });
    };
    match compare(file, new) {
        Ok(changes) => changes.into_iter().take(MOST).for_each(|it| tell(it.0, it.1, it.2)),
        Err(fault) => tell(ChangeKind::Unreadable, None, fault.code.to_owned()),
    }
    found
}

type Told = (ChangeKind, Option<u32>, String);

fn compare(file: &File<'_>, new: usize) -> Checked<Vec<Told>> {
    let old = new - 1;
    let mut comparison = Comparison {
        file,
        old,
        new,
        before: References::of(file, old)?,
        after: References::of(file, new)?,
        explained: BTreeSet::new(),
        stamps: BTreeSet::new(),
        told: Vec::new(),
    };
    comparison.layout()?;
    comparison.catalog()?;
    comparison.signed_fields()?;
    comparison.pages()?;
    comparison.rest()?;
    Ok(comparison.told)
}

pub(super) struct Comparison<'a, 'f> {
    pub(super) file: &'a File<'f>,
    pub(super) old: usize,
    pub(super) new: usize,
    pub(super) before: References,
    pub(super) after: References,
    /// Numbers of the new revision that a permitted change accounts for.
    pub(super) explained: BTreeSet<u32>,
    /// The fields of the archive timestamps that it brings.
    stamps: BTreeSet<u32>,
    told: Vec<Told>,
}

impl Comparison<'_, '_> {
    pub(super) fn tell(&mut self, kind: ChangeKind, object: u32, detail: impl Into<String>) {
        self.told.push((kind, Some(object), detail.into()));
    }

    /// Tells once that the program that saved it noted so.
    pub(super) fn saved(&mut self) {
        let told = (ChangeKind::Metadata, None, String::new());
        if !self.told.contains(&told) {
            self.told.push(told);
        }
    }

    /// Whether the new revision brings an object of this number.
    pub(super) fn brings(&self, number: u32) -> bool {
        self.file.sections[self.new].entries.contains_key(&number)
    }

    /// Nothing but the listed objects, white space between them, and the table.
    fn layout(&mut self) -> Checked<()> {
        let section = &self.file.sections[self.new];
        let mut at = section.start;
        let mut places: BTreeMap<usize, u32> = BTreeMap::new();
        for (number, entry) in &section.entries {
            if let Entry::At { offset, .. } = entry {
                places.insert(*offset, *number);
            }
        }
        places.remove(&section.table);
        for (offset, number) in places {
            let gap = self.file.bytes.get(at..offset);
            let clean = gap.is_some_and(|it| it.iter().all(|it| is_white(*it)));
            if !clean {
                self.tell(ChangeKind::Unreadable, number, "");
            }
            at = self.file.parse(self.new, number)?.1;
        }
        let gap = self.file.bytes.get(at..section.table);
        if !gap.is_some_and(|it| it.iter().all(|it| is_white(*it))) {
            self.told.push((ChangeKind::Unreadable, None, String::new()));
        }
        // What carries the revision itself: new object streams and the cross-reference stream.
        let mut carriers: BTreeSet<u32> = section.stream.into_iter().collect();
        carriers.extend(section.entries.values().filter_map(|it| match it {
            Entry::In { container, .. } => Some(*container),
            _ => None,
        }));
        for number in carriers {
            if self.is_new(number) {
                self.explained.insert(number);
            }
        }
        Ok(())
    }

    /// Whether a number was free, and nothing referred to it: a reference left open in what was signed
    /// must not be filled later.
    fn is_new(&self, number: u32) -> bool {
        !self.file.has(self.old, number) && !self.before.has(number)
    }

    fn catalog(&mut self) -> Checked<()> {
        let (old, new) = (self.file.catalog(self.old)?, self.file.catalog(self.new)?);
        let (Some(old), Some(new)) = (old.dict(), new.dict()) else { return Ok(()) };
        let (root, _) = self.file.root();
        let trailer = |view: usize| &self.file.sections[view].trailer;
        if trailer(self.new).get("Info") != trailer(self.old).get("Info") {
            self.told.push((ChangeKind::Altered, None, "Info".to_owned()));
        }
        for key in old.differing(new) {
            match key.as_str() {
                "AcroForm" | "DSS" => {}
                "Version" if new.get("Version").is_some_and(|it| it.is_name("2.0")) => {}
                // Names of extensions, such as ESIC's for PAdES, hold no reference.
                "Extensions" if new.get("Extensions").is_some_and(plain) => {}
                _ => self.tell(ChangeKind::Altered, root, key),
            }
        }
        self.explained.insert(root);
        self.form(root, old, new)?;
        self.metadata(root, old, new)?;
        if self.validation_data(root, old, new)? {
            self.told.push((ChangeKind::ValidationData, None, String::new()));
        }
        Ok(())
    }

    /// The form: its fields as they were, and after them new archive timestamps.
    fn form(&mut self, root: u32, old: &Dict, new: &Dict) -> Checked<()> {
        let old_form = self.file.value(self.old, old, "AcroForm")?;
        let new_form = self.file.value(self.new, new, "AcroForm")?;
        let nothing = Dict::default();
        let old_form = old_form.as_ref().and_then(|it| it.dict()).unwrap_or(&nothing);
        let new_form = new_form.as_ref().and_then(|it| it.dict()).unwrap_or(&nothing);
        let owner = self.part(root, new.get("AcroForm"), old.get("AcroForm"));
        for key in old_form.differing(new_form) {
            let flags = || new_form.get("SigFlags").and_then(Object::size).is_some_and(|it| it < 4);
            match key.as_str() {
                "Fields" => {}
                "SigFlags" if flags() => {}
                _ => self.tell(ChangeKind::Altered, owner, key),
            }
        }
        self.part(owner, new_form.get("Fields"), old_form.get("Fields"));
        let list = |view, form: &Dict| -> Checked<Vec<Object>> {
            let list = self.file.value(view, form, "Fields")?;
            Ok(list.as_ref().and_then(|it| it.array()).unwrap_or_default().to_vec())
        };
        let (old_list, new_list) = (list(self.old, old_form)?, list(self.new, new_form)?);
        let Some(added) = new_list.strip_prefix(old_list.as_slice()) else {
            self.tell(ChangeKind::Altered, owner, "Fields");
            return Ok(());
        };
        for item in added.iter().filter_map(Object::reference) {
            if self.timestamp_field(item.0)? {
                self.stamps.insert(item.0);
                self.tell(ChangeKind::ArchiveTimestamp, item.0, "");
            } else {
                self.tell(ChangeKind::Added, item.0, "Fields");
            }
        }
        Ok(())
    }

    /// A value that may stand in an object of its own: explains that object where it has this part
    /// alone. Gives the number to name in a change.
    fn part(&mut self, owner: u32, new: Option<&Object>, old: Option<&Object>) -> u32 {
        let Some((number, _)) = new.and_then(Object::reference) else { return owner };
        let kept = old.and_then(Object::reference).is_some_and(|it| it.0 == number);
        if (kept || self.is_new(number)) && self.after.only(number, owner) {
            self.explained.insert(number);
        }
        number
    }

    /// An archive timestamp's field: new, invisible, with nothing that acts or shows.
    fn timestamp_field(&mut self, number: u32) -> Checked<bool> {
        const KEYS: [&str; 14] = [
            "Type", "Subtype", "FT", "T", "TU", "Contents", "Rect", "F", "Ff", "P", "V", "AP",
            "DA", "MK",
        ];
        let field = self.file.get(self.new, number, 0)?;
        let Some(dict) = field.dict().filter(|it| it.only(&KEYS)) else { return Ok(false) };
        let rect = dict.get("Rect").and_then(Object::array).unwrap_or_default();
        let rect: Vec<f64> = rect.iter().filter_map(Object::number).collect();
        let empty = rect.len() == 4 && (rect[0] == rect[2] || rect[1] == rect[3]);
        let signs = dict.get("FT").is_some_and(|it| it.is_name("Sig"));
        let Some((value, _)) = dict.get("V").and_then(Object::reference) else { return Ok(false) };
        let stamp = self.file.get(self.new, value, 0)?;
        let stamp = stamp.dict().is_some_and(|it| {
            it.get("Type").is_some_and(|it| it.is_name("DocTimeStamp"))
                && it.get("SubFilter").is_some_and(|it| it.is_name("ETSI.RFC3161"))
        });
        if !(empty && signs && stamp && self.is_new(number) && self.is_new(value)) {
            return Ok(false);
        }
        self.explained.insert(number);
        let values: Vec<Object> =
            ["V", "AP"].iter().filter_map(|it| dict.get(it).cloned()).collect();
        values.iter().try_for_each(|it| self.explain(it))?;
        Ok(true)
    }

    /// Fields that were there: empty before, signed now.
    fn signed_fields(&mut self) -> Checked<()> {
        for field in fields(self.file, self.old)? {
            if self.brings(field.number) {
                self.signed_field(&field)?;
            }
        }
        Ok(())
    }

    fn signed_field(&mut self, field: &Field) -> Checked<()> {
        let number = field.number;
        let old = self.file.get(self.old, number, 0)?;
        let new = self.file.get(self.new, number, 0)?;
        let (Some(old), Some(new)) = (old.dict(), new.dict()) else { return Ok(()) };
        self.explained.insert(number);
        let differing = old.differing(new);
        let permitted = |key: &str| match key {
            "V" | "AP" => field.value.is_none() && new.get("V").is_some(),
            _ => false,
        };
        if let Some(key) = differing.iter().find(|it| !permitted(it)) {
            self.tell(ChangeKind::Altered, number, key.clone());
            return Ok(());
        }
        let Some(value) = new.get("V").and_then(Object::reference) else { return Ok(()) };
        if differing.is_empty() {
            return Ok(());
        }
        if !self.is_new(value.0) {
            self.tell(ChangeKind::Altered, number, "V");
            return Ok(());
        }
        let values: Vec<Object> =
            ["V", "AP"].iter().filter_map(|it| new.get(it).cloned()).collect();
        values.iter().try_for_each(|it| self.explain(it))?;
        self.tell(ChangeKind::Signature, number, field.name.clone());
        Ok(())
    }

    /// Explains all new objects that a value leads to. What was there before explains itself or not.
    pub(super) fn explain(&mut self, value: &Object) -> Checked<()> {
        let mut open = Vec::new();
        value.references(&mut |it| open.push(it));
        while let Some(number) = open.pop() {
            if !self.brings(number) || !self.is_new(number) || !self.explained.insert(number) {
                continue;
            }
            self.file.object(self.new, number)?.references(&mut |it| open.push(it));
        }
        Ok(())
    }

    /// Pages: the same but for the archive timestamps among their annotations.
    fn pages(&mut self) -> Checked<()> {
        for (number, section) in self.file.numbers(self.old) {
            let old = self.file.object(section, number)?;
            let page = |it: &&Dict| it.get("Type").is_some_and(|it| it.is_name("Page"));
            let Some(old) = old.dict().filter(page) else { continue };
            let list = old.get("Annots").and_then(Object::reference).map(|it| it.0);
            if !self.brings(number) && !list.is_some_and(|it| self.brings(it)) {
                continue;
            }
            let new = self.file.get(self.new, number, 0)?;
            let Some(new) = new.dict() else { continue };
            self.explained.insert(number);
            self.part(number, new.get("Annots"), old.get("Annots"));
            for key in old.differing(new).iter().filter(|it| *it != "Annots") {
                self.tell(ChangeKind::Altered, number, key.clone());
            }
            let items = |view, page: &Dict| -> Checked<Vec<Object>> {
                let list = self.file.value(view, page, "Annots")?;
                Ok(list.as_ref().and_then(|it| it.array()).unwrap_or_default().to_vec())
            };
            let (before, after) = (items(self.old, old)?, items(self.new, new)?);
            let added = after.strip_prefix(before.as_slice());
            let stamps = |it: &Object| it.reference().is_some_and(|it| self.stamps.contains(&it.0));
            if !added.is_some_and(|it| it.iter().all(stamps)) {
                self.tell(ChangeKind::Altered, number, "Annots");
            }
        }
        Ok(())
    }

    /// Whatever no permitted change accounts for.
    fn rest(&mut self) -> Checked<()> {
        let entries: Vec<(u32, Entry)> =
            self.file.sections[self.new].entries.iter().map(|it| (*it.0, *it.1)).collect();
        for (number, entry) in entries {
            let known = self.file.has(self.old, number);
            if entry == Entry::Free {
                if known {
                    self.tell(ChangeKind::Removed, number, "");
                }
                continue;
            }
            if self.explained.contains(&number) {
                continue;
            }
            let new = self.file.object(self.new, number)?;
            let old = self.file.entry(self.old, number).filter(|it| it.1 != Entry::Free);
            match old {
                Some((section, _)) => {
                    let old = self.file.object(section, number)?;
                    if !self.file.same(&old, &new) {
                        self.tell(ChangeKind::Altered, number, kind(&old));
                    }
                }
                None => self.tell(ChangeKind::Added, number, kind(&new)),
            }
        }
        Ok(())
    }
}

/// Whether a value refers to nothing.
fn plain(value: &Object) -> bool {
    let mut plain = true;
    value.references(&mut |_| plain = false);
    plain
}

/// What an object says that it is.
fn kind(object: &Object) -> String {
    let dict = object.dict();
    match dict.and_then(|it| it.get("Type").or_else(|| it.get("Subtype"))) {
        Some(Object::Name(name)) => short(name),
        _ => String::new(),
    }
}
