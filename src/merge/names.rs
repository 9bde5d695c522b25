//! How the files of a merge are named.

use std::str::FromStr;

/// A pattern that gives each letter of a merge a name of its own: text around `{row}`, `{reference}` and `{language}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileNames(String);

impl FileNames {
    /// The name of a letter's file. It stays in its folder whatever the pattern and the reference say: what is no
    /// letter, digit, space, dot, hyphen or underscore becomes a hyphen.
    pub fn of(&self, row: u32, reference: &str, language: &str) -> String {
        let name = self
            .0
            .replace("{row}", &row.to_string())
            .replace("{reference}", reference)
            .replace("{language}", language);
        let plain = |c: char| if c.is_alphanumeric() || "._- ".contains(c) { c } else { '-' };
        name.trim_start_matches('.').chars().map(plain).collect()
    }
}

impl FromStr for FileNames {
    type Err = String;

    /// A pattern without row and reference would name two letters alike, and the second would replace the first.
    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains("{row}") && !text.contains("{reference}") {
            return Err(
                "put {row} or {reference} in it: each letter wants a name of its own".to_owned()
            );
        }
        let rest = ["{row}", "{reference}", "{language}"]
            .iter()
            .fold(text.to_owned(), |it, name| it.replace(name, ""));
        match rest.contains(['{', '}']) {
            true => Err("the names are {row}, {reference} and {language}".to_owned()),
            false => Ok(Self(text.to_owned())),
        }
    }
}
