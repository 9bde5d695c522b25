//! The command line as its users have it: answers, exit codes, files whole or not at all.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use serde_json::{Value, json};

use crate::harness::{free_port, good, letter, overlay, paraphe, source};

const AT: &str = "2026-03-02T09:00:00+01:00";

#[test]
fn demo_makes_documents_beside_their_data() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("demo");
    let output = paraphe(&["demo", "--at", AT, "--out", out.to_str().unwrap()]);
    assert_eq!(code(&output), 0, "{}", errors(&output));
    for name in ["cai", "caif", "convocation"] {
        assert!(fs::read(out.join(format!("{name}.pdf"))).unwrap().starts_with(b"%PDF-1.7"));
        let data = out.join(format!("{name}.json"));
        assert_eq!(code(&paraphe(&["check", data.to_str().unwrap(), "--at", AT])), 0);
    }
    assert!(text(&output).contains("documents"));
}

#[test]
fn check_says_place_rule_and_cure() {
    let mut data = letter("ar");
    data["appointment"]["sessions"][0]["date"] = json!("2026-04-06");
    let file = written(&data.to_string());
    let path = file.path().to_str().unwrap();
    let output = paraphe(&["check", path, "--at", AT]);
    assert_eq!(code(&output), 65);
    let said = errors(&output);
    assert!(said.contains("error at /appointment/sessions/0/date"), "{said}");
    assert!(said.contains("[day.holiday]"), "{said}");
    let french = errors(&paraphe(&["check", path, "--at", AT, "--messages", "fr"]));
    assert!(french.contains("férié"), "{french}");
    let output = paraphe(&["check", path, "--at", AT, "--json"]);
    let report: Value = serde_json::from_str(&text(&output)).unwrap();
    assert_eq!(report[0]["problems"][0]["code"], "day.holiday");
    assert_eq!(report[0]["problems"][0]["pointer"], "/appointment/sessions/0/date");
}

/// What a file says is shown to a terminal, not obeyed by it.
#[test]
fn a_terminal_does_not_obey_the_data() {
    let mut data = letter("fr");
    data["\u{1b}[31mred"] = json!(1);
    let file = written(&data.to_string());
    let output = paraphe(&["check", file.path().to_str().unwrap(), "--at", AT]);
    assert_eq!(code(&output), 65);
    assert!(!errors(&output).contains('\u{1b}'), "{}", errors(&output));
    assert!(errors(&output).contains("\\u{1b}[31mred"), "{}", errors(&output));
}

#[test]
fn check_says_who_signs_and_where_it_goes() {
    let file = written(&good("cai/minor-seventeen-at-school.json").to_string());
    let output = paraphe(&["check", file.path().to_str().unwrap(), "--at", AT]);
    assert!(
        text(&output).contains("representative must   (L.311-9 al. 2; R.311-20)"),
        "{}",
        text(&output)
    );
}

#[test]
fn render_writes_the_file_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let sound = written(&letter("ar").to_string());
    let faulty = written("{\"kind\": \"cai\"");
    let out = folder.path().join("out.pdf");
    let render = |file: &tempfile::NamedTempFile, out: &str| {
        paraphe(&["render", file.path().to_str().unwrap(), "-o", out, "--at", AT])
    };
    assert_eq!(code(&render(&faulty, out.to_str().unwrap())), 65);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
    assert_eq!(code(&render(&sound, out.to_str().unwrap())), 0);
    assert!(fs::read(&out).unwrap().starts_with(b"%PDF"));
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let nowhere = render(&sound, "/nonexistent/folder/out.pdf");
    assert_eq!(code(&nowhere), 74);
    assert!(errors(&nowhere).contains("/nonexistent/folder/out.pdf"));
    let taken = folder.path().join("taken");
    fs::create_dir_all(taken.join("inner")).unwrap();
    assert_eq!(code(&render(&sound, taken.to_str().unwrap())), 74, "a folder stands there");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_full_disk_leaves_nothing() {
    let sound = written(&letter("ar").to_string());
    let output =
        paraphe(&["render", sound.path().to_str().unwrap(), "-o", "/proc/out.pdf", "--at", AT]);
    assert_eq!(code(&output), 74, "{}", errors(&output));
}

/// Database or files out of reach, or no room left: nothing is kept by half, and the same command does it later.
#[test]
fn what_cannot_be_kept_now_is_75_and_kept_later() {
    let folder = tempfile::tempdir().unwrap();
    let (data, settings) = (folder.path().join("data"), folder.path().join("settings.toml"));
    let letter = folder.path().join("letter.json");
    fs::write(&letter, paraphe(&["schema", "convocation", "--example"]).stdout).unwrap();
    fs::write(folder.path().join("secret"), "secret").unwrap();
    let issue = |limit: &str, more: &str| {
        fs::write(&settings, format!("data = {data:?}\n[store]\n{more}")).unwrap();
        let script = format!("{limit} trap '' XFSZ; exec \"$@\"");
        let mut bash = std::process::Command::new("bash");
        bash.args(["-c", &script, "bash", env!("CARGO_BIN_EXE_paraphe"), "--config"]);
        bash.arg(&settings).arg("issue").arg(&letter).output().unwrap()
    };
    let no_database = "database = \"postgres://nobody@127.0.0.1:9/none\"\n";
    let no_files = format!(
        "s3 = {{ endpoint = \"http://127.0.0.1:9\", bucket = \"b\", access_key_id = \"k\", \
         secret_access_key_file = {:?} }}\n",
        folder.path().join("secret")
    );
    for (limit, more) in [("", no_database), ("", &no_files), ("ulimit -f 100;", "")] {
        let output = issue(limit, more);
        assert_eq!(code(&output), 75, "{limit}{more}: {}", errors(&output));
        assert!(output.stdout.is_empty(), "nothing is said to be kept");
    }
    let output = issue("", "");
    assert_eq!(code(&output), 0, "{}", errors(&output));
    let counted = paraphe(&["--config", settings.to_str().unwrap(), "deliveries", "count"]);
    assert!(text(&counted).contains("1 ready"), "{}", text(&counted));
}

#[test]
fn render_takes_another_language() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(&letter("ar").to_string());
    let path = file.path().to_str().unwrap();
    let out = folder.path().join("out.pdf");
    let out = out.to_str().unwrap();
    let render = |tag| paraphe(&["render", path, "-o", out, "--at", AT, "--language", tag]);
    assert_eq!(code(&render("en")), 0);
    let unknown = render("enn");
    assert_eq!(code(&unknown), 65);
    assert!(errors(&unknown).contains("en"), "{}", errors(&unknown));
}

#[test]
fn a_wrong_command_line_is_64() {
    for args in [
        &["chekc"][..],
        &["render", "a.json"],
        &["schema", "letter"],
        &["check"],
        &["demo", "--at", "yesterday"],
        &["offices", "--near", "99999"],
    ] {
        assert_eq!(code(&paraphe(args)), 64, "{args:?}");
    }
    assert_eq!(code(&paraphe(&["--help"])), 0);
    assert_eq!(code(&paraphe(&["--version"])), 0);
}

#[test]
fn an_absent_file_is_74_and_named() {
    let output = paraphe(&["check", "/nonexistent/a.json"]);
    assert_eq!(code(&output), 74);
    assert!(errors(&output).contains("/nonexistent/a.json"));
}

#[test]
fn schemas_are_schemas_and_examples_fit_them() {
    for kind in ["cai", "caif", "convocation"] {
        let schema: Value = serde_json::from_str(&text(&paraphe(&["schema", kind]))).unwrap();
        let example: Value =
            serde_json::from_str(&text(&paraphe(&["schema", kind, "--example"]))).unwrap();
        assert!(jsonschema::meta::is_valid(&schema), "{kind}");
        assert!(jsonschema::is_valid(&schema, &example), "{kind}");
        assert_eq!(schema["additionalProperties"], false);
    }
}

#[test]
fn languages_are_listed_with_their_review() {
    let rows: Value = serde_json::from_str(&text(&paraphe(&["languages", "--json"]))).unwrap();
    let tags: Vec<_> =
        rows.as_array().unwrap().iter().map(|it| it["tag"].as_str().unwrap()).collect();
    for tag in ["ar", "en", "fr"] {
        assert!(tags.contains(&tag), "{tags:?}");
    }
    assert!(text(&paraphe(&["languages"])).contains("anglais"));
}

#[test]
fn stamping_rewrites_the_stamps_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("en.toml");
    fs::write(&file, source("templates/locales/en.toml")).unwrap();
    let output = paraphe(&["languages", "--stamp", file.to_str().unwrap()]);
    assert_eq!(code(&output), 0, "{}", errors(&output));
    assert!(fs::read_to_string(&file).unwrap().contains("\n[stamps]\n\"absence.effect\" = "));
}

#[test]
fn offices_say_where_no_centre_stands_and_which_is_near() {
    let without = text(&paraphe(&["offices", "--without-centre"]));
    assert!(without.contains("Lozère") && !without.contains("Rhône"), "{without}");
    let near = text(&paraphe(&["offices", "--near", "69003", "--training", "civic_training"]));
    assert!(near.lines().next().unwrap().contains("(sample)"), "{near}");
    assert!(text(&paraphe(&["offices"])).contains("unverified"));
}

#[test]
fn completions_are_made_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(text(&paraphe(&["completions", shell])).contains("paraphe"), "{shell}");
    }
}

#[test]
fn a_broken_overlay_is_refused_before_anything_is_made() {
    let folder = overlay(&[("templates/locales/en.toml", "tag = \"en\"\n")]);
    let output = paraphe(&["languages", "--assets", folder.path().to_str().unwrap()]);
    assert_eq!(code(&output), 70);
    assert!(errors(&output).contains("templates/locales/en.toml"), "{}", errors(&output));
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = taken.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("paraphe.toml");
    let (data, free) = (folder.path().display(), free_port());
    let text = format!(
        "data = \"{data}\"\n[http]\nlisten = \"127.0.0.1:{free}\"\npublic_listen = \"{place}\"\n"
    );
    fs::write(&settings, text).unwrap();
    let output = paraphe(&["--config", settings.to_str().unwrap(), "serve"]);
    assert_eq!(code(&output), 74, "{}", errors(&output));
    assert!(
        errors(&output).contains(&format!("cannot listen at {place}: ")),
        "{}",
        errors(&output)
    );
}

#[test]
fn data_comes_in_by_standard_input_and_goes_out_by_standard_output() {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_paraphe"))
        .args(["render", "-", "-o", "-", "--at", AT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let data = letter("ar").to_string();
    child.stdin.take().unwrap().write_all(data.as_bytes()).unwrap();
    assert!(child.wait_with_output().unwrap().stdout.starts_with(b"%PDF"));
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A file with this text, for as long as it is held.
fn written(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
    fs::write(file.path(), text).unwrap();
    file
}
