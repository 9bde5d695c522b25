//! Rules of the individual contract.

use super::Case;
use super::appointment::{appointments_fit_together, place_is_near};
use super::person;
use crate::document::Party;
use crate::document::input::{Contract, Reading};
use crate::document::problem::Report;
use crate::document::regime::{Facts, Obligation, Regime};

pub(super) fn judge(case: Case<'_>, contract: &Contract, report: &mut Report) {
    let applicant = &contract.applicant;
    person::judge(case, applicant, "/applicant", report);
    let category = case.regime.category.iter().find(|it| it.id == contract.category);
    let optional = category.is_some_and(|it| it.passport_optional);
    person::nationality_is_known(applicant, optional, "/applicant", report);
    person::nationality_signs(case, applicant, "/applicant", report);
    person::stateless_agrees(applicant, &contract.category, "/applicant", report);
    let representative = contract.representative.as_ref();
    let signed = contract.signing.date.0;
    person::age_and_representative(case, applicant, representative, signed, "/applicant", report);
    person::residence_is_covered(case, applicant, "/applicant", report);
    super::replaced_is_earlier(
        contract.replaces.as_ref(),
        &contract.head.reference,
        contract.signing.date,
        report,
    );
    the_person_signs(case, contract, report);
    super::delegation_covers_the_signature(&contract.authority, &contract.signing, report);
    super::signing_day_is_a_working_day(case, &contract.signing, report);
    assessment_comes_first(contract, report);
    civic_training_is_whole(case, contract, report);
    life_session_is_in_bounds(case, contract, report);
    life_session_is_whole(contract, report);
    language_training_follows_the_assessment(case, contract, report);
    skills_review_or_reason(case, contract, report);
    extension_is_in_bounds(case, contract, report);
    trainings_lie_within_the_contract(case, contract, report);
    visits_lie_before_the_end(case, contract, report);
    appointments_fit_together(case, &contract.appointments(), report);
    for (pointer, _, appointment) in contract.appointments() {
        place_is_near(case, &pointer, appointment, &applicant.address.postcode, report);
    }
}

/// L.311-9, R.311-19: a contract is for somebody who must or may sign.
fn the_person_signs(case: Case<'_>, contract: &Contract, report: &mut Report) {
    let (obligation, source) = obligation(contract, case.regime);
    if obligation == Obligation::Exempt {
        let pointer = if contract.exemption.is_some() { "/exemption" } else { "/permit" };
        report.error("signatory.exempt", pointer, [("source", source)]);
    }
}

/// R.311-20: the contract is signed at the end of the interview, after the assessment.
fn assessment_comes_first(contract: &Contract, report: &mut Report) {
    if contract.assessment.date > contract.signing.date {
        report.error("assessment.after_signature", "/assessment/date", []);
    }
    if let Some(visit) = &contract.visits.language_assessment
        && visit.first().is_some_and(|it| it.date != contract.assessment.date)
    {
        report.error("assessment.two_dates", "/visits/language_assessment", []);
    }
}

/// R.311-22 and the order of 19 January 2007: the civic training has its hours.
fn civic_training_is_whole(case: Case<'_>, contract: &Contract, report: &mut Report) {
    let figure = &case.regime.trainings.civic_hours;
    let planned = contract.trainings.civic_training.minutes();
    if planned > 0 && planned < i64::from(figure.value) * 60 {
        report.error(
            "civic_training.too_short",
            "/trainings/civic_training",
            [
                ("minutes", planned.to_string()),
                ("hours", figure.value.to_string()),
                ("source", figure.source.clone()),
            ],
        );
    }
}

/// R.311-25 and the order of 19 January 2007: one to six hours.
fn life_session_is_in_bounds(case: Case<'_>, contract: &Contract, report: &mut Report) {
    let Some(life) = &contract.trainings.life_in_france else { return };
    let (minimum, maximum) = (
        &case.regime.trainings.life_in_france_minimum_hours,
        &case.regime.trainings.life_in_france_maximum_hours,
    );
    if !(minimum.value..=maximum.value).contains(&life.hours) {
        report.error(
            "life_in_france.hours",
            "/trainings/life_in_france/hours",
            [
                ("hours", life.hours.to_string()),
                ("minimum", minimum.value.to_string()),
                ("maximum", maximum.value.to_string()),
                ("source", maximum.source.clone()),
            ],
        );
    }
}

/// The session lasts as long as the contract says.
fn life_session_is_whole(contract: &Contract, report: &mut Report) {
    let Some(life) = &contract.trainings.life_in_france else { return };
    let planned = life.appointment.minutes();
    if planned > 0 && planned < i64::from(life.hours) * 60 {
        report.error(
            "life_in_france.too_short",
            "/trainings/life_in_france/appointment",
            [("minutes", planned.to_string()), ("hours", life.hours.to_string())],
        );
    }
}

/// R.311-23, R.311-24: no course where the level is reached; else a course of at most 400 hours with
/// a date and a place.
fn language_training_follows_the_assessment(
    case: Case<'_>,
    contract: &Contract,
    report: &mut Report,
) {
    let pointer = "/trainings/language_training";
    let maximum = &case.regime.trainings.language_maximum_hours;
    let exempt = contract.assessment.level_reached || contract.assessment.tested_abroad;
    match (&contract.trainings.language_training, exempt) {
        (Some(_), true) => report.error("language_training.exempt", pointer, []),
        (None, false) => {
            report.error(
                "language_training.missing",
                pointer,
                [("source", maximum.source.clone())],
            );
        }
        (Some(course), false) => {
            if !(1..=maximum.value).contains(&course.hours) {
                report.error(
                    "language_training.hours",
                    format!("{pointer}/hours"),
                    [
                        ("hours", course.hours.to_string()),
                        ("maximum", maximum.value.to_string()),
                        ("source", maximum.source.clone()),
                    ],
                );
            }
            match &course.appointment {
                None => {
                    report.error("language_training.undated", format!("{pointer}/appointment"), []);
                }
                Some(it) if it.minutes() < i64::from(course.hours) * 60 => {
                    report.warning(
                        "language_training.fewer_hours",
                        format!("{pointer}/appointment"),
                        [
                            ("planned", (it.minutes() / 60).to_string()),
                            ("hours", course.hours.to_string()),
                        ],
                    );
                }
                Some(_) => {}
            }
        }
        (None, true) => {}
    }
}

/// R.311-26: a review is offered, or there is a reason that holds on the day of signature.
fn skills_review_or_reason(case: Case<'_>, contract: &Contract, report: &mut Report) {
    let pointer = "/trainings/skills_review";
    let review = &contract.trainings.skills_review;
    let rules = &case.regime.trainings.skills_review_maximum_age;
    let years = contract.applicant.age_on(contract.signing.date.0);
    let over = years > rules.value.cast_signed();
    let values = || {
        [
            ("age", years.to_string()),
            ("maximum", rules.value.to_string()),
            ("source", rules.source.clone()),
        ]
    };
    match (&review.appointment, review.exemption.as_deref()) {
        (None, None) => report.error("skills_review.missing", pointer, []),
        (Some(_), Some(_)) => report.error("skills_review.both", pointer, []),
        (Some(_), None) if over => report.error("skills_review.over_age", pointer, values()),
        (None, Some("over_55")) if !over => {
            report.error("skills_review.under_age", format!("{pointer}/exemption"), values());
        }
        (None, Some("minor_at_school"))
            if years >= case.regime.person.adult_age.value.cast_signed() =>
        {
            let age = years.to_string();
            report.error("skills_review.not_minor", format!("{pointer}/exemption"), [("age", age)]);
        }
        _ => {}
    }
}

/// R.311-27: at most a year more.
fn extension_is_in_bounds(case: Case<'_>, contract: &Contract, report: &mut Report) {
    let maximum = &case.regime.contract.maximum_extension_months;
    let Some(extension) = &contract.extension else { return };
    if extension.months > maximum.value {
        report.error(
            "extension.too_long",
            "/extension/months",
            [
                ("months", extension.months.to_string()),
                ("maximum", maximum.value.to_string()),
                ("source", maximum.source.clone()),
            ],
        );
    }
    if extension.reason == "language_course" && contract.trainings.language_training.is_none() {
        report.error("extension.no_course", "/extension/reason", []);
    }
}

/// R.311-20, R.311-27: trainings are fixed at the signature and followed within the contract.
fn trainings_lie_within_the_contract(case: Case<'_>, contract: &Contract, report: &mut Report) {
    let (signed, end) = (contract.signing.date.0, case.document.term(case.rulebook).extended_end);
    for (pointer, step, appointment) in contract.appointments() {
        let training = case.regime.step.iter().any(|it| it.id == step && it.training);
        let sessions = appointment.occurrences();
        let (Some(first), Some(last)) = (sessions.first(), sessions.last()) else { continue };
        let values = |it: &crate::document::appointment::Session| {
            [
                ("date", it.date.to_string()),
                ("signed", signed.to_string()),
                ("end", end.to_string()),
            ]
        };
        if training && first.date.0 < signed {
            report.error("training.before_signature", pointer, values(first));
        } else if training && last.date.0 > end {
            report.error("training.after_end", pointer, values(last));
        }
    }
}

/// What the contract plans besides trainings takes place before it ends.
fn visits_lie_before_the_end(case: Case<'_>, contract: &Contract, report: &mut Report) {
    let end = case.document.term(case.rulebook).extended_end;
    for (pointer, step, appointment) in contract.appointments() {
        let training = case.regime.step.iter().any(|it| it.id == step && it.training);
        let last = appointment.occurrences().into_iter().next_back();
        if let Some(last) = last.filter(|it| !training && it.date.0 > end) {
            let values = [("date", last.date.to_string()), ("end", end.to_string())];
            report.error("visit.after_end", pointer, values);
        }
    }
}

/// Whether the person must, may or need not sign, with the articles: the strongest ground decides,
/// exemption before permit before category.
fn obligation(contract: &Contract, regime: &Regime) -> (Obligation, String) {
    let personal = contract.exemption.as_ref();
    let personal = personal.and_then(|id| regime.exemption.iter().find(|it| it.id == *id));
    let permit = regime.permit.iter().find(|it| it.id == contract.permit);
    let category = regime.category.iter().find(|it| it.id == contract.category);
    [personal, permit, category]
        .into_iter()
        .flatten()
        .find_map(|it| Some((it.obligation?, it.source.clone())))
        .unwrap_or((Obligation::Must, String::new()))
}

pub(super) fn parties(contract: &Contract, regime: &Regime) -> Vec<Party> {
    let (obligation, source) = obligation(contract, regime);
    let minor = regime.person.minimum_age.source.clone();
    let mut parties = vec![Party { field: "applicant", obligation, source }];
    if contract.representative.is_some() {
        let must = Obligation::Must;
        parties.push(Party { field: "representative", obligation: must, source: minor });
    }
    parties.push(Party {
        field: "authority",
        obligation: Obligation::Must,
        source: regime.contract.authority_source.clone(),
    });
    parties
}

pub(super) fn facts(contract: &Contract) -> Facts {
    let trainings = &contract.trainings;
    let exempt = contract.assessment.level_reached || contract.assessment.tested_abroad;
    let mut days: Vec<_> =
        trainings.civic_training.occurrences().iter().map(|it| it.date).collect();
    days.dedup();
    [
        ("language_exempt", exempt),
        ("language_prescribed", !exempt),
        ("tested_abroad", contract.assessment.tested_abroad),
        ("life_session", trainings.life_in_france.is_some()),
        ("skills_review", trainings.skills_review.appointment.is_some()),
        ("extended", contract.extension.is_some()),
        ("minor", contract.representative.is_some()),
        ("interpreter", contract.presentation.interpreter.is_some()),
        ("one_day", days.len() == 1),
        ("replaces", contract.replaces.is_some()),
        ("read_aloud", contract.presentation.read == Reading::Aloud),
    ]
    .into_iter()
    .filter_map(|(fact, holds)| holds.then_some(fact))
    .collect()
}
