//! The program: arguments, log, store, port, and the only place that exits.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use acequia::config::{self, Overrides, Settings};
use acequia::simulator::api::Api;
use acequia::simulator::live;
use acequia::simulator::scenario::{self, Scenario};
use acequia::store::Store;
use acequia::time::{Clock, SystemClock};
use clap::{Parser, Subcommand};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

mod migrate;
mod progress;
mod simulate;

/// `EX_CONFIG` of sysexits is 78; what the contract promises is 64.
const BAD_CONFIGURATION: u8 = 64;

/// A gateway for irrigation: the state of every system, shown to everyone who watches, and remembered.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Serve the gateway until SIGTERM or SIGINT
    Serve {
        /// Configuration file; without it one system `default` is served from acequia.db in this folder
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Let the demonstration of `acequia simulate` ask for water
        #[arg(long)]
        simulate: bool,
        /// Address and port, as in 127.0.0.1:8001
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<String>,
        /// Where state and history live, as in sqlite:acequia.db
        #[arg(long, value_name = "URL")]
        store: Option<String>,
    },
    /// Simulate fields, and controllers that ask a gateway for water
    Simulate(simulate::Arguments),
    /// Move states, histories and kept answers from one store to another
    Migrate(migrate::Arguments),
    /// Validate a configuration and print what is in force
    Check {
        /// Configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

fn main() {
    let done = match Arguments::parse().task {
        Task::Serve {
            config,
            simulate,
            listen,
            store,
        } => {
            let overrides = Overrides {
                listen,
                store,
                ..environment()
            };
            read(config.as_deref(), overrides).and_then(|(_, settings)| serve(settings, simulate))
        }
        Task::Simulate(arguments) => simulate::simulate(&arguments),
        Task::Migrate(arguments) => migrate::move_all(&arguments),
        Task::Check { config } => check(&config),
    };
    let code = done.as_ref().err().map_or(0, |failure| failure.code);
    last_words(done.err());
    std::process::exit(code.into())
}

/// Lets the log write what it holds, and says why the program ends. Standard error may be a pipe that nobody reads: who
/// waits for it does not keep the program, which somebody wants to start again, from ending.
fn last_words(failure: Option<Failure>) {
    let (said, done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut log = LOG.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        drop(log.take());
        if let Some(Failure { text, .. }) = failure {
            // Nobody reads it if even this cannot be written.
            let _ = writeln!(io::stderr(), "acequia: {text}");
        }
        let _ = said.send(());
    });
    let _ = done.recv_timeout(LAST_WORDS);
}

/// Why the program ends early: one line for the person at the machine.
struct Failure {
    text: String,
    code: u8,
}

fn failure(text: impl std::fmt::Display) -> Failure {
    Failure {
        text: text.to_string(),
        code: 1,
    }
}

/// An error and what is behind it, on one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(behind) = cause {
        text = format!("{text}: {behind}");
        cause = behind.source();
    }
    text
}

/// What the environment sets. A name or a value that is not text is none of ours.
fn environment() -> Overrides {
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    Overrides {
        environment: std::env::vars_os().filter_map(text).collect(),
        ..Overrides::default()
    }
}

fn read(path: Option<&Path>, overrides: Overrides) -> Result<(config::File, Settings), Failure> {
    config::read(path, overrides).map_err(|error| Failure {
        text: error.to_string(),
        code: BAD_CONFIGURATION,
    })
}

fn check(path: &Path) -> Result<(), Failure> {
    let (file, settings) = read(Some(path), environment())?;
    let effective = settings.effective(file);
    let text = toml::to_string_pretty(&effective).map_err(failure)?;
    io::stdout().write_all(text.as_bytes()).map_err(failure)
}

/// Lines that wait for standard error to take them. Beyond it they are lost: who reads the log too slowly, or not at all,
/// does not hold up the water.
const LINES_WAITING: usize = 4096;

/// How long the end of the program waits for standard error.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The thread that writes the log: it ends, when all is written, with this.
static LOG: Mutex<Option<WorkerGuard>> = Mutex::new(None);

/// Logs to standard error, panics too.
fn log(filter: &str) {
    let (lines, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(LINES_WAITING)
        .lossy(true)
        .finish(io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(lines)
        .with_ansi(io::stderr().is_terminal())
        // A log that cannot be written, because who read it is gone, is no reason to fail.
        .log_internal_errors(false)
        .init();
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    *LOG.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(guard);
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(failure)
}

fn serve(mut settings: Settings, simulate: bool) -> Result<(), Failure> {
    log(&settings.log);
    let files = allow_many_files();
    if !settings.fit_into(files) {
        let connections = settings.limits.connections;
        tracing::warn!(
            files,
            connections,
            "the limit of open files is low: fewer connections are accepted than limits.connections says"
        );
    }
    let runtime = runtime()?;
    let served = runtime.block_on(async {
        let listener = TcpListener::bind(settings.listen)
            .await
            .map_err(|e| failure(format!("{} cannot be listened on: {e}", settings.listen)))?;
        let address = listener.local_addr().map_err(failure)?;
        let store = Store::open(&settings.store).await.map_err(failure)?;
        let clock: Arc<dyn Clock> = match store.clock() {
            Some(shared) => shared,
            None => Arc::new(SystemClock::new().map_err(failure)?),
        };
        let shutdown = on_signal().map_err(failure)?;
        let systems = settings.systems.iter().len();
        tracing::info!(systems, "acequia serves on http://{address}");
        if simulate {
            tokio::spawn(demonstrate(address));
        }
        acequia::run(settings, store, clock, listener, shutdown)
            .await
            .map_err(failure)
    });
    // A thread that hangs on a disk does not keep the program from ending.
    runtime.shutdown_background();
    served
}

/// Every connection is an open file, and what a shell allows at first (1,024 as a rule) is far below what it may allow.
/// Returns how many may be open.
fn allow_many_files() -> usize {
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    if let Err(cause) = setrlimit(Resource::Nofile, files) {
        tracing::warn!(%cause, "the limit of open files could not be raised");
    }
    let limit = getrlimit(Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    })
}

/// Cancelled by SIGTERM and SIGINT.
fn on_signal() -> io::Result<CancellationToken> {
    let shutdown = CancellationToken::new();
    let (mut term, mut int) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let cancel = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        tracing::info!("stopping");
        cancel.cancel();
    });
    Ok(shutdown)
}

/// The demonstration, for the systems that this gateway has, over its own listener, for ever.
async fn demonstrate(mut address: SocketAddr) {
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    for seed in 1.. {
        let overrides = scenario::Overrides {
            seed: Some(seed),
            ..scenario::Overrides::default()
        };
        if let Err(cause) = demonstrated(&format!("http://{address}"), overrides).await {
            tracing::warn!(%cause, "nothing is simulated yet");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

async fn demonstrated(url: &str, overrides: scenario::Overrides) -> Result<(), String> {
    let scenario = Scenario::read(None, overrides).map_err(|e| with_causes(&e))?;
    let api = Api::new(url).map_err(|e| with_causes(&e))?;
    let listed = api.systems().await.map_err(|e| with_causes(&e))?;
    let scenario = live::adapted(&scenario, &listed);
    let (never, go_on) = (CancellationToken::new(), |_| ControlFlow::Continue(()));
    let done = live::run(&api, &scenario, &listed, false, &never, go_on).await;
    done.map(drop).map_err(|e| with_causes(&e))
}
