use portolan_api::policy::Placement;
use serde_json::{Value, json};

use super::*;

/// A binding with everything that its decision depends on.
struct Case {
    metadata: ObjectMeta,
    spec: ResourceBindingSpec,
    status: ResourceBindingStatus,
    taints: BTreeMap<String, Vec<Taint>>,
    unhealthy_for: BTreeMap<String, Duration>,
    settings: Settings,
    may_evict: bool,
}

impl Case {
    /// A workload in eu and us, with eu tainted.
    fn new(failover: Value) -> Self {
        let taint = Taint {
            key: "down".to_owned(),
            effect: "NoExecute".to_owned(),
            time_added: Some("2026-01-01T00:00:00Z".to_owned()),
            ..Taint::default()
        };
        let spec = json!({ "placement": {}, "failover": failover,
            "clusters": [{ "name": "eu", "replicas": 2 }, { "name": "us", "replicas": 1 }] });
        Self {
            metadata: ObjectMeta { generation: 3, ..ObjectMeta::namespaced("shop", "web-deployment") },
            spec: serde_json::from_value(spec).expect("a spec"),
            status: ResourceBindingStatus::default(),
            taints: BTreeMap::from([("eu".to_owned(), vec![taint])]),
            unhealthy_for: BTreeMap::new(),
            settings: Settings { evicts_by_taint: true, ..Settings::default() },
            may_evict: true,
        }
    }

    fn decide(&self) -> Decision {
        decide(Facts {
            metadata: &self.metadata,
            spec: &self.spec,
            status: &self.status,
            taints: &self.taints,
            template_generation: 7,
            unhealthy_for: &self.unhealthy_for,
            current: &["us"],
            settings: self.settings,
            may_evict: self.may_evict,
            now: "2026-01-01T00:01:00Z".parse().expect("a time"),
        })
    }
}

#[test]
fn an_untolerated_taint_evicts() {
    let case = Case::new(Value::Null);
    let decision = case.decide();
    assert_eq!(decision.evicted, ["eu"]);
    let spec = decision.spec.expect("a change");
    assert_eq!(spec.clusters.len(), 1);
    let task = &spec.graceful_eviction_tasks[0];
    assert_eq!((&*task.reason, &*task.producer), ("TaintUntolerated", "TaintManager"));
    assert!(task.message.contains("down:NoExecute"), "{}", task.message);
    assert_eq!(task.creation_timestamp.as_deref(), Some("2026-01-01T00:01:00Z"));
    assert_eq!(decision.next, Some(Duration::from_secs(601)));
}

#[test]
fn taints_evict_nothing_unless_asked_for() {
    let mut case = Case::new(Value::Null);
    case.settings.evicts_by_taint = false;
    assert_eq!(case.decide(), Decision::default(), "off");

    let mut case = Case::new(Value::Null);
    case.may_evict = false;
    let decision = case.decide();
    assert!(decision.waits_for_turn && decision.spec.is_none(), "not its turn");

    let mut case = Case::new(Value::Null);
    case.spec.placement = None;
    assert_eq!(case.decide(), Decision::default(), "a dependency follows what needs it");

    let mut case = Case::new(Value::Null);
    let toleration =
        json!({ "clusterTolerations": [{ "key": "down", "operator": "Exists", "tolerationSeconds": 100 }] });
    case.spec.placement = Some(serde_json::from_value::<Placement>(toleration).expect("a placement"));
    let decision = case.decide();
    assert_eq!(
        (decision.spec, decision.next),
        (None, Some(Duration::from_secs(40))),
        "tolerated for a while"
    );
}

#[test]
fn a_workload_leaves_where_it_fails() {
    let application = |more: Value| {
        let mut application = json!({ "decisionConditions": { "tolerationSeconds": 30 } });
        application.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        let mut case = Case::new(json!({ "application": application }));
        case.taints.clear();
        case.unhealthy_for = BTreeMap::from([
            ("eu".to_owned(), Duration::from_secs(30)),
            ("us".to_owned(), Duration::from_secs(10)),
        ]);
        case
    };
    let decision = application(json!({ "purgeMode": "Gracefully", "gracePeriodSeconds": 60 })).decide();
    let task = &decision.spec.expect("a change").graceful_eviction_tasks[0];
    assert_eq!(decision.evicted, ["eu"]);
    assert_eq!((&*task.reason, task.grace_period_seconds), ("ApplicationFailure", Some(60)));
    assert_eq!(decision.next, Some(Duration::from_secs(20)), "us is next");

    let decision = application(json!({ "purgeMode": "Never", "gracePeriodSeconds": 60 })).decide();
    let task = &decision.spec.expect("a change").graceful_eviction_tasks[0];
    assert_eq!((task.suppress_deletion, task.grace_period_seconds), (Some(true), None));

    let state = json!({ "rules": [{ "aliasLabelName": "n", "jsonPath": "{.n}" }] });
    let mut case = application(json!({ "purgeMode": "Directly", "statePreservation": state }));
    let refused = case.decide();
    assert!(refused.spec.is_none() && refused.refused[0].0 == "eu", "the state would be lost");
    let items = json!([{ "clusterName": "eu", "status": { "n": 5 } }]);
    case.status.aggregated_status = serde_json::from_value(items).expect("a status");
    let task = &case.decide().spec.expect("a change").graceful_eviction_tasks[0];
    assert_eq!(task.preserved_label_state.get("n").map(String::as_str), Some("5"));
    assert_eq!(task.clusters_before_failover, ["eu", "us"]);
}

#[test]
fn a_task_ends_once_the_new_copies_are_healthy() {
    let mut case = Case::new(Value::Null);
    case.taints.clear();
    let moved = json!({ "placement": {}, "clusters": [{ "name": "us" }],
        "gracefulEvictionTasks": [{ "fromCluster": "eu", "creationTimestamp": "2026-01-01T00:00:00Z" }] });
    case.spec = serde_json::from_value(moved).expect("a spec");
    let items = json!([{ "clusterName": "us", "health": "Healthy" }]);
    case.status.aggregated_status = serde_json::from_value(items).expect("a status");
    assert_eq!(case.decide().spec, None, "scheduling is not done");
    case.status.scheduler_observed_generation = 3;
    let decision = case.decide();
    assert_eq!(decision.ended, ["eu"]);
    assert!(decision.spec.expect("a change").graceful_eviction_tasks.is_empty());
}
