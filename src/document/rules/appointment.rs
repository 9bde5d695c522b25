//! Rules about days, hours and places, for every appointment of every document.

use chrono::NaiveDate;

use super::Case;
use crate::document::appointment::{Appointment, Session, is_saturday, is_sunday};
use crate::document::calendar::Time;
use crate::document::place::Site;
use crate::document::problem::Report;

/// The rules of one appointment.
pub(super) fn judge(
    case: Case<'_>,
    pointer: &str,
    step: &str,
    appointment: &Appointment,
    report: &mut Report,
) {
    sessions_or_pattern(pointer, appointment, report);
    hours_run_forward(pointer, appointment, report);
    sessions_do_not_overlap(pointer, appointment, report);
    days_are_open(case.at(appointment), pointer, appointment, report);
    hours_are_usual(case, pointer, appointment, report);
    saturdays_are_for_trainings(case, pointer, step, appointment, report);
    place_is_whole(case, pointer, appointment, report);
    postcode_is_known(case, pointer, appointment, report);
}

/// An appointment has sessions or a weekly pattern with at least one day in it.
fn sessions_or_pattern(pointer: &str, appointment: &Appointment, report: &mut Report) {
    match (&appointment.weekly, appointment.sessions.is_empty()) {
        (None, true) => report.error("appointment.undated", pointer, []),
        (Some(_), false) => report.error("appointment.both", pointer, []),
        (Some(weekly), true) if weekly.first > weekly.last => {
            report.error("weekly.reversed", format!("{pointer}/weekly/last"), []);
        }
        (Some(weekly), true) if weekly.occurrences().is_empty() => {
            report.error("weekly.empty", format!("{pointer}/weekly/days"), []);
        }
        _ => {}
    }
}

/// A session ends after it begins.
fn hours_run_forward(pointer: &str, appointment: &Appointment, report: &mut Report) {
    for (index, session) in appointment.sessions.iter().enumerate() {
        if session.minutes() <= 0 {
            let pointer = format!("{pointer}/sessions/{index}/end");
            report.error("session.reversed", pointer, []);
        }
    }
    if let Some(weekly) = &appointment.weekly
        && weekly.start >= weekly.end
    {
        report.error("session.reversed", format!("{pointer}/weekly/end"), []);
    }
}

/// Nobody is at two sessions at once.
fn sessions_do_not_overlap(pointer: &str, appointment: &Appointment, report: &mut Report) {
    let mut sessions = appointment.sessions.clone();
    sessions.sort();
    for pair in sessions.windows(2) {
        if pair[1].begins() < pair[0].ends() {
            let values = [("date", pair[1].date.to_string()), ("time", pair[1].start.to_string())];
            report.error("session.overlap", format!("{pointer}/sessions"), values);
        }
    }
}

/// Not on a Sunday, not on a public holiday of the territory. A weekly pattern runs across holidays;
/// there the days left out are said.
fn days_are_open(case: Case<'_>, pointer: &str, appointment: &Appointment, report: &mut Report) {
    for (index, session) in appointment.sessions.iter().enumerate() {
        let pointer = format!("{pointer}/sessions/{index}/date");
        open_day(case, &pointer, session.date.0, report);
    }
    let Some(weekly) = &appointment.weekly else { return };
    let pointer = format!("{pointer}/weekly/days");
    let days = weekly.occurrences();
    if let Some(sunday) = days.iter().find(|it| is_sunday(it.date.0)) {
        report.error("day.sunday", pointer, [("date", sunday.date.to_string())]);
        return;
    }
    let closed: Vec<_> = days
        .iter()
        .filter(|it| holiday(case, it.date.0).is_some())
        .map(|it| it.date.to_string())
        .collect();
    if !closed.is_empty() {
        report.warning("weekly.holidays", pointer, [("dates", closed.join(", "))]);
    }
}

/// A day on which an office or a centre of the territory is open.
pub(super) fn open_day(case: Case<'_>, pointer: &str, day: NaiveDate, report: &mut Report) {
    if is_sunday(day) {
        report.error("day.sunday", pointer, [("date", day.to_string())]);
    } else if let Some(name) = holiday(case, day) {
        let values = [("date", day.to_string()), ("holiday", name.to_owned())];
        report.error("day.holiday", pointer, values);
    }
}

impl<'a> Case<'a> {
    /// The case with the department in which an appointment takes place: its holidays are those.
    fn at(self, appointment: &Appointment) -> Self {
        let site = Site::of(appointment, self.office, self.rulebook);
        let there = self.rulebook.departments.of_postcode(&site.postcode);
        Self { department: there.or(self.department), ..self }
    }
}

fn holiday<'a>(case: Case<'a>, day: NaiveDate) -> Option<&'a str> {
    case.department.and_then(|it| case.rulebook.departments.holiday(it, day))
}

/// Practice: within the hours of the day that offices work.
fn hours_are_usual(case: Case<'_>, pointer: &str, appointment: &Appointment, report: &mut Report) {
    let practice = &case.regime.practice;
    let (earliest, latest) = (Time::parse(&practice.earliest), Time::parse(&practice.latest));
    let unusual = |start: Time, end: Time| {
        earliest.is_some_and(|it| start < it) || latest.is_some_and(|it| end > it)
    };
    let hours = appointment
        .sessions
        .iter()
        .enumerate()
        .map(|(index, it)| (format!("{pointer}/sessions/{index}"), it.start, it.end))
        .chain(appointment.weekly.iter().map(|it| (format!("{pointer}/weekly"), it.start, it.end)));
    for (pointer, start, end) in hours {
        if unusual(start, end) {
            report.practice(
                "hours.unusual",
                pointer,
                [
                    ("start", start.to_string()),
                    ("end", end.to_string()),
                    ("earliest", practice.earliest.clone()),
                    ("latest", practice.latest.clone()),
                ],
            );
        }
    }
}

/// Practice: Saturdays are for trainings.
fn saturdays_are_for_trainings(
    case: Case<'_>,
    pointer: &str,
    step: &str,
    appointment: &Appointment,
    report: &mut Report,
) {
    let step = if step.is_empty() { case.document.step_name() } else { Some(step) };
    if step.is_some_and(|step| case.regime.step.iter().any(|it| it.id == step && it.saturday)) {
        return;
    }
    let saturday = appointment.occurrences().into_iter().find(|it| is_saturday(it.date.0));
    if let Some(session) = saturday {
        let values = [("date", session.date.to_string())];
        report.practice("day.saturday", pointer, values);
    }
}

/// A place of its own stands in France.
fn postcode_is_known(
    case: Case<'_>,
    pointer: &str,
    appointment: &Appointment,
    report: &mut Report,
) {
    let Some(postcode) = &appointment.place.postcode else { return };
    if case.rulebook.departments.of_postcode(postcode).is_none() {
        let pointer = format!("{pointer}/place/postcode");
        report.error("address.unknown_postcode", pointer, [("postcode", postcode.clone())]);
    }
}

/// A place is a known centre, or has a name, a postcode and a town, or is the office itself, whose
/// address is then known.
fn place_is_whole(case: Case<'_>, pointer: &str, appointment: &Appointment, report: &mut Report) {
    let place = &appointment.place;
    let named = place.name.is_some() || place.postcode.is_some() || place.town.is_some();
    let own = named || !place.lines.is_empty();
    if place.centre.is_some() && own {
        report.error("place.both", format!("{pointer}/place"), []);
    } else if own && (place.name.is_none() || place.postcode.is_none() || place.town.is_none()) {
        report.error("place.incomplete", format!("{pointer}/place"), []);
    } else if place.is_office() && case.office.postcode.is_none() {
        let values = [("office", case.office.id.clone())];
        report.error("office.no_address", format!("{pointer}/place"), values);
    }
}

/// Practice: within the person's department or one of the directorate's.
pub(super) fn place_is_near(
    case: Case<'_>,
    pointer: &str,
    appointment: &Appointment,
    home: &str,
    report: &mut Report,
) {
    let departments = &case.rulebook.departments;
    let site = Site::of(appointment, case.office, case.rulebook);
    let (Some(there), Some(home)) =
        (departments.of_postcode(&site.postcode), departments.of_postcode(home))
    else {
        return;
    };
    if there.code != home.code && !case.office.departments.contains(&there.code) {
        let near = case.rulebook.offices.nearest(home, None);
        let near = near.first().map_or_else(String::new, |(centre, _)| centre.name.clone());
        report.practice(
            "place.far",
            format!("{pointer}/place"),
            [("place", there.name.clone()), ("home", home.name.clone()), ("nearest", near)],
        );
    }
}

/// Nobody is at two appointments at once, and between two places on one day there is time to travel.
pub(super) fn appointments_fit_together(
    case: Case<'_>,
    appointments: &[(String, &'static str, &Appointment)],
    report: &mut Report,
) {
    let travel = i64::from(case.regime.practice.travel_minutes);
    let mut all: Vec<(Session, &str, String)> = Vec::new();
    for (pointer, _, appointment) in appointments {
        let place = Site::of(appointment, case.office, case.rulebook).address();
        let sessions = appointment.occurrences().into_iter();
        all.extend(sessions.map(|it| (it, pointer.as_str(), place.clone())));
    }
    all.sort_by_key(|it| it.0);
    for pair in all.windows(2) {
        let [(before, first, here), (after, second, there)] = pair else { continue };
        if first == second {
            continue;
        }
        let gap = (after.begins() - before.ends()).num_minutes();
        let values = [("date", after.date.to_string()), ("other", (*first).to_owned())];
        if gap < 0 {
            report.error("appointments.overlap", *second, values);
        } else if gap < travel && here != there {
            report.practice("appointments.travel", *second, values);
        }
    }
}
