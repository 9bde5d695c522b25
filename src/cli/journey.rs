//! What the verbs share that keep or send something: the pipeline of the settings, and a runtime.

use std::future::Future;
use std::sync::Arc;

use super::{Failure, Options, Shop};
use crate::config::Config;
use crate::pipeline::Pipeline;
use crate::store::Scope;
use crate::telemetry;

/// Who acts at the command line, in the audit trail.
const ACTOR: &str = "command-line";

/// The operator at the command line: every office.
pub(super) fn scope() -> Scope {
    Scope::all(ACTOR)
}

/// The settings of `--config`; without it the defaults of trial mode.
pub(super) fn config(options: &Options, shop: &Shop) -> Result<Config, Failure> {
    Ok(match &options.config {
        Some(path) => Config::read(path, &shop.rulebook.explanations, &options.messages)?,
        None => Config::default(),
    })
}

/// Opens the pipeline and carries out some work with it, to its end.
pub(super) fn journey<F, R>(
    options: &Options,
    work: impl FnOnce(Arc<Pipeline>, Config) -> F,
) -> Result<R, Failure>
where
    F: Future<Output = Result<R, Failure>>,
{
    let shop = options.open()?;
    let config = config(options, &shop)?;
    with_config(options, shop, config, work)
}

/// The same with settings that are not a file's.
pub(super) fn with_config<F, R>(
    options: &Options,
    shop: Shop,
    config: Config,
    work: impl FnOnce(Arc<Pipeline>, Config) -> F,
) -> Result<R, Failure>
where
    F: Future<Output = Result<R, Failure>>,
{
    telemetry::start(options.log, &options.log_filter);
    runtime()?.block_on(async {
        let pipeline = Pipeline::open(&shop.assets, shop.rulebook, &config).await?;
        let store = pipeline.store.clone();
        let result = work(pipeline, config).await;
        store.close().await;
        result
    })
}

/// A runtime whose threads wait for files, databases and servers; cores are the pipeline's to give.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    // Whatever asks for TLS gets the one provider there is.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let build = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    build.map_err(|source| Failure::File { path: "threads".to_owned(), source })
}
