//! The federation that is measured: started here, or found running.
//!
//! Either way it is spoken to from outside, as users do: HTTP/2 over TLS with the kubeconfigs that it wrote. Knows
//! nothing of what is measured.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use portolan_net::{Clock, Shutdown};
use portolan_playground::config::Config;
use portolan_playground::federation::{Options, Playground};
use portolan_playground::state::StateDirectory;
use portolan_runtime::Client;
use tempfile::TempDir;

/// Time for what is under way when the federation is stopped.
const DRAIN: Duration = Duration::from_secs(5);

/// A control plane and two members, each as its administrator sees it.
pub(crate) struct Federation {
    /// The control plane.
    pub(crate) hub: Client,
    /// The first member.
    pub(crate) member1: Client,
    /// The second.
    pub(crate) member2: Client,
    /// Ends what this program runs beside it.
    pub(crate) scope: Shutdown,
    own: Option<Own>,
}

/// What has to be removed after use.
struct Own {
    playground: Playground,
    folder: TempDir,
}

/// When a start reached which point.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Started {
    /// Before the first file was written.
    pub(crate) at: Instant,
    /// From there until the control plane says that both members are ready.
    pub(crate) ready: Duration,
}

impl Federation {
    /// Starts a playground in a new folder under `scratch`, as the binary does, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not start or does not get ready.
    pub(crate) async fn start(scratch: &Path, scope: &Shutdown) -> Result<(Self, Started)> {
        let folder = tempfile::Builder::new().prefix("portolan-bench-").tempdir_in(scratch);
        let folder = folder.context("cannot make a temporary directory")?;
        let config = Config::default().complete()?;
        let options = Options::new(Clock::system());
        let scope = scope.child();
        let at = Instant::now();
        let state = StateDirectory::open(&folder.path().join("state"))?;
        let playground = Playground::start(&config, &state, &options, &scope).await?;
        let became_ready = playground.ready().await;
        let ready = at.elapsed();
        let connected = match became_ready {
            Ok(()) => connect(&state.hub_kubeconfig(), &state.members_kubeconfig()).await,
            Err(error) => Err(error.into()),
        };
        match connected {
            Ok([hub, member1, member2]) => {
                let own = Some(Own { playground, folder });
                Ok((Self { hub, member1, member2, scope, own }, Started { at, ready }))
            }
            Err(error) => {
                playground.stop(&scope, DRAIN).await;
                Err(error)
            }
        }
    }

    /// Uses the playground that runs on `folder`.
    ///
    /// # Errors
    /// When its kubeconfigs are not there or cannot be used.
    pub(crate) async fn running(folder: &Path, scope: &Shutdown) -> Result<Self> {
        let state = StateDirectory::open(folder)?;
        let [hub, member1, member2] = connect(&state.hub_kubeconfig(), &state.members_kubeconfig()).await?;
        Ok(Self { hub, member1, member2, scope: scope.child(), own: None })
    }

    /// Stops what was started, and removes its folder.
    pub(crate) async fn stop(self) {
        self.scope.request();
        if let Some(Own { playground, folder }) = self.own {
            playground.stop(&self.scope, DRAIN).await;
            drop(folder);
        }
    }
}

async fn connect(hub: &Path, members: &Path) -> Result<[Client; 3]> {
    Ok([
        Client::from_kubeconfig(hub, Some("portolan")).await?,
        Client::from_kubeconfig(members, Some("member1")).await?,
        Client::from_kubeconfig(members, Some("member2")).await?,
    ])
}
