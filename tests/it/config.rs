//! Settings: the example is whole, and what is wrong is said all at once, where it stands and how to mend it.

use std::collections::BTreeSet;

use paraphe::assets::Assets;
use paraphe::config::{Config, ConfigError, Mode, secret};
use paraphe::document::{Kind, Rulebook};
use paraphe::pipeline::{IssueError, Order, Pipeline, fresh_id};
use paraphe::store::Scope;
use serde_json::Value;

use crate::harness::{SHOP, at, letter, source, source_path};

fn read(text: &str) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("paraphe.toml");
    std::fs::write(&path, text).unwrap();
    Config::read(&path, &SHOP.rulebook.explanations, "en")
}

/// The example with the marks taken away from its settings. The files that it names are there.
fn example() -> String {
    let file = source_path("Cargo.toml");
    let with_file = |line: &str| match line.split_once(" = ") {
        Some((name, _)) if name.ends_with("_file") => format!("{name} = {file:?}"),
        _ => line.to_owned(),
    };
    let setting = |line: &&str| line.starts_with(|c: char| c.is_ascii_lowercase() || c == '[');
    let text = source("paraphe.example.toml");
    let lines = text.lines().filter_map(|it| it.strip_prefix('#')).filter(setting);
    lines.map(with_file).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_is_read_as_it_is_and_with_every_setting() {
    assert!(read(&source("paraphe.example.toml")).unwrap().is_trial());
    let config = read(&example()).unwrap();
    assert_eq!(config.privacy.retention_months, Some(60));
    let months = |kind| config.privacy.months(kind);
    assert_eq!((months(Kind::Cai), months(Kind::Convocation)), (Some(120), Some(24)));
    let production = example().replace("mode = \"trial\"", "mode = \"production\"");
    assert_eq!(read(&production).unwrap().mode, Mode::Production);
}

#[test]
fn the_example_has_every_setting() {
    let schema = Value::from(schemars::schema_for!(Config));
    let mut known = BTreeSet::new();
    let tables = schema["$defs"].as_object().unwrap().values();
    for table in tables.chain([&schema]) {
        if let Some(properties) = table["properties"].as_object() {
            known.extend(properties.keys().cloned());
        }
    }
    let example = example();
    let name = |line: &str| {
        let name = line.split([' ', '=']).next().unwrap().trim_matches(['[', ']']);
        name.rsplit('.').next().unwrap().to_owned()
    };
    let said: BTreeSet<_> = example.lines().map(name).collect();
    assert_eq!(known.difference(&said).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(known.len() > 50, "{}", known.len());
}

#[test]
fn all_faults_are_said_at_once_with_line_and_cure() {
    let text = "mode = \"trail\"\n[store]\nblob = \"x\"\n[mail]\nper_minute = \"600/h\"\n\
                [mail.smtp]\nhost = \"h\"\ntimeout_seconds = 6000000\n";
    let error = read(text).unwrap_err();
    let ConfigError::Faults(faults) = &error else { panic!("{error}") };
    for (line, word) in [(1, "trial"), (3, "blobs"), (5, "integer"), (8, "600")] {
        let place = format!("paraphe.toml:{line}: ");
        let fault = faults.iter().find(|it| it.contains(&place));
        let fault = fault.unwrap_or_else(|| panic!("line {line}: {faults:#?}"));
        assert!(fault.contains(word), "{fault}");
    }
    assert_eq!(faults.len(), 4, "{faults:#?}");
}

/// A unit that is no number, an unknown setting and three secrets that nobody can read: one answer names them all.
#[test]
fn unreadable_secrets_are_said_at_once_with_line_and_cure() {
    let hook = "[[http.webhooks]]\nname = \"a\"\nurl = \"https://a.example.org\"\nsecret_file";
    let text = format!(
        "[store]\nkey_file = \"/nowhere/key\"\nearlier_key_files = [\"/nowhere/old\"]\n\
         [seal]\nkey_file = \"credential:seal\"\n\
         {hook} = {:?}\n{hook} = \"/nowhere/hook\"\n",
        source_path("Cargo.toml")
    );
    let places = [(2, "Put the file"), (3, "/nowhere/old"), (5, "LoadCredential="), (13, "hook")];
    for (text, more) in [(text.clone(), 0), (format!("{text}[mail]\nper_minute = \"1 h\"\n"), 1)] {
        let Err(ConfigError::Faults(faults)) = read(&text) else { panic!("{text}") };
        for (line, word) in places {
            let place = format!("paraphe.toml:{line}: ");
            let fault = faults.iter().find(|it| it.contains(&place) && it.contains(word));
            assert!(fault.is_some(), "line {line}, {word}: {faults:#?}");
        }
        assert_eq!(faults.len(), places.len() + more, "{faults:#?}");
    }
    let lacking = format!("mode = \"production\"\n{text}");
    let Err(ConfigError::Faults(faults)) = read(&lacking) else { panic!("{lacking}") };
    assert!(faults.iter().any(|it| it.contains("privacy.contact")), "{faults:#?}");
}

#[test]
fn what_is_no_toml_is_said_with_its_line() {
    let error = read("mode = \"trial\"\n[store\n").unwrap_err().to_string();
    assert!(error.contains("paraphe.toml:2: "), "{error}");
}

#[test]
fn production_says_everything_it_lacks() {
    let error = read("mode = \"production\"\n").unwrap_err();
    let ConfigError::Missing { missing, .. } = &error else { panic!("{error}") };
    for name in ["verify_url", "store.key_file", "seal.key", "privacy.contact", "privacy.retention"]
    {
        assert!(missing.iter().any(|it| it.starts_with(name)), "{name}: {missing:?}");
    }
}

#[test]
fn a_secret_that_cannot_be_read_is_named_by_its_place_alone() {
    let error = secret("/nowhere/at-all.key").unwrap_err().to_string();
    assert!(error.contains("/nowhere/at-all.key"), "{error}");
    let error = secret("credential:seal").unwrap_err();
    assert!(matches!(error, ConfigError::Credential(_)), "{error}");
    assert!(error.to_string().contains("LoadCredential="), "{error}");
}

#[test]
fn a_line_end_is_not_part_of_a_secret() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "mot de passe \r\n").unwrap();
    assert_eq!(secret(file.path().to_str().unwrap()).unwrap().expose(), b"mot de passe ");
}

/// Production as its settings say it, with keys of a trial folder.
#[tokio::test]
async fn in_production_only_accepted_drafts_are_issued() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config { data: Some(folder.path().to_owned()), ..Config::default() };
    config.mode = Mode::Production;
    config.languages.accepted_drafts = vec!["ar".to_owned()];
    let assets = Assets::embedded();
    let open = async |config: &Config| {
        Pipeline::open(&assets, Rulebook::load(&assets).unwrap(), config).await
    };
    let pipeline = open(&config).await.unwrap();
    let issue = async |language: &str| {
        let data = letter(language).to_string().into_bytes();
        let order = Order::new(fresh_id(at()), None, data, "test").unwrap();
        pipeline.issue(&Scope::all("test"), order, at()).await
    };
    issue("ar").await.unwrap();
    let Err(IssueError::Data(problems)) = issue("ti").await else { panic!("a draft was issued") };
    assert_eq!(problems[0].code, "language.draft");
    config.languages.accepted_drafts = vec!["arabe".to_owned()];
    let error = open(&config).await.err().unwrap().to_string();
    assert!(error.contains("\"ar\""), "{error}");
}

#[test]
fn a_password_does_not_end_the_user_part_of_an_address() {
    let folder = tempfile::tempdir().unwrap();
    let (password, key) = (folder.path().join("password"), folder.path().join("key"));
    std::fs::write(&password, "a@b:c/ d\n").unwrap();
    std::fs::write(&key, paraphe::store::make_operator_key()).unwrap();
    let config = read(&format!(
        "[store]\ndatabase = \"postgres://paraphe@db/paraphe\"\npassword_file = {password:?}\nkey_file = {key:?}\n"
    ));
    let options = config.unwrap().store_options().unwrap();
    assert_eq!(options.database, "postgres://paraphe:a%40b%3Ac%2F%20d@db/paraphe");
}
