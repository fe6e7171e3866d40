//! The status of Works and bindings (karmada pkg/controllers/status/work_status_controller.go,
//! pkg/util/helper/workstatus.go).

use portolan_api::meta::{Condition, condition};
use portolan_api::policy::PurgeMode;
use portolan_api::work::{
    AggregatedStatusItem, ManifestStatus, ResourceBindingSpec, ResourceHealth, ResourceIdentifier, Work,
};
use portolan_api::{annotations, conditions, names};
use portolan_object::Object;
use serde_json::Value;

use super::interpreter::Report;
use super::work::{is_suspended, targets};
use crate::covers::covers;

/// `Applied` of a Work; `failure` is the reason if the member does not have the object.
pub fn applied(failure: Option<&str>, now: &str) -> Condition {
    use conditions::work::{APPLIED, APPLIED_FAILED, APPLIED_SUCCESSFUL};
    match failure {
        None => {
            Condition::new(APPLIED, true, APPLIED_SUCCESSFUL, "Manifest has been successfully applied", now)
        }
        Some(failure) => {
            let message = format!("Failed to apply all manifests (0/1): {failure}");
            Condition::new(APPLIED, false, APPLIED_FAILED, message, now)
        }
    }
}

/// `Dispatching` of a Work.
pub fn dispatching(suspended: bool, now: &str) -> Condition {
    use conditions::work::{DISPATCHING, SUSPEND_DISPATCHING};
    if suspended {
        let message = "Work dispatching is in a suspended state.";
        return Condition::new(DISPATCHING, false, SUSPEND_DISPATCHING, message, now);
    }
    Condition::new(DISPATCHING, true, DISPATCHING, "Work is being dispatched to member clusters.", now)
}

/// Whether a suspended Work has nothing that the member lacks: `observed` is what `desired` asks for.
///
/// A field that `desired` dropped shows in the generation of the template. Templates without a generation, such as
/// ConfigMaps, have no `spec` and no defaults, so that their content can be compared in both directions.
pub fn is_latest(observed: &Object, desired: &Object) -> bool {
    let has_generation = desired.annotation(annotations::template::GENERATION).is_some();
    covers(observed, desired) && (has_generation || has_no_more_content(observed, desired))
}

fn has_no_more_content(observed: &Object, desired: &Object) -> bool {
    let mut content = observed.clone();
    if let Some(fields) = content.0.as_object_mut() {
        fields.retain(|name, _| !["metadata", "spec", "status"].contains(&name.as_str()));
    }
    covers(desired, &content)
}

/// The status entry of a Work's one manifest: the object in the member, and what its interpreter made of it.
pub fn manifest_status(observed: &Object, status: Option<Value>, health: ResourceHealth) -> ManifestStatus {
    let kind = observed.group_version_kind();
    ManifestStatus {
        identifier: ResourceIdentifier {
            ordinal: 0,
            group: kind.group,
            version: kind.version,
            kind: kind.kind,
            resource: String::new(),
            namespace: observed.namespace().to_owned(),
            name: observed.name().to_owned(),
        },
        status,
        health: Some(health),
    }
}

/// One entry per Work that is not being deleted, sorted by cluster.
pub fn aggregated<'a>(works: impl IntoIterator<Item = &'a Work>) -> Vec<AggregatedStatusItem> {
    let living = works.into_iter().filter(|work| !work.metadata.is_deleting());
    let mut items: Vec<AggregatedStatusItem> = living.filter_map(item).collect();
    items.sort_by(|one, other| one.cluster_name.cmp(&other.cluster_name));
    items
}

fn item(work: &Work) -> Option<AggregatedStatusItem> {
    let cluster_name = names::cluster_of_execution_namespace(&work.metadata.namespace)?.to_owned();
    let condition = condition(&work.status.conditions, conditions::work::APPLIED);
    if !condition.is_some_and(Condition::is_true) {
        let applied_message = condition.map(|condition| condition.message.clone()).unwrap_or_default();
        let health = Some(ResourceHealth::Unknown);
        return Some(AggregatedStatusItem {
            cluster_name,
            applied_message,
            health,
            ..AggregatedStatusItem::default()
        });
    }
    let reported = work.status.manifest_statuses.first();
    Some(AggregatedStatusItem {
        cluster_name,
        status: reported.and_then(|reported| reported.status.clone()),
        applied: true,
        applied_message: String::new(),
        health: reported.map_or(Some(ResourceHealth::Unknown), |reported| reported.health),
    })
}

/// The clusters with a Work that is suspended and was changed since it was applied, sorted.
pub fn held_back<'a>(works: impl IntoIterator<Item = &'a Work>) -> Vec<String> {
    let living = works.into_iter().filter(|work| !work.metadata.is_deleting());
    let waiting = living.filter(|work| work.spec.suspend_dispatching == Some(true) && !is_applied(work));
    let cluster =
        |work: &Work| names::cluster_of_execution_namespace(&work.metadata.namespace).map(str::to_owned);
    let mut clusters: Vec<String> = waiting.filter_map(cluster).collect();
    clusters.sort();
    clusters
}

/// Whether the status says that this generation of the Work was applied. Comparing the objects cannot tell, because a
/// field that only the member's object has may be one that the new manifest dropped.
pub fn is_applied(work: &Work) -> bool {
    let applied = condition(&work.status.conditions, conditions::work::APPLIED);
    applied.is_some_and(|one| one.is_true() && one.observed_generation == Some(work.metadata.generation))
}

/// `Dispatching` of a binding; `None` while it is not and was not suspended.
pub fn binding_dispatching(spec: &ResourceBindingSpec, known: &[Condition], now: &str) -> Option<Condition> {
    use conditions::binding::{DISPATCHING, DISPATCHING_RESUMED, SUSPEND_DISPATCHING};
    let suspended: Vec<String> =
        targets(spec).into_iter().map(|target| target.name).filter(|name| is_suspended(spec, name)).collect();
    if suspended.is_empty() {
        condition(known, DISPATCHING)?;
        let message = "Changes are sent to all target clusters.";
        return Some(Condition::new(DISPATCHING, true, DISPATCHING_RESUMED, message, now));
    }
    let message = format!(
        "Changes are not sent to {}, because spec.suspension of the policy suspends dispatching.",
        suspended.join(", ")
    );
    Some(Condition::new(DISPATCHING, false, SUSPEND_DISPATCHING, message, now))
}

/// Why a binding is not applied, besides what its Works report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shortfall {
    /// Messages of override policies that could not be applied; the clusters concerned keep the object from before.
    pub failed_overrides: Vec<String>,
    /// Why Works could not be made for other reasons, such as an interpreter that fails.
    pub not_made: Vec<String>,
    /// Clusters that have not got the latest change, because dispatching is suspended.
    pub held_back: Vec<String>,
}

impl Shortfall {
    fn condition(&self, now: &str) -> Option<Condition> {
        use conditions::binding::{
            FULLY_APPLIED, OVERRIDE_POLICY_FAILED, SUSPEND_DISPATCHING, WORK_NOT_MADE,
        };
        let causes = [(&self.failed_overrides, OVERRIDE_POLICY_FAILED), (&self.not_made, WORK_NOT_MADE)];
        for (messages, reason) in causes {
            if let Some(first) = messages.first() {
                let others = match messages.len() - 1 {
                    0 => String::new(),
                    others => format!("; and {others} more"),
                };
                return Some(Condition::new(FULLY_APPLIED, false, reason, format!("{first}{others}"), now));
            }
        }
        if self.held_back.is_empty() {
            return None;
        }
        let message = format!(
            "The latest change is not in {}: spec.suspension of the policy suspends dispatching. It is sent when that is \
             removed.",
            self.held_back.join(", ")
        );
        Some(Condition::new(FULLY_APPLIED, false, SUSPEND_DISPATCHING, message, now))
    }
}

/// `FullyApplied` of a binding: every target cluster has the object, as the template and all overrides are now.
pub fn fully_applied(
    spec: &ResourceBindingSpec,
    items: &[AggregatedStatusItem],
    shortfall: &Shortfall,
    now: &str,
) -> Condition {
    use conditions::binding::{FULLY_APPLIED, FULLY_APPLIED_FAILED, FULLY_APPLIED_SUCCESS};
    if let Some(condition) = shortfall.condition(now) {
        return condition;
    }
    let mut expected: Vec<String> = targets(spec).into_iter().map(|target| target.name).collect();
    let leaving =
        spec.graceful_eviction_tasks.iter().filter(|task| task.purge_mode != Some(PurgeMode::Directly));
    expected.extend(leaving.map(|task| task.from_cluster.clone()));
    expected.sort();
    expected.dedup();
    let everywhere = !expected.is_empty()
        && expected.len() == items.len()
        && items.iter().all(|item| item.applied && expected.contains(&item.cluster_name));
    if everywhere {
        let message = "All works have been successfully applied";
        return Condition::new(FULLY_APPLIED, true, FULLY_APPLIED_SUCCESS, message, now);
    }
    let message = "Failed to apply all works, see status.aggregatedStatus for details";
    Condition::new(FULLY_APPLIED, false, FULLY_APPLIED_FAILED, message, now)
}

/// The reports from which the template's status is aggregated.
pub fn reports(items: &[AggregatedStatusItem]) -> Vec<Report> {
    let report = |item: &AggregatedStatusItem| Report {
        cluster: item.cluster_name.clone(),
        status: item.status.clone(),
    };
    items.iter().map(report).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_api::meta::ObjectMeta;
    use serde_json::json;

    fn work(cluster: &str, failure: Option<&str>) -> Work {
        let metadata = ObjectMeta::namespaced(names::execution_namespace(cluster), "w");
        let mut work = Work { metadata, ..Work::default() };
        work.status.conditions = vec![applied(failure, "t")];
        if failure.is_none() {
            let observed =
                Object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}));
            work.status.manifest_statuses = vec![manifest_status(&observed, None, ResourceHealth::Healthy)];
        }
        work
    }

    #[test]
    fn a_binding_is_applied_when_every_target_has_it() {
        let spec: ResourceBindingSpec =
            serde_json::from_value(json!({"clusters": [{"name": "a"}, {"name": "b"}]})).unwrap();
        let nowhere = ResourceBindingSpec::default();
        let cases = [
            ("everywhere", &spec, vec![work("b", None), work("a", None)], true),
            ("one is missing", &spec, vec![work("a", None)], false),
            ("one failed", &spec, vec![work("a", None), work("b", Some("refused"))], false),
            ("one too many", &spec, vec![work("a", None), work("b", None), work("c", None)], false),
            ("nowhere to go", &nowhere, vec![], false),
        ];
        for (name, spec, works, want) in cases {
            let condition = fully_applied(spec, &aggregated(&works), &Shortfall::default(), "t");
            assert_eq!(condition.is_true(), want, "{name}");
        }
    }

    #[test]
    fn a_failed_override_is_told_although_the_old_object_is_applied() {
        let spec: ResourceBindingSpec = serde_json::from_value(json!({"clusters": [{"name": "a"}]})).unwrap();
        let items = aggregated(&[work("a", None)]);
        let failed_overrides = vec!["policy p: /kind cannot be overridden".to_owned(), "policy q".to_owned()];
        let shortfall = Shortfall { failed_overrides, ..Shortfall::default() };
        let condition = fully_applied(&spec, &items, &shortfall, "t");
        assert_eq!((condition.is_true(), condition.reason.as_str()), (false, "ApplyOverridePolicyFailed"));
        assert_eq!(condition.message, "policy p: /kind cannot be overridden; and 1 more");
        let shortfall = Shortfall { not_made: vec!["the script failed".to_owned()], ..Shortfall::default() };
        let condition = fully_applied(&spec, &items, &shortfall, "t");
        assert_eq!((condition.is_true(), condition.reason.as_str()), (false, "WorkNotMade"));
        assert_eq!(condition.message, "the script failed");
    }

    #[test]
    fn a_change_that_is_held_back_is_told() {
        let spec: ResourceBindingSpec =
            serde_json::from_value(json!({"clusters": [{"name": "a"}, {"name": "b"}],
            "suspension": {"dispatchingOnClusters": {"clusterNames": ["a"]}}}))
            .unwrap();
        let mut suspended = work("a", None);
        suspended.spec.suspend_dispatching = Some(true);
        suspended.metadata.generation = 2;
        suspended.status.conditions[0].observed_generation = Some(2);
        let works = [suspended.clone(), work("b", None)];
        let shortfall = Shortfall { held_back: held_back(&works), ..Shortfall::default() };
        assert!(fully_applied(&spec, &aggregated(&works), &shortfall, "t").is_true(), "no change waits");

        suspended.metadata.generation = 3;
        let works = [suspended, work("b", None)];
        let shortfall = Shortfall { held_back: held_back(&works), ..Shortfall::default() };
        let condition = fully_applied(&spec, &aggregated(&works), &shortfall, "t");
        assert_eq!((condition.is_true(), condition.reason.as_str()), (false, "SuspendDispatching"));
        assert!(condition.message.starts_with("The latest change is not in a: "), "{}", condition.message);

        let dispatching = binding_dispatching(&spec, &[], "t").expect("suspended");
        assert!(
            !dispatching.is_true() && dispatching.message.contains(" to a, because"),
            "{}",
            dispatching.message
        );
        let resumed = ResourceBindingSpec { suspension: None, ..spec };
        assert_eq!(binding_dispatching(&resumed, &[], "t"), None);
        assert!(binding_dispatching(&resumed, &[dispatching], "t").is_some_and(|resumed| resumed.is_true()));
    }

    #[test]
    fn a_suspended_change_is_seen_also_when_it_only_removes() {
        let map = |data: serde_json::Value| {
            Object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}, "data": data}))
        };
        assert!(is_latest(&map(json!({"a": "1"})), &map(json!({"a": "1"}))));
        assert!(!is_latest(&map(json!({"a": "1"})), &map(json!({"a": "2"}))));
        assert!(!is_latest(&map(json!({"a": "1", "b": "1"})), &map(json!({"a": "1"}))));
        let deployment = |spec: serde_json::Value, generation: &str| {
            Object(
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec, "metadata": {"annotations": {
                "resourcetemplate.karmada.io/generation": generation}}}),
            )
        };
        let defaulted = deployment(json!({"replicas": 1, "revisionHistoryLimit": 10}), "3");
        assert!(is_latest(&defaulted, &deployment(json!({"replicas": 1}), "3")));
        assert!(!is_latest(&defaulted, &deployment(json!({}), "4")));
    }

    #[test]
    fn items_say_what_happened_in_each_cluster() {
        let items = aggregated(&[work("b", Some("the server is on fire")), work("a", None)]);
        assert_eq!(items[0].cluster_name, "a");
        assert_eq!((items[0].applied, items[0].health), (true, Some(ResourceHealth::Healthy)));
        assert_eq!(items[1].applied_message, "Failed to apply all manifests (0/1): the server is on fire");
        assert_eq!(items[1].health, Some(ResourceHealth::Unknown));
    }

    #[test]
    fn works_on_their_way_out_do_not_count() {
        let mut leaving = work("a", None);
        leaving.metadata.deletion_timestamp = Some("t".to_owned());
        assert_eq!(aggregated(&[leaving]), []);
    }
}
