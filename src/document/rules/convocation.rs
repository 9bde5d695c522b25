//! Rules of letters.

use super::Case;
use super::appointment::place_is_near;
use super::person;
use crate::document::input::Convocation;
use crate::document::problem::Report;
use crate::document::regime::Facts;

pub(super) fn judge(case: Case<'_>, letter: &Convocation, report: &mut Report) {
    person::judge(case, &letter.applicant, "/applicant", report);
    person::fits_the_window(&letter.applicant, "/applicant", report);
    if let Some(first) = letter.appointment.first() {
        let representative = letter.representative.as_ref();
        let (person, day) = (&letter.applicant, first.date.0);
        person::age_and_representative(case, person, representative, day, "/applicant", report);
    }
    letter_leaves_today_or_later(case, letter, report);
    appointment_is_to_come(case, letter, report);
    notice_is_long_enough(case, letter, report);
    earlier_letter_is_named(case, letter, report);
    answer_can_be_given(case, letter, report);
    course_has_its_hours(letter, report);
    photos_are_counted(letter, report);
    late_limit_follows_the_start(letter, report);
    options_are_printed(case, letter, report);
    office_can_be_reached(case, report);
    let home = &letter.applicant.address.postcode;
    place_is_near(case, "/appointment", &letter.appointment, home, report);
}

/// A letter bears the day it leaves.
fn letter_leaves_today_or_later(case: Case<'_>, letter: &Convocation, report: &mut Report) {
    if let Some(sent) = letter.sent_on.filter(|it| it.0 < case.document.today) {
        report.error("letter.past", "/sent_on", [("date", sent.to_string())]);
    }
}

/// One is convened to a day to come; an absence is noted of a day gone by.
fn appointment_is_to_come(case: Case<'_>, letter: &Convocation, report: &mut Report) {
    let Some(first) = letter.appointment.first() else { return };
    let values = [("date", first.date.to_string())];
    let missed = case.regime.notice(&letter.notice).past;
    if missed && first.date.0 >= case.document.letter_date() {
        report.error("appointment.not_yet", "/appointment", values);
    } else if !missed && first.date.0 <= case.document.letter_date() {
        report.error("appointment.past", "/appointment", values);
    }
}

/// Practice: the letter leaves early enough to be read and prepared for.
fn notice_is_long_enough(case: Case<'_>, letter: &Convocation, report: &mut Report) {
    let Some(first) = letter.appointment.first() else { return };
    let days = (first.date.0 - case.document.letter_date()).num_days();
    let minimum = case.regime.practice.notice_days;
    let binding = case.regime.notice(&letter.notice).binding;
    if binding && (1..i64::from(minimum)).contains(&days) {
        report.practice(
            "appointment.short_notice",
            "/appointment",
            [
                ("days", days.to_string()),
                ("minimum", minimum.to_string()),
                ("source", case.regime.practice.source.clone()),
            ],
        );
    }
}

/// A letter about an earlier one names it; the earlier one is earlier.
fn earlier_letter_is_named(case: Case<'_>, letter: &Convocation, report: &mut Report) {
    let needed = case.regime.notice(&letter.notice).replaces;
    match &letter.replaces {
        None if needed => report.error("letter.replaces_missing", "/replaces", []),
        Some(earlier) if earlier.date.0 > case.document.letter_date() => {
            report.error("letter.replaces_later", "/replaces/date", []);
        }
        Some(earlier) if earlier.reference == letter.head.reference => {
            report.error("letter.replaces_itself", "/replaces/reference", []);
        }
        _ => {}
    }
}

/// There is time to answer.
fn answer_can_be_given(case: Case<'_>, letter: &Convocation, report: &mut Report) {
    let Some(answer) = letter.answer_by else { return };
    let first = letter.appointment.first();
    let coming = case.regime.notice(&letter.notice).appointment;
    if answer.0 <= case.document.letter_date() {
        report.error("answer.past", "/answer_by", [("date", answer.to_string())]);
    } else if coming && first.is_some_and(|it| answer > it.date) {
        report.error("answer.after_appointment", "/answer_by", [("date", answer.to_string())]);
    }
}

/// R.311-24: a letter that opens a course of French says its length.
fn course_has_its_hours(letter: &Convocation, report: &mut Report) {
    if letter.step == "language_training" && letter.course_hours.is_none() {
        report.error("course_hours.missing", "/course_hours", []);
    }
}

/// A letter that asks for photographs says how many.
fn photos_are_counted(letter: &Convocation, report: &mut Report) {
    if letter.step == "reception" && letter.photos.is_none() {
        report.error("photos.missing", "/photos", []);
    }
}

/// One may be late only after the beginning.
fn late_limit_follows_the_start(letter: &Convocation, report: &mut Report) {
    let first = letter.appointment.first();
    if let (Some(limit), Some(first)) = (letter.late_limit, first)
        && limit < first.start
    {
        report.error(
            "late_limit.before_start",
            "/late_limit",
            [("limit", limit.to_string()), ("start", first.start.to_string())],
        );
    }
}

/// What the data says and the step's letter does not print would be lost silently.
fn options_are_printed(case: Case<'_>, letter: &Convocation, report: &mut Report) {
    let step = case.regime.step(&letter.step);
    let items = step.bring.iter().chain(&step.bring_if);
    let uses: Vec<_> = step.what.iter().chain(items.clone()).filter_map(|it| it.fact()).collect();
    let options = [
        ("late_limit", letter.late_limit.is_some(), uses.contains(&"late_limit")),
        ("meal", letter.meal.is_some(), uses.contains(&"meal")),
        ("interpreter", letter.interpreter, uses.contains(&"interpreter")),
        ("course_hours", letter.course_hours.is_some(), uses.contains(&"course")),
        ("photos", letter.photos.is_some(), items.clone().any(|it| it.key() == "photos")),
        (
            "family_contract",
            letter.family_contract,
            uses.contains(&"family_contract") || uses.contains(&"two_parents"),
        ),
    ];
    for (field, given, printed) in options {
        if given && !printed {
            let values = [("field", field.to_owned()), ("step", letter.step.clone())];
            report.warning("option.unused", format!("/{field}"), values);
        }
    }
}

/// CRPA L.111-2: a letter says how its sender is reached.
fn office_can_be_reached(case: Case<'_>, report: &mut Report) {
    let office = case.office;
    if office.phone.is_none() || office.email.is_none() || office.postcode.is_none() {
        report.error("office.no_contact", "/office", [("office", office.id.clone())]);
    }
}

pub(super) fn facts(letter: &Convocation) -> Facts {
    [
        ("interpreter", letter.interpreter),
        ("meal", letter.meal == Some(true)),
        ("no_meal", letter.meal == Some(false)),
        ("late_limit", letter.late_limit.is_some()),
        ("family_contract", letter.family_contract),
        ("two_parents", letter.family_contract),
        ("minor", letter.representative.is_some()),
        ("course", letter.course_hours.is_some()),
        ("photos", letter.photos.is_some()),
        ("replaces", letter.replaces.is_some()),
    ]
    .into_iter()
    .filter_map(|(fact, holds)| holds.then_some(fact))
    .collect()
}
