//! What is wrong with a file or a signature: a stable code and the values its sentence needs.

use std::collections::BTreeMap;

use serde::Serialize;

/// One thing that keeps a file or a signature from being valid. `code` names a sentence of
/// `templates/verify/*.toml`; `values` fill it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// What it is, such as `cms.digest`.
    pub code: &'static str,
    /// Values that the sentence names, as text.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<&'static str, String>,
}

/// What a step of the verification gives.
pub(super) type Checked<T> = Result<T, Fault>;

impl Fault {
    pub(super) fn new(code: &'static str) -> Self {
        Self { code, values: BTreeMap::new() }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.values.insert(name, value.to_string());
        self
    }
}

/// `Ok` when `holds`, else the fault of that code.
pub(super) fn ensure(holds: bool, code: &'static str) -> Checked<()> {
    if holds { Ok(()) } else { Err(Fault::new(code)) }
}
