//! `portolan quickstart`: the first walkthrough, step by step, in a new playground.
//!
//! A Service runs in member1; a pod of member2 calls it through a derived Service. Every step goes through the
//! Kubernetes API, and the command fails unless the answers arrive.

mod walkthrough;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use portolan_controlplane::StateDirectory;
use portolan_net::{Clock, Shutdown};
use portolan_playground::config::Config;
use portolan_playground::federation::{Options, Playground};
use portolan_playground::state::members_kubeconfig;

use crate::output::progress::{Progress, readable};
use crate::playground::arguments;

const DRAIN: Duration = Duration::from_secs(2);

/// Runs the walkthrough and cleans up, unless the user wants to keep it.
pub(crate) async fn run(arguments: arguments::Quickstart) -> Result<()> {
    let folder = Folder::choose(arguments.dir)?;
    let state = StateDirectory::open(folder.path())?;
    let scope = Shutdown::new();
    scope.request_on_signals().context("cannot listen for signals")?;
    let started = Instant::now();
    let progress = Progress::new();
    let options = Options::new(Clock::system());
    let config = Config::default().complete()?;
    let playground = progress
        .step("start a control plane and two member clusters, member1 and member2", async {
            let playground = Playground::start(&config, &state, &options, &scope).await?;
            playground.ready().await?;
            anyhow::Ok((playground, String::new()))
        })
        .await?;
    let walked = tokio::select! {
        walked = walkthrough::run(&playground, &progress) => walked,
        () = scope.requested() => Err(anyhow::anyhow!("interrupted")),
    };
    if walked.is_ok() {
        progress.say(&format!("\nAll of it in {}.", readable(started.elapsed())));
    }
    if walked.is_ok() && arguments.keep {
        progress.say(&what_next(&state));
        scope.requested().await;
    }
    playground.stop(&scope, DRAIN).await;
    folder.remove(arguments.keep);
    walked
}

/// Five commands to try next.
fn what_next(state: &StateDirectory) -> String {
    let hub = state.hub_kubeconfig();
    let members = members_kubeconfig(state);
    let (hub, members) = (hub.display(), members.display());
    format!(
        "\nEverything keeps running until Ctrl-C. Kubeconfigs:\n  \
           control plane  {hub}\n  members        {members}\n\nTry in another terminal:\n  \
           kubectl --kubeconfig {hub} get clusters,rb,crb\n  \
           kubectl --kubeconfig {hub} scale deployment serve --replicas=3\n  \
           kubectl --kubeconfig {members} --context member2 get svc,endpointslices\n  \
           kubectl --kubeconfig {members} --context member2 run -i --rm --restart=Never --image=curlimages/curl curl -- -s http://derived-serve\n  \
           portolan get svc --operation-scope all --kubeconfig {hub}\n"
    )
}

/// The state directory: a directory of the user is kept, a temporary one is removed.
struct Folder {
    path: PathBuf,
    is_temporary: bool,
}

impl Folder {
    fn choose(asked: Option<PathBuf>) -> Result<Self> {
        if let Some(path) = asked {
            return Ok(Self { path, is_temporary: false });
        }
        let name = format!("portolan-quickstart-{}", std::process::id());
        Ok(Self { path: std::env::temp_dir().join(name), is_temporary: true })
    }

    fn path(&self) -> &std::path::Path {
        &self.path
    }

    fn remove(&self, keep: bool) {
        if !self.is_temporary || keep {
            return;
        }
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "cannot remove the temporary folder");
        }
    }
}
