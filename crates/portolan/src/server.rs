//! `portolan server`: the control plane alone.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use portolan_controlplane::{ControlPlane, StateDirectory};
use portolan_net::{Clock, Shutdown};

use crate::arguments;

const DRAIN: Duration = Duration::from_secs(10);

/// Runs until SIGTERM or SIGINT.
pub(crate) async fn run(arguments: arguments::Server) -> Result<()> {
    let scope = Shutdown::new();
    scope.request_on_signals().context("cannot listen for signals")?;
    let clock = Clock::system();
    let control_plane = match (&arguments.kubeconfig, &arguments.dir) {
        (Some(kubeconfig), _) => ControlPlane::existing(kubeconfig, arguments.context.as_deref()).await?,
        (None, Some(dir)) => {
            let state = StateDirectory::open(dir)?;
            let embedded = ControlPlane::embedded(&state, Some(arguments.listen), &clock, &scope).await?;
            embedded.write_kubeconfig(&state.hub_kubeconfig())?;
            anstream::println!("kubeconfig: {}", state.hub_kubeconfig().display());
            embedded
        }
        (None, None) => {
            bail!("give --dir for an embedded API server, or --kubeconfig for one that runs already")
        }
    };
    let _controllers = control_plane.start_controllers(&clock, &scope);
    anstream::println!("ready");
    scope.requested().await;
    control_plane.stop(&scope, DRAIN).await;
    Ok(())
}
