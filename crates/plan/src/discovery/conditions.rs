//! What exports and imports say about themselves: the conditions of KEP-1645, with the standard reasons.
//!
//! The controllers write the result to `status.conditions` whenever it differs from what is there. Transition times
//! move only with the status, so that writing the same judgement again changes nothing.

use portolan_api::conditions::multicluster as reasons;
use portolan_api::meta::{Condition, set_condition};
use portolan_object::Object;
use serde_json::{Value, json};

use super::export::Invalid;
use super::merge::Merged;

/// The longest message that the API takes.
const LONGEST_MESSAGE: usize = 32_768;

/// What is known about an export beyond its own cluster.
#[derive(Debug, Clone, Copy)]
pub enum Standing<'a> {
    /// The cluster is in no set: imports are made by hand or by policy, and nothing is merged.
    Alone,
    /// The service as its set merges it.
    Merged(&'a Merged),
    /// Not yet known, because members of the set have not been read.
    Unknown,
}

/// The conditions of one export as they should be, given those that are there.
pub fn export_conditions(
    export: &Object,
    judged: Result<(), &Invalid>,
    standing: Standing<'_>,
    now: &str,
) -> Vec<Condition> {
    let mut conditions = present(export);
    let mut set = |kind: &str, status: bool, reason: &str, message: &str| {
        let mut condition = Condition::new(kind, status, reason, shortened(message), now);
        condition.observed_generation = Some(export.generation()).filter(|generation| *generation > 0);
        set_condition(&mut conditions, condition);
    };
    if let Err(invalid) = judged {
        set(reasons::VALID, false, invalid.reason(), &invalid.to_string());
        set(reasons::READY, false, reasons::PENDING, "nothing is exported while the export is not valid");
        conditions.retain(|condition| condition.kind != reasons::CONFLICT);
        return conditions;
    }
    set(reasons::VALID, true, reasons::VALID, "the Service can be exported");
    match standing {
        Standing::Alone => {
            set(
                reasons::READY,
                true,
                reasons::EXPORTED,
                "clusters that import the service get its endpoints",
            );
            conditions.retain(|condition| condition.kind != reasons::CONFLICT);
        }
        Standing::Unknown => {
            let message = "waiting until every member of the cluster set has been read";
            set(reasons::READY, false, reasons::PENDING, message);
        }
        Standing::Merged(merged) => {
            set(
                reasons::READY,
                true,
                reasons::EXPORTED,
                "every member of the cluster set with this namespace imports it",
            );
            let reason =
                merged.conflicts.iter().map(|conflict| conflict.reason).collect::<Vec<_>>().join(",");
            let message: Vec<&str> =
                merged.conflicts.iter().map(|conflict| conflict.message.as_str()).collect();
            match message.is_empty() {
                true => {
                    set(reasons::CONFLICT, false, reasons::NO_CONFLICTS, "all exports of the service agree")
                }
                false => set(reasons::CONFLICT, true, &reason, &message.join("; ")),
            }
        }
    }
    conditions
}

/// Whether one cluster can use an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Usable {
    /// It can.
    Yes,
    /// The Service behind it has no address yet.
    Pending,
    /// The cluster has none of the service's address families; the text is its API server's.
    NoFamily(String),
}

/// The status of an import as it should be, given what is there.
pub fn import_status(
    import: &Object,
    clusters: &[String],
    has_slices: bool,
    usable: &Usable,
    now: &str,
) -> Value {
    let mut conditions = present(import);
    let (status, reason, message) = match usable {
        Usable::Yes => (true, reasons::READY, "the service can be used in this cluster".to_owned()),
        Usable::Pending => {
            (false, reasons::PENDING, "the Service of the import has no address yet".to_owned())
        }
        Usable::NoFamily(reason) => (false, reasons::IP_FAMILY_NOT_SUPPORTED, shortened(reason)),
    };
    let mut condition = Condition::new(reasons::READY, status, reason, message, now);
    condition.observed_generation = Some(import.generation()).filter(|generation| *generation > 0);
    set_condition(&mut conditions, condition);
    let mut clusters: Vec<&String> = clusters.iter().collect();
    clusters.sort();
    let clusters: Vec<Value> = clusters.into_iter().map(|cluster| json!({ "cluster": cluster })).collect();
    let slices = if has_slices { "Present" } else { "Absent" };
    json!({ "clusters": clusters, "conditions": conditions, "endpointSliceObjects": slices })
}

/// The conditions that an object has; what cannot be read is left out, and so replaced.
pub fn present(object: &Object) -> Vec<Condition> {
    let listed = object.at(&["status", "conditions"]).and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(|condition| serde_json::from_value(condition.clone()).ok()).collect()
}

fn shortened(message: &str) -> String {
    match message.char_indices().nth(LONGEST_MESSAGE / 4) {
        // Characters have at most four bytes.
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use portolan_api::multicluster::ServiceImportType;

    use super::*;
    use crate::discovery::export::Offer;
    use crate::discovery::merge::merge;

    fn export(conditions: Value) -> Object {
        Object(json!({ "apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceExport",
            "metadata": { "namespace": "shop", "name": "web", "generation": 2 }, "status": { "conditions": conditions } }))
    }

    fn offer(cluster: &str, kind: ServiceImportType) -> Offer {
        Offer {
            cluster: cluster.to_owned(),
            since: "2026-01-01T00:00:00Z".to_owned(),
            kind,
            ports: Vec::new(),
            session_affinity: "None".to_owned(),
            affinity_seconds: None,
            internal_traffic_policy: None,
            traffic_distribution: None,
            families: vec!["IPv4".to_owned()],
            labels: std::collections::BTreeMap::new(),
            annotations: std::collections::BTreeMap::new(),
        }
    }

    fn seen(conditions: &[Condition]) -> Vec<String> {
        let text = |c: &Condition| format!("{}={}/{}", c.kind, c.status.as_str(), c.reason);
        conditions.iter().map(text).collect()
    }

    #[test]
    fn exports() {
        let address = ServiceImportType::ClusterSetIP;
        let agreed = merge(vec![offer("a", address)], None).unwrap();
        let disputed =
            merge(vec![offer("a", address), offer("b", ServiceImportType::Headless)], None).unwrap();
        let missing = Invalid::NoService("shop/web".to_owned());
        let cases = [
            ("alone", Ok(()), Standing::Alone, vec!["Valid=True/Valid", "Ready=True/Exported"]),
            ("not read yet", Ok(()), Standing::Unknown, vec!["Valid=True/Valid", "Ready=False/Pending"]),
            (
                "agreed",
                Ok(()),
                Standing::Merged(&agreed),
                vec!["Valid=True/Valid", "Ready=True/Exported", "Conflict=False/NoConflicts"],
            ),
            (
                "disputed",
                Ok(()),
                Standing::Merged(&disputed),
                vec!["Valid=True/Valid", "Ready=True/Exported", "Conflict=True/TypeConflict"],
            ),
            (
                "not valid",
                Err(&missing),
                Standing::Merged(&agreed),
                vec!["Valid=False/NoService", "Ready=False/Pending"],
            ),
        ];
        for (name, judged, standing, want) in cases {
            let conditions = export_conditions(&export(json!([])), judged, standing, "t1");
            assert_eq!(seen(&conditions), want, "{name}");
            assert!(conditions.iter().all(|c| c.observed_generation == Some(2)), "{name}");
            let again = export_conditions(&export(json!(conditions)), judged, standing, "t2");
            assert_eq!(again, conditions, "{name}: nothing changes, so no time changes");
        }
        let over = export_conditions(&export(json!([])), Ok(()), Standing::Merged(&disputed), "t1");
        let ended = export_conditions(&export(json!(over)), Ok(()), Standing::Merged(&agreed), "t2");
        assert_eq!(seen(&ended)[2], "Conflict=False/NoConflicts", "a conflict ends");
        assert_eq!(ended[2].last_transition_time, "t2");
    }

    #[test]
    fn conditions_of_others_stay() {
        let theirs = json!([{ "type": "Audited", "status": "True", "reason": "Yes", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z" }]);
        let conditions = export_conditions(&export(theirs), Ok(()), Standing::Alone, "t1");
        assert_eq!(seen(&conditions)[0], "Audited=True/Yes");
    }

    #[test]
    fn imports() {
        let cases = [
            ("usable", Usable::Yes, "Ready=True/Ready"),
            ("without an address", Usable::Pending, "Ready=False/Pending"),
            (
                "without the family",
                Usable::NoFamily("IPv6 is not configured".to_owned()),
                "Ready=False/IPFamilyNotSupported",
            ),
        ];
        for (name, usable, want) in cases {
            let clusters = ["west".to_owned(), "east".to_owned()];
            let status = import_status(&export(json!([])), &clusters, true, &usable, "t1");
            assert_eq!(status["clusters"], json!([{ "cluster": "east" }, { "cluster": "west" }]), "{name}");
            assert_eq!(status["endpointSliceObjects"], "Present");
            let conditions: Vec<Condition> = serde_json::from_value(status["conditions"].clone()).unwrap();
            assert_eq!(seen(&conditions), [want], "{name}");
        }
    }
}
