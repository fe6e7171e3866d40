//! Scheduling: how long one core needs to place bindings, without the API server and the caches.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use portolan_api::cluster::{ApiEnablement, ApiResource, Cluster};
use portolan_api::meta::ObjectMeta;
use portolan_api::work::{ResourceBindingSpec, ResourceBindingStatus};
use portolan_plan::propagation::reschedule::View;
use portolan_plan::propagation::schedule::{Estimates, Peers, Request, schedule};
use serde_json::{Value, json};

use crate::arguments::Scheduling;
use crate::figure::Figure;
use crate::machine::Machine;
use crate::report::Report;

const ABOUT: &str = "One thread; an affinity by labels, ten regions, and rooms of clusters that differ.";
/// Five thousand bindings over a hundred clusters, in ms.
const TARGET: f64 = 1000.0;
const ROUNDS: usize = 5;

/// One binding of the measurement.
struct Bound {
    metadata: ObjectMeta,
    spec: ResourceBindingSpec,
}

/// Measures each kind of placement, and the rescheduling of what is placed.
pub(crate) fn run(sizes: &Scheduling) -> Result<Report> {
    let mut report = Report::new(Machine::describe(&std::env::temp_dir()), ABOUT);
    let clusters = (0..sizes.clusters).map(cluster).collect::<Vec<_>>();
    let estimates: Estimates =
        (0..sizes.clusters).map(|index| (name(index), i64::from(50 + index % 37))).collect();
    let mut figures = Vec::new();
    for (what, placement) in placements() {
        let mut bindings: Vec<Bound> =
            (0..sizes.bindings).map(|index| binding(index, &placement)).collect::<Result<_>>()?;
        let (mut first, mut again) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            bindings.iter_mut().for_each(|bound| bound.spec.clusters.clear());
            first.push(place(&mut bindings, &clusters, &estimates)?);
            again.push(place(&mut bindings, &clusters, &estimates)?);
        }
        let figure = |verb: &str, samples: &[Duration]| {
            let name = format!("{verb}, {what}: {} bindings, {} clusters", sizes.bindings, sizes.clusters);
            Figure::times(name, samples).target(TARGET)
        };
        figures.extend([figure("placed", &first), figure("placed again", &again)]);
    }
    report.add("scheduling", Ok(figures));
    Ok(report)
}

/// Places every binding, and writes its targets.
fn place(bindings: &mut [Bound], clusters: &[Cluster], estimates: &Estimates) -> Result<Duration> {
    let clusters: Vec<&Cluster> = clusters.iter().collect();
    let status = ResourceBindingStatus::default();
    let started = Instant::now();
    for bound in bindings {
        let view = View { metadata: &bound.metadata, spec: &bound.spec, status: &status };
        let request = Request::of(view, estimates, Peers::default()).context("a placement")?;
        let placed = schedule(&request, &clusters)?;
        ensure!(!placed.clusters.is_empty(), "{} is nowhere", bound.metadata.name);
        bound.spec.clusters = placed.clusters;
    }
    Ok(started.elapsed())
}

fn placements() -> [(&'static str, Value); 5] {
    let affinity = json!({ "labelSelector": { "matchLabels": { "tier": "web" } } });
    let divided = |preference: &str, weights: Value| {
        json!({ "replicaSchedulingType": "Divided", "replicaDivisionPreference": preference,
            "weightPreference": weights })
    };
    let regions = json!([{ "spreadByField": "region", "minGroups": 3, "maxGroups": 4 },
        { "spreadByField": "cluster", "minGroups": 6, "maxGroups": 12 }]);
    let fixed = json!({ "staticWeightList": [
        { "targetCluster": { "labelSelector": { "matchLabels": { "size": "0" } } }, "weight": 1 },
        { "targetCluster": { "labelSelector": { "matchLabels": { "size": "1" } } }, "weight": 2 }] });
    [
        ("duplicated", json!({ "clusterAffinity": affinity })),
        (
            "static weights",
            json!({ "clusterAffinity": affinity, "replicaScheduling": divided("Weighted", fixed) }),
        ),
        (
            "dynamic weights",
            json!({ "clusterAffinity": affinity,
                "replicaScheduling": divided("Weighted", json!({ "dynamicWeight": "AvailableReplicas" })) }),
        ),
        (
            "aggregated",
            json!({ "clusterAffinity": affinity, "replicaScheduling": divided("Aggregated", Value::Null) }),
        ),
        (
            "spread over regions, dynamic weights",
            json!({ "clusterAffinity": affinity, "spreadConstraints": regions,
                "replicaScheduling": divided("Weighted", json!({ "dynamicWeight": "AvailableReplicas" })) }),
        ),
    ]
}

fn name(index: u32) -> String {
    format!("cluster-{index:03}")
}

fn cluster(index: u32) -> Cluster {
    let mut cluster = Cluster::default();
    cluster.metadata.name = name(index);
    let labels = [("tier", "web".to_owned()), ("size", (index % 3).to_string())];
    cluster.metadata.labels = labels.map(|(key, value)| (key.to_owned(), value)).into();
    cluster.spec.region = format!("region-{}", index % 10);
    let resource = ApiResource { name: "deployments".to_owned(), kind: "Deployment".to_owned() };
    cluster.status.api_enablements =
        vec![ApiEnablement { group_version: "apps/v1".to_owned(), resources: vec![resource] }];
    cluster
}

fn binding(index: u32, placement: &Value) -> Result<Bound> {
    let spec = json!({
        "resource": { "apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop",
            "name": format!("web-{index}"), "uid": format!("{index:032x}") },
        "replicas": 1 + index % 60, "placement": placement });
    let metadata = ObjectMeta::namespaced("shop", format!("web-{index}-deployment"));
    Ok(Bound { metadata, spec: serde_json::from_value(spec)? })
}
