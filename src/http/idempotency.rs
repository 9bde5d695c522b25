//! A request that carries an idempotency key is done once: whoever asks again gets the first answer.
//!
//! Documents keep their keys themselves; this is for what is done to them. Only what succeeded is kept, for what was
//! refused changed nothing.

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::auth::Caller;
use super::extract::key;
use super::problem::Refusal;
use super::state::Service;
use crate::store::{Answered, IdempotencyKey};

/// The headers of an answer that are kept.
const KEPT: [HeaderName; 3] = [CONTENT_TYPE, ETAG, LOCATION];

/// The largest answer that is kept, in bytes: receipts and the like.
const MOST: usize = 64 << 10;

#[derive(Serialize, Deserialize)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// Answers a request once.
pub(super) async fn once(State(service): State<Service>, request: Request, next: Next) -> Response {
    match answer(&service, request, next).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

async fn answer(service: &Service, request: Request, next: Next) -> Result<Response, Refusal> {
    let key = key(request.headers())?;
    let Some(key) = key.filter(|_| request.method() == Method::POST) else {
        return Ok(next.run(request).await);
    };
    let (mut parts, body) = request.into_parts();
    let caller = Caller::from_request_parts(&mut parts, service).await?;
    let body = to_bytes(body, super::BODY).await.map_err(|_| too_large())?;
    let key = format!("answer {} {} {key}", caller.actor, parts.uri.path());
    let key = IdempotencyKey::new(key);
    let digest = Sha256::digest(&body).into();
    let store = &service.pipeline().store;
    match store.begin_answer(&key, &digest, service.at()).await? {
        Answered::New => {}
        Answered::Before(answer) => return replay(&answer),
        Answered::UnderWay => {
            let detail = "the first request with this key is under way; try again in a moment";
            return Err(Refusal::new(StatusCode::CONFLICT, "under_way", detail).retry_after(2));
        }
    }
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    let (response, kept) = keep(response).await?;
    store.end_answer(&key, kept, service.at()).await?;
    Ok(response)
}

/// The response, and what is kept of it.
async fn keep(response: Response) -> Result<(Response, Option<String>), Refusal> {
    if !response.status().is_success() {
        return Ok((response, None));
    }
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, MOST).await.map_err(|_| Refusal::ours())?;
    let text = |name: &HeaderName| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        Some((name.to_string(), value.to_owned()))
    };
    let answer = Answer {
        status: parts.status.as_u16(),
        headers: KEPT.iter().filter_map(text).collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let kept = serde_json::to_string(&answer).ok();
    Ok((Response::from_parts(parts, Body::from(body)), kept))
}

fn replay(answer: &str) -> Result<Response, Refusal> {
    let answer: Answer = serde_json::from_str(answer).map_err(|_| Refusal::ours())?;
    let status = StatusCode::from_u16(answer.status).map_err(|_| Refusal::ours())?;
    let mut response = (status, answer.body).into_response();
    response.headers_mut().remove(CONTENT_TYPE);
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

fn too_large() -> Refusal {
    let detail = "the body is larger than what is read here";
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
}
