//! A table of courses as a centre sends it: text in, courses out, or every fault with its line and what to do.
//!
//! One line is one session. Lines of the same course follow each other in any order; a line with days of the week is a
//! course of every week.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveTime};
use csv::{ReaderBuilder, StringRecord};
use serde::Serialize;
use serde_json::{Value, json};

use crate::document::Rulebook;
use crate::merge::rows::columns::fold;
use crate::store::Course;

/// The columns, in any order. `Jours` and `Dernier jour` may be empty or absent.
pub(super) const COLUMNS: [&str; 9] =
    ["Session", "Formation", "Centre", "Date", "Début", "Fin", "Jours", "Dernier jour", "Places"];
const OPTIONAL: [&str; 2] = ["Jours", "Dernier jour"];
const DAYS: [(&str, &str); 7] = [
    ("lun", "monday"),
    ("mar", "tuesday"),
    ("mer", "wednesday"),
    ("jeu", "thursday"),
    ("ven", "friday"),
    ("sam", "saturday"),
    ("dim", "sunday"),
];

/// What is wrong with a table.
#[derive(Debug, Serialize)]
pub(super) struct Fault {
    /// The line; 0: the whole.
    line: u64,
    column: &'static str,
    text: String,
}

impl Fault {
    pub(super) fn whole(text: &str) -> Self {
        Self { line: 0, column: "", text: text.to_owned() }
    }
}

/// Reads a table: UTF-8 or what spreadsheets of Windows write, with semicolons, tabs or commas.
pub(super) fn read(bytes: &[u8], rulebook: &Rulebook) -> Result<Vec<Course>, Vec<Fault>> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.trim_start_matches('\u{feff}').to_owned(),
        Err(_) => encoding_rs::WINDOWS_1252.decode(bytes).0.into_owned(),
    };
    // The reader counts lines by their last byte.
    let text = text.replace("\r\n", "\n");
    let head = text.lines().next().unwrap_or_default();
    let often = |it: &&u8| head.bytes().filter(|byte| byte == *it).count();
    let delimiter = *b",\t;".iter().max_by_key(often).unwrap_or(&b';');
    let mut reader =
        ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let header = reader.headers().cloned().unwrap_or_default();
    let place = |name: &str| header.iter().position(|it| fold(it) == fold(name));
    let places = COLUMNS.map(|it| (it, place(it)));
    let missing: Vec<_> = places
        .iter()
        .filter(|(name, place)| place.is_none() && !OPTIONAL.contains(name))
        .map(|(name, _)| Fault::whole(&format!("La colonne « {name} » manque.")))
        .collect();
    if !missing.is_empty() {
        return Err(missing);
    }
    let mut table = Table { rulebook, places, courses: BTreeMap::new(), faults: Vec::new() };
    for record in reader.records() {
        match record {
            Ok(record) if record.iter().all(|it| it.trim().is_empty()) => {}
            Ok(record) => table.take(&record),
            Err(error) => table.faults.push(Fault::whole(&format!("Tableau illisible : {error}."))),
        }
    }
    if table.courses.is_empty() && table.faults.is_empty() {
        table.faults.push(Fault::whole("Le tableau n’a aucune ligne sous ses titres."));
    }
    if table.faults.is_empty() {
        Ok(table.courses.into_values().collect())
    } else {
        Err(table.faults)
    }
}

struct Table<'a> {
    rulebook: &'a Rulebook,
    places: [(&'static str, Option<usize>); 9],
    courses: BTreeMap<String, Course>,
    faults: Vec<Fault>,
}

impl Table<'_> {
    fn take(&mut self, record: &StringRecord) {
        let line = record.position().map_or(0, csv::Position::line);
        let (places, rulebook) = (self.places, self.rulebook);
        let cell = |name: &str| {
            let place = places.iter().find(|it| it.0 == name).and_then(|it| it.1);
            place.and_then(|it| record.get(it)).unwrap_or_default().trim()
        };
        let mut faults = Vec::new();
        let mut fault = |column: &'static str, text: String| {
            faults.push(Fault { line, column, text });
        };
        let id = cell("Session").to_owned();
        if id.is_empty() || id.chars().count() > 80 {
            fault("Session", "donnez un nom de 1 à 80 caractères.".to_owned());
        }
        let step = step(rulebook, cell("Formation"));
        if step.is_none() {
            fault(
                "Formation",
                format!("« {} » n’est le nom d’aucune formation.", cell("Formation")),
            );
        }
        let centre = centre(rulebook, cell("Centre"));
        if centre.is_none() {
            fault("Centre", format!("« {} » n’est le nom d’aucun centre connu.", cell("Centre")));
        }
        let date = date(cell("Date"));
        if date.is_none() {
            fault("Date", format!("« {} » n’est pas une date : JJ/MM/AAAA.", cell("Date")));
        }
        let (start, end) = (time(cell("Début")), time(cell("Fin")));
        if start.is_none() {
            fault("Début", format!("« {} » n’est pas une heure : 9:00 ou 9 h 30.", cell("Début")));
        }
        if end.is_none() || end <= start {
            fault("Fin", format!("« {} » n’est pas une heure après le début.", cell("Fin")));
        }
        let days = days(cell("Jours"));
        if days.is_none() {
            fault(
                "Jours",
                format!("« {} » : écrivez par exemple « lundi, jeudi ».", cell("Jours")),
            );
        }
        let weekly = days.as_ref().is_some_and(|it| !it.is_empty());
        let last = self::date(cell("Dernier jour"));
        if weekly && (last.is_none() || last < date) {
            fault("Dernier jour", "donnez une date à partir de la première.".to_owned());
        }
        let seats = cell("Places").parse::<u32>().ok().filter(|it| (1..=10_000).contains(it));
        if seats.is_none() {
            fault("Places", format!("« {} » n’est pas un nombre de 1 à 10 000.", cell("Places")));
        }
        self.faults.append(&mut faults);
        let (Some(step), Some(centre), Some(date), Some(start), Some(end), Some(days), Some(seats)) =
            (step, centre, date, start, end, days, seats)
        else {
            return;
        };
        let hour = |it: NaiveTime| it.format("%H:%M").to_string();
        let new = Course {
            id: id.clone(),
            centre: centre.clone(),
            step,
            starts_on: date,
            appointment: json!({ "place": { "centre": centre } }),
            seats,
            taken: 0,
        };
        let course = self.courses.entry(id).or_insert(new);
        if (&course.centre, course.seats) != (&centre, seats) {
            let text =
                "le centre ou le nombre de places diffère d’une autre ligne de la même session.";
            self.faults.push(Fault { line, column: "Session", text: text.to_owned() });
            return;
        }
        course.starts_on = course.starts_on.min(date);
        let (start, end) = (hour(start), hour(end));
        if weekly {
            course.appointment["weekly"] =
                json!({ "days": days, "start": start, "end": end, "first": date, "last": last });
        } else {
            let session = json!({ "date": date, "start": start, "end": end });
            match course.appointment.get_mut("sessions").and_then(Value::as_array_mut) {
                Some(sessions) => sessions.push(session),
                None => course.appointment["sessions"] = json!([session]),
            }
        }
    }
}

/// A training by its French name or its name in data.
fn step(rulebook: &Rulebook, text: &str) -> Option<String> {
    let mut given = rulebook.offices.centres.values().flat_map(|it| &it.trainings);
    let label = |it: &str| rulebook.french().message(&format!("step.{it}")).source();
    given.find(|it| *it == text || fold(&label(it)) == fold(text)).cloned()
}

fn centre(rulebook: &Rulebook, text: &str) -> Option<String> {
    let mut centres = rulebook.offices.centres.values();
    centres.find(|it| it.id == text || fold(&it.name) == fold(text)).map(|it| it.id.clone())
}

fn date(text: &str) -> Option<NaiveDate> {
    ["%d/%m/%Y", "%Y-%m-%d"].iter().find_map(|it| NaiveDate::parse_from_str(text, it).ok())
}

fn time(text: &str) -> Option<NaiveTime> {
    let text = text.to_lowercase().replace(' ', "").replace('h', ":");
    let (hour, minute) = text.split_once(':')?;
    let minute = if minute.is_empty() { 0 } else { minute.get(..2)?.parse().ok()? };
    NaiveTime::from_hms_opt(hour.parse().ok()?, minute, 0)
}

/// Days of the week; none: a word is no such day.
fn days(text: &str) -> Option<Vec<&'static str>> {
    let words =
        text.split([',', '/', '+', ' ']).map(fold).filter(|it| !it.is_empty() && it != "et");
    let day = |word: String| DAYS.iter().find(|it| word.starts_with(it.0)).map(|it| it.1);
    words.map(day).collect()
}
