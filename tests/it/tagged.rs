//! What assistive technology is told: the text of each tag in the order of reading, and its language.
//!
//! Reads a PDF through its structure tree (ISO 32000-1, 14.7 and 14.9): marked content, `ActualText`,
//! `ReversedChars`, `Lang` of content, of an element, of the document, in that order.

use std::collections::HashMap;

use lopdf::content::Operation;
use lopdf::{Dictionary, Document, Object, ObjectId};
use paraphe::render::Pdf;

/// A piece of text as it is read out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    /// BCP 47.
    pub(crate) lang: String,
    pub(crate) text: String,
}

/// All text of a file outside artifacts, in the order of reading.
pub(crate) fn read(pdf: &Pdf) -> Vec<Said> {
    read_file(pdf.bytes())
}

/// The same of a file that the product did not write.
pub(crate) fn read_file(bytes: &[u8]) -> Vec<Said> {
    let file = Document::load_mem(bytes).unwrap();
    let mut reader = Reader { contents: HashMap::new(), said: Vec::new(), file: &file };
    for page in file.get_pages().into_values() {
        reader.read_page(page);
    }
    let catalog = file.catalog().unwrap();
    let lang = text(catalog.get(b"Lang").unwrap());
    let root = file.get_dict_in_dict(catalog, b"StructTreeRoot").unwrap();
    reader.walk(root, &lang, None);
    reader.said
}

/// The text of pieces one after the other, in one language or in all.
pub(crate) fn words(said: &[Said], lang: Option<&str>) -> String {
    let wanted = said.iter().filter(|it| lang.is_none_or(|lang| it.lang == lang));
    wanted.map(|it| it.text.as_str()).collect()
}

struct Reader<'a> {
    file: &'a Document,
    /// By page and marked-content id: the language it names itself, and its text.
    contents: HashMap<(ObjectId, i64), (Option<String>, String)>,
    said: Vec<Said>,
}

/// A marked-content sequence that is open.
struct Open {
    mark: Option<i64>,
    /// Replaces what is shown inside.
    actual: Option<String>,
    reversed: bool,
    lang: Option<String>,
}

impl Reader<'_> {
    /// An element: its own language, then its kids.
    fn walk(&mut self, element: &Dictionary, lang: &str, page: Option<ObjectId>) {
        let lang = element.get(b"Lang").map_or_else(|_| lang.to_owned(), text);
        let page = element.get(b"Pg").and_then(Object::as_reference).ok().or(page);
        let Ok(kids) = element.get(b"K") else { return };
        let kids = match self.file.dereference(kids).unwrap().1 {
            Object::Array(kids) => kids.clone(),
            kid => vec![kid.clone()],
        };
        for kid in kids {
            match self.file.dereference(&kid).unwrap().1.clone() {
                Object::Integer(mark) => self.say(page, mark, &lang),
                Object::Dictionary(kid) => match kid.get(b"MCID").and_then(Object::as_i64) {
                    Ok(mark) => {
                        let own = kid.get(b"Pg").and_then(Object::as_reference).ok();
                        self.say(own.or(page), mark, &lang);
                    }
                    Err(_) => self.walk(&kid, &lang, page),
                },
                _ => {}
            }
        }
    }

    fn say(&mut self, page: Option<ObjectId>, mark: i64, lang: &str) {
        let found = page.and_then(|page| self.contents.get(&(page, mark)));
        if let Some((own, text)) = found.filter(|(_, text)| !text.is_empty()) {
            let lang = own.clone().unwrap_or_else(|| lang.to_owned());
            self.said.push(Said { lang, text: text.clone() });
        }
    }

    /// The text of every marked-content id of a page.
    fn read_page(&mut self, page: ObjectId) {
        let fonts = self.file.get_page_fonts(page).unwrap();
        let content = self.file.get_and_decode_page_content(page).unwrap();
        let mut open: Vec<Open> = Vec::new();
        let mut font: Option<&Dictionary> = None;
        for Operation { operator, operands } in &content.operations {
            match operator.as_str() {
                "BMC" | "BDC" => {
                    let started = self.start(page, operands);
                    self.show(page, &open, started.actual.clone());
                    open.push(started);
                }
                "EMC" => drop(open.pop()),
                "Tf" => font = fonts.get(operands[0].as_name().unwrap()).copied(),
                "Tj" | "TJ" => {
                    let encoding = font.unwrap().get_font_encoding(self.file).unwrap();
                    let mut codes = Vec::new();
                    match &operands[0] {
                        Object::Array(parts) => {
                            for part in parts {
                                codes.extend(part.as_str().unwrap_or_default());
                            }
                        }
                        shown => codes.extend(shown.as_str().unwrap()),
                    }
                    // One glyph is two bytes; turned round, each glyph keeps its own characters.
                    let glyphs = codes.chunks(2).map(|code| Document::decode_text(&encoding, code));
                    let mut glyphs: Vec<_> = glyphs.map(Result::unwrap).collect();
                    if open.iter().any(|it| it.reversed) {
                        glyphs.reverse();
                    }
                    self.show(page, &open, Some(glyphs.concat()));
                }
                _ => {}
            }
        }
    }

    fn start(&self, page: ObjectId, operands: &[Object]) -> Open {
        let name = operands[0].as_name().unwrap();
        let empty = Dictionary::new();
        let properties = match operands.get(1) {
            Some(Object::Dictionary(properties)) => properties,
            Some(Object::Name(name)) => panic!("{page:?}: properties {name:?} elsewhere"),
            _ => &empty,
        };
        Open {
            mark: properties.get(b"MCID").and_then(Object::as_i64).ok(),
            actual: properties.get(b"ActualText").ok().map(text),
            reversed: name == b"ReversedChars",
            lang: properties.get(b"Lang").ok().map(text),
        }
    }

    /// Notes what is shown under the innermost id; a text that is replaced was noted at the start.
    fn show(&mut self, page: ObjectId, open: &[Open], shown: Option<String>) {
        let replaced = open.iter().any(|it| it.actual.is_some());
        let (Some(shown), false) = (shown, replaced) else { return };
        let Some(mark) = open.iter().rev().find_map(|it| it.mark) else { return };
        let lang = open.iter().rev().find_map(|it| it.lang.clone());
        let entry = self.contents.entry((page, mark)).or_insert((lang, String::new()));
        entry.1.push_str(&shown);
    }
}

fn text(object: &Object) -> String {
    lopdf::decode_text_string(object).unwrap()
}
