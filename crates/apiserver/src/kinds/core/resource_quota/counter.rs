//! What an object uses of a ResourceQuota, by the names that quotas have for it.
//!
//! # Source
//! kubernetes pkg/quota/v1/evaluator/core and staging/src/k8s.io/apiserver/pkg/quota/v1/generic/evaluator.go.

use jiff::{SignedDuration, Timestamp};
use portolan_object::quantity::Quantity;
use serde_json::Value;

use super::amounts::{accumulate, with};
use crate::admission::Operation;
use crate::kinds::core::pod::resources::{Amounts, amounts, total};
use crate::tree;

/// The compute resources that quotas know by the plain name, with `requests.` and with `limits.`.
const COMPUTE: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
/// Resources that containers must name where a quota counts them.
const REQUIRED: [&str; 6] =
    ["cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory"];
/// Counts of core objects that have a name of their own besides `count/`.
const NAMED: [&str; 4] = ["configmaps", "replicationcontrollers", "resourcequotas", "secrets"];
/// Between the name of a StorageClass and what is counted of it.
const OF_CLASS: &str = ".storageclass.storage.k8s.io/";
/// Resources that no quota counts: events, and reviews, which are not stored.
const UNCOUNTED: [(&str, &str); 8] = [
    ("", "bindings"),
    ("", "events"),
    ("events.k8s.io", "events"),
    ("authentication.k8s.io", "tokenreviews"),
    ("authentication.k8s.io", "selfsubjectreviews"),
    ("authorization.k8s.io", "localsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
];

/// How the objects of one resource are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counter {
    pub(super) kind: CounterKind,
    /// `count/` and the resource with its group.
    count: String,
    /// The older name of the count.
    name: Option<&'static str>,
}

/// What is counted of an object besides its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CounterKind {
    /// Requests and limits.
    Pods,
    /// Node ports and load balancers.
    Services,
    /// Storage, also by class.
    Claims,
    /// Nothing.
    Others,
}

impl Counter {
    /// The counter of a resource; `None` if quotas do not count it.
    pub(crate) fn of(group: &str, plural: &str) -> Option<Self> {
        if UNCOUNTED.contains(&(group, plural)) {
            return None;
        }
        let kind = match (group, plural) {
            ("", "pods") => CounterKind::Pods,
            ("", "services") => CounterKind::Services,
            ("", "persistentvolumeclaims") => CounterKind::Claims,
            _ => CounterKind::Others,
        };
        let count =
            if group.is_empty() { format!("count/{plural}") } else { format!("count/{plural}.{group}") };
        let name = NAMED.into_iter().find(|name| group.is_empty() && *name == plural);
        Some(Self { kind, count, name })
    }

    /// Whether the objects need to be read, and not only counted.
    pub(crate) fn reads_objects(&self) -> bool {
        self.kind != CounterKind::Others
    }

    /// Whether a line of a quota counts these objects.
    pub(crate) fn counts(&self, line: &str) -> bool {
        if line == self.count || self.name == Some(line) {
            return true;
        }
        match self.kind {
            CounterKind::Pods => line == "pods" || is_of_containers(line),
            CounterKind::Services => {
                matches!(line, "services" | "services.nodeports" | "services.loadbalancers")
            }
            CounterKind::Claims => {
                let plain = line.split_once(OF_CLASS).map_or(line, |(_, plain)| plain);
                matches!(plain, "persistentvolumeclaims" | "requests.storage")
            }
            CounterKind::Others => false,
        }
    }

    /// Whether a write can change what quotas count.
    pub(crate) fn handles(
        &self,
        operation: Operation,
        subresource: &str,
        object: &Value,
        old: Option<&Value>,
    ) -> bool {
        match (self.kind, operation, subresource) {
            (_, Operation::Create, "")
            | (CounterKind::Services | CounterKind::Claims, Operation::Update, "")
            | (CounterKind::Pods, Operation::Update, "resize") => true,
            (CounterKind::Pods, Operation::Update, "") => {
                old.is_some_and(|old| is_terminating(old) != is_terminating(object))
            }
            _ => false,
        }
    }

    /// What an object uses at a time.
    pub(crate) fn usage(&self, object: &Value, now: Timestamp) -> Amounts {
        let mut used = Amounts::new();
        let one = Quantity::from(1);
        used.insert(self.count.clone(), one);
        if let Some(name) = self.name {
            used.insert(name.to_owned(), one);
        }
        match self.kind {
            CounterKind::Pods if !has_ended(object, now) => accumulate(&mut used, &of_pod(object)),
            CounterKind::Services => accumulate(&mut used, &of_service(object)),
            CounterKind::Claims => accumulate(&mut used, &of_claim(object)),
            CounterKind::Pods | CounterKind::Others => {}
        }
        used
    }

    /// What the containers of a pod do not say although a quota with these lines needs it, as an error text.
    pub(crate) fn missing<'l>(
        &self,
        lines: impl IntoIterator<Item = &'l str>,
        object: &Value,
    ) -> Option<String> {
        let is_set_for_pod = ["requests", "limits"].iter().any(|field| {
            tree::map(object, &format!("/spec/resources/{field}")).is_some_and(|map| !map.is_empty())
        });
        if self.kind != CounterKind::Pods || is_set_for_pod {
            return None;
        }
        let mut lines: Vec<&str> = lines.into_iter().filter(|line| REQUIRED.contains(line)).collect();
        lines.sort_unstable();
        let without = |line: &&str| {
            let containers =
                ["/spec/containers", "/spec/initContainers"].map(|list| tree::list(object, list));
            let lacking = containers.into_iter().flatten().filter(|container| {
                let [requests, limits] =
                    ["requests", "limits"].map(|field| amounts(container, &format!("/resources/{field}")));
                !by_line(&requests, &limits).contains_key(*line)
            });
            let mut names: Vec<&str> = lacking.map(|container| tree::str_at(container, "/name")).collect();
            names.sort_unstable();
            names.dedup();
            (!names.is_empty()).then(|| format!("{line} for: {}", names.join(",")))
        };
        let missing: Vec<String> = lines.iter().filter_map(without).collect();
        (!missing.is_empty()).then(|| format!("must specify {}", missing.join("; ")))
    }
}

/// Whether a line of a quota is a sum over containers.
fn is_of_containers(line: &str) -> bool {
    let requested = line.strip_prefix("requests.");
    let plain = requested.or_else(|| line.strip_prefix("limits.")).unwrap_or(line);
    let is_huge = |name: &str| name.starts_with("hugepages-");
    COMPUTE.contains(&plain)
        || is_huge(line)
        || requested.is_some_and(|name| is_huge(name) || is_extended(name))
}

/// Whether a resource is not Kubernetes' own.
fn is_extended(name: &str) -> bool {
    (name.contains('/') && !name.contains("kubernetes.io/"))
        || name.starts_with("deviceclass.resource.kubernetes.io/")
}

/// Whether a pod has a deadline.
pub(super) fn is_terminating(pod: &Value) -> bool {
    tree::integer(pod, "/spec/activeDeadlineSeconds").is_some_and(|seconds| seconds >= 0)
}

/// Whether a pod uses nothing any more: it has ended, or its time to end is over.
fn has_ended(pod: &Value, now: Timestamp) -> bool {
    if matches!(tree::str_at(pod, "/status/phase"), "Succeeded" | "Failed") {
        return true;
    }
    let deleted: Option<Timestamp> = tree::str_at(pod, "/metadata/deletionTimestamp").parse().ok();
    let grace = tree::integer(pod, "/metadata/deletionGracePeriodSeconds");
    deleted.zip(grace).is_some_and(|(deleted, grace)| {
        deleted.checked_add(SignedDuration::from_secs(grace)).is_ok_and(|end| now > end)
    })
}

fn of_pod(pod: &Value) -> Amounts {
    let overhead = amounts(pod, "/spec/overhead");
    let (mut requests, mut limits) = (total(pod, "requests"), total(pod, "limits"));
    accumulate(&mut requests, &overhead);
    // The overhead counts only where there is a limit.
    let limited =
        overhead.into_iter().filter(|(name, _)| limits.get(name).is_some_and(|limit| !limit.is_zero()));
    let limited: Amounts = limited.collect();
    accumulate(&mut limits, &limited);
    with(by_line(&requests, &limits), "pods", Quantity::from(1))
}

/// Requests and limits by the lines of quotas that count them.
fn by_line(requests: &Amounts, limits: &Amounts) -> Amounts {
    let mut lines = Amounts::new();
    for (name, amount) in requests {
        let is_plain = COMPUTE.contains(&&**name) || name.starts_with("hugepages-");
        if is_plain {
            lines.insert(name.clone(), *amount);
        }
        if is_plain || is_extended(name) {
            lines.insert(format!("requests.{name}"), *amount);
        }
    }
    for name in COMPUTE {
        if let Some(amount) = limits.get(name) {
            lines.insert(format!("limits.{name}"), *amount);
        }
    }
    lines
}

fn of_service(service: &Value) -> Amounts {
    let ports = tree::list(service, "/spec/ports");
    let is_balanced = tree::str_at(service, "/spec/type") == "LoadBalancer";
    let allocates = tree::at(service, "/spec/allocateLoadBalancerNodePorts").and_then(Value::as_bool);
    let node_ports = match tree::str_at(service, "/spec/type") {
        "NodePort" => ports.len(),
        "LoadBalancer" if allocates == Some(false) => {
            ports.iter().filter(|port| tree::integer(port, "/nodePort").is_some_and(|port| port != 0)).count()
        }
        "LoadBalancer" => ports.len(),
        _ => 0,
    };
    let number = |count| Quantity::from(i64::try_from(count).unwrap_or(i64::MAX));
    Amounts::from([
        ("services".to_owned(), Quantity::from(1)),
        ("services.loadbalancers".to_owned(), Quantity::from(i64::from(is_balanced))),
        ("services.nodeports".to_owned(), number(node_ports)),
    ])
}

fn of_claim(claim: &Value) -> Amounts {
    let mut used = Amounts::from([("persistentvolumeclaims".to_owned(), Quantity::from(1))]);
    let storage = |pointer: &str| amounts(claim, pointer).remove("storage");
    let requested = storage("/spec/resources/requests");
    // A claim that shrinks still holds what it has.
    let held = storage("/status/allocatedResources").filter(|_| requested.is_some());
    if let Some(amount) = requested.max(held) {
        used.insert("requests.storage".to_owned(), amount.round_up_to_whole());
    }
    let annotations = tree::map(claim, "/metadata/annotations");
    let annotated = annotations.and_then(|map| map.get("volume.beta.kubernetes.io/storage-class"));
    let class = annotated.and_then(Value::as_str).unwrap_or(tree::str_at(claim, "/spec/storageClassName"));
    if !class.is_empty() {
        let of_class: Amounts =
            used.iter().map(|(line, amount)| (format!("{class}{OF_CLASS}{line}"), *amount)).collect();
        used.extend(of_class);
    }
    used
}
