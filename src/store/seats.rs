//! Courses that centres give, and their seats: the last one is taken once.
//!
//! A holder is an opaque id, such as a dossier's document. Who holds a seat and asks again keeps the one seat.

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::sql::{Row, Value, values};
use super::writer::Writing;
use super::{Scope, Store, StoreError};

/// A course of a centre.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Course {
    /// Its name with the centre.
    pub id: String,
    /// The centre.
    pub centre: String,
    /// The step, such as `civic_training`.
    pub step: String,
    /// Its first day.
    #[schemars(with = "String", extend("format" = "date"))]
    pub starts_on: NaiveDate,
    /// Its appointment, as a letter's input has it.
    pub appointment: serde_json::Value,
    /// How many it takes.
    pub seats: u32,
    /// How many seats are taken.
    #[serde(default)]
    pub taken: u32,
}

/// Which courses are looked for. Nothing asked: all.
#[derive(Debug, Clone, Default)]
pub struct CourseFilter {
    /// The step.
    pub step: Option<String>,
    /// The centre.
    pub centre: Option<String>,
    /// Begins on this day or later.
    pub from: Option<NaiveDate>,
    /// Has a seat left.
    pub free: bool,
}

impl Store {
    /// Adds courses, or changes the ones that are there. Seats that are taken stay taken.
    pub async fn put_courses(&self, courses: Vec<Course>) -> Result<(), StoreError> {
        self.write(move |it| {
            Box::pin(async move {
                for course in courses {
                    let sql = "INSERT INTO courses (id, centre, step, starts_on, appointment, seats) \
                               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET \
                               centre = $2, step = $3, starts_on = $4, appointment = $5, seats = $6 \
                               WHERE courses.taken <= $6";
                    let Course { id, centre, step, starts_on, appointment, seats, .. } = course;
                    let appointment = appointment.to_string();
                    let values = values![id, centre, step, starts_on, appointment, seats];
                    if it.tx.change(sql, values).await? == 0 {
                        return Err(StoreError::Settled("fuller than the seats it would have".to_owned()));
                    }
                }
                Ok(())
            })
        })
        .await
    }

    /// Courses, the first to begin first.
    pub async fn courses(&self, filter: &CourseFilter) -> Result<Vec<Course>, StoreError> {
        let sql = "SELECT id, centre, step, starts_on, appointment, seats, taken FROM courses \
                   WHERE step = COALESCE($1, step) AND centre = COALESCE($2, centre) \
                   AND starts_on >= COALESCE($3, starts_on) AND taken < seats + $4 \
                   ORDER BY starts_on, id LIMIT 500";
        let all: Value = u32::from(!filter.free).into();
        let mut values = values![filter.step.clone(), filter.centre.clone(), filter.from];
        values.push(all);
        self.database.rows(sql, values).await?.iter().map(course).collect()
    }

    /// Takes a seat. False: none is left.
    pub async fn take_seat(
        &self,
        scope: &Scope,
        course: &str,
        holder: &str,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let (course, holder) = (course.to_owned(), holder.to_owned());
        let actor = scope.actor().to_owned();
        self.write(move |it| {
            Box::pin(async move { take_seat(it, &actor, course, holder, at).await })
        })
        .await
    }

    /// A course.
    pub async fn course(&self, id: &str) -> Result<Option<Course>, StoreError> {
        let sql = "SELECT id, centre, step, starts_on, appointment, seats, taken FROM courses \
                   WHERE id = $1";
        self.database.row(sql, values![id]).await?.as_ref().map(course).transpose()
    }

    /// The courses that a holder has a seat in.
    pub async fn seats_of(&self, holder: &str) -> Result<Vec<Course>, StoreError> {
        let sql = "SELECT id, centre, step, starts_on, appointment, seats, taken FROM courses \
                   JOIN seats s ON s.course = id WHERE s.holder = $1 ORDER BY starts_on, id";
        self.database.rows(sql, values![holder]).await?.iter().map(course).collect()
    }

    /// Gives a seat back.
    pub async fn free_seat(&self, course: &str, holder: &str) -> Result<(), StoreError> {
        let (course, holder) = (course.to_owned(), holder.to_owned());
        self.write(move |it| {
            Box::pin(async move {
                let sql = "DELETE FROM seats WHERE course = $1 AND holder = $2";
                if it.tx.change(sql, values![course.clone(), holder]).await? == 1 {
                    let sql = "UPDATE courses SET taken = taken - 1 WHERE id = $1";
                    it.tx.change(sql, values![course]).await?;
                }
                Ok(())
            })
        })
        .await
    }
}

/// Takes a seat within a transaction. False: none is left.
pub(super) async fn take_seat(
    it: &mut Writing,
    actor: &str,
    course: String,
    holder: String,
    at: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let held = "SELECT holder FROM seats WHERE course = $1 AND holder = $2";
    if it.tx.row(held, values![course.clone(), holder.clone()]).await?.is_some() {
        return Ok(true);
    }
    // The row is locked by the change: whoever comes second waits, then counts anew.
    let sql = "UPDATE courses SET taken = taken + 1 WHERE id = $1 AND taken < seats";
    if it.tx.change(sql, values![course.clone()]).await? == 0 {
        let sql = "SELECT id FROM courses WHERE id = $1";
        let known = it.tx.row(sql, values![course]).await?.is_some();
        return if known { Ok(false) } else { Err(StoreError::NotFound("course")) };
    }
    let sql = "INSERT INTO seats (course, holder, at) VALUES ($1, $2, $3)";
    it.tx.change(sql, values![course.clone(), holder, at]).await?;
    it.note(at, actor, "seat_taken", Uuid::nil(), course);
    Ok(true)
}

/// Gives back every seat of a document whose life ends.
pub(super) async fn free_seats(it: &mut Writing, holder: Uuid) -> Result<(), StoreError> {
    let sql = "DELETE FROM seats WHERE holder = $1 RETURNING course";
    for row in it.tx.rows(sql, values![holder]).await? {
        let sql = "UPDATE courses SET taken = taken - 1 WHERE id = $1";
        it.tx.change(sql, values![row.get::<String>(0)?]).await?;
    }
    Ok(())
}

fn course(row: &Row) -> Result<Course, StoreError> {
    let appointment = serde_json::from_str(&row.get::<String>(4)?);
    Ok(Course {
        id: row.get(0)?,
        centre: row.get(1)?,
        step: row.get(2)?,
        starts_on: row.get(3)?,
        appointment: appointment.map_err(|_| StoreError::Damaged("a course".to_owned()))?,
        seats: row.get(5)?,
        taken: row.get(6)?,
    })
}
