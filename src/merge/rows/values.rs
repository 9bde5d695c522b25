//! The value of a cell: how people in France write it, what a spreadsheet made of it.
//!
//! Cell and kind in, JSON value out. What has two readings is refused, and so is what a spreadsheet
//! has lost; what it has only dressed differently (an exact number, a date) is undone.

use chrono::{Datelike, NaiveDate, NaiveTime, Timelike};
use serde_json::{Value, json};

use super::columns::{Column, Columns, Kind, fold};
use super::{Cell, MAX_CELL};
use crate::document::Severity;

/// Why a cell is not read, or what was put right in it.
#[derive(Debug, PartialEq)]
pub(crate) struct Doubt {
    pub(crate) code: &'static str,
    pub(crate) severity: Severity,
    pub(crate) values: Vec<(&'static str, String)>,
    /// What the cell is taken for, should the doubt be accepted.
    pub(crate) meant: Option<Value>,
}

/// The largest whole number that a spreadsheet keeps exactly: 15 digits.
const EXACT: f64 = 999_999_999_999_999.0;

/// Reads a cell that is not blank.
pub(crate) fn value(column: &Column, cell: &Cell, columns: &Columns) -> Result<Value, Doubt> {
    let found = shorten(&cell.show());
    let text = match cell {
        Cell::Formula(_) => return Err(doubt("rows.formula", &found)),
        Cell::Fault(_) => return Err(doubt("rows.excel_error", &found)),
        Cell::Text(text) => {
            let text = tidy(text);
            if let Some(code) = mangled(&text) {
                return Err(doubt(code, &found));
            }
            Some(text)
        }
        _ => None,
    };
    match column.kind {
        Kind::Text => Ok(json!(plain(cell, text)?)),
        Kind::Integer => match (&text, cell) {
            (Some(text), _) => match text.parse::<u32>() {
                Ok(number) => Ok(json!(number)),
                Err(_) => Err(doubt("rows.integer", &found)),
            },
            (None, Cell::Number(_)) => match plain(cell, None)?.parse::<u32>() {
                Ok(number) => Ok(json!(number)),
                Err(_) => Err(doubt("rows.integer", &found)),
            },
            _ => Err(doubt("rows.integer", &found)),
        },
        Kind::Digits => digits(&plain(cell, text)?, matches!(cell, Cell::Number(_)), &found),
        Kind::Postcode => postcode(&plain(cell, text)?, &found),
        Kind::Date => match date(cell, text.as_deref(), columns)? {
            Some(date) => Ok(json!(date.to_string())),
            None => Err(doubt("rows.date", &found)),
        },
        Kind::PartialDate => partial_date(cell, text.as_deref(), columns, &found),
        Kind::Time => match time(cell, text.as_deref()) {
            Some(time) => Ok(json!(time.format("%H:%M").to_string())),
            None => Err(doubt("rows.time", &found)),
        },
        Kind::YesNo => match (cell, text.as_deref().and_then(|it| columns.choice("yes_no", it))) {
            (Cell::Truth(truth), _) => Ok(json!(truth)),
            (_, Some(word)) => Ok(json!(word == "yes")),
            _ => Err(doubt("rows.yes_no", &found)),
        },
        Kind::Choice => Ok(json!(choice(column, &plain(cell, text)?, columns)?)),
        Kind::Choices => {
            let text = plain(cell, text)?.replace(" et ", ",");
            let parts = text.split([',', ';', '/', '+']).map(str::trim).filter(|it| !it.is_empty());
            let names: Result<Vec<_>, _> = parts.map(|it| choice(column, it, columns)).collect();
            Ok(json!(names?))
        }
    }
}

/// What a spreadsheet or a hostile hand leaves in a text.
fn mangled(text: &str) -> Option<&'static str> {
    if text.chars().count() > MAX_CELL {
        return Some("rows.cell_too_long");
    }
    if text.contains(['\n', '\r']) {
        return Some("rows.several_lines");
    }
    let error = ["#N/A", "#REF", "#VAL", "#NAME", "#NOM", "#DIV", "#NUM", "#NOMBRE", "#NULL", "##"];
    if error.iter().any(|it| text.starts_with(it)) {
        return Some("rows.excel_error");
    }
    let call = |it: char| matches!(it, '(' | '|' | '!');
    if text.trim_start_matches('\'').starts_with(['=', '@'])
        || (text.starts_with(['+', '-']) && text.contains(call))
    {
        return Some("rows.formula_text");
    }
    is_scientific(text).then_some("rows.scientific")
}

/// `6,9E+09`: a number of which the spreadsheet has written the first digits only.
fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['E', 'e']) else { return false };
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let all_digits = |it: &str| !it.is_empty() && it.chars().all(|c| c.is_ascii_digit());
    let mut parts = mantissa.splitn(2, [',', '.']);
    let (whole, fraction) = (parts.next().unwrap_or_default(), parts.next());
    let exact = fraction.is_none() && whole.len() > 1; // 12E3 may be a reference
    all_digits(whole)
        && fraction.is_none_or(all_digits)
        && all_digits(exponent)
        && !exact
        && (fraction.is_some() || text.contains('+'))
}

/// A text, or a number that a spreadsheet has kept exactly.
fn plain(cell: &Cell, text: Option<String>) -> Result<String, Doubt> {
    match (text, cell) {
        (Some(text), _) => Ok(text),
        (None, Cell::Number(number)) if number.fract() == 0.0 && (0.0..=EXACT).contains(number) => {
            Ok(format!("{number:.0}"))
        }
        (None, Cell::Number(_)) => Err(doubt("rows.number", &cell.show())),
        (None, Cell::Moment(_) | Cell::Clock(_)) => Err(doubt("rows.became_date", &cell.show())),
        _ => Err(doubt("rows.text", &cell.show())),
    }
}

fn digits(text: &str, number: bool, found: &str) -> Result<Value, Doubt> {
    let digits = without_blanks(text);
    if !digits.chars().all(|c| c.is_ascii_digit()) {
        return Err(doubt("rows.digits", found));
    }
    if number && digits.len() == 9 {
        return Err(zero_lost(&digits));
    }
    Ok(json!(digits))
}

fn postcode(text: &str, found: &str) -> Result<Value, Doubt> {
    let digits = without_blanks(text);
    if !digits.chars().all(|c| c.is_ascii_digit()) || !(4..=5).contains(&digits.len()) {
        return Err(doubt("rows.postcode", found));
    }
    if digits.len() == 4 { Err(zero_lost(&digits)) } else { Ok(json!(digits)) }
}

/// A number that may have lost its leading zero, or any other digit.
fn zero_lost(digits: &str) -> Doubt {
    let meant = format!("0{digits}");
    let values = vec![("found", digits.to_owned()), ("meant", meant.clone())];
    Doubt {
        code: "rows.leading_zero",
        severity: Severity::Practice,
        values,
        meant: Some(json!(meant)),
    }
}

fn without_blanks(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '.' | '-')).collect()
}

fn choice(column: &Column, text: &str, columns: &Columns) -> Result<String, Doubt> {
    if let Some(value) = columns.choice(&column.list, text) {
        return Ok(value.clone());
    }
    let (choices, nearest) = columns.labels(&column.list, text);
    let values = vec![("found", shorten(text)), ("nearest", nearest), ("choices", choices)];
    Err(Doubt { code: "rows.choice", severity: Severity::Error, values, meant: None })
}

/// A day: `2026-03-02`, `02/03/2026` (the day first, as in France), `2 mars 2026`, or a cell that is
/// a date. Nothing where it is none; a doubt where it could be two.
fn date(cell: &Cell, text: Option<&str>, columns: &Columns) -> Result<Option<NaiveDate>, Doubt> {
    let Some(text) = text else {
        return match cell {
            Cell::Moment(moment) if moment.time() == NaiveTime::MIN => Ok(Some(moment.date())),
            Cell::Number(number) => Err(serial(*number)),
            _ => Ok(None),
        };
    };
    let text = text.strip_suffix(" 00:00:00").or(text.strip_suffix(" 00:00")).unwrap_or(text);
    let parts: Vec<&str> = text.split(['/', '.', '-', ' ']).filter(|it| !it.is_empty()).collect();
    let [first, second, third] = parts.as_slice() else {
        return match text.parse::<f64>() {
            Ok(number) if number > 9999.0 => Err(serial(number)),
            _ => Ok(None),
        };
    };
    let month = match columns.months.iter().position(|it| *it == fold(second)) {
        Some(index) => u32::try_from(index).unwrap_or(0) + 1,
        None => match second.parse() {
            Ok(month) => month,
            Err(_) => return Ok(None),
        },
    };
    let first = first.trim_end_matches("er");
    let number = |it: &str| it.parse::<u32>().ok().filter(|_| it.len() <= 2);
    if first.len() == 4 {
        let (year, day) = (first.parse().ok(), number(third));
        return Ok(year.zip(day).and_then(|(year, day)| NaiveDate::from_ymd_opt(year, month, day)));
    }
    if third.len() == 2 && third.parse::<u32>().is_ok() {
        return Err(doubt("rows.two_digit_year", text));
    }
    let day = number(first);
    let year = third.parse().ok().filter(|_| third.len() == 4);
    let date = year.zip(day).and_then(|(year, day)| NaiveDate::from_ymd_opt(year, month, day));
    if date.is_none() && month > 12 && day.is_some_and(|it| it <= 12) {
        return Err(doubt("rows.month_first", text));
    }
    Ok(date)
}

/// A birth known by day, month (`04/1992`) or year (`1992`).
fn partial_date(
    cell: &Cell,
    text: Option<&str>,
    columns: &Columns,
    found: &str,
) -> Result<Value, Doubt> {
    let year = |text: &str| {
        text.parse::<i32>().ok().filter(|it| text.len() == 4 && (1900..=2199).contains(it))
    };
    let text = match (text, cell) {
        (Some(text), _) => text.to_owned(),
        (None, Cell::Number(number))
            if number.fract() == 0.0 && (1900.0..2200.0).contains(number) =>
        {
            format!("{number:.0}")
        }
        _ => {
            let date = date(cell, None, columns)?.ok_or_else(|| doubt("rows.date", found))?;
            return Ok(json!(date.to_string()));
        }
    };
    if year(&text).is_some() {
        return Ok(json!(text));
    }
    if let Some((first, second)) = text.split_once(['/', '-', '.', ' ']) {
        let month = |it: &str| {
            let named = columns.months.iter().position(|name| *name == fold(it));
            let named = named.and_then(|it| u32::try_from(it + 1).ok());
            named.or(it.parse().ok().filter(|_| it.len() <= 2)).filter(|it| (1..=12).contains(it))
        };
        let french = month(first).zip(year(second));
        if let Some((month, year)) = french.or(month(second).zip(year(first))) {
            return Ok(json!(format!("{year:04}-{month:02}")));
        }
    }
    match date(&Cell::Text(text.clone()), Some(&text), columns)? {
        Some(date) => Ok(json!(date.to_string())),
        None => Err(doubt("rows.date", found)),
    }
}

/// A bare number where a day is expected: said with the day it may stand for, and refused.
fn serial(number: f64) -> Doubt {
    let meant = NaiveDate::from_ymd_opt(1899, 12, 30).and_then(|day| {
        let days =
            chrono::Days::new(if (1.0..80_000.0).contains(&number) { number as u64 } else { 0 });
        day.checked_add_days(days).filter(|it| it.year() >= 1900)
    });
    let meant = meant.map_or_else(String::new, |it| it.format("%d/%m/%Y").to_string());
    let values = vec![("found", number.to_string()), ("meant", meant)];
    Doubt { code: "rows.serial_date", severity: Severity::Error, values, meant: None }
}

/// A time of day: `14h30`, `14 h`, `14:30`, `14:30:00`, or a cell that is a time.
fn time(cell: &Cell, text: Option<&str>) -> Option<NaiveTime> {
    let Some(text) = text else {
        return match cell {
            Cell::Clock(time) if time.second() == 0 => Some(*time),
            _ => None,
        };
    };
    let text = text.to_lowercase().replace("heures", "h").replace("heure", "h");
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let (hour, rest) = text.split_once(['h', ':'])?;
    let minute = match rest.split_once(':') {
        Some((minute, "00")) => minute,
        Some(_) => return None,
        None => rest,
    };
    let minute = minute.strip_suffix("min").or(minute.strip_suffix("mn")).unwrap_or(minute);
    let bare = minute.is_empty() && text.ends_with('h');
    let minute = if bare { "00" } else { minute };
    let number = |it: &str| {
        it.parse::<u32>().ok().filter(|_| it.len() <= 2 && it.chars().all(|c| c.is_ascii_digit()))
    };
    let exact = minute.len() == 2;
    number(hour)
        .zip(number(minute).filter(|_| exact))
        .and_then(|(h, m)| NaiveTime::from_hms_opt(h, m, 0))
}

/// Without spaces at its ends; the no-break spaces of French typing are spaces.
fn tidy(text: &str) -> String {
    text.replace(['\u{a0}', '\u{202f}'], " ").trim().to_owned()
}

fn doubt(code: &'static str, found: &str) -> Doubt {
    let values = vec![("found", shorten(found))];
    Doubt { code, severity: Severity::Error, values, meant: None }
}

/// Short enough for a line.
fn shorten(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
