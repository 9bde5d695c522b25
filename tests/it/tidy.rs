//! The architecture, as tests: who may use whom, how long a file may be, what stays out of where.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::harness::source;

/// The journey. A module uses only itself and what stands before it.
const ORDER: [&str; 16] = [
    "telemetry",
    "class",
    "secret",
    "assets",
    "document",
    "render",
    "seal",
    "store",
    "deliver",
    "config",
    "pipeline",
    "merge",
    "http",
    "cli",
    "main",
    "lib",
];

/// What the pure steps never name: the server, mail, the database, the async runtime, files, clocks.
const IMPURE: [&str; 9] = [
    "axum",
    "sqlx",
    "tokio",
    "object_store",
    "hyper",
    "std::fs",
    "std::net",
    "std::env",
    "SystemTime",
];

#[test]
fn modules_only_look_back() {
    let faults: Vec<_> = sources()
        .iter()
        .flat_map(|path| forward(&module_path(path), &fs::read_to_string(path).unwrap()))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_form_of_a_forward_path_is_seen() {
    let document = ["document".to_owned(), "rules".to_owned(), "person".to_owned()];
    for red in [
        "use crate::render::Pdf;",
        "use crate::{assets::Assets, cli};",
        "fn f() { crate::render::Renderer::new(); }",
        "fn f() -> super::super::super::cli::Cli { todo() }",
        "macro_rules! m { () => { crate::seal::seal() } }",
        "type T = Vec<crate::store::Receipt>;",
    ] {
        assert!(!forward(&document, red).is_empty(), "not seen: {red}");
    }
    for green in
        ["use crate::assets::Assets;", "use super::super::problem::Report;", "use super::Case;"]
    {
        assert!(forward(&document, green).is_empty(), "refused: {green}");
    }
}

#[test]
fn files_fit_the_head() {
    let long: Vec<_> = sources()
        .iter()
        .chain(&rust_files("tests"))
        .map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap().lines().count()))
        .filter(|(_, lines)| *lines > 400)
        .collect();
    assert!(long.is_empty(), "longer than 400 lines: {long:?}");
}

#[test]
fn every_module_says_what_it_is() {
    let silent: Vec<_> = sources()
        .into_iter()
        .filter(|path| !fs::read_to_string(path).unwrap().starts_with("//! "))
        .collect();
    assert!(silent.is_empty(), "no //! at the top: {silent:?}");
}

#[test]
fn the_steps_are_pure() {
    for path in sources() {
        let module = module_path(&path);
        if !["document", "render", "seal"].contains(&module[0].as_str()) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for name in IMPURE {
            assert!(!text.contains(name), "{} names {name}", path.display());
        }
    }
}

/// Invariant 9: an article of law or a figure of it belongs to a regime, a sentence to a catalogue.
#[test]
fn templates_hold_no_sentence() {
    for path in files("templates/document", "typ") {
        let text = fs::read_to_string(&path).unwrap();
        let code: String = text.lines().map(|line| line.split("//").next().unwrap()).collect();
        for word in ["Madame", "heures", "rendez-vous", "contrat d’", "L.311", "R.311"] {
            assert!(!code.contains(word), "{} says « {word} »", path.display());
        }
    }
}

/// Invariant 4: data reaches a page through `value` alone. Only its file sets a datum; where another
/// takes one out of a side, it hands it to `value`, names it, or compares it.
#[test]
fn values_are_printed_through_one_function() {
    for path in files("templates/document", "typ") {
        if path.ends_with("lib/value.typ") {
            continue;
        }
        for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            let place = format!("{}:{}", path.display(), number + 1);
            assert!(!line.contains(".raw"), "{place} prints a datum by itself");
            let line = line.replace("(side.value)(", "datum(");
            let hands_on = ["value(", "let ", "==", "!="].iter().any(|it| line.contains(it));
            assert!(!line.contains("datum(") || hands_on, "{place} prints a value by itself");
        }
    }
}

/// Performance: a document's own value in `set document` or `set page` makes every paragraph miss the
/// cache; Typst never frees a path.
#[test]
fn templates_keep_the_cache_warm() {
    for path in files("templates/document", "typ") {
        for line in fs::read_to_string(&path).unwrap().lines() {
            let sets = line.contains("set document(") || line.contains("set page(");
            assert!(!(sets && line.contains("data.")), "{}: {line}", path.display());
            assert!(!line.contains("sys.inputs"), "{}: {line}", path.display());
        }
    }
    for path in sources() {
        assert!(
            !fs::read_to_string(&path).unwrap().contains("FileId::unique"),
            "{}",
            path.display()
        );
    }
}

/// WCAG 2.2, 1.4.3 and 1.4.11: text at 4.5:1 on white and on the ground of a box, lines at 3:1.
#[test]
fn the_brand_can_be_read() {
    let brand = source("templates/brand/brand.typ");
    let colour = |name: &str| {
        let line = brand.lines().find(|it| it.starts_with(&format!("#let {name} = "))).unwrap();
        let hex = line.split_once("rgb(\"#").unwrap().1;
        let part = |at: usize| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
        let linear =
            |c: f64| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) };
        0.2126 * linear(part(0)) + 0.7152 * linear(part(2)) + 0.0722 * linear(part(4))
    };
    let contrast = |a: f64, b: f64| (a.max(b) + 0.05) / (a.min(b) + 0.05);
    for ground in [1.0, colour("soft")] {
        for text in ["ink", "muted", "accent"] {
            assert!(contrast(colour(text), ground) >= 4.5, "{text}");
        }
        assert!(contrast(colour("hairline"), ground) >= 3.0, "hairline");
    }
}

#[test]
fn nothing_is_left_unfinished() {
    for path in
        sources().iter().chain(&files("templates", "typ")).chain(&files("templates", "toml"))
    {
        let text = fs::read_to_string(path).unwrap();
        for word in [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X ")] {
            assert!(!text.contains(word), "{} says {word}", path.display());
        }
    }
}

#[test]
fn the_readme_names_files_that_are_there() {
    for page in ["README.md", "ARCHITECTURE.md"] {
        let text = source(page);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = target.split('#').next().unwrap();
            let outside = target.is_empty() || target.contains("://");
            assert!(outside || root().join(target).exists(), "{page}: {target} is not there");
        }
    }
}

/// Uses of modules that stand later in the journey, one line each.
fn forward(module: &[String], text: &str) -> Vec<String> {
    let own = rank(&module[0]);
    let tokens: TokenStream = text.parse().unwrap();
    let mut used = Vec::new();
    collect(tokens, module.len(), &mut used);
    used.into_iter()
        .filter(|(name, _)| rank(name) > own)
        .map(|(name, line)| format!("{}:{line} looks forward to `{name}`", module.join("::")))
        .collect()
}

/// The top-level modules that tokens name: `crate::x`, `crate::{x, y}`, `super::super::x`.
fn collect(tokens: TokenStream, depth: usize, used: &mut Vec<(String, usize)>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            collect(group.stream(), depth, used);
        }
        let mut next = match token {
            TokenTree::Ident(it) if it == "crate" => at + 1,
            TokenTree::Ident(it) if it == "super" => {
                let supers = tokens[at..].chunks(3).take_while(|it| is(&it[0], "super")).count();
                if supers < depth {
                    continue;
                }
                at + 3 * depth - 2
            }
            _ => continue,
        };
        // Over the two colons of a path.
        next += 2;
        match tokens.get(next) {
            Some(TokenTree::Ident(it)) => used.push((it.to_string(), it.span().start().line)),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                for item in
                    inner.split(|it| matches!(it, TokenTree::Punct(p) if p.as_char() == ','))
                {
                    if let Some(TokenTree::Ident(it)) = item.first() {
                        used.push((it.to_string(), it.span().start().line));
                    }
                }
            }
            _ => {}
        }
    }
}

fn is(token: &TokenTree, name: &str) -> bool {
    matches!(token, TokenTree::Ident(it) if it == name)
}

fn rank(module: &str) -> Option<usize> {
    ORDER.iter().position(|it| *it == module)
}

/// `src/document/rules/person.rs` is document, rules, person; `mod.rs` is its folder.
fn module_path(path: &Path) -> Vec<String> {
    let inner = path.strip_prefix(root().join("src")).unwrap().with_extension("");
    let mut parts: Vec<_> =
        inner.components().map(|it| it.as_os_str().to_string_lossy().into_owned()).collect();
    if parts.len() > 1 && parts.last().is_some_and(|it| it == "mod") {
        parts.pop();
    }
    parts
}

fn sources() -> Vec<PathBuf> {
    rust_files("src")
}

fn rust_files(folder: &str) -> Vec<PathBuf> {
    files(folder, "rs")
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
