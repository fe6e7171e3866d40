//! `portolan-bench`: the figures that Portolan promises, measured on this machine.
//!
//! Standard output gets one Markdown table, standard error the progress. The exit code is 1 when something did not
//! arrive at all; a missed target is printed and is no failure, for machines differ.

mod arguments;
mod arrivals;
mod attacked;
mod bulk;
mod cluster_set;
mod discovery;
mod dns;
mod federated_records;
mod federation;
mod figure;
mod machine;
mod memory;
mod modes;
mod objects;
mod processes;
mod propagation;
mod report;
mod run;
mod scheduling;
mod start;
mod statistics;
mod templates;
mod walkthrough;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use portolan_net::Shutdown;
use tracing_subscriber::EnvFilter;

use arguments::{Arguments, Command};
use report::Report;

/// The one that the measured program has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // As the measured program does.
    portolan_net::huge_pages::disable();
    let arguments = Arguments::parse();
    let measured = match &arguments.command {
        Some(Command::Dns(dns)) => return ending(dns::run(dns)),
        Some(Command::DnsServe(serve)) => return ending(dns::serve(serve)),
        Some(Command::Serve { directory }) => return ending(serve(directory)),
        Some(Command::Records(sizes)) => {
            federated_records::run(sizes).inspect(|report| print!("{}", report.render()))
        }
        Some(Command::Schedule(sizes)) => {
            scheduling::run(sizes).inspect(|report| print!("{}", report.render()))
        }
        Some(Command::Clusterset(_) | Command::Attacked(_) | Command::Modes(_) | Command::Templates(_))
        | None => measure(&arguments),
    };
    match measured {
        Ok(report) if report.failures.is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn ending(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(directory: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(federation::serve(directory))
}

fn measure(arguments: &Arguments) -> Result<Report> {
    let filter = EnvFilter::try_new(&arguments.log).context("--log")?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let report = runtime.context("cannot start the runtime")?.block_on(until_interrupted(arguments))?;
    print!("{}", report.render());
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(report)
}

/// Temporary directories are removed on Ctrl-C as well.
async fn until_interrupted(arguments: &Arguments) -> Result<Report> {
    let scope = Shutdown::new();
    scope.request_on_signals().context("cannot listen for signals")?;
    let run = async {
        if let Some(Command::Clusterset(sizes)) = &arguments.command {
            return cluster_set::run(sizes, &scope).await;
        }
        if let Some(Command::Attacked(attacked)) = &arguments.command {
            return attacked::run(attacked, &scope).await;
        }
        if let Some(Command::Modes(modes)) = &arguments.command {
            return modes::run(modes, &scope).await;
        }
        if let Some(Command::Templates(templates)) = &arguments.command {
            return templates::run(templates).await;
        }
        match &arguments.dir {
            Some(folder) => run::beside(arguments, folder, &scope).await,
            None => run::here(arguments, &scope).await,
        }
    };
    tokio::select! {
        report = run => report,
        () = scope.requested() => bail!("interrupted"),
    }
}
