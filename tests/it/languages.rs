//! Catalogues: what loading refuses, and that every sentence is used.

use std::collections::BTreeSet;

use paraphe::assets::Assets;
use paraphe::document::{Document, FRENCH, Rulebook};
use serde_json::Value;

use crate::harness::{OnDisk, SHOP, Shop, at, good, letter, overlay, source};

#[test]
fn a_catalogue_with_a_fault_is_refused_with_file_key_and_cure() {
    let english = without_stamps(&source("templates/locales/en.toml"));
    let line = |key: &str| {
        let start = english.find(&format!("\"{key}\" = ")).unwrap();
        english[start..].lines().next().unwrap().to_owned()
    };
    let french = source("templates/locales/fr.toml");
    let french_line = |key: &str| {
        let start = french.find(&format!("\"{key}\" = ")).unwrap();
        french[start..].lines().next().unwrap().to_owned()
    };
    let title = line("cai.title");
    for (broken, expected) in [
        (english.replace(&format!("{title}\n"), ""), "`cai.title` is missing"),
        (format!("{english}\"cai.13\" = \"More\"\n"), "`cai.13` is not in the French catalogue"),
        (
            english.replace(&title, "\"cai.title\" = \"Contract {day}\""),
            "`cai.title` must use exactly these values: none",
        ),
        (
            english.replace(&title, "\"cai.title\" = \"Cafe\u{301}\""),
            "`cai.title` is not in Unicode normal form C",
        ),
        (
            english.replace(&title, "\"cai.title\" = \"Con\u{202e}tract\""),
            "control character U+202E",
        ),
        (english.replace(&title, "\"cai.title\" = \"Соntract\""), "of another script (Cyrillic)"),
        (
            english.replace(&line("free.fraud"), &french_line("free.fraud")),
            "`free.fraud` is still French",
        ),
        (english.replace(&title, "\"cai.title\" = \"\""), "`cai.title` is empty"),
        (english.replace(&title, "\"cai.title\" = \"A {b\""), "a brace is not closed"),
        (
            english.replace("\"unit.hours.one\"", "\"unit.hours.two\""),
            "`unit.hours.one` is missing",
        ),
        (english.replace("direction = \"ltr\"", "direction = \"up\""), "line 6"),
        (english.replace("{hour}:{minute}", "{hour}:{minutes}"), "`time` must use the values"),
        (
            english.replace("range = \"from", "range = \"из"),
            "`range` holds « и » of another script",
        ),
        (english.replace("tag = \"en\"", "tag = \"xx\""), "is not the file's name"),
    ] {
        let folder = overlay(&[("templates/locales/en.toml", &broken)]);
        let loaded = Rulebook::load(&Assets::overlaid(folder.path()).unwrap());
        let error =
            loaded.err().unwrap_or_else(|| panic!("loaded without « {expected} »")).to_string();
        if expected.ends_with("missing") {
            assert!(error.contains("en.toml: `"), "a key that is not there has no line: {error}");
        }
        assert!(error.contains("templates/locales/en.toml"), "{error}");
        assert!(error.contains(expected), "{expected} in {error}");
        if broken.lines().count() == english.lines().count() && !expected.contains("missing") {
            let line = broken.lines().zip(english.lines()).position(|(a, b)| a != b).unwrap() + 1;
            let places =
                [format!("en.toml:{line}: "), format!("line {line}"), "file's name".into()];
            assert!(places.iter().any(|it| error.contains(it)), "line {line} in {error}");
        }
    }
}

#[test]
fn a_forbidden_word_is_refused() {
    let text = source("templates/locales/fr.toml");
    let broken = text.replace("\"free.free\" = \"", "\"free.free\" = \"Mise en demeure. ");
    let folder = overlay(&[("templates/locales/fr.toml", &broken)]);
    let error = Rulebook::load(&Assets::overlaid(folder.path()).unwrap()).unwrap_err().to_string();
    assert!(error.contains("`free.free` uses the forbidden word"), "{error}");
}

#[test]
fn a_glyph_that_no_font_of_the_language_has_is_refused() {
    let text =
        source("templates/locales/en.toml").replace("\"free.title\" = \"", "\"free.title\" = \"☂ ");
    let folder = overlay(&[("templates/locales/en.toml", &text)]);
    let assets = Assets::overlaid(folder.path()).unwrap();
    let rulebook = Rulebook::load(&assets).unwrap();
    let Err(error) = paraphe::render::Renderer::new(&assets, &rulebook) else { panic!("loaded") };
    assert!(error.to_string().contains("`free.title`: no font has « ☂ »"), "{error}");

    // A time is set in the fonts of French, in every language.
    let text = source("templates/locales/ar.toml").replace("{hour}:00", "{hour} س");
    let folder = overlay(&[("templates/locales/ar.toml", &text)]);
    let assets = Assets::overlaid(folder.path()).unwrap();
    let rulebook = Rulebook::load(&assets).unwrap();
    let Err(error) = paraphe::render::Renderer::new(&assets, &rulebook) else { panic!("loaded") };
    assert!(error.to_string().contains("`hour`: no font has « س »"), "{error}");
}

/// A sentence that nothing prints would be translated for nothing.
#[test]
fn every_sentence_is_used() {
    let mut users = String::new();
    for folder in ["src", "templates/regimes", "templates/document", "templates/mail"] {
        gather(folder, &mut users);
    }
    gather("templates/desk", &mut users);
    let findings = source("src/http/public.rs");
    let families: BTreeSet<&str> = [
        "category",
        "skills",
        "extension",
        "spouse",
        "step",
        "bring",
        "civility",
        "salutation",
        "conv.closing",
        "label",
        "unit",
        "mail.subject",
    ]
    .into();
    let unused: Vec<_> = SHOP
        .rulebook
        .french()
        .messages
        .keys()
        .filter(|key| {
            let base = key.rsplit_once('.').map_or(key.as_str(), |it| it.0);
            let quoted = |name: &str| users.contains(&format!("\"{name}\""));
            // The pages of the desk write `say.sign_how`, or `say["for"]` for a word of their own language.
            let said = key.split_once('.').map_or("", |it| it.1).replace('.', "_");
            let listed = users.contains(&format!("say[\"{said}\"]"));
            let said = users.match_indices(&format!("say.{said}")).any(|(at, it)| {
                !users[at + it.len()..].starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            });
            // The page behind the mark on a paper chooses its finding by the middle of the key.
            let finding = key.strip_prefix("verification.").map(|it| it.trim_end_matches(".means"));
            let found = finding.is_some_and(|it| findings.contains(&format!("(\"{it}\", ")));
            let named =
                said || listed || found || quoted(key) || (base.contains('.') && quoted(base));
            let of_family = families.iter().any(|it| key.starts_with(&format!("{it}.")));
            let title = key.starts_with("conv.") && key.ends_with(".title");
            !(named || of_family || title)
        })
        .collect();
    assert!(unused.is_empty(), "nothing prints {unused:?}");
}

/// Where many read the hours of a day from six in the morning, a time says which half of the day it is in, and that it is
/// the time of French clocks.
#[test]
fn a_time_cannot_be_read_off_another_clock() {
    const CLOCKS: [(&str, &str); 3] = [("am", "በፈረንሳይ"), ("ti", "ፈረንሳ"), ("so", "Faransiiska")];
    const HALVES: [(&str, &str, &str, &str); 2] = [
        ("11:30", "12:30", "morning", "11\u{a0}h\u{a0}30"),
        ("12:00", "14:00", "afternoon", "12\u{a0}h"),
    ];
    for (tag, clock) in CLOCKS {
        let catalogue = SHOP.rulebook.catalogue(tag);
        for key in ["when.session", "when.weekly", "fact.time.morning", "fact.time.afternoon"] {
            let text = catalogue.message(key).text();
            assert!(text.contains(clock), "{tag}: {key}: {text}");
        }
        for (start, end, half, in_french) in HALVES {
            let mut data = letter(tag);
            data["appointment"]["sessions"][0]["start"] = start.into();
            data["appointment"]["sessions"][0]["end"] = end.into();
            let said = crate::tagged::read(&SHOP.render(&data));
            let words = |tag: &str| crate::tagged::words(&said, Some(tag));
            let half = catalogue.message(&format!("fact.time.{half}")).text();
            assert!(words(tag).contains(&half), "{tag} {start}: {half} in {}", words(tag));
            assert!(words("fr").contains(in_french), "{tag} {start} in {}", words("fr"));
        }
    }
}

/// « Madame » comes before a name, 女士 after it: the catalogue says, not the code.
#[test]
fn a_title_stands_where_its_language_puts_it() {
    let person = |language: &str| {
        let document = SHOP.check(&letter(language)).unwrap();
        document.content(&SHOP.rulebook).sides[1].values["person"].plain()
    };
    assert_eq!(person("en"), "Ms\u{a0}Amina SPECIMEN");
    assert_eq!(person("zh-Hans"), "Amina SPECIMEN\u{a0}女士");
}

#[test]
fn stamping_pins_every_sentence_and_keeps_the_file() {
    let text = source("templates/locales/en.toml");
    let bare = without_stamps(&text);
    let stamped = paraphe::document::stamp(&bare, SHOP.rulebook.french());
    assert!(stamped.starts_with(bare.trim_end()));
    assert_eq!(stamped, paraphe::document::stamp(&stamped, SHOP.rulebook.french()));
}

/// A clause changed in French alone would make the two sides of a page say different things.
#[test]
fn a_translation_of_a_french_that_changed_is_refused() {
    let french = source("templates/locales/fr.toml")
        .replace("\"free.free\" = \"", "\"free.free\" = \"Toujours. ");
    let folder = overlay(&[("templates/locales/fr.toml", &french)]);
    let shop = Shop::new(&Assets::overlaid(folder.path()).unwrap());
    let problems = shop.check(&letter("en")).unwrap_err();
    assert_eq!(problems[0].code, "language.stale");
    assert!(problems[0].values.contains(&("first", "free.free".to_owned())), "{problems:?}");
    assert!(shop.check(&letter("fr")).is_ok(), "French alone always works");
}

/// A person signs what the page says: in production somebody has read it, or answers for its being a draft.
#[test]
fn in_production_a_draft_is_refused_unless_accepted_by_name() {
    let load = |accepted: &[&str]| {
        let accepted: Vec<_> = accepted.iter().map(|it| (*it).to_owned()).collect();
        Rulebook::load(&Assets::embedded()).unwrap().for_production(&accepted)
    };
    let check = |rulebook: &Rulebook, data: &Value| {
        Document::check(data.to_string().as_bytes(), rulebook, at())
    };
    let strict = load(&[]).unwrap();
    let problems = check(&strict, &letter("ar")).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!((problems[0].code, problems[0].pointer.as_str()), ("language.draft", "/language"));
    let said = strict.explanations.explain(&problems[0], "en");
    assert!(said.hint.contains("“ar” to “accepted_drafts”"), "{}", said.hint);
    let french = check(&strict, &good("cai/interpreter-french-only.json")).unwrap();
    let text = OnDisk::new(&SHOP.try_render(&french).unwrap()).ask("pdftotext", &["{}", "-"]);
    assert!(text.contains("Interprète : "), "French alone says who interpreted: {text}");

    let accepting = load(&["ar"]).unwrap();
    let document = check(&accepting, &letter("ar")).unwrap();
    assert_eq!(check(&accepting, &letter("ti")).unwrap_err()[0].code, "language.draft");
    let sentence = accepting.catalogue("ar").message("label.draft_translation").text();
    let said = crate::tagged::read(&SHOP.try_render(&document).unwrap());
    let text = crate::tagged::words(&said, Some("ar"));
    assert!(text.contains(&sentence), "the page says in its language that it awaits review");

    let error = load(&["ar", "arab"]).unwrap_err().to_string();
    assert!(error.contains("\"arab\": there is no such language: \"ar\"?"), "{error}");
}

/// A translation that somebody has reviewed needs nobody's acceptance, and says nothing of a review.
#[test]
fn a_reviewed_translation_is_issued_in_production() {
    let reviewed = source("templates/locales/en.toml")
        .replace("status = \"draft\"", "status = \"reviewed\"")
        .replace("by = \"\"", "by = \"Camille EXEMPLE\"")
        .replace("on = \"\"", "on = \"2026-02-27\"");
    let folder = overlay(&[("templates/locales/en.toml", &reviewed)]);
    let assets = Assets::overlaid(folder.path()).unwrap();
    let rulebook = Rulebook::load(&assets).unwrap().for_production(&[]).unwrap();
    let document = Document::check(letter("en").to_string().as_bytes(), &rulebook, at()).unwrap();
    assert!(!document.content(&rulebook).draft);
}

#[test]
fn an_unknown_language_is_refused_with_the_nearest() {
    for (found, nearest) in [("pt-BR", "pt"), ("zh", "zh-Hans"), ("arabe", "ar"), ("EN", "en")] {
        let problems = SHOP.check(&letter(found)).unwrap_err();
        assert_eq!(problems[0].code, "schema.unknown_value");
        let said = SHOP.rulebook.explanations.explain(&problems[0], "en");
        let hint = format!("Nearest known value: {nearest}.");
        assert!(said.hint.contains(&hint), "{found}: {}", said.hint);
    }
}

/// No translation in the product is older than the French it translates.
#[test]
fn no_sentence_is_stale() {
    for (tag, catalogue) in SHOP.rulebook.catalogues.iter().filter(|(tag, _)| *tag != FRENCH) {
        let stale = catalogue.stale();
        assert!(stale.is_empty(), "{tag}: translate again, then `languages --stamp`: {stale:?}");
    }
}

fn without_stamps(text: &str) -> String {
    text.split("\n[stamps]\n").next().unwrap().to_owned() + "\n"
}

fn gather(folder: &str, text: &mut String) {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    if !root.exists() {
        return;
    }
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let inner = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_str().unwrap();
        if path.is_dir() {
            gather(inner, text);
        } else if let Ok(more) = std::fs::read_to_string(&path) {
            text.push_str(&more);
        }
    }
}
