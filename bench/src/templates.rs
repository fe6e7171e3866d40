//! Scenario: what a stored ConfigMap takes in the memory of the control plane, and what a propagated one takes.
//!
//! The control plane and two clusters in push mode are processes of the program that is measured, so only the control plane's own
//! memory counts. The clusters leave the namespace to it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt, stream};
use portolan_object::Object;
use portolan_runtime::Client;
use portolan_runtime::client::Selection;

use crate::arguments::Templates;
use crate::figure::Figure;
use crate::machine::Machine;
use crate::objects;
use crate::processes::{Process, Server, are_ready, finish};
use crate::report::Report;

const ABOUT: &str = "A control plane and two clusters in push mode, each a process on this machine; memory of the control plane.";
const CLUSTERS: [&str; 2] = ["member1", "member2"];
/// Marks what this scenario makes.
const ROUND: &str = "templates";
/// Requests under way at once.
const CONCURRENCY: usize = 8;
/// Time to come to rest: what was not read for twice ten seconds is compressed.
const REST: Duration = Duration::from_secs(30);
/// Time for one ConfigMap to reach both clusters, on average.
const MAX_TIME_OF_EACH: Duration = Duration::from_millis(500);
const LIST_INTERVAL: Duration = Duration::from_secs(1);
/// In KiB.
const STORED_TARGET: f64 = 3.0;
const PROPAGATED_TARGET: f64 = 8.0;

/// Measures.
///
/// # Errors
/// When the processes do not start.
pub(crate) async fn run(arguments: &Templates) -> Result<Report> {
    let folder = tempfile::tempdir().context("cannot make a temporary directory")?;
    let mut report = Report::new(Machine::describe(folder.path()), ABOUT);
    let federation = Federation::start(&arguments.portolan, folder.path()).await?;
    report.add("memory", federation.measure(arguments.count).await);
    Ok(report)
}

/// The processes, which end with it, and their clients.
struct Federation {
    hub: Client,
    of_hub: Process,
    members: Vec<Server>,
}

impl Federation {
    async fn start(portolan: &Path, folder: &Path) -> Result<Self> {
        let hub = Server::start(portolan, &folder.join("hub"), &[]).await?;
        let mut members = Vec::new();
        for name in CLUSTERS {
            // A member is a control plane too. It would claim the objects for policies of its own.
            let options = ["--skipped-propagating-namespaces", objects::NAMESPACE];
            let member = Server::start(portolan, &folder.join(name), &options).await?;
            let join =
                ["join", name, "--kubeconfig", &hub.kubeconfig, "--cluster-kubeconfig", &member.kubeconfig];
            finish(portolan, &join).await?;
            members.push(member);
        }
        are_ready(&hub.client, CLUSTERS.len()).await?;
        Ok(Self { hub: hub.client, of_hub: hub.process, members })
    }

    async fn measure(&self, count: u32) -> Result<Vec<Figure>> {
        self.hub.resource::<Object>(&objects::namespaces()).create(&objects::namespace()).await?;
        let at_start = self.memory_at_rest().await?;
        eprintln!("measuring: {count} ConfigMaps without a policy");
        self.create(0, count).await?;
        let stored = self.memory_at_rest().await?;
        eprintln!("measuring: a policy for them");
        let policies = self.hub.resource::<Object>(&objects::cluster_policies());
        policies.create(&objects::config_map_policy(ROUND)).await.context("cannot create the policy")?;
        self.arrived(count).await?;
        let propagated = self.memory_at_rest().await?;
        eprintln!("measuring: {count} more ConfigMaps");
        self.create(count, count).await?;
        self.arrived(2 * count).await?;
        let more = self.memory_at_rest().await?;
        let of_each = |what: &str, before: u64, after: u64| {
            Figure::memory_of_each(
                format!("{count} ConfigMaps {what}, each"),
                after.saturating_sub(before),
                count,
            )
        };
        Ok(vec![
            Figure::memory("control plane with two clusters, without templates", at_start),
            of_each("stored", at_start, stored).target(STORED_TARGET),
            of_each(
                "propagated, besides what is stored, with what the first ones take once",
                stored,
                propagated,
            ),
            of_each("more, stored and propagated", propagated, more).target(PROPAGATED_TARGET),
        ])
    }

    async fn memory_at_rest(&self) -> Result<u64> {
        tokio::time::sleep(REST).await;
        self.of_hub.own_memory()
    }

    async fn create(&self, first: u32, count: u32) -> Result<()> {
        let templates = self.hub.resource::<Object>(&objects::config_maps());
        let create = |index| {
            let templates = &templates;
            async move { templates.create(&template(index)).await.map(drop) }
        };
        let all = stream::iter(first..first + count).map(create);
        all.buffer_unordered(CONCURRENCY).try_collect::<()>().await.context("cannot create templates")
    }

    /// Waits until both clusters have `count` of them.
    async fn arrived(&self, count: u32) -> Result<()> {
        let selection = Selection {
            namespace: objects::NAMESPACE.to_owned(),
            ..Selection::labels(format!("{}={ROUND}", objects::LABEL))
        };
        let deadline = Instant::now() + MAX_TIME_OF_EACH * count;
        for (name, member) in CLUSTERS.iter().zip(&self.members) {
            let config_maps = member.client.resource::<Object>(&objects::config_maps());
            loop {
                let found = config_maps.list(&selection).await?.items.len();
                if found == count as usize {
                    break;
                }
                if Instant::now() > deadline {
                    bail!("{name} has {found} of {count} ConfigMaps");
                }
                tokio::time::sleep(LIST_INTERVAL).await;
            }
        }
        Ok(())
    }
}

/// A ConfigMap of 1.2 KB with content that no other one has.
fn template(index: u32) -> Object {
    let mut template = objects::config_map(ROUND, index);
    template.0["data"]["content"] = content(index).into();
    template
}

/// 1 KiB of hexadecimal digits.
fn content(index: u32) -> String {
    let parts = (0..64_u32).map(|part| {
        let mut hasher = DefaultHasher::new();
        (index, part).hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    });
    parts.collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_of_one_size_and_differ() {
        let [first, second] = [0, 1].map(content);
        assert_eq!((first.len(), second.len()), (1024, 1024));
        assert_ne!(first, second);
        assert_eq!(template(7).name(), "templates-7");
    }
}
