//! The rules: each one function that cites its source, all asked, none stopping the next.

mod appointment;
mod contract;
mod convocation;
mod family;
mod person;

use super::Document;
use super::Party;
use super::calendar::Date;
use super::input::{Authority, Input, Letter, Signing};
use super::office::{Department, Directorate};
use super::postal;
use super::problem::Report;
use super::regime::{Facts, Regime};
use super::rulebook::Rulebook;

/// The codes of the rules of practice, which somebody can set aside.
pub const PRACTICE: [&str; 5] = [
    "appointment.short_notice",
    "appointments.travel",
    "day.saturday",
    "hours.unusual",
    "place.far",
];

/// What a rule looks at.
#[derive(Clone, Copy)]
struct Case<'a> {
    document: &'a Document,
    rulebook: &'a Rulebook,
    regime: &'a Regime,
    office: &'a Directorate,
    department: Option<&'a Department>,
}

/// Asks every rule.
pub(super) fn judge(document: &Document, rulebook: &Rulebook, report: &mut Report) {
    let (regime, office) = (document.regime(rulebook), document.office(rulebook));
    let department = office.department(&rulebook.departments);
    let case = Case { document, rulebook, regime, office, department };
    let refused = report.0.len();
    names_are_of_the_regime(case, report);
    if report.0.len() > refused {
        return;
    }
    translation_is_current(case, report);
    translation_is_accepted(case, report);
    territory_is_covered(case, report);
    acceptances_name_rules_of_practice(case, report);
    for (pointer, step, appointment) in document.input.appointments() {
        appointment::judge(case, &pointer, step, appointment, report);
    }
    match &document.input {
        Input::Contract(it) => contract::judge(case, it, report),
        Input::Family(it) => family::judge(case, it, report),
        Input::Convocation(it) => convocation::judge(case, it, report),
    }
}

/// What is true of a document, for the clauses that depend on it.
pub(super) fn facts(document: &Document, rulebook: &Rulebook) -> Facts {
    let mut facts = match &document.input {
        Input::Contract(it) => contract::facts(it),
        Input::Family(it) => family::facts(it),
        Input::Convocation(it) => convocation::facts(it),
    };
    if document.language() != super::FRENCH {
        facts.insert("translated");
    }
    if document.regime(rulebook).contract.french_prevails {
        facts.insert("french_prevails");
    }
    facts
}

/// The lines of the window, for a letter; the rules have seen that they fit.
pub(super) fn recipient(document: &Document) -> Vec<String> {
    match &document.input {
        Input::Convocation(it) => {
            let person = &it.applicant;
            postal::recipient(person.civility, &person.name(), &person.address).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

/// Who signs, may sign or need not.
pub(super) fn parties(document: &Document, rulebook: &Rulebook) -> Vec<Party> {
    match &document.input {
        Input::Contract(it) => contract::parties(it, document.regime(rulebook)),
        Input::Family(it) => family::parties(it, document.regime(rulebook)),
        Input::Convocation(_) => Vec::new(),
    }
}

/// A name that another regime lists is not one of this regime.
fn names_are_of_the_regime(case: Case<'_>, report: &mut Report) {
    let mut check = |pointer: &str, field: &str, name: Option<&str>| {
        let Some(name) = name else { return };
        let names = case.regime.names(field);
        if !names.iter().any(|it| *it == name) {
            let choices = names.into_iter().cloned().collect::<Vec<_>>().join(", ");
            report.error(
                "schema.unknown_value",
                pointer,
                [("found", name.to_owned()), ("nearest", String::new()), ("choices", choices)],
            );
        }
    };
    match &case.document.input {
        Input::Contract(it) => {
            check("/category", "category", Some(&it.category));
            check("/permit", "permit", Some(&it.permit));
            check("/exemption", "exemption", it.exemption.as_deref());
            let skills = it.trainings.skills_review.exemption.as_deref();
            check("/trainings/skills_review/exemption", "skills_review", skills);
            let reason = it.extension.as_ref().map(|it| it.reason.as_str());
            check("/extension/reason", "extension", reason);
        }
        Input::Family(it) => {
            for (index, parent) in it.parents.iter().enumerate() {
                let pointer = format!("/parents/{index}/exemption");
                check(&pointer, "spouse", parent.exemption.as_deref());
            }
        }
        Input::Convocation(it) => {
            check("/step", "step", Some(&it.step));
            check("/notice", "notice", Some(&it.notice));
        }
    }
}

/// An acceptance of something that is no rule of practice would be forgotten silently.
fn acceptances_name_rules_of_practice(case: Case<'_>, report: &mut Report) {
    for (index, it) in case.document.input.head().accepted.iter().enumerate() {
        if !PRACTICE.contains(&it.code.as_str()) {
            report.error(
                "accepted.unknown",
                format!("/accepted/{index}/code"),
                [("code", it.code.clone()), ("choices", PRACTICE.join(", "))],
            );
        }
    }
}

/// A page whose two sides say different things is worse than none: a translation of a French sentence
/// that has changed since is refused.
fn translation_is_current(case: Case<'_>, report: &mut Report) {
    let language = case.rulebook.catalogue(case.document.language());
    if let Some(first) = language.stale().first() {
        report.error(
            "language.stale",
            "/language",
            [
                ("language", language.tag.clone()),
                ("count", language.stale().len().to_string()),
                ("first", first.clone()),
            ],
        );
    }
}

/// What a person is to understand has been read by somebody who speaks the language, or the operator
/// accepts by name that it has not.
fn translation_is_accepted(case: Case<'_>, report: &mut Report) {
    let language = case.rulebook.catalogue(case.document.language());
    if !case.rulebook.may_issue_in(language) {
        report.error("language.draft", "/language", [("language", language.tag.clone())]);
    }
}

/// No contract where the law excludes the territory (L.311-9-2, R.311-30-16: Mayotte).
fn territory_is_covered(case: Case<'_>, report: &mut Report) {
    let excluded = &case.regime.person.excluded_departments;
    let Some(department) = case.department else { return };
    if excluded.codes.contains(&department.code) {
        report.error(
            "office.territory_excluded",
            "/office",
            [("department", department.name.clone()), ("source", excluded.source.clone())],
        );
    }
}

/// Who signs by delegation may do so on the day of signature.
fn delegation_covers_the_signature(authority: &Authority, signing: &Signing, report: &mut Report) {
    let Some(delegate) = &authority.delegate else { return };
    let day = signing.date;
    if day < delegate.from || delegate.until.is_some_and(|until| day > until) {
        report.error(
            "authority.delegation_lapsed",
            "/authority/delegate",
            [
                ("delegate", delegate.name.clone()),
                ("date", day.to_string()),
                ("from", delegate.from.to_string()),
                ("until", delegate.until.map_or_else(String::new, |it| it.to_string())),
            ],
        );
    }
}

/// What a contract replaces is another one, not later than it.
fn replaced_is_earlier(
    replaced: Option<&Letter>,
    reference: &str,
    signed: Date,
    report: &mut Report,
) {
    let Some(replaced) = replaced else { return };
    if replaced.reference == reference {
        report.error("letter.replaces_itself", "/replaces/reference", []);
    } else if replaced.date > signed {
        report.error("letter.replaces_later", "/replaces/date", []);
    }
}

/// A contract is signed at the office, which is closed on Sundays and public holidays.
fn signing_day_is_a_working_day(case: Case<'_>, signing: &Signing, report: &mut Report) {
    appointment::open_day(case, "/signing/date", signing.date.0, report);
}
