//! A federation of values: one Deployment, placed by the functions that the controllers call.

use std::collections::BTreeMap;

use portolan_api::cluster::Cluster;
use portolan_api::conditions::binding::{SCHEDULED, SUCCESS};
use portolan_api::meta::Condition;
use portolan_api::work::Work;
use portolan_object::Object;
use serde_json::{Value, json};

use crate::explain::{Facts, MemberFacts};
use crate::propagation::claim::Claim;
use crate::propagation::detect::{Decision, Skipped, Taking, claim_of, decide, is_template};
use crate::propagation::health::health;
use crate::propagation::reflect::reflect;
use crate::propagation::snapshot::{Binding, Override, Policy, binding_spec, candidates, place, work_of};
use crate::propagation::status::{applied, dispatching, manifest_status};
use crate::propagation::work::targets;
use crate::propagation::{binding, reschedule};

/// The time of everything.
pub(in crate::explain) const THEN: &str = "2026-01-01T00:00:00Z";

/// What users and members wrote.
pub(in crate::explain) struct World {
    pub(in crate::explain) template: Value,
    pub(in crate::explain) policies: Vec<Value>,
    pub(in crate::explain) overrides: Vec<Value>,
    pub(in crate::explain) clusters: Vec<Value>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            template: json!({ "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": { "namespace": "shop", "name": "web", "uid": "u1", "generation": 1,
                    "creationTimestamp": THEN, "labels": { "app": "web" } },
                "spec": { "replicas": 2, "selector": { "matchLabels": { "app": "web" } },
                    "template": { "metadata": { "labels": { "app": "web" } },
                        "spec": { "containers": [{ "name": "web", "image": "nginx:1" }] } } } }),
            policies: vec![policy("shop", "web", "Deployment")],
            overrides: Vec::new(),
            clusters: vec![cluster("eu"), cluster("us")],
        }
    }
}

/// A policy for the objects of a kind named `web`.
pub(in crate::explain) fn policy(namespace: &str, name: &str, kind: &str) -> Value {
    json!({ "metadata": { "namespace": namespace, "name": name, "uid": format!("uid-{namespace}-{name}"), "creationTimestamp": THEN },
        "spec": { "resourceSelectors": [{ "apiVersion": "apps/v1", "kind": kind, "name": "web" }],
            "placement": { "clusterAffinity": { "clusterNames": ["eu", "us"] } } } })
}

/// A ready cluster that serves Deployments.
pub(in crate::explain) fn cluster(name: &str) -> Value {
    json!({ "metadata": { "name": name, "creationTimestamp": THEN },
        "spec": { "syncMode": "Push", "apiEndpoint": format!("https://{name}.test") },
        "status": {
            "apiEnablements": [{ "groupVersion": "apps/v1", "resources": [{ "name": "deployments", "kind": "Deployment" }] }],
            "conditions": [{ "type": "Ready", "status": "True", "reason": "ClusterReady", "message": "cluster is healthy",
                "lastTransitionTime": THEN }] } })
}

fn read<T: serde::de::DeserializeOwned>(values: &[Value]) -> Vec<T> {
    values.iter().map(|value| serde_json::from_value(value.clone()).expect("a readable object")).collect()
}

/// Runs all controllers until nothing changes.
pub(in crate::explain) fn settle(world: World) -> Facts {
    let mut template = Object(world.template);
    let policies: Vec<Policy> = read(&world.policies);
    let overrides: Vec<Override> = read(&world.overrides);
    let clusters: Vec<Cluster> = read(&world.clusters);
    let mut facts = Facts {
        kind: template.group_version_kind(),
        key: template.key(),
        is_deletable: true,
        is_customised: false,
        template: Ok(None),
        namesakes: Vec::new(),
        policies: Ok(policies.clone()),
        overrides: Ok(overrides.clone()),
        priority_classes: Ok(vec!["high".to_owned()]),
        warnings: Ok(Vec::new()),
        binding: Ok(None),
        clusters: Ok(clusters.clone()),
        works: Ok(BTreeMap::new()),
        members: BTreeMap::new(),
        only: None,
    };
    let binding = bind(&mut template, &policies, &overrides, &clusters);
    if let Some(binding) = binding {
        let works = works(&template, &binding, &overrides, &clusters);
        facts.members = works.iter().map(|(cluster, work)| (cluster.clone(), in_member(work))).collect();
        facts.works = Ok(works);
        facts.binding = Ok(Some(binding));
    }
    facts.template = Ok(Some(template));
    facts
}

/// Claims the template and schedules its binding.
fn bind(
    template: &mut Object,
    policies: &[Policy],
    overrides: &[Override],
    clusters: &[Cluster],
) -> Option<Binding> {
    if !is_template(template, &Skipped::default()) {
        return None;
    }
    let (namespaced, cluster) = candidates(policies, template.namespace());
    let (policy, claim) = match decide(template, &namespaced, &cluster) {
        Decision::Take(Taking { policy, claim, .. }) => {
            let is_there = |name: &String| overrides.iter().any(|one| one.metadata.name == *name);
            if !policy.spec.dependent_overrides.iter().all(is_there) {
                return None;
            }
            assert!(!policy.metadata.is_deleting());
            (policy.spec.clone(), claim)
        }
        Decision::Follow(policy) => (policy.spec.clone(), claim_of(policy.metadata)),
        _ => return None,
    };
    mark(template, &claim);
    let metadata = binding::metadata(template, &claim, "b1");
    let spec = binding_spec(template, &policy, None);
    let mut made = Binding { metadata, spec, ..Binding::default() };
    made.metadata.creation_timestamp = Some(THEN.to_owned());
    if reschedule::is_schedulable(made.view()) {
        let clusters: Vec<&Cluster> = clusters.iter().collect();
        let condition = match place(made.view(), &clusters) {
            Ok(placed) => {
                made.spec.clusters = placed.clusters;
                Condition::new(SCHEDULED, true, SUCCESS, "Binding has been scheduled successfully.", THEN)
            }
            Err(error) => Condition::new(SCHEDULED, false, error.reason(), error.to_string(), THEN),
        };
        made.status.conditions = vec![condition];
    }
    Some(made)
}

pub(in crate::explain) fn mark(template: &mut Object, claim: &Claim) {
    claim.labels().iter().for_each(|(key, value)| template.set_label(key, value.clone()));
    claim.annotations().iter().for_each(|(key, value)| template.set_annotation(key, value.clone()));
}

fn works(
    template: &Object,
    binding: &Binding,
    overrides: &[Override],
    clusters: &[Cluster],
) -> BTreeMap<String, Work> {
    let mut works = BTreeMap::new();
    for target in targets(&binding.spec) {
        let Some(cluster) = clusters.iter().find(|one| one.metadata.name == target.name) else { continue };
        let Ok(mut work) = work_of(template, binding.view(), overrides, &target, cluster, None) else {
            continue;
        };
        work.metadata.generation = 1;
        work.metadata.creation_timestamp = Some(THEN.to_owned());
        let suspended = work.spec.suspend_dispatching == Some(true);
        work.status.conditions = vec![dispatching(suspended, THEN)];
        if !suspended {
            let mut condition = applied(None, THEN);
            condition.observed_generation = Some(1);
            work.status.conditions.push(condition);
            work.status.manifest_statuses = vec![reported(&live(&work))];
        }
        works.insert(target.name.clone(), work);
    }
    works
}

fn reported(object: &Object) -> portolan_api::work::ManifestStatus {
    manifest_status(object, reflect(object), health(object))
}

/// The object that a member makes of a Work; all its replicas are ready.
fn live(work: &Work) -> Object {
    let mut object = Object(work.spec.workload.manifests[0].clone());
    object.metadata_mut().insert("uid".to_owned(), json!("m1"));
    object.metadata_mut().insert("generation".to_owned(), json!(1));
    if object.kind() == "Deployment" {
        let replicas = object.0["spec"]["replicas"].clone();
        object.0["status"] = json!({ "observedGeneration": 1, "replicas": replicas, "updatedReplicas": replicas,
            "readyReplicas": replicas, "availableReplicas": replicas });
    }
    object
}

fn in_member(work: &Work) -> MemberFacts {
    MemberFacts { object: Ok(Some(live(work))), below: Ok(Vec::new()), warnings: Ok(Vec::new()) }
}

/// The Work for a cluster.
pub(in crate::explain) fn work<'a>(facts: &'a mut Facts, cluster: &str) -> &'a mut Work {
    let works = facts.works.as_mut().expect("read");
    works.get_mut(cluster).expect("a Work")
}

/// The object in a cluster.
pub(in crate::explain) fn object<'a>(facts: &'a mut Facts, cluster: &str) -> &'a mut Object {
    let found = facts.members.get_mut(cluster).expect("a member");
    found.object.as_mut().expect("read").as_mut().expect("there")
}

/// The Work fails with a message of the member.
pub(in crate::explain) fn refuse(facts: &mut Facts, cluster: &str, message: &str) {
    let work = work(facts, cluster);
    work.status.conditions = vec![applied(Some(message), THEN)];
    facts.members.insert(
        cluster.to_owned(),
        MemberFacts { object: Ok(None), below: Ok(Vec::new()), warnings: Ok(Vec::new()) },
    );
}
