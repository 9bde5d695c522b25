//! What operators are given besides the program: metrics, alerts, a dashboard, units, settings of a new installation.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use paraphe::config::Config;
use serde_json::Value;

use crate::harness::{SHOP, good, letter, overlay, paraphe, source, source_path};
use crate::http::server::{Server, ask};

/// Words of an expression that name a metric of ours.
fn named(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !word(c)).filter(|it| it.starts_with("paraphe_"));
    words.map(str::to_owned).collect()
}

/// Names of the series that an answer in OpenMetrics has.
fn told(metrics: &str) -> BTreeSet<String> {
    let lines = metrics.lines().filter(|it| !it.starts_with('#'));
    lines.map(|it| it.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

#[test]
fn every_metric_of_alerts_and_dashboard_is_told_by_the_service() {
    let server = Server::start();
    let id = server.issue(&good("cai/good-friday-in-lyon.json"))["id"].as_str().unwrap().to_owned();
    let (field, shown) = server.turn(&id);
    let body = server.signature(&field.unwrap(), &shown).to_string();
    let path = format!("/v1/documents/{id}/signatures");
    server.call("POST", &path, &[("if-match", "\"v1\"")], body.as_bytes()).expect(201);
    server.issue(&letter("fr"));
    server.mails(1);
    let metrics = ask("GET", &format!("{}/metrics", server.metrics), &[].into(), b"").text();
    let told = told(&metrics);
    let mut asked = named(&source("templates/operations/alerts.yaml"));
    let dashboard: Value =
        serde_json::from_str(&source("templates/operations/dashboard.json")).unwrap();
    let mut shown = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            shown.extend(named(target["expr"].as_str().unwrap()));
        }
    }
    assert!(asked.len() > 5 && shown.len() > 8, "{asked:?} {shown:?}");
    asked.extend(shown);
    let unknown: Vec<_> = asked.difference(&told).collect();
    assert!(unknown.is_empty(), "not told: {unknown:?} in {metrics}");
    for step in ["check", "render", "seal", "sign", "put", "send"] {
        assert!(
            metrics.contains(&format!("paraphe_step_seconds_count{{step=\"{step}\"}}")),
            "{step}"
        );
    }
    assert!(metrics.contains("paraphe_mails{state=\"in_doubt\"} 0"), "a state without mails is 0");
    let word = letter("fr")["applicant"]["given_names"].as_str().unwrap().to_owned();
    assert!(!metrics.contains(&word));
}

#[test]
fn units_are_hardened() {
    for unit in ["paraphe.service", "paraphe-worker@.service"] {
        let path = source_path("templates/operations").join(unit);
        // An instance, for a template alone is not analysed.
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join(unit.replace('@', "@1"));
        std::fs::copy(&path, &copy).unwrap();
        let output = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager"])
            .arg(&copy)
            .output()
            .unwrap_or_else(|error| panic!("systemd-analyze: {error}: see tests/run"));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let level = said.split("exposure level for").nth(1).and_then(|it| it.split(": ").nth(1));
        let level = level.and_then(|it| it.split_whitespace().next()).map(str::parse::<f64>);
        let level = level.unwrap_or_else(|| panic!("{said}")).unwrap();
        assert!(level <= 2.5, "{unit}: {level}");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("LimitCORE=0"), "{unit}: a core dump would hold keys");
    }
}

#[test]
fn the_settings_of_a_new_installation_are_sound() {
    let key = tempfile::NamedTempFile::new().unwrap();
    let text = source("templates/operations/paraphe.toml");
    let text = text.replace("/etc/paraphe/secrets/operator-key", key.path().to_str().unwrap());
    let folder = overlay(&[("paraphe.toml", &text)]);
    let path = folder.path().join("paraphe.toml");
    let config = Config::read(&path, &SHOP.rulebook.explanations, "en").unwrap();
    assert!(config.is_trial());
    assert_eq!(config.data().to_str(), Some("/var/lib/paraphe"));
}

#[test]
fn the_version_names_commit_and_assets() {
    let said = String::from_utf8(paraphe(&["--version"]).stdout).unwrap();
    let digest = paraphe::assets::Assets::embedded().digest();
    let lines: Vec<_> = said.lines().collect();
    assert!(lines[0].contains("(commit "), "{said}");
    assert_eq!(lines[1], format!("templates and fonts sha256:{digest}"));
}

/// What stands in the arguments can be read by everybody on the machine: no option takes a secret, only its file.
#[test]
fn no_argument_takes_a_secret() {
    let mut verbs = vec![vec![]];
    let mut seen = 0;
    while let Some(verb) = verbs.pop() {
        let mut args = verb.clone();
        args.push("--help".to_owned());
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let help = String::from_utf8(paraphe(&args).stdout).unwrap();
        let mut commands = help.split("\nCommands:\n").nth(1).into_iter().flat_map(str::lines);
        for line in commands.by_ref().take_while(|it| !it.is_empty()) {
            let name = line.split_whitespace().next().unwrap_or_default().to_owned();
            if line.starts_with("  ") && !line.starts_with("   ") && name != "help" {
                verbs.push(verb.iter().cloned().chain([name]).collect());
            }
        }
        for line in help.lines().filter(|it| it.trim_start().starts_with('-')) {
            let option = line.to_lowercase();
            for word in ["password", "pin", "secret", "token"] {
                let names_it = option.split(|c: char| !c.is_alphanumeric()).any(|it| it == word);
                let public = option.contains("file") || option.contains("<label>");
                assert!(!names_it || public, "{verb:?}: {line}");
            }
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen} options");
}

/// The memory of the process holds keys. Another program, killed in the same way, shows that dumps are made here.
#[test]
fn no_core_dump_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let dumps = |program: &str, args: &str| {
        let script = "ulimit -c unlimited; exec \"$0\" $1";
        let mut process = Command::new("bash")
            .args(["-c", script, program, args])
            .current_dir(folder.path())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_secs(3));
        let told = Command::new("kill").args(["-ABRT", &process.id().to_string()]).status();
        assert!(told.unwrap().success());
        process.wait().unwrap().core_dumped()
    };
    if !source_of("/proc/sys/kernel/core_pattern").starts_with('|') {
        assert!(dumps("sleep", "60"), "no program leaves a dump here");
    }
    assert!(!dumps(env!("CARGO_BIN_EXE_paraphe"), "worker"));
    let left = std::fs::read_dir(folder.path()).unwrap();
    let left = left.map(|it| it.unwrap().file_name().into_string().unwrap());
    assert!(left.filter(|it| it.starts_with("core")).count() <= 1, "of the other program alone");
}

/// With huge pages a merge grows with the hours: see `src/main.rs`.
#[test]
fn the_process_has_no_huge_pages() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_paraphe"))
        .arg("worker")
        .current_dir(folder.path())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    let status = source_of(&format!("/proc/{}/status", process.id()));
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(status.contains("THP_enabled:\t0"), "{status}");
}

fn source_of(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
