//! Typst's diagnostics for a template author: file, line, column, what, hint.

use std::fmt;

use typst::diag::SourceDiagnostic;
use typst::{World, WorldExt};

use super::RenderError;
use super::world::Sheet;

/// A fault in a page template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// File, line and column, such as `templates/document/convocation.typ:12:3`; empty where Typst
    /// knows none.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hints: Vec<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.as_str() {
            "" => write!(f, "{}", self.message)?,
            place => write!(f, "{place}: {}", self.message)?,
        }
        self.hints.iter().try_for_each(|hint| write!(f, "\n  hint: {hint}"))
    }
}

/// Typst's diagnostics as an error of ours.
pub(super) fn error(sheet: &Sheet<'_>, diagnostics: &[SourceDiagnostic]) -> RenderError {
    RenderError::Template(diagnostics.iter().map(|it| translate(sheet, it)).collect())
}

/// One line a diagnostic.
pub(super) fn lines(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn translate(sheet: &Sheet<'_>, diagnostic: &SourceDiagnostic) -> Diagnostic {
    let place = || {
        let id = diagnostic.span.id()?;
        let source = sheet.source(id).ok()?;
        let range = sheet.range(diagnostic.span)?;
        let (line, column) = source.lines().byte_to_line_column(range.start)?;
        let path = id.vpath().get_without_slash().to_owned();
        Some(format!("templates/{path}:{}:{}", line + 1, column + 1))
    };
    Diagnostic {
        place: place().unwrap_or_default(),
        message: diagnostic.message.to_string(),
        hints: diagnostic.hints.iter().map(|hint| hint.v.to_string()).collect(),
    }
}
