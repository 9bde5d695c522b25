//! `/v1/verification`: who signed a PDF, when, whom that leads to, and what changed since.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::auth::Caller;
use super::extract::Upload;
use super::problem::Refusal;
use super::state::Service;
use crate::seal::verify::verify;

/// The largest file that is verified, in bytes.
pub(super) const FILE: usize = 50 << 20;

/// Verifies a PDF.
pub(super) async fn report(
    State(service): State<Service>,
    _caller: Caller,
    Upload(file): Upload,
) -> Result<Response, Refusal> {
    let (own, at) = (service.clone(), service.at());
    let report = service.on_a_core(move || verify(&file, own.trust(), at)).await?;
    Ok(Json(report).into_response())
}
