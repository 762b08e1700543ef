//! `acequia migrate`: its arguments, and what it says at a terminal.

use std::io::{self, Write};

use acequia::store::StoreUrl;
use acequia::store::migrate::{MigrateError, Progress, migrate};
use clap::Args;

use crate::progress::Bar;
use crate::{BAD_CONFIGURATION, Failure, failure, runtime};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The store that is read, as in sqlite:acequia.db; no gateway may use it meanwhile
    #[arg(long, value_name = "URL")]
    from: String,
    /// The store that is written, as in `redis://host`; it must be empty
    #[arg(long, value_name = "URL")]
    to: String,
}

pub(crate) fn move_all(arguments: &Arguments) -> Result<(), Failure> {
    let (from, to) = (url("from", &arguments.from)?, url("to", &arguments.to)?);
    // What cannot be read of a history is left out, and said.
    crate::log("error");
    let mut bar = None;
    let moved = runtime()?.block_on(migrate(&from, &to, |Progress { moved, all }| {
        let bar = bar.get_or_insert_with(|| Bar::new(all as f64, "systems and answers"));
        bar.at(moved as f64);
    }));
    drop(bar);
    let moved = moved.map_err(|error| match error {
        MigrateError::SameKind => refused(&error.to_string()),
        _ => failure(error),
    })?;
    let said = format!(
        "Moved from {from} to {to}: {} systems and answers.\n",
        moved.moved
    );
    io::stdout().write_all(said.as_bytes()).map_err(failure)
}

fn url(flag: &str, text: &str) -> Result<StoreUrl, Failure> {
    StoreUrl::parse(text).map_err(|problem| refused(&format!("flag --{flag}: {problem}")))
}

fn refused(problem: &str) -> Failure {
    Failure {
        text: problem.into(),
        code: BAD_CONFIGURATION,
    }
}
