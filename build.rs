//! Embedded files are part of the binary: a changed one builds it anew. So is the commit it was built from.

use std::process::Command;

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script by its environment")]
fn main() {
    println!("cargo::rerun-if-changed=templates");
    println!("cargo::rerun-if-changed=fonts");
    println!("cargo::rerun-if-changed=src/store/migrations");
    println!("cargo::rerun-if-env-changed=PARAPHE_COMMIT");
    let told = std::env::var("PARAPHE_COMMIT").ok();
    let commit = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    let commit = commit.ok().filter(|it| it.status.success());
    let commit = commit.and_then(|it| String::from_utf8(it.stdout).ok());
    let commit = told.or(commit).map_or_else(|| "released".to_owned(), |it| it.trim().to_owned());
    println!("cargo::rustc-env=PARAPHE_COMMIT={commit}");
}
