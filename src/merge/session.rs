//! One session of an office: everybody who is convened to it gets a reminder, a new date or word that it
//! is cancelled, in one act.
//!
//! A session and what becomes of it in; a list in JSON lines out, each line the letter that follows a
//! letter, for preflight and run like any other list. The numbers of the letters follow from those of the
//! earlier ones, so the same act twice makes no letter twice: a moved or cancelled letter is in its place
//! and no longer found, and a reminder of the same day is the same letter.

use std::fs::File;
use std::io::{BufWriter, Seek, Write};

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::MergeError;
use super::rows::refused;
use crate::document::{Document, Visit, follow_up, next_reference};
use crate::pipeline::Pipeline;
use crate::store::{Filter, Held, Page, Scope, State, StoreError, Summary};

/// A session, by what the letters say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The step of the letters.
    pub step: String,
    /// The day of the first session of the appointment.
    pub date: NaiveDate,
    /// When it begins.
    pub start: NaiveTime,
    /// The directorate, where several have a session then.
    pub office: Option<String>,
    /// The room, the place's name or the training centre's id, where there are several.
    pub place: Option<String>,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It takes place: whoever is convened is reminded of it.
    Reminder,
    /// It is at another time; each appointment moves as a whole and keeps its length.
    Moved {
        /// Its new day.
        date: NaiveDate,
        /// When it begins; at the same hour when nothing.
        start: Option<NaiveTime>,
        /// The room, where that changes.
        room: Option<String>,
    },
    /// It does not take place.
    Cancelled,
}

/// The list of letters for everybody who is convened to a session, and how many they are.
pub async fn letters(
    journey: &Pipeline,
    scope: &Scope,
    session: &Session,
    change: &Change,
    at: DateTime<Utc>,
) -> Result<(File, u64), MergeError> {
    const PAGE: u32 = 500;
    let filter = Filter {
        kind: Some("convocation".to_owned()),
        step: Some(session.step.clone()),
        state: Some(State::Complete),
        ends_from: Some(session.date),
        ..Filter::default()
    };
    let (mut list, mut count, mut after) = (BufWriter::new(tempfile::tempfile()?), 0, None);
    loop {
        let page = journey.store.list(scope, &filter, Page { after, most: PAGE }).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for found in &page {
            let Some(letter) = convened(journey, scope, session, found, at).await? else {
                continue;
            };
            let held = journey.store.document(scope, found.id, at).await?;
            let next = successor(journey, &letter, &held, session, change, at)?;
            serde_json::to_writer(&mut list, &next).map_err(std::io::Error::from)?;
            list.write_all(b"\n")?;
            count += 1;
        }
    }
    let mut list = list.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    list.rewind()?;
    Ok((list, count))
}

/// A letter that asks its person to the session, or nothing.
async fn convened(
    journey: &Pipeline,
    scope: &Scope,
    session: &Session,
    found: &Summary,
    at: DateTime<Utc>,
) -> Result<Option<Document>, MergeError> {
    let office = found.record.as_ref().map(|it| &it.office);
    if office.is_none() || session.office.is_some() && session.office.as_ref() != office {
        return Ok(None);
    }
    let data = match journey.store.data(scope, found.id, at).await {
        Err(StoreError::Erased) => return Ok(None),
        data => data?,
    };
    // As of its issue: what was sound then is not judged anew.
    let Ok(letter) = Document::check(&data, &journey.rulebook, found.created_at) else {
        return Err(StoreError::Damaged("a letter that was sound".to_owned()).into());
    };
    // A reminder reminds of a letter, which is found itself.
    let stands =
        letter.invites(&journey.rulebook) && letter.step().is_some_and(|it| it.1 != "reminder");
    let first = letter.visits().into_iter().min_by_key(|it| (it.first, it.start));
    let then = first.is_some_and(|it| (it.first, it.start) == (session.date, session.start));
    let there = session.place.as_ref().is_none_or(|wanted| {
        let place = |name| letter.value().pointer(&format!("/appointment/place/{name}"));
        ["room", "name", "centre"]
            .iter()
            .any(|it| place(it).and_then(Value::as_str) == Some(wanted))
    });
    Ok(Some(letter).filter(|_| stands && then && there))
}

/// The letter that follows.
fn successor(
    journey: &Pipeline,
    letter: &Document,
    held: &Held,
    session: &Session,
    change: &Change,
    at: DateTime<Utc>,
) -> Result<Map<String, Value>, MergeError> {
    let Value::Object(data) = letter.value().clone() else {
        return Err(StoreError::Damaged("a letter's data".to_owned()).into());
    };
    let zone = letter.time_zone(&journey.rulebook);
    let (today, issued) = (at.with_timezone(&zone), held.created_at.with_timezone(&zone));
    let follow = |notice: &str, mark: &str| {
        let reference = next_reference(letter.reference(), mark);
        follow_up(data.clone(), issued.date_naive(), notice, &reference)
    };
    Ok(match change {
        Change::Reminder => follow("reminder", &today.format("R%m%d").to_string()),
        Change::Moved { date, start, room } => {
            let mut next = follow("moved", &format!("M{}", held.sequence + 1));
            let days = *date - session.date;
            let minutes = start.map_or(TimeDelta::zero(), |it| it - session.start);
            let visits = letter.visits();
            if visits.iter().any(|it| !moves(it, days, minutes)) {
                let values = [("reference", letter.reference().to_owned())];
                return Err(refused(None, "rows.course_moves_by_weeks", values));
            }
            shift(&mut next, days, minutes);
            if let Some(room) = room {
                next["appointment"]["place"]["room"] = json!(room);
            }
            next
        }
        Change::Cancelled => {
            let mut next = follow("cancelled", &format!("A{}", held.sequence + 1));
            // Where it would have been no longer matters.
            if let Some(Value::Object(appointment)) = next.get_mut("appointment") {
                appointment.remove("place");
            }
            next
        }
    })
}

/// Whether hours stay on their day, and a weekly course on its days of the week.
fn moves(visit: &Visit, days: TimeDelta, minutes: TimeDelta) -> bool {
    let same_day = |it: NaiveTime| it.overflowing_add_signed(minutes).1 == 0;
    let weekly = visit.first != visit.last;
    same_day(visit.start) && same_day(visit.end) && (!weekly || days.num_days() % 7 == 0)
}

/// The days and hours of a letter so much later.
fn shift(letter: &mut Map<String, Value>, days: TimeDelta, minutes: TimeDelta) {
    let day = |it: &mut Value| {
        let known = it.as_str().and_then(|it| it.parse::<NaiveDate>().ok());
        if let Some(day) = known {
            *it = json!(day + days);
        }
    };
    let hour = |it: &mut Value| {
        let known = it.as_str().and_then(|it| NaiveTime::parse_from_str(it, "%H:%M").ok());
        if let Some(time) = known {
            *it = json!((time + minutes).format("%H:%M").to_string());
        }
    };
    letter.get_mut("late_limit").map(hour);
    let Some(appointment) = letter.get_mut("appointment") else { return };
    let mut stretches: Vec<&mut Value> = Vec::new();
    let (sessions, weekly): (Vec<_>, Vec<_>) = match appointment.as_object_mut() {
        Some(entries) => entries.iter_mut().partition(|it| it.0 == "sessions"),
        None => return,
    };
    stretches.extend(sessions.into_iter().filter_map(|it| it.1.as_array_mut()).flatten());
    stretches.extend(weekly.into_iter().filter(|it| it.0 == "weekly").map(|it| it.1));
    for stretch in stretches {
        for name in ["date", "first", "last"] {
            stretch.get_mut(name).map(day);
        }
        for name in ["start", "end"] {
            stretch.get_mut(name).map(hour);
        }
    }
}
