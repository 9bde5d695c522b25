//! What Typst sees: the page templates, the catalogues, the fonts, and one document's data.
//!
//! Typst never frees a path, so every path here is constant: the data of each document is
//! `/data.json`, its attachment `/attachment.json`, its QR codes `/codes.grey`, whatever the document.

use std::collections::HashMap;

use chrono::{DateTime, Datelike, Timelike, Utc};
use serde::Serialize;
use typst::diag::{FileError, FileResult};
use typst::foundations::{Bytes, Datetime, Duration};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World};

use crate::assets::Assets;
use crate::document::{Body, Catalogue, Part, Rulebook, RulebookError};

/// What all documents share.
pub(super) struct Shared {
    library: LazyHash<Library>,
    pub(super) book: LazyHash<FontBook>,
    fonts: Vec<Font>,
    sources: HashMap<FileId, Source>,
    files: HashMap<FileId, Bytes>,
    data: FileId,
    attachment: FileId,
    codes: FileId,
    contract: FileId,
    family: FileId,
    pub(super) convocation: FileId,
}

/// One rendering: what is shared, and this document's data.
pub(super) struct Sheet<'a> {
    pub(super) shared: &'a Shared,
    pub(super) main: FileId,
    pub(super) data: Bytes,
    pub(super) attachment: Bytes,
    pub(super) codes: Bytes,
    pub(super) at: DateTime<Utc>,
}

/// A catalogue as templates read it.
#[derive(Serialize)]
struct Locale<'a> {
    messages: HashMap<&'a str, Vec<Part>>,
}

impl Shared {
    pub(super) fn load(assets: &Assets, rulebook: &Rulebook) -> Result<Self, RulebookError> {
        let mut faults = Vec::new();
        let mut paths = Paths(&mut faults);
        let mut sources = HashMap::new();
        let mut files = HashMap::new();
        for folder in ["templates/document/", "templates/brand/"] {
            for (path, bytes) in assets.list(folder, "") {
                let inner = path.strip_prefix("templates").unwrap_or(path);
                let Some(id) = paths.id(inner) else { continue };
                match std::str::from_utf8(bytes) {
                    Ok(text) if path.ends_with(".typ") => {
                        sources.insert(id, Source::new(id, text.to_owned()));
                    }
                    _ => {
                        files.insert(id, Bytes::new(bytes.clone()));
                    }
                }
            }
        }
        for (tag, catalogue) in &rulebook.catalogues {
            if let Some(id) = paths.id(&format!("/locales/{tag}.json")) {
                files.insert(id, super::json(&Locale::of(catalogue)));
            }
        }
        let fonts: Vec<Font> = assets
            .list("fonts/", ".ttf")
            .chain(assets.list("fonts/", ".otf"))
            .flat_map(|(_, bytes)| Font::iter(Bytes::new(bytes.clone())))
            .collect();
        let ids = [
            "/data.json",
            "/attachment.json",
            "/codes.grey",
            "/document/contract.typ",
            "/document/family.typ",
            "/document/convocation.typ",
        ]
        .map(|path| paths.id(path));
        let [
            Some(data),
            Some(attachment),
            Some(codes),
            Some(contract),
            Some(family),
            Some(convocation),
        ] = ids
        else {
            return Err(RulebookError(faults));
        };
        for (name, id) in [("contract", contract), ("family", family), ("convocation", convocation)]
        {
            if !sources.contains_key(&id) {
                faults.push(format!("templates/document/{name}.typ: missing"));
            }
        }
        if !faults.is_empty() {
            return Err(RulebookError(faults));
        }
        Ok(Self {
            library: LazyHash::new(Library::default()),
            book: LazyHash::new(FontBook::from_fonts(&fonts)),
            fonts,
            sources,
            files,
            data,
            attachment,
            codes,
            contract,
            family,
            convocation,
        })
    }

    /// A rendering of `main`, yet without data.
    pub(super) fn sheet(&self, main: FileId, at: DateTime<Utc>) -> Sheet<'_> {
        let empty = Bytes::new([]);
        let (data, attachment, codes) = (empty.clone(), empty.clone(), empty);
        Sheet { shared: self, main, data, attachment, codes, at }
    }

    /// The template of a document.
    pub(super) fn main(&self, body: &Body) -> FileId {
        match body {
            Body::Contract(_) => self.contract,
            Body::Family(_) => self.family,
            Body::Convocation(_) => self.convocation,
        }
    }
}

impl<'a> Locale<'a> {
    fn of(catalogue: &'a Catalogue) -> Self {
        let messages = catalogue.messages.iter();
        Self { messages: messages.map(|(key, it)| (key.as_str(), it.clone().into())).collect() }
    }
}

/// Makes ids of constant paths; a path Typst refuses is a fault of the assets.
struct Paths<'a>(&'a mut Vec<String>);

impl Paths<'_> {
    fn id(&mut self, path: &str) -> Option<FileId> {
        match VirtualPath::new(path) {
            Ok(path) => Some(RootedPath::new(VirtualRoot::Project, path).intern()),
            Err(error) => {
                self.0.push(format!("templates{path}: {error:?}"));
                None
            }
        }
    }
}

impl World for Sheet<'_> {
    fn library(&self) -> &LazyHash<Library> {
        &self.shared.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &self.shared.book
    }

    fn main(&self) -> FileId {
        self.main
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        self.shared.sources.get(&id).cloned().ok_or_else(|| not_found(id))
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        if id == self.shared.data {
            Ok(self.data.clone())
        } else if id == self.shared.attachment {
            Ok(self.attachment.clone())
        } else if id == self.shared.codes {
            Ok(self.codes.clone())
        } else {
            self.shared.files.get(&id).cloned().ok_or_else(|| not_found(id))
        }
    }

    fn font(&self, index: usize) -> Option<Font> {
        self.shared.fonts.get(index).cloned()
    }

    fn today(&self, _: Option<Duration>) -> Option<Datetime> {
        datetime(self.at)
    }
}

/// A moment in Typst's words.
pub(super) fn datetime(at: DateTime<Utc>) -> Option<Datetime> {
    let small = |n: u32| u8::try_from(n).ok();
    Datetime::from_ymd_hms(
        at.year(),
        small(at.month())?,
        small(at.day())?,
        small(at.hour())?,
        small(at.minute())?,
        small(at.second())?,
    )
}

fn not_found(id: FileId) -> FileError {
    FileError::NotFound(id.vpath().get_without_slash().into())
}
