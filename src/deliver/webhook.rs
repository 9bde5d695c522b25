//! Tells another program what happened: every entry of the audit trail, in order, numbered and signed.
//!
//! The form is that of Standard Webhooks: `webhook-id`, `webhook-timestamp`, and `webhook-signature`, an
//! HMAC-SHA256 over both and the body. An event is told until it is taken, then the next: at least once,
//! in order; the number tells a second telling from a first. It holds ids and words, no person.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::sleep;

use super::clock::Clock;
use super::tls::{self, TlsError};
use crate::class::Class;
use crate::secret::Secret;
use crate::store::{Event, Store, StoreError};

/// Who is told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookOptions {
    /// The name under which the store remembers how far it was told.
    pub name: String,
    /// Where; `https`, or `http` on this machine.
    pub url: String,
    /// Certificates to trust in place of the system's, PEM.
    pub roots: Option<String>,
    /// What the signatures are made with.
    #[serde(skip)]
    pub secret: Option<Secret>,
}

/// Why an event was not told.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// No secret, an address that is none, or one that is open to others.
    #[error("the webhook needs a secret and an https address (or http on this machine)")]
    Setting,
    /// See [`TlsError`].
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No answer.
    #[error("the webhook's receiver cannot be reached: {0}")]
    Line(#[source] reqwest::Error),
    /// An answer other than 2xx.
    #[error("the webhook's receiver answers {0}")]
    Answer(u16),
    /// See [`StoreError`].
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl WebhookError {
    /// Whose turn it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Setting | Self::Tls(_) => Class::Us,
            Self::Store(error) => error.class(),
            Self::Line(_) | Self::Answer(_) => Class::Later,
        }
    }
}

/// A receiver of events.
#[derive(Debug)]
pub struct Webhook {
    options: WebhookOptions,
    key: hmac::Key,
    client: reqwest::Client,
}

/// How long an answer may take, and the pauses between tries.
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(300));

/// How many events are read at a time.
const AT_A_TIME: u32 = 100;

impl Webhook {
    /// Checks the options; connects to nothing yet.
    pub fn new(options: WebhookOptions) -> Result<Self, WebhookError> {
        let secret = options.secret.as_ref().ok_or(WebhookError::Setting)?;
        let url = reqwest::Url::parse(&options.url).map_err(|_| WebhookError::Setting)?;
        let here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if url.scheme() != "https" && !(url.scheme() == "http" && here) {
            return Err(WebhookError::Setting);
        }
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::config(options.roots.as_deref())?)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .map_err(WebhookError::Line)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
        Ok(Self { options, key, client })
    }

    /// Tells one event; an answer of 2xx means that it was taken.
    pub async fn tell(&self, event: &Event, at: DateTime<Utc>) -> Result<(), WebhookError> {
        let (id, timestamp) = (event.number.to_string(), at.timestamp().to_string());
        let body = json!({
            "type": event.action,
            "timestamp": event.at,
            "data": { "number": event.number, "subject": event.subject, "detail": event.detail },
        })
        .to_string();
        let signature = hmac::sign(&self.key, format!("{id}.{timestamp}.{body}").as_bytes());
        let answer = self
            .client
            .post(&self.options.url)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", format!("v1,{}", STANDARD.encode(signature)))
            .body(body)
            .send()
            .await
            .map_err(|error| WebhookError::Line(error.without_url()))?;
        match answer.status().is_success() {
            true => Ok(()),
            false => Err(WebhookError::Answer(answer.status().as_u16())),
        }
    }

    /// Tells every event from where it was left, until `stop` says true.
    pub async fn run(&self, store: &Store, clock: &Clock, mut stop: watch::Receiver<bool>) {
        let mut wakes = store.wakes();
        let mut pause = PAUSES.0;
        while !*stop.borrow() {
            match self.catch_up(store, clock, &stop).await {
                Ok(()) => pause = PAUSES.0,
                Err(error) => {
                    if pause == PAUSES.0 {
                        tracing::error!(class = ?error.class(), "webhook {}: {error}", self.options.name);
                    }
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
            tokio::select! {
                Ok(()) = wakes.changed(), if pause == PAUSES.0 => {}
                () = sleep(pause) => {}
                Ok(()) = stop.changed() => {}
            }
        }
    }

    async fn catch_up(
        &self,
        store: &Store,
        clock: &Clock,
        stop: &watch::Receiver<bool>,
    ) -> Result<(), WebhookError> {
        let mut number = store.cursor(&self.options.name).await?;
        loop {
            let events = store.events(number, AT_A_TIME).await?;
            for event in &events {
                if *stop.borrow() {
                    return Ok(());
                }
                self.tell(event, clock.now()).await?;
                number = event.number;
                store.set_cursor(&self.options.name, number).await?;
            }
            if events.is_empty() {
                return Ok(());
            }
        }
    }
}
