//! The table of faults.

use portolan_api::config::DependentObjectReference;
use portolan_api::meta::{Condition, ObjectMeta};
use portolan_object::Object;
use serde_json::{Value, json};

use super::federation::{World, cluster, mark, object, policy, refuse, settle, work};
use crate::explain::{Facts, Hop, Verdict, diagnose};
use crate::propagation::claim::Claim;
use crate::propagation::refusal::Refusal;

/// What a fault is expected to show.
struct Fault {
    name: &'static str,
    world: fn(&mut World),
    after: fn(&mut Facts),
    hop: Hop,
    cluster: Option<&'static str>,
    verdict: Verdict,
    text: &'static str,
    cure: &'static str,
}

const NOTHING: fn(&mut Facts) = |_| {};
const SAME: fn(&mut World) = |_| {};

impl Fault {
    const fn new(name: &'static str, hop: Hop, text: &'static str, cure: &'static str) -> Self {
        let verdict = Verdict::Broken;
        Self { name, world: SAME, after: NOTHING, hop, cluster: None, verdict, text, cure }
    }

    const fn before(mut self, world: fn(&mut World)) -> Self {
        self.world = world;
        self
    }

    const fn after(mut self, after: fn(&mut Facts)) -> Self {
        self.after = after;
        self
    }

    const fn in_eu(mut self) -> Self {
        self.cluster = Some("eu");
        self
    }

    const fn only(mut self, verdict: Verdict) -> Self {
        self.verdict = verdict;
        self
    }
}

fn selector(world: &mut World) -> &mut Value {
    &mut world.policies[0]["spec"]["resourceSelectors"][0]
}

fn placement(world: &mut World) -> &mut Value {
    &mut world.policies[0]["spec"]["placement"]
}

fn ready(world: &mut World, status: &str, reason: &str, message: &str) {
    let condition = &mut world.clusters[0]["status"]["conditions"][0];
    condition["status"] = json!(status);
    condition["reason"] = json!(reason);
    condition["message"] = json!(message);
}

fn overriding(world: &mut World, namespace: &str, plaintext: Value) {
    world.overrides.push(json!({ "metadata": { "namespace": namespace, "name": "tune" }, "spec": {
        "overrideRules": [{ "targetCluster": { "clusterNames": ["eu"] }, "overriders": { "plaintext": [plaintext] } }] } }));
}

/// The scheduler's last result was not written.
fn unschedule(facts: &mut Facts, reason: &str, message: &str) {
    let binding = facts.binding.as_mut().expect("read").as_mut().expect("there");
    binding.spec.clusters.clear();
    binding.status.conditions =
        vec![Condition::new("Scheduled", false, reason, message, "2026-01-01T00:00:00Z")];
}

fn pods(facts: &mut Facts, ready: i64, status: Value) {
    object(facts, "eu").0["status"] = json!({ "observedGeneration": 1, "replicas": 2, "updatedReplicas": 2,
        "readyReplicas": ready, "availableReplicas": ready });
    let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p" }, "status": status });
    facts.members.get_mut("eu").expect("a member").below = Ok(vec![portolan_object::Object(pod)]);
}

fn template_and_policy() -> Vec<Fault> {
    use Hop::{Policy, Template};
    vec![
        Fault::new("no object", Template, "does not exist on the control plane", "kubectl apply")
            .after(|facts| { facts.template = Ok(None); facts.binding = Ok(None); }),
        Fault::new("another namespace", Template, "the name exists in stock", "portolan why deployment/web -n stock")
            .after(|facts| { facts.template = Ok(None); facts.namesakes = vec!["stock".to_owned()]; facts.binding = Ok(None); }),
        Fault::new("reserved namespace", Template, "it is reserved", "another namespace")
            .before(|world| world.template["metadata"]["namespace"] = json!("kube-public")),
        Fault::new("a namespace of the control plane", Template, "it is reserved", "another namespace")
            .before(|world| world.template["metadata"]["namespace"] = json!("karmada-es-eu")),
        Fault::new("claimed by another controller", Template, "MultiClusterService propagates it", "portolan why")
            .before(|world| world.template["metadata"]["labels"]["resourcetemplate.karmada.io/claimed-by"] = json!("MultiClusterService")),
        Fault::new("a kind of the control plane", Template, "act in the control plane", "kubectl describe overridepolicy/web -n shop")
            .only(Verdict::NotLookedAt)
            .after(|facts| facts.kind = portolan_object::GroupVersionKind::new("policy.karmada.io", "v1alpha1", "OverridePolicy")),
        Fault::new("a binding", Template, "act in the control plane", "portolan why deployment/web -n shop")
            .only(Verdict::NotLookedAt)
            .after(|facts| {
                facts.kind = portolan_object::GroupVersionKind::new("work.karmada.io", "v1alpha2", "ResourceBinding");
                facts.key.name = "web-deployment".to_owned();
                let binding = json!({ "spec": { "resource": { "kind": "Deployment", "namespace": "shop", "name": "web" } } });
                facts.template = Ok(Some(portolan_object::Object(binding)));
            }),
        Fault::new("events", Template, "never propagated", "members themselves")
            .after(|facts| facts.kind = portolan_object::GroupVersionKind::new("", "v1", "Event")),
        Fault::new("cannot be deleted", Template, "cannot delete", "members themselves").after(|facts| facts.is_deletable = false),
        Fault::new("being deleted", Template, "kept by its finalizers example.com/hold", "-o yaml").before(|world| {
            world.template["metadata"]["deletionTimestamp"] = json!("2026-01-02T00:00:00Z");
            world.template["metadata"]["finalizers"] = json!(["example.com/hold"]);
        }),
        Fault::new("no policy at all", Policy, "no propagation policy at all", "kind Deployment and name web")
            .before(|world| world.policies.clear()),
        Fault::new("wrong kind", Policy, "no policy selects it", "kind Deployment").before(|world| selector(world)["kind"] = json!("StatefulSet")),
        Fault::new("kind in lower case", Policy, "no policy selects it", "kind Deployment").before(|world| selector(world)["kind"] = json!("deployment")),
        Fault::new("wrong group", Policy, "no policy selects it", "apiVersion apps/v1").before(|world| selector(world)["apiVersion"] = json!("v1")),
        Fault::new("wrong name", Policy, "no policy selects it", "name web").before(|world| selector(world)["name"] = json!("api")),
        Fault::new("wrong label", Policy, "no policy selects it", "name web").before(|world| {
            *selector(world) = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "labelSelector": { "matchLabels": { "app": "api" } } });
        }),
        Fault::new("wrong namespace in the selector", Policy, "no policy selects it", "name web")
            .before(|world| selector(world)["namespace"] = json!("stock")),
        Fault::new("a policy of another namespace", Policy, "no policy selects it", "name web")
            .before(|world| world.policies = vec![policy("stock", "web", "Deployment")]),
        Fault::new("an override that must exist", Policy, "waits for OverridePolicy shop/tune", "create OverridePolicy shop/tune")
            .before(|world| world.policies[0]["spec"]["dependentOverrides"] = json!(["tune"])),
        Fault::new("an override of a policy that holds it", Policy, "holds it, and waits for OverridePolicy shop/tune", "create OverridePolicy shop/tune")
            .after(|facts| facts.policies.as_mut().expect("read")[0].spec.dependent_overrides = vec!["tune".to_owned()]),
        Fault::new("a priority class that must exist", Policy, "waits for PriorityClass low", "create PriorityClass low")
            .before(|world| world.policies[0]["spec"]["schedulePriority"] =
                json!({ "priorityClassSource": "KubePriorityClass", "priorityClassName": "low" })),
        Fault::new("the policy is being deleted", Policy, "no policy selects it", "create a policy")
            .before(|world| world.policies[0]["metadata"]["deletionTimestamp"] = json!("2026-01-02T00:00:00Z")),
        Fault::new("its policy is gone, another is there", Policy, "held it, and is gone", "portolan why").only(Verdict::Waiting)
            .after(|facts| facts.policies = Ok(Vec::new())),
        Fault::new("its policy is being deleted", Policy, "is being deleted", "wait").only(Verdict::Waiting)
            .after(|facts| facts.policies.as_mut().expect("read")[0].metadata.deletion_timestamp = Some("t".to_owned())),
        Fault::new("released", Policy, "changes do not arrive there", "create a policy").only(Verdict::Warning).after(|facts| {
            facts.policies = Ok(Vec::new());
            let template = facts.template.as_mut().expect("read").as_mut().expect("there");
            for field in ["labels", "annotations"] { template.metadata_mut().remove(field); }
            let binding = facts.binding.as_mut().expect("read").as_mut().expect("there");
            let owner = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": binding.spec.resource.uid });
            binding.metadata.owner_references = vec![serde_json::from_value(owner).expect("an owner")];
            for label in crate::propagation::claim::LABELS { binding.metadata.labels.remove(*label); }
        }),
        Fault::new("a binding made by hand", Policy, "its binding was made by hand", "create a policy").only(Verdict::Warning).after(|facts| {
            facts.policies = Ok(Vec::new());
            let template = facts.template.as_mut().expect("read").as_mut().expect("there");
            for field in ["labels", "annotations"] { template.metadata_mut().remove(field); }
            let binding = facts.binding.as_mut().expect("read").as_mut().expect("there");
            binding.metadata.owner_references.clear();
        }),
        Fault::new("not claimed yet", Policy, "has not recorded that yet", "/readyz").only(Verdict::Waiting).after(|facts| {
            let template = facts.template.as_mut().expect("read").as_mut().expect("there");
            for field in ["labels", "annotations"] { template.metadata_mut().remove(field); }
            facts.binding = Ok(None);
        }),
    ]
}

#[expect(clippy::too_many_lines, reason = "one table")]
fn binding_and_schedule() -> Vec<Fault> {
    use Hop::{Binding, Schedule};
    vec![
        Fault::new("no binding", Binding, "has not made a binding yet", "/readyz")
            .only(Verdict::Waiting)
            .after(|facts| facts.binding = Ok(None)),
        Fault::new("an interpreter that cannot count", Binding, "make a binding: no size", "the interpreter")
            .after(|facts| {
                facts.binding = Ok(None);
                facts.warnings = Ok(["old", "no size"]
                    .iter()
                    .zip(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"])
                    .map(|(message, time)| json!({ "reason": "GetReplicasFailed", "message": message, "lastTimestamp": time }))
                    .map(Object)
                    .collect());
            }),
        Fault::new("the binding of an earlier object", Binding, "of an earlier object", "/readyz")
            .only(Verdict::Waiting)
            .after(|facts| {
                facts.binding.as_mut().expect("read").as_mut().expect("there").metadata.owner_references[0]
                    .uid = "u0".to_owned()
            }),
        Fault::new("the binding is old", Binding, "has not followed the last change", "/readyz")
            .only(Verdict::Waiting)
            .after(|facts| facts.binding.as_mut().expect("read").as_mut().expect("there").spec.replicas = 7),
        Fault::new("no cluster", Schedule, "no cluster has joined yet", "portolan join")
            .before(|world| world.clusters.clear()),
        Fault::new("names that do not exist", Schedule, "do not exist: berlin", "correct the names")
            .before(|world| placement(world)["clusterAffinity"]["clusterNames"] = json!(["berlin"])),
        Fault::new(
            "one name does not exist",
            Schedule,
            "clusters that do not exist: berlin",
            "correct the names",
        )
        .only(Verdict::Warning)
        .before(|world| placement(world)["clusterAffinity"]["clusterNames"] = json!(["eu", "berlin"])),
        Fault::new(
            "no label fits",
            Schedule,
            "did not match the placement cluster affinity",
            "labels of a cluster",
        )
        .before(|world| {
            *placement(world) =
                json!({ "clusterAffinity": { "labelSelector": { "matchLabels": { "tier": "gold" } } } })
        }),
        Fault::new("every cluster is excluded", Schedule, "did not match", "spec.placement")
            .before(|world| *placement(world) = json!({ "clusterAffinity": { "exclude": ["eu", "us"] } })),
        Fault::new("a taint", Schedule, "untolerated taint {dedicated=gpu:NoSchedule}", "tolerate dedicated")
            .before(|world| {
                for cluster in &mut world.clusters {
                    cluster["spec"]["taints"] =
                        json!([{ "key": "dedicated", "value": "gpu", "effect": "NoSchedule" }]);
                }
            }),
        Fault::new(
            "the taint of clusters that are not ready",
            Schedule,
            "untolerated taint",
            "kubectl describe cluster eu",
        )
        .before(|world| {
            for cluster in &mut world.clusters {
                cluster["spec"]["taints"] =
                    json!([{ "key": "cluster.karmada.io/not-ready", "effect": "NoSchedule" }]);
            }
        }),
        Fault::new(
            "a kind that no cluster serves",
            Schedule,
            "did not have the API resource",
            "CustomResourceDefinition",
        )
        .before(|world| {
            for cluster in &mut world.clusters {
                cluster["status"]["apiEnablements"] = json!([]);
            }
        }),
        Fault::new("clusters that leave", Schedule, "are being removed", "wait until eu has left").before(
            |world| {
                for cluster in &mut world.clusters {
                    cluster["metadata"]["deletionTimestamp"] = json!("2026-01-02T00:00:00Z");
                }
            },
        ),
        Fault::new(
            "another scheduler",
            Schedule,
            "leaves it to the scheduler \"mine\"",
            "see that scheduler mine runs",
        )
        .before(|world| world.policies[0]["spec"]["schedulerName"] = json!("mine")),
        Fault::new(
            "scheduling is suspended",
            Schedule,
            "scheduling is suspended",
            "kubectl patch rb web-deployment -n shop",
        )
        .after(|facts| {
            let binding = facts.binding.as_mut().expect("read").as_mut().expect("there");
            binding.spec.suspension =
                serde_json::from_value(json!({ "scheduling": true })).expect("a suspension");
            binding.spec.clusters.clear();
        }),
        Fault::new(
            "a quota of the control plane",
            Schedule,
            "QuotaExceeded",
            "raise spec.overall of the FederatedResourceQuota",
        )
        .after(|facts| {
            unschedule(facts, "QuotaExceeded", "FederatedResourceQuota(shop/q) exceeded for resource cpu")
        }),
        Fault::new("no room, beside a taint", Schedule, "are not enough", "add nodes or clusters")
            .before(|world| {
                world.clusters[0]["spec"]["taints"] = json!([{ "key": "dedicated", "effect": "NoSchedule" }]);
            })
            .after(|facts| {
                unschedule(
                    facts,
                    "Unschedulable",
                    "Clusters available replicas 0 are not enough to schedule.",
                )
            }),
        Fault::new(
            "a dependency that does not exist",
            Binding,
            "Secret db",
            "create them on the control plane",
        )
        .only(Verdict::Warning)
        .after(|facts| {
            let missing = DependentObjectReference {
                kind: "Secret".to_owned(),
                name: "db".to_owned(),
                ..Default::default()
            };
            let binding = facts.binding.as_mut().expect("read").as_mut().expect("there");
            let condition =
                crate::propagation::dependencies::condition(&[missing], &[], "t").expect("a condition");
            binding.status.conditions.push(condition);
        }),
        Fault::new("an interpreter that fails", Binding, "the script failed", "correct the interpreter")
            .after(|facts| {
                let binding = facts.binding.as_mut().expect("read").as_mut().expect("there");
                let failed = Condition::new("FullyApplied", false, "WorkNotMade", "the script failed", "t");
                binding.status.conditions.retain(|one| one.kind != "FullyApplied");
                binding.status.conditions.push(failed);
            }),
        Fault::new("not scheduled yet", Schedule, "has not been scheduled yet", "/readyz")
            .only(Verdict::Waiting)
            .after(|facts| {
                facts.binding.as_mut().expect("read").as_mut().expect("there").status.conditions.clear()
            }),
    ]
}

#[expect(clippy::too_many_lines, reason = "one table")]
fn clusters() -> Vec<Fault> {
    use Hop::{Member, Overrides, Status, Work};
    vec![
        Fault::new("an override without its path", Overrides, "the path does not exist", "correct the path /spec/nothing: kubectl edit op tune -n shop").in_eu()
            .before(|world| overriding(world, "shop", json!({ "path": "/spec/nothing", "operator": "remove" }))),
        Fault::new("an override of the name", Overrides, "cannot be overridden", "kubectl edit cop tune").in_eu()
            .before(|world| overriding(world, "", json!({ "path": "/metadata/name", "operator": "replace", "value": "x" }))),
        Fault::new("no Work", Work, "has not made the Work yet", "/readyz").in_eu().only(Verdict::Waiting)
            .after(|facts| drop(facts.works.as_mut().expect("read").remove("eu"))),
        Fault::new("an old Work", Work, "has not followed the last change", "/readyz").in_eu().only(Verdict::Waiting)
            .after(|facts| work(facts, "eu").spec.workload.manifests[0]["spec"]["replicas"] = json!(9)),
        Fault::new("a Work that goes", Work, "is being deleted", "status.conditions").in_eu().only(Verdict::Waiting)
            .after(|facts| work(facts, "eu").metadata.deletion_timestamp = Some("2026-01-02T00:00:00Z".to_owned())),
        Fault::new("suspended", Work, "spec.suspension.dispatching of the policy", "remove spec.suspension.dispatching").in_eu()
            .before(|world| world.policies[0]["spec"]["suspension"] = json!({ "dispatching": true })),
        Fault::new("suspended in one cluster", Work, "dispatchingOnClusters", "remove").in_eu()
            .before(|world| world.policies[0]["spec"]["suspension"] = json!({ "dispatchingOnClusters": { "clusterNames": ["eu"] } })),
        Fault::new("not reachable", Member, "ClusterNotReachable", "https://eu.test").in_eu()
            .before(|world| ready(world, "Unknown", "ClusterNotReachable", "no answer")),
        Fault::new("not healthy", Member, "ClusterNotReady", "kubectl describe cluster eu").in_eu()
            .before(|world| ready(world, "False", "ClusterNotReady", "not healthy")),
        Fault::new("credential suspended", Member, "CredentialSuspended", "portolan join eu").in_eu()
            .before(|world| ready(world, "False", "CredentialSuspended", "for another address")),
        Fault::new("another control plane", Member, "HeldByAnotherControlPlane", "--take-over").in_eu()
            .before(|world| ready(world, "False", "HeldByAnotherControlPlane", "held by x")),
        Fault::new("too much for the memory", Member, "MemoryBudgetExceeded", "--member-memory").in_eu()
            .before(|world| ready(world, "False", "MemoryBudgetExceeded", "too much")),
        Fault::new("a silent agent", Member, "ClusterStatusUnknown", "portolan agent --pull").in_eu()
            .before(|world| ready(world, "Unknown", "ClusterStatusUnknown", "no heartbeat")),
        Fault::new("never heard of", Member, "has not heard from the cluster", "kubectl describe cluster eu").in_eu().only(Verdict::Waiting)
            .before(|world| world.clusters[0]["status"]["conditions"] = json!([])),
        Fault::new("an object of another owner", Member, "already exists in the cluster eu", "conflictResolution: Overwrite").in_eu()
            .after(|facts| refuse(facts, "eu", "resource(kind=Deployment, shop/web) already exists in the cluster eu and …")),
        Fault::new("a kind that the cluster lost", Member, "does not serve", "CustomResourceDefinition of Deployment.apps").in_eu()
            .after(|facts| refuse(facts, "eu", "cluster eu does not serve apps/v1, Kind=Deployment yet")),
        Fault::new("no right", Member, "cannot create resource", "portolan cluster permissions eu --apply").in_eu()
            .after(|facts| refuse(facts, "eu", "deployments.apps is forbidden: User \"x\" cannot create resource \"deployments\"")),
        Fault::new("a token that expired", Member, "Unauthorized", "portolan join eu").in_eu().after(|facts| refuse(facts, "eu", "Unauthorized")),
        Fault::new("a quota", Member, "exceeded quota", "ResourceQuota in eu").in_eu()
            .after(|facts| refuse(facts, "eu", "deployments.apps \"web\" is forbidden: exceeded quota: small")),
        Fault::new("no namespace", Member, "not found", "kubectl create namespace shop").in_eu()
            .after(|facts| refuse(facts, "eu", "namespaces \"shop\" not found")),
        Fault::new("refused by the member", Member, "is invalid", "override the field for eu").in_eu()
            .after(|facts| refuse(facts, "eu", "Deployment.apps \"web\" is invalid: spec.replicas")),
        Fault::new("refused by a webhook", Member, "denied the request", "override the field").in_eu()
            .after(|facts| refuse(facts, "eu", "admission webhook \"x\" denied the request")),
        Fault::new("a namespace that the cluster deletes", Member, "is being terminated", "wait until the namespace is gone in eu").in_eu()
            .after(|facts| refuse(facts, "eu", "deployments.apps \"web\" is forbidden: unable to create new content in namespace shop because it is being terminated")),
        Fault::new("a missing namespace, with advice", Member, "not found", "skip-auto-propagation").in_eu().after(|facts| {
            let advice = Refusal::NoNamespace.advice().expect("an advice");
            refuse(facts, "eu", &format!("namespaces \"shop\" not found; {advice}"));
        }),
        Fault::new("a field that cannot be changed", Member, "field is immutable", "kubectl --kubeconfig eu.kubeconfig delete deployment web -n shop").in_eu()
            .after(|facts| refuse(facts, "eu", "Deployment.apps \"web\" is invalid: spec.selector: Invalid value: {}: field is immutable")),
        Fault::new("an admission policy", Member, "denied request", "ValidatingAdmissionPolicy there").in_eu()
            .after(|facts| refuse(facts, "eu", "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no")),
        Fault::new("a webhook that does not run", Member, "failed calling webhook", "service of the webhook runs in eu").in_eu()
            .after(|facts| refuse(facts, "eu", "Internal error occurred: failed calling webhook \"w\": failed to call webhook: connection refused")),
        Fault::new("a secret that is nowhere", Status, "not healthy", "place secret db in eu too: set propagateDeps: true").in_eu().after(|facts| {
            pods(facts, 0, json!({ "phase": "Pending", "containerStatuses": [{ "name": "web", "state": { "waiting": {
                "reason": "CreateContainerConfigError", "message": "secret \"db\" not found" } } }] }));
        }),
        Fault::new("a secret that is to follow and does not exist", Status, "not healthy", "create secret db on the control plane").in_eu().before(|world| {
            world.policies[0]["spec"]["propagateDeps"] = json!(true);
        }).after(|facts| {
            pods(facts, 0, json!({ "phase": "Pending", "containerStatuses": [{ "name": "web", "state": { "waiting": {
                "reason": "CreateContainerConfigError", "message": "secret \"db\" not found" } } }] }));
        }),
        Fault::new("not applied yet", Member, "has not been applied yet", "/readyz").in_eu().only(Verdict::Waiting)
            .after(|facts| work(facts, "eu").status.conditions.clear()),
        Fault::new("an older generation is applied", Member, "has not been applied yet", "/readyz").in_eu().only(Verdict::Waiting)
            .after(|facts| work(facts, "eu").metadata.generation = 2),
        Fault::new("deleted in the member", Member, "was deleted in the member", "/readyz").in_eu().only(Verdict::Waiting)
            .after(|facts| facts.members.get_mut("eu").expect("a member").object = Ok(None)),
        Fault::new("kept in deletion", Member, "kept by its finalizers hold", "remove the finalizers in eu").in_eu().after(|facts| {
            let metadata = object(facts, "eu").metadata_mut();
            metadata.insert("deletionTimestamp".to_owned(), json!("2026-01-02T00:00:00Z"));
            metadata.insert("finalizers".to_owned(), json!(["hold"]));
        }),
        Fault::new("changed in the member", Member, "differs from the Work", "/readyz").in_eu().only(Verdict::Waiting)
            .after(|facts| object(facts, "eu").0["spec"]["template"]["spec"]["containers"][0]["image"] = json!("nginx:9")),
        Fault::new("an image that does not exist", Status, "not healthy, 1 of 2 ready", "portolan tree deployment/web -n shop").in_eu().after(|facts| {
            pods(facts, 1, json!({ "phase": "Pending", "containerStatuses": [{ "name": "web", "state": { "waiting": { "reason": "ErrImagePull" } } }] }));
        }),
        Fault::new("no node has room", Status, "not healthy, 0 of 2 ready", "portolan tree").in_eu().after(|facts| {
            pods(facts, 0, json!({ "phase": "Pending", "conditions": [{ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no room" }] }));
        }),
        Fault::new("a quota of pods in the cluster", Status, "not healthy, 0 of 2 ready", "raise the ResourceQuota in eu").in_eu().after(|facts| {
            pods(facts, 0, json!({ "phase": "Succeeded" }));
            object(facts, "eu").0["status"]["conditions"] = json!([{ "type": "ReplicaFailure", "status": "True",
                "reason": "FailedCreate", "message": "pods \"web-1\" is forbidden: exceeded quota: q, requested: pods=1" }]);
        }),
        Fault::new("a service account that is nowhere", Status, "not healthy", "place serviceaccount robot in eu too").in_eu().after(|facts| {
            pods(facts, 0, json!({ "phase": "Succeeded" }));
            object(facts, "eu").0["status"]["conditions"] = json!([{ "type": "ReplicaFailure", "status": "True",
                "reason": "FailedCreate", "message": "pods \"web-1\" is forbidden: error looking up service account shop/robot: serviceaccount \"robot\" not found" }]);
        }),
        Fault::new("a priority class that is nowhere", Status, "not healthy", "place priorityclass high in eu too").in_eu().after(|facts| {
            pods(facts, 0, json!({ "phase": "Succeeded" }));
            object(facts, "eu").0["status"]["conditions"] = json!([{ "type": "ReplicaFailure", "status": "True",
                "reason": "FailedCreate", "message": "pods \"web-1\" is forbidden: no PriorityClass with name high was found" }]);
        }),
        Fault::new("the rollout has not begun", Status, "not healthy", "portolan tree").in_eu()
            .after(|facts| object(facts, "eu").0["status"]["observedGeneration"] = json!(0)),
    ]
}

#[test]
fn the_first_broken_hop_and_its_cure_are_told() {
    let tables = [template_and_policy(), binding_and_schedule(), clusters()];
    let faults: Vec<Fault> = tables.into_iter().flatten().collect();
    assert!(faults.len() >= 60, "{}", faults.len());
    for fault in faults {
        let mut world = World::default();
        (fault.world)(&mut world);
        let mut facts = settle(world);
        (fault.after)(&mut facts);
        let diagnosis = diagnose(&facts);
        let name = fault.name;
        let step = diagnosis.first(fault.verdict).unwrap_or_else(|| panic!("{name}: {diagnosis:#?}"));
        assert_eq!((step.hop, step.cluster.as_deref()), (fault.hop, fault.cluster), "{name}: {diagnosis:#?}");
        assert!(step.text.contains(fault.text), "{name}: {}", step.text);
        let cure = step.cure.as_deref().unwrap_or_default();
        assert!(cure.contains(fault.cure), "{name}: {cure}");
        if fault.verdict != Verdict::Broken {
            assert_eq!(diagnosis.broken(), None, "{name}: nothing else is broken");
        }
        assert_eq!(diagnosis.good_since(), None, "{name}");
    }
}

/// A change of the sound world.
type Change = fn(&mut World);

#[test]
fn policies_that_do_not_have_it_say_why() {
    let lines = |change: fn(&mut World)| {
        let mut world = World::default();
        change(&mut world);
        let diagnosis = diagnose(&settle(world));
        diagnosis.steps.into_iter().find(|step| step.hop == Hop::Policy).expect("a policy step").details
    };
    let cases: [(Change, &str); 7] = [
        (
            |world| world.policies.push(policy("", "wide", "Deployment")),
            "ClusterPropagationPolicy wide selects it, but the object belongs to PropagationPolicy shop/web, which goes before \
             every ClusterPropagationPolicy",
        ),
        (
            |world| {
                world.policies.push(policy("shop", "low", "Deployment"));
                world.policies[0]["spec"]["priority"] = json!(5);
            },
            "PropagationPolicy shop/low selects it, but the object belongs to PropagationPolicy shop/web, which has the higher priority (5, this one 0)",
        ),
        (
            |world| {
                world.policies.push(policy("shop", "all", "Deployment"));
                world.policies[1]["spec"]["resourceSelectors"][0] =
                    json!({ "apiVersion": "apps/v1", "kind": "Deployment" });
            },
            "PropagationPolicy shop/all selects it, but the object belongs to PropagationPolicy shop/web, which selects it by name, this one by kind",
        ),
        (
            |world| world.policies.push(policy("shop", "zeta", "Deployment")),
            "PropagationPolicy shop/zeta selects it, but the object belongs to PropagationPolicy shop/web, which has the name that sorts first",
        ),
        (
            |world| {
                let claim = Claim::Namespaced {
                    policy: portolan_object::ObjectKey::namespaced("shop", "web"),
                    id: "uid-shop-web".to_owned(),
                };
                let mut template = portolan_object::Object(world.template.clone());
                mark(&mut template, &claim);
                world.template = template.0;
                world.policies.push(policy("shop", "strong", "Deployment"));
                world.policies[1]["spec"]["priority"] = json!(9);
            },
            "PropagationPolicy shop/strong selects it, but the object belongs to PropagationPolicy shop/web, which claimed it before: set `preemption: Always` to take it",
        ),
        (
            |world| world.policies.push(policy("stock", "web", "Deployment")),
            "PropagationPolicy stock/web would select it, but only selects objects in its own namespace stock",
        ),
        (
            |world| selector(world)["kind"] = json!("deployments"),
            "PropagationPolicy shop/web selects kind \"deployments\", which must be written \"Deployment\"",
        ),
    ];
    for (change, want) in cases {
        assert_eq!(lines(change), [want]);
    }
}

#[test]
fn clusters_that_were_not_chosen_say_why() {
    let mut world = World::default();
    placement(&mut world)["clusterAffinity"]["clusterNames"] = json!(["eu", "us", "asia", "gpu"]);
    world.clusters.extend([cluster("asia"), cluster("gpu"), cluster("test")]);
    world.clusters[2]["status"]["apiEnablements"] = json!([]);
    world.clusters[3]["spec"]["taints"] = json!([{ "key": "dedicated", "effect": "NoSchedule" }]);
    let diagnosis = diagnose(&settle(world));
    let step = diagnosis.steps.iter().find(|step| step.hop == Hop::Schedule).expect("a schedule step");
    assert_eq!(
        (step.verdict, step.text.as_str()),
        (Verdict::Good, "eu (2), us (2): all 2 replicas in each cluster")
    );
    assert_eq!(
        step.details,
        [
            "not asia: cluster(s) did not have the API resource",
            "not gpu: cluster(s) had untolerated taint {dedicated:NoSchedule}",
            "not test: cluster(s) did not match the placement cluster affinity constraint",
        ]
    );
}

#[test]
fn overrides_are_shown_as_a_difference() {
    let mut world = World::default();
    overriding(&mut world, "shop", json!({ "path": "/spec/replicas", "operator": "replace", "value": 5 }));
    let diagnosis = diagnose(&settle(world));
    let steps: Vec<_> = diagnosis.steps.iter().filter(|step| step.hop == Hop::Overrides).collect();
    assert_eq!(steps.len(), 1, "only eu has an override");
    assert_eq!(steps[0].text, "OverridePolicy tune applied");
    assert_eq!(steps[0].details, ["spec.replicas: 2 -> 5"]);
    assert_eq!(diagnosis.broken(), None, "{diagnosis:#?}");
}

#[test]
fn titles_of_policies() {
    use crate::propagation::snapshot::policy_title;
    assert_eq!(policy_title(&ObjectMeta::namespaced("shop", "web")), "PropagationPolicy shop/web");
    assert_eq!(policy_title(&ObjectMeta::cluster("web")), "ClusterPropagationPolicy web");
}

#[test]
fn the_division_of_replicas_shows_its_weights() {
    let mut world = World::default();
    world.template["spec"]["replicas"] = json!(5);
    placement(&mut world)["replicaScheduling"] = json!({ "replicaSchedulingType": "Divided",
        "replicaDivisionPreference": "Weighted", "weightPreference": { "staticWeightList": [
            { "targetCluster": { "clusterNames": ["eu"] }, "weight": 3 },
            { "targetCluster": { "clusterNames": ["us"] }, "weight": 2 }] } });
    let diagnosis = diagnose(&settle(world));
    let step = diagnosis.steps.iter().find(|step| step.hop == Hop::Schedule).expect("a schedule step");
    assert_eq!(step.text, "eu (3), us (2): 5 replicas divided (Weighted, weights of the policy)");
    assert_eq!(step.details, ["eu: weight 3, 3 replicas", "us: weight 2, 2 replicas"]);
    assert_eq!(diagnosis.broken(), None, "{diagnosis:#?}");
}

#[test]
fn a_held_deletion_says_how_it_is_released() {
    let mut facts = settle(World::default());
    let leaving = work(&mut facts, "eu");
    leaving.metadata.deletion_timestamp = Some("2026-01-02T00:00:00Z".to_owned());
    let cause = portolan_api::annotations::work::REMOVAL_CAUSE.to_owned();
    leaving.metadata.annotations.insert(cause.clone(), "Withdrawn".to_owned());
    let held = json!([{ "type": "Ready", "status": "True" }, { "type": "DeletionsHeld", "status": "True" }]);
    facts.clusters.as_mut().expect("read")[0].status.conditions =
        serde_json::from_value(held).expect("conditions");
    let step = diagnose(&facts).broken().cloned().expect("held");
    assert_eq!((step.hop, step.cluster.as_deref()), (Hop::Work, Some("eu")));
    assert!(step.cure.is_some_and(|cure| cure.starts_with("portolan release eu")));
    work(&mut facts, "eu").metadata.annotations.insert(cause, "TemplateDeleted".to_owned());
    assert_eq!(diagnose(&facts).broken(), None, "what a user deletes is not held");
}

#[test]
fn nothing_is_claimed_about_the_rules_of_a_customised_interpreter() {
    let mut facts = settle(World::default());
    facts.is_customised = true;
    work(&mut facts, "eu").spec.workload.manifests[0]["spec"]["replicas"] = json!(9);
    object(&mut facts, "eu").0["spec"]["replicas"] = json!(7);
    let diagnosis = diagnose(&facts);
    assert_eq!((diagnosis.broken(), diagnosis.first(Verdict::Waiting)), (None, None), "{diagnosis:#?}");
    assert_eq!(diagnosis.first(Verdict::NotLookedAt).map(|step| step.hop), Some(Hop::Work));
}
