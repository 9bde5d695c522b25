//! `doctor`: everything that is wrong is said at once, with what mends it, and nothing is changed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::database::{Place, on_both};
use crate::deliver::server::{Fault, Server};
use crate::harness::paraphe;

on_both! {
    a_sound_installation_is_good,
    a_database_of_another_version_is_told_and_left_alone,
}

/// Exit code, and the findings by part: verdict, what was found, what mends it. The worst one of a part counts.
fn doctor(settings: &Path) -> (i32, BTreeMap<String, (String, String, String)>) {
    let output = paraphe(&["--config", settings.to_str().unwrap(), "--json", "doctor"]);
    let said = String::from_utf8_lossy(&output.stderr);
    let findings: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|it| panic!("{it}: {said}"));
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let mut parts = BTreeMap::new();
    let rank = |verdict: &str| ["good", "warning", "fault"].iter().position(|it| *it == verdict);
    for it in findings.as_array().unwrap() {
        let finding = (text(&it["verdict"]), text(&it["found"]), text(&it["mend"]));
        assert!(finding.0 == "good" || !finding.2.is_empty(), "no cure: {it}");
        let part = parts.entry(text(&it["part"])).or_insert_with(|| finding.clone());
        if rank(&finding.0) > rank(&part.0) {
            *part = finding;
        }
    }
    (output.status.code().unwrap(), parts)
}

/// A key and a certificate that ends in some days, as one PEM file.
fn certificate(folder: &Path, days: &str) -> String {
    let script = "set -e
        openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout seal.key -out seal.csr \
            -subj '/CN=Cachet'
        openssl x509 -req -in seal.csr -signkey seal.key -out seal.crt -days \"$0\" \
            -extfile <(echo basicConstraints=CA:TRUE)
        cat seal.key seal.crt > seal.pem";
    let made =
        Command::new("bash").args(["-c", script, days]).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    folder.join("seal.pem").display().to_string()
}

/// Settings of production on a test's store; `mail` is its section.
fn production(place: &Place, days: &str, mail: &str) -> std::path::PathBuf {
    let folder = place.folder.path();
    let (root, database) = (folder.display(), &place.options.database);
    let seal = certificate(folder, days);
    let key = folder.join("operator.key");
    fs::write(&key, place.options.key.expose()).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let text = format!(
        "mode = \"production\"\ndata = \"{root}\"\nverify_url = \"https://example.org/v/\"\n\
         [store]\ndatabase = \"{database}\"\nkey_file = {key:?}\n[seal]\nkey_file = {seal:?}\n\
         [privacy]\ncontact = \"donnees@example.org\"\nretention_months = 60\n{mail}"
    );
    let path = folder.join("paraphe.toml");
    fs::write(&path, text).unwrap();
    path
}

async fn a_sound_installation_is_good(place: Place) {
    let server = Server::start(Fault::None).await;
    let smtp =
        format!("[mail.smtp]\nhost = \"localhost\"\nport = {}\nsecurity = \"none\"\n", server.port);
    let settings = production(&place, "400", &smtp);
    let (code, parts) = doctor(&settings);
    assert_eq!(code, 0, "{parts:#?}");
    assert!(parts["database"].1.contains("empty"), "{parts:#?}");
    assert!(!place.is_sqlite() || !Path::new(&place.options.database).exists(), "it was made");
    place.open().await.close().await;
    let (code, parts) = doctor(&settings);
    assert_eq!(code, 0, "{parts:#?}");
    for part in
        ["settings", "templates", "key", "database", "files", "seal", "mail", "clock", "disk"]
    {
        assert_eq!(parts[part].0, "good", "{part}: {parts:#?}");
    }
    assert_eq!(parts["mailbox"].0, "warning", "nobody reads the bounces");
    assert!(server.kept().is_empty(), "something was sent");
    assert!(server.commands().iter().all(|it| !it.starts_with("MAIL")));
}

async fn a_database_of_another_version_is_told_and_left_alone(place: Place) {
    place.open().await.close().await;
    let settings = production(&place, "400", "");
    let last = "(SELECT MAX(version) FROM _sqlx_migrations)";
    place.sql(&format!("DELETE FROM _sqlx_migrations WHERE version = {last}")).await.unwrap();
    for _ in 0..2 {
        let (code, parts) = doctor(&settings);
        assert_eq!((code, parts["database"].0.as_str()), (0, "warning"), "{parts:#?}");
        assert!(parts["database"].1.contains("older"), "{parts:#?}");
    }
    let empty = if place.is_sqlite() { "x'00'" } else { "'\\x00'" };
    let newer = format!(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'newer', true, {empty}, 0)"
    );
    place.sql(&newer).await.unwrap();
    let (code, parts) = doctor(&settings);
    assert_eq!((code, parts["database"].0.as_str()), (65, "fault"), "{parts:#?}");
    place.sql("DELETE FROM _sqlx_migrations WHERE version = 9999").await.unwrap();
    // Another key; and a clock that has gone back behind what was written.
    fs::write(place.folder.path().join("operator.key"), "7".repeat(64)).unwrap();
    let ahead = "UPDATE trail_head SET number = 1, mac = ";
    place.sql(&format!("{ahead}{empty}")).await.unwrap();
    let year_3000 = 32_503_680_000_000_000_i64;
    let entry = format!(
        "INSERT INTO trail (number, at, actor, action, subject, detail, mac) \
         VALUES (1, {year_3000}, 'a', 'b', 'c', 'd', {empty})"
    );
    place.sql(&entry).await.unwrap();
    let (code, parts) = doctor(&settings);
    assert_eq!((code, parts["database"].0.as_str()), (65, "fault"), "{parts:#?}");
    assert!(parts["database"].2.contains("earlier_key_files"), "{parts:#?}");
    assert_eq!(parts["clock"].0, "fault", "{parts:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_faults_are_said_at_once() {
    let place = Place::sqlite();
    let folder = place.folder.path();
    let wrong = Server::start(Fault::Greet554).await;
    let mail = format!(
        "[mail.smtp]\nhost = \"localhost\"\nport = {}\nsecurity = \"none\"\n\
         [mail.imap]\nhost = \"localhost\"\nport = 9\nuser = \"a\"\npassword_file = \"/nowhere/imap\"\n",
        wrong.port
    );
    let settings = production(&place, "20", &mail);
    fs::set_permissions(folder.join("operator.key"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(folder.join("blobs"), "a file where the folder should be").unwrap();
    let (code, parts) = doctor(&settings);
    assert_eq!(code, 65);
    let all = format!("{parts:#?}");
    for (part, verdict, word) in [
        ("settings", "fault", "paraphe.toml:"),
        ("key", "warning", "everybody"),
        ("files", "fault", "blobs"),
        ("seal", "warning", "« Cachet » ends on"),
        ("mail", "fault", "554"),
        ("mailbox", "fault", "/nowhere/imap"),
    ] {
        assert!(parts[part].0 == verdict && parts[part].1.contains(word), "{part}: {all}");
    }
}

/// A server that is down is nobody's fault now: try again later.
#[tokio::test(flavor = "multi_thread")]
async fn what_may_pass_by_itself_is_told_apart() {
    let place = Place::sqlite();
    let mail = "[mail.smtp]\nhost = \"localhost\"\nport = 9\nsecurity = \"none\"\n";
    let settings = production(&place, "400", mail);
    let (code, parts) = doctor(&settings);
    assert_eq!((code, parts["mail"].0.as_str()), (75, "fault"), "{parts:#?}");
    certificate(place.folder.path(), "0");
    std::thread::sleep(std::time::Duration::from_secs(2)); // it ends in the second it begins in
    let (code, parts) = doctor(&settings);
    assert_eq!((code, parts["seal"].0.as_str()), (65, "fault"), "{parts:#?}");
}
