//! Who asks: the offices allowed, a type that every read takes.
//!
//! What lies outside the scope is not there: nobody learns that it exists.

use std::collections::BTreeSet;

use super::StoreError;
use super::sql::{Value, places};

/// Who reads or changes, and the offices whose documents they may.
#[derive(Debug, Clone)]
pub struct Scope {
    pub(super) actor: String,
    offices: Option<BTreeSet<String>>,
    pub(super) noted: bool,
}

impl Scope {
    /// Every office: the operator, the program itself. The actor is an opaque id, for it stands in the audit trail.
    pub fn all(actor: impl Into<String>) -> Self {
        Self { actor: actor.into(), offices: None, noted: false }
    }

    /// Some offices.
    pub fn offices(
        actor: impl Into<String>,
        offices: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let offices = offices.into_iter().map(Into::into).collect();
        Self { actor: actor.into(), offices: Some(offices), noted: false }
    }

    /// The same, with every read of a document written to the audit trail.
    pub fn noted(self) -> Self {
        Self { noted: true, ..self }
    }

    /// Who.
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// Whether an office is allowed.
    pub fn allows(&self, office: &str) -> bool {
        self.offices.as_ref().is_none_or(|it| it.contains(office))
    }

    pub(super) fn check(&self, office: &str, what: &'static str) -> Result<(), StoreError> {
        if self.allows(office) { Ok(()) } else { Err(StoreError::NotFound(what)) }
    }

    /// A condition on a column `office`, with parameters after those there are.
    pub(super) fn condition(&self, values: &mut Vec<Value>) -> String {
        let Some(offices) = &self.offices else { return "1 = 1".to_owned() };
        if offices.is_empty() {
            return "1 = 0".to_owned();
        }
        let first = values.len() + 1;
        values.extend(offices.iter().map(|it| Value::from(it.as_str())));
        format!("office IN ({})", places(first, offices.len()))
    }
}
