//! Rules about persons: names, ages, nationality, address.

use chrono::NaiveDate;

use super::Case;
use crate::document::STATELESS;
use crate::document::calendar::age;
use crate::document::person::{Birth, Person, Representative};
use crate::document::postal::{self, MAX_CHARS, MAX_LINES, PostalFault};
use crate::document::problem::Report;

/// The rules every adult person of a document passes.
pub(super) fn judge(case: Case<'_>, person: &Person, pointer: &str, report: &mut Report) {
    has_a_name(&person.given_names, &person.family_name, pointer, report);
    preferred_name_is_given(person, pointer, report);
    birth_is_possible(&person.birth, case.document.today, pointer, report);
    number_has_ten_digits(person, pointer, report);
    postcode_is_known(case, person, pointer, report);
}

/// A person has at least one name.
pub(super) fn has_a_name(
    given: &Option<String>,
    family: &Option<String>,
    pointer: &str,
    report: &mut Report,
) {
    if given.is_none() && family.is_none() {
        report.error("person.unnamed", pointer, []);
    }
}

/// CRPA L.111-3: the usage name is used where the person asks for it, so it must be known.
fn preferred_name_is_given(person: &Person, pointer: &str, report: &mut Report) {
    if person.prefers_usage_name && person.usage_name.is_none() {
        report.error("person.usage_name_missing", format!("{pointer}/usage_name"), []);
    }
}

/// A birth lies in the past, within a human life.
pub(super) fn birth_is_possible(
    birth: &Birth,
    today: NaiveDate,
    pointer: &str,
    report: &mut Report,
) {
    const LONGEST_LIFE: i32 = 120;
    let pointer = format!("{pointer}/birth/date");
    if birth.date.earliest() > today {
        report.error("birth.future", pointer, []);
    } else if age(birth.date.latest(), today) > LONGEST_LIFE {
        report.error("birth.too_long_ago", pointer, [("years", LONGEST_LIFE.to_string())]);
    }
}

/// AGDREF numbers have ten digits; nine occur on old files.
fn number_has_ten_digits(person: &Person, pointer: &str, report: &mut Report) {
    if person.foreigner_number.len() == 9 {
        report.warning("foreigner_number.nine_digits", format!("{pointer}/foreigner_number"), []);
    }
}

/// A postcode belongs to a department.
fn postcode_is_known(case: Case<'_>, person: &Person, pointer: &str, report: &mut Report) {
    let postcode = &person.address.postcode;
    if case.rulebook.departments.of_postcode(postcode).is_none() {
        let pointer = format!("{pointer}/address/postcode");
        report.error("address.unknown_postcode", pointer, [("postcode", postcode.clone())]);
    }
}

/// L.311-9, R.311-20: adults sign; from 16 the lawful representative signs too; nobody under 16.
///
/// Where only the month or year of birth is known, the latest possible day counts.
pub(super) fn age_and_representative(
    case: Case<'_>,
    person: &Person,
    representative: Option<&Representative>,
    on: NaiveDate,
    pointer: &str,
    report: &mut Report,
) {
    if person.birth.date.earliest() > case.document.today {
        return; // refused already: no age can be counted
    }
    let rules = &case.regime.person;
    let (adult, minimum) = (rules.adult_age.value, rules.minimum_age.value);
    let birth = person.birth.date;
    let years = age(birth.latest(), on);
    let birth_pointer = format!("{pointer}/birth/date");
    let source = rules.minimum_age.source.clone();
    if years < minimum.cast_signed() {
        report.error(
            "person.under_minimum_age",
            birth_pointer,
            [
                ("age", years.max(0).to_string()),
                ("minimum", minimum.to_string()),
                ("source", source),
            ],
        );
    } else if years < adult.cast_signed() {
        if representative.is_none() {
            report.error(
                "representative.missing",
                "/representative",
                [("age", years.to_string()), ("adult", adult.to_string()), ("source", source)],
            );
        }
        if age(birth.earliest(), on) >= adult.cast_signed() {
            report.warning("birth.age_uncertain", birth_pointer, [("adult", adult.to_string())]);
        }
    } else if representative.is_some() {
        report.error("representative.not_needed", "/representative", [("age", years.to_string())]);
    }
    if let Some(it) = representative {
        has_a_name(&it.given_names, &it.family_name, "/representative", report);
        if !it.lawfully_resident {
            let values = [("source", rules.minimum_age.source.clone())];
            report.error(
                "representative.not_resident",
                "/representative/lawfully_resident",
                values,
            );
        }
    }
}

/// L.311-9 al. 4: nationals of the Union, the EEA and Switzerland do not sign.
pub(super) fn nationality_signs(
    case: Case<'_>,
    person: &Person,
    pointer: &str,
    report: &mut Report,
) {
    let excluded = &case.regime.person.excluded_nationalities;
    let Some(code) = &person.nationality else { return };
    if excluded.codes.contains(code) {
        let name = &case.rulebook.countries[super::super::FRENCH][code];
        report.error(
            "nationality.excluded",
            format!("{pointer}/nationality"),
            [("country", name.clone()), ("source", excluded.source.clone())],
        );
    }
}

/// L.311-9-2, R.311-30-16: nobody signs who lives where the law excludes the territory.
pub(super) fn residence_is_covered(
    case: Case<'_>,
    person: &Person,
    pointer: &str,
    report: &mut Report,
) {
    let excluded = &case.regime.person.excluded_departments;
    let home = case.rulebook.departments.of_postcode(&person.address.postcode);
    if let Some(home) = home.filter(|it| excluded.codes.contains(&it.code)) {
        report.error(
            "address.territory_excluded",
            format!("{pointer}/address/postcode"),
            [("department", home.name.clone()), ("source", excluded.source.clone())],
        );
    }
}

/// A nationality is known, but for refugees and the stateless, who may be without one.
pub(super) fn nationality_is_known(
    person: &Person,
    optional: bool,
    pointer: &str,
    report: &mut Report,
) {
    if person.nationality.is_none() && !optional {
        report.error("nationality.missing", format!("{pointer}/nationality"), []);
    }
}

/// A stateless person's category and nationality agree.
pub(super) fn stateless_agrees(
    person: &Person,
    category: &str,
    pointer: &str,
    report: &mut Report,
) {
    if category == STATELESS && person.nationality.as_deref().is_some_and(|it| it != STATELESS) {
        report.error("nationality.not_stateless", format!("{pointer}/nationality"), []);
    }
}

/// AFNOR Z 10-011: the address fits the window of an envelope.
pub(super) fn fits_the_window(person: &Person, pointer: &str, report: &mut Report) {
    let Err(fault) = postal::recipient(person.civility, &person.name(), &person.address) else {
        return;
    };
    let limit = ("limit", MAX_CHARS.to_string());
    match fault {
        PostalFault::Name => report.error("address.name_too_long", pointer, [limit]),
        PostalFault::Line(line) => {
            let pointer = format!("{pointer}/address/lines/{line}");
            report.error("address.line_too_long", pointer, [limit]);
        }
        PostalFault::Town => {
            report.error("address.line_too_long", format!("{pointer}/address/town"), [limit]);
        }
        PostalFault::Lines(lines) => {
            let values = [("lines", lines.to_string()), ("limit", MAX_LINES.to_string())];
            report.error("address.too_many_lines", format!("{pointer}/address/lines"), values);
        }
    }
}
