//! Persons as documents name them: one name or several, a birth known by day, month or year.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Deserialize;

use super::calendar::{PartialDate, age};

/// A natural person.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Person {
    pub civility: Option<Civility>,
    /// The family name (nom de famille); may be missing where a person has one name only.
    #[schemars(length(min = 1, max = 80))]
    pub family_name: Option<String>,
    #[schemars(length(min = 1, max = 80))]
    pub given_names: Option<String>,
    /// The whole name in the person's own script, as their own papers have it; printed beside the
    /// Latin letters, never instead of them.
    #[schemars(length(min = 1, max = 80))]
    pub native_name: Option<String>,
    /// Another name in use, such as a married name.
    #[schemars(length(min = 1, max = 80))]
    pub usage_name: Option<String>,
    /// True when the person expressly asked for letters under the usage name (CRPA L.111-3).
    #[serde(default)]
    pub prefers_usage_name: bool,
    pub birth: Birth,
    /// ISO 3166-1 alpha-2 code, or `stateless`.
    pub nationality: Option<String>,
    /// AGDREF number: ten digits, nine on old files.
    #[schemars(regex(pattern = r"^[0-9]{9,10}$"))]
    pub foreigner_number: String,
    pub address: Address,
    #[schemars(length(max = 254), extend("format" = "email"))]
    pub email: Option<String>,
}

/// How a person is addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Civility {
    Madame,
    Monsieur,
}

/// Where and when a person was born.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Birth {
    /// `YYYY-MM-DD`, or `YYYY-MM` or `YYYY` where no more is known.
    pub date: PartialDate,
    #[schemars(length(min = 1, max = 60))]
    pub place: Option<String>,
    /// ISO 3166-1 alpha-2 code.
    pub country: Option<String>,
}

/// A postal address in France.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Address {
    /// Flat, building, street: the lines between the name and the town.
    #[schemars(length(min = 1, max = 4), inner(length(min = 1, max = 60)))]
    pub lines: Vec<String>,
    #[schemars(regex(pattern = r"^(0[1-9]|[1-8][0-9]|9[0-8])[0-9]{3}$"))]
    pub postcode: String,
    #[schemars(length(min = 1, max = 40))]
    pub town: String,
}

/// The lawful representative of a minor.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Representative {
    pub civility: Option<Civility>,
    #[schemars(length(min = 1, max = 80))]
    pub family_name: Option<String>,
    #[schemars(length(min = 1, max = 80))]
    pub given_names: Option<String>,
    /// L.311-9 al. 2: the representative must be lawfully resident in France.
    pub lawfully_resident: bool,
}

/// A parent who signs the family contract, or need not.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Parent {
    #[serde(flatten)]
    pub person: Person,
    /// The reference of the parent's own contract.
    #[schemars(length(min = 1, max = 40))]
    pub contract: Option<String>,
    /// Why this parent need not sign.
    pub exemption: Option<String>,
}

/// A child who came by family reunification.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Child {
    #[schemars(length(min = 1, max = 80))]
    pub family_name: Option<String>,
    #[schemars(length(min = 1, max = 80))]
    pub given_names: Option<String>,
    pub birth: Birth,
    #[schemars(length(min = 1, max = 80))]
    pub school: Option<String>,
}

impl Person {
    /// Given names and the name that letters use: the family name, unless the person asked for the
    /// usage name (CRPA L.111-3).
    pub(crate) fn name(&self) -> String {
        let usage = self.usage_name.as_ref().filter(|_| self.prefers_usage_name);
        let family = usage.or(self.family_name.as_ref());
        [self.given_names.as_ref(), family]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Given names, family name and, in brackets, the usage name: as a contract has it.
    pub(crate) fn full_name(&self) -> String {
        let names = [self.given_names.as_ref(), self.family_name.as_ref()];
        let mut name =
            names.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ");
        if let Some(usage) = &self.usage_name {
            name.push_str(&format!(" ({usage})"));
        }
        name
    }

    /// Full years on a day; the latest possible day of birth counts.
    pub(crate) fn age_on(&self, day: NaiveDate) -> i32 {
        age(self.birth.date.latest(), day)
    }
}
