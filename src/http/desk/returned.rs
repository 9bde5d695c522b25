//! An envelope that came back: its code, typed or as a hand scanner reads it, marks the address.
//!
//! A code in, what it was marked on out.

use axum::extract::{Form, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::super::auth::Agent;
use super::super::merges::refused;
use super::super::page;
use super::super::problem::Refusal;
use super::super::state::Service;
use crate::merge::MergeError;
use crate::merge::returned::{Returned, returned};
use crate::store::StoreError;

/// What was read from the envelope.
#[derive(Deserialize)]
pub(super) struct Read {
    csrf: String,
    code: String,
}

#[derive(Serialize)]
struct Shown<'a> {
    csrf: &'a str,
    code: &'a str,
    /// `marked`, `known` or `none`.
    came: &'static str,
    reference: Option<String>,
}

/// Marks the address, and asks for the next code.
pub(super) async fn mark(
    State(service): State<Service>,
    agent: Agent,
    Form(read): Form<Read>,
) -> Result<Response, Refusal> {
    agent.check(&read.csrf)?;
    let caller = &agent.caller;
    caller.may_write()?;
    let (pipeline, scope, at) = (caller.pipeline(&service), caller.scope(), service.at());
    let (came, reference) = match returned(pipeline, &scope, &read.code, at).await {
        Ok(Returned::Marked(reference)) => ("marked", Some(reference)),
        Ok(Returned::Known(reference)) => ("known", Some(reference)),
        Err(MergeError::Store(StoreError::NotFound(_))) => ("none", None),
        Err(error) => return Err(refused(error)),
    };
    let values = Shown { csrf: &agent.csrf, code: read.code.trim(), came, reference };
    Ok(page::desk(&service, "desk/returned.html.j2", Some(&agent.csrf), values)?.into_response())
}
