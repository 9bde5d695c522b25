//! A file of rows to begin with: every column, and an example whose dates lie ahead.
//!
//! The example of `schema convocation --example` in, the same as a row of CSV or a workbook out.

use chrono::{NaiveDate, NaiveTime};
use rust_xlsxwriter::{Format, FormatBorder, Workbook};
use serde_json::Value;

use super::MergeError;
use super::rows::Cell;
use super::rows::columns::{Column, Columns, Kind};
use super::workbook::{field, note, write};

/// CSV as Excel in France opens it: semicolons, UTF-8 with its mark.
pub fn csv(columns: &Columns, example: &Value) -> String {
    let line = |cells: Vec<String>| cells.iter().map(|it| field(it)).collect::<Vec<_>>().join(";");
    let cells = cells(columns, example);
    let names = line(cells.iter().map(|(_, name, _)| name.clone()).collect());
    let values = line(cells.iter().map(|(_, _, cell)| cell.show()).collect());
    format!("\u{feff}{names}\n{values}\n")
}

/// A workbook of one sheet; a note on each header says how the column is written.
pub fn xlsx(columns: &Columns, example: &Value) -> Result<Vec<u8>, MergeError> {
    const ROWS: u32 = 2_000;
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.set_name("Convocations")?;
    sheet.set_freeze_panes(1, 0)?;
    let heading = Format::new().set_bold().set_border_bottom(FormatBorder::Thin);
    for (place, (column, name, cell)) in cells(columns, example).iter().enumerate() {
        write(sheet, (0, place), &Cell::Text(name.clone()), heading.clone())?;
        note(sheet, (0, place), &hint(columns, column))?;
        write(sheet, (1, place), cell, Format::new())?;
        // Empty cells that are texts stay texts: 01000 keeps its zero.
        let text = !matches!(column.kind, Kind::Date | Kind::Time | Kind::Integer);
        for row in
            (2..ROWS).filter(|_| text && matches!(column.kind, Kind::Digits | Kind::Postcode))
        {
            write(sheet, (row, place), &Cell::Empty, Format::new().set_num_format("@"))?;
        }
    }
    sheet.set_autofit_max_width(260);
    sheet.autofit();
    Ok(workbook.save_to_buffer()?)
}

/// Each column with its header and the example's value; two lines of the address, one session.
fn cells<'a>(columns: &'a Columns, example: &Value) -> Vec<(&'a Column, String, Cell)> {
    let shown = |column: &Column| if column.at.contains("address/lines") { 2 } else { 1 };
    let places = columns.columns.iter().flat_map(|it| (0..shown(it)).map(move |n| (it, n)));
    places
        .map(|(column, n)| {
            let value = example.pointer(&column.at.replace("{n}", &n.to_string()));
            let cell = value.map_or(Cell::Empty, |it| cell(columns, column, it));
            (column, column.header(n), cell)
        })
        .collect()
}

/// A value of the wire as a person writes it in a table.
fn cell(columns: &Columns, column: &Column, value: &Value) -> Cell {
    let label = |it: &str| columns.label(&column.list, it).to_owned();
    match (column.kind, value) {
        (_, Value::Bool(truth)) => Cell::Text(if *truth { "oui" } else { "non" }.to_owned()),
        (_, Value::Number(number)) => Cell::Number(number.as_f64().unwrap_or_default()),
        (_, Value::Array(items)) => {
            let labels = items.iter().filter_map(Value::as_str).map(label);
            Cell::Text(labels.collect::<Vec<_>>().join(", "))
        }
        (Kind::Date | Kind::PartialDate, Value::String(text)) => match text.parse::<NaiveDate>() {
            Ok(date) => Cell::Moment(date.and_time(NaiveTime::MIN)),
            Err(_) => Cell::Text(text.clone()),
        },
        (Kind::Time, Value::String(text)) => match NaiveTime::parse_from_str(text, "%H:%M") {
            Ok(time) => Cell::Clock(time),
            Err(_) => Cell::Text(text.clone()),
        },
        (Kind::Choice, Value::String(text)) => Cell::Text(label(text)),
        (_, Value::String(text)) => Cell::Text(text.clone()),
        _ => Cell::Empty,
    }
}

/// How a column is written, for the note on its header.
fn hint(columns: &Columns, column: &Column) -> String {
    let form = match column.kind {
        Kind::Text => "Texte.".to_owned(),
        Kind::Integer => "Nombre entier.".to_owned(),
        Kind::Digits => "Chiffres ; colonne au format Texte.".to_owned(),
        Kind::Postcode => "Cinq chiffres ; colonne au format Texte.".to_owned(),
        Kind::Date => "Date : 02/03/2026.".to_owned(),
        Kind::PartialDate => "Date, ou 04/1992, ou 1992 si le jour n’est pas connu.".to_owned(),
        Kind::Time => "Heure : 14h30.".to_owned(),
        Kind::YesNo => "oui ou non.".to_owned(),
        Kind::Choice => format!("Au choix : {}.", columns.labels(&column.list, "").0),
        Kind::Choices => format!("Un ou plusieurs : {}.", columns.labels(&column.list, "").0),
    };
    let others = column.headers[1..].join(", ");
    if others.is_empty() { form } else { format!("{form} Autres titres : {others}.") }
}
