//! Rules of the family contract.

use chrono::NaiveDate;

use super::Case;
use super::appointment::place_is_near;
use super::person;
use crate::document::Party;
use crate::document::calendar::age;
use crate::document::input::{Family, Reading};
use crate::document::person::{Parent, Person};
use crate::document::problem::Report;
use crate::document::regime::{Facts, Obligation, Regime};

pub(super) fn judge(case: Case<'_>, family: &Family, report: &mut Report) {
    let signed = family.signing.date.0;
    for (index, parent) in family.parents.iter().enumerate() {
        let pointer = format!("/parents/{index}");
        person::judge(case, &parent.person, &pointer, report);
        person::residence_is_covered(case, &parent.person, &pointer, report);
        parent_is_of_age(case, &parent.person, signed, &pointer, report);
        exemption_fits_the_nationality(case, parent, &pointer, report);
        if parent.exemption.is_none() {
            person::nationality_is_known(&parent.person, false, &pointer, report);
            person::nationality_signs(case, &parent.person, &pointer, report);
            own_contract_is_named(family, index, report);
        }
    }
    both_parents_or_one_alone(family, report);
    parents_are_two_persons(family, report);
    somebody_signs(family, report);
    children_are_minors(case, family, report);
    reunification_comes_first(family, report);
    super::replaced_is_earlier(
        family.replaces.as_ref(),
        &family.head.reference,
        family.signing.date,
        report,
    );
    super::delegation_covers_the_signature(&family.authority, &family.signing, report);
    super::signing_day_is_a_working_day(case, &family.signing, report);
    training_lies_within_the_contract(case, family, report);
    if let Some(parent) = family.parents.first() {
        let home = &parent.person.address.postcode;
        place_is_near(case, "/parents_training", &family.parents_training, home, report);
    }
}

/// L.411-1: family reunification is asked for by adults; a parent who signs is one.
fn parent_is_of_age(
    case: Case<'_>,
    parent: &Person,
    signed: NaiveDate,
    pointer: &str,
    report: &mut Report,
) {
    if parent.birth.date.earliest() > case.document.today {
        return; // refused already: no age can be counted
    }
    let (years, adult) = (parent.age_on(signed), &case.regime.person.adult_age);
    if years < adult.value.cast_signed() {
        report.error(
            "family.parent_minor",
            format!("{pointer}/birth/date"),
            [("age", years.max(0).to_string()), ("adult", adult.value.to_string())],
        );
    }
}

/// R.311-30-12: who is exempt for a nationality has it.
fn exemption_fits_the_nationality(
    case: Case<'_>,
    parent: &Parent,
    pointer: &str,
    report: &mut Report,
) {
    let (Some(exemption), Some(nationality)) = (&parent.exemption, &parent.person.nationality)
    else {
        return;
    };
    let european = case.regime.person.excluded_nationalities.codes.contains(nationality);
    let fits = match exemption.as_str() {
        "french" => nationality == "FR",
        _ => european && nationality != "FR",
    };
    if !fits {
        report.error(
            "family.exemption_nationality",
            format!("{pointer}/exemption"),
            [("exemption", exemption.clone()), ("nationality", nationality.clone())],
        );
    }
}

/// The reunification was granted before the contract is signed.
fn reunification_comes_first(family: &Family, report: &mut Report) {
    if family.reunified_on > family.signing.date {
        report.error("family.reunified_later", "/reunified_on", []);
    }
}

/// R.311-30-13: the family contract adds to each parent's own contract and names it.
fn own_contract_is_named(family: &Family, index: usize, report: &mut Report) {
    if family.parents[index].contract.is_none() {
        report.error("family.contract_missing", format!("/parents/{index}/contract"), []);
    }
}

/// R.311-30-12: both parents conclude it jointly, unless there is only one.
fn both_parents_or_one_alone(family: &Family, report: &mut Report) {
    match (family.parents.len(), family.single_parent) {
        (1, false) => report.error("family.second_parent", "/parents", []),
        (2, true) => report.error("family.not_single", "/single_parent", []),
        _ => {}
    }
}

/// Two parents are two persons.
fn parents_are_two_persons(family: &Family, report: &mut Report) {
    if let [one, two] = family.parents.as_slice()
        && one.person.foreigner_number == two.person.foreigner_number
    {
        report.error("family.same_parent", "/parents/1/foreigner_number", []);
    }
}

/// R.311-30-12: at most one of the parents is exempt, or there is no contract to sign.
fn somebody_signs(family: &Family, report: &mut Report) {
    if family.parents.iter().all(|it| it.exemption.is_some()) {
        report.error("family.all_exempt", "/parents", []);
    }
}

/// L.311-9-1, L.411-1: children were under age on the day the reunification was granted.
fn children_are_minors(case: Case<'_>, family: &Family, report: &mut Report) {
    let adult = &case.regime.family.child_adult_age;
    for (index, child) in family.children.iter().enumerate() {
        let pointer = format!("/children/{index}");
        person::has_a_name(&child.given_names, &child.family_name, &pointer, report);
        person::birth_is_possible(&child.birth, case.document.today, &pointer, report);
        if child.birth.date.earliest() > family.reunified_on.0
            && child.birth.date.earliest() <= case.document.today
        {
            report.error("family.child_born_later", format!("{pointer}/birth/date"), []);
        }
        let years = age(child.birth.date.latest(), family.reunified_on.0);
        if years >= adult.value.cast_signed() {
            report.error(
                "family.child_adult",
                format!("{pointer}/birth/date"),
                [
                    ("age", years.to_string()),
                    ("adult", adult.value.to_string()),
                    ("source", adult.source.clone()),
                ],
            );
        }
    }
}

/// R.311-30-14: the training is followed during the individual contract.
fn training_lies_within_the_contract(case: Case<'_>, family: &Family, report: &mut Report) {
    let (signed, end) = (family.signing.date.0, case.document.term(case.rulebook).end);
    let sessions = family.parents_training.occurrences();
    let (Some(first), Some(last)) = (sessions.first(), sessions.last()) else { return };
    let values =
        |date: String| [("date", date), ("signed", signed.to_string()), ("end", end.to_string())];
    if first.date.0 < signed {
        let values = values(first.date.to_string());
        report.error("training.before_signature", "/parents_training", values);
    } else if last.date.0 > end {
        report.error("training.after_end", "/parents_training", values(last.date.to_string()));
    }
}

pub(super) fn parties(family: &Family, regime: &Regime) -> Vec<Party> {
    let fields = ["parent1", "parent2"];
    let mut parties: Vec<_> = family
        .parents
        .iter()
        .zip(fields)
        .map(|(parent, field)| {
            let exemption = parent.exemption.as_ref();
            let reason =
                exemption.and_then(|id| regime.spouse.exemptions.iter().find(|it| it.id == *id));
            match reason {
                Some(reason) => {
                    Party { field, obligation: Obligation::Exempt, source: reason.source.clone() }
                }
                None => Party {
                    field,
                    obligation: Obligation::Must,
                    source: regime.family.parents_source.clone(),
                },
            }
        })
        .collect();
    parties.push(Party {
        field: "authority",
        obligation: Obligation::Must,
        source: regime.family.parents_source.clone(),
    });
    parties
}

pub(super) fn facts(family: &Family) -> Facts {
    [
        ("two_parents", family.parents.iter().filter(|it| it.exemption.is_none()).count() == 2),
        ("spouse_exempt", family.parents.iter().any(|it| it.exemption.is_some())),
        ("interpreter", family.presentation.interpreter.is_some()),
        ("replaces", family.replaces.is_some()),
        ("read_aloud", family.presentation.read == Reading::Aloud),
    ]
    .into_iter()
    .filter_map(|(fact, holds)| holds.then_some(fact))
    .collect()
}
