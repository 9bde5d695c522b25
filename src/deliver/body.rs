//! What a mail says in one language, made of the same keys and values as the page.
//!
//! A document's content in, [`Words`] out, once dressed as plain text and once as HTML. The first lines,
//! which a telephone shows on its locked screen, tell date and place, never the step: that would tell
//! health or status.

use std::fmt::Write;

use minijinja::Value;
use serde::Serialize;

use super::Enclosure;
use crate::document::{
    Agenda, Body, Catalogue, Content, Datum, Direction, Part, Piece, Side, Standing, Values,
};

/// How sentences are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dress {
    /// Plain text: data in a right-to-left sentence is isolated (UAX #9).
    Text,
    /// HTML: everything is escaped, and what can be touched is a link.
    Html,
}

/// One language of a mail, ready for `templates/mail/body.*.j2`.
#[derive(Debug, Serialize)]
pub(super) struct Words {
    heading: Value,
    greeting: Value,
    /// What is attached, and that the other language follows.
    opening: Vec<Value>,
    /// The key box.
    facts: Vec<Block>,
    /// What one can touch: write, call, see the place, open the document.
    actions: Vec<Action>,
    intro: Vec<Value>,
    /// What to bring.
    lists: Vec<Block>,
    sections: Vec<Block>,
    closing: Vec<Value>,
    /// Name, address, telephone and mailbox.
    office: Vec<Value>,
    foot: Vec<Value>,
}

#[derive(Debug, Serialize)]
struct Block {
    title: Value,
    lines: Vec<Value>,
    notes: Vec<Value>,
}

#[derive(Debug, Serialize)]
struct Action {
    title: Value,
    shown: Value,
    href: String,
}

/// What the sides of a mail have in common.
pub(super) struct Whole<'a> {
    pub(super) content: &'a Content,
    pub(super) agenda: Option<&'a Agenda>,
    pub(super) enclosure: &'a Enclosure<'a>,
    /// The key of the subject.
    pub(super) subject: &'a str,
}

/// A side, its catalogue, and how it is dressed.
struct Writer<'a> {
    whole: &'a Whole<'a>,
    side: &'a Side,
    words: &'a Catalogue,
    values: Values,
    dress: Dress,
}

/// What a mail says in the language of `side`.
pub(super) fn words(whole: &Whole<'_>, side: &Side, catalogue: &Catalogue, dress: Dress) -> Words {
    let mut values = side.values.clone();
    if let Enclosure::Link { url, until } = whole.enclosure {
        values.insert("link", Datum::raw(*url));
        values.insert("link_end", catalogue.long_date(*until).into());
    }
    Writer { whole, side, words: catalogue, values, dress }.words()
}

impl Writer<'_> {
    fn words(&self) -> Words {
        let letter = match &self.whole.content.body {
            Body::Convocation(letter) => Some(letter),
            Body::Contract(_) | Body::Family(_) => None,
        };
        let mut words = Words {
            heading: self.say(self.whole.subject),
            greeting: self.say("mail.greeting"),
            opening: self.opening(letter.is_some()),
            facts: Vec::new(),
            actions: self.actions(),
            intro: Vec::new(),
            lists: Vec::new(),
            sections: Vec::new(),
            closing: self.say_all(&["mail.reply", "mail.free"]),
            office: self.office(),
            foot: self.say_all(&["mail.automatic", "mail.wrong_person"]),
        };
        match &self.whole.content.body {
            Body::Convocation(letter) => {
                words.facts = letter.facts.iter().map(|it| self.fact(it)).collect();
                words.intro = self.say_all(&letter.intro);
                for (title, items) in
                    [("bring.title", &letter.bring), ("bring_if.title", &letter.bring_if)]
                {
                    let lines: Vec<_> = items.iter().map(|it| self.say(&it.clause)).collect();
                    if !lines.is_empty() {
                        words.lists.push(self.block(title, lines));
                    }
                }
                for section in &letter.sections {
                    words.sections.push(self.block(&section.title, self.say_all(&section.clauses)));
                }
                words.closing.extend(self.calendar());
                words.foot.push(self.say(letter.privacy));
            }
            Body::Contract(agreement) | Body::Family(agreement) => {
                words.intro = self.say_all(&["mail.contract.keep", "mail.contract.error"]);
                let rows: Vec<_> =
                    agreement.calendar.iter().flat_map(|row| self.row(row)).collect();
                if !rows.is_empty() {
                    words.intro.insert(1, self.say("mail.contract.next"));
                    words.sections.push(self.block("calendar.title", rows));
                }
            }
        }
        words
    }

    /// What this mail brings; the French side says that the other follows.
    fn opening(&self, letter: bool) -> Vec<Value> {
        let mut lines = Vec::new();
        if self.whole.content.sides.len() > 1 && self.side.tag == crate::document::FRENCH {
            lines.push(self.say("mail.below"));
        }
        match (self.whole.enclosure, letter) {
            (Enclosure::Attached(_), true) => lines.push(self.say("mail.attached.letter")),
            (Enclosure::Attached(_), false) => lines.push(self.say("mail.attached.contract")),
            (Enclosure::Link { .. }, _) => {
                let key = if letter { "mail.link.letter" } else { "mail.link.contract" };
                lines.extend(self.say_all(&[key, "mail.link.until", "mail.link.secret"]));
            }
        }
        lines
    }

    fn calendar(&self) -> Option<Value> {
        match self.whole.agenda?.standing {
            Standing::Kept => Some(self.say("mail.calendar")),
            Standing::Cancelled => Some(self.say("mail.calendar.cancelled")),
            Standing::Past => None,
        }
    }

    fn fact(&self, fact: &crate::document::Fact) -> Block {
        let lines = match self.values.get(fact.value) {
            Some(Datum::Lines { lines, .. }) => {
                lines.iter().map(|it| self.write(&it.0, fact.value)).collect()
            }
            Some(value) => vec![self.write(&value.pieces(), fact.value)],
            None => Vec::new(),
        };
        Block { title: self.say(fact.label), lines, notes: self.say_all(&fact.notes) }
    }

    /// A row of a contract's calendar: the step, when, where.
    fn row(&self, row: &crate::document::Row) -> Vec<Value> {
        let position = self.whole.content.sides.iter().position(|it| it.tag == self.side.tag);
        let values = position.and_then(|at| row.values.get(at));
        let cell = |name: &str| {
            let pieces = values?.get(name)?.pieces();
            Some(self.write(&pieces, name))
        };
        let label = row.label.as_ref().map(|key| self.say(key));
        [label, cell("when"), cell("place")].into_iter().flatten().collect()
    }

    fn actions(&self) -> Vec<Action> {
        let plain = |name: &str| self.values.get(name).map(|it| it.plain()).unwrap_or_default();
        let action = |key: &str, name: &'static str| {
            let href = self.href(name)?;
            let shown = self.write(&[Piece::Raw { raw: plain(name) }], "");
            Some(Action { title: self.say(key), shown, href })
        };
        let open = action("mail.link.open", "link");
        let map = self.href("place").map(|href| Action {
            title: self.say("mail.map"),
            shown: self.write(&[Piece::Raw { raw: plain("place") }], ""),
            href,
        });
        let write = action("mail.write", "office_email");
        let call = action("mail.call", "office_phone");
        [open, map, write, call].into_iter().flatten().collect()
    }

    fn office(&self) -> Vec<Value> {
        let names = ["office_name", "office_address", "office_phone", "office_email"];
        let filled = names.iter().filter_map(|name| Some((name, self.values.get(name)?)));
        filled
            .filter(|(_, value)| !value.plain().is_empty())
            .map(|(name, value)| self.write(&value.pieces(), name))
            .collect()
    }

    fn block(&self, title: &str, lines: Vec<Value>) -> Block {
        Block { title: self.say(title), lines, notes: Vec::new() }
    }

    fn say_all(&self, keys: &[impl AsRef<str>]) -> Vec<Value> {
        keys.iter().map(|it| self.say(it.as_ref())).collect()
    }

    /// A sentence of the catalogue with its values in place.
    fn say(&self, key: &str) -> Value {
        let mut out = String::new();
        for part in self.words.message(key).parts() {
            match part {
                Part::Text(text) => self.piece(&Piece::Text(text.clone()), None, &mut out),
                Part::Value { name } => {
                    let pieces = self.values.get(name.as_str()).map(Datum::pieces);
                    self.pieces(&pieces.unwrap_or_default(), name, &mut out);
                }
            }
        }
        self.finish(out)
    }

    /// The pieces of the value of a name.
    fn write(&self, pieces: &[Piece], name: &str) -> Value {
        let mut out = String::new();
        self.pieces(pieces, name, &mut out);
        self.finish(out)
    }

    fn pieces(&self, pieces: &[Piece], name: &str, out: &mut String) {
        let href = self.href(name);
        for piece in pieces {
            self.piece(piece, href.as_deref(), out);
        }
    }

    fn piece(&self, piece: &Piece, href: Option<&str>, out: &mut String) {
        let isolated = self.side.dir == Direction::Rtl;
        match (piece, self.dress) {
            (Piece::Text(text), Dress::Text) => out.push_str(text),
            (Piece::Raw { raw }, Dress::Text) if isolated => {
                let _ = write!(out, "\u{2066}{raw}\u{2069}");
            }
            (Piece::Raw { raw }, Dress::Text) => out.push_str(raw),
            (Piece::Text(text), Dress::Html) => escape(text, out),
            (Piece::Own(own), Dress::Text) => {
                let _ = write!(out, "\u{2068}{}\u{2069}", own.name());
            }
            (Piece::Own(own), Dress::Html) => {
                out.push_str("<bdi>");
                escape(own.name(), out);
                out.push_str("</bdi>");
            }
            (Piece::Raw { raw }, Dress::Html) => {
                let link = href.map(|href| {
                    let mut open = "<a href=\"".to_owned();
                    escape(href, &mut open);
                    open + "\">"
                });
                // Numbers stay on one line, as far as a small telephone's reaches.
                let whole = raw.len() <= NUMBER && raw.contains([' ', '-']);
                let (open, close) = match (isolated, whole) {
                    (true, true) => ("<bdi dir=\"ltr\" style=\"white-space: nowrap;\">", "</bdi>"),
                    (true, false) => ("<bdi dir=\"ltr\">", "</bdi>"),
                    (false, true) => ("<span style=\"white-space: nowrap;\">", "</span>"),
                    (false, false) => ("", ""),
                };
                out.push_str(link.as_deref().unwrap_or_default());
                out.push_str(open);
                escape(raw, out);
                out.push_str(close);
                out.push_str(if link.is_some() { "</a>" } else { "" });
            }
        }
    }

    /// Where touching the value of a name leads.
    fn href(&self, name: &str) -> Option<String> {
        let plain = self.values.get(name).map(Datum::plain).filter(|it| !it.is_empty())?;
        match name {
            "office_email" | "data_contact" if plain.contains('@') => {
                let reference = &self.whole.content.reference;
                Some(format!("mailto:{}?subject={}", percent(&plain), percent(reference)))
            }
            "office_phone" => {
                let digits = plain.chars().filter(|it| it.is_ascii_digit() || *it == '+');
                Some(format!("tel:{}", digits.collect::<String>()))
            }
            "place" => {
                let agenda = self.whole.agenda.filter(|it| it.standing == Standing::Kept)?;
                let (north, east) = agenda.coordinates?;
                let address = percent(&agenda.address);
                Some(format!("geo:{north:.6},{east:.6}?q={address}"))
            }
            "link" => Some(plain),
            _ => None,
        }
    }

    fn finish(&self, out: String) -> Value {
        match self.dress {
            Dress::Text => Value::from(out),
            Dress::Html => Value::from_safe_string(out),
        }
    }
}

/// The longest datum that is kept on one line, in bytes.
const NUMBER: usize = 24;

/// Text as HTML wants it, in content and in attributes.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

/// Text as a part of a URI (RFC 3986, 2.1); `@` stands in a path as it is.
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' => {
                out.push(char::from(byte));
            }
            byte => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}
