//! The four levels of a signature that lasts (ETSI EN 319 142-1), and which one a file has.

use lopdf::{Object, xref::XrefEntry};
use serde::{Deserialize, Serialize};

use super::SealError;
use super::signature::Signature;
use super::update::Update;

/// How long what was signed can be proven. In order: each level holds what the one before holds.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Level {
    /// Nothing is signed.
    #[serde(rename = "none")]
    None,
    /// Signed.
    #[default]
    #[serde(rename = "B-B")]
    BaselineB,
    /// With the time, by somebody apart.
    #[serde(rename = "B-T")]
    BaselineT,
    /// With every certificate and proof that none was revoked.
    #[serde(rename = "B-LT")]
    BaselineLT,
    /// With a timestamp over all of it, renewed before it ages.
    #[serde(rename = "B-LTA")]
    BaselineLTA,
}

impl Level {
    /// All levels, the lowest first.
    pub const ALL: [Self; 5] =
        [Self::None, Self::BaselineB, Self::BaselineT, Self::BaselineLT, Self::BaselineLTA];

    /// What the standard calls it; `none` for the lowest.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::BaselineB => "B-B",
            Self::BaselineT => "B-T",
            Self::BaselineLT => "B-LT",
            Self::BaselineLTA => "B-LTA",
        }
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.name())
    }
}

impl std::str::FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|it| it.name().eq_ignore_ascii_case(text));
        found.ok_or_else(|| "one of B-B, B-T, B-LT, B-LTA".to_owned())
    }
}

/// The level that a file's parts make up, by where they stand. Whether they are true is another
/// question, which `verify` answers.
pub(super) fn of(update: &Update, signatures: &[Signature]) -> Result<Level, SealError> {
    let last = signatures.iter().filter(|it| !it.is_timestamp).map(|it| it.end).max();
    let Some(last) = last else { return Ok(Level::None) };
    let stamps = || signatures.iter().filter(|it| it.is_timestamp).map(|it| it.end);
    let timed = |it: &&Signature| it.cms.timestamp().is_some() || stamps().any(|end| end > it.end);
    if !signatures.iter().filter(|it| !it.is_timestamp).all(|it| timed(&it)) {
        return Ok(Level::BaselineB);
    }
    let catalog = update.object(update.catalog_id()?)?.as_dict()?;
    let store = catalog.get(b"DSS").and_then(Object::as_reference).ok();
    let place = store.and_then(|(id, _)| match update.document.reference_table.get(id) {
        Some(XrefEntry::Normal { offset, .. }) => usize::try_from(*offset).ok(),
        _ => None,
    });
    Ok(match place.filter(|it| *it >= last) {
        None => Level::BaselineT,
        Some(store) if stamps().any(|end| end > store) => Level::BaselineLTA,
        Some(_) => Level::BaselineLT,
    })
}
