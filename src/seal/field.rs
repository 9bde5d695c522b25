//! Signature fields: the page template's marks become widgets, and fields are found again.
//!
//! A mark is an empty link to `sigfield:NAME`. Typst places it in the reading order and ties it to
//! the structure tree; here the link becomes the widget of a field and its element a `Form`
//! (ISO 32000-1, 12.7.4.5; PDF/UA-1, 7.18.1 and 7.18.4). A link that stayed would be a dead one, so
//! every rendering passes through [`prepare`].

use std::collections::HashMap;

use lopdf::{Dictionary, Object, ObjectId, dictionary};

use super::SealError;
use super::update::{Update, appearance, name, text};
use crate::document::Signatory;

/// Where the templates' marks lead.
const MARK: &[u8] = b"sigfield:";

/// Where a field keeps who signs it: our own key, so that whoever signs needs nothing but the file.
const SIGNATORY: &str = "PRPH_Signatory";

/// A field of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) id: ObjectId,
    pub(super) name: String,
    /// The signature dictionary, once it is signed.
    pub(super) value: Option<ObjectId>,
    /// Who signs it; nobody in particular in an invisible one.
    pub(super) signatory: Option<Signatory>,
    /// Left, bottom, right and top in points.
    pub(super) rect: [f32; 4],
}

/// Turns the marks into empty signature fields, one for each signatory.
pub(super) fn prepare(update: &mut Update, signatories: &[Signatory]) -> Result<(), SealError> {
    let elements = link_elements(update)?;
    let mut fields = Vec::new();
    for page in update.document.page_iter().collect::<Vec<_>>() {
        for link in annotations(update, page)? {
            let Some(field) = mark(update, link)? else { continue };
            let signatory = signatories.iter().find(|it| it.field == field);
            let signatory = signatory.ok_or(SealError::Boxes { field })?;
            let element = elements.get(&link).copied();
            let element =
                element.ok_or_else(|| SealError::Boxes { field: signatory.field.clone() })?;
            make_widget(update, page, link, signatory)?;
            make_form(update, element, signatory)?;
            fields.push((signatory, link));
        }
    }
    if let Some(missing) =
        signatories.iter().find(|it| !fields.iter().any(|(found, _)| found == it))
    {
        return Err(SealError::Boxes { field: missing.field.clone() });
    }
    let references = fields.into_iter().map(|(_, id)| id.into()).collect::<Vec<Object>>();
    if !references.is_empty() {
        set_form(update, references)?;
    }
    Ok(())
}

/// The fields of a file, in their order.
pub(super) fn fields(update: &Update) -> Result<Vec<Field>, SealError> {
    let references = form_fields(update)?;
    references.into_iter().map(|id| read(update, id)).collect()
}

/// Adds an invisible field to the first page, tied to no structure element: changing the tree would
/// put earlier signatures in doubt.
pub(super) fn add_invisible(
    update: &mut Update,
    field: &str,
    description: &str,
    value: ObjectId,
) -> Result<(), SealError> {
    let page = update.document.page_iter().next();
    let page = page.ok_or_else(|| SealError::Damaged("it has no page".to_owned()))?;
    let widget = update.add(dictionary! {
        "Type" => "Annot",
        "Subtype" => "Widget",
        "FT" => "Sig",
        "T" => text(field),
        "TU" => text(description),
        "Contents" => text(description),
        "Rect" => vec![(-1).into(), (-1).into(), (-1).into(), (-1).into()],
        // Print and locked: PDF/A wants the first, the second keeps hands off.
        "F" => 132,
        "P" => page,
        "V" => value,
        // No appearance: without a size there is none to have (PDF/A-2, 6.3.3), and its change would be
        // more than a certified letter allows.
    });
    let mut dictionary = update.dictionary(page)?;
    let own = dictionary.get(b"Annots").and_then(Object::as_reference).ok();
    let mut annotations =
        annotations(update, page)?.into_iter().map(Object::from).collect::<Vec<_>>();
    annotations.push(widget.into());
    if let Some(list) = own {
        update.set(list, annotations);
    } else {
        dictionary.set("Annots", annotations);
    }
    // PDF/UA-1, 7.18.3: a page with annotations says that the order of the tree is the tabs' order.
    if own.is_none() || !dictionary.has(b"Tabs") {
        dictionary.set("Tabs", name("S"));
        update.set(page, dictionary);
    }
    let mut references = form_fields(update)?;
    references.push(widget);
    set_form(update, references.into_iter().map(Object::from).collect())
}

/// The structure elements of links by annotation.
fn link_elements(update: &Update) -> Result<HashMap<ObjectId, ObjectId>, SealError> {
    let mut elements = HashMap::new();
    for (id, object) in &update.document.objects {
        let Ok(element) = object.as_dict() else { continue };
        if element.get(b"S").and_then(Object::as_name).ok() != Some(b"Link") {
            continue;
        }
        for kid in kids(update, element)? {
            if let Ok(Object::Reference(annotation)) = kid.get(b"Obj") {
                elements.insert(*annotation, *id);
            }
        }
    }
    Ok(elements)
}

/// The kids of an element that are dictionaries.
fn kids<'a>(update: &'a Update, element: &'a Dictionary) -> Result<Vec<&'a Dictionary>, SealError> {
    let kids = match update.get(element, b"K")? {
        Some(Object::Array(kids)) => kids.iter().collect(),
        Some(kid) => vec![kid],
        None => Vec::new(),
    };
    let kids = kids.into_iter().map(|it| update.resolve(it)).collect::<Result<Vec<_>, _>>()?;
    Ok(kids.into_iter().filter_map(|it| it.as_dict().ok()).collect())
}

/// The field that an annotation marks.
fn mark(update: &Update, annotation: ObjectId) -> Result<Option<String>, SealError> {
    let link = update.object(annotation)?.as_dict()?;
    let Some(action) = update.get(link, b"A")? else { return Ok(None) };
    let Some(target) = update.get(action.as_dict()?, b"URI")? else { return Ok(None) };
    let field = target.as_str()?.strip_prefix(MARK);
    Ok(field.map(|it| String::from_utf8_lossy(it).into_owned()))
}

fn make_widget(
    update: &mut Update,
    page: ObjectId,
    id: ObjectId,
    signatory: &Signatory,
) -> Result<(), SealError> {
    let link = update.dictionary(id)?;
    let [left, bottom, right, top] = rect(update, &link)?;
    let look = update.add(appearance(right - left, top - bottom, Vec::new())?);
    let who = super::act::canonical(signatory);
    let mut widget = dictionary! {
        "Type" => "Annot",
        "Subtype" => "Widget",
        "FT" => "Sig",
        "T" => text(&signatory.field),
        "TU" => text(&signatory.description),
        "Contents" => text(&signatory.description),
        "Rect" => link.get(b"Rect")?.clone(),
        "F" => 4,
        "P" => page,
        "AP" => dictionary! { "N" => look },
        SIGNATORY => text(&who),
    };
    if let Ok(parent) = link.get(b"StructParent") {
        widget.set("StructParent", parent.clone());
    }
    update.set(id, widget);
    Ok(())
}

/// Makes an element of a link the one of a form field. Its kid is a dictionary of its own: with an
/// array, pyHanko rejects the first signature once a second one stands.
fn make_form(update: &mut Update, id: ObjectId, signatory: &Signatory) -> Result<(), SealError> {
    let mut element = update.dictionary(id)?;
    let [kid] = kids(update, &element)?[..] else {
        return Err(SealError::Boxes { field: signatory.field.clone() });
    };
    let kid = kid.clone();
    element.set("K", kid);
    element.set("S", name("Form"));
    element.set("Alt", text(&signatory.description));
    update.set(id, element);
    Ok(())
}

fn annotations(update: &Update, page: ObjectId) -> Result<Vec<ObjectId>, SealError> {
    let page = update.object(page)?.as_dict()?;
    let Some(list) = update.get(page, b"Annots")? else { return Ok(Vec::new()) };
    Ok(list.as_array()?.iter().map(Object::as_reference).collect::<Result<_, _>>()?)
}

fn form_fields(update: &Update) -> Result<Vec<ObjectId>, SealError> {
    let catalog = update.object(update.catalog_id()?)?.as_dict()?;
    let Some(form) = update.get(catalog, b"AcroForm")? else { return Ok(Vec::new()) };
    let Some(fields) = update.get(form.as_dict()?, b"Fields")? else { return Ok(Vec::new()) };
    Ok(fields.as_array()?.iter().map(Object::as_reference).collect::<Result<_, _>>()?)
}

/// Sets the form with its fields, inside the catalog or where it is.
fn set_form(update: &mut Update, fields: Vec<Object>) -> Result<(), SealError> {
    let id = update.catalog_id()?;
    let mut catalog = update.dictionary(id)?;
    let mut form = match update.get(&catalog, b"AcroForm")? {
        Some(form) => form.as_dict()?.clone(),
        None => Dictionary::new(),
    };
    form.set("Fields", fields);
    // Signatures exist, and only appending keeps them (12.7.2).
    form.set("SigFlags", 3);
    match catalog.get(b"AcroForm") {
        Ok(Object::Reference(own)) => update.set(*own, form),
        _ => {
            catalog.set("AcroForm", form);
            update.set(id, catalog);
        }
    }
    Ok(())
}

fn read(update: &Update, id: ObjectId) -> Result<Field, SealError> {
    let field = update.object(id)?.as_dict()?;
    let text = |key: &[u8]| -> Result<Option<String>, SealError> {
        Ok(update.get(field, key)?.map(lopdf::decode_text_string).transpose()?)
    };
    let signatory = text(SIGNATORY.as_bytes())?
        .map(|it| serde_json::from_str(&it))
        .transpose()
        .map_err(|error| SealError::Damaged(format!("who signs cannot be read: {error}")))?;
    Ok(Field {
        id,
        name: text(b"T")?.unwrap_or_default(),
        value: field.get(b"V").ok().map(Object::as_reference).transpose()?,
        signatory,
        rect: rect(update, field)?,
    })
}

fn rect(update: &Update, annotation: &Dictionary) -> Result<[f32; 4], SealError> {
    let malformed = || SealError::Damaged("a field has no place".to_owned());
    let rect = update.get(annotation, b"Rect")?.ok_or_else(malformed)?.as_array()?;
    let numbers = rect.iter().map(Object::as_float).collect::<Result<Vec<_>, _>>()?;
    numbers.try_into().map_err(|_| malformed())
}
