//! Days and hours: dates as far as they are known, holidays of each territory.

use std::fmt;

use chrono::{Datelike, Days, Months, NaiveDate, NaiveTime};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// A calendar day, `YYYY-MM-DD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Date(pub NaiveDate);

/// A time of day to the minute, `HH:MM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Time(pub NaiveTime);

/// A day of birth known by day, month or year: common on the papers of refugees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartialDate {
    /// `YYYY-MM-DD`
    Day(NaiveDate),
    /// `YYYY-MM`: the first of the month stands for it.
    Month(NaiveDate),
    /// `YYYY`
    Year(i32),
}

impl Date {
    /// Reads `YYYY-MM-DD`; nothing else, and only days that exist.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        (date.format("%Y-%m-%d").to_string() == text && (1900..=2199).contains(&date.year()))
            .then_some(Self(date))
    }
}

impl Time {
    /// Reads `HH:MM` on the 24-hour clock.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let time = NaiveTime::parse_from_str(text, "%H:%M").ok()?;
        (time.format("%H:%M").to_string() == text).then_some(Self(time))
    }
}

impl PartialDate {
    /// Reads `YYYY-MM-DD`, `YYYY-MM` or `YYYY`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.len() {
            10 => Date::parse(text).map(|it| Self::Day(it.0)),
            7 => Date::parse(&format!("{text}-01")).map(|it| Self::Month(it.0)),
            4 => Date::parse(&format!("{text}-01-01")).map(|it| Self::Year(it.0.year())),
            _ => None,
        }
    }

    /// The earliest day it can be.
    pub(crate) fn earliest(self) -> NaiveDate {
        match self {
            Self::Day(date) | Self::Month(date) => date,
            Self::Year(year) => day(year, 1, 1),
        }
    }

    /// The latest day it can be: ages are counted from it, so that nobody is made older.
    pub(crate) fn latest(self) -> NaiveDate {
        match self {
            Self::Day(date) => date,
            Self::Month(date) => {
                (date + Months::new(1)).checked_sub_days(Days::new(1)).unwrap_or(date)
            }
            Self::Year(year) => day(year, 12, 31),
        }
    }
}

/// Full years from `birth` to `on`; negative before birth.
pub(super) fn age(birth: NaiveDate, on: NaiveDate) -> i32 {
    let before = (on.month(), on.day()) < (birth.month(), birth.day());
    on.year() - birth.year() - i32::from(before)
}

/// Easter Sunday of a year of the Gregorian calendar (Meeus, Astronomical Algorithms, chapter 8).
pub fn easter(year: i32) -> NaiveDate {
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (b - (b + 8) / 25 + 1) / 3;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    day(year, (n / 31).unsigned_abs(), (n % 31 + 1).unsigned_abs())
}

/// A day that is known to exist; the first of January where it does not.
fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day)
        .or_else(|| NaiveDate::from_yo_opt(year, 1))
        .unwrap_or_default()
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.format("%H:%M").fmt(f)
    }
}

/// Reads and describes a type whose wire form is a string of a named format.
macro_rules! text_format {
    ($type:ty, $format:literal, $example:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
                let text = String::deserialize(reader)?;
                Self::parse(&text).ok_or_else(|| D::Error::custom(concat!("not a ", $format)))
            }
        }

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "format": $format, "examples": [$example] })
            }
        }
    };
}

text_format!(Date, "date", "2026-03-23");
text_format!(Time, "time-of-day", "09:30");
text_format!(PartialDate, "partial-date", "1992-04");
