//! The courses of the training centres: their seats, and the table that brings new ones.

use axum::extract::{Multipart, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Serialize;

use super::super::auth::Agent;
use super::super::page;
use super::super::problem::Refusal;
use super::super::state::Service;
use super::course_rows::{self, Fault};
use super::form::today;
use crate::store::{Course, CourseFilter, StoreError};

/// The largest table that is read, in bytes.
pub(super) const TABLE: usize = 4 << 20;

#[derive(Serialize)]
struct Listed {
    csrf: String,
    courses: Vec<Shown>,
    may_decide: bool,
    faults: Vec<Fault>,
    columns: [&'static str; 9],
}

#[derive(Serialize)]
struct Shown {
    about: String,
    centre: String,
    town: String,
    when: Vec<String>,
    left: u32,
    seats: u32,
}

/// The courses to come.
pub(super) async fn list(
    State(service): State<Service>,
    agent: Agent,
) -> Result<Response, Refusal> {
    shown(&service, &agent, Vec::new()).await
}

/// Takes a table of courses: all of it, or nothing and every fault of it.
pub(super) async fn take(
    State(service): State<Service>,
    agent: Agent,
    mut form: Multipart,
) -> Result<Response, Refusal> {
    let broken = |_| Refusal::new(StatusCode::BAD_REQUEST, "body", "the form is broken");
    let (mut csrf, mut table) = (String::new(), Vec::new());
    while let Some(field) = form.next_field().await.map_err(broken)? {
        match field.name() {
            Some("csrf") => csrf = field.text().await.map_err(broken)?,
            Some("table") => table = field.bytes().await.map_err(broken)?.to_vec(),
            _ => {}
        }
    }
    agent.check(&csrf)?;
    agent.caller.may_decide()?;
    let courses = match course_rows::read(&table, service.rulebook()) {
        Ok(courses) => courses,
        Err(faults) => return shown(&service, &agent, faults).await,
    };
    match agent.caller.pipeline(&service).store.put_courses(courses).await {
        Ok(()) => Ok(Redirect::to("/seances").into_response()),
        Err(StoreError::Settled(_)) => {
            let text = "Une session a déjà plus d’inscrits que de places dans ce tableau. Rien n’a été importé.";
            shown(&service, &agent, vec![Fault::whole(text)]).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn shown(service: &Service, agent: &Agent, faults: Vec<Fault>) -> Result<Response, Refusal> {
    let filter =
        CourseFilter { from: Some(today(service, None, service.at())), ..CourseFilter::default() };
    let courses = agent.caller.pipeline(service).store.courses(&filter).await?;
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let values = Listed {
        csrf: agent.csrf.clone(),
        courses: courses.iter().map(|it| Shown::of(service, it)).collect(),
        may_decide: agent.caller.may_decide().is_ok(),
        faults,
        columns: course_rows::COLUMNS,
    };
    let page = page::desk(service, "desk/courses.html.j2", Some(&agent.csrf), values)?;
    Ok((status, page).into_response())
}

impl Shown {
    fn of(service: &Service, course: &Course) -> Self {
        let rulebook = service.rulebook();
        let centre = rulebook.offices.centres.get(&course.centre);
        let key = format!("step.{}", course.step);
        let french = rulebook.french();
        Self {
            about: if french.has(&key) {
                french.message(&key).source()
            } else {
                course.step.clone()
            },
            centre: centre.map_or_else(|| course.centre.clone(), |it| it.name.clone()),
            town: centre.map(|it| it.town.clone()).unwrap_or_default(),
            when: french.when_of(&course.appointment),
            left: course.seats.saturating_sub(course.taken),
            seats: course.seats,
        }
    }
}
