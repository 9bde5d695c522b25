//! What was typed becomes data: pairs of pointer and text, shaped by the schema of the kind.
//!
//! Nothing that was typed is lost: what is no number stays text, and the schema says so. A list keeps its order; empty
//! entries at its end are left out, and so is whatever is empty and not asked for.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The fields of a form by name, each with what was sent for it.
#[derive(Debug, Default)]
pub(super) struct Typed(BTreeMap<String, Vec<String>>);

impl Typed {
    pub(super) fn new(pairs: &[(String, String)]) -> Self {
        let mut fields = BTreeMap::<String, Vec<String>>::new();
        for (name, value) in pairs {
            fields.entry(name.clone()).or_default().push(value.trim().to_owned());
        }
        Self(fields)
    }

    /// What was sent under a name; empty where nothing was.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).and_then(|it| it.first()).map_or("", String::as_str)
    }

    /// What was sent under names that begin alike, by the rest of the name.
    pub(super) fn under(&self, start: &str) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for (name, values) in &self.0 {
            if let (Some(rest), Some(value)) = (name.strip_prefix(start), values.last()) {
                found.insert(rest.to_owned(), value.clone());
            }
        }
        found
    }

    /// The data of a whole document.
    pub(super) fn value(&self, schema: &Value) -> Value {
        self.read(schema, schema, "", true).unwrap_or_else(|| json!({}))
    }

    fn read(&self, root: &Value, schema: &Value, at: &str, required: bool) -> Option<Value> {
        let schema = resolve(root, schema).1;
        if let Some(properties) = schema["properties"].as_object() {
            let mut object = Map::new();
            for (name, property) in properties {
                let asked = is_required(schema, name);
                let value = self.read(root, property, &format!("{at}/{name}"), asked);
                object.extend(value.map(|it| (name.clone(), it)));
            }
            return (required || has_content(&object)).then_some(Value::Object(object));
        }
        match schema["type"].as_str() {
            Some("array") => self.array(root, &schema["items"], at, required),
            Some("boolean") => match self.get(at) {
                "" => None,
                text => Some(json!(text == "true")),
            },
            Some("integer") => match self.get(at) {
                "" => None,
                text => Some(text.parse::<i64>().map_or_else(|_| json!(text), |it| json!(it))),
            },
            _ => match tidy(schema["format"].as_str(), self.get(at)) {
                text if text.is_empty() => None,
                text => Some(json!(text)),
            },
        }
    }

    fn array(&self, root: &Value, items: &Value, at: &str, required: bool) -> Option<Value> {
        let item = resolve(root, items).1;
        let mut found: Vec<Value> = if item["properties"].is_object() {
            let entries = self.indices(at).into_iter();
            let entry = |index| self.read(root, items, &format!("{at}/{index}"), true);
            entries.filter_map(entry).collect()
        } else if item["enum"].is_array() {
            let all = self.0.get(at).into_iter().flatten();
            all.filter(|it| !it.is_empty()).map(|it| json!(it)).collect()
        } else {
            self.get(at)
                .lines()
                .map(str::trim)
                .filter(|it| !it.is_empty())
                .map(|it| json!(it))
                .collect()
        };
        // The one that must be there stays, so that each of its fields is asked for.
        let least = usize::from(required);
        while found.len() > least
            && found.last().is_some_and(|it| it.as_object().is_some_and(|it| !has_content(it)))
        {
            found.pop();
        }
        (required || !found.is_empty()).then_some(Value::Array(found))
    }

    /// The numbers of a list's entries, in order.
    fn indices(&self, at: &str) -> Vec<usize> {
        let start = format!("{at}/");
        let names = self.0.keys().filter_map(|it| it.strip_prefix(&start)?.split('/').next());
        let mut indices: Vec<usize> = names.filter_map(|it| it.parse().ok()).collect();
        indices.sort_unstable();
        indices.dedup();
        indices
    }
}

/// A schema behind its reference, and the name of its type.
pub(super) fn resolve<'a>(root: &'a Value, schema: &'a Value) -> (&'a str, &'a Value) {
    let name = schema["$ref"].as_str().and_then(|it| it.strip_prefix("#/$defs/"));
    name.map_or(("", schema), |name| (name, &root["$defs"][name]))
}

/// Whether an object must have a property.
pub(super) fn is_required(schema: &Value, name: &str) -> bool {
    schema["required"].as_array().into_iter().flatten().any(|it| it == name)
}

/// Whether anything was typed: an object of empty objects is empty.
fn has_content(object: &Map<String, Value>) -> bool {
    object.values().any(|it| match it {
        Value::Object(inner) => has_content(inner),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    })
}

/// A date or an hour as French people write it, in the form of the data.
fn tidy(format: Option<&str>, text: &str) -> String {
    match format {
        Some("date" | "partial-date") => {
            let parts: Vec<_> = text.split(['/', '.']).map(str::trim).collect();
            let all = |it: &[&str]| it.iter().all(|it| it.bytes().all(|it| it.is_ascii_digit()));
            match parts.as_slice() {
                [day, month, year] if all(&parts) => format!("{year}-{month:0>2}-{day:0>2}"),
                [month, year] if all(&parts) => format!("{year}-{month:0>2}"),
                _ => text.to_owned(),
            }
        }
        Some("time-of-day") => {
            let time = text.replace(['h', 'H'], ":").replace(' ', "");
            match time.split_once(':') {
                Some((hour, minute)) => format!("{hour:0>2}:{minute:0>2}"),
                None => text.to_owned(),
            }
        }
        _ => text.to_owned(),
    }
}
