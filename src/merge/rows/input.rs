//! From the cells of a record to the data of a letter.
//!
//! Records in, [`Row`]s out: the first record with a value is the header; each further one becomes
//! JSON, and every part of it remembers its column.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::columns::{Columns, Header, fold};
use super::values::{Doubt, value};
use super::{Cell, MAX_ROWS, Reading, Record, Row, RowOptions, Sink, refused};
use crate::document::{Problem, Severity};
use crate::merge::{Finding, MergeError};

/// Makes rows of records.
pub(crate) struct Forms<'a, 'b> {
    columns: &'a Columns,
    options: &'a RowOptions,
    sink: &'a mut Sink<'b>,
    header: Option<Arc<Header>>,
    /// Pointer and value of what the file leaves out, read like cells.
    defaults: Vec<(String, Value)>,
    rows: u64,
    blank: u64,
}

impl<'a, 'b> Forms<'a, 'b> {
    pub(crate) fn new(
        columns: &'a Columns,
        options: &'a RowOptions,
        sink: &'a mut Sink<'b>,
    ) -> Self {
        Self { columns, options, sink, header: None, defaults: Vec::new(), rows: 0, blank: 0 }
    }

    /// Takes a record; answers whether more is wanted.
    pub(crate) fn take(&mut self, record: Record) -> Result<bool, MergeError> {
        if record.cells.iter().all(Cell::is_blank) {
            self.blank += u64::from(self.header.is_some());
            return Ok(true);
        }
        let Some(header) = self.header.clone() else {
            let mut names: Vec<String> =
                record.cells.iter().map(|it| it.show().trim().to_owned()).collect();
            while names.last().is_some_and(String::is_empty) {
                names.pop();
            }
            self.header =
                Some(Arc::new(self.columns.header(record.number, names, self.options)?));
            self.defaults = defaults(self.columns, self.options)?;
            return Ok(true);
        };
        self.rows += 1;
        if self.rows > MAX_ROWS {
            let values = [("limit", MAX_ROWS.to_string())];
            return Err(refused(Some(record.number), "rows.too_many_rows", values));
        }
        let row = self.row(header, record);
        Ok((self.sink)(row))
    }

    /// Notes how the file was read.
    pub(crate) fn end(self, reading: &mut Reading) -> Result<(), MergeError> {
        let header = self.header.ok_or_else(|| refused(None, "rows.empty", []))?;
        reading.rows = self.rows;
        reading.blank = self.blank;
        let names = header.names.iter().zip(&header.slots);
        reading.ignored = names
            .filter(|(name, slot)| slot.is_none() && !name.is_empty())
            .map(|(it, _)| it.clone())
            .collect();
        Ok(())
    }

    fn row(&self, header: Arc<Header>, record: Record) -> Row {
        let number = record.number;
        let cells: Vec<String> = record.cells.iter().map(Cell::show).collect();
        let mut draft = Draft::default();
        let mut findings = Vec::new();
        let whole = |code, values: [(&'static str, String); 0]| {
            Finding::new(Some(number), Severity::Error, code, values)
        };
        let same = |(cell, name): (&String, &String)| fold(cell) == fold(name);
        if cells.len() >= header.names.len() && cells.iter().zip(&header.names).all(same) {
            findings.push(whole("rows.header_again", []));
        } else if self.is_total(&header, &record) {
            findings.push(whole("rows.total", []));
        } else {
            if let Some(at) =
                (header.names.len()..cells.len()).find(|it| !record.cells[*it].is_blank())
            {
                findings.push(whole("rows.more_cells", []).at(at, ""));
            }
            self.fill(&header, &record, &mut draft, &mut findings);
            for (pointer, value) in &self.defaults {
                draft.put_default(pointer, value.clone());
            }
            self.post(&mut draft);
        }
        let input = draft.object.to_string().into_bytes();
        Row { number, header, cells, input, origins: draft.origins, findings }
    }

    fn fill(
        &self,
        header: &Header,
        record: &Record,
        draft: &mut Draft,
        findings: &mut Vec<Finding>,
    ) {
        for (index, slot) in header.slots.iter().enumerate() {
            let (Some(slot), Some(cell)) = (*slot, record.cells.get(index)) else { continue };
            if cell.is_blank() {
                continue;
            }
            let pointer = self.columns.pointer(slot);
            match value(&self.columns.columns[slot.0], cell, self.columns) {
                Ok(value) => {
                    draft.put(&pointer, value, index);
                }
                Err(doubt) => {
                    let restored =
                        self.options.restore_zeros && doubt.severity == Severity::Practice;
                    let place = match doubt.meant.clone().filter(|_| restored) {
                        Some(meant) => draft.put(&pointer, meant, index),
                        None => draft.claim(&pointer, index),
                    };
                    let mut finding = found(doubt, record.number, place);
                    if restored {
                        finding.problem.code = "rows.zero_restored";
                        finding.problem.severity = Severity::Warning;
                    }
                    findings.push(finding.at(index, &header.names[index]));
                }
            }
        }
    }

    /// A line whose first value is the word of a total, and which has hardly any other.
    fn is_total(&self, header: &Header, record: &Record) -> bool {
        let mut filled = record.cells.iter().filter(|it| !it.is_blank());
        let first = filled.next().map(Cell::show).unwrap_or_default();
        self.columns.is_total(&first) && filled.count() < header.names.len().div_ceil(2)
    }

    /// A letter that goes by post bears the day it is posted.
    fn post(&self, draft: &mut Draft) {
        let Some(day) = self.options.posted_on else { return };
        if draft.object.pointer("/applicant/email").is_none()
            && draft.object.get("sent_on").is_none()
        {
            draft.put_default("/sent_on", json!(day.to_string()));
        }
    }
}

fn found(doubt: Doubt, row: u64, pointer: String) -> Finding {
    let Doubt { code, severity, values, .. } = doubt;
    let problem = Problem { code, severity, pointer, values };
    Finding { row: Some(row), column: None, header: String::new(), problem }
}

/// What rows get that do not say it: a letter of the only regime, first of its kind, and what the
/// options add.
pub(super) fn defaults(
    columns: &Columns,
    options: &RowOptions,
) -> Result<Vec<(String, Value)>, MergeError> {
    let mut all = Vec::new();
    for (header, text) in &options.defaults {
        let Some(slot) = columns.find(header) else {
            let values =
                [("header", header.clone()), ("nearest", String::new()), ("others", String::new())];
            return Err(refused(None, "rows.unknown_column", values));
        };
        let cell = Cell::Text(text.clone());
        let read = value(&columns.columns[slot.0], &cell, columns).map_err(|doubt| {
            let finding = found(doubt, 0, columns.pointer(slot));
            MergeError::Refused(Box::new(Finding { row: None, header: header.clone(), ..finding }))
        })?;
        all.push((columns.pointer(slot), read));
    }
    all.push(("/kind".to_owned(), json!("convocation")));
    all.push(("/notice".to_owned(), json!("first")));
    all.extend(columns.regime.iter().map(|it| ("/regime".to_owned(), json!(it))));
    Ok(all)
}

/// The data of a letter while it is put together.
struct Draft {
    object: Value,
    origins: Vec<(String, usize)>,
    /// Where the entries of arrays ended up: `/a/lines/2` -> `/a/lines/1` where line 1 is empty.
    places: Vec<(String, String)>,
}

impl Default for Draft {
    fn default() -> Self {
        Self { object: json!({}), origins: Vec::new(), places: Vec::new() }
    }
}

impl Draft {
    fn put(&mut self, pointer: &str, value: Value, column: usize) -> String {
        let pointer = self.claim(pointer, column);
        insert(&mut self.object, &pointer, value);
        pointer
    }

    /// Notes which column a place belongs to, also where its cell cannot be read.
    fn claim(&mut self, pointer: &str, column: usize) -> String {
        let pointer = self.place(pointer);
        self.origins.push((pointer.clone(), column));
        pointer
    }

    fn put_default(&mut self, pointer: &str, value: Value) {
        let known = self.origins.iter().any(|(it, _)| it == pointer);
        if !known && self.object.pointer(pointer).is_none() {
            insert(&mut self.object, pointer, value);
        }
    }

    /// An array has no gaps: its entries move up in the order of the columns.
    fn place(&mut self, pointer: &str) -> String {
        let number =
            pointer.split('/').position(|it| it.len() == 1 && it.as_bytes()[0].is_ascii_digit());
        let Some(number) = number else { return pointer.to_owned() };
        let parts: Vec<&str> = pointer.split('/').collect();
        let (stem, rest) = (parts[..number].join("/"), parts[number + 1..].join("/"));
        let entry = format!("{stem}/{}", parts[number]);
        let known = self.places.iter().find(|(it, _)| *it == entry).map(|(_, place)| place.clone());
        let place = known.unwrap_or_else(|| {
            let inner = format!("{stem}/");
            let taken = self.places.iter().filter(|(it, _)| it.starts_with(&inner)).count();
            let place = format!("{stem}/{taken}");
            self.places.push((entry, place.clone()));
            place
        });
        if rest.is_empty() { place } else { format!("{place}/{rest}") }
    }
}

/// Puts a value at a pointer; objects and arrays on the way are made.
fn insert(object: &mut Value, pointer: &str, value: Value) {
    let parts: Vec<&str> = pointer.split('/').skip(1).collect();
    let mut here = object;
    for (index, part) in parts.iter().enumerate() {
        let last = index + 1 == parts.len();
        let next_is_entry = parts.get(index + 1).is_some_and(|it| it.parse::<usize>().is_ok());
        let fresh = || if next_is_entry { json!([]) } else { Value::Object(Map::new()) };
        here = match here {
            Value::Array(items) => {
                let at = part.parse::<usize>().unwrap_or(items.len()).min(items.len());
                if at == items.len() {
                    items.push(if last { Value::Null } else { fresh() });
                }
                &mut items[at]
            }
            Value::Object(entries) => entries
                .entry((*part).to_owned())
                .or_insert_with(|| if last { Value::Null } else { fresh() }),
            _ => return,
        };
    }
    *here = value;
}
