//! The recipient's block, as the French postal norm wants it in the window of an envelope.
//!
//! AFNOR Z 10-011 as La Poste publishes it: at most six lines of 38 characters, capitals, no
//! punctuation. Accents are dropped in street and town, kept in the name.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::person::{Address, Civility};

/// The most lines a window shows.
pub(super) const MAX_LINES: usize = 6;
/// The most characters of a line.
pub(super) const MAX_CHARS: usize = 38;

/// Why an address does not fit the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PostalFault {
    /// The name takes more than two lines.
    Name,
    /// This line of the address is too long.
    Line(usize),
    /// The postcode and town are too long.
    Town,
    /// Name and address take more than six lines together.
    Lines(usize),
}

/// The lines of the recipient's block.
pub(crate) fn recipient(
    civility: Option<Civility>,
    name: &str,
    address: &Address,
) -> Result<Vec<String>, PostalFault> {
    let title = match civility {
        Some(Civility::Madame) => "Madame ",
        Some(Civility::Monsieur) => "Monsieur ",
        None => "",
    };
    let mut lines = split(&capitals(&format!("{title}{name}"))).ok_or(PostalFault::Name)?;
    for (index, line) in address.lines.iter().enumerate() {
        let line = plain_capitals(line);
        if line.chars().count() > MAX_CHARS {
            return Err(PostalFault::Line(index));
        }
        lines.push(line);
    }
    let town = plain_capitals(&format!("{} {}", address.postcode, address.town));
    if town.chars().count() > MAX_CHARS {
        return Err(PostalFault::Town);
    }
    lines.push(town);
    if lines.len() > MAX_LINES { Err(PostalFault::Lines(lines.len())) } else { Ok(lines) }
}

/// A name on one line, or on two split at a space.
fn split(name: &str) -> Option<Vec<String>> {
    let fits = |text: &str| text.chars().count() <= MAX_CHARS;
    if fits(name) {
        return Some(vec![name.to_owned()]);
    }
    name.match_indices(' ')
        .map(|(at, _)| (&name[..at], &name[at + 1..]))
        .rfind(|(first, second)| fits(first) && fits(second))
        .map(|(first, second)| vec![first.to_owned(), second.to_owned()])
}

/// Capitals, where a script has the habit of them: Georgian has the letters but not the habit.
fn capitals(text: &str) -> String {
    text.chars()
        .flat_map(|c| match c {
            '\u{10D0}'..='\u{10FF}' => vec![c],
            c => c.to_uppercase().collect(),
        })
        .collect()
}

/// Capitals without accents and punctuation.
fn plain_capitals(text: &str) -> String {
    let mut plain = String::new();
    for c in capitals(text).nfd().filter(|c| !is_combining_mark(*c)) {
        match c {
            'Œ' => plain.push_str("OE"),
            'Æ' => plain.push_str("AE"),
            'Ø' => plain.push('O'),
            'Ł' => plain.push('L'),
            'Đ' => plain.push('D'),
            ',' | ';' | ':' | '.' => {}
            '’' => plain.push('\''),
            c => plain.push(c),
        }
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}
