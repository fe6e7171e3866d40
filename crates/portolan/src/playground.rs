//! `portolan playground`: a federation in the foreground.

pub(crate) mod arguments;
mod running;

use std::time::Duration;

use anyhow::{Context, Result};
use portolan_controlplane::StateDirectory;
use portolan_net::{Clock, Shutdown};
use portolan_playground::config::{Config, NetworkMode};
use portolan_playground::federation::{Options, Playground};
use portolan_playground::rights;
use portolan_playground::state::members_kubeconfig;

use crate::federation_dns;

/// Time for open requests to finish when the playground stops.
const DRAIN: Duration = Duration::from_secs(5);

/// Makes an ordinary user root of a user namespace where pods need that. Called before any thread starts: a process with
/// threads cannot enter a user namespace.
pub(crate) fn obtain_rights(arguments: &arguments::Playground) -> Result<()> {
    if arguments.command.is_none() && config(arguments)?.network == NetworkMode::Namespaces {
        rights::obtain()?;
    }
    Ok(())
}

/// Starts, prints `ready` when everything answers, and runs until SIGTERM or SIGINT.
pub(crate) async fn run(arguments: arguments::Playground) -> Result<()> {
    if let Some(command) = arguments.command {
        return running::run(command).await;
    }
    let config = config(&arguments)?;
    let dir = arguments.dir.context("--dir is missing")?;
    let state = StateDirectory::open(&dir)?;
    let scope = Shutdown::new();
    scope.request_on_signals().context("cannot listen for signals")?;
    let clock = Clock::system();
    let dns = federation_dns::serve(&arguments.controllers, &clock, &scope)?;
    let mut controllers = arguments.controllers.options(clock)?;
    controllers.public_dns = dns.map(|(dns, _)| dns);
    let options = Options { port: arguments.port, controllers, ..Options::new(Clock::system()) };
    let playground = Playground::start(&config, &state, &options, &scope).await?;
    anstream::println!("control plane: {}", state.hub_kubeconfig().display());
    anstream::println!("members:       {}", members_kubeconfig(&state).display());
    tokio::select! {
        ready = playground.ready() => {
            ready?;
            anstream::println!("ready");
            scope.requested().await;
        }
        () = scope.requested() => {}
    }
    playground.stop(&scope, DRAIN).await;
    Ok(())
}

/// The clusters of the file, or the default ones, with the flags of the command line applied.
fn config(arguments: &arguments::Playground) -> Result<Config> {
    let mut config = match &arguments.config {
        Some(path) => Config::read(path)?,
        None => Config::default().complete()?,
    };
    if let Some(network) = arguments.network {
        config.network = network.into();
    }
    if arguments.clusterset.is_some() {
        config.cluster_set.clone_from(&arguments.clusterset);
    }
    Ok(config)
}
