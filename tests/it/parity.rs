//! French and translation say the same: documents taken apart.

use std::collections::BTreeSet;

use paraphe::assets::Assets;
use paraphe::document::{Rulebook, stamp};
use serde_json::{Value, json};

use crate::harness::{OnDisk, SHOP, Shop, fixtures, overlay, source};

/// A document taken apart: with catalogues whose sentences are their own keys, each key of one side is
/// found on the other, and each value has its like.
#[test]
fn both_sides_say_the_same() {
    let folder = overlay(&[("templates/locales/fr.toml", &keyed_catalogue("fr"))]);
    let keyed = Rulebook::load(&Assets::overlaid(folder.path()).unwrap()).unwrap();
    let english = stamp(&keyed_catalogue("en"), keyed.french());
    std::fs::write(folder.path().join("templates/locales/en.toml"), english).unwrap();
    let shop = Shop::new(&Assets::overlaid(folder.path()).unwrap());
    let mut compared = 0;
    for (name, bytes) in fixtures("good") {
        let mut data: Value = serde_json::from_slice(&bytes).unwrap();
        data["language"] = json!("en");
        let Ok(document) = shop.check(&data) else { panic!("{name}") };
        let content = document.content(&shop.rulebook);
        let names = |side: usize| content.sides[side].values.keys().collect::<Vec<_>>();
        assert_eq!(names(0), names(1), "{name}");
        // Keys are longer than sentences: what they do to the layout is not the question here.
        let Ok(pdf) = shop.try_render(&document) else { continue };
        let text = OnDisk::new(&pdf).ask("pdftotext", &["-raw", "{}", "-"]);
        let (fr, en) = (marked(&text, "FR"), marked(&text, "EN"));
        assert!(fr.len() > 8, "{name}: {text}");
        // A letter is dated and addressed once, and the translation says what it translates.
        let own = |it: &&String| !it.starts_with("label.");
        let fr: Vec<_> = fr.iter().filter(own).collect();
        let en: Vec<_> = en.iter().filter(own).collect();
        assert_eq!(fr, en, "{name}");
        compared += 1;
    }
    assert!(compared >= 40, "only {compared} documents fit their pages");
}

/// A catalogue whose every sentence is its key and its values, marked by the language.
fn keyed_catalogue(tag: &str) -> String {
    let text = source(&format!("templates/locales/{tag}.toml"));
    let (head, _) = text.split_once("[messages]").unwrap();
    let mut keyed = format!("{head}[messages]\n");
    for (key, message) in &SHOP.rulebook.catalogue(tag).messages {
        let names: String = message.names().iter().map(|name| format!(" {{{name}}}")).collect();
        let mark = tag.to_uppercase();
        // With spaces, at which lines can break; reading takes them out again.
        let words = key.replace('.', ". ").replace('_', "_ ");
        keyed.push_str(&format!("\"{key}\" = \"{mark}§({words}){names}\"\n"));
    }
    keyed
}

/// The keys that text marks as said in a language.
fn marked(text: &str, mark: &str) -> BTreeSet<String> {
    let text: String = text.split_whitespace().collect();
    let open = format!("{mark}§(");
    let keys = text.split(&open).skip(1);
    keys.filter_map(|rest| rest.split_once(')').map(|(key, _)| key.to_owned())).collect()
}
