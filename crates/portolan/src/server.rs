//! `portolan server`: the control plane alone.

use std::time::Duration;

use anyhow::{Context, Result};
use portolan_net::{Clock, Shutdown};
use portolan_playground::federation::ControlPlane;
use portolan_playground::state::StateDirectory;

use crate::arguments;

const DRAIN: Duration = Duration::from_secs(10);

/// Runs until SIGTERM or SIGINT.
pub(crate) async fn run(arguments: arguments::Server) -> Result<()> {
    let state = StateDirectory::open(&arguments.dir)?;
    let scope = Shutdown::new();
    scope.request_on_signals().context("cannot listen for signals")?;
    let control_plane =
        ControlPlane::embedded(&state, Some(arguments.listen), &Clock::system(), &scope).await?;
    control_plane.write_kubeconfig(&state.hub_kubeconfig())?;
    let _controllers = control_plane.start_controllers(&Clock::system(), &scope);
    anstream::println!("kubeconfig: {}", state.hub_kubeconfig().display());
    anstream::println!("ready");
    scope.requested().await;
    control_plane.stop(&scope, DRAIN).await;
    Ok(())
}
