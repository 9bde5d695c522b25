//! What the file claims and carries beside its pages: standards in its metadata, attached files.

use std::collections::BTreeSet;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::certificate::hex;
use super::fault::{Checked, Fault, ensure};
use super::field::text;
use super::file::File;
use super::object::{Dict, Object};

/// How many files may be attached, and how deep the tree of their names may be.
const FILES: usize = 50;
const DEPTH: usize = 8;
/// How long the metadata may be, in bytes.
pub(super) const METADATA: usize = 1 << 20;

/// A file that the document carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attachment {
    /// Its name.
    pub name: String,
    /// What it is to the document, such as `Source` (ISO 19005-3, annex E).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub relationship: String,
    /// Its media type, such as `application/json`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// How many bytes it has.
    pub size: usize,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
}

/// The standards that the metadata claim; whether the file keeps them is another question.
pub(super) fn standards(file: &File<'_>) -> Checked<Vec<String>> {
    let catalog = file.catalog(file.last())?;
    let metadata = catalog.dict().map(|it| file.value(file.last(), it, "Metadata")).transpose()?;
    let Some(metadata) = metadata.flatten() else { return Ok(Vec::new()) };
    let Object::Stream(stream) = &*metadata else { return Ok(Vec::new()) };
    let text = file.decoded(stream)?;
    ensure(text.len() <= METADATA, "file.too_complex")?;
    let text = String::from_utf8_lossy(&text);
    let mut found = Vec::new();
    if let Some(part) = property(&text, "pdfuaid:part") {
        found.push(format!("PDF/UA-{part}"));
    }
    if let Some(part) = property(&text, "pdfaid:part") {
        let level = property(&text, "pdfaid:conformance").unwrap_or_default();
        found.push(format!("PDF/A-{part}{}", level.to_lowercase()));
    }
    Ok(found)
}

/// The value of an XMP property, as an element or as an attribute: a letter or a digit.
fn property(text: &str, name: &str) -> Option<String> {
    let after = text.split_once(name)?.1;
    let value = after.trim_start_matches(['>', '=', ' ', '"', '\'']);
    let value: String = value.chars().take_while(char::is_ascii_alphanumeric).take(4).collect();
    (!value.is_empty()).then_some(value)
}

/// The attached files, by the tree of their names and the document's own list.
pub(super) fn attachments(file: &File<'_>) -> Checked<Vec<Attachment>> {
    let view = file.last();
    let catalog = file.catalog(view)?;
    let Some(catalog) = catalog.dict() else { return Ok(Vec::new()) };
    let mut specifications = Vec::new();
    if let Some(names) = file.value(view, catalog, "Names")? {
        let tree = names.dict().and_then(|it| it.get("EmbeddedFiles")).cloned();
        let mut seen = BTreeSet::new();
        tree.map(|it| leaves(file, &it, 0, &mut seen, &mut specifications)).transpose()?;
    }
    let associated = file.value(view, catalog, "AF")?;
    let associated = associated.as_ref().and_then(|it| it.array()).unwrap_or_default();
    specifications.extend(associated.iter().cloned());
    let mut found: Vec<Attachment> = Vec::new();
    let mut done = BTreeSet::new();
    for specification in specifications {
        let again = specification.reference().is_some_and(|it| !done.insert(it));
        if again {
            continue;
        }
        ensure(found.len() < FILES, "file.too_complex")?;
        let specification = file.resolve(view, &specification)?;
        let dict = specification.dict().ok_or_else(|| Fault::new("attachment.syntax"))?;
        found.extend(attachment(file, dict)?);
    }
    Ok(found)
}

/// A name in words, cut where it is longer than any honest one.
pub(super) fn short(name: &[u8]) -> String {
    String::from_utf8_lossy(&name[..name.len().min(100)]).into_owned()
}

/// The file specifications below a node of a name tree (ISO 32000-1, 7.9.6).
fn leaves(
    file: &File<'_>,
    node: &Object,
    depth: usize,
    seen: &mut BTreeSet<(u32, u16)>,
    found: &mut Vec<Object>,
) -> Checked<()> {
    let again = node.reference().is_some_and(|it| !seen.insert(it));
    ensure(depth < DEPTH && !again && seen.len() <= FILES, "file.too_complex")?;
    let node = file.resolve(file.last(), node)?;
    let Some(node) = node.dict() else { return Ok(()) };
    let names = file.value(file.last(), node, "Names")?;
    let names = names.as_ref().and_then(|it| it.array()).unwrap_or_default();
    found.extend(names.iter().skip(1).step_by(2).take(FILES).cloned());
    let kids = file.value(file.last(), node, "Kids")?;
    for kid in kids.as_ref().and_then(|it| it.array()).unwrap_or_default() {
        leaves(file, kid, depth + 1, seen, found)?;
    }
    Ok(())
}

fn attachment(file: &File<'_>, specification: &Dict) -> Checked<Option<Attachment>> {
    let view = file.last();
    let embedded = file.value(view, specification, "EF")?;
    let Some(embedded) = embedded.as_ref().and_then(|it| it.dict()) else { return Ok(None) };
    let stream = match file.value(view, embedded, "UF")? {
        Some(it) => Some(it),
        None => file.value(view, embedded, "F")?,
    };
    let Some(Object::Stream(stream)) = stream.as_deref() else {
        return Err(Fault::new("attachment.syntax"));
    };
    let name = match text(file, view, specification, "UF")? {
        Some(it) => Some(it),
        None => text(file, view, specification, "F")?,
    };
    let said = |dict: &Dict, key| match dict.get(key) {
        Some(Object::Name(it)) => short(it),
        _ => String::new(),
    };
    let data = file.decoded(stream)?;
    Ok(Some(Attachment {
        name: name.unwrap_or_default(),
        relationship: said(specification, "AFRelationship"),
        media_type: said(&stream.dict, "Subtype"),
        size: data.len(),
        sha256: hex(&Sha256::digest(&*data)),
    }))
}
