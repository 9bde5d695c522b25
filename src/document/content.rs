//! What a document says, without saying how it looks: keys of sentences and values, side by side.
//!
//! A document has a side in French and, unless it is in French alone, one in the other language.
//! Both are made of the same keys and the same names of values, so that neither can say what the
//! other does not. The page templates, the mails and the text alternative all read this.

mod contract;
mod convocation;
mod family;
mod signatory;
mod values;

use serde::Serialize;

pub use signatory::{Mandate, Signatory};

use super::Document;
use super::catalogue::{Catalogue, Direction, FRENCH, Status};
use super::input::Input;
use super::phrase::{Own, Piece, Values};
use super::rulebook::Rulebook;

/// One language of a document: how it is set, and its values.
#[derive(Debug, Clone, Serialize)]
pub struct Side {
    /// BCP 47.
    pub tag: String,
    pub(crate) lang: String,
    region: Option<String>,
    pub(crate) dir: Direction,
    fonts: Vec<String>,
    scale: f64,
    leading: f64,
    ascent: f64,
    descent: f64,
    space: String,
    /// The values of its sentences.
    pub values: Values,
}

/// What a document says, ready for a page template.
#[derive(Debug, Clone, Serialize)]
pub struct Content {
    /// Which template sets it.
    #[serde(flatten)]
    pub body: Body,
    /// The key of the document's title.
    pub title: String,
    /// The issuer's number of the document.
    pub reference: String,
    /// Whether the translation has not been read by a person.
    pub draft: bool,
    /// French first.
    pub sides: Vec<Side>,
    /// The title in words, with the reference: metadata of the file.
    #[serde(skip)]
    pub heading: String,
    /// The office: metadata of the file.
    #[serde(skip)]
    pub author: String,
    /// The file number and the languages: metadata of the file.
    #[serde(skip)]
    pub subject: String,
}

/// A datum that is printed, by the fonts that set it.
pub(crate) enum Printed<'a> {
    /// In the fonts of French.
    Latin(&'a str),
    /// In those of its own script.
    Own(&'a Own),
}

/// The parts of a document by kind.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "template", rename_all = "snake_case")]
pub enum Body {
    /// The individual contract.
    Contract(Agreement),
    /// The family contract.
    Family(Agreement),
    /// A letter.
    Convocation(Letter),
}

/// The parts of a contract.
#[derive(Debug, Clone, Serialize)]
pub struct Agreement {
    identity: Vec<String>,
    parties: Vec<String>,
    articles: Vec<Article>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    children: Vec<Row>,
    pub(crate) calendar: Vec<Row>,
    signatures: Vec<SignatureBox>,
    /// What the agent certifies by a tick.
    certified: Vec<String>,
    /// What is said under the signatures.
    mentions: Vec<String>,
}

/// An article: its heading and clauses.
#[derive(Debug, Clone, Serialize)]
struct Article {
    key: String,
    clauses: Vec<String>,
}

/// A row of a table: its label, and values of each side.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) label: Option<String>,
    pub(crate) values: Vec<Values>,
}

/// Where a party signs.
#[derive(Debug, Clone, Serialize)]
struct SignatureBox {
    field: &'static str,
    label: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
    values: Vec<Values>,
}

/// The parts of a letter.
#[derive(Debug, Clone, Serialize)]
pub struct Letter {
    recipient: Vec<String>,
    pub(crate) intro: Vec<String>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) bring: Vec<Item>,
    pub(crate) bring_if: Vec<Item>,
    pub(crate) sections: Vec<LetterSection>,
    /// For each side, how many of the sections stand beside the lists of what to bring; the rest goes
    /// below these.
    beside: Vec<usize>,
    closing: String,
    /// The sentence about personal data.
    pub(crate) privacy: &'static str,
}

/// A fact of the key box.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Fact {
    icon: &'static str,
    pub(crate) label: &'static str,
    pub(crate) value: &'static str,
    large: bool,
    wide: bool,
    pub(crate) notes: Vec<&'static str>,
}

/// A thing to bring.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Item {
    icon: String,
    pub(crate) clause: String,
}

/// A titled group of clauses.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LetterSection {
    pub(crate) title: String,
    pub(crate) clauses: Vec<String>,
}

impl Content {
    /// Composes what a document says.
    pub(crate) fn compose(document: &Document, rulebook: &Rulebook) -> Self {
        let head = document.input.head();
        let mut tags = vec![FRENCH];
        tags.extend(Some(head.language.as_str()).filter(|tag| *tag != FRENCH));
        let catalogues: Vec<&Catalogue> = tags.iter().map(|tag| rulebook.catalogue(tag)).collect();
        let (title, body) = match &document.input {
            Input::Contract(it) => contract::compose(document, it, rulebook, &catalogues),
            Input::Family(it) => family::compose(document, it, rulebook, &catalogues),
            Input::Convocation(it) => convocation::compose(document, it, rulebook, &catalogues),
        };
        let sides: Vec<_> = catalogues
            .iter()
            .map(|catalogue| Side::new(catalogue, values::of(document, rulebook, catalogue)))
            .collect();
        let draft = catalogues[1..].iter().any(|it| it.review.status == Status::Draft);
        let words = catalogues[0].say(&title, &sides[0].values).plain();
        let languages: Vec<_> = catalogues.iter().map(|it| it.french_name.as_str()).collect();
        Self {
            heading: format!("{words} — {}", head.reference),
            author: document.office(rulebook).name.clone(),
            subject: format!("{} ({})", head.dossier, languages.join(", ")),
            reference: head.reference.clone(),
            body,
            title,
            draft,
            sides,
        }
    }

    /// Visits every datum that is printed: names, numbers, addresses.
    pub(crate) fn each_printed(&self, visit: &mut impl FnMut(Printed<'_>)) {
        let rows = match &self.body {
            Body::Contract(it) | Body::Family(it) => {
                let rows = it.children.iter().chain(&it.calendar).map(|row| &row.values);
                rows.chain(it.signatures.iter().map(|it| &it.values)).collect()
            }
            Body::Convocation(it) => {
                it.recipient.iter().for_each(|line| visit(Printed::Latin(line)));
                Vec::new()
            }
        };
        let sides = self.sides.iter().map(|side| &side.values);
        for value in sides.chain(rows.into_iter().flatten()).flat_map(Values::values) {
            for piece in value.pieces() {
                match &piece {
                    Piece::Raw { raw } => visit(Printed::Latin(raw)),
                    Piece::Own(own) => visit(Printed::Own(own)),
                    Piece::Text(_) => {}
                }
            }
        }
    }

    /// What the pages print, as data: attached to a contract so that a machine can read it.
    pub(crate) fn printed(&self) -> serde_json::Value {
        let plain = |values: &Values| -> serde_json::Map<_, _> {
            values.iter().map(|(name, value)| ((*name).to_owned(), value.plain().into())).collect()
        };
        let rows = |rows: &[Row]| -> serde_json::Value {
            let row = |row: &Row| {
                let mut values = row.values.first().map(plain).unwrap_or_default();
                values.extend(row.label.iter().map(|it| ("step".to_owned(), it.clone().into())));
                serde_json::Value::Object(values)
            };
            rows.iter().map(row).collect()
        };
        let mut printed = self.sides.first().map(|it| plain(&it.values)).unwrap_or_default();
        let languages = self.sides.iter().map(|it| it.tag.clone());
        printed.insert("languages".to_owned(), languages.collect());
        if let Body::Contract(it) | Body::Family(it) = &self.body {
            printed.insert("calendar".to_owned(), rows(&it.calendar));
            printed.insert("children".to_owned(), rows(&it.children));
        }
        printed.into()
    }
}

impl Side {
    fn new(catalogue: &Catalogue, values: Values) -> Self {
        Self {
            tag: catalogue.tag.clone(),
            lang: catalogue.lang.clone(),
            region: catalogue.region.clone(),
            dir: catalogue.direction,
            fonts: catalogue.fonts.clone(),
            scale: catalogue.scale,
            leading: catalogue.leading,
            ascent: catalogue.ascent,
            descent: catalogue.descent,
            space: catalogue.space.clone(),
            values,
        }
    }
}
