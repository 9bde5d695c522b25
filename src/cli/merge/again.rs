//! A whole session instead of a file: who is reminded, moved or told that it is cancelled, and to when.

use chrono::{NaiveDate, NaiveTime};
use clap::{Args, ValueEnum};

use super::super::Failure;
use crate::merge::session::{Change, Session};

/// Arguments of `merge` that stand in the place of a file.
#[derive(Debug, Args)]
pub(super) struct Again {
    /// In place of a file: everybody convened to --session gets this letter
    #[arg(long, value_enum, value_name = "NOTICE", requires = "session", conflicts_with = "file")]
    pub(super) again: Option<Notice>,
    /// The session, such as "medical_visit 2026-03-23 08:00"
    #[arg(long, value_name = "STEP DATE HH:MM", value_parser = named, requires = "again")]
    session: Option<(String, NaiveDate, NaiveTime)>,
    /// The office, where several have a session then
    #[arg(long, value_name = "ID", requires = "again")]
    office: Option<String>,
    /// The room, place or training centre, where there are several
    #[arg(long, value_name = "NAME", requires = "again")]
    place: Option<String>,
    /// With --again moved: the new day, and the hour where it changes
    #[arg(long, value_name = "DATE [HH:MM]", value_parser = moment, requires = "again")]
    to: Option<(NaiveDate, Option<NaiveTime>)>,
    /// With --again moved: the new room
    #[arg(long, value_name = "NAME", requires = "to")]
    room: Option<String>,
}

/// What a session's letters say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Notice {
    /// It takes place
    Reminder,
    /// It is at another time: see --to
    Moved,
    /// It does not take place
    Cancelled,
}

impl Again {
    /// The session, and what becomes of it; nothing where there is a file.
    pub(super) fn asked(&self) -> Result<Option<(Session, Change)>, Failure> {
        let (Some(notice), Some((step, date, start))) = (self.again, self.session.clone()) else {
            return Ok(None);
        };
        let change = match (notice, self.to) {
            (Notice::Moved, Some((date, start))) => {
                Change::Moved { date, start, room: self.room.clone() }
            }
            (Notice::Moved, None) => {
                let text = "--again moved: say where to, with --to \"2026-03-30 10:00\"";
                return Err(Failure::Usage(text.to_owned()));
            }
            (_, Some(_)) => {
                return Err(Failure::Usage("--to goes with --again moved".to_owned()));
            }
            (Notice::Reminder, None) => Change::Reminder,
            (Notice::Cancelled, None) => Change::Cancelled,
        };
        let (office, place) = (self.office.clone(), self.place.clone());
        Ok(Some((Session { step, date, start, office, place }, change)))
    }
}

fn named(text: &str) -> Result<(String, NaiveDate, NaiveTime), String> {
    let (step, rest) = text.trim().split_once(' ').unwrap_or((text, ""));
    match moment(rest) {
        Ok((date, Some(start))) => Ok((step.to_owned(), date, start)),
        _ => Err("write step, day and hour, such as \"medical_visit 2026-03-23 08:00\"".to_owned()),
    }
}

fn moment(text: &str) -> Result<(NaiveDate, Option<NaiveTime>), String> {
    let mut parts = text.split_whitespace();
    let date = parts.next().and_then(|it| it.parse().ok());
    let hour = parts.next().map(|it| NaiveTime::parse_from_str(it, "%H:%M"));
    match (date, hour.transpose(), parts.next()) {
        (Some(date), Ok(hour), None) => Ok((date, hour)),
        _ => Err("write a day and an hour, such as \"2026-03-30 10:00\"".to_owned()),
    }
}
