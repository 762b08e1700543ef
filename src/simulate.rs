//! `acequia simulate`: its arguments, its files, and what it says at a terminal.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use acequia::simulator::api::Api;
use acequia::simulator::outcome::Outcome;
use acequia::simulator::scenario::{Overrides, Scenario};
use acequia::simulator::{live, offline, report, summary};
use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::progress::Bar;
use crate::{Failure, failure, on_signal, runtime, with_causes};

/// What a scenario that cannot be used ends with, as a configuration does.
const BAD_SCENARIO: u8 = crate::BAD_CONFIGURATION;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Address of the gateway, as in `http://127.0.0.1:8001`
    #[arg(long, value_name = "URL", required_unless_present_any = ["offline", "print_systems"])]
    url: Option<String>,
    /// What is simulated (docs/simulator.md); without it the demonstration
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Seconds of the field in a second of the gateway, instead of the scenario's
    #[arg(long, value_name = "N")]
    speed: Option<f64>,
    /// Days that are simulated, instead of the scenario's
    #[arg(long, value_name = "D")]
    days: Option<f64>,
    /// Seed of all chance, instead of the scenario's
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Write down everything that happens, a line of JSON each
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Draw everything into one HTML file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Simulate the gateway, too, as fast as it goes
    #[arg(long, conflicts_with = "url")]
    offline: bool,
    /// Print the `[[systems]]` that a gateway needs for the scenario, and end
    #[arg(long, conflicts_with_all = ["url", "offline"])]
    print_systems: bool,
}

pub(crate) fn simulate(arguments: &Arguments) -> Result<(), Failure> {
    let overrides = Overrides {
        seed: arguments.seed,
        days: arguments.days,
        speed: arguments.speed,
    };
    let scenario =
        Scenario::read(arguments.scenario.as_deref(), overrides).map_err(|e| Failure {
            text: e.to_string(),
            code: BAD_SCENARIO,
        })?;
    if arguments.print_systems {
        let systems = scenario.gateway_systems().map_err(failure)?;
        return say(&systems);
    }
    // A file that cannot be written is said before the season, not after it.
    let trace = arguments.trace.as_deref().map(Sheet::create).transpose()?;
    let report = arguments.report.as_deref().map(Sheet::create).transpose()?;
    let runtime = runtime()?;
    let stop = runtime.block_on(async { on_signal() }).map_err(failure)?;
    let outcome = match &arguments.url {
        Some(url) => {
            let is_named = arguments.scenario.is_some();
            runtime.block_on(against(url, scenario, is_named, trace.is_some(), &stop))?
        }
        None => {
            let all = scenario.days * scenario.systems.len() as f64;
            let mut bar = Bar::new(all, "days");
            offline::run(&scenario, trace.is_some(), |days| {
                go_on(&mut bar, days, &stop)
            })
        }
    };
    if stop.is_cancelled() {
        say("Stopped early: this is what was done so far.\n\n")?;
    }
    say(&summary::table(&outcome.season))?;
    say(&violations(&outcome))?;
    if let Some(trace) = trace {
        trace.write(&outcome.trace)?;
    }
    if let Some(report) = report {
        let page = report::html(&outcome.season).map_err(|e| failure(with_causes(&e)))?;
        report.write(&[page])?;
    }
    match outcome.violations.len() {
        0 => Ok(()),
        many => Err(failure(format!(
            "{many} violations of what must always hold"
        ))),
    }
}

/// Against a live gateway. The demonstration takes whatever systems it has.
async fn against(
    url: &str,
    scenario: Scenario,
    is_named: bool,
    trace: bool,
    stop: &CancellationToken,
) -> Result<Outcome, Failure> {
    let failed = |e: &dyn std::error::Error| failure(with_causes(e));
    let api = Api::new(url).map_err(|e| failed(&e))?;
    let listed = tokio::select! {
        listed = api.systems() => listed.map_err(|e| failed(&e))?,
        () = stop.cancelled() => return Err(failure("stopped before the gateway answered")),
    };
    let scenario = if is_named {
        scenario
    } else {
        live::adapted(&scenario, &listed)
    };
    let mut bar = Bar::new(scenario.days, "days");
    let go_on = |days| go_on(&mut bar, days, stop);
    let running = live::run(&api, &scenario, &listed, trace, stop, go_on);
    running.await.map_err(|e| failed(&e))
}

/// Shows how far it is; ends the simulation when it is to stop.
fn go_on(bar: &mut Bar, days: f64, stop: &CancellationToken) -> ControlFlow<()> {
    bar.at(days);
    if stop.is_cancelled() {
        return ControlFlow::Break(());
    }
    ControlFlow::Continue(())
}

/// No more violations than these are said.
const MOST_SAID: usize = 20;

fn violations(outcome: &Outcome) -> String {
    let lines = outcome.violations.iter().take(MOST_SAID);
    lines.map(|what| format!("violation: {what}\n")).collect()
}

/// A file that is to be written.
struct Sheet<'a> {
    path: &'a Path,
    file: File,
}

impl<'a> Sheet<'a> {
    fn create(path: &'a Path) -> Result<Self, Failure> {
        // What stands there is kept until there is something to take its place.
        let open = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        match open {
            Ok(file) => Ok(Self { path, file }),
            Err(e) => Err(failure(format!("{}: {e}", path.display()))),
        }
    }

    fn write(self, lines: &[String]) -> Result<(), Failure> {
        // What has no length, such as a pipe, cannot be cut and need not be.
        let _ = self.file.set_len(0);
        let mut file = BufWriter::new(self.file);
        let mut written = lines.iter().try_for_each(|line| writeln!(file, "{line}"));
        written = written.and_then(|()| file.flush());
        written.map_err(|e| failure(format!("{}: {e}", self.path.display())))
    }
}

fn say(text: &str) -> Result<(), Failure> {
    io::stdout().write_all(text.as_bytes()).map_err(failure)
}
