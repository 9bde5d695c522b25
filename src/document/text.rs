//! Characters that have no place in a document: they hide, reorder or cut what a reader sees.

use serde_json::Value;

use super::problem::Report;

/// Control characters (Unicode Cc), bidirectional controls (UAX #9, table 4), line and paragraph
/// separators, and code points that are no characters.
pub(crate) fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
            | '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFF}' | '\u{E0000}'..='\u{E007F}')
        || (c as u32 & 0xFFFE) == 0xFFFE
}

/// The field that takes another script than the Latin one.
pub(crate) const OWN_SCRIPT: &str = "/native_name";

/// U+200C and U+200D, with which Persian and the scripts of India spell.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}')
}

/// Characters that data must not hold: those above, and any other that is there without being seen
/// (Unicode Cf and U+034F). Joiners have no place among Latin letters.
fn is_hidden(c: char) -> bool {
    is_control(c)
        || matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{600}'..='\u{605}' | '\u{6DD}' | '\u{70F}' | '\u{180E}'
            | '\u{200B}'..='\u{200D}' | '\u{2060}'..='\u{206F}')
}

/// Walks all strings of a value with their pointers.
pub(crate) fn each_string(value: &Value, pointer: &str, visit: &mut impl FnMut(&str, &str)) {
    match value {
        Value::String(text) => visit(pointer, text),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                each_string(item, &format!("{pointer}/{index}"), visit);
            }
        }
        Value::Object(entries) => {
            for (key, item) in entries {
                let key = key.replace('~', "~0").replace('/', "~1");
                each_string(item, &format!("{pointer}/{key}"), visit);
            }
        }
        _ => {}
    }
}

/// Strings are free of control characters, do not begin or end with space, and are not blank.
pub(crate) fn check(value: &Value, report: &mut Report) {
    each_string(value, "", &mut |pointer, text| {
        let joined = pointer.ends_with(OWN_SCRIPT);
        if let Some(c) = text.chars().find(|c| is_hidden(*c) && !(joined && is_joiner(*c))) {
            report.error("text.control", pointer, [("character", format!("U+{:04X}", c as u32))]);
        } else if text.trim() != text {
            report.error("text.space", pointer, []);
        }
    });
}

/// Every string in Unicode normal form C, as fonts and comparisons want it, and every whole number
/// without a fraction.
pub(crate) fn normalise(value: &mut Value) {
    use unicode_normalization::UnicodeNormalization;
    match value {
        Value::String(text) => *text = text.nfc().collect(),
        Value::Number(number) => {
            // JSON Schema takes 240.0 for an integer; so do we.
            let whole = number.as_f64().filter(|it| number.is_f64() && it.fract() == 0.0);
            if let Some(whole) = whole.filter(|it| it.abs() < 1e15) {
                *value = Value::from(whole as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(normalise),
        Value::Object(entries) => entries.values_mut().for_each(normalise),
        _ => {}
    }
}
