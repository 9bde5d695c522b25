//! The JSON Schema of each kind, made from the wire types and the rulebook's lists, and what it says
//! of a value: every error at once, with its place.

use std::collections::BTreeMap;

use jsonschema::error::{TypeKind, ValidationErrorKind as Fault};
use jsonschema::{ValidationError, Validator};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::STATELESS;
use super::calendar::{Date, PartialDate, Time};
use super::catalogue::Catalogue;
use super::email;
use super::input::{Contract, Convocation, Family, Kind};
use super::office::Offices;
use super::problem::{Problem, Report};
use super::regime::Regime;
use super::rulebook::Countries;

/// The schemas of all kinds.
#[derive(Debug)]
pub struct Schemas(BTreeMap<&'static str, (Value, Validator)>);

impl Schemas {
    pub(crate) fn new(
        regimes: &BTreeMap<String, Regime>,
        offices: &Offices,
        catalogues: &BTreeMap<String, Catalogue>,
        countries: &BTreeMap<String, Countries>,
    ) -> Self {
        let names = |field: &str| {
            let mut names: Vec<_> =
                regimes.values().flat_map(|it| it.names(field)).cloned().collect();
            names.sort();
            names.dedup();
            names
        };
        let countries: Vec<_> =
            countries.get("fr").into_iter().flat_map(BTreeMap::keys).cloned().collect();
        let nationalities = [vec![STATELESS.to_owned()], countries.clone()].concat();
        let lists = BTreeMap::from([
            ("regime", regimes.keys().cloned().collect()),
            ("office", offices.directorates.keys().cloned().collect()),
            ("centre", offices.centres.keys().cloned().collect()),
            ("language", catalogues.keys().cloned().collect()),
            ("country", countries),
            ("nationality", nationalities),
            ("category", names("category")),
            ("permit", names("permit")),
            ("step", names("step")),
            ("notice", names("notice")),
            ("Contract.exemption", names("exemption")),
            ("Parent.exemption", names("spouse")),
            ("SkillsReview.exemption", names("skills_review")),
            ("Extension.reason", names("extension")),
        ]);
        let schemas = [
            schema::<Contract>(Kind::Cai, "Contract", &lists),
            schema::<Family>(Kind::Caif, "Family", &lists),
            schema::<Convocation>(Kind::Convocation, "Convocation", &lists),
        ];
        Self(Kind::ALL.iter().map(|kind| kind.name()).zip(schemas).collect())
    }

    /// The schema of a kind, JSON Schema draft 2020-12.
    pub fn get(&self, kind: Kind) -> &Value {
        &self.0[kind.name()].0
    }

    /// Notes everything that is wrong with the shape of a value; answers its kind when it is sound.
    pub(crate) fn check(&self, value: &Value, report: &mut Report) -> Option<Kind> {
        let name = value.get("kind").and_then(Value::as_str);
        let Some(kind) = Kind::ALL.into_iter().find(|it| Some(it.name()) == name) else {
            report.error("schema.kind", "/kind", [("kinds", kinds())]);
            return None;
        };
        let (schema, validator) = &self.0[kind.name()];
        let mut sound = true;
        for error in validator.iter_errors(value) {
            sound = false;
            note(&error, schema, report);
        }
        sound.then_some(kind)
    }
}

fn kinds() -> String {
    Kind::ALL.map(Kind::name).join(", ")
}

/// What is wrong with the shape of a value that is to be read as a `T`, all at once: for data of ours
/// that is no document, such as settings and bodies of requests.
pub fn shape_faults<T: JsonSchema>(value: &Value) -> Vec<Problem> {
    let schema = closed::<T>(T::schema_name().as_ref(), &BTreeMap::new());
    let mut report = Report::default();
    for error in validator(&schema).iter_errors(value) {
        note(&error, &schema, &mut report);
    }
    report.0
}

/// The schema of one kind of document.
fn schema<T: JsonSchema>(
    kind: Kind,
    root: &str,
    lists: &BTreeMap<&str, Vec<String>>,
) -> (Value, Validator) {
    let mut schema = closed::<T>(root, lists);
    schema["properties"]["kind"] = json!({ "const": kind.name() });
    if let Some(definitions) = schema.get_mut("$defs").and_then(Value::as_object_mut) {
        definitions.remove("Kind");
    }
    schema["title"] = json!(format!("Paraphe {}", kind.name()));
    let validator = validator(&schema);
    (schema, validator)
}

/// Makes the schema of a type: closed objects, no null, ids listed where there are lists of them.
fn closed<T: JsonSchema>(root: &str, lists: &BTreeMap<&str, Vec<String>>) -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    tidy(&mut schema, root, lists);
    if let Some(definitions) = schema.get_mut("$defs").and_then(Value::as_object_mut) {
        for (name, definition) in definitions {
            tidy(definition, name, lists);
        }
    }
    schema
}

fn validator(schema: &Value) -> Validator {
    let validator = jsonschema::options()
        .with_format("date", |text: &str| Date::parse(text).is_some())
        .with_format("time-of-day", |text: &str| Time::parse(text).is_some())
        .with_format("partial-date", |text: &str| PartialDate::parse(text).is_some())
        .with_format("email", |text: &str| text.trim() == text && email::parse(text).is_ok())
        .should_validate_formats(true)
        .build(schema);
    // The schema is made from our own types: that it compiles is proved by every start.
    #[allow(clippy::expect_used, reason = "a schema of our own types")]
    validator.expect("the generated schema is a valid schema")
}

/// Closes an object, lists the ids its properties may have, and takes `null` away.
fn tidy(schema: &mut Value, name: &str, lists: &BTreeMap<&str, Vec<String>>) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::Array(variants)) = object.remove("oneOf") {
        // An enumeration with described variants: a list of names makes the better message.
        let names: Vec<_> = variants.iter().map(|it| it["const"].clone()).collect();
        object.insert("type".to_owned(), json!("string"));
        object.insert("enum".to_owned(), json!(names));
    }
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        for (key, property) in properties.iter_mut() {
            without_null(property);
            let own = format!("{name}.{key}");
            if let Some(ids) = lists.get(own.as_str()).or_else(|| lists.get(key.as_str()))
                && let Some(property) = property.as_object_mut()
                && property.get("type") == Some(&json!("string"))
            {
                property.insert("enum".to_owned(), json!(ids));
            }
        }
        object.insert("additionalProperties".to_owned(), json!(false));
    }
}

/// An absent value is left out; it is not `null`.
fn without_null(property: &mut Value) {
    let Some(object) = property.as_object_mut() else { return };
    if let Some(Value::Array(types)) = object.get("type").cloned() {
        let types: Vec<_> = types.into_iter().filter(|it| it != "null").collect();
        if let [only] = types.as_slice() {
            object.insert("type".to_owned(), only.clone());
        }
    }
    if let Some(Value::Array(choices)) = object.get("anyOf").cloned() {
        let mut choices = choices.into_iter().filter(|it| it["type"] != "null");
        if let (Some(Value::Object(only)), None) = (choices.next(), choices.next()) {
            object.remove("anyOf");
            object.extend(only);
        }
    }
    if object.get("default") == Some(&Value::Null) {
        object.remove("default");
    }
}

/// One error of the schema as a problem of ours.
fn note(error: &ValidationError<'_>, schema: &Value, report: &mut Report) {
    let pointer = error.instance_path().to_string();
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    let found = shorten(&text(error.instance()));
    match error.kind() {
        Fault::AdditionalProperties { unexpected } => {
            let known = known_fields(error, schema);
            for field in unexpected {
                let nearest = nearest(field, &known).to_owned();
                let escaped = field.replace('~', "~0").replace('/', "~1");
                let field_pointer = format!("{pointer}/{escaped}");
                report.error(
                    "schema.unknown_field",
                    field_pointer,
                    [("field", shorten(field)), ("nearest", nearest)],
                );
            }
        }
        Fault::Required { property } => {
            let pointer = format!("{pointer}/{}", text(property));
            report.error("schema.required", pointer, [("field", text(property))]);
        }
        Fault::Enum { options } => {
            let options: Vec<String> =
                options.as_array().into_iter().flatten().map(&text).collect();
            let nearest = nearest(&found, &options).to_owned();
            report.error(
                "schema.unknown_value",
                pointer,
                [("found", found), ("nearest", nearest), ("choices", choices(&options))],
            );
        }
        Fault::Type { kind } => {
            let expected = types(kind);
            report.error("schema.type", pointer, [("expected", expected), ("found", found)]);
        }
        Fault::Pattern { .. } => {
            let code = match pointer.rsplit('/').next() {
                Some("postcode") => "format.postcode",
                Some("foreigner_number") => "format.foreigner_number",
                _ => "format.reference",
            };
            report.error(code, pointer, [("found", found)]);
        }
        Fault::UniqueItems => report.error("schema.repeated", pointer, []),
        Fault::Format { format } => {
            let code = match format.as_str() {
                "date" => "format.date",
                "partial-date" => "format.partial_date",
                "time-of-day" => "format.time",
                _ => "format.email",
            };
            report.error(code, pointer, [("found", found)]);
        }
        Fault::MaxLength { limit } => {
            let length = error.instance().as_str().map_or(0, |it| it.chars().count());
            report.error(
                "schema.too_long",
                pointer,
                [("length", length.to_string()), ("limit", limit.to_string())],
            );
        }
        Fault::MinLength { limit } => {
            report.error("schema.too_short", pointer, [("limit", limit.to_string())]);
        }
        Fault::MaxItems { limit } => {
            report.error("schema.too_many", pointer, [("limit", limit.to_string())]);
        }
        Fault::MinItems { limit } => {
            report.error("schema.too_few", pointer, [("limit", limit.to_string())]);
        }
        Fault::Minimum { limit } => {
            report.error("schema.too_small", pointer, [("found", found), ("limit", text(limit))]);
        }
        Fault::Maximum { limit } => {
            report.error("schema.too_large", pointer, [("found", found), ("limit", text(limit))]);
        }
        _ => report.error("schema.other", pointer, [("detail", shorten(&error.to_string()))]),
    }
}

/// The fields that the object of an `additionalProperties` error has, read off the schema.
fn known_fields(error: &ValidationError<'_>, schema: &Value) -> Vec<String> {
    let path = error.schema_path().to_string();
    let object = path.strip_suffix("/additionalProperties").and_then(|it| schema.pointer(it));
    let properties = object.and_then(|it| it["properties"].as_object());
    properties.into_iter().flat_map(Map::keys).cloned().collect()
}

/// The JSON types a value may have.
fn types(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(kind) => kind.to_string(),
        TypeKind::Multiple(kinds) => {
            kinds.iter().map(|it| it.to_string()).collect::<Vec<_>>().join(", ")
        }
    }
}

/// The choice that looks most like what was found, or begins like it as `pt` and `pt-BR` do; empty
/// when none is near.
pub(super) fn nearest<'a>(found: &str, choices: &'a [String]) -> &'a str {
    const NEAR: f64 = 0.6;
    let found = found.to_lowercase();
    let likeness = |choice: &str| {
        let choice = choice.to_lowercase();
        let alike = strsim::normalized_damerau_levenshtein(&found, &choice);
        let short = choice.len().min(found.len());
        let kin = short >= 2 && (choice.starts_with(&found) || found.starts_with(&choice));
        if kin { alike.max(NEAR) } else { alike }
    };
    let near = choices
        .iter()
        .map(|it| (likeness(it), it.as_str()))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    near.map_or("", |(_, choice)| choice)
}

/// The choices in a line, cut where they are many.
fn choices(options: &[String]) -> String {
    const SHOWN: usize = 30;
    let mut line = options.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if options.len() > SHOWN {
        line.push_str(", …");
    }
    line
}

/// What was found, short enough for a line.
fn shorten(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
