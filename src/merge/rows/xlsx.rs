//! XLSX: one sheet, cell after cell; formulas, merged cells and a bomb are refused.

use std::fs::File;
use std::io::{BufReader, Read, Seek, sink};

use calamine::{DataRef, ExcelDateTime, Reader, SheetType, SheetVisible, Xlsx, XlsxError};
use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

use super::{Cell, MAX_COLUMNS, MAX_UNPACKED, Record, refused};
use crate::merge::{Finding, MergeError, letters};

type Workbook = Xlsx<BufReader<File>>;

/// Reads the records of a workbook; answers what it was taken for.
pub(super) fn read(
    file: File,
    wanted: Option<&str>,
    take: &mut dyn FnMut(Record) -> Result<bool, MergeError>,
) -> Result<String, MergeError> {
    let file = within_bounds(file)?;
    let mut workbook = Workbook::new(BufReader::new(file)).map_err(error)?;
    let name = sheet(&mut workbook, wanted)?;
    let merged = workbook.merge_cells_by_sheet_name(&name).map_err(error)?;
    if let Some(range) = merged.first() {
        let ((row, column), (last_row, last_column)) = (range.start, range.end);
        let corner = |row: u32, column: u32| format!("{}{}", letters(column as usize), row + 1);
        let values = [
            ("range", format!("{}:{}", corner(row, column), corner(last_row, last_column))),
            ("count", merged.len().to_string()),
        ];
        let finding = Finding::new(
            Some(u64::from(row) + 1),
            crate::document::Severity::Error,
            "rows.merged_cells",
            values,
        );
        return Err(MergeError::Refused(Box::new(finding.at(column as usize, ""))));
    }
    records(&mut workbook, &name, take)?;
    Ok(format!("XLSX, « {name} »"))
}

fn records(
    workbook: &mut Workbook,
    sheet: &str,
    take: &mut dyn FnMut(Record) -> Result<bool, MergeError>,
) -> Result<(), MergeError> {
    let is_1904 = workbook.has_1904_epoch();
    let mut reader = workbook.worksheet_cells_reader(sheet).map_err(error)?;
    let mut record = Record { number: 1, cells: Vec::new() };
    while let Some(it) = reader.next_cell_with_formula_metadata().map_err(error)? {
        let (row, column) = (u64::from(it.pos.0) + 1, it.pos.1 as usize);
        let cell = match it.formula {
            Some(_) => Cell::Formula(show(&it.value)),
            None => cell(&it.value, is_1904),
        };
        if cell == Cell::Empty {
            continue;
        }
        if column >= 10 * MAX_COLUMNS {
            let values = [("count", (column + 1).to_string()), ("limit", MAX_COLUMNS.to_string())];
            return Err(refused(Some(row), "rows.too_many_columns", values));
        }
        if row != record.number {
            let whole = std::mem::replace(&mut record, Record { number: row, cells: Vec::new() });
            if !take(whole)? {
                return Ok(());
            }
        }
        if record.cells.len() <= column {
            record.cells.resize(column + 1, Cell::Empty);
        }
        record.cells[column] = cell;
    }
    take(record).map(|_| ())
}

/// The sheet asked for, or the only one that has anything in it.
fn sheet(workbook: &mut Workbook, wanted: Option<&str>) -> Result<String, MergeError> {
    let sheets = workbook.sheets_metadata().to_vec();
    let shown = sheets
        .into_iter()
        .filter(|it| it.typ == SheetType::WorkSheet && it.visible == SheetVisible::Visible);
    let names: Vec<String> = shown.map(|it| it.name).collect();
    if let Some(wanted) = wanted {
        return match names.iter().find(|it| *it == wanted) {
            Some(name) => Ok(name.clone()),
            None => {
                let values = [("sheet", wanted.to_owned()), ("names", names.join(", "))];
                Err(refused(None, "rows.no_sheet", values))
            }
        };
    }
    let mut filled = Vec::new();
    for name in names {
        let mut reader = workbook.worksheet_cells_reader(&name).map_err(error)?;
        let mut found = false;
        while let Some(cell) = reader.next_cell().map_err(error)? {
            if *cell.get_value() != DataRef::Empty {
                found = true;
                break;
            }
        }
        if found {
            filled.push(name);
        }
    }
    match filled.as_slice() {
        [] => Err(refused(None, "rows.empty", [])),
        [only] => Ok(only.clone()),
        several => Err(refused(None, "rows.several_sheets", [("names", several.join(", "))])),
    }
}

fn cell(value: &DataRef<'_>, is_1904: bool) -> Cell {
    match value {
        DataRef::Empty => Cell::Empty,
        DataRef::Int(number) => Cell::Number(*number as f64),
        DataRef::Float(number) => Cell::Number(*number),
        DataRef::String(text) => Cell::Text(text.clone()),
        DataRef::SharedString(text) => Cell::Text((*text).to_owned()),
        DataRef::Bool(truth) => Cell::Truth(*truth),
        DataRef::DateTime(moment) => moment_of(moment, is_1904),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => iso(text),
        DataRef::Error(fault) => Cell::Fault(fault.to_string()),
    }
}

/// What a formula gave last.
fn show(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Empty => "…".to_owned(),
        DataRef::Error(fault) => fault.to_string(),
        value => cell(value, false).show(),
    }
}

/// A date, or a time of day. Seconds are rounded: a spreadsheet keeps times as fractions of a day.
fn moment_of(moment: &ExcelDateTime, is_1904: bool) -> Cell {
    let days = moment.as_f64();
    let seconds = ((days.fract() * 86_400.0).round() as u32).min(86_399);
    let time = NaiveTime::from_num_seconds_from_midnight_opt(seconds, 0).unwrap_or_default();
    if (0.0..1.0).contains(&days) && !is_1904 {
        return Cell::Clock(time);
    }
    let (year, month, day, ..) = moment.to_ymd_hms_milli();
    match NaiveDate::from_ymd_opt(year.into(), month.into(), day.into()) {
        Some(date) => Cell::Moment(date.and_time(time)),
        None => Cell::Number(days),
    }
}

fn iso(text: &str) -> Cell {
    let moment = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S");
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|it| it.and_time(NaiveTime::MIN));
    match moment.or(date) {
        Ok(moment) => Cell::Moment(moment),
        Err(_) => Cell::Text(text.to_owned()),
    }
}

/// Unpacks everything once into nothing, counting: what a header says about its size is not believed.
fn within_bounds(file: File) -> Result<File, MergeError> {
    let truncated = |detail: String| refused(None, "rows.truncated", [("detail", detail)]);
    let mut archive =
        zip::ZipArchive::new(BufReader::new(file)).map_err(|it| truncated(it.to_string()))?;
    // Sheets are read as a stream; strings and styles are held in memory, so they get less.
    let (mut sheets, mut rest) = (MAX_UNPACKED, MAX_UNPACKED / 4);
    for index in 0..archive.len() {
        let mut part = archive.by_index(index).map_err(|it| truncated(it.to_string()))?;
        let is_sheet = part.name().is_ok_and(|it| it.starts_with("xl/worksheets/"));
        let left = if is_sheet { &mut sheets } else { &mut rest };
        let read = std::io::copy(&mut part.by_ref().take(*left + 1), &mut sink());
        let read = read.map_err(|it| truncated(it.to_string()))?;
        *left = left.checked_sub(read).ok_or_else(|| {
            refused(None, "rows.too_big", [("limit", (MAX_UNPACKED / 1_000_000).to_string())])
        })?;
    }
    let mut file = archive.into_inner().into_inner();
    file.rewind()?;
    Ok(file)
}

fn error(error: XlsxError) -> MergeError {
    match error {
        XlsxError::Io(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => error.into(),
        XlsxError::Password => refused(None, "rows.format", [("form", "password".to_owned())]),
        error => refused(None, "rows.truncated", [("detail", error.to_string())]),
    }
}
