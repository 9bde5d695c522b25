//! The signatures that a file already has: what each covers, and whether it still holds.
//!
//! A file in, its signatures in the order they were made out. Whoever appends asks first, so that
//! nobody signs below something changed; judging trust is `verify`'s.

use lopdf::{Dictionary, Document, Object};

use der::{Any, Decode, Encode};

use super::SealError;
use super::cms::Cms;
use super::field::Field;
use super::timestamp;
use super::update::Update;

/// A signature of a file.
pub(super) struct Signature {
    pub(super) field: String,
    /// Whether it is a timestamp over the document.
    pub(super) is_timestamp: bool,
    /// Its hole, from `<` to behind `>`.
    hole: [usize; 2],
    /// Where what it covers ends.
    pub(super) end: usize,
    pub(super) cms: Cms,
}

/// Reads the signatures of a file, the first made first.
pub(super) fn signatures(
    update: &Update,
    fields: &[Field],
    file: &[u8],
) -> Result<Vec<Signature>, SealError> {
    let mut found = Vec::new();
    for field in fields {
        let Some(value) = field.value else { continue };
        let dictionary = update.object(value)?.as_dict()?;
        let unreadable =
            || SealError::Damaged(format!("the signature in `{}` cannot be read", field.name));
        let (hole, end) = range(dictionary, file).ok_or_else(unreadable)?;
        let contents = dictionary.get(b"Contents")?.as_str()?;
        let (der, _) = Any::from_der_partial(contents).map_err(|_| unreadable())?;
        let format = dictionary.get(b"SubFilter")?.as_name()?;
        found.push(Signature {
            field: field.name.clone(),
            is_timestamp: format == b"ETSI.RFC3161",
            hole,
            end,
            cms: Cms::read(&der.to_der()?).map_err(|_| unreadable())?,
        });
    }
    found.sort_by_key(|it| it.end);
    Ok(found)
}

/// Refuses a file in which a signature no longer holds, or which was changed after the last one.
pub(super) fn ensure_intact(signatures: &[Signature], file: &[u8]) -> Result<(), SealError> {
    if let Some(broken) = signatures.iter().find(|it| !it.is_intact(file)) {
        return Err(SealError::Changed { field: broken.field.clone() });
    }
    match signatures.last() {
        Some(last) if !only_proofs_follow(file, last.end)? => {
            Err(SealError::Changed { field: last.field.clone() })
        }
        _ => Ok(()),
    }
}

impl Signature {
    fn is_intact(&self, file: &[u8]) -> bool {
        let [start, end] = self.hole;
        let signed = [&file[..start], &file[end..self.end]];
        if self.is_timestamp {
            timestamp::is_about(&self.cms, &signed)
        } else {
            self.cms.confirms(&signed)
        }
    }
}

/// The hole, and the end of what a dictionary's range covers: all of the file up to there but the hole.
fn range(dictionary: &Dictionary, file: &[u8]) -> Option<([usize; 2], usize)> {
    let numbers = dictionary.get(b"ByteRange").ok()?.as_array().ok()?;
    let numbers: Vec<usize> =
        numbers.iter().map(|it| it.as_i64().ok()?.try_into().ok()).collect::<Option<_>>()?;
    let [0, start, hole_end, rest] = numbers[..] else { return None };
    let end = hole_end.checked_add(rest)?;
    let hole = file.get(start..hole_end)?;
    let whole = hole.starts_with(b"<") && hole.ends_with(b">") && end <= file.len();
    whole.then_some(([start, hole_end], end))
}

/// Whether what follows a signature only adds proofs: the catalog gains a document security store, and
/// everything else stays as it was signed.
fn only_proofs_follow(file: &[u8], end: usize) -> Result<bool, SealError> {
    if end == file.len() {
        return Ok(true);
    }
    let (before, after) = (Document::load_mem(&file[..end])?, Document::load_mem(file)?);
    let catalog = after.trailer.get(b"Root")?.as_reference()?;
    let without_proofs = |object: &Object| {
        let mut catalog = object.as_dict().cloned().unwrap_or_default();
        catalog.remove(b"DSS");
        catalog.remove(b"Extensions");
        catalog
    };
    let is_kept = |id, object: &Object| match after.objects.get(id) {
        Some(now) if *id == catalog => without_proofs(now) == without_proofs(object),
        now => now == Some(object),
    };
    let root = before.trailer.get(b"Root")?.as_reference()?;
    // What follows is an update, and not something that no reader looks at.
    let is_update = after.xref_start >= end;
    Ok(is_update
        && root == catalog
        && before.objects.iter().all(|(id, object)| is_kept(id, object)))
}
