//! Whether the state of a control plane may be older than what its members hold, so that deletions that follow from it are
//! held (`portolan_plan::propagation::brake`), and whether it is so incomplete that nothing is to follow from it.
//!
//! An object that is damaged looks as if it had been deleted. Without an OverridePolicy the objects in members lose their
//! overrides, without a Cluster other clusters get them, without a ClusterSet its services end. So the controllers do not run
//! while an object of such a kind cannot be read. Other damaged objects are protected where they are used: the API server
//! answers 500 for them, not 404, so that nothing takes them for deleted, and withdrawals are held.

use std::sync::Arc;

use jiff::Timestamp;
use portolan_api::annotations::cluster::DISTRUST;
use portolan_api::cluster::Cluster;
use portolan_controllers::Distrust;
use portolan_object::time::format_time;
use portolan_runtime::client::{Patch, Selection};
use portolan_runtime::{Client, ClientError};
use serde_json::{Value, json};

/// Why the state is not trusted; `None` if it is. `restored` is the record of the last restore (`StateDirectory::restored`),
/// `damaged` the number of objects that cannot be read, `now` the start of the process.
pub(crate) fn distrust(restored: Option<&str>, damaged: usize, now: Timestamp) -> Option<Distrust> {
    if damaged > 0 {
        let objects = if damaged == 1 { "object" } else { "objects" };
        let reason =
            format!("{damaged} {objects} of the control plane cannot be read (`/readyz?verbose` names them)");
        return Some(Distrust { since: format_time(now), reason });
    }
    // A record that cannot be read counts from now.
    let record: Value = serde_json::from_str(restored?).unwrap_or_default();
    let time = record["restored"].as_str().and_then(|text| text.parse().ok()).unwrap_or(now);
    let created = record["created"].as_str().unwrap_or("an unknown time");
    let reason = format!("the control plane was restored from a backup of {created}");
    Some(Distrust { since: format_time(time), reason })
}

/// Tells the agents of clusters in pull mode, which delete by themselves, whether the state is trusted.
///
/// # Errors
/// When the Clusters cannot be read or written.
pub(crate) async fn tell_agents(client: &Client, distrust: Option<&Distrust>) -> Result<(), ClientError> {
    let api = client.kind::<Cluster>();
    let clusters = match api.list(&Selection::all()).await {
        // A new control plane.
        Err(ClientError::NotFound(_)) => return Ok(()),
        clusters => clusters?,
    };
    for cluster in clusters.items.iter().map(|seen| &seen.object) {
        let Some(annotation) = Distrust::to_tell_agent(distrust, cluster) else { continue };
        let patch = json!({ "metadata": { "annotations": { DISTRUST: annotation } } });
        api.patch(&cluster.metadata.key(), &Patch::Merge(patch)).await?;
    }
    Ok(())
}

/// Groups of which every kind decides about members. Bindings and Works do not: they are made again from what does.
const DECIDING_GROUPS: &[&str] = &[
    "apps.karmada.io",
    "autoscaling.karmada.io",
    "cluster.karmada.io",
    "config.karmada.io",
    "core.kubefed.io",
    "networking.karmada.io",
    "policy.karmada.io",
    "portolan.dev",
    "remedy.karmada.io",
    "scheduling.kubefed.io",
    "types.kubefed.io",
];
/// Keys that a message names, at most.
const MAX_NAMED: usize = 5;

/// Whether the kinds of a group decide about members.
pub(crate) fn decides(group: &str) -> bool {
    DECIDING_GROUPS.contains(&group)
}

/// Why the controllers must not run: which of the `damaged` keys are of kinds that decide about members, and what to do.
/// `None` if none is.
pub(crate) fn missing_decisions(damaged: &[Arc<str>]) -> Option<String> {
    let group = |key: &str| key.split('/').next().unwrap_or_default().to_owned();
    let deciding: Vec<&str> = damaged.iter().map(AsRef::as_ref).filter(|key| decides(&group(key))).collect();
    if deciding.is_empty() {
        return None;
    }
    let named = deciding.get(..MAX_NAMED).unwrap_or(&deciding).join(", ");
    let more = match deciding.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "nothing is written to the members, because objects that decide about them cannot be read: {named}{more}; restore a \
         backup with `portolan restore`, or delete each with `kubectl delete --raw \
         'PATH?ignoreStoreReadErrorWithClusterBreakingPotential=true'`, where PATH is that of the object, create it again, \
         and start the server again"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_policies_clusters_and_sets_stop_the_controllers() {
        let stops = |key: &str| missing_decisions(&[Arc::from(key)]).is_some();
        let cases = [
            ("policy.karmada.io/overridepolicies/default/a", true),
            ("cluster.karmada.io/clusters/eu", true),
            ("portolan.dev/clustersets/prod", true),
            ("config.karmada.io/resourceinterpretercustomizations/a", true),
            ("work.karmada.io/resourcebindings/default/a", false),
            ("core/configmaps/default/policy.karmada.io", false),
            ("apps/deployments/default/a", false),
        ];
        for (key, want) in cases {
            assert_eq!(stops(key), want, "{key}");
        }
        assert_eq!(missing_decisions(&[]), None);
        let many: Vec<Arc<str>> =
            (0..7).map(|n| format!("cluster.karmada.io/clusters/c{n}").into()).collect();
        let text = missing_decisions(&many).expect("damaged");
        assert!(text.contains("clusters/c4 and 2 more; restore"), "{text}");
        // They do not start by themselves when the damaged object is deleted: its successor is not there yet.
        assert!(text.ends_with("create it again, and start the server again"), "{text}");
    }

    #[test]
    fn every_group_of_the_federation_decides_or_is_known_not_to() {
        let others = [
            "about.k8s.io",
            "externaldns.k8s.io",
            "multicluster.x-k8s.io",
            "multiclusterdns.kubefed.io",
            "search.karmada.io",
            "work.karmada.io",
        ];
        for definition in portolan_api::crd::all() {
            let group = definition["spec"]["group"].as_str().expect("a group").to_owned();
            assert!(decides(&group) || others.contains(&group.as_str()), "{group}");
        }
    }

    #[test]
    fn restored_and_damaged_states_are_not_trusted() {
        let now: Timestamp = "2026-05-01T12:00:00.5Z".parse().expect("a time");
        assert_eq!(distrust(None, 0, now), None);
        let record = r#"{ "restored": "2026-05-01T11:00:00.25Z", "created": "2026-05-01T03:00:00Z" }"#;
        let restored = distrust(Some(record), 0, now).expect("restored");
        assert_eq!(restored.since, "2026-05-01T11:00:00Z");
        assert_eq!(restored.reason, "the control plane was restored from a backup of 2026-05-01T03:00:00Z");
        let unreadable = distrust(Some("{"), 0, now).expect("restored");
        assert_eq!(unreadable.since, "2026-05-01T12:00:00Z");
        let damaged = distrust(None, 1, now).expect("damaged");
        assert_eq!(
            damaged.reason,
            "1 object of the control plane cannot be read (`/readyz?verbose` names them)"
        );
    }
}
