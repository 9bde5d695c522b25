//! The verbs of a merge as an office uses them: test mail, schedule, pause, cancel, envelopes that came back.

use std::path::{Path, PathBuf};
use std::process::Output;

use super::list;
use crate::harness::paraphe;

/// A place to work in: trial settings, and the list.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new(rows: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("data = \"{}\"\n", folder.path().display());
        std::fs::write(folder.path().join("paraphe.toml"), text).unwrap();
        std::fs::write(folder.path().join("list.csv"), rows).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a verb at the moment of the fixtures.
    fn run(&self, args: &[&str]) -> Output {
        let config = self.path("paraphe.toml");
        let at = ["--config", config.to_str().unwrap(), "--at", "2026-03-02T09:00:00+01:00"];
        paraphe(&[args, &at].concat())
    }

    /// What a verb that works says.
    fn said(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The one merge there is.
    fn merge(&self) -> String {
        let all = self.said(&["merges", "list"]);
        assert_eq!(all.lines().count(), 1, "{all}");
        all.split(' ').next().unwrap().to_owned()
    }

    fn mails(&self) -> Vec<String> {
        mails(&self.path("mail"))
    }
}

fn mails(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.map(|it| std::fs::read_to_string(it.unwrap().path()).unwrap()).collect()
}

/// A pattern that names two letters alike, or a place elsewhere, takes no letter away.
#[test]
fn files_have_names_of_their_own_and_stay_in_their_folder() {
    let desk = Desk::new(&list(4));
    let (rows, out) = (desk.path("list.csv"), desk.path("out/of"));
    let named = |pattern: &str| {
        desk.run(&[
            "merge",
            rows.to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
            "--names",
            pattern,
        ])
    };
    for (pattern, why) in
        [("{language}.pdf", "a name of its own"), ("{row}{person}.pdf", "the names are {row}")]
    {
        let refused = named(pattern);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(64), "{said}");
        assert!(said.contains(why), "{said}");
    }
    assert!(!out.exists());
    let done = named("../../{row}/\u{202e}..\\{reference}.pdf");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let mut names: Vec<_> = std::fs::read_dir(&out)
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let wanted = (0..4).map(|it| format!("-..-{}--..-CV-{it:05}.pdf", it + 2));
    assert_eq!(names, wanted.collect::<Vec<_>>());
    assert_eq!(std::fs::read_dir(desk.path("out")).unwrap().count(), 1);
}

#[test]
fn a_test_mail_goes_to_whoever_asks_and_to_nobody_else() {
    let desk = Desk::new(&list(12));
    let rows = desk.path("list.csv");
    let rows = rows.to_str().unwrap();
    let said = desk.said(&["merge", rows, "--test-mail", "camille@office.example", "--proof", "4"]);
    assert!(said.contains("to camille@office.example"), "{said}");
    let mails = desk.mails();
    assert_eq!(mails.len(), 4);
    for it in &mails {
        assert!(it.contains("To: camille@office.example"), "{it}");
        assert!(
            it.contains("Subject: [TEST]") || it.contains("Subject: =?utf-8?b?W1RFU1Rd"),
            "{it}"
        );
        assert!(!it.contains("specimen@example.org"), "{it}");
        assert!(it.contains("application/pdf"));
    }
    assert_eq!(desk.said(&["merges", "list"]), "", "nothing is issued");
    assert_eq!(desk.said(&["deliveries", "list"]), "", "nothing is recorded");
    let nobody = desk.run(&["merge", rows, "--test-mail", "camille"]);
    assert_eq!(nobody.status.code(), Some(65), "{}", String::from_utf8_lossy(&nobody.stderr));
    let both = desk.run(&["merge", rows, "--test-mail", "a@b.example", "--send"]);
    assert_eq!(both.status.code(), Some(64));
}

#[test]
fn a_merge_is_scheduled_paused_resumed_and_cancelled() {
    let desk = Desk::new(&list(9));
    let rows = desk.path("list.csv");
    let later = "2999-01-01T08:00:00+01:00";
    // It is sent when its time comes, not before.
    let said = desk.said(&["merge", rows.to_str().unwrap(), "--not-before", later, "--send"]);
    assert!(said.contains("9 issued") && said.contains("6 mails waiting"), "{said}");
    assert!(desk.mails().is_empty());
    let id = desk.merge();
    assert!(desk.said(&["merges", "pause", &id]).contains("list.csv, paused"));
    assert!(desk.said(&["merges", "resume", &id]).contains("9 issued"));
    let ended = desk.said(&["merges", "cancel", &id]);
    assert!(ended.contains("cancelled") && ended.contains("6 mails cancelled"), "{ended}");
    let again = desk.run(&["merges", "pause", &id]);
    assert_eq!(again.status.code(), Some(65), "{}", String::from_utf8_lossy(&again.stderr));
    let unknown = desk.run(&["merges", "show", "019cad8f-ac00-7ba5-93dc-ca2559f23dba"]);
    assert_eq!(unknown.status.code(), Some(65));
}

#[test]
fn a_session_and_an_envelope_at_the_command_line() {
    let desk = Desk::new(&list(9));
    let rows = desk.path("list.csv");
    let run = desk.path("run.pdf");
    let (rows, run) = (rows.to_str().unwrap(), run.to_str().unwrap());
    desk.said(&["merge", rows, "--print", run]);
    assert!(desk.path("run.pdf").exists() && desk.path("run.csv").exists());
    let again = desk.path("again.pdf");
    let (id, again) = (desk.merge(), again.to_str().unwrap());
    let said = desk.said(&["merges", "print", &id, "-o", again, "--sheets", "2-2"]);
    assert!(said.contains("3 envelopes, 3 sheets") && desk.path("again.pdf").exists(), "{said}");
    let none = desk.run(&["merges", "print", &id, "-o", again, "--sheets", "9"]);
    assert_eq!(none.status.code(), Some(64));
    let eight = "medical_visit 2026-03-23 08:00";
    let checked = desk.said(&["merge", "--again", "cancelled", "--session", eight, "--dry-run"]);
    assert!(checked.contains("2 convened") && checked.contains("2 sound"), "{checked}");
    let moved = ["merge", "--again", "moved", "--session", eight];
    assert_eq!(desk.run(&moved).status.code(), Some(64), "where to");
    let done = desk.said(&[&moved[..], &["--to", "2026-03-30 10:00"]].concat());
    assert!(done.contains("2 issued"), "{done}");
    let again = desk.run(&[&moved[..], &["--to", "2026-03-30 10:00"]].concat());
    assert_eq!(again.status.code(), Some(65));
    let sunday = ["merge", "--again", "moved", "--session", "medical_visit 2026-03-30 10:00"];
    let sunday = desk.run(&[&sunday[..], &["--to", "2026-03-29"]].concat());
    assert_eq!(sunday.status.code(), Some(65), "the rules hold for a session too");
    let said = desk.run(&["returned", "C3A3517F 1 1/1 CV-00003", "CV-4711"]);
    assert_eq!(said.status.code(), Some(65));
    assert!(String::from_utf8_lossy(&said.stdout).contains("CV-00003: the address is marked"));
    assert!(String::from_utf8_lossy(&said.stderr).contains("CV-4711: no letter"));
}

#[test]
fn a_mapping_file_says_what_headers_stand_for() {
    let desk = Desk::new(&list(2).replace("Ville;", "Localité;"));
    let (rows, map) = (desk.path("list.csv"), desk.path("columns.toml"));
    let check = |map: &Path| {
        let map = map.to_str().unwrap();
        desk.run(&["merge", rows.to_str().unwrap(), "--dry-run", "--columns", map])
    };
    std::fs::write(&map, "\"Localité\" = \"Ville\"\n").unwrap();
    assert_eq!(check(&map).status.code(), Some(0));
    std::fs::write(&map, "\"Localité\" = \n").unwrap();
    let wrong = check(&map);
    assert_eq!(wrong.status.code(), Some(64));
    assert!(
        String::from_utf8_lossy(&wrong.stderr).contains("columns.toml: TOML parse error at line 1")
    );
    std::fs::write(&map, "").unwrap();
    assert_eq!(check(&map).status.code(), Some(65));
}
