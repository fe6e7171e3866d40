//! The status of Works and bindings (karmada pkg/controllers/status/work_status_controller.go,
//! pkg/util/helper/workstatus.go).

use portolan_api::conditions;
use portolan_api::meta::{Condition, condition};
use portolan_api::names;
use portolan_api::policy::PurgeMode;
use portolan_api::work::{
    AggregatedStatusItem, ManifestStatus, ResourceBindingSpec, ResourceHealth, ResourceIdentifier, Work,
};
use portolan_object::Object;
use serde_json::Value;

use super::interpreter::Report;
use super::work::targets;

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

/// `FullyApplied` of a binding: every target cluster has the object, with all overrides. `failed_overrides` are the
/// messages of override policies that could not be applied; the clusters concerned keep the object from before.
pub fn fully_applied(
    spec: &ResourceBindingSpec,
    items: &[AggregatedStatusItem],
    failed_overrides: &[String],
    now: &str,
) -> Condition {
    use conditions::binding::{
        FULLY_APPLIED, FULLY_APPLIED_FAILED, FULLY_APPLIED_SUCCESS, OVERRIDE_POLICY_FAILED,
    };
    if let Some(first) = failed_overrides.first() {
        let others = match failed_overrides.len() - 1 {
            0 => String::new(),
            others => format!("; and {others} more"),
        };
        let message = format!("{first}{others}");
        return Condition::new(FULLY_APPLIED, false, OVERRIDE_POLICY_FAILED, message, now);
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
            assert_eq!(fully_applied(spec, &aggregated(&works), &[], "t").is_true(), want, "{name}");
        }
    }

    #[test]
    fn a_failed_override_is_told_although_the_old_object_is_applied() {
        let spec: ResourceBindingSpec = serde_json::from_value(json!({"clusters": [{"name": "a"}]})).unwrap();
        let items = aggregated(&[work("a", None)]);
        let failed = ["policy p: /kind cannot be overridden".to_owned(), "policy q".to_owned()];
        let condition = fully_applied(&spec, &items, &failed, "t");
        assert_eq!((condition.is_true(), condition.reason.as_str()), (false, "ApplyOverridePolicyFailed"));
        assert_eq!(condition.message, "policy p: /kind cannot be overridden; and 1 more");
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
