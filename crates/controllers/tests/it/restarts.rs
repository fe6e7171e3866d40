//! The controllers, and the agent of a cluster in pull mode, are killed at random points. Whatever happens, the members end as the user asked, and no object in a
//! member is deleted unless the user deleted its template or took the cluster from its placement.
//!
//! `PORTOLAN_SEEDS=1000 cargo test -p portolan-controllers --test it restarts` runs more seeds than the normal tests do;
//! `PORTOLAN_FIRST_SEED` is the first one, and `RUST_LOG=portolan_controllers=debug` prints what the controllers do.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use parking_lot::Mutex;
use portolan_net::Shutdown;
use portolan_object::Object;
use portolan_runtime::cache::Change;
use portolan_runtime::{Cache, Resource};
use serde_json::{Value, json};

use crate::federation::{BINDING, CLUSTER, CONFIG_MAP, Federation, WORK, config_map, policy};
use crate::seeded::{Process, Random, number};

const POLICY: &str = "policy.karmada.io/v1alpha1/PropagationPolicy";
/// `us` is in pull mode.
const CLUSTERS: [&str; 2] = ["eu", "us"];
const NAMES: [&str; 3] = ["a", "b", "c"];
/// Steps of one seed.
const STEPS: usize = 14;

/// What the user asked for.
#[derive(Debug, Default)]
struct Wanted {
    /// Content of the template; `None` if it does not exist.
    data: BTreeMap<&'static str, Option<String>>,
    clusters: BTreeMap<&'static str, Vec<&'static str>>,
    /// Cluster and name of copies that may be deleted.
    deletable: BTreeSet<(&'static str, &'static str)>,
}

/// Copies that members deleted, as cluster and name.
type Deleted = Arc<Mutex<Vec<(&'static str, String)>>>;

/// Records the deletions in every member.
async fn record_deletions(set: &Federation, scope: &Shutdown) -> Deleted {
    let deleted = Deleted::default();
    for cluster in CLUSTERS {
        let maps = Resource::namespaced("", "v1", "ConfigMap", "configmaps");
        let cache = Cache::of_objects(&set.member(cluster).client, maps).start(scope);
        let record = deleted.clone();
        cache.observe(move |change: &Change<Object>| {
            let is_other =
                change.old.as_ref().zip(change.new.as_ref()).is_some_and(|(old, new)| old.uid() != new.uid());
            if change.new.is_none() || is_other {
                record.lock().push((cluster, change.key.name.clone()));
            }
        });
        assert!(cache.synced().await);
    }
    deleted
}

struct Run<'a> {
    set: &'a Federation,
    seed: u64,
    random: Random,
    wanted: Wanted,
}

impl Run<'_> {
    fn object(&self, name: &str) -> String {
        format!("s{}-{name}", self.seed)
    }

    fn path(&self, name: &str) -> String {
        format!("default/{}", self.object(name))
    }

    async fn begin(&mut self) {
        for name in NAMES {
            let object = self.object(name);
            self.set.hub.create(policy(&object, CONFIG_MAP, &object, &CLUSTERS)).await;
            self.set.hub.create(config_map(&object, "0")).await;
            self.wanted.data.insert(name, Some("0".to_owned()));
            self.wanted.clusters.insert(name, CLUSTERS.to_vec());
        }
    }

    async fn step(&mut self, hub: &mut Process, agent: &mut Process) {
        let name = NAMES[self.random.below(NAMES.len())];
        let step = self.random.below(7);
        tracing::debug!(seed = self.seed, name, step, "step");
        match step {
            0 => {
                hub.kill().await;
                *hub = Process::of_hub(self.set);
            }
            5 => {
                agent.kill().await;
                *agent = Process::of_agent(self.set, "us");
            }
            1 => self.place(name).await,
            2 => self.toggle_template(name).await,
            3 => self.delete_work(name).await,
            4 => self.edit(name).await,
            _ => tokio::time::sleep(Duration::from_millis(self.random.below(120) as u64)).await,
        }
    }

    async fn place(&mut self, name: &'static str) {
        let choices = [vec!["eu"], vec!["us"], vec!["eu", "us"]];
        let clusters = choices[self.random.below(choices.len())].clone();
        for cluster in CLUSTERS.into_iter().filter(|cluster| !clusters.contains(cluster)) {
            self.wanted.deletable.insert((cluster, name));
        }
        let placement =
            json!({ "spec": { "placement": { "clusterAffinity": { "clusterNames": clusters } } } });
        self.set.hub.patch(POLICY, &self.path(name), placement).await;
        self.wanted.clusters.insert(name, clusters);
    }

    async fn toggle_template(&mut self, name: &'static str) {
        if self.wanted.data[name].is_some() {
            self.wanted.deletable.extend(CLUSTERS.map(|cluster| (cluster, name)));
            self.set.hub.delete(CONFIG_MAP, &self.path(name)).await;
            self.wanted.data.insert(name, None);
        } else {
            self.set.hub.create(config_map(&self.object(name), "again")).await;
            self.wanted.data.insert(name, Some("again".to_owned()));
        }
    }

    async fn delete_work(&mut self, name: &str) {
        let cluster = CLUSTERS[self.random.below(CLUSTERS.len())];
        let work = portolan_api::names::work("ConfigMap", &self.object(name), "default");
        let key = format!("karmada-es-{cluster}/{work}");
        if self.set.hub.get(WORK, &key).await.is_some() {
            self.set.hub.delete_if_there(WORK, &key).await;
        }
    }

    async fn edit(&mut self, name: &'static str) {
        if self.wanted.data[name].is_none() {
            return;
        }
        let data = self.random.below(1000).to_string();
        self.set.hub.patch(CONFIG_MAP, &self.path(name), json!({ "data": { "k": data } })).await;
        self.wanted.data.insert(name, Some(data));
    }

    /// Waits until every member has what the user asked for.
    async fn converges(&self) {
        for (name, data) in &self.wanted.data {
            for cluster in CLUSTERS {
                let is_wanted = data.is_some() && self.wanted.clusters[name].contains(&cluster);
                let (member, path) = (self.set.member(cluster), self.path(name));
                match data {
                    Some(data) if is_wanted => {
                        member.when(CONFIG_MAP, &path, |copy| copy.str_at(&["data", "k"]) == data).await;
                    }
                    _ => member.when_gone(CONFIG_MAP, &path).await,
                }
            }
        }
    }

    /// Runs a step; if it fails, prints what the hub holds of this seed.
    async fn or_explain(&self, step: impl Future<Output = ()>) {
        let Err(panic) = AssertUnwindSafe(step).catch_unwind().await else { return };
        eprintln!("seed {} failed; wanted: {:?}", self.seed, self.wanted);
        for cluster in CLUSTERS {
            let object = self.set.hub.get(CLUSTER, cluster).await;
            eprintln!(
                "cluster {cluster}: {:#}",
                object.map_or(Value::Null, |object| object.0["status"]["conditions"].clone())
            );
        }
        for name in NAMES {
            let binding = self.set.hub.get(BINDING, &format!("{}-configmap", self.path(name))).await;
            eprintln!("binding of {name}: {:#?}", binding);
            for cluster in CLUSTERS {
                let work = portolan_api::names::work("ConfigMap", &self.object(name), "default");
                let work = self.set.hub.get(WORK, &format!("karmada-es-{cluster}/{work}")).await;
                eprintln!("work of {name} in {cluster}: {work:#?}");
            }
        }
        resume_unwind(panic);
    }

    fn check(&self, deleted: &Deleted) {
        for (cluster, object) in deleted.lock().drain(..) {
            let name = NAMES.into_iter().find(|name| self.object(name) == object);
            // Another name is that of an earlier seed, which deleted its templates at its end.
            let is_allowed = name.is_none_or(|name| self.wanted.deletable.contains(&(cluster, name)));
            assert!(
                is_allowed,
                "seed {}: {object} was deleted in {cluster} by nobody: {:?}",
                self.seed, self.wanted
            );
        }
    }

    async fn end(&self) {
        for name in NAMES {
            self.set.hub.delete(POLICY, &self.path(name)).await;
            if self.wanted.data[name].is_some() {
                self.set.hub.delete(CONFIG_MAP, &self.path(name)).await;
            }
        }
        for name in NAMES {
            for cluster in CLUSTERS {
                self.set.member(cluster).when_gone(CONFIG_MAP, &self.path(name)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_hub_or_agent_deletes_nothing_by_itself_and_converges() {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let _is_first = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    let mut set = Federation::start(&["eu"]).await;
    set.register("us").await;
    set.stop_controllers().await;
    let set = set;
    let scope = Shutdown::new();
    let deleted = record_deletions(&set, &scope).await;
    let (mut hub, mut agent) = (Process::of_hub(&set), Process::of_agent(&set, "us"));
    let first = number("PORTOLAN_FIRST_SEED", 1);
    for seed in first..first + number("PORTOLAN_SEEDS", 4) {
        let mut run = Run { set: &set, seed, random: Random::new(seed), wanted: Wanted::default() };
        run.begin().await;
        for _ in 0..STEPS {
            run.step(&mut hub, &mut agent).await;
        }
        run.or_explain(run.converges()).await;
        run.check(&deleted);
        run.or_explain(run.end()).await;
        deleted.lock().clear();
    }
    agent.kill().await;
    hub.kill().await;
    scope.request();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_goes_although_its_work_was_deleted_by_hand_just_before() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu"])).await;
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;
    let work = format!("karmada-es-eu/{}", portolan_api::names::work("ConfigMap", "app", "default"));
    set.stop_controllers().await;
    // The state after a kill between the end of the Work and the next one.
    let note = json!({ "metadata": { "annotations": { "portolan.dev/remade-works": "eu" } } });
    set.hub.patch(BINDING, "default/app-configmap", note).await;
    set.hub.patch(WORK, &work, json!({ "metadata": { "finalizers": null } })).await;
    set.hub.delete(WORK, &work).await;
    set.hub.when_gone(WORK, &work).await;
    set.hub.delete(CONFIG_MAP, "default/app").await;

    set.run_controllers();
    set.member("eu").when_gone(CONFIG_MAP, "default/app").await;
    set.hub.when_gone(BINDING, "default/app-configmap").await;
}
