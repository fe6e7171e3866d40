//! The measured federation: started as a separate process, or already running.
//!
//! Either way it is spoken to from outside, as users do: HTTP/2 over TLS with the kubeconfigs that it wrote. Knows
//! nothing of what is measured.

use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use portolan_controlplane::StateDirectory;
use portolan_net::{Clock, Shutdown};
use portolan_playground::config::Config;
use portolan_playground::federation::{Options, Playground};
use portolan_playground::state::members_kubeconfig;
use portolan_runtime::Client;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

/// Time for what is under way when the federation is stopped.
const DRAIN: Duration = Duration::from_secs(5);
/// What the process says when both members are ready.
const READY: &str = "ready";

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
    process: Child,
    folder: TempDir,
}

/// When a start reached which point.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Started {
    /// Before the process was started.
    pub(crate) at: Instant,
    /// From there until the control plane says that both members are ready.
    pub(crate) ready: Duration,
}

impl Federation {
    /// Starts a playground in a new folder under `scratch`, in a separate process, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not start or does not get ready.
    pub(crate) async fn start(scratch: &Path, scope: &Shutdown) -> Result<(Self, Started)> {
        let folder = tempfile::Builder::new().prefix("portolan-bench-").tempdir_in(scratch);
        let folder = folder.context("cannot make a temporary directory")?;
        let state = folder.path().join("state");
        let program = std::env::current_exe().context("cannot find this program")?;
        let at = Instant::now();
        let mut process = Command::new(program)
            .arg("serve")
            .arg(&state)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the federation")?;
        let said = process.stdout.take().context("the federation has no output")?;
        said_ready(said).await?;
        let ready = at.elapsed();
        let state = StateDirectory::open(&state)?;
        let [hub, member1, member2] = connect(&state.hub_kubeconfig(), &members_kubeconfig(&state)).await?;
        let own = Some(Own { process, folder });
        Ok((Self { hub, member1, member2, scope: scope.child(), own }, Started { at, ready }))
    }

    /// Uses the playground that runs on `folder`.
    ///
    /// # Errors
    /// When its kubeconfigs are not there or cannot be used.
    pub(crate) async fn running(folder: &Path, scope: &Shutdown) -> Result<Self> {
        let state = StateDirectory::open(folder)?;
        let [hub, member1, member2] = connect(&state.hub_kubeconfig(), &members_kubeconfig(&state)).await?;
        Ok(Self { hub, member1, member2, scope: scope.child(), own: None })
    }

    /// The process that was started.
    pub(crate) fn process(&self) -> Option<u32> {
        self.own.as_ref().and_then(|own| own.process.id())
    }

    /// Stops what was started, and removes its folder.
    pub(crate) async fn stop(self) {
        self.scope.request();
        if let Some(Own { mut process, folder }) = self.own {
            // The process ends when its standard input is closed.
            drop(process.stdin.take());
            if tokio::time::timeout(2 * DRAIN, process.wait()).await.is_err() {
                eprintln!("the federation does not stop and is killed");
            }
            drop(process);
            drop(folder);
        }
    }
}

/// Waits until the federation says that it is ready.
async fn said_ready(output: ChildStdout) -> Result<()> {
    let line = BufReader::new(output).lines().next_line().await.context("cannot read from the federation")?;
    if line.as_deref() != Some(READY) {
        bail!("the federation ended before it was ready");
    }
    Ok(())
}

/// Runs the federation that is measured, until standard input ends or a signal comes.
///
/// # Errors
/// When it does not start or does not get ready.
pub(crate) async fn serve(directory: &Path) -> Result<()> {
    let scope = Shutdown::new();
    scope.request_on_signals().context("cannot listen for signals")?;
    let orphaned = scope.clone();
    std::thread::spawn(move || {
        // Nothing is ever written to standard input; an error counts as its end.
        let _ = std::io::stdin().read(&mut [0]);
        orphaned.request();
    });
    let config = Config::default().complete()?;
    let options = Options::new(Clock::system());
    let state = StateDirectory::open(directory)?;
    let playground = Playground::start(&config, &state, &options, &scope).await?;
    let became_ready = playground.ready().await;
    if became_ready.is_ok() {
        println!("{READY}");
        scope.requested().await;
    }
    playground.stop(&scope, DRAIN).await;
    Ok(became_ready?)
}

async fn connect(hub: &Path, members: &Path) -> Result<[Client; 3]> {
    Ok([
        Client::from_kubeconfig(hub, Some("portolan")).await?,
        Client::from_kubeconfig(members, Some("member1")).await?,
        Client::from_kubeconfig(members, Some("member2")).await?,
    ])
}
