//! The `portolan` binary: arguments, output and wiring.
//!
//! Logic lives in the crates below; this one reads what the user asked for, connects the parts, and prints.

mod agent;
mod arguments;
mod clusterset;
mod dns;
mod get;
mod join;
mod manifests;
mod member;
mod output;
mod playground;
mod quickstart;
mod server;
mod services;
mod survey;
mod unjoin;
mod why;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Command::Inside { order } = &arguments.command {
        // Before anything starts a thread: afterwards, a process cannot enter a container.
        return portolan_playground::sandbox::inside(order);
    }
    output::log::start(&arguments.log);
    if let Command::Playground(playground) = &arguments.command
        && let Err(error) = playground::obtain_rights(playground)
    {
        return output::fail(&error);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output::fail(&anyhow::Error::new(error).context("cannot start the runtime")),
    };
    match runtime.block_on(run(arguments.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output::fail(&error),
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Server(arguments) => server::run(arguments).await,
        Command::Playground(arguments) => playground::run(arguments).await,
        Command::Quickstart(arguments) => quickstart::run(arguments).await,
        Command::Agent(arguments) => agent::run(arguments).await,
        Command::Dns(command) => dns::run(command).await,
        Command::Join(arguments) => join::run(arguments).await,
        Command::Unjoin(arguments) => unjoin::run(arguments).await,
        Command::Clusterset(arguments) => clusterset::run(arguments).await,
        Command::Get(arguments) => get::run(arguments).await,
        Command::Inside { .. } => anyhow::bail!("a process inside of a pod has no runtime"),
        Command::Services(arguments) => services::run(arguments).await,
        Command::Why(arguments) => why::run(arguments).await,
        Command::Completion { shell } => {
            output::completion(shell);
            Ok(())
        }
    }
}
