//! The fields of a form, made from the schema of the data: a tree that the page prints as it stands.
//!
//! Schema, words and data in; groups of nodes out, each problem at the deepest node that its pointer leads to.

use serde::Serialize;
use serde_json::Value;

use super::choices::{Choice, choices};
use super::seats::Seats;
use super::typed::{is_required, resolve};
use super::wording::{KindWords, Wording};
use crate::document::{Kind, Rulebook};
use crate::http::problem::Said;
use crate::store::Scope;

/// A group of fields under a title.
#[derive(Debug, Serialize)]
pub(super) struct Group {
    id: String,
    title: String,
    nodes: Vec<Node>,
}

/// A field, a group of fields, a list of groups, or an appointment.
#[derive(Debug, Default, Serialize)]
pub(super) struct Node {
    /// `text`, `number`, `date`, `time`, `email`, `lines`, `select`, `yes_no`, `check`, `checks`, `group`, `list`,
    /// `entry` or `appointment`.
    is: &'static str,
    /// Its pointer into the data, which is also its name in the form.
    at: String,
    id: String,
    label: String,
    hint: String,
    /// The button that adds an entry.
    add: String,
    required: bool,
    /// Whether a group that may be left empty has something in it.
    open: bool,
    value: String,
    values: Vec<String>,
    choices: Vec<Choice>,
    nodes: Vec<Node>,
    /// The courses that an appointment may be chosen from.
    seats: Option<Seats>,
    problems: Vec<Said>,
}

/// What fields are made with.
pub(super) struct Maker<'a> {
    pub(super) rulebook: &'a Rulebook,
    pub(super) wording: &'a Wording,
    pub(super) scope: &'a Scope,
    pub(super) kind: Kind,
    /// The courses of appointments, by pointer.
    pub(super) seats: Vec<Seats>,
}

/// A type, a name in it, where, and whether it is asked for.
struct Place<'a> {
    definition: &'a str,
    name: &'a str,
    at: String,
    required: bool,
}

impl Maker<'_> {
    /// The groups of a form, filled with data.
    pub(super) fn groups(&mut self, words: &KindWords, value: &Value) -> Vec<Group> {
        let schema = self.rulebook.schemas.get(self.kind);
        let group = |(index, words): (usize, &super::wording::GroupWords)| {
            let nodes = words.fields.iter().map(|name| {
                let (at, required) = (format!("/{name}"), is_required(schema, name));
                let place = Place { definition: "", name, at, required };
                self.node(place, schema, &schema["properties"][name], value.get(name))
            });
            let mut nodes: Vec<_> = nodes.collect();
            // What is alone in its group needs no frame of its own.
            if let [only] = nodes.as_mut_slice()
                && only.is == "group"
            {
                nodes = std::mem::take(&mut only.nodes);
            }
            Group { id: format!("groupe-{}", index + 1), title: words.title.clone(), nodes }
        };
        words.groups.iter().enumerate().map(group).collect()
    }

    fn node(
        &mut self,
        place: Place<'_>,
        root: &Value,
        schema: &Value,
        value: Option<&Value>,
    ) -> Node {
        let (definition, schema) = resolve(root, schema);
        let words = self.wording.field(place.definition, place.name);
        let mut node = Node {
            id: id(&place.at),
            label: words.label,
            hint: words.hint,
            required: place.required,
            open: value.is_some(),
            value: value.map(text).unwrap_or_default(),
            at: place.at.clone(),
            ..Node::default()
        };
        if schema["properties"].is_object() {
            node.is = if definition == "Appointment" { "appointment" } else { "group" };
            node.nodes = self.nodes(definition, root, schema, &place.at, value);
            let own = self.seats.iter().position(|it| it.at() == place.at);
            node.seats = own.map(|it| self.seats.swap_remove(it));
            node.open |= node.seats.as_ref().is_some_and(Seats::is_open);
            return node;
        }
        if schema["type"] == "array" {
            return self.array(node, place, root, &schema["items"], value, (&words.one, words.add));
        }
        let choices = choices(self, (place.definition, place.name), schema);
        node.is = match (schema["type"].as_str(), schema["format"].as_str()) {
            _ if choices.is_some() => "select",
            (Some("boolean"), _) if schema["default"].is_boolean() => "check",
            (Some("boolean"), _) => "yes_no",
            (Some("integer"), _) => "number",
            (_, Some("date")) => "date",
            (_, Some("time-of-day")) => "time",
            (_, Some("email")) => "email",
            _ => "text",
        };
        node.choices = choices.unwrap_or_default();
        if schema["format"] == "partial-date" {
            // As it is written in France; it is read in both forms.
            node.value = node.value.split('-').rev().collect::<Vec<_>>().join("/");
        }
        node
    }

    fn nodes(
        &mut self,
        definition: &str,
        root: &Value,
        schema: &Value,
        at: &str,
        value: Option<&Value>,
    ) -> Vec<Node> {
        let properties = schema["properties"].as_object().into_iter().flatten();
        let node = |(name, property): (&String, &Value)| {
            let (at, required) = (format!("{at}/{name}"), is_required(schema, name));
            let place = Place { definition, name, at, required };
            self.node(place, root, property, value.and_then(|it| it.get(name)))
        };
        properties.map(node).collect()
    }

    fn array(
        &mut self,
        mut node: Node,
        place: Place<'_>,
        root: &Value,
        items: &Value,
        value: Option<&Value>,
        (one, add): (&str, String),
    ) -> Node {
        let (definition, item) = resolve(root, items);
        let found = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if !item["properties"].is_object() {
            node.values = found.iter().map(text).collect();
            node.value = node.values.join("\n");
            node.is = "lines";
            if item["enum"].is_array() {
                node.is = "checks";
                node.choices =
                    choices(self, (place.definition, place.name), item).unwrap_or_default();
            }
            return node;
        }
        // One empty entry to begin with, but for what is the exception.
        let least = usize::from(place.name != "accepted");
        for index in 0..found.len().max(least) {
            let at = format!("{}/{index}", place.at);
            let nodes = self.nodes(definition, root, item, &at, found.get(index));
            let label = format!("{one} {}", index + 1);
            node.nodes.push(Node { is: "entry", id: id(&at), at, label, nodes, ..Node::default() });
        }
        node.is = "list";
        node.add = add;
        node
    }
}

/// Puts each problem where its pointer leads, as deep as it goes; answers where that is, in the order of the page.
pub(super) fn place(groups: &mut [Group], problems: &[Said]) -> Vec<Placed> {
    let mut placed: Vec<_> = problems.iter().map(|problem| put(groups, problem)).collect();
    placed.sort_by(|a, b| a.path.cmp(&b.path));
    placed
}

/// A problem and the node that it is at.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Placed {
    /// The node's id; empty: it belongs to none.
    id: String,
    label: String,
    /// Whether that is one field.
    field: bool,
    #[serde(skip)]
    path: Vec<usize>,
    #[serde(flatten)]
    problem: Said,
}

fn put(groups: &mut [Group], problem: &Said) -> Placed {
    let mut placed = Placed {
        id: String::new(),
        label: String::new(),
        field: false,
        path: Vec::new(),
        problem: problem.clone(),
    };
    let leads = |at: &str| {
        let rest = problem.pointer.strip_prefix(at);
        rest.is_some_and(|it| it.is_empty() || it.starts_with('/'))
    };
    let mut nodes: Vec<&mut Node> = groups.iter_mut().flat_map(|it| &mut it.nodes).collect();
    let mut deepest = None;
    while let Some(index) = nodes.iter().position(|it| leads(&it.at)) {
        let found = nodes.swap_remove(index);
        found.open = true;
        placed.path.push(index);
        placed.id.clone_from(&found.id);
        placed.label.clone_from(&found.label);
        placed.field = !matches!(found.is, "group" | "list" | "entry" | "appointment");
        if !found.nodes.iter().any(|it| leads(&it.at)) {
            deepest = Some(found);
            break;
        }
        nodes = found.nodes.iter_mut().collect();
    }
    if let Some(node) = deepest {
        node.problems.push(problem.clone());
    }
    placed
}

/// The id of a pointer's element.
fn id(at: &str) -> String {
    format!("c{}", at.replace('/', "-"))
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
        value => value.to_string(),
    }
}
