//! The same gateway with each fsync alone: as the program serves it (`src/main.rs`), but for the groups.

use std::io;
use std::path::Path;
use std::sync::Arc;

use acequia::config::{self, Overrides};
use acequia::store::Store;
use acequia::time::SystemClock;
use rustix::process::{Resource, getrlimit};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::fanout::open_many_files;

/// Serves until it is killed.
pub(crate) fn serve(store: &str, config: &str) {
    let overrides = Overrides {
        listen: Some("127.0.0.1:0".into()),
        store: Some(store.into()),
        ..Overrides::default()
    };
    let (_, mut settings) = config::read(Some(Path::new(config)), overrides).unwrap();
    let _log = log(&settings.log);
    open_many_files();
    let files = getrlimit(Resource::Nofile).current;
    settings.fit_into(files.map_or(usize::MAX, |files| files as usize));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let served = runtime.block_on(async {
        let listener = TcpListener::bind(settings.listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        let store = Store::open_in_groups(&settings.store, 1).await.unwrap();
        let clock = Arc::new(SystemClock::new().unwrap());
        tracing::info!("alone serves on http://{address}");
        acequia::run(settings, store, clock, listener, CancellationToken::new()).await
    });
    served.unwrap();
}

fn log(filter: &str) -> WorkerGuard {
    let (lines, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .finish(io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(lines)
        .with_ansi(false)
        .init();
    guard
}
