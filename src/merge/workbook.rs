//! The same table back: cells at fault marked, a column that says what is wrong.
//!
//! The file of rows and its findings in, a file of the same form out. Every value stands where it
//! stood, so that the file is corrected in place and given in again as it is: the column of problems
//! is not read.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use rust_xlsxwriter::{Color, Format, FormatBorder, Note, Workbook, Worksheet, XlsxError};

use super::rows::columns::fold;
use super::rows::{Cell, Columns, Form, Record, RowOptions, records};
use super::{Finding, MergeError};
use crate::document::{Explanations, Severity};

/// The header of the column that says what is wrong.
pub const PROBLEMS: &str = "Problèmes";

/// A file that goes back, and how its name ends.
#[derive(Debug)]
pub struct Returned {
    /// The file.
    pub bytes: Vec<u8>,
    /// `xlsx` or `csv`.
    pub extension: &'static str,
}

/// Gives a table back with its findings; nothing for JSON lines, which have no columns.
///
/// `only`: the rows to give back, for the file of those that were passed over; all when nothing.
pub fn marked(
    file: File,
    columns: &Columns,
    options: &RowOptions,
    findings: &[Finding],
    only: Option<&dyn Fn(u64) -> bool>,
    said: (&Explanations, &str),
) -> Result<Option<Returned>, MergeError> {
    let notes = Notes::of(findings, said);
    let mut table = Table::default();
    let form = records(file, columns, options, &mut |record| {
        table.take(record, only);
        Ok(true)
    })?;
    Ok(match form {
        Form::Json => None,
        Form::Text => Some(Returned { bytes: table.csv(&notes), extension: "csv" }),
        Form::Xlsx => Some(Returned { bytes: table.xlsx(&notes)?, extension: "xlsx" }),
    })
}

/// What is said of each row, and which cells of it are at fault.
struct Notes {
    rows: BTreeMap<u64, Vec<String>>,
    cells: HashSet<(u64, usize)>,
}

impl Notes {
    fn of(findings: &[Finding], (explanations, language): (&Explanations, &str)) -> Self {
        let mut notes = Self { rows: BTreeMap::new(), cells: HashSet::new() };
        for it in findings {
            let Some(row) = it.row else { continue };
            let message = explanations.explain(&it.problem, language).message;
            let header =
                if it.header.is_empty() { String::new() } else { it.header.clone() + " : " };
            notes.rows.entry(row).or_default().push(header + &message);
            if it.problem.severity != Severity::Warning {
                notes.cells.extend(it.column.map(|column| (row, column)));
            }
        }
        notes
    }

    fn of_row(&self, row: u64) -> String {
        self.rows.get(&row).map(|it| it.join(" | ")).unwrap_or_default()
    }
}

/// The table as it stood.
#[derive(Default)]
struct Table {
    records: Vec<Record>,
    /// The column of problems: the one that is there, or the first after the last header.
    problems: usize,
}

impl Table {
    fn take(&mut self, record: Record, only: Option<&dyn Fn(u64) -> bool>) {
        if record.cells.iter().all(Cell::is_blank) {
            return;
        }
        if self.records.is_empty() {
            let known = record.cells.iter().position(|it| fold(&it.show()) == fold(PROBLEMS));
            self.problems = known.unwrap_or(record.cells.len());
        } else if only.is_some_and(|wanted| !wanted(record.number)) {
            return;
        }
        self.records.push(record);
    }

    /// CSV as Excel in France opens it: semicolons, UTF-8 with its mark. A line keeps its number.
    fn csv(&self, notes: &Notes) -> Vec<u8> {
        let mut text = String::from("\u{feff}");
        let mut line = 1;
        for (index, record) in self.records.iter().enumerate() {
            while line < record.number && self.records.len() > 1 && index > 0 {
                text.push('\n');
                line += 1;
            }
            let mut cells: Vec<String> = record.cells.iter().map(Cell::show).collect();
            cells.resize(cells.len().max(self.problems + 1), String::new());
            let own = if index == 0 { PROBLEMS.to_owned() } else { notes.of_row(record.number) };
            cells[self.problems] = own;
            let fields: Vec<String> = cells.iter().map(|it| field(it)).collect();
            let joined = fields.join(";");
            line += 1 + joined.matches('\n').count() as u64;
            text.push_str(&joined);
            text.push('\n');
        }
        text.into_bytes()
    }

    fn xlsx(&self, notes: &Notes) -> Result<Vec<u8>, XlsxError> {
        let mut workbook = Workbook::new();
        let sheet = workbook.add_worksheet();
        sheet.set_freeze_panes(1, 0)?;
        let faulty = Color::RGB(0x00FA_D9D5);
        for (index, record) in self.records.iter().enumerate() {
            // Rows keep their place; those of a shorter file move up.
            let row = u32::try_from(record.number.max(1) - 1).unwrap_or(u32::MAX);
            for (column, cell) in record.cells.iter().enumerate() {
                if column != self.problems {
                    let style = match (index, notes.cells.contains(&(record.number, column))) {
                        (0, _) => heading(),
                        (_, true) => Format::new().set_background_color(faulty),
                        _ => Format::new(),
                    };
                    write(sheet, (row, column), cell, style)?;
                }
            }
            let said = if index == 0 { PROBLEMS.to_owned() } else { notes.of_row(record.number) };
            if !said.is_empty() {
                let style = if index == 0 {
                    heading()
                } else {
                    Format::new().set_font_color(Color::RGB(0x00A0_1C10))
                };
                write(sheet, (row, self.problems), &Cell::Text(said), style)?;
            }
        }
        let place = u16::try_from(self.problems).unwrap_or(u16::MAX);
        sheet.set_autofit_max_width(260);
        sheet.autofit();
        sheet.set_column_width(place, 90)?;
        workbook.save_to_buffer()
    }
}

fn heading() -> Format {
    Format::new().set_bold().set_border_bottom(FormatBorder::Thin)
}

/// One field of a CSV file. A text that a spreadsheet would take for a formula gets an apostrophe.
pub(super) fn field(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([';', '"', '\n', '\r', ',', '\t']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// Writes a cell as what it is. Texts get the text format, so that no spreadsheet takes `01000` for a
/// number when somebody corrects it.
pub(super) fn write(
    sheet: &mut Worksheet,
    (row, column): (u32, usize),
    cell: &Cell,
    style: Format,
) -> Result<(), XlsxError> {
    let column = u16::try_from(column).unwrap_or(u16::MAX);
    match cell {
        Cell::Empty => sheet.write_blank(row, column, &style)?,
        Cell::Text(text) | Cell::Formula(text) | Cell::Fault(text) => {
            sheet.write_string_with_format(row, column, text, &style.set_num_format("@"))?
        }
        Cell::Number(number) => sheet.write_number_with_format(row, column, *number, &style)?,
        Cell::Truth(truth) => sheet.write_boolean_with_format(row, column, *truth, &style)?,
        Cell::Moment(moment) => {
            let whole = moment.time() == NaiveTime::MIN;
            let shape = if whole { "dd/mm/yyyy" } else { "dd/mm/yyyy hh:mm" };
            let style = style.set_num_format(shape);
            sheet.write_number_with_format(row, column, serial(*moment), &style)?
        }
        Cell::Clock(time) => {
            let style = style.set_num_format("hh:mm");
            sheet.write_number_with_format(row, column, fraction(*time), &style)?
        }
    };
    Ok(())
}

/// A note on a cell of a template: how the column is written.
pub(super) fn note(
    sheet: &mut Worksheet,
    (row, column): (u32, usize),
    text: &str,
) -> Result<(), XlsxError> {
    let column = u16::try_from(column).unwrap_or(u16::MAX);
    sheet.insert_note(row, column, &Note::new(text)).map(|_| ())
}

/// Days since 1899-12-30, as workbooks count.
fn serial(moment: NaiveDateTime) -> f64 {
    let day_0 = NaiveDate::from_ymd_opt(1899, 12, 30).unwrap_or_default();
    (moment.date() - day_0).num_days() as f64 + fraction(moment.time())
}

fn fraction(time: NaiveTime) -> f64 {
    f64::from(time.num_seconds_from_midnight()) / 86_400.0
}
