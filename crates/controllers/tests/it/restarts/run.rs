//! One seed: what a user does at random, and what the members must have in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use parking_lot::Mutex;
use portolan_net::Shutdown;
use portolan_object::Object;
use portolan_runtime::cache::Change;
use portolan_runtime::{Cache, Resource};
use serde_json::{Value, json};

use super::templates::{KINDS, Template};
use crate::federation::{CLUSTER, Federation, WORK};
use crate::seeded::{Process, Random};

/// `us` is in pull mode.
const CLUSTERS: [&str; 2] = ["eu", "us"];
/// Steps of one seed.
const STEPS: usize = 18;

/// Copies that members deleted, as cluster, kind and name.
pub(super) type Deleted = Arc<Mutex<Vec<(&'static str, &'static str, String)>>>;

/// Records the deletions in every member.
pub(super) async fn record_deletions(set: &Federation, scope: &Shutdown) -> Deleted {
    let deleted = Deleted::default();
    let resources = [
        Resource::namespaced("", "v1", "ConfigMap", "configmaps"),
        Resource::namespaced("apps", "v1", "Deployment", "deployments"),
        Resource {
            namespaced: false,
            ..Resource::namespaced("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles")
        },
    ];
    for cluster in CLUSTERS {
        for (kind, resource) in KINDS.into_iter().zip(&resources) {
            let cache = Cache::of_objects(&set.member(cluster).client, resource.clone()).start(scope);
            let record = deleted.clone();
            cache.observe(move |change: &Change<Object>| {
                let both = change.old.as_ref().zip(change.new.as_ref());
                let is_other = both.is_some_and(|(old, new)| old.uid() != new.uid());
                if change.new.is_none() || is_other {
                    record.lock().push((cluster, kind, change.key.name.clone()));
                }
            });
            assert!(cache.synced().await);
        }
    }
    deleted
}

/// What is killed.
pub(super) struct Processes {
    pub(super) hub: Process,
    /// Of `us`.
    pub(super) agent: Process,
    /// How often one of them was killed.
    pub(super) kills: usize,
}

impl Processes {
    async fn restart_hub(&mut self, set: &Federation) {
        self.kills += 1;
        self.hub.kill().await;
        self.hub = Process::of_hub(set);
    }

    async fn restart_agent(&mut self, set: &Federation) {
        self.kills += 1;
        self.agent.kill().await;
        self.agent = Process::of_agent(set, "us");
    }
}

/// What the user asked for about one template.
#[derive(Debug, Default)]
struct Wanted {
    /// `None` if the template does not exist.
    content: Option<String>,
    clusters: Vec<&'static str>,
    is_tuned: bool,
    /// Whether the policy was deleted and created again: in between, a deleted binding takes its objects along.
    was_released: bool,
    /// Clusters in which the copy may be deleted.
    deletable: BTreeSet<&'static str>,
}

pub(super) struct Run<'a> {
    set: &'a Federation,
    seed: u64,
    random: Random,
    wanted: BTreeMap<Template, Wanted>,
}

impl<'a> Run<'a> {
    /// Runs a seed to its end. Returns the time from the last step until the members had what the user asked for.
    pub(super) async fn all(
        set: &'a Federation,
        seed: u64,
        processes: &mut Processes,
        deleted: &Deleted,
    ) -> Duration {
        let mut run = Run { set, seed, random: Random::new(seed), wanted: BTreeMap::new() };
        run.begin().await;
        for _ in 0..STEPS {
            run.step(processes).await;
        }
        let since = Instant::now();
        run.or_explain(run.converges()).await;
        let convergence = since.elapsed();
        run.check(deleted);
        run.or_explain(run.end()).await;
        deleted.lock().clear();
        convergence
    }

    async fn begin(&mut self) {
        for kind in KINDS {
            let template = Template { seed: self.seed, kind };
            self.set.hub.create(template.policy(&CLUSTERS).2).await;
            self.set.hub.create(template.object("0")).await;
            let (content, clusters) = (Some("0".to_owned()), CLUSTERS.to_vec());
            self.wanted.insert(template, Wanted { content, clusters, ..Wanted::default() });
        }
    }

    async fn step(&mut self, processes: &mut Processes) {
        let template = Template { seed: self.seed, kind: KINDS[self.random.below(KINDS.len())] };
        let step = self.random.below(10);
        tracing::debug!(seed = self.seed, ?template, step, "step");
        match step {
            0 => processes.restart_hub(self.set).await,
            1 => processes.restart_agent(self.set).await,
            2 => self.place(template).await,
            3 => self.toggle_template(template).await,
            4 => self.delete_work(template).await,
            5 => self.delete_binding(template).await,
            6 => self.replace_policy(template).await,
            7 => self.tune(template).await,
            8 => self.edit(template).await,
            _ => tokio::time::sleep(Duration::from_millis(self.random.below(120) as u64)).await,
        }
    }

    fn wanted(&mut self, template: Template) -> &mut Wanted {
        self.wanted.entry(template).or_default()
    }

    async fn place(&mut self, template: Template) {
        let choices = [vec!["eu"], vec!["us"], vec!["eu", "us"]];
        let clusters = choices[self.random.below(choices.len())].clone();
        let withdrawn = CLUSTERS.into_iter().filter(|cluster| !clusters.contains(cluster));
        self.wanted(template).deletable.extend(withdrawn);
        let (kind, path, _) = template.policy(&[]);
        let placement =
            json!({ "spec": { "placement": { "clusterAffinity": { "clusterNames": clusters } } } });
        self.set.hub.patch(kind, &path, placement).await;
        self.wanted(template).clusters = clusters;
    }

    async fn toggle_template(&mut self, template: Template) {
        if self.wanted(template).content.take().is_some() {
            self.wanted(template).deletable.extend(CLUSTERS);
            self.set.hub.delete(template.kind, &template.path()).await;
        } else {
            self.set.hub.create(template.object("again")).await;
            self.wanted(template).content = Some("again".to_owned());
        }
    }

    async fn delete_work(&mut self, template: Template) {
        let work = template.work(CLUSTERS[self.random.below(CLUSTERS.len())]);
        self.set.hub.delete_if_there(WORK, &work).await;
    }

    async fn delete_binding(&mut self, template: Template) {
        if self.wanted(template).was_released {
            self.wanted(template).deletable.extend(CLUSTERS);
        }
        let (kind, path) = template.binding();
        self.set.hub.delete_if_there(kind, &path).await;
    }

    /// Deletes the policy and creates it again, as `kubectl replace --force` does.
    async fn replace_policy(&mut self, template: Template) {
        let clusters = self.wanted(template).clusters.clone();
        let (kind, path, policy) = template.policy(&clusters);
        let (binding_kind, binding_path) = template.binding();
        let binding = self.set.hub.get(binding_kind, &binding_path).await;
        if binding.is_some_and(|binding| binding.is_deleting()) {
            // The user deletes both.
            self.wanted(template).deletable.extend(CLUSTERS);
        }
        self.set.hub.delete(kind, &path).await;
        self.set.hub.when_gone(kind, &path).await;
        self.set.hub.create(policy).await;
        self.wanted(template).was_released = true;
    }

    async fn tune(&mut self, template: Template) {
        if !std::mem::replace(&mut self.wanted(template).is_tuned, true) {
            self.set.hub.create(template.override_policy().2).await;
        }
    }

    async fn edit(&mut self, template: Template) {
        if self.wanted(template).content.is_none() {
            return;
        }
        let content = self.random.below(1000).to_string();
        self.set.hub.patch(template.kind, &template.path(), Template::edit(&content)).await;
        self.wanted(template).content = Some(content);
    }

    /// Waits until every member has what the user asked for.
    async fn converges(&self) {
        for (template, wanted) in &self.wanted {
            for cluster in CLUSTERS {
                let (member, path) = (self.set.member(cluster), template.path());
                match &wanted.content {
                    Some(content) if wanted.clusters.contains(&cluster) => {
                        let is_copy = |copy: &Object| Template::is_copy(copy, content, wanted.is_tuned);
                        member.when(template.kind, &path, is_copy).await;
                    }
                    _ => member.when_gone(template.kind, &path).await,
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
            let conditions = object.map_or(Value::Null, |object| object.0["status"]["conditions"].clone());
            eprintln!("cluster {cluster}: {conditions:#}");
        }
        for template in self.wanted.keys() {
            let (kind, path) = template.binding();
            eprintln!("binding of {template:?}: {:#?}", self.set.hub.get(kind, &path).await);
            for cluster in CLUSTERS {
                let work = self.set.hub.get(WORK, &template.work(cluster)).await;
                eprintln!("work of {template:?} in {cluster}: {work:#?}");
            }
        }
        resume_unwind(panic);
    }

    fn check(&self, deleted: &Deleted) {
        for (cluster, kind, name) in deleted.lock().drain(..) {
            let template = Template { seed: self.seed, kind };
            // Another name is that of an earlier seed, which deleted its templates at its end, or of the cluster.
            let is_allowed = template.name() != name || self.wanted[&template].deletable.contains(cluster);
            let wanted = &self.wanted;
            assert!(
                is_allowed,
                "seed {}: {kind} {name} was deleted in {cluster} without a delete of a user: {wanted:?}",
                self.seed
            );
        }
    }

    async fn end(&self) {
        for (template, wanted) in &self.wanted {
            let ((policy, policy_path, _), (tuning, tuning_path, _)) =
                (template.policy(&[]), template.override_policy());
            self.set.hub.delete(policy, &policy_path).await;
            self.set.hub.delete_if_there(tuning, &tuning_path).await;
            if wanted.content.is_some() {
                self.set.hub.delete(template.kind, &template.path()).await;
            }
        }
        for template in self.wanted.keys() {
            for cluster in CLUSTERS {
                self.set.member(cluster).when_gone(template.kind, &template.path()).await;
            }
        }
    }
}
