//! Which French a translation translates: the hash of every French sentence, pinned in the
//! translation's own file.

use sha2::{Digest, Sha256};

use super::catalogue::Catalogue;
use super::message::Message;

/// The first twelve hex digits of the SHA-256 of a French sentence.
pub(crate) fn hash(message: &Message) -> String {
    let digest = Sha256::digest(message.source());
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// The text of a catalogue file with its stamps renewed: every sentence now translates the French
/// of `french`.
///
/// The `[stamps]` section is the last of the file and is written by this function alone, so the
/// rest of the file, comments included, stays as its author wrote it.
pub fn stamp(text: &str, french: &Catalogue) -> String {
    let body = text.split("\n[stamps]\n").next().unwrap_or(text).trim_end();
    let mut stamped = format!("{body}\n\n[stamps]\n");
    for (key, message) in &french.messages {
        stamped.push_str(&format!("\"{key}\" = \"{}\"\n", hash(message)));
    }
    stamped
}

impl Catalogue {
    /// The keys whose French has changed since they were translated.
    pub fn stale<'a>(&'a self, french: &'a Self) -> impl Iterator<Item = &'a str> {
        french
            .messages
            .iter()
            .filter(|(key, message)| self.stamps.get(*key) != Some(&hash(message)))
            .map(|(key, _)| key.as_str())
    }
}
