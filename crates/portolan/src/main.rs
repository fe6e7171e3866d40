//! The `portolan` binary: arguments, output and wiring.
//!
//! The logic is in the crates below; this one reads arguments, connects the crates, and prints. The feature `playground`
//! adds `portolan playground` and `portolan quickstart`; a build without it has the server, the agent and the commands.
//! The feature `otel` adds the export of traces.

mod agent;
mod apply;
mod arguments;
mod backup;
mod cluster_access;
mod clusterset;
#[cfg(feature = "otel")]
mod collector_endpoint;
mod completion;
mod describe;
mod dns;
mod drain;
mod exec;
mod federate;
mod federation;
mod federation_dns;
mod get;
mod host_name;
mod hub_access;
mod interpret;
mod join;
mod kinds;
mod logs;
mod manifests;
mod member;
mod metrics;
mod migrate;
mod object_scope;
mod output;
mod permissions;
mod plan;
#[cfg(feature = "playground")]
mod playground;
mod pods;
mod promote;
#[cfg(feature = "playground")]
mod quickstart;
mod rebalance;
mod register;
mod release;
mod server;
mod servers;
mod services;
mod storage;
mod survey;
mod taint;
mod token;
mod top;
#[cfg(feature = "otel")]
mod traces;
mod tree;
mod unjoin;
mod why;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use arguments::{Arguments, ClusterCommand, Command, StorageCommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Tasks that a thread runs before it looks for new connections and data again. With the default of 61, a new client waits
/// for as many turns of the others.
const EVENT_INTERVAL: u32 = 16;

fn main() -> ExitCode {
    // Before much memory is in use.
    portolan_net::huge_pages::disable();
    // Before any thread starts, and before anything is printed.
    completion::answer_shell();
    let matches = arguments::examples::add(Arguments::command()).get_matches();
    // Cannot fail: the matches are those of these arguments.
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    #[cfg(feature = "playground")]
    if let Command::Inside { order } = &arguments.command {
        portolan_net::huge_pages::enable();
        // Before any thread starts: a process with threads cannot enter a container.
        return portolan_playground::sandbox::inside(order);
    }
    #[cfg(not(feature = "otel"))]
    output::log::start(&arguments.log, arguments.log_format);
    #[cfg(feature = "otel")]
    let exporter = match traces::start_with_log(&arguments) {
        Ok(exporter) => exporter,
        Err(error) => return output::fail(&error),
    };
    #[cfg(feature = "playground")]
    if let Command::Playground(playground) = &arguments.command
        && let Err(error) = playground::obtain_rights(playground)
    {
        return output::fail(&error);
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().event_interval(EVENT_INTERVAL).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return output::fail(&anyhow::Error::new(error).context("cannot start the runtime")),
    };
    let ended = runtime.block_on(run(arguments.command));
    #[cfg(feature = "otel")]
    if let Some(exporter) = exporter {
        exporter.stop();
    }
    // What still runs has been asked to stop, and is not waited for again.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output::fail(&error),
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Server(arguments) => server::run(*arguments).await,
        #[cfg(feature = "playground")]
        Command::Playground(arguments) => playground::run(arguments).await,
        #[cfg(feature = "playground")]
        Command::Quickstart(arguments) => quickstart::run(arguments).await,
        Command::Agent(arguments) => agent::run(arguments).await,
        Command::Dns(command) => dns::run(command).await,
        Command::Join(arguments) => join::run(arguments).await,
        Command::Register(arguments) => register::run(arguments).await,
        Command::Token(command) => token::run(command).await,
        Command::Unjoin(arguments) => unjoin::run(arguments).await,
        Command::Release(arguments) => release::run(arguments).await,
        Command::Cluster(ClusterCommand::Permissions(arguments)) => permissions::run(arguments).await,
        Command::Clusterset(arguments) => clusterset::run(arguments).await,
        Command::Get(arguments) => get::run(*arguments).await,
        Command::Logs(arguments) => logs::run(*arguments).await,
        Command::Exec(arguments) => exec::run(*arguments).await,
        Command::Describe(arguments) => describe::run(*arguments).await,
        Command::Top(arguments) => top::run(arguments).await,
        Command::Cordon(arguments) => taint::cordon(arguments).await,
        Command::Uncordon(arguments) => taint::uncordon(arguments).await,
        Command::Taint(arguments) => taint::run(arguments).await,
        Command::Apply(arguments) => apply::run(*arguments).await,
        Command::Promote(arguments) => promote::run(*arguments).await,
        Command::Drain(what) => drain::drain(what).await,
        Command::Undrain(what) => drain::undrain(what).await,
        Command::Rebalance(arguments) => rebalance::run(arguments).await,
        #[cfg(feature = "playground")]
        Command::Inside { .. } => anyhow::bail!("a process inside of a pod has no runtime"),
        Command::Services(arguments) => services::run(arguments).await,
        Command::Interpret(arguments) => interpret::run(&arguments),
        Command::Why(arguments) => why::run(arguments).await,
        Command::Tree(arguments) => tree::run(arguments).await,
        Command::Plan(arguments) => plan::run(arguments).await,
        Command::Federate(arguments) => federate::run(arguments).await,
        Command::Migrate(arguments) => migrate::run(arguments).await,
        Command::Federation(arguments) => federation::run(arguments).await,
        Command::Backup(arguments) => backup::backup(arguments).await,
        Command::Restore(arguments) => backup::restore(arguments).await,
        Command::Storage(StorageCommand::Migrate(arguments)) => storage::migrate(arguments).await,
        Command::Completion { shell } => completion::print_script(shell),
        // It starts a runtime of its own.
        Command::CompleteForKubectl { words } => {
            tokio::task::spawn_blocking(move || completion::answer_kubectl(&words)).await?
        }
    }
}
