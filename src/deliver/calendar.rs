//! The appointment as an iCalendar object (RFC 5545, RFC 5546): one event a session.
//!
//! Times are in UTC, so that no reader needs a time zone definition; the letter says the local time.
//! An event keeps its UID through all letters about the same appointment, and a later letter raises
//! SEQUENCE: so a calendar moves the entry that it has. The same input gives the same bytes.

use std::fmt::Write;

use chrono::{DateTime, Utc};

use crate::document::{Agenda, Standing};

/// The most octets of a content line, without its end (RFC 5545, 3.1).
const LINE: usize = 75;

/// What stands in a calendar beside the sessions.
#[derive(Debug)]
pub(super) struct Event<'a> {
    /// A title that tells neither health nor status.
    pub(super) summary: &'a str,
    /// What one reads when one opens the entry.
    pub(super) description: &'a str,
    /// The number of the first letter about this appointment.
    pub(super) first: &'a str,
    /// How many letters have changed it since.
    pub(super) sequence: u32,
    /// The sessions that letters before this one named.
    pub(super) earlier: &'a [(DateTime<Utc>, DateTime<Utc>)],
    /// The domain that makes UIDs unique in the world.
    pub(super) domain: &'a str,
    /// The office by name and mailbox.
    pub(super) organizer: (&'a str, &'a str),
}

/// The method and the text of the object; nothing when there is no session to come or to cancel.
///
/// A cancelled appointment of one session is METHOD:CANCEL. All events of such an object must share
/// one UID (RFC 5546, 3.2.5), which several sessions do not: these are published as STATUS:CANCELLED
/// (3.2.1), which calendars read alike. So are the sessions that an earlier letter had and this one has not.
pub(super) fn object(
    agenda: &Agenda,
    event: &Event<'_>,
    at: DateTime<Utc>,
) -> Option<(&'static str, String)> {
    if agenda.sessions.is_empty() || agenda.standing == Standing::Past {
        return None;
    }
    let cancelled = agenda.standing == Standing::Cancelled;
    let dropped = event.earlier.get(agenda.sessions.len()..).unwrap_or_default();
    let sessions = agenda.sessions.iter().map(|it| (it, cancelled));
    let sessions: Vec<_> = sessions.chain(dropped.iter().map(|it| (it, true))).collect();
    let method = if cancelled && sessions.len() == 1 { "CANCEL" } else { "PUBLISH" };
    let mut text = String::new();
    for line in [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Paraphe//Paraphe//FR",
        "CALSCALE:GREGORIAN",
        &format!("METHOD:{method}"),
    ] {
        fold(line, &mut text);
    }
    let (name, mailbox) = event.organizer;
    for (number, ((start, end), cancelled)) in sessions.into_iter().enumerate() {
        let status = if cancelled { "CANCELLED" } else { "CONFIRMED" };
        let mut lines = vec![
            "BEGIN:VEVENT".to_owned(),
            format!("UID:{}-{}@{}", event.first, number + 1, event.domain),
            format!("SEQUENCE:{}", event.sequence),
            format!("DTSTAMP:{}", utc(at)),
            format!("DTSTART:{}", utc(*start)),
            format!("DTEND:{}", utc(*end)),
            format!("SUMMARY:{}", escape(event.summary)),
            format!("LOCATION:{}", escape(&agenda.place)),
            format!("DESCRIPTION:{}", escape(event.description)),
            format!("ORGANIZER;CN=\"{}\":mailto:{mailbox}", name.replace('"', "'")),
            format!("STATUS:{status}"),
            "CLASS:PRIVATE".to_owned(),
            "TRANSP:OPAQUE".to_owned(),
        ];
        lines.extend(agenda.coordinates.map(|(north, east)| format!("GEO:{north:.6};{east:.6}")));
        lines.push("END:VEVENT".to_owned());
        lines.iter().for_each(|line| fold(line, &mut text));
    }
    fold("END:VCALENDAR", &mut text);
    Some((method, text))
}

fn utc(at: DateTime<Utc>) -> String {
    at.format("%Y%m%dT%H%M%SZ").to_string()
}

/// A text value (RFC 5545, 3.3.11).
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => escaped.extend(['\\', c]),
            '\n' => escaped.push_str("\\n"),
            '\r' => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// One content line, folded between characters (RFC 5545, 3.1).
fn fold(line: &str, text: &mut String) {
    let mut width = 0;
    for c in line.chars() {
        if width + c.len_utf8() > LINE {
            text.push_str("\r\n ");
            width = 1;
        }
        let _ = text.write_char(c);
        width += c.len_utf8();
    }
    text.push_str("\r\n");
}
