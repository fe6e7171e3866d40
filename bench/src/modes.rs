//! Scenario: a cluster in push mode beside one in pull mode, and what the processes take at rest.
//!
//! The control plane, both clusters and the agent of the second one are processes of the program that is measured. They talk over
//! loopback sockets, and keep their state on disk.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use portolan_net::Shutdown;
use portolan_object::Object;
use portolan_runtime::Client;
use portolan_runtime::client::Selection;

use crate::arguments::Modes;
use crate::arrivals::{Arrivals, Change};
use crate::figure::Figure;
use crate::machine::Machine;
use crate::objects;
use crate::processes::{Process, Server, are_ready, finish};
use crate::report::Report;

const ABOUT: &str = "A control plane, a cluster in push mode, a cluster in pull mode and its agent, each a process on this machine.";
/// The clusters: the first in push mode, the second in pull mode.
const CLUSTERS: [&str; 2] = ["member1", "member2"];
/// Marks what this scenario makes.
const ROUND: &str = "modes";
/// Time between two changes: an idle system is measured.
const PAUSE: Duration = Duration::from_millis(100);
/// Time to come to rest.
const REST: Duration = Duration::from_secs(10);
/// Time by which pull mode may be slower than push mode, in milliseconds.
const PULL_TARGET: f64 = 2.0;
/// Share of a core, in percent.
const HUB_TARGET: f64 = 1.0;
const AGENT_TARGET: f64 = 0.1;
/// Memory of the agent, in MiB.
const AGENT_MEMORY_TARGET: f64 = 20.0;

/// Measures.
///
/// # Errors
/// When the processes do not start.
pub(crate) async fn run(arguments: &Modes, scope: &Shutdown) -> Result<Report> {
    let folder = tempfile::tempdir().context("cannot make a temporary directory")?;
    let mut report = Report::new(Machine::describe(folder.path()), ABOUT);
    let federation = Federation::start(&arguments.portolan, folder.path()).await?;
    eprintln!("measuring: {} changes", arguments.changes);
    report.add("changes", federation.changes(arguments.changes, scope).await);
    eprintln!("measuring: {} s at rest", arguments.seconds);
    report.add("at rest", federation.at_rest(Duration::from_secs(arguments.seconds)).await);
    Ok(report)
}

/// The processes, which end with it, and their clients.
struct Federation {
    hub: Client,
    members: [Client; 2],
    of_hub: Process,
    of_agent: Process,
    _of_members: [Process; 2],
}

impl Federation {
    async fn start(portolan: &Path, folder: &Path) -> Result<Self> {
        let server = async |name: &str| {
            let Server { process, client, kubeconfig } =
                Server::start(portolan, &folder.join(name), &[]).await?;
            Ok::<_, anyhow::Error>((process, client, kubeconfig))
        };
        let (of_hub, hub, config) = server("hub").await?;
        let (of_push, push, of_push_config) = server(CLUSTERS[0]).await?;
        let (of_pull, pull, of_pull_config) = server(CLUSTERS[1]).await?;

        let join = ["join", CLUSTERS[0], "--kubeconfig", &config, "--cluster-kubeconfig", &of_push_config];
        finish(portolan, &join).await?;
        let token = ["token", "create", "--cluster", CLUSTERS[1], "--kubeconfig", &config];
        let printed = finish(portolan, &token).await?;
        // The command that it prints.
        let words: Vec<&str> = printed.split_whitespace().skip_while(|word| *word != "register").collect();
        let with_all_rights = ["--place", "*", "--kubeconfig", &of_pull_config];
        finish(portolan, &[&words[..], &with_all_rights].concat()).await?;
        let agent = [
            "agent",
            "--pull",
            "--dns-listen",
            "127.0.0.1:0",
            "--http-listen",
            "127.0.0.1:0",
            "--kubeconfig",
        ];
        let agent = agent.into_iter().chain([of_pull_config.as_str()]).map(Into::into);
        let of_agent = Process::start(portolan, agent).await?;

        let federation =
            Self { hub, members: [push, pull], of_hub, of_agent, _of_members: [of_push, of_pull] };
        are_ready(&federation.hub, CLUSTERS.len()).await?;
        Ok(federation)
    }

    /// From just before the POST of a ConfigMap to the events in both clusters.
    async fn changes(&self, count: u32, scope: &Shutdown) -> Result<Vec<Figure>> {
        self.hub.resource::<Object>(&objects::namespaces()).create(&objects::namespace()).await?;
        let policies = self.hub.resource::<Object>(&objects::cluster_policies());
        policies.create(&objects::config_map_policy(ROUND)).await?;
        let config_maps = self.hub.resource::<Object>(&objects::config_maps());
        let selection = Selection::namespace(objects::NAMESPACE);
        let mut arrivals = Vec::new();
        for member in &self.members {
            arrivals.push(Arrivals::open(member, &objects::config_maps(), &selection, scope).await?);
        }
        let mut times = [Vec::new(), Vec::new()];
        for index in 0..=count {
            tokio::time::sleep(PAUSE).await;
            let template = objects::config_map(ROUND, index);
            let start = Instant::now();
            config_maps.create(&template).await.context("cannot create a ConfigMap")?;
            for (arrivals, times) in arrivals.iter_mut().zip(&mut times) {
                let name = template.name();
                let is_it = |change, object: &Object| change == Change::Added && object.name() == name;
                let at = arrivals.first(|arrival| is_it(arrival.change, &arrival.object)).await?;
                // The first one also waits for the namespace.
                if index > 0 {
                    times.push(at.duration_since(start));
                }
            }
        }
        let [push, pull] = times;
        let later: Vec<Duration> =
            push.iter().zip(&pull).map(|(push, pull)| pull.saturating_sub(*push)).collect();
        Ok(vec![
            Figure::times("ConfigMap sent -> added in the cluster in push mode", &push),
            Figure::times("ConfigMap sent -> added in the cluster in pull mode", &pull),
            Figure::times("of that, later than in push mode", &later).target(PULL_TARGET),
        ])
    }

    /// What the control plane and the agent take while nothing changes.
    async fn at_rest(&self, time: Duration) -> Result<Vec<Figure>> {
        tokio::time::sleep(REST).await;
        let mut figures = Vec::new();
        let before = [self.of_hub.computed()?, self.of_agent.computed()?];
        let start = Instant::now();
        tokio::time::sleep(time).await;
        let elapsed = start.elapsed();
        let shares = [(&self.of_hub, "control plane", HUB_TARGET), (&self.of_agent, "agent", AGENT_TARGET)];
        for ((process, name, target), before) in shares.into_iter().zip(before) {
            let computed = process.computed()?.saturating_sub(before);
            let share = 100.0 * computed.as_secs_f64() / elapsed.as_secs_f64();
            figures.push(Figure::share(format!("share of a core at rest: {name}"), share).target(target));
            let memory = Figure::memory(format!("memory of its own at rest: {name}"), process.own_memory()?);
            let is_agent = name == "agent";
            figures.push(if is_agent { memory.target(AGENT_MEMORY_TARGET) } else { memory });
        }
        Ok(figures)
    }
}
