//! What the form says: kinds and their groups, labels, hints and choices, from `templates/desk/form/form.toml`.
//!
//! Checked against the schemas at the start: a field without a label, or outside every group, is a fault.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::assets::Assets;
use crate::document::{Kind, Rulebook};

const PATH: &str = "templates/desk/form/form.toml";

/// The fields that the form fills by itself.
pub(super) const OWN: [&str; 2] = ["kind", "regime"];

/// All words of the form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wording {
    kinds: BTreeMap<String, KindWords>,
    fields: BTreeMap<String, FieldWords>,
    choices: BTreeMap<String, BTreeMap<String, String>>,
}

/// A kind of document.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct KindWords {
    pub(in crate::http) title: String,
    pub(in crate::http) short: String,
    pub(in crate::http) about: String,
    pub(super) groups: Vec<GroupWords>,
}

/// A group of fields.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupWords {
    pub(super) title: String,
    pub(super) fields: Vec<String>,
}

/// A field.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FieldWords {
    pub(super) label: String,
    #[serde(default)]
    pub(super) hint: String,
    /// What one entry of a list is called, and the button that adds one.
    #[serde(default)]
    pub(super) one: String,
    #[serde(default)]
    pub(super) add: String,
}

impl Wording {
    /// Reads the words. Everything that is wrong with them is said at once.
    pub(crate) fn load(assets: &Assets, rulebook: &Rulebook) -> Result<Self, String> {
        let bytes = assets.get(PATH).ok_or_else(|| format!("{PATH}: missing"))?;
        let text = std::str::from_utf8(bytes).map_err(|error| format!("{PATH}: {error}"))?;
        let this: Self = toml::from_str(text).map_err(|error| format!("{PATH}: {error}"))?;
        let faults: Vec<_> =
            Kind::ALL.into_iter().flat_map(|kind| this.faults(kind, rulebook)).collect();
        if faults.is_empty() { Ok(this) } else { Err(format!("{PATH}: {}", faults.join("; "))) }
    }

    /// The words of a kind; loading has seen that there are.
    pub(in crate::http) fn kind(&self, kind: Kind) -> Option<&KindWords> {
        self.kinds.get(kind.name())
    }

    /// The words of a field of a type.
    pub(super) fn field(&self, definition: &str, name: &str) -> FieldWords {
        let own = self.fields.get(&format!("{definition}.{name}"));
        own.or_else(|| self.fields.get(name)).cloned().unwrap_or_default()
    }

    /// The label of a name as it stands in the data, whatever its type.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        let of_a_type = || self.fields.iter().find(|it| it.0.ends_with(&format!(".{name}")));
        let found = self.fields.get_key_value(name).or_else(of_a_type);
        found.map(|(_, words)| words.label.as_str())
    }

    /// The choices of a field by their name in data.
    pub(super) fn choices(
        &self,
        definition: &str,
        name: &str,
    ) -> Option<&BTreeMap<String, String>> {
        let own = self.choices.get(&format!("{definition}.{name}"));
        own.or_else(|| self.choices.get(name))
    }

    fn faults(&self, kind: Kind, rulebook: &Rulebook) -> Vec<String> {
        let schema = rulebook.schemas.get(kind);
        let Some(words) = self.kind(kind) else { return vec![format!("[kinds.{}]", kind.name())] };
        let grouped: Vec<_> = words.groups.iter().flat_map(|it| &it.fields).collect();
        let root = properties(schema);
        let alone = root.filter(|(name, _)| !OWN.contains(&name.as_str()));
        let alone = alone.filter(|(name, _)| !grouped.contains(name));
        let alone = alone.map(|(name, _)| format!("{}: {name} is in no group", kind.name()));
        let types = schema["$defs"].as_object().into_iter().flatten();
        let types = types.map(|(name, schema)| (name.as_str(), schema));
        let fields = types.chain([("", schema)]).flat_map(|(definition, schema)| {
            properties(schema).map(move |(name, _)| (definition, name))
        });
        let silent = fields.filter(|(definition, name)| {
            !OWN.contains(&name.as_str()) && self.field(definition, name).label.is_empty()
        });
        let silent = silent.map(|(definition, name)| format!("{definition}.{name} has no label"));
        let strange = grouped.iter().filter(|it| schema["properties"][it.as_str()].is_null());
        let strange = strange.map(|it| format!("{}: there is no field {it}", kind.name()));
        alone.chain(silent).chain(strange).collect()
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flat_map(Map::iter)
}
