//! What every request needs: the pipeline, the settings, who is known, what time it is.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use minijinja::Environment;
use tokio::sync::Semaphore;

use super::auth::limiter::Limiter;
use super::desk::Wording;
use super::health::Last;
use super::metrics::Metrics;
use super::problem::Refusal;
use crate::assets::Assets;
use crate::config::{Config, ConfigError};
use crate::deliver::Clock;
use crate::document::{Rulebook, example};
use crate::pipeline::{OpenError, Pipeline};
use crate::seal::Signer;
use crate::seal::verify::Trust;

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    pipeline: Arc<Pipeline>,
    tests: Arc<Pipeline>,
    assets: Assets,
    config: Config,
    pages: Environment<'static>,
    wording: Wording,
    trust: Trust,
    clock: Clock,
    failures: Limiter<IpAddr>,
    pace: Limiter<String>,
    metrics: Metrics,
    previews: Semaphore,
    lists: Semaphore,
    readiness: Last,
}

/// Why there is no service.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The settings, or what they name.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A page of the desk is at fault.
    #[error("a page template is at fault: {0:#}")]
    Page(#[from] minijinja::Error),
    /// The words of the form are at fault.
    #[error("{0}")]
    Wording(String),
    /// A trusted certificate is at fault.
    #[error("a trusted certificate is at fault: {0}")]
    Trust(#[from] crate::seal::verify::TrustError),
    /// An address is taken, or not ours.
    #[error("cannot listen at {0}: {1}: choose another in [http]")]
    Listen(SocketAddr, std::io::Error),
}

/// How many previews are made at once, and how long one waits for its turn.
const PREVIEWS: usize = 2;
const PREVIEW_WAIT: Duration = Duration::from_secs(10);

impl Service {
    /// Builds the service on a pipeline. What test keys do is kept apart: another store, another authority, mail into
    /// a folder. In trial mode everything is a test, so there is one of each.
    pub async fn open(
        assets: &Assets,
        pipeline: Arc<Pipeline>,
        config: Config,
        clock: Clock,
    ) -> Result<Self, ServiceError> {
        let tests = match config.is_trial() {
            true => pipeline.clone(),
            false => {
                let rulebook = Rulebook::load(assets).map_err(OpenError::from)?;
                Pipeline::open(assets, rulebook, &config.for_tests()).await?
            }
        };
        let mut trust = Trust::nobody();
        for certificate in config.trusted().map_err(OpenError::from)? {
            trust.add(&certificate)?;
        }
        Ok(Self(Arc::new(Inner {
            pages: pages(assets)?,
            wording: Wording::load(assets, &pipeline.rulebook).map_err(ServiceError::Wording)?,
            assets: assets.clone(),
            pipeline,
            tests,
            config,
            trust,
            clock,
            failures: Limiter::new(10, 300),
            pace: Limiter::new(3_000, 60),
            metrics: Metrics::new(),
            previews: Semaphore::new(PREVIEWS),
            lists: Semaphore::new(1),
            readiness: Last::default(),
        })))
    }

    /// The journey of what has value, or in trial mode of specimens. Keys and sessions are in its store.
    pub fn pipeline(&self) -> &Arc<Pipeline> {
        &self.0.pipeline
    }

    /// The journey of tests; in trial mode the only one.
    pub fn tests(&self) -> &Arc<Pipeline> {
        &self.0.tests
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The pages of the desk and the public ones, by their name below `templates/desk`.
    pub fn pages(&self) -> &Environment<'static> {
        &self.0.pages
    }

    /// What the form of a dossier says.
    pub(super) fn wording(&self) -> &Wording {
        &self.0.wording
    }

    /// Templates and fonts.
    pub fn assets(&self) -> &Assets {
        &self.0.assets
    }

    /// Law, places and sentences.
    pub fn rulebook(&self) -> &Rulebook {
        &self.0.pipeline.rulebook
    }

    /// Whose signatures are known.
    pub fn trust(&self) -> &Trust {
        &self.0.trust
    }

    /// What time it is.
    pub fn at(&self) -> chrono::DateTime<chrono::Utc> {
        self.0.clock.now()
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Whether agents reach it by https, so that cookies may say so.
    pub fn is_secure(&self) -> bool {
        self.config().http.address.as_deref().is_some_and(|it| it.starts_with("https://"))
    }

    /// Wrong keys and codes by the client's address.
    pub fn failures(&self) -> &Limiter<IpAddr> {
        &self.0.failures
    }

    /// Requests by who makes them.
    pub fn pace(&self) -> &Limiter<String> {
        &self.0.pace
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(super) fn last_readiness(&self) -> &Last {
        &self.0.readiness
    }

    /// Work that needs a core for a moment and is no issue: previews, checks, verification. It waits its turn, but
    /// not for ever.
    pub async fn on_a_core<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        in_turn(&self.0.previews, work).await
    }

    /// The check of a whole list, which takes its time: one after the other, so that previews have their core.
    pub async fn on_its_own<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        in_turn(&self.0.lists, work).await
    }

    /// The same, for a page that tells how far it has come: it waits for its turn as long as it takes.
    pub async fn when_its_turn_comes<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let _turn = self.0.lists.acquire().await.map_err(|_| Refusal::ours())?;
        tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::ours())
    }

    /// A key of the test authority's, for specimens.
    pub fn test_signer(&self, name: &str) -> Result<Arc<dyn Signer>, Refusal> {
        let config = self.config();
        let config = if config.is_trial() { config.clone() } else { config.for_tests() };
        config.test_signer(name).map_err(|error| {
            tracing::error!("no test signer: {error}");
            Refusal::ours()
        })
    }

    /// An example of a letter, for the readiness check. In French, which every service speaks.
    pub fn example(&self) -> Option<String> {
        let path = "templates/examples/convocation-moved-fr.json.j2";
        example(path, &self.0.assets, self.rulebook(), self.at()).ok()
    }
}

impl From<ConfigError> for ServiceError {
    fn from(error: ConfigError) -> Self {
        Self::Open(error.into())
    }
}

/// The pages under `templates/desk`; values are escaped, an unknown value is a fault.
fn pages(assets: &Assets) -> Result<Environment<'static>, minijinja::Error> {
    const FOLDER: &str = "templates/desk/";
    let mut pages = Environment::new();
    pages.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    pages.set_auto_escape_callback(|name| match name.ends_with(".html.j2") {
        true => minijinja::AutoEscape::Html,
        false => minijinja::AutoEscape::None,
    });
    pages.add_filter("moment", moment);
    for (path, bytes) in assets.list(FOLDER, ".j2") {
        let name = path.trim_start_matches(FOLDER).to_owned();
        pages.add_template_owned(name, String::from_utf8_lossy(bytes).into_owned())?;
    }
    Ok(pages)
}

/// A moment of RFC 3339 as a person at the desk reads it, in the time of Paris.
fn moment(text: &str) -> String {
    let Ok(moment) = chrono::DateTime::parse_from_rfc3339(text) else { return text.to_owned() };
    moment.with_timezone(&chrono_tz::Europe::Paris).format("%d/%m/%Y %H:%M").to_string()
}

async fn in_turn<T: Send + 'static>(
    places: &Semaphore,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let busy = || {
        let detail = "every core is busy; try again in a moment";
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail).retry_after(2)
    };
    let turn = tokio::time::timeout(PREVIEW_WAIT, places.acquire()).await;
    let _turn = turn.map_err(|_| busy())?.map_err(|_| busy())?;
    tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::ours())
}
