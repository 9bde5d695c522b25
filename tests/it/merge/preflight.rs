//! Preflight: every row judged, each in its place, and the table back with what is wrong.

use std::fs::File;

use paraphe::assets::Assets;
use paraphe::merge::preflight::{Acceptance, PreflightOptions};
use paraphe::merge::rows::RowOptions;
use paraphe::merge::{report, workbook};

use super::{COLUMNS, check, file, files, findings, inputs, list, options};
use crate::harness::{SHOP, at, paraphe};

/// Threads, blocks and groups change nothing: the rows come in the order of the file.
#[test]
fn the_order_is_that_of_the_file_on_any_number_of_threads() {
    let list = list(40);
    let rows = |threads| {
        let options = PreflightOptions { threads, ..options() };
        let (found, sound) = check(file(list.as_bytes()), &options).unwrap();
        assert!(found.is_sound(), "{:#?}", found.findings);
        sound.iter().map(|it| it.row).collect::<Vec<_>>()
    };
    assert_eq!(rows(1), (2..42).collect::<Vec<_>>());
    assert_eq!(rows(4), rows(1));
}

#[test]
fn a_list_is_counted() {
    let (found, _) = check(file(list(12).as_bytes()), &options()).unwrap();
    assert_eq!((found.sound, found.email, found.post), (12, 8, 4));
    assert_eq!(found.pages, 3 + 9 * 2);
    assert_eq!(found.languages.values().sum::<u64>(), 12);
    assert_eq!(found.drafts.len(), found.languages.len());
}

#[test]
fn a_rule_of_practice_is_set_aside_for_the_whole_list_with_reason_and_name() {
    let path = &files("bad")["room-too-small.csv"];
    let late = list(3).replace("23/03/2026", "09/03/2026");
    for (code, list) in [
        ("rows.room_full", std::fs::read(path).unwrap()),
        ("appointment.short_notice", late.into_bytes()),
    ] {
        assert!(!check(file(&list), &options()).unwrap().0.is_sound());
        let accepted = vec![Acceptance {
            code: code.to_owned(),
            reason: "salle voisine ouverte".to_owned(),
            by: "C. EXEMPLE".to_owned(),
        }];
        let (found, sound) =
            check(file(&list), &PreflightOptions { accepted, ..options() }).unwrap();
        assert!(found.is_sound(), "{:#?}", found.findings);
        assert!(found.accepted[code] > 0);
        if code == "appointment.short_notice" {
            assert_eq!(inputs(&sound)[0]["accepted"][0]["by"], "C. EXEMPLE");
        }
    }
}

/// A column that a list lacks is said once, and every row is at fault.
#[test]
fn a_missing_column_is_said_once() {
    let list = list(5).replace("Code postal;", "Notes;");
    let (found, _) = check(file(list.as_bytes()), &options()).unwrap();
    assert_eq!(found.faulty.len(), 5);
    let said: Vec<_> = found.findings.iter().map(|it| (it.row, it.header.as_str())).collect();
    assert_eq!(said, [(Some(2), "Code postal")]);
}

/// The file that comes back is taken as it is: same letters, same problems at the same cells.
#[test]
fn the_marked_file_is_taken_again() {
    let said = (&SHOP.rulebook.explanations, "fr");
    for name in [
        "good/typed.xlsx",
        "good/semicolons.csv",
        "good/blank-lines.csv",
        "good/gaps.xlsx",
        "bad/numbers-for-texts.xlsx",
        "bad/same-person.csv",
        "bad/total.csv",
        "bad/step-misspelt.csv",
    ] {
        let (folder, file_name) = name.split_once('/').unwrap();
        let path = &files(folder)[file_name];
        let open = || File::open(path).unwrap();
        let (found, sound) = check(open(), &options()).unwrap();
        let rows = RowOptions::default();
        let marked = workbook::marked(open(), &COLUMNS, &rows, &found.findings, None, said);
        let marked = marked.unwrap().unwrap();
        let (again, same) = check(file(&marked.bytes), &options()).unwrap();
        assert_eq!(inputs(&same), inputs(&sound), "{name}");
        assert_eq!(again.findings, found.findings, "{name}");
        // And once more: the column of problems is used again, not doubled.
        let twice =
            workbook::marked(file(&marked.bytes), &COLUMNS, &rows, &again.findings, None, said);
        let (last, _) = check(file(&twice.unwrap().unwrap().bytes), &options()).unwrap();
        assert_eq!(last.reading, again.reading, "{name}");
    }
}

#[test]
fn the_rows_passed_over_come_back_alone() {
    let path = &files("bad")["same-person.csv"];
    let open = || File::open(path).unwrap();
    let (found, _) = check(open(), &options()).unwrap();
    let faulty = |row: u64| found.faulty.contains(&row);
    let said = (&SHOP.rulebook.explanations, "fr");
    let rows = RowOptions::default();
    let skipped =
        workbook::marked(open(), &COLUMNS, &rows, &found.findings, Some(&faulty), said).unwrap();
    let (again, _) = check(file(&skipped.unwrap().bytes), &options()).unwrap();
    assert_eq!(again.reading.rows, found.faulty.len() as u64);
}

/// A cell that a spreadsheet would obey is written with an apostrophe.
#[test]
fn reports_hold_no_formula() {
    let found = findings(File::open(&files("bad")["formula.csv"]).unwrap(), &options());
    let said = report::say(&found, &SHOP.rulebook, "fr");
    let csv = report::csv(&said);
    assert!(!csv.split(['\n', ';']).any(|it| it.starts_with(['=', '+', '-', '@'])), "{csv}");
    let rows = RowOptions::default();
    let words = (&SHOP.rulebook.explanations, "fr");
    let marked = workbook::marked(
        File::open(&files("bad")["formula.csv"]).unwrap(),
        &COLUMNS,
        &rows,
        &found,
        None,
        words,
    );
    let text = String::from_utf8(marked.unwrap().unwrap().bytes).unwrap();
    assert!(text.contains(";'=1+1;"), "{text}");
}

#[test]
fn the_page_says_everything_and_escapes_it() {
    let list =
        list(3).replace("1 rue des Lilas", "<script>alert(1)</script> 1 rue des Lilas, Résidence");
    let (found, _) = check(file(list.as_bytes()), &options()).unwrap();
    let assets = Assets::embedded();
    let page = |name: &str| {
        report::html(&found, (name, "02/03/2026"), &[], &assets, &SHOP.rulebook).unwrap()
    };
    let page = page("<b>liste</b>.csv");
    assert!(page.contains("1 ligne est à corriger") && page.contains("J3"), "{page}");
    assert!(!page.contains("<script>") && !page.contains("<b>"), "{page}");
}

/// The door: 0 when all can leave, 65 when a row cannot, and the reports beside.
#[test]
fn the_verb_checks_a_list_and_writes_what_it_found() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let at = at().to_rfc3339();
    let run = |name: &str, folder: &str| {
        let path = files(folder)[name].clone();
        paraphe(&["merge", path.to_str().unwrap(), "--dry-run", "--at", &at, "--report", out])
    };
    assert_eq!(run("typed.xlsx", "good").status.code(), Some(0));
    let bad = run("numbers-for-texts.xlsx", "bad");
    assert_eq!(bad.status.code(), Some(65));
    assert!(String::from_utf8_lossy(&bad.stderr).contains("L2 Code postal"));
    for file in ["preflight.html", "preflight.json", "problems.csv", "marked.xlsx"] {
        assert!(folder.path().join(file).exists(), "{file}");
    }
    assert_eq!(run("empty.csv", "bad").status.code(), Some(65));
}
