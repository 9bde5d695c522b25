//! The headers that the mail library does not know or writes in a way that readers stumble over.

use lettre::message::Mailbox;
use lettre::message::header::{Header, HeaderName, HeaderValue};

/// `Content-Language` (RFC 3282).
#[derive(Debug, Clone)]
pub(super) struct Language(pub(super) String);

/// `Auto-Submitted: auto-generated` (RFC 3834): no machine answers it.
#[derive(Debug, Clone)]
pub(super) struct AutoSubmitted;

/// `From` and `Reply-To` with each word of the name encoded by itself: some readers keep the fold
/// between two encoded words of one name as a space in the middle of a word.
#[derive(Debug, Clone)]
pub(super) struct From(pub(super) Mailbox);

/// See [`From`].
#[derive(Debug, Clone)]
pub(super) struct ReplyTo(pub(super) Mailbox);

/// A header of one constant name, already encoded.
macro_rules! header {
    ($type:ty, $name:literal, $this:ident => $value:expr) => {
        impl Header for $type {
            fn name() -> HeaderName {
                HeaderName::new_from_ascii_str($name)
            }

            fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
                Err("this header is only written".into())
            }

            fn display(&self) -> HeaderValue {
                let $this = self;
                let value: String = $value;
                HeaderValue::dangerous_new_pre_encoded(Self::name(), value.clone(), value)
            }
        }
    };
}

header!(Language, "Content-Language", this => this.0.clone());
header!(AutoSubmitted, "Auto-Submitted", _this => "auto-generated".to_owned());
header!(From, "From", this => mailbox("From: ".len(), &this.0));
header!(ReplyTo, "Reply-To", this => mailbox("Reply-To: ".len(), &this.0));

/// The longest line of a header (RFC 5322, 2.1.1).
const LINE: usize = 76;

/// A mailbox (RFC 5322, 3.4) whose name is atoms and encoded words (RFC 2047, 5 (3)).
fn mailbox(indent: usize, mailbox: &Mailbox) -> String {
    let mut out = String::new();
    let mut width = indent;
    let mut encoded_before = false;
    let mut add = |word: &str, first: bool| {
        if !first && width + 1 + word.len() > LINE {
            out.push_str("\r\n ");
            width = 1;
        } else if !first {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += word.len();
    };
    let name = mailbox.name.as_deref().unwrap_or_default();
    for (number, word) in name.split(' ').filter(|it| !it.is_empty()).enumerate() {
        let plain = word.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-');
        if plain {
            add(word, number == 0);
        } else {
            // The space between two encoded words is not part of the text (RFC 2047, 6.2).
            let space = if encoded_before { "_" } else { "" };
            for (part, piece) in pieces(word).iter().enumerate() {
                let space = if part == 0 { space } else { "" };
                add(&format!("=?utf-8?q?{space}{piece}?="), number == 0 && part == 0);
            }
        }
        encoded_before = !plain;
    }
    let address: &str = mailbox.email.as_ref();
    match name.is_empty() {
        true => add(address, true),
        false => add(&format!("<{address}>"), false),
    }
    out
}

/// A word in the Q encoding, in pieces that fit an encoded word; no character is divided.
fn pieces(word: &str) -> Vec<String> {
    const LONGEST: usize = 60;
    let mut pieces = vec![String::new()];
    for c in word.chars() {
        let mut bytes = [0; 4];
        let encoded: String = match c.is_ascii_alphanumeric() || c == '-' {
            true => c.to_string(),
            false => c.encode_utf8(&mut bytes).bytes().map(|it| format!("={it:02X}")).collect(),
        };
        match pieces.last_mut() {
            Some(piece) if piece.len() + encoded.len() <= LONGEST => piece.push_str(&encoded),
            _ => pieces.push(encoded),
        }
    }
    pieces
}
