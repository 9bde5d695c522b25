//! The OpenAPI 3.1 document, made from the routes; the inputs of documents are the rulebook's own schemas.

use aide::openapi::{Info, OpenApi, SecurityScheme};
use aide::transform::TransformOpenApi;
use serde_json::{Value, json};

use super::problem::Details;
use crate::document::{Kind, Rulebook};

/// What a reader is told first.
const ABOUT: &str = "Issues CAI and CAIF contracts and convocation letters, has them signed and mailed.

A key made with `paraphe keys api --name NAME --test` walks the whole journey apart from what has value: pages say \
SPÉCIMEN, a test key seals, mails are written into a folder. Some recipients of tests play what happens out there:

- `refused@simulator.example`: the server refuses the mail; it is `failed`.
- `bounce@simulator.example`: the server takes it and a report sends it back; it is `bounced`.
- `delay@simulator.example`: the server asks to wait; it is `ready` again, and `accepted` at the second try.
- `doubt@simulator.example`: the server does not answer; it is `in_doubt`.

Everybody else's mail is `accepted`. In trial mode the same recipients play the same parts.

`409` with the code `under_way` means that the first request with this idempotency key is not answered yet: ask again \
after the seconds of `Retry-After`; the answer is then the first one's.";

/// The document before the routes have filled it.
pub(super) fn empty() -> OpenApi {
    OpenApi {
        info: Info {
            title: "Paraphe".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: Some(ABOUT.to_owned()),
            ..Info::default()
        },
        ..OpenApi::default()
    }
}

/// What holds for every route.
pub(super) fn finish(api: TransformOpenApi<'_>) -> TransformOpenApi<'_> {
    let scheme = SecurityScheme::Http {
        scheme: "bearer".to_owned(),
        bearer_format: None,
        description: Some("A key of `paraphe keys api`".to_owned()),
        extensions: Default::default(),
    };
    api.security_scheme("key", scheme)
        .security_requirement("key")
        .default_response_with::<axum::Json<Details>, _>(|it| it.description("Refused"))
}

/// The finished document as text: with the inputs of documents, and refusals under their own media type.
pub(super) fn text(api: &OpenApi, rulebook: &Rulebook) -> String {
    let mut value = json!(api);
    for (kind, name) in
        [(Kind::Cai, "Cai"), (Kind::Caif, "Caif"), (Kind::Convocation, "Convocation")]
    {
        let mut schema = rulebook.schemas.get(kind).clone();
        lead(&mut schema, &format!("#/components/schemas/{name}/$defs/"));
        if let Some(schema) = schema.as_object_mut() {
            schema.shift_remove("$schema");
        }
        value["components"]["schemas"][name] = schema;
    }
    let paths = value["paths"].as_object_mut().into_iter().flat_map(|it| it.values_mut());
    let operations = paths.filter_map(Value::as_object_mut).flat_map(|it| it.values_mut());
    for operation in operations {
        let content = operation.pointer_mut("/responses/default/content");
        if let Some(content) = content.and_then(Value::as_object_mut)
            && let Some(refusal) = content.shift_remove("application/json")
        {
            content.insert("application/problem+json".to_owned(), refusal);
        }
    }
    value.to_string()
}

/// Leads the references within a schema to where it stands now.
fn lead(value: &mut Value, place: &str) {
    match value {
        Value::Object(entries) => {
            for (name, entry) in entries.iter_mut() {
                match entry {
                    Value::String(target) if name == "$ref" => {
                        *target = target.replacen("#/$defs/", place, 1);
                    }
                    entry => lead(entry, place),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|it| lead(it, place)),
        _ => {}
    }
}
