//! Kills and short outages move nothing, although every cluster that is not ready is to be evicted.
//!
//! `PORTOLAN_SEEDS=200 cargo test -p portolan-controllers --test it kills_and_short -- --nocapture` runs more seeds than the
//! normal tests do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use portolan_controllers::FailoverSettings;
use portolan_controllers::clusters::{Probing, Thresholds};
use portolan_object::Object;
use serde_json::{Value, json};

use crate::federation::{BINDING, CLUSTER, CONFIG_MAP, Federation, condition, config_map, policy};
use crate::outages::{cut, taint_policy};
use crate::seeded::{Process, Random, number};

const LEASE: &str = "coordination.k8s.io/v1/Lease";
/// Longer than any outage of a seed, on a slow machine too.
const PATIENCE: Duration = Duration::from_secs(30);
/// Outages and restarts of one seed.
const STEPS: usize = 4;

fn reason(cluster: &Object) -> String {
    let conditions = cluster.0["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let ready = conditions.into_iter().find(|condition| condition["type"] == "Ready").unwrap_or_default();
    ready["reason"].as_str().unwrap_or_default().to_owned()
}

/// `eu` in push mode behind a link, and `us` in pull mode, with an object in each.
struct Set {
    federation: Federation,
    is_cut: Arc<AtomicBool>,
}

impl Set {
    async fn start() -> Self {
        let failover = FailoverSettings {
            evicts_by_taint: true,
            evictions_per_second: 100.0,
            ..FailoverSettings::default()
        };
        let mut federation = Federation::start_with_failover(&[], failover).await;
        federation.stop_controllers().await;
        let thresholds = Thresholds { failure: PATIENCE, ..federation.probing.thresholds };
        federation.probing = Probing { thresholds, patience: PATIENCE, ..federation.probing };
        let is_cut = Arc::new(AtomicBool::new(false));
        let link = is_cut.clone();
        federation.join_behind("eu", move |server| cut(server, link)).await;
        federation.register("us").await;
        federation.hub.create(taint_policy()).await;
        Self { federation, is_cut }
    }

    async fn place(&self) {
        for cluster in ["eu", "us"] {
            self.federation.is_ready(cluster).await;
            self.federation.hub.create(config_map(cluster, "1")).await;
            self.federation.hub.create(policy(cluster, CONFIG_MAP, cluster, &[cluster])).await;
            self.federation.member(cluster).when_there(CONFIG_MAP, &format!("default/{cluster}")).await;
        }
    }

    /// Nothing was tainted or evicted.
    async fn check(&self, what: &str) {
        for cluster in ["eu", "us"] {
            let binding = format!("default/{cluster}-configmap");
            let binding = self.federation.hub.get(BINDING, &binding).await.expect("a binding");
            assert_eq!(binding.0["spec"]["gracefulEvictionTasks"], Value::Null, "{what}: {binding:#?}");
            assert_eq!(binding.0["spec"]["clusters"][0]["name"], cluster, "{what}");
            let taints =
                self.federation.hub.get(CLUSTER, cluster).await.expect("a cluster").0["spec"]["taints"]
                    .clone();
            let evicts = |taint: &Value| taint["effect"] == "NoExecute";
            assert!(!taints.as_array().is_some_and(|taints| taints.iter().any(evicts)), "{what}: {taints}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_and_short_outages_evict_nothing() {
    let set = Set::start().await;
    let federation = &set.federation;
    let (mut hub, mut agent) = (Process::of_hub(federation), Process::of_agent(federation, "us"));
    set.place().await;
    let (first, count) = (number("PORTOLAN_FIRST_SEED", 1), number("PORTOLAN_SEEDS", 4));
    let mut faults = [0_usize; 4];
    for seed in first..first + count {
        let mut random = Random::new(seed);
        for step in 0..STEPS {
            let kind = random.below(4);
            faults[kind] += 1;
            let pause = Duration::from_millis(random.below(300) as u64);
            match kind {
                0 => {
                    hub.kill().await;
                    tokio::time::sleep(pause).await;
                    hub = Process::of_hub(federation);
                }
                1 => {
                    agent.kill().await;
                    tokio::time::sleep(pause).await;
                    agent = Process::of_agent(federation, "us");
                }
                2 => {
                    set.is_cut.store(true, Ordering::Relaxed);
                    tokio::time::sleep(pause).await;
                    set.is_cut.store(false, Ordering::Relaxed);
                }
                // The control plane starts while the link is cut.
                _ => {
                    hub.kill().await;
                    set.is_cut.store(true, Ordering::Relaxed);
                    hub = Process::of_hub(federation);
                    tokio::time::sleep(pause).await;
                    set.is_cut.store(false, Ordering::Relaxed);
                }
            }
            set.check(&format!("seed {seed}, step {step} of kind {kind}")).await;
        }
    }
    for cluster in ["eu", "us"] {
        federation.is_ready(cluster).await;
    }
    set.check("the end").await;
    let [hubs, agents, cuts, both] = faults;
    println!(
        "{count} seeds, {hubs} kills of the control plane, {agents} of the agent, {cuts} cuts, {both} starts behind a cut: \
         taints 0, evictions 0"
    );
    agent.kill().await;
    hub.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_that_was_away_for_long_shows_no_cluster_as_ready_and_evicts_nothing() {
    let set = Set::start().await;
    let federation = &set.federation;
    let (mut hub, mut agent) = (Process::of_hub(federation), Process::of_agent(federation, "us"));
    set.place().await;
    agent.kill().await;
    hub.kill().await;
    let old = json!({ "spec": { "renewTime": "2026-01-01T00:00:00.000000Z" } });
    federation.hub.patch(LEASE, "karmada-cluster/us", old).await;
    set.is_cut.store(true, Ordering::Relaxed);
    hub = Process::of_hub(federation);
    for cluster in ["eu", "us"] {
        let is_not_seen = |cluster: &Object| {
            condition(cluster, "Ready") == "Unknown" && reason(cluster) == "NotSeenSinceStart"
        };
        federation.hub.when(CLUSTER, cluster, is_not_seen).await;
    }
    set.check("before they are seen").await;
    set.is_cut.store(false, Ordering::Relaxed);
    agent = Process::of_agent(federation, "us");
    for cluster in ["eu", "us"] {
        federation.is_ready(cluster).await;
    }
    set.check("after they are seen").await;
    agent.kill().await;
    hub.kill().await;
}
