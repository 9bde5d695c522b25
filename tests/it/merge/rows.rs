//! Reading: what a file of rows is taken for, what is undone and what is refused.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Cursor, Write};

use paraphe::document::example;
use paraphe::merge::preflight::{Acceptance, PreflightOptions};
use paraphe::merge::rows::{RowOptions, read};
use paraphe::merge::{MergeError, template};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{COLUMNS, check, file, files, findings, inputs, list, options};
use crate::harness::{SHOP, at, count};

#[test]
fn good_files_are_read_whole() {
    for (name, path) in files("good") {
        let (found, sound) = check(File::open(&path).unwrap(), &options()).unwrap();
        assert!(found.is_sound(), "{name}: {:#?}", found.findings);
        let warned: Vec<_> =
            found.findings.iter().filter(|it| it.problem.code != "weekly.holidays").collect();
        assert!(warned.is_empty(), "{name}: {warned:#?}");
        let read = json!({ "form": found.reading, "letters": inputs(&sound) });
        insta::with_settings!({ snapshot_path => "../../snapshots/rows/good", prepend_module_to_snapshot => false }, {
            insta::assert_json_snapshot!(name, read);
        });
    }
}

/// Separator, encoding, mark, ends of lines and blank lines make no difference.
#[test]
fn the_same_list_in_every_form_gives_the_same_letters() {
    let letters = |name: &str| {
        let (_, sound) = check(File::open(&files("good")[name]).unwrap(), &options()).unwrap();
        inputs(&sound)
    };
    let first = letters("semicolons.csv");
    for other in [
        "commas.csv",
        "tabs-utf-16.csv",
        "mark.csv",
        "windows-1252.csv",
        "old-mac-lines.csv",
        "told-separator.csv",
        "blank-lines.csv",
        "columns-of-their-own.csv",
        "typed.xlsx",
        "libreoffice.xlsx",
        "second-sheet-empty.xlsx",
        "hidden-list.xlsx",
        "gaps.xlsx",
    ] {
        let mut letters = letters(other);
        // A typed date of birth and a typed number say the same in other words.
        letters.iter_mut().for_each(|it| it["applicant"]["birth"]["date"] = json!("1992-04-17"));
        let mut first = first.clone();
        first.iter_mut().for_each(|it| it["applicant"]["birth"]["date"] = json!("1992-04-17"));
        assert_eq!(letters, first, "{other}");
    }
}

#[test]
fn bad_files_are_refused_with_row_and_column() {
    for (name, path) in files("bad") {
        let findings = findings(File::open(&path).unwrap(), &PreflightOptions::default());
        assert!(findings.iter().any(|it| it.problem.severity.refuses()), "{name} is taken");
        let said: Vec<Value> = findings
            .iter()
            .map(|it| {
                let say = |language| SHOP.rulebook.explanations.explain(&it.problem, language);
                json!({
                    "cell": it.cell(),
                    "column": it.header,
                    "code": it.problem.code,
                    "severity": it.problem.severity,
                    "fr": say("fr"),
                    "en": say("en"),
                })
            })
            .collect();
        insta::with_settings!({ snapshot_path => "../../snapshots/rows/bad", prepend_module_to_snapshot => false }, {
            insta::assert_json_snapshot!(name, said);
        });
    }
}

#[test]
fn every_code_of_rows_is_broken_by_a_file() {
    let broken: BTreeSet<&str> = files("bad")
        .values()
        .flat_map(|path| findings(File::open(path).unwrap(), &PreflightOptions::default()))
        .map(|it| it.problem.code)
        .collect();
    // Broken by tests of their own.
    let elsewhere = [
        "rows.address_bounced",
        "rows.address_returned",
        "rows.course_moves_by_weeks",
        "rows.issued_before",
        "rows.reference_used",
        "rows.line_too_long",
        "rows.no_sheet",
        "rows.not_a_letter",
        "rows.too_big",
        "rows.too_many_rows",
        "rows.zero_restored",
    ];
    let codes = SHOP.rulebook.explanations.codes("fr").filter(|it| it.starts_with("rows."));
    let unbroken: Vec<_> =
        codes.filter(|it| !broken.contains(it) && !elsewhere.contains(it)).collect();
    assert!(unbroken.is_empty(), "no file breaks {unbroken:?}");
}

#[test]
fn a_lost_zero_comes_back_only_when_somebody_answers_for_it() {
    let list = list(1).replace("69003", "1000");
    let zero = findings(file(list.as_bytes()), &options());
    assert_eq!(zero[0].problem.code, "rows.leading_zero");
    let (code, reason, by) = ("rows.leading_zero", "liste du département 01", "C. EXEMPLE");
    let accepted = vec![Acceptance { code: code.into(), reason: reason.into(), by: by.into() }];
    let (found, sound) =
        check(file(list.as_bytes()), &PreflightOptions { accepted, ..options() }).unwrap();
    assert_eq!(inputs(&sound)[0]["applicant"]["address"]["postcode"], "01000");
    assert_eq!(found.findings[0].problem.code, "rows.zero_restored");
    assert_eq!(found.findings[0].cell(), "K2");
}

#[test]
fn a_contract_is_no_row() {
    let contract = crate::harness::good("cai/level-reached-french-only.json").to_string();
    let found = findings(file(contract.as_bytes()), &PreflightOptions::default());
    assert!(found.iter().any(|it| it.problem.code == "rows.not_a_letter"), "{found:#?}");
}

#[test]
fn a_sheet_is_chosen_by_name() {
    let path = &files("bad")["several-sheets.xlsx"];
    let with = |name: &str| {
        let rows = RowOptions { sheet: Some(name.to_owned()), ..RowOptions::default() };
        findings(File::open(path).unwrap(), &PreflightOptions { rows, ..Default::default() })
    };
    assert!(with("Sheet").is_empty());
    assert_eq!(with("Feuil3")[0].problem.code, "rows.no_sheet");
}

#[test]
fn a_header_of_an_office_stands_for_a_known_one() {
    let list = list(1).replace("Ville;", "Localité;").replace("Dossier;", "Service;Dossier;");
    let list = list.replace(";D-0;", ";Accueil;D-0;");
    let aliases = [("localite", "Ville"), ("Service", "")];
    let aliases = aliases.map(|(name, it)| (name.to_owned(), it.to_owned())).into();
    let rows = RowOptions { aliases, ..RowOptions::default() };
    let (found, sound) =
        check(file(list.as_bytes()), &PreflightOptions { rows, ..Default::default() }).unwrap();
    assert_eq!(inputs(&sound)[0]["applicant"]["address"]["town"], "Lyon");
    assert_eq!(found.reading.ignored, ["Service"]);
}

#[test]
fn letters_without_email_bear_the_day_they_are_posted() {
    let rows = RowOptions { posted_on: "2026-03-04".parse().ok(), ..RowOptions::default() };
    let (_, sound) =
        check(file(list(2).as_bytes()), &PreflightOptions { rows, ..Default::default() }).unwrap();
    let sent: Vec<_> = inputs(&sound).iter().map(|it| it["sent_on"].clone()).collect();
    assert_eq!(sent, [json!("2026-03-04"), Value::Null]);
}

/// What `schema convocation --csv` and `--xlsx` give is a list that can leave, today and in a year.
#[test]
fn the_template_can_leave() {
    for days in [0, 40, 200, 366] {
        let at = at() + chrono::TimeDelta::days(days);
        let assets = paraphe::assets::Assets::embedded();
        let path = "templates/examples/convocation.json.j2";
        let data = example(path, &assets, &SHOP.rulebook, at).unwrap();
        let data: Value = serde_json::from_str(&data).unwrap();
        let csv = template::csv(&COLUMNS, &data).into_bytes();
        for bytes in [csv, template::xlsx(&COLUMNS, &data).unwrap()] {
            let mut read_back = Vec::new();
            let mut take = |row: paraphe::merge::rows::Row| {
                read_back
                    .push((serde_json::from_slice::<Value>(&row.input).unwrap(), row.findings));
                true
            };
            read(file(&bytes), &COLUMNS, &RowOptions::default(), &mut take).unwrap();
            assert_eq!(read_back, [(data.clone(), Vec::new())]);
        }
    }
}

#[test]
fn a_line_without_end_is_refused_in_bounded_memory() {
    for quote in ["", "\""] {
        let mut text = list(2);
        text.push_str(quote);
        text.push_str(&"a".repeat(3_000_000));
        let found = findings(file(text.as_bytes()), &options());
        assert_eq!(found[0].problem.code, "rows.line_too_long");
        assert_eq!(found[0].row, Some(4));
    }
    let lines = format!("{{\"a\": \"{}\"}}", "a".repeat(3_000_000));
    assert_eq!(findings(file(lines.as_bytes()), &options())[0].problem.code, "rows.line_too_long");
}

#[test]
fn more_rows_than_allowed_are_refused() {
    let mut text = String::from("Nom;Prénoms\n");
    text.push_str(&"A;B\n".repeat(200_001));
    let result = read(file(text.as_bytes()), &COLUMNS, &RowOptions::default(), &mut |_| true);
    let Err(MergeError::Refused(it)) = result else { panic!("{result:?}") };
    assert_eq!((it.problem.code, it.row), ("rows.too_many_rows", Some(200_002)));
}

/// 200 MB of spaces in 200 kB: its header may say what it wants.
#[test]
fn a_workbook_that_unpacks_without_end_is_refused() {
    let whole = std::fs::read(&files("good")["typed.xlsx"]).unwrap();
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let mut parts = zip::ZipArchive::new(Cursor::new(whole)).unwrap();
    for index in 0..parts.len() {
        archive.raw_copy_file(parts.by_index(index).unwrap()).unwrap();
    }
    archive.start_file("xl/media/bomb.xml", zip::write::SimpleFileOptions::default()).unwrap();
    for _ in 0..200 {
        archive.write_all(&[b' '; 1_000_000]).unwrap();
    }
    let bomb = archive.finish().unwrap().into_inner();
    assert!(bomb.len() < 1_000_000);
    assert_eq!(findings(file(&bomb), &options())[0].problem.code, "rows.too_big");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(count(200, 20_000)))]

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, head in 0..5_usize) {
        let heads: [&[u8]; 5] = [b"", b"PK\x03\x04", b"{", b"\xFF\xFE", "Nom;Date;Début;CP\n".as_bytes()];
        let _ = read(file(&[heads[head], &bytes].concat()), &COLUMNS, &RowOptions::default(), &mut |_| true);
    }

    /// Cells of every column, with what people and spreadsheets write.
    #[test]
    fn no_cell_makes_it_panic(cell in r"[0-9/:hEe+.,' \-=#àé\u{a0}]{0,12}|\PC{0,30}") {
        let names: Vec<String> = COLUMNS.columns.iter().map(|it| it.header(0)).collect();
        let cells = vec![format!("\"{}\"", cell.replace('"', "\"\"")); names.len()];
        let text = format!("{}\n{}\n", names.join(";"), cells.join(";"));
        let _ = findings(file(text.as_bytes()), &PreflightOptions::default());
    }

    /// A byte of a sound file changed, or its end cut off.
    #[test]
    fn no_damage_makes_it_panic(at: prop::sample::Index, byte: u8, cut: bool, which: prop::sample::Index) {
        let all = files("good");
        let mut bytes = std::fs::read(which.get(&all.values().collect::<Vec<_>>())).unwrap();
        let place = at.index(bytes.len());
        if cut { bytes.truncate(place) } else { bytes[place] = byte }
        let _ = read(file(&bytes), &COLUMNS, &RowOptions::default(), &mut |_| true);
    }
}
