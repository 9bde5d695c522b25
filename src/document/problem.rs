//! What is wrong with the data: where, which rule, how grave.
//!
//! A problem carries a code and values; its sentences stand in `templates/problems/<language>.toml`,
//! so that an agent reads French and an integrator English without a word in the code.

use std::fmt;

use serde::Serialize;

/// One thing that is wrong, or worth a look, in the data of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The rule that was broken, such as `person.under_minimum_age`.
    pub code: &'static str,
    /// Whether the document can be issued all the same.
    pub severity: Severity,
    /// RFC 6901 pointer to the value, such as `/applicant/birth/date`; empty for the whole document.
    pub pointer: String,
    /// What the sentences of this problem need: names and values.
    pub values: Vec<(&'static str, String)>,
}

/// How grave a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The document is refused.
    Error,
    /// A rule of practice: refused unless somebody accepts it by code, with a reason and a name.
    Practice,
    /// Said, and issued all the same.
    Warning,
}

impl Severity {
    /// Whether a problem of this severity refuses the document.
    pub fn refuses(self) -> bool {
        self != Self::Warning
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Practice => "practice",
            Self::Warning => "warning",
        })
    }
}

/// The problems found so far, in the order of the rules.
#[derive(Debug, Default)]
pub(crate) struct Report(pub(crate) Vec<Problem>);

impl Report {
    /// Notes a problem that refuses the document.
    pub(crate) fn error<const N: usize>(
        &mut self,
        code: &'static str,
        pointer: impl Into<String>,
        values: [(&'static str, String); N],
    ) {
        self.note(code, Severity::Error, pointer.into(), values.into());
    }

    /// Notes a breach of a rule of practice.
    pub(crate) fn practice<const N: usize>(
        &mut self,
        code: &'static str,
        pointer: impl Into<String>,
        values: [(&'static str, String); N],
    ) {
        self.note(code, Severity::Practice, pointer.into(), values.into());
    }

    /// Notes something worth a look.
    pub(crate) fn warning<const N: usize>(
        &mut self,
        code: &'static str,
        pointer: impl Into<String>,
        values: [(&'static str, String); N],
    ) {
        self.note(code, Severity::Warning, pointer.into(), values.into());
    }

    fn note(
        &mut self,
        code: &'static str,
        severity: Severity,
        pointer: String,
        values: Vec<(&'static str, String)>,
    ) {
        self.0.push(Problem { code, severity, pointer, values });
    }
}
