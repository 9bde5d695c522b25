//! Facts in the words of a language: dates, hours, durations, lists, appointments.
//!
//! Gregorian calendar, 24-hour clock and the digits 0-9 in every language: an appointment is read
//! off a French clock and a French calendar.

use chrono::{Datelike, NaiveDate, Timelike};
use serde::Deserialize;

use super::appointment::{Appointment, Session};
use super::calendar::{Date, PartialDate, Time};
use super::catalogue::Catalogue;
use super::message::Message;
use super::phrase::{Phrase, Piece, Value, Values};

impl Catalogue {
    /// « lundi 23 mars 2026 »
    pub(crate) fn full_date(&self, date: NaiveDate) -> Phrase {
        self.date(&self.dates.full, date)
    }

    /// « 23 mars 2026 »
    pub(crate) fn long_date(&self, date: NaiveDate) -> Phrase {
        self.date(&self.dates.long, date)
    }

    /// A birth date as far as it is known.
    pub(crate) fn partial_date(&self, date: PartialDate) -> Phrase {
        match date {
            PartialDate::Day(date) => self.long_date(date),
            PartialDate::Month(date) => self.date(&self.dates.month, date),
            PartialDate::Year(year) => Phrase::raw(year.to_string()),
        }
    }

    /// « 9 h 30 »: one datum, so that nothing in it is reordered or broken.
    pub(crate) fn time(&self, time: Time) -> Phrase {
        let (hour, minute) = (time.0.hour(), time.0.minute());
        let pattern = if minute == 0 { &self.dates.hour } else { &self.dates.time };
        let values = Values::from([
            ("hour", Value::raw(hour.to_string())),
            ("minute", Value::raw(format!("{minute:02}"))),
        ]);
        Phrase::raw(pattern.fill(&values).plain())
    }

    /// « de 9 h à 12 h »
    fn range(&self, start: Time, end: Time) -> Phrase {
        self.dates.range.fill(&Values::from([
            ("start", self.time(start).into()),
            ("end", self.time(end).into()),
        ]))
    }

    /// « 2 h 30 », « 6 heures », « 45 minutes »
    pub(crate) fn duration(&self, minutes: u32) -> Phrase {
        match (minutes / 60, minutes % 60) {
            (0, minutes) => self.count("unit.minutes", minutes),
            (hours, 0) => self.count("unit.hours", hours),
            (hours, minutes) => self.say(
                "when.hours_minutes",
                &Values::from([
                    ("hours", Value::raw(hours.to_string())),
                    ("minutes", Value::raw(format!("{minutes:02}"))),
                ]),
            ),
        }
    }

    /// « lundi, mercredi et jeudi »
    pub(crate) fn list(&self, items: Vec<Phrase>) -> Phrase {
        let last = items.len().saturating_sub(1);
        let mut pieces = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                let separator = &self.dates.list[usize::from(index == last)];
                pieces.push(Piece::Text(separator.clone()));
            }
            pieces.extend(item.0);
        }
        Phrase(pieces)
    }

    /// When an appointment of the wire form takes place; nothing where it has another shape.
    pub(crate) fn when_of(&self, appointment: &serde_json::Value) -> Vec<String> {
        let appointment = Appointment::deserialize(appointment);
        appointment.map(|it| self.when(&it)).iter().flatten().map(Phrase::plain).collect()
    }

    /// When an appointment takes place, as a value of several lines.
    pub(crate) fn when_lines(&self, appointment: &Appointment) -> Value {
        Value::Lines { lines: self.when(appointment), separator: self.dates.list[0].clone() }
    }

    /// When an appointment takes place, in one line or a few.
    ///
    /// A weekly pattern takes two lines; sessions with the same hours share one line, whether they
    /// are days of a series or the two halves of a day with a break.
    pub(crate) fn when(&self, appointment: &Appointment) -> Vec<Phrase> {
        let mut lines = Vec::new();
        if let Some(weekly) = &appointment.weekly {
            // From the first day of the course to its last, which the pattern need not begin and end with.
            let meetings = weekly.occurrences();
            let first = meetings.first().map_or(weekly.first, |it| it.date);
            let last = meetings.last().map_or(weekly.last, |it| it.date);
            let days = weekly.days.iter().map(|it| Phrase::text(&self.dates.weekdays[it.index()]));
            lines.push(self.say(
                "when.weekly",
                &Values::from([
                    ("days", self.list(days.collect()).into()),
                    ("range", self.range(weekly.start, weekly.end).into()),
                ]),
            ));
            lines.push(self.say(
                "when.between",
                &Values::from([
                    ("first", self.long_date(first.0).into()),
                    ("last", self.long_date(last.0).into()),
                ]),
            ));
        }
        for (hours, days) in by_hours(&appointment.sessions) {
            lines.push(self.say(
                "when.session",
                &Values::from([
                    ("date", self.days(&days).into()),
                    ("range", self.hours(&hours).into()),
                ]),
            ));
        }
        lines
    }

    /// « lundi 2 mars 2026 », « 2 mars, 9 mars et 16 mars 2026 »
    fn days(&self, days: &[Date]) -> Phrase {
        match days {
            [day] => self.full_date(day.0),
            days => {
                let name = |(index, day): (usize, &Date)| {
                    let next = days.get(index + 1);
                    let year_ends = next.is_none_or(|next| next.0.year() != day.0.year());
                    let pattern = if year_ends { &self.dates.long } else { &self.dates.short };
                    self.date(pattern, day.0)
                };
                self.list(days.iter().enumerate().map(name).collect())
            }
        }
    }

    /// « de 9 h à 12 h », « de 9 h à 12 h et de 13 h à 16 h »
    fn hours(&self, hours: &[(Time, Time)]) -> Phrase {
        match hours {
            [(start, end), (start2, end2)] => self.say(
                "when.two_ranges",
                &Values::from([
                    ("first", self.range(*start, *end).into()),
                    ("second", self.range(*start2, *end2).into()),
                ]),
            ),
            hours => self.list(hours.iter().map(|(start, end)| self.range(*start, *end)).collect()),
        }
    }

    fn date(&self, pattern: &Message, date: NaiveDate) -> Phrase {
        let day = match &self.dates.first {
            Some(first) if date.day() == 1 => Value::raw(first.clone()),
            _ => Value::raw(date.day().to_string()),
        };
        let weekday = &self.dates.weekdays[date.weekday().num_days_from_monday() as usize];
        pattern.fill(&Values::from([
            ("weekday", Phrase::text(weekday).into()),
            ("day", day),
            ("month", Phrase::text(&self.dates.months[date.month0() as usize]).into()),
            ("year", Value::raw(date.year().to_string())),
        ]))
    }
}

/// The hours of one day, in order.
type Hours = Vec<(Time, Time)>;

/// Days grouped by the hours they have, in order of the first day of each group.
fn by_hours(sessions: &[Session]) -> Vec<(Hours, Vec<Date>)> {
    let mut sessions = sessions.to_vec();
    sessions.sort();
    let mut days: Vec<(Date, Hours)> = Vec::new();
    for session in sessions {
        match days.last_mut() {
            Some((date, hours)) if *date == session.date => {
                hours.push((session.start, session.end))
            }
            _ => days.push((session.date, vec![(session.start, session.end)])),
        }
    }
    let mut groups: Vec<(Hours, Vec<Date>)> = Vec::new();
    for (date, hours) in days {
        match groups.iter_mut().find(|(known, _)| *known == hours) {
            Some((_, dates)) => dates.push(date),
            None => groups.push((hours, vec![date])),
        }
    }
    groups
}
