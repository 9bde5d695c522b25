//! The file's metadata in two revisions: an outside signer's program may put its own name and the
//! date of the change there, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::content::METADATA;
use super::difference::Comparison;
use super::fault::Checked;
use super::object::{Dict, Object, words};

/// What a program sets when it saves, or how it writes XMP down: it says nothing of the document.
const SAVED: [&str; 8] = [
    "http://ns.adobe.com/xap/1.0/ModifyDate",
    "http://ns.adobe.com/xap/1.0/MetadataDate",
    "http://ns.adobe.com/pdf/1.3/Producer",
    "adobe:ns:meta/xmptk",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#about",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#parseType",
    "begin",
    "end",
];
const RESOURCE: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#resource";
/// The same in the information dictionary.
const SAVED_KEYS: [&str; 2] = ["ModDate", "Producer"];

impl Comparison<'_, '_> {
    /// Explains metadata and an information dictionary that say the same but for the saving.
    pub(super) fn metadata(&mut self, root: u32, old: &Dict, new: &Dict) -> Checked<()> {
        if let Some((number, _)) = new.get("Metadata").and_then(Object::reference) {
            let own = self.after.only(number, root) && old.get("Metadata") == new.get("Metadata");
            if self.brings(number) && own && self.same_properties(number)? {
                self.explain_saving(number);
            }
        }
        let info = |view: usize| self.file.sections[view].trailer.get("Info").cloned();
        let (old, new) = (info(self.old), info(self.new));
        let Some((number, _)) = new.as_ref().and_then(Object::reference).filter(|_| old == new)
        else {
            return Ok(());
        };
        if self.brings(number) && !self.after.has(number) {
            let (old, new) =
                (self.file.get(self.old, number, 0)?, self.file.get(self.new, number, 0)?);
            if let (Object::Dict(old), Object::Dict(new)) = (&*old, &*new) {
                let said =
                    |dict: &Dict, key: &str| dict.get(key)?.text().map(|it| words(&it.bytes));
                let saved = |key: &String| {
                    let saving = SAVED_KEYS.contains(&key.as_str());
                    let plain = matches!(new.get(key), None | Some(Object::String(_)));
                    // Another encoding of the same words is the same.
                    plain && (saving || said(old, key) == said(new, key))
                };
                if old.differing(new).iter().all(saved) {
                    self.explain_saving(number);
                }
            }
        }
        Ok(())
    }

    fn explain_saving(&mut self, number: u32) {
        self.explained.insert(number);
        let same =
            self.file.get(self.old, number, 0).ok().zip(self.file.get(self.new, number, 0).ok());
        if same.is_none_or(|(old, new)| !self.file.same(&old, &new)) {
            self.saved();
        }
    }

    fn same_properties(&self, number: u32) -> Checked<bool> {
        let properties = |view| -> Checked<Option<Properties>> {
            let object = self.file.get(view, number, 0)?;
            let Object::Stream(stream) = &*object else { return Ok(None) };
            let known = stream.dict.only(&["Type", "Subtype", "Length", "Filter", "DecodeParms"]);
            let text = self.file.decoded(stream)?;
            let text = std::str::from_utf8(&text).ok().filter(|it| known && it.len() <= METADATA);
            Ok(text.and_then(properties))
        };
        let (old, new) = (properties(self.old)?, properties(self.new)?);
        Ok(old.is_some() && old == new)
    }
}

type Properties = BTreeSet<(String, String)>;

/// What an XMP packet says, in whichever of its forms: the text of elements and the values of attributes,
/// each with the full name of its property (writers choose other prefixes), less what saving sets.
/// `None` when a prefix has two meanings.
fn properties(text: &str) -> Option<Properties> {
    let mut names = BTreeMap::new();
    for (_, attributes, _) in tags(text) {
        for (key, value) in pairs(attributes) {
            let Some(prefix) = key.strip_prefix("xmlns:") else { continue };
            if names.insert(prefix, value).is_some_and(|it| it != value) {
                return None;
            }
        }
    }
    let full = |name: &str| match name.split_once(':') {
        Some((prefix, local)) => format!("{}{local}", names.get(prefix).unwrap_or(&prefix)),
        None => name.to_owned(),
    };
    let mut found = Properties::new();
    let mut element = String::new();
    for (name, attributes, after) in tags(text) {
        if !name.starts_with('/') {
            element = full(name);
        }
        for (key, value) in pairs(attributes).filter(|it| !it.0.starts_with("xmlns")) {
            let key = full(key);
            found.insert((if key == RESOURCE { element.clone() } else { key }, value.to_owned()));
        }
        // Text behind an end tag would belong to no element, and is kept under the last name.
        if !after.trim().is_empty() {
            found.insert((element.clone(), after.trim().to_owned()));
        }
    }
    found.retain(|(key, _)| !SAVED.contains(&key.as_str()));
    Some(found)
}

/// The tags of a text: name, attributes, and what stands behind.
fn tags(text: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    text.split('<').skip(1).map(|piece| {
        let (tag, after) = piece.split_once('>').unwrap_or((piece, ""));
        let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        (name.trim_end_matches('/'), attributes, after)
    })
}

/// The attributes of a tag. What is none ends them, and is given as one.
fn pairs(attributes: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = attributes;
    std::iter::from_fn(move || {
        let (key, value) = rest.split_once('=')?;
        let value = value.trim_start();
        let quote = value.chars().next().filter(|it| matches!(it, '"' | '\''));
        let end = quote.and_then(|quote| value[1..].split_once(quote));
        let (value, after) = end.unwrap_or((value, ""));
        rest = after;
        Some((key.trim(), value))
    })
}
