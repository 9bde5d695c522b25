//! `serve`: API, desk, public pages, metrics and one worker in one process.

use clap::Args;

use super::journey::journey;
use super::output::print;
use super::worker::{send, when_told};
use super::{Failure, Options};
use crate::config;
use crate::deliver::Clock;
use crate::http::{Listeners, Service, ServiceError, auth::login, serve};

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Do not send mail here: workers elsewhere do
    #[arg(long)]
    no_worker: bool,
}

impl Serve {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        let assets = options.assets()?;
        journey(options, async |pipeline, config| {
            let listeners = Listeners::bind(&config.http).await?;
            let main = match listeners.main.local_addr() {
                Ok(place) => format!("http://{place}"),
                Err(error) => Err(ServiceError::Listen(config.http.listen(), error))?,
            };
            let address = config.http.address.clone().unwrap_or(main.clone());
            let service =
                Service::open(&assets, pipeline.clone(), config.clone(), Clock::system()).await?;
            print(&format!("Paraphe listens at {main}"))?;
            if config.http.oidc.is_none() {
                if config::in_journal() {
                    // A journal is read by others, and kept.
                    print("To log in: `paraphe keys link`")?;
                } else {
                    let store = &service.pipeline().store;
                    let link =
                        login::link(store, address.trim_end_matches('/'), service.at()).await?;
                    print(&format!("To log in, once and within 15 minutes: {link}"))?;
                }
            }
            let stop = when_told();
            let name = format!("serve-{}", std::process::id());
            let (worker, tests) = (!self.no_worker, config.for_tests());
            let apart = !std::sync::Arc::ptr_eq(service.pipeline(), service.tests());
            let own = async {
                if worker { send(&pipeline, &config, &name, stop.clone()).await } else { Ok(()) }
            };
            let of_tests = async {
                match worker && apart {
                    true => send(service.tests(), &tests, &name, stop.clone()).await,
                    false => Ok(()),
                }
            };
            let (served, sent, tested) =
                tokio::join!(serve(service.clone(), listeners, stop.clone()), own, of_tests);
            if apart {
                service.tests().store.clone().close().await;
            }
            served?;
            sent.and(tested)
        })
    }
}
