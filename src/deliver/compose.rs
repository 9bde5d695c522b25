//! A document becomes a message: text, HTML, calendar and PDF in one RFC 5322 object.
//!
//! A checked document and its file in, the exact bytes out that are stored and sent. Message-ID and
//! boundaries come from the delivery's id, the date is given: same input, same bytes.
//!
//! ```text
//! multipart/mixed
//!   multipart/alternative      the same content three times; the last one that is understood is shown
//!     text/plain
//!     text/html
//!     text/calendar            inline: Outlook reads this one
//!   application/pdf            attached, unless the mail has a link
//!   text/calendar              attached: telephones open this one
//! ```

use chrono::{DateTime, NaiveDate, Utc};
use lettre::message::header::{ContentDisposition, ContentTransferEncoding, ContentType};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use uuid::Uuid;

use super::address::{self, AddressError};
use super::body::{self, Dress, Whole};
use super::calendar::{self, Event};
use super::header::{self, AutoSubmitted, Language};
use super::{MailOptions, MailerError};
use crate::assets::Assets;
use crate::class::Class;
use crate::document::{Direction, Document, Rulebook, Side, Standing, Values};

/// Templates and options, loaded once; makes messages, sends none.
#[derive(Debug)]
pub struct Mailer {
    templates: Environment<'static>,
    options: MailOptions,
}

/// A message as it is stored and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// With its angle brackets; the delivery's id stands in it.
    pub message_id: String,
    /// The envelope's recipient, its domain in ASCII.
    pub recipient: String,
    /// The whole message, RFC 5322, lines ended by CR LF.
    pub bytes: Vec<u8>,
}

/// What one message needs to know beside the document.
#[derive(Debug, Clone)]
pub struct Dispatch<'a> {
    /// The delivery's id, which the DSN's ENVID carries too.
    pub id: Uuid,
    /// One of [`Document::emails`].
    pub recipient: &'a str,
    /// The number of the first letter about this appointment: the stable part of the calendar's UID.
    pub first: &'a str,
    /// How many letters about it came before this one: the calendar's SEQUENCE.
    pub sequence: u32,
    /// Beginning and end of the sessions that those letters named; the ones that this letter has no more are
    /// cancelled in the person's calendar.
    pub earlier: &'a [(DateTime<Utc>, DateTime<Utc>)],
    /// Whether it is a test, for other eyes than the person's: the subject says so.
    pub test: bool,
}

/// What stands before the subject of a test.
const TEST: &str = "[TEST]";

/// How the person gets the file.
#[derive(Debug, Clone, Copy)]
pub enum Enclosure<'a> {
    /// The sealed PDF itself.
    Attached(&'a [u8]),
    /// Where it can be fetched.
    Link {
        /// An `https` address.
        url: &'a str,
        /// The last day it works.
        until: NaiveDate,
    },
}

/// Why there is no message.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The person's address cannot be one.
    #[error("the person's address: {0}")]
    Recipient(#[source] AddressError),
    /// The office has no usable mailbox.
    #[error("the office's mailbox ({0}): complete it in templates/offices/directorates.toml")]
    Office(#[source] AddressError),
    /// A template of `templates/mail/` is at fault.
    #[error("a mail template is at fault: {0}")]
    Template(#[from] minijinja::Error),
    /// The parts do not make a message.
    #[error("the message cannot be built: {0}")]
    Message(#[from] lettre::error::Error),
}

impl ComposeError {
    /// Whose turn it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Recipient(_) => Class::Caller,
            Self::Office(_) | Self::Template(_) | Self::Message(_) => Class::Us,
        }
    }
}

const TEMPLATES: [&str; 4] = ["base.txt.j2", "base.html.j2", "body.txt.j2", "body.html.j2"];

/// What stands between two languages of a plain text.
const RULE: &str = "----------------------------------------";

impl Mailer {
    /// Loads `templates/mail/`; escaping is by name (`.html.j2`), an undefined name is an error.
    pub fn new(assets: &Assets, options: MailOptions) -> Result<Self, MailerError> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_auto_escape_callback(|name| match name.ends_with(".html.j2") {
            true => AutoEscape::Html,
            false => AutoEscape::None,
        });
        for name in TEMPLATES {
            let path = format!("templates/mail/{name}");
            let bytes = assets.get(&path).unwrap_or_default();
            let text = String::from_utf8(bytes.to_vec());
            let text = text.map_err(|_| MailerError::Encoding(path.clone()))?;
            if text.is_empty() {
                return Err(MailerError::Missing(path));
            }
            templates.add_template_owned(name, text)?;
        }
        Ok(Self { templates, options })
    }

    /// Composes the message of a document to one person, dated `at`.
    pub fn compose(
        &self,
        document: &Document,
        rulebook: &Rulebook,
        enclosure: Enclosure<'_>,
        dispatch: &Dispatch<'_>,
        at: DateTime<Utc>,
    ) -> Result<Mail, ComposeError> {
        let content = document.content(rulebook);
        let french = &content.sides[0].values;
        let recipient = address::parse(dispatch.recipient).map_err(ComposeError::Recipient)?;
        let office =
            address::parse(&plain(french, "office_email")).map_err(ComposeError::Office)?;
        let name = address::clean(&plain(french, "office_name"));
        let domain = self.options.domain.clone().unwrap_or_else(|| office.domain().to_owned());
        let agenda = document.agenda(rulebook);
        let key = match document.step() {
            Some((_, notice)) => format!("mail.subject.{notice}"),
            None => "mail.subject.contract".to_owned(),
        };
        let whole = Whole {
            content: &content,
            agenda: agenda.as_ref(),
            enclosure: &enclosure,
            subject: &key,
        };
        let say = |key: &str| address::clean(&rulebook.french().say(key, french).plain());
        let mut subject = say(&key);
        if dispatch.test {
            subject = format!("{TEST} {subject}");
        }
        let (text, html) = self.bodies(&whole, rulebook, &subject)?;
        let event = Event {
            summary: &say("mail.event"),
            description: &entry(&whole, rulebook),
            first: dispatch.first,
            sequence: dispatch.sequence,
            earlier: dispatch.earlier,
            domain: &domain,
            organizer: (&name, office.as_ref()),
        };
        let calendar = agenda.as_ref().and_then(|it| calendar::object(it, &event, at));

        let id = dispatch.id.simple();
        let languages = content.sides.iter().map(|it| it.tag.as_str()).collect::<Vec<_>>();
        let language = Language(languages.join(", "));
        let mut inner = MultiPart::alternative()
            .boundary(format!("={id}=alternative"))
            .singlepart(part(ContentType::TEXT_PLAIN, language.clone(), text.clone()))
            .singlepart(part(ContentType::TEXT_HTML, language.clone(), html));
        let mut outer = MultiPart::mixed().boundary(format!("={id}=mixed")).build();
        let stem = file_stem(document);
        if let Some((method, text)) = &calendar {
            inner = inner
                .singlepart(SinglePart::builder().header(calendar_type(method)).body(text.clone()));
        }
        outer = outer.multipart(inner);
        if let Enclosure::Attached(file) = enclosure {
            outer = outer.singlepart(
                SinglePart::builder()
                    .header(
                        ContentType::parse("application/pdf").unwrap_or(ContentType::TEXT_PLAIN),
                    )
                    .header(ContentDisposition::attachment(&format!("{stem}.pdf")))
                    .header(ContentTransferEncoding::Base64)
                    .body(file.to_vec()),
            );
        }
        if let Some((method, text)) = calendar {
            outer = outer.singlepart(
                SinglePart::builder()
                    .header(calendar_type(method))
                    .header(ContentDisposition::attachment(&format!("{stem}.ics")))
                    .body(text),
            );
        }
        let message_id = format!("<{}@{domain}>", dispatch.id);
        let from = Mailbox::new(Some(name), office);
        let mut message = Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, recipient.clone()))
            .subject(subject)
            .date(at.into())
            .message_id(Some(message_id.clone()))
            .header(AutoSubmitted)
            .header(language)
            .multipart(outer)?;
        message.headers_mut().set(header::From(from.clone()));
        message.headers_mut().set(header::ReplyTo(from));
        Ok(Mail { message_id, recipient: recipient.to_string(), bytes: message.formatted() })
    }

    /// The whole text and the whole HTML: French first, then the person's language.
    fn bodies(
        &self,
        whole: &Whole<'_>,
        rulebook: &Rulebook,
        subject: &str,
    ) -> Result<(String, String), minijinja::Error> {
        let bodies = |dress, template: &str| -> Result<Vec<String>, minijinja::Error> {
            let template = self.templates.get_template(template)?;
            let mut bodies = Vec::new();
            for side in &whole.content.sides {
                let words = body::words(whole, side, rulebook.catalogue(&side.tag), dress);
                bodies.push(template.render(Value::from(Serde(words)))?);
            }
            Ok(bodies)
        };
        let texts = bodies(Dress::Text, "body.txt.j2")?;
        let text = self.templates.get_template("base.txt.j2")?;
        let text = text.render(context! { sides => texts, rule => RULE })?;
        let bodies = bodies(Dress::Html, "body.html.j2")?;
        let sides = whole.content.sides.iter().zip(bodies).map(|(side, body)| {
            let dir = if side.dir == Direction::Rtl { "rtl" } else { "ltr" };
            context! { lang => side.lang.as_str(), dir => dir, body => Value::from_safe_string(body) }
        });
        let html = self.templates.get_template("base.html.j2")?;
        let html = html.render(context! {
            sides => sides.collect::<Vec<_>>(),
            subject => subject,
            preview => preview(whole, rulebook),
        })?;
        Ok((text, html))
    }
}

/// What a list of messages shows after the subject, in both languages.
fn preview(whole: &Whole<'_>, rulebook: &Rulebook) -> String {
    let key = match whole.agenda {
        Some(agenda) if agenda.standing == Standing::Kept => "mail.preview",
        Some(_) => "mail.attached.letter",
        None => "mail.attached.contract",
    };
    let say = |tag: &str, values| rulebook.catalogue(tag).say(key, values).plain();
    let lines = whole.content.sides.iter().map(|side| say(&side.tag, &side.values));
    lines.collect::<Vec<_>>().join(" ")
}

/// What a calendar's entry says, in both languages. Others may look at it, so it names the office and
/// how to reach it, not the step.
fn entry(whole: &Whole<'_>, rulebook: &Rulebook) -> String {
    let side = |side: &Side| {
        let say = |key| rulebook.catalogue(&side.tag).say(key, &side.values).plain();
        let data = ["office_name", "office_phone", "office_email"];
        let data = data.map(|name| plain(&side.values, name)).join("\n");
        format!("{}\n{data}\n{}", say(whole.subject), say("mail.attached.letter"))
    };
    whole.content.sides.iter().map(side).collect::<Vec<_>>().join("\n\n")
}

/// The file's name, without a person's.
fn file_stem(document: &Document) -> String {
    let kind = if document.step().is_some() { "convocation" } else { "contrat" };
    format!("{kind}-{}-{}", document.reference(), document.language())
}

fn plain(values: &Values, name: &str) -> String {
    values.get(name).map(|it| it.plain()).unwrap_or_default()
}

fn part(kind: ContentType, language: Language, text: String) -> SinglePart {
    SinglePart::builder().header(kind).header(language).body(text)
}

fn calendar_type(method: &str) -> ContentType {
    ContentType::parse(&format!("text/calendar; charset=utf-8; method={method}"))
        .unwrap_or(ContentType::TEXT_PLAIN)
}
