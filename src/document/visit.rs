//! Where and when a letter wants its person: what letters of a list must agree on among themselves.

use chrono::{NaiveDate, NaiveTime};

use super::Document;
use super::appointment::Appointment;
use super::input::Input;
use super::office::Room;
use super::rulebook::Rulebook;

/// A stretch of time, on one day or on some days of every week, in the office's local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Visit {
    /// The first day.
    pub first: NaiveDate,
    /// The last day; the first where there is one only.
    pub last: NaiveDate,
    /// The days of the week, Monday first.
    pub days: [bool; 7],
    /// When it begins.
    pub start: NaiveTime,
    /// When it ends.
    pub end: NaiveTime,
}

impl Visit {
    /// The first day on which two visits take the same time, if there is one.
    pub fn clashes(&self, other: &Self) -> Option<NaiveDate> {
        if self.end <= other.start || other.end <= self.start {
            return None;
        }
        let (first, last) = (self.first.max(other.first), self.last.min(other.last));
        let meets = |day: &NaiveDate| {
            let index = chrono::Datelike::weekday(day).num_days_from_monday() as usize;
            self.days[index] && other.days[index]
        };
        first.iter_days().take_while(|day| *day <= last).take(5 * 366).find(meets)
    }
}

impl Document {
    /// The data, as it was checked.
    pub fn value(&self) -> &serde_json::Value {
        &self.value
    }

    /// The times of the appointment that a letter is about; none for a contract.
    pub fn visits(&self) -> Vec<Visit> {
        match &self.input {
            Input::Convocation(letter) => letter.appointment.visits(),
            _ => Vec::new(),
        }
    }

    /// When the person is expected at the office itself: on each day of a letter that invites there, from the first
    /// session on; on the day a contract is signed, at any time.
    pub fn expected(&self, rulebook: &Rulebook) -> Vec<(NaiveDate, Option<NaiveTime>)> {
        let signing = match &self.input {
            Input::Contract(it) => &it.signing,
            Input::Family(it) => &it.signing,
            Input::Convocation(it) => {
                let here = it.appointment.place.is_office() && self.invites(rulebook);
                let sessions = it.appointment.occurrences().into_iter().filter(|_| here);
                let mut days: Vec<_> = sessions.map(|it| (it.date.0, Some(it.start.0))).collect();
                days.dedup_by_key(|it| it.0);
                return days;
            }
        };
        vec![(signing.date.0, None)]
    }

    /// Whether a letter asks its person to come: not one that cancels, nor one about the past.
    pub fn invites(&self, rulebook: &Rulebook) -> bool {
        let Input::Convocation(letter) = &self.input else { return false };
        let notice = self.regime(rulebook).notice(&letter.notice);
        notice.appointment && !notice.past
    }

    /// The room of the office that a letter invites to, where the office's data knows it.
    pub fn room<'a>(&self, rulebook: &'a Rulebook) -> Option<&'a Room> {
        let Input::Convocation(letter) = &self.input else { return None };
        let place = &letter.appointment.place;
        let name = place.room.as_ref().filter(|_| place.is_office())?;
        let known = |it: &&Room| it.name == *name || it.id == *name;
        self.office(rulebook).rooms.iter().find(known)
    }
}

impl Appointment {
    fn visits(&self) -> Vec<Visit> {
        let single = self.sessions.iter().map(|it| Visit {
            first: it.date.0,
            last: it.date.0,
            days: [true; 7],
            start: it.start.0,
            end: it.end.0,
        });
        let weekly = self.weekly.iter().map(|it| {
            let mut days = [false; 7];
            it.days.iter().for_each(|day| days[day.index()] = true);
            Visit { first: it.first.0, last: it.last.0, days, start: it.start.0, end: it.end.0 }
        });
        single.chain(weekly).collect()
    }
}
