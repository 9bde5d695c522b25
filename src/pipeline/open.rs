//! The journey's parts, built once from the settings.

use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;

use super::Pipeline;
use crate::assets::Assets;
use crate::class::Class;
use crate::config::{Config, ConfigError};
use crate::deliver::{MailOptions, Mailer, MailerError};
use crate::document::{Rulebook, RulebookError};
use crate::render::Renderer;
use crate::store::{Store, StoreError};

/// Where trial documents say that they can be verified.
const TRIAL_VERIFY_URL: &str = "https://verification.example.org/";

/// Why there is no pipeline.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// See [`ConfigError`].
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// See [`RulebookError`].
    #[error(transparent)]
    Rulebook(#[from] RulebookError),
    /// See [`MailerError`].
    #[error(transparent)]
    Mailer(#[from] MailerError),
    /// See [`StoreError`].
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OpenError {
    /// Whose turn it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Config(error) => error.class(),
            Self::Rulebook(_) => Class::Us,
            Self::Mailer(error) => error.class(),
            Self::Store(error) => error.class(),
        }
    }
}

impl Pipeline {
    /// Builds every part; the store's database is brought to this version's schema.
    pub async fn open(
        assets: &Assets,
        rulebook: Rulebook,
        config: &Config,
    ) -> Result<Arc<Self>, OpenError> {
        let rulebook = match config.is_trial() {
            true => rulebook,
            false => rulebook.for_production(&config.languages.accepted_drafts)?,
        };
        let renderer = Renderer::new(assets, &rulebook)?;
        let mailer = Mailer::new(assets, MailOptions { domain: config.mail.domain.clone() })?;
        let sealer = config.sealer()?;
        let store = Store::open(&config.store_options()?).await?;
        store.set_rate(config.mail.per_minute).await?;
        let verify_url = match config.is_trial() {
            true => Some(config.verify_url.clone().unwrap_or_else(|| TRIAL_VERIFY_URL.to_owned())),
            false => config.verify_url.clone(),
        };
        let catalogues = rulebook.catalogues.keys();
        let catalogues = catalogues.map(|tag| (tag.clone(), assets.digest_of(&locale(tag))));
        Ok(Arc::new(Self {
            catalogues: catalogues.collect(),
            rulebook,
            renderer,
            sealer,
            store,
            mailer,
            verify_url,
            specimen: config.is_trial(),
            links: config.mail.link.clone(),
            program: format!("{} {}", env!("CARGO_PKG_VERSION"), env!("PARAPHE_COMMIT")),
            assets: assets.digest(),
            cores: Semaphore::new(available_parallelism().map_or(1, usize::from)),
        }))
    }
}

/// Where the catalogue of a language stands.
fn locale(tag: &str) -> String {
    format!("templates/locales/{tag}.toml")
}
