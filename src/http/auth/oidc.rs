//! Agents log in at the provider of the settings (OpenID Connect Core 1.0, code flow with PKCE).
//!
//! Away with a state, a nonce and a challenge that only this browser's cookie and our store know; back with a code,
//! which becomes an identity token, which says role and offices. The provider's name of a person becomes an opaque id.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{HeaderMap, SET_COOKIE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    CoreResponseType, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthenticationFlow, AuthorizationCode, Client, ClientId, ClientSecret,
    CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, IdTokenFields, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, StandardErrorResponse, StandardTokenResponse, TokenResponse,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::super::problem::Refusal;
use super::super::state::Service;
use super::{Role, cookie, login, same, set_cookie};
use crate::config::OidcSection;
use crate::store::Access;

/// What such a code is for, the cookie that binds it to a browser, and how long the way there and back may take.
const PURPOSE: &str = "oidc";
const COOKIE: &str = "paraphe_login";
const LASTS: TimeDelta = TimeDelta::minutes(10);

/// Every claim beside the standard's: the settings name the two that count.
#[derive(Debug, Deserialize, Serialize)]
struct Claims {
    #[serde(flatten)]
    all: BTreeMap<String, Value>,
}

impl AdditionalClaims for Claims {}

type Fields = IdTokenFields<
    Claims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

type Provider = Client<
    Claims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// What is kept while the person is at the provider.
#[derive(Serialize, Deserialize)]
struct Away {
    nonce: String,
    verifier: String,
}

/// What the provider sends back.
#[derive(Deserialize)]
struct Back {
    code: Option<String>,
    state: String,
}

/// To the provider, and back from it.
pub(super) fn routes() -> Router<Service> {
    Router::new().route("/login/oidc", get(leave)).route("/login/oidc/back", get(arrive))
}

async fn leave(State(service): State<Service>) -> Result<Response, Refusal> {
    let (section, own) = (section(&service)?, service.clone());
    let begun = spawn_blocking(move || {
        let provider = provider(&own, &section)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let request = provider.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
        let (url, state, nonce) = request.set_pkce_challenge(challenge).url();
        let away = Away { nonce: nonce.secret().clone(), verifier: verifier.secret().clone() };
        Ok::<_, Refusal>((url.to_string(), state.secret().clone(), away))
    });
    let (url, state, away) = begun.await.map_err(|_| Refusal::ours())??;
    let store = &service.pipeline().store;
    store.keep_code(PURPOSE, &state, &json!(away).to_string(), LASTS, service.at()).await?;
    let cookie = set_cookie(&service, COOKIE, &state, LASTS.num_seconds());
    Ok(([(SET_COOKIE, cookie)], Redirect::to(&url)).into_response())
}

async fn arrive(
    State(service): State<Service>,
    headers: HeaderMap,
    Query(back): Query<Back>,
) -> Result<Response, Refusal> {
    let at = service.at();
    // Of this browser, and for the first time.
    let state = cookie(&headers, COOKIE).unwrap_or_default();
    if !same(state.as_bytes(), back.state.as_bytes()) {
        return Err(Refusal::unauthorised());
    }
    let kept = service.pipeline().store.take_code(PURPOSE, &state, at).await?;
    let away = kept.and_then(|it| serde_json::from_str::<Away>(&it).ok());
    let (Some(away), Some(code)) = (away, back.code) else { return Err(Refusal::unauthorised()) };
    let (section, own) = (section(&service)?, service.clone());
    let access = spawn_blocking(move || identify(&own, &section, code, away, at));
    let access = access.await.map_err(|_| Refusal::ours())??;
    login::enter(&service, &access).await
}

/// Exchanges the code for an identity token, checks it, and reads who it is.
fn identify(
    service: &Service,
    section: &OidcSection,
    code: String,
    away: Away,
    at: DateTime<Utc>,
) -> Result<Access, Refusal> {
    let provider = provider(service, section)?;
    let request = provider.exchange_code(AuthorizationCode::new(code)).map_err(|it| fails(&it))?;
    let request = request.set_pkce_verifier(PkceCodeVerifier::new(away.verifier));
    let tokens = request.request(&fetch).map_err(|it| fails(&it))?;
    let token = tokens.id_token().ok_or_else(Refusal::unauthorised)?;
    let verifier = provider.id_token_verifier().set_time_fn(move || at);
    let claims = token.claims(&verifier, &Nonce::new(away.nonce)).map_err(|it| {
        tracing::warn!("an identity token is refused: {it}");
        Refusal::unauthorised()
    })?;
    let all = &claims.additional_claims().all;
    let role = words(all.get(&section.role_claim)).iter().find_map(|it| it.parse::<Role>().ok());
    let offices = words(all.get(&section.offices_claim));
    let (Some(role), false) = (role, offices.is_empty()) else { return Err(Refusal::forbidden()) };
    let name = format!("{} {}", section.issuer, claims.subject().as_str());
    Ok(Access {
        actor: service.pipeline().store.opaque_id("agent", &name),
        role,
        offices: (!offices.iter().any(|it| it == "*")).then_some(offices),
        test: false,
    })
}

fn provider(service: &Service, section: &OidcSection) -> Result<Provider, Refusal> {
    let issuer = IssuerUrl::new(section.issuer.clone()).map_err(|it| fails(&it))?;
    let metadata = CoreProviderMetadata::discover(&issuer, &fetch).map_err(|it| fails(&it))?;
    let secret = crate::config::secret(&section.client_secret_file).map_err(|it| fails(&it))?;
    let secret = ClientSecret::new(String::from_utf8_lossy(secret.expose()).into_owned());
    let address = service.config().http.address.as_deref().unwrap_or("http://127.0.0.1:8080");
    let back = format!("{}/login/oidc/back", address.trim_end_matches('/'));
    let back = RedirectUrl::new(back).map_err(|it| fails(&it))?;
    let id = ClientId::new(section.client_id.clone());
    Ok(Provider::from_provider_metadata(metadata, id, Some(secret)).set_redirect_uri(back))
}

fn section(service: &Service) -> Result<OidcSection, Refusal> {
    service.config().http.oidc.clone().ok_or_else(Refusal::not_found)
}

/// Asks the provider; redirects are not followed.
fn fetch(request: HttpRequest) -> Result<HttpResponse, ureq::Error> {
    const MOST: u64 = 1 << 20;
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(std::time::Duration::from_secs(10)));
    let response = config.build().new_agent().run(request)?;
    let (parts, mut body) = response.into_parts();
    let bytes = body.with_config().limit(MOST).read_to_vec()?;
    Ok(HttpResponse::from_parts(parts, bytes))
}

/// The provider or the settings are at fault: the log says how.
fn fails(error: &dyn std::error::Error) -> Refusal {
    tracing::error!("login at the provider: {error}");
    let detail = "the provider of logins cannot be asked now; try again later";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "provider", detail).retry_after(30)
}

/// A claim that is a word or a list of words.
fn words(claim: Option<&Value>) -> Vec<String> {
    match claim {
        Some(Value::String(it)) => it.split_whitespace().map(str::to_owned).collect(),
        Some(Value::Array(all)) => {
            all.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}
