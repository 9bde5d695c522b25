//! What a request carries, read strictly: bodies, ids, versions, keys. Each also says what it is in the OpenAPI document.

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::{
    HeaderStyle, MediaType, Operation, Parameter, ParameterData, ParameterSchemaOrContent,
    RequestBody, SchemaObject,
};
use aide::operation::{ParamLocation, add_parameters, parameters_from_schema, set_body};
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::{CONTENT_TYPE, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use schemars::{JsonSchema, Schema, json_schema};
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::problem::Refusal;
use super::state::Service;
use crate::document::{Problem, Severity, shape_faults};
use crate::store::State;

/// The input of a document, as bytes: [`crate::document::Document::check`] reads it.
pub(super) struct Input(pub Vec<u8>);

/// A JSON body of a shape of ours.
pub(super) struct Sent<T>(pub T);

/// The parameters of an address.
pub(super) struct Asked<T>(pub T);

/// The id in an address.
pub(super) struct Id(pub Uuid);

/// The version that a change is meant for: `If-Match: "v3"`, or the whole entity tag.
pub(super) struct IfMatch(pub u32);

/// The caller's key of a submission.
pub(super) struct Key(pub Option<String>);

/// A file as the whole body.
pub(super) struct Upload(pub Bytes);

impl FromRequest<Service> for Input {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &Service) -> Result<Self, Refusal> {
        Ok(Self(json(request).await?.into()))
    }
}

impl<T: DeserializeOwned + JsonSchema> FromRequest<Service> for Sent<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &Service) -> Result<Self, Refusal> {
        let bytes = json(request).await?;
        let bytes = if bytes.is_empty() { b"{}" } else { &*bytes };
        let value: Value = serde_json::from_slice(bytes).map_err(|it| unreadable(&it))?;
        let faults = shape_faults::<T>(&value);
        if !faults.is_empty() {
            return Err(Refusal::data(faults));
        }
        serde_json::from_value(value).map(Self).map_err(|it| {
            Refusal::data(vec![problem("schema.other", [("detail", it.to_string())])])
        })
    }
}

impl FromRequest<Service> for Upload {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &Service) -> Result<Self, Refusal> {
        read(request).await.map(Self)
    }
}

impl<T: DeserializeOwned + Send> FromRequestParts<Service> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Refusal> {
        let Query(asked) = Query::from_request_parts(parts, service)
            .await
            .map_err(|it| Refusal::new(StatusCode::BAD_REQUEST, "parameters", it.body_text()))?;
        Ok(Self(asked))
    }
}

impl FromRequestParts<Service> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Refusal> {
        let id = Path::<String>::from_request_parts(parts, service).await;
        let Path(id) = id.map_err(|_| Refusal::not_found())?;
        id.parse().map(Self).map_err(|_| Refusal::not_found())
    }
}

impl FromRequestParts<Service> for IfMatch {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Service) -> Result<Self, Refusal> {
        let Some(value) = parts.headers.get(IF_MATCH) else {
            let detail = "say which version this is meant for: If-Match with the document's ETag";
            return Err(Refusal::new(StatusCode::PRECONDITION_REQUIRED, "if_match", detail));
        };
        let tag = value.to_str().unwrap_or_default().trim();
        let version = tag.strip_prefix("\"v").and_then(|it| it.strip_suffix('"'));
        let version = version.and_then(|it| it.split('.').next());
        version.and_then(|it| it.parse().ok()).map(Self).ok_or_else(|| {
            let detail = "the document is at another version; read it again";
            Refusal::new(StatusCode::PRECONDITION_FAILED, "version", detail)
        })
    }
}

impl FromRequestParts<Service> for Key {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Service) -> Result<Self, Refusal> {
        key(&parts.headers).map(Self)
    }
}

/// The idempotency key of a request: 1 to 255 printable characters of ASCII.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().map(str::trim).filter(|it| (1..=255).contains(&it.len()));
    let detail = "an Idempotency-Key has 1 to 255 printable characters of ASCII";
    let refusal = || Refusal::new(StatusCode::BAD_REQUEST, "idempotency_key", detail);
    key.map(|it| Some(it.to_owned())).ok_or_else(refusal)
}

/// The entity tag of a document: its version, and its state, which can change without a new version.
pub(super) fn etag(version: u32, state: State) -> String {
    format!("\"v{version}.{state}\"")
}

async fn json(request: Request) -> Result<Bytes, Refusal> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if kind != "application/json" && !kind.ends_with("+json") {
        let detail = "send application/json";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type", detail));
    }
    read(request).await
}

async fn read(request: Request) -> Result<Bytes, Refusal> {
    Bytes::from_request(request, &()).await.map_err(|it| match it.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let detail = "the body is larger than what is read here";
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
        }
        _ => Refusal::new(StatusCode::BAD_REQUEST, "body", "the body cannot be read"),
    })
}

fn unreadable(error: &serde_json::Error) -> Refusal {
    let (line, column) = (error.line().to_string(), error.column().to_string());
    let detail = error.to_string();
    let detail = detail.split(" at line ").next().unwrap_or_default().to_owned();
    let values = [("line", line), ("column", column), ("detail", detail)];
    Refusal::data(vec![problem("json.syntax", values)])
}

fn problem<const N: usize>(code: &'static str, values: [(&'static str, String); N]) -> Problem {
    Problem { code, severity: Severity::Error, pointer: String::new(), values: values.into() }
}

/// The bodies of all kinds of documents, by the schemas of the rulebook.
fn any_document() -> Schema {
    json_schema!({
        "oneOf": [
            { "$ref": "#/components/schemas/Cai" },
            { "$ref": "#/components/schemas/Caif" },
            { "$ref": "#/components/schemas/Convocation" },
        ],
    })
}

fn body(ctx: &mut GenContext, operation: &mut Operation, kinds: &[&str], schema: Schema) {
    let media = MediaType { schema: Some(object(schema)), ..MediaType::default() };
    let content = kinds.iter().map(|it| ((*it).to_owned(), media.clone())).collect();
    set_body(ctx, operation, RequestBody { content, required: true, ..RequestBody::default() });
}

fn object(json_schema: Schema) -> SchemaObject {
    SchemaObject { json_schema, external_docs: None, example: None }
}

fn header(name: &str, required: bool, description: &str, schema: Schema) -> Parameter {
    let parameter_data = ParameterData {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        required,
        format: ParameterSchemaOrContent::Schema(object(schema)),
        deprecated: None,
        example: None,
        examples: Default::default(),
        explode: None,
        extensions: Default::default(),
    };
    Parameter::Header { parameter_data, style: HeaderStyle::Simple }
}

impl OperationInput for Input {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        body(ctx, operation, &["application/json"], any_document());
    }
}

impl<T: JsonSchema> OperationInput for Sent<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema = ctx.schema.subschema_for::<T>();
        body(ctx, operation, &["application/json"], schema);
    }
}

impl OperationInput for Upload {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema = json_schema!({ "type": "string", "format": "binary" });
        body(ctx, operation, &["application/octet-stream"], schema);
    }
}

impl<T: JsonSchema> OperationInput for Asked<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema = ctx.schema.subschema_for::<T>();
        let parameters = parameters_from_schema(ctx, schema, ParamLocation::Query);
        add_parameters(ctx, operation, parameters);
    }
}

impl OperationInput for Id {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema = json_schema!({
            "type": "object",
            "properties": { "id": { "type": "string", "format": "uuid" } },
            "required": ["id"],
        });
        let parameters = parameters_from_schema(ctx, schema, ParamLocation::Path);
        add_parameters(ctx, operation, parameters);
    }
}

impl OperationInput for IfMatch {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema = json_schema!({ "type": "string", "pattern": "^\"v[0-9]+([.][a-z_]+)?\"$" });
        let about = "The document's ETag: what is done is meant for that version";
        add_parameters(ctx, operation, [header("If-Match", true, about, schema)]);
    }
}

impl OperationInput for Key {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema = json_schema!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" });
        let about =
            "The same key and body get the first answer; the same key with another body gets 409";
        add_parameters(ctx, operation, [header("Idempotency-Key", false, about, schema)]);
    }
}

impl OperationInput for super::auth::Caller {}
