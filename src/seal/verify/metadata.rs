//! The file's metadata in two revisions: an outside signer's program may put its own name and the
//! date of the change there, and nothing else.

use std::collections::BTreeSet;

use super::change::ChangeKind;
use super::content::METADATA;
use super::difference::Comparison;
use super::fault::Checked;
use super::object::{Dict, Object};

/// The properties that a program sets when it saves, in XMP and in the information dictionary.
const SAVED: [&str; 6] =
    ["xmp:ModifyDate", "xmp:MetadataDate", "pdf:Producer", "x:xmptk", "begin", "end"];
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
                let saved = |key: &String| {
                    SAVED_KEYS.contains(&key.as_str())
                        && matches!(new.get(key), None | Some(Object::String(_)))
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
            self.tell(ChangeKind::Metadata, number, "");
        }
    }

    fn same_properties(&self, number: u32) -> Checked<bool> {
        let properties = |view| -> Checked<Option<BTreeSet<(String, String)>>> {
            let object = self.file.get(view, number, 0)?;
            let Object::Stream(stream) = &*object else { return Ok(None) };
            let known = stream.dict.only(&["Type", "Subtype", "Length", "Filter", "DecodeParms"]);
            let text = self.file.decoded(stream)?;
            let text = std::str::from_utf8(&text).ok().filter(|it| known && it.len() <= METADATA);
            Ok(text.map(properties))
        };
        let (old, new) = (properties(self.old)?, properties(self.new)?);
        Ok(old.is_some() && old == new)
    }
}

/// What an XMP packet says, whichever of its two forms it takes: attributes and the text of elements,
/// without what saving sets.
fn properties(text: &str) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let mut element = "";
    for piece in text.split('<').skip(1) {
        let (tag, after) = piece.split_once('>').unwrap_or((piece, ""));
        let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        if !name.starts_with('/') {
            element = name;
        }
        let mut rest = attributes;
        while let Some((key, value)) = rest.split_once('=') {
            let value = value.trim_start();
            let Some(quote) = value.chars().next().filter(|it| matches!(it, '"' | '\'')) else {
                found.insert((key.trim().to_owned(), value.to_owned()));
                break;
            };
            let (value, after) = value[1..].split_once(quote).unwrap_or((&value[1..], ""));
            found.insert((key.trim().to_owned(), value.to_owned()));
            rest = after;
        }
        // Text behind an end tag would belong to no element, and is kept under the last name.
        if !after.trim().is_empty() {
            found.insert((element.to_owned(), after.trim().to_owned()));
        }
    }
    // Namespaces, and whom the packet is about, in whichever place a writer puts them.
    let set = |key: &str| SAVED.contains(&key) || key.starts_with("xmlns:") || key == "rdf:about";
    found.retain(|(key, _)| !set(key));
    found
}
