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

/// The keys of a translation whose French has changed since they were translated.
pub(crate) fn stale(translation: &Catalogue, french: &Catalogue) -> Vec<String> {
    let pinned = |key: &String| translation.stamps.get(key);
    let changed = french.messages.iter().filter(|(key, it)| pinned(key) != Some(&hash(it)));
    changed.map(|(key, _)| key.clone()).collect()
}
