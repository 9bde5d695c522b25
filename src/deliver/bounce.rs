//! What servers write back: delivery status notifications and other bounces.
//!
//! The bytes of a received message in, what became of which delivery out. A delivery is known by the
//! ENVID it was sent with (its id, RFC 3464, 2.2.1) or by its Message-ID in the returned headers. A
//! message that is no report gives nothing: people answer, and machines are on holiday.

use mail_parser::{Message, MessageParser, MessagePart, MimeHeaders, PartType};
use uuid::Uuid;

/// What a report says about one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Which delivery.
    pub delivery: Uuid,
    /// What became of it.
    pub fate: Fate,
    /// The enhanced status code (RFC 3463), such as `5.1.1`; empty when the report names none.
    pub status: String,
    /// What the last server answered, on one line.
    pub diagnostic: String,
}

/// What became of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It lies in the mailbox.
    Delivered,
    /// It went on to a server that reports nothing more.
    Relayed,
    /// A server still tries.
    Delayed,
    /// It came back for good.
    Failed,
}

impl Report {
    /// Whether the address itself is at fault (RFC 3463, 3.2), so that no letter will ever reach it.
    pub fn blames_the_address(&self) -> bool {
        const DEAD: [&str; 6] = ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"];
        self.fate == Fate::Failed && DEAD.contains(&self.status.as_str())
    }
}

/// The longest diagnostic that is kept, in characters.
const DIAGNOSTIC: usize = 300;

/// Reads a received message; nothing when it is no report about a delivery of ours.
pub fn read(bytes: &[u8]) -> Option<Report> {
    let message = MessageParser::default().parse(bytes)?;
    let status = message.parts.iter().find(|it| is(it, "message", "delivery-status"));
    match status {
        Some(part) => standard(&message, &text(part, bytes)),
        None => other(&message, bytes),
    }
}

/// A report by the book (RFC 3464): groups of fields, the first about the message, one a recipient.
fn standard(message: &Message<'_>, text: &str) -> Option<Report> {
    let groups = groups(text);
    let field = |name: &str| {
        let mut fields = groups.iter().flatten();
        fields.find(|it| it.0 == name).map(|it| it.1.as_str())
    };
    let envelope = field("original-envelope-id").and_then(|it| it.trim().parse().ok());
    let delivery = envelope.or_else(|| returned(message))?;
    let fate = match field("action")?.trim().to_ascii_lowercase().as_str() {
        "delivered" | "expanded" => Fate::Delivered,
        "relayed" => Fate::Relayed,
        "delayed" => Fate::Delayed,
        "failed" => Fate::Failed,
        _ => return None,
    };
    let status = field("status").and_then(code).unwrap_or_default();
    let diagnostic = field("diagnostic-code").unwrap_or_default();
    let diagnostic = diagnostic.split_once(';').map_or(diagnostic, |it| it.1);
    Some(Report { delivery, fate, status, diagnostic: one_line(diagnostic) })
}

/// A bounce of its server's own making: the returned headers or the text name the letter.
fn other(message: &Message<'_>, bytes: &[u8]) -> Option<Report> {
    let from = message.from().and_then(|it| it.first()).and_then(|it| it.address());
    let local = from.and_then(|it| it.split('@').next()).unwrap_or_default().to_ascii_lowercase();
    let failed = message.header_raw("X-Failed-Recipients").is_some();
    let bounced = failed || ["mailer-daemon", "postmaster", "mdaemon"].contains(&local.as_str());
    // An automatic answer says who it is (RFC 3834, 5); holiday notes are none of ours.
    let replied = message
        .header_raw("Auto-Submitted")
        .is_some_and(|it| it.trim().to_ascii_lowercase().starts_with("auto-replied"));
    if !bounced || (replied && !failed) {
        return None;
    }
    let body: String = message.parts.iter().map(|it| text(it, bytes)).collect();
    let delivery = returned(message).or_else(|| mentioned(&body))?;
    let reason = body.lines().find(|line| code(line).is_some());
    Some(Report {
        delivery,
        fate: Fate::Failed,
        status: reason.and_then(code).unwrap_or_default(),
        diagnostic: one_line(reason.unwrap_or_default()),
    })
}

/// The delivery whose Message-ID stands in the returned message or its headers.
fn returned(message: &Message<'_>) -> Option<Uuid> {
    message.parts.iter().find_map(|part| match &part.body {
        PartType::Message(inner) => delivery(inner.message_id()?),
        _ if is(part, "text", "rfc822-headers") => {
            let text = part.text_contents()?;
            text.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("message-id").then(|| delivery(value))?
            })
        }
        _ => None,
    })
}

/// The delivery whose Message-ID a text quotes.
fn mentioned(text: &str) -> Option<Uuid> {
    text.lines().find_map(|line| {
        let at = line.to_ascii_lowercase().find("message-id:")?;
        delivery(&line[at + "message-id:".len()..])
    })
}

/// `<id@domain>`: the id is ours when it has the form of one.
fn delivery(message_id: &str) -> Option<Uuid> {
    let local = message_id.trim().trim_start_matches('<').split('@').next()?;
    local.parse().ok()
}

/// Groups of fields, one after an empty line; a field's later lines begin with space.
fn groups(text: &str) -> Vec<Vec<(String, String)>> {
    let mut groups: Vec<Vec<(String, String)>> = vec![Vec::new()];
    for line in text.lines() {
        if line.trim().is_empty() {
            groups.push(Vec::new());
            continue;
        }
        let Some(group) = groups.last_mut() else { continue };
        if let (true, Some(field)) = (line.starts_with([' ', '\t']), group.last_mut()) {
            field.1.push_str(line);
        } else if let Some((name, value)) = line.split_once(':') {
            group.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    groups
}

/// The first enhanced status code of a failure or delay in a line: `5.1.1`, `4.4.7`, `2.1.5`.
fn code(line: &str) -> Option<String> {
    line.split(|c: char| !c.is_ascii_digit() && c != '.').map(|it| it.trim_matches('.')).find_map(
        |word| {
            let parts: Vec<_> = word.split('.').collect();
            let [class, subject, detail] = parts.as_slice() else { return None };
            let short = |it: &str| (1..=3).contains(&it.len());
            (["2", "4", "5"].contains(class) && short(subject) && short(detail))
                .then(|| word.to_owned())
        },
    )
}

fn one_line(text: &str) -> String {
    let line = super::address::clean(text);
    line.chars().take(DIAGNOSTIC).collect()
}

fn is(part: &MessagePart<'_>, kind: &str, subtype: &str) -> bool {
    part.content_type().is_some_and(|it| {
        it.ctype().eq_ignore_ascii_case(kind)
            && it.subtype().is_some_and(|it| it.eq_ignore_ascii_case(subtype))
    })
}

/// The text of a part, whatever the parser takes it for.
fn text(part: &MessagePart<'_>, bytes: &[u8]) -> String {
    match &part.body {
        PartType::Text(text) | PartType::Html(text) => text.to_string(),
        PartType::Binary(raw) | PartType::InlineBinary(raw) => {
            String::from_utf8_lossy(raw).into_owned()
        }
        PartType::Message(_) => {
            let range = part.offset_body as usize..part.offset_end as usize;
            bytes.get(range).map(String::from_utf8_lossy).unwrap_or_default().into_owned()
        }
        PartType::Multipart(_) => String::new(),
    }
}
