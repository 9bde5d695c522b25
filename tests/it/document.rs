//! Step 1: what is sound, what is refused, and with which words.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, NaiveDate, Utc};
use paraphe::assets::Assets;
use paraphe::document::{Document, Kind, Obligation, Problem, Severity, easter, example};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::{SHOP, at, count, fixtures, good, letter, source};

#[test]
fn good_fixtures_are_sound() {
    let fixtures = fixtures("good");
    assert!(fixtures.len() >= 40, "only {} good fixtures", fixtures.len());
    for (name, bytes) in fixtures {
        if let Err(problems) = Document::check(&bytes, &SHOP.rulebook, at()) {
            panic!("{name}: {problems:#?}");
        }
    }
}

#[test]
fn bad_fixtures_break_one_rule_each() {
    let fixtures = fixtures("bad");
    assert!(fixtures.len() >= 60, "only {} bad fixtures", fixtures.len());
    for (name, bytes) in fixtures {
        let problems = problems(&bytes);
        assert_eq!(problems.len(), 1, "{name} breaks one rule: {problems:#?}");
        let code = problems[0].code.replace('.', "-");
        assert!(name.starts_with(&code), "{name} is not named for {code}");
        let said: Vec<_> = problems.iter().map(said).collect();
        insta::with_settings!({ snapshot_path => "../snapshots/problems", prepend_module_to_snapshot => false }, {
            insta::assert_json_snapshot!(name.trim_end_matches(".json"), said);
        });
    }
}

#[test]
fn every_code_is_said_in_both_languages_and_broken_by_a_fixture() {
    let codes = |language| SHOP.rulebook.explanations.codes(language).collect::<BTreeSet<_>>();
    assert_eq!(codes("en"), codes("fr"));
    let broken: BTreeSet<String> = fixtures("bad")
        .values()
        .flat_map(|bytes| problems(bytes))
        .map(|it| it.code.to_owned())
        .collect();
    // Broken by tests of their own: a size, a layout, a field of the schema that no fixture reaches.
    let elsewhere = [
        "json.too_large",
        "language.draft",
        "language.stale",
        "page.overflow",
        "page.too_many",
        "schema.other",
    ];
    let warnings = [
        "birth.age_uncertain",
        "foreigner_number.nine_digits",
        "language_training.fewer_hours",
        "option.unused",
        "weekly.holidays",
    ];
    let unbroken: Vec<_> = codes("en")
        .into_iter()
        .filter(|code| !broken.contains(*code) && !code.starts_with("rows."))
        .filter(|code| !elsewhere.contains(code) && !warnings.contains(code))
        .collect();
    assert!(unbroken.is_empty(), "no fixture breaks {unbroken:?}");
}

#[test]
fn a_sentence_leaves_no_placeholder_open() {
    for (name, bytes) in fixtures("bad") {
        for problem in problems(&bytes) {
            let text = said(&problem).to_string();
            let open =
                problem.values.iter().any(|(value, _)| text.contains(&format!("{{{value}}}")));
            assert!(!open, "{name}: {text}");
        }
    }
}

#[test]
fn ten_megabytes_are_refused_unread() {
    let bytes = vec![b' '; 10_000_000];
    assert_eq!(codes(&bytes), ["json.too_large"]);
}

#[test]
fn a_byte_order_mark_is_no_fault() {
    let bytes = [b"\xef\xbb\xbf", letter("fr").to_string().as_bytes()].concat();
    assert_eq!(codes(&bytes), [""; 0]);
}

#[test]
fn a_whole_number_may_have_a_fraction_of_zero() {
    let mut data = good("convocation/first-reception.json");
    data["photos"] = json!(3.0);
    assert!(SHOP.check(&data).is_ok());
    data["photos"] = json!(2.5);
    assert_eq!(SHOP.check(&data).unwrap_err()[0].code, "schema.type");
}

#[test]
fn warnings_do_not_refuse() {
    let mut data = letter("ar");
    data["applicant"]["foreigner_number"] = json!("690301234");
    let document = SHOP.check(&data).unwrap();
    assert_eq!(document.warnings()[0].code, "foreigner_number.nine_digits");
    assert_eq!(document.warnings()[0].severity, Severity::Warning);
}

#[test]
fn a_rule_of_practice_is_accepted_by_code_reason_and_name() {
    let mut data = letter("ar");
    data["appointment"]["sessions"] =
        json!([{ "date": "2026-03-05", "start": "09:00", "end": "10:00" }]);
    let refused = SHOP.check(&data).unwrap_err();
    assert_eq!(refused[0].code, "appointment.short_notice");
    data["accepted"] = json!([{
        "code": "appointment.short_notice",
        "reason": "La personne a demandé ce jour par téléphone.",
        "by": "Camille EXEMPLE",
    }]);
    let document = SHOP.check(&data).unwrap();
    assert_eq!(document.accepted()[0].code, "appointment.short_notice");
}

#[test]
fn the_answer_says_who_signs_and_why() {
    let parties = |name: &str| {
        let document = SHOP.check(&good(name)).unwrap();
        let party = |it: &paraphe::document::Party| (it.field, it.obligation, it.source.clone());
        document.parties().iter().map(party).collect::<Vec<_>>()
    };
    let minor = parties("cai/minor-seventeen-at-school.json");
    assert_eq!(minor[0].0, "applicant");
    assert_eq!(
        minor[1],
        ("representative", Obligation::Must, "L.311-9 al. 2; R.311-20".to_owned())
    );
    let family = parties("caif/spouse-french.json");
    assert!(family.iter().any(|it| it.1 == Obligation::Exempt && it.2.contains("R.311-30-12")));
    assert!(parties("convocation/first-medical-visit.json").is_empty());
}

/// The latest possible day of birth counts, so that nobody is made older than they may be.
#[test]
fn an_age_is_counted_from_the_latest_possible_birth() {
    let mut data = good("cai/minor-seventeen-at-school.json");
    data.as_object_mut().unwrap().remove("representative");
    for (birth, sound) in [("2008", false), ("2008-03", false), ("2008-02", true), ("2007", true)] {
        data["applicant"]["birth"]["date"] = json!(birth);
        data["signing"]["date"] = json!("2026-03-03");
        let result = SHOP.check(&data);
        let missing = |it: &Problem| it.code == "representative.missing";
        let asked = result.as_ref().err().is_some_and(|it| it.iter().any(missing));
        assert_eq!(asked, !sound, "{birth}: {result:#?}");
    }
}

/// Easter Sundays as the almanacs have them.
#[test]
fn easter_is_when_the_almanacs_say() {
    for day in [
        "1961-04-02",
        "2000-04-23",
        "2008-03-23",
        "2011-04-24",
        "2024-03-31",
        "2025-04-20",
        "2026-04-05",
        "2027-03-28",
        "2028-04-16",
        "2038-04-25",
        "2049-04-18",
        "2076-04-19",
    ] {
        let day: NaiveDate = day.parse().unwrap();
        assert_eq!(easter(day.format("%Y").to_string().parse().unwrap()), day);
    }
}

#[test]
fn holidays_are_those_of_the_territory() {
    let departments = &SHOP.rulebook.departments;
    let holiday = |postcode: &str, day: &str| {
        let department = departments.of_postcode(postcode).unwrap();
        departments.holiday(department, day.parse().unwrap()).is_some()
    };
    assert!(holiday("69003", "2026-04-06") && holiday("97400", "2026-04-06"), "Easter Monday");
    assert!(holiday("69003", "2026-05-14"), "Ascension");
    assert!(holiday("67000", "2026-04-03") && !holiday("69003", "2026-04-03"), "Good Friday");
    assert!(holiday("67000", "2026-12-26") && !holiday("75011", "2026-12-26"), "26 December");
    assert!(holiday("97400", "2026-12-20") && !holiday("97300", "2026-12-20"), "Réunion");
    assert!(holiday("97300", "2026-06-10") && !holiday("97200", "2026-06-10"), "Guyane");
    assert!(holiday("97150", "2026-05-28") && !holiday("97100", "2026-05-28"), "Saint-Martin");
}

#[test]
fn a_postcode_finds_its_department() {
    let code =
        |postcode: &str| SHOP.rulebook.departments.of_postcode(postcode).map(|it| it.code.clone());
    for (postcode, department) in [
        ("01000", "01"),
        ("75011", "75"),
        ("20000", "2A"),
        ("20200", "2B"),
        ("97133", "977"),
        ("97150", "978"),
        ("97110", "971"),
        ("97600", "976"),
    ] {
        assert_eq!(code(postcode).as_deref(), Some(department), "{postcode}");
    }
    assert_eq!(code("99000"), None);
}

/// An office counts the days by its own clock: in Cayenne it is still the day before.
#[test]
fn a_day_is_a_day_of_the_office() {
    let mut data = letter("ar");
    data["appointment"]["sessions"] =
        json!([{ "date": "2026-03-16", "start": "09:00", "end": "10:00" }]);
    let check = |at: &str| {
        let at: DateTime<Utc> = at.parse().unwrap();
        Document::check(data.to_string().as_bytes(), &SHOP.rulebook, at)
    };
    // In Paris the sixteenth begins at 23:00 UTC of the fifteenth.
    let late = check("2026-03-15T22:59:00Z").unwrap_err();
    assert_eq!(late[0].code, "appointment.short_notice");
    assert_eq!(check("2026-03-15T23:00:00Z").unwrap_err()[0].code, "appointment.past");
}

#[test]
fn examples_are_sound_on_every_day_of_two_years() {
    let assets = Assets::embedded();
    let examples: Vec<_> = assets.list("templates/examples/", ".json.j2").map(|it| it.0).collect();
    assert!(examples.len() >= Kind::ALL.len());
    let step = u64::from(count(11, 1));
    let mut day = at();
    let end = at() + Days::new(730);
    while day < end {
        for path in &examples {
            let data = example(path, &assets, &SHOP.rulebook, day).unwrap();
            if let Err(problems) = Document::check(data.as_bytes(), &SHOP.rulebook, day) {
                panic!("{path} at {day}: {problems:#?}");
            }
        }
        day = day + Days::new(step);
    }
}

/// A course is said to last from its first session to its last, whatever days bound its pattern; the calendar runs as
/// the person will live it.
#[test]
fn the_calendar_says_the_days_on_which_one_is_expected() {
    let mut data = good("cai/longest-course.json"); // from a Monday to a Thursday
    let rows = |data: &Value| {
        let content = json!(SHOP.check(data).unwrap().content(&SHOP.rulebook));
        content["calendar"].as_array().unwrap().clone()
    };
    let before = rows(&data);
    let steps = before.iter().map(|it| it["label"].as_str().unwrap().split('.').nth(1).unwrap());
    let visits = ["medical_visit", "language_assessment", "individual_interview"];
    let trainings = ["civic_training", "skills_review", "language_training"];
    assert!(steps.eq([visits, trainings].concat()), "{before:#?}");
    let course = &mut data["trainings"]["language_training"]["appointment"]["weekly"];
    (course["first"], course["last"]) = (json!("2026-08-30"), json!("2027-02-28"));
    assert_eq!(rows(&data), before);
}

#[test]
fn the_digest_does_not_depend_on_the_order_of_keys() {
    let data = letter("ar");
    let mut entries: Vec<_> = data.as_object().unwrap().clone().into_iter().collect();
    entries.reverse();
    let reversed: Value = entries.into_iter().collect::<serde_json::Map<_, _>>().into();
    assert_ne!(data.to_string(), reversed.to_string());
    let digest = |data: &Value| SHOP.check(data).unwrap().digest();
    assert_eq!(digest(&data), digest(&reversed));
}

#[test]
fn no_field_takes_a_health_result() {
    for kind in Kind::ALL {
        let schema = SHOP.rulebook.schemas.get(kind).to_string().to_lowercase();
        for word in ["pregnan", "disease", "diagnos", "result", "blood", "tubercul"] {
            assert!(!schema.contains(word), "{}: {word}", kind.name());
        }
    }
    assert!(source("src/document/input.rs").contains("No field takes a health result"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: count(300, 20_000), ..ProptestConfig::default() })]

    /// Whatever stands where: an answer, never a panic.
    #[test]
    fn no_data_makes_it_panic(
        fixture in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        replacement in replacement(),
    ) {
        let fixtures: Vec<_> = fixtures("good").into_values().collect();
        let fixture: &Vec<u8> = fixture.get(&fixtures);
        let mut data: Value = serde_json::from_slice(fixture).unwrap();
        let mut pointers = Vec::new();
        collect_pointers(&data, String::new(), &mut pointers);
        let place: &String = place.get(&pointers);
        *data.pointer_mut(place).unwrap() = replacement;
        if let Ok(document) = SHOP.check(&data) {
            let _ = SHOP.try_render(&document);
        }
    }

    /// Whatever the bytes: an answer, never a panic.
    #[test]
    fn no_bytes_make_it_panic(
        fixture in any::<prop::sample::Index>(),
        at_byte in any::<prop::sample::Index>(),
        insert in prop::collection::vec(any::<u8>(), 0..8),
        cut in 0_usize..8,
    ) {
        let fixtures: Vec<_> = fixtures("good").into_values().collect();
        let fixture: &Vec<u8> = fixture.get(&fixtures);
        let mut bytes = fixture.clone();
        let start = at_byte.index(bytes.len());
        let end = (start + cut).min(bytes.len());
        bytes.splice(start..end, insert);
        let _ = Document::check(&bytes, &SHOP.rulebook, at());
    }
}

/// Values that programs send by mistake.
fn replacement() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,90}".prop_map(Value::from),
        "[0-9]{4}-[0-9]{2}-[0-9]{2}".prop_map(Value::from),
        "[0-9]{2}:[0-9]{2}".prop_map(Value::from),
        "(19|20)[0-9]{2}(-[01][0-9])?".prop_map(Value::from),
        prop::sample::select(vec!["fr", "en", "ar", "first", "missed", "moved", "reception"])
            .prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
    ]
}

fn collect_pointers(value: &Value, pointer: String, pointers: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect_pointers(item, format!("{pointer}/{index}"), pointers);
            }
        }
        Value::Object(entries) => {
            for (key, item) in entries {
                collect_pointers(item, format!("{pointer}/{key}"), pointers);
            }
        }
        _ => {}
    }
    pointers.push(pointer);
}

/// What refuses bytes, be it found by the rules or by the glyphs of the page.
fn problems(bytes: &[u8]) -> Vec<Problem> {
    match Document::check(bytes, &SHOP.rulebook, at()) {
        Err(problems) => problems.into_iter().filter(|it| it.severity.refuses()).collect(),
        Ok(document) => match SHOP.try_render(&document) {
            Err(paraphe::render::RenderError::Data(problems)) => problems,
            Err(error) => panic!("{error}"),
            Ok(_) => Vec::new(),
        },
    }
}

fn codes(bytes: &[u8]) -> Vec<&'static str> {
    problems(bytes).iter().map(|it| it.code).collect()
}

/// A problem as `check --json` says it.
fn said(problem: &Problem) -> Value {
    let explanations = &SHOP.rulebook.explanations;
    json!({
        "pointer": problem.pointer,
        "code": problem.code,
        "severity": problem.severity,
        "en": explanations.explain(problem, "en"),
        "fr": explanations.explain(problem, "fr"),
    })
}
