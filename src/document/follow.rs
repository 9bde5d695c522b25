//! The data of a letter that follows another: a reminder, a new date, a cancellation.
//!
//! A letter's data in, that of the next one out, for [`Document::check`](super::Document::check) like any
//! other.

use chrono::NaiveDate;
use serde_json::{Map, Value, json};

/// The longest number a document may have.
const LONGEST_REFERENCE: usize = 40;

/// The data of the letter with a `notice` and a number of its own that follows a letter issued on a day.
/// What belonged to the earlier letter alone is left out: its answer date, and what was accepted for it.
pub fn follow_up(
    mut letter: Map<String, Value>,
    issued_on: NaiveDate,
    notice: &str,
    reference: &str,
) -> Map<String, Value> {
    let sent_on = letter.remove("sent_on").unwrap_or_else(|| json!(issued_on));
    let earlier = letter.insert("reference".to_owned(), json!(reference));
    letter.insert("replaces".to_owned(), json!({ "reference": earlier, "date": sent_on }));
    letter.insert("notice".to_owned(), json!(notice));
    letter.remove("answer_by");
    letter.remove("accepted");
    letter
}

/// The number of a letter that follows one: `CV-7` gives `CV-7.M1` with the mark `M1`, and so does
/// `CV-7.R0323`, which follows it too. Of a number too long for that, the end, where numbers differ.
pub fn next_reference(reference: &str, mark: &str) -> String {
    let own = |it: &str| {
        let digits = it.trim_start_matches(['R', 'M', 'A']);
        it.len() == digits.len() + 1
            && !digits.is_empty()
            && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let base = reference.rsplit_once('.').filter(|it| own(it.1)).map_or(reference, |it| it.0);
    let start = (base.len() + 1 + mark.len()).saturating_sub(LONGEST_REFERENCE);
    let kept = base[start..].trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    format!("{kept}.{mark}")
}
