//! The signature fields of a revision, and the signature dictionary in each, read strictly.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::der::{leading, moment};
use super::fault::{Checked, Fault, ensure};
use super::file::File;
use super::object::{Dict, Object, words};
use super::section::Entry;

/// How many fields a form may have, and how deep they may nest.
const FIELDS: usize = 1_000;
const DEPTH: usize = 8;
/// How long a name, a label or a reason may be, in bytes: many fields could share one text.
const TEXT: usize = 4 << 10;
/// How long the DER of a signature may be, in bytes.
const SIGNATURE: usize = 1 << 20;

/// A signature field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    /// Its full name, parts joined by dots (ISO 32000-1, 12.7.3.2).
    pub(super) name: String,
    pub(super) label: String,
    pub(super) number: u32,
    /// The number of its signature dictionary.
    pub(super) value: Option<u32>,
}

/// All signature fields of a view, in the form's order.
pub(super) fn fields(file: &File<'_>, view: usize) -> Checked<Vec<Field>> {
    let catalog = file.catalog(view)?;
    let Some(catalog) = catalog.dict() else { return Ok(Vec::new()) };
    let form = file.value(view, catalog, "AcroForm")?;
    let Some(form) = form.as_ref().and_then(|it| it.dict()) else { return Ok(Vec::new()) };
    let list = file.value(view, form, "Fields")?;
    let mut walk = Walk { file, view, seen: BTreeSet::new(), found: Vec::new() };
    for item in list.as_ref().and_then(|it| it.array()).unwrap_or_default() {
        walk.visit(item, "", false, 0)?;
    }
    Ok(walk.found)
}

struct Walk<'a, 'f> {
    file: &'a File<'f>,
    view: usize,
    seen: BTreeSet<u32>,
    found: Vec<Field>,
}

impl Walk<'_, '_> {
    fn visit(&mut self, item: &Object, above: &str, signs: bool, depth: usize) -> Checked<()> {
        let (number, _) = item.reference().ok_or_else(|| Fault::new("form.syntax"))?;
        ensure(self.seen.insert(number), "form.syntax")?;
        ensure(depth < DEPTH && self.seen.len() <= FIELDS, "file.too_complex")?;
        let field = self.file.resolve(self.view, item)?;
        let dict = field.dict().ok_or_else(|| Fault::new("form.syntax"))?;
        let part = self.text(dict, "T")?;
        let name = match (&part, above) {
            (None, _) => above.to_owned(),
            (Some(part), "") => part.clone(),
            (Some(part), _) => format!("{above}.{part}"),
        };
        let signs = dict.get("FT").map_or(signs, |it| it.is_name("Sig"));
        let kids = self.file.value(self.view, dict, "Kids")?;
        let kids = kids.as_ref().and_then(|it| it.array()).unwrap_or_default();
        // Kids without a name are only where the field is shown.
        let mut inner = false;
        for kid in kids {
            let object = self.file.resolve(self.view, kid)?;
            if object.dict().is_some_and(|it| it.get("T").is_some()) {
                inner = true;
                self.visit(kid, &name, signs, depth + 1)?;
            }
        }
        if signs && !inner {
            let value = match dict.get("V") {
                None => None,
                Some(it) => Some(it.reference().ok_or_else(|| Fault::new("form.syntax"))?.0),
            };
            let label = self.text(dict, "TU")?.unwrap_or_default();
            self.found.push(Field { name, label, number, value });
        }
        Ok(())
    }

    fn text(&self, dict: &Dict, key: &str) -> Checked<Option<String>> {
        text(self.file, self.view, dict, key)
    }
}

/// A text string of a dictionary.
pub(super) fn text(
    file: &File<'_>,
    view: usize,
    dict: &Dict,
    key: &str,
) -> Checked<Option<String>> {
    let value = file.value(view, dict, key)?;
    let Some(text) = value.as_ref().and_then(|it| it.text()) else { return Ok(None) };
    ensure(text.bytes.len() <= TEXT, "file.too_complex")?;
    Ok(Some(words(&text.bytes)))
}

/// A signature dictionary whose byte range and hole are as they must be.
pub(super) struct Hole<'a> {
    /// The signed bytes, before and after the hole.
    pub(super) parts: [&'a [u8]; 2],
    /// The one DER value in the hole.
    pub(super) der: Vec<u8>,
}

/// The revision that brought a signature dictionary.
pub(super) fn revision(file: &File<'_>, number: u32) -> Checked<usize> {
    match file.entry(file.last(), number) {
        Some((section, Entry::At { .. })) => Ok(section),
        _ => Err(Fault::new("signature.missing")),
    }
}

/// Checks that the signature covers its revision but for the hole, and that the hole is canonical:
/// digits of one case, one DER value, then zeros. Else a byte could change and nobody would see.
pub(super) fn hole<'a>(file: &File<'a>, dict: &Dict, section: usize) -> Checked<Hole<'a>> {
    let range = dict.get("ByteRange").and_then(Object::array).unwrap_or_default();
    let range: Option<Vec<usize>> = range.iter().map(Object::size).collect();
    let Some([0, before, after, rest]) = range.as_deref() else {
        return Err(Fault::new("signature.byte_range"));
    };
    let contents = dict.get("Contents").and_then(Object::text);
    let contents = contents.ok_or_else(|| Fault::new("signature.missing"))?;
    ensure(contents.place == (*before..*after), "signature.byte_range")?;
    let section = &file.sections[section];
    let end = after.checked_add(*rest).ok_or_else(|| Fault::new("signature.byte_range"))?;
    ensure(end == section.end || end == section.line_end, "signature.byte_range")?;
    ensure(*before >= section.start && *after <= section.table, "signature.byte_range")?;

    let digits = &file.bytes[*before..*after];
    let digits = digits.strip_prefix(b"<").and_then(|it| it.strip_suffix(b">"));
    let digits = digits.ok_or_else(|| Fault::new("signature.hole"))?;
    let lower = digits.iter().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
    let upper = digits.iter().all(|it| matches!(it, b'0'..=b'9' | b'A'..=b'F'));
    ensure((lower || upper) && digits.len() % 2 == 0, "signature.hole")?;
    let (value, padding) = leading(&contents.bytes).map_err(|_| Fault::new("signature.hole"))?;
    ensure(padding.iter().all(|it| *it == 0), "signature.hole")?;
    ensure(value.whole.len() <= SIGNATURE, "file.too_complex")?;
    let parts = [&file.bytes[..*before], &file.bytes[*after..end]];
    Ok(Hole { parts, der: value.whole.to_vec() })
}

/// What the office or a person declared in the dictionary of a signature; nobody vouches for it but
/// the signer.
#[derive(Debug, Default)]
pub(super) struct Permission {
    /// The level of a certification (ISO 32000-1, table 254): 1 nothing, 2 forms, 3 also notes.
    pub(super) certifies: Option<u8>,
    /// The fields that may not be filled any more.
    pub(super) locks: Option<Lock>,
}

/// Which fields a signature locks (ISO 32000-1, table 256).
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Lock {
    All,
    Include(Vec<String>),
    Exclude(Vec<String>),
}

impl Lock {
    pub(super) fn holds(&self, field: &str) -> bool {
        let within = |names: &[String]| {
            let inside = |it: &String| field.strip_prefix(it.as_str());
            names.iter().filter_map(inside).any(|it| it.is_empty() || it.starts_with('.'))
        };
        match self {
            Self::All => true,
            Self::Include(names) => within(names),
            Self::Exclude(names) => !within(names),
        }
    }
}

/// What a signature permits and forbids later revisions.
pub(super) fn permission(file: &File<'_>, view: usize, dict: &Dict) -> Checked<Permission> {
    let mut permission = Permission::default();
    let wrong = || Fault::new("signature.reference");
    let references = file.value(view, dict, "Reference")?;
    for item in references.as_ref().and_then(|it| it.array()).unwrap_or_default() {
        let item = file.resolve(view, item)?;
        let item = item.dict().ok_or_else(wrong)?;
        let parameters = file.value(view, item, "TransformParams")?;
        let parameters = parameters.as_ref().and_then(|it| it.dict()).ok_or_else(wrong)?;
        match item.get("TransformMethod") {
            Some(Object::Name(it)) if it == b"DocMDP" => {
                let level = parameters.get("P").map_or(Some(2), Object::size);
                let level = level.filter(|it| (1..=3).contains(it)).ok_or_else(wrong)?;
                permission.certifies = Some(level as u8);
            }
            Some(Object::Name(it)) if it == b"FieldMDP" => {
                let names = file.value(view, parameters, "Fields")?;
                let names = names.as_ref().and_then(|it| it.array()).unwrap_or_default();
                let names = names.iter().map(|it| Some(words(&it.text()?.bytes)));
                let names: Vec<String> = names.collect::<Option<_>>().ok_or_else(wrong)?;
                permission.locks = Some(match parameters.get("Action") {
                    Some(it) if it.is_name("All") => Lock::All,
                    Some(it) if it.is_name("Include") => Lock::Include(names),
                    Some(it) if it.is_name("Exclude") => Lock::Exclude(names),
                    _ => return Err(wrong()),
                });
            }
            _ => return Err(wrong()),
        }
    }
    Ok(permission)
}

/// A PDF date (ISO 32000-1, 7.9.4) with all its parts to the second.
pub(super) fn date(text: &str) -> Option<DateTime<Utc>> {
    let rest = text.strip_prefix("D:")?;
    let local = moment(rest.get(..14)?)?;
    let zone = rest.get(14..)?.replace('\'', "");
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("Z", "" | "00" | "0000") => return Some(local),
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let part = |at: usize| digits.get(at..at + 2).map_or(Some(0), |it| it.parse::<i64>().ok());
    let minutes = part(0)? * 60 + part(2)?;
    local.checked_sub_signed(chrono::Duration::minutes(sign * minutes))
}
