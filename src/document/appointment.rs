//! When and where: one session, several, or a weekly pattern.

use chrono::{Datelike, NaiveDate, NaiveDateTime, Weekday};
use schemars::JsonSchema;
use serde::Deserialize;

use super::calendar::{Date, Time};

/// An appointment: either `sessions` or `weekly`, at a place.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(crate) struct Appointment {
    /// Single sessions: a morning, four half-days, a day with a break as two sessions.
    #[serde(default)]
    #[schemars(length(max = 40))]
    pub sessions: Vec<Session>,
    /// A course: the same hours every week.
    pub weekly: Option<Weekly>,
    /// Where; at the office itself when absent.
    #[serde(default)]
    pub place: Place,
}

/// One stretch of time on one day, in the office's local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
pub(crate) struct Session {
    pub date: Date,
    pub start: Time,
    pub end: Time,
}

/// The same hours on the same days of every week, from the first day to the last.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(crate) struct Weekly {
    #[schemars(length(min = 1, max = 7), extend("uniqueItems" = true))]
    pub days: Vec<DayOfWeek>,
    pub start: Time,
    pub end: Time,
    pub first: Date,
    pub last: Date,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "seven names that say what they are")]
pub(crate) enum DayOfWeek {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// A training centre by its id, or a place by name and address.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub(crate) struct Place {
    /// The id of a training centre.
    #[schemars(length(min = 1, max = 60))]
    pub centre: Option<String>,
    #[schemars(length(min = 1, max = 80))]
    pub name: Option<String>,
    #[serde(default)]
    #[schemars(length(max = 3), inner(length(min = 1, max = 60)))]
    pub lines: Vec<String>,
    #[schemars(regex(pattern = r"^(0[1-9]|[1-8][0-9]|9[0-8])[0-9]{3}$"))]
    pub postcode: Option<String>,
    #[schemars(length(min = 1, max = 40))]
    pub town: Option<String>,
    /// Room, floor or building.
    #[schemars(length(min = 1, max = 40))]
    pub room: Option<String>,
    /// How to get there, and in a wheelchair.
    #[schemars(length(min = 1, max = 120))]
    pub access: Option<String>,
}

impl Place {
    /// Whether nothing is said, so that the appointment is at the office itself.
    pub(crate) fn is_office(&self) -> bool {
        self.centre.is_none() && self.name.is_none()
    }
}

impl DayOfWeek {
    /// Monday is 0.
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

impl Session {
    /// Minutes from start to end; negative when they are reversed.
    pub(crate) fn minutes(&self) -> i64 {
        (self.end.0 - self.start.0).num_minutes()
    }

    /// When it begins, in local time.
    pub(crate) fn begins(&self) -> NaiveDateTime {
        self.date.0.and_time(self.start.0)
    }

    /// When it ends, in local time.
    pub(crate) fn ends(&self) -> NaiveDateTime {
        self.date.0.and_time(self.end.0)
    }
}

impl Appointment {
    /// Every session in order of time, those of a weekly pattern spelled out.
    pub(crate) fn occurrences(&self) -> Vec<Session> {
        let mut sessions = self.sessions.clone();
        if let Some(weekly) = &self.weekly {
            sessions.extend(weekly.occurrences());
        }
        sessions.sort();
        sessions
    }

    /// The first session, if there is any.
    pub(crate) fn first(&self) -> Option<Session> {
        self.occurrences().into_iter().next()
    }

    /// Minutes of all sessions together.
    pub(crate) fn minutes(&self) -> i64 {
        self.occurrences().iter().map(|it| it.minutes().max(0)).sum()
    }
}

impl Weekly {
    /// The days of the pattern between first and last, at most five years of them.
    pub(crate) fn occurrences(&self) -> Vec<Session> {
        self.first
            .0
            .iter_days()
            .take_while(|day| *day <= self.last.0)
            .take(5 * 366)
            .filter(|day| self.meets(*day))
            .map(|day| Session { date: Date(day), start: self.start, end: self.end })
            .collect()
    }

    fn meets(&self, day: NaiveDate) -> bool {
        self.days.iter().any(|it| it.index() == day.weekday().num_days_from_monday() as usize)
    }
}

/// Whether a day is a Sunday.
pub(crate) fn is_sunday(day: NaiveDate) -> bool {
    day.weekday() == Weekday::Sun
}

/// Whether a day is a Saturday.
pub(crate) fn is_saturday(day: NaiveDate) -> bool {
    day.weekday() == Weekday::Sat
}
