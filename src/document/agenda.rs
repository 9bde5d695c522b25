//! What a calendar needs to know of a letter: when by the world's clock, where, and whether it stands.

use chrono::{DateTime, Duration, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;

use super::Document;
use super::input::Input;
use super::place::Site;
use super::rulebook::Rulebook;

/// The sessions of a letter, for a calendar.
#[derive(Debug, Clone, PartialEq)]
pub struct Agenda {
    /// Whether one is to come.
    pub standing: Standing,
    /// Beginning and end of each session, in order of time; a weekly pattern is spelled out, since its
    /// hours are local ones and move by the world's clock when the season's time begins or ends.
    pub sessions: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    /// Name and address on one line; not the room, which may tell what the appointment is about.
    pub place: String,
    /// The postal address alone.
    pub address: String,
    /// Degrees north and east, where they are known.
    pub coordinates: Option<(f64, f64)>,
}

/// What becomes of the sessions that a letter names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They take place.
    Kept,
    /// They do not.
    Cancelled,
    /// They are over.
    Past,
}

impl Document {
    /// The time zone of the office that issues the document.
    pub fn time_zone(&self, rulebook: &Rulebook) -> Tz {
        self.office(rulebook).time_zone(&rulebook.departments)
    }

    /// The sessions of a letter; nothing for a contract, whose dates have letters of their own.
    pub fn agenda(&self, rulebook: &Rulebook) -> Option<Agenda> {
        let Input::Convocation(letter) = &self.input else { return None };
        let notice = self.regime(rulebook).notice(&letter.notice);
        let standing = match (notice.appointment, notice.past) {
            (true, _) => Standing::Kept,
            (false, true) => Standing::Past,
            (false, false) => Standing::Cancelled,
        };
        let office = self.office(rulebook);
        let zone = office.time_zone(&rulebook.departments);
        let sessions = letter.appointment.occurrences();
        let site = Site::of(&letter.appointment, office, rulebook);
        Some(Agenda {
            standing,
            sessions: sessions
                .iter()
                .map(|it| (moment(it.begins(), zone), moment(it.ends(), zone)))
                .collect(),
            place: format!("{}, {}", site.name, site.address()),
            address: site.address(),
            coordinates: site.coordinates(),
        })
    }
}

/// A local time by the world's clock: the first of two when clocks go back, an hour later when clocks
/// go forward over it.
fn moment(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    let at = |local: NaiveDateTime| zone.from_local_datetime(&local).earliest();
    at(local)
        .or_else(|| at(local + Duration::hours(1)))
        .map_or_else(|| local.and_utc(), |it| it.with_timezone(&Utc))
}
