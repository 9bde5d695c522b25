//! JSON lines: each line the data of a letter as the API takes it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

use serde_json::Value;

use super::columns::{Columns, Header};
use super::encoding::limit;
use super::input::defaults;
use super::{MAX_RECORD, MAX_ROWS, Reading, Row, RowOptions, Sink, refused};
use crate::merge::MergeError;

/// Reads the lines of a file.
pub(super) fn read(
    file: File,
    columns: &Columns,
    options: &RowOptions,
    reading: &mut Reading,
    sink: &mut Sink<'_>,
) -> Result<(), MergeError> {
    let mut reader = BufReader::new(file);
    let defaults = defaults(columns, options)?;
    let header = Arc::new(Header::default());
    "JSON, UTF-8".clone_into(&mut reading.form);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if reader.by_ref().take(MAX_RECORD + 1).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.len() as u64 > MAX_RECORD {
            return Err(refused(Some(number), "rows.line_too_long", limit()));
        }
        let text = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&line).trim_ascii();
        if text.is_empty() {
            reading.blank += 1;
            continue;
        }
        reading.rows += 1;
        if reading.rows > MAX_ROWS {
            let values = [("limit", MAX_ROWS.to_string())];
            return Err(refused(Some(number), "rows.too_many_rows", values));
        }
        let input = completed(text, &defaults, options);
        let header = Arc::clone(&header);
        let row = Row {
            number,
            header,
            cells: Vec::new(),
            input,
            origins: Vec::new(),
            findings: Vec::new(),
        };
        if !sink(row) {
            break;
        }
    }
    Ok(())
}

/// The line with what it leaves out and the options say. What the line has is not touched, so that
/// the check sees it as it was written, a key that stands twice included.
fn completed(line: &[u8], defaults: &[(String, Value)], options: &RowOptions) -> Vec<u8> {
    let Ok(value @ Value::Object(_)) = serde_json::from_slice::<Value>(line) else {
        return line.to_vec();
    };
    if value.get("kind").is_some_and(|it| it != "convocation") {
        return line.to_vec();
    }
    let mut added: Vec<(&str, Value)> = Vec::new();
    for (pointer, default) in defaults {
        let name = pointer.trim_start_matches('/');
        let absent = !name.contains('/') && value.get(name).is_none();
        if absent && added.iter().all(|(it, _)| *it != name) {
            added.push((name, default.clone()));
        }
    }
    let posted = options
        .posted_on
        .filter(|_| value.pointer("/applicant/email").is_none() && value.get("sent_on").is_none());
    added.extend(posted.map(|it| ("sent_on", it.to_string().into())));
    let mut text = b"{".to_vec();
    for (name, value) in &added {
        text.extend(format!("{}:{value},", Value::from(*name)).into_bytes());
    }
    let rest = line[1..].trim_ascii_start();
    if rest == b"}" {
        text.pop(); // nothing follows the last comma
    }
    text.extend_from_slice(rest);
    text
}
