//! Conditions of ServiceExports and ServiceImports (KEP-1645), with the standard reasons.
//!
//! The controllers write the result to `status` if it differs from the present one. `lastTransitionTime` changes only
//! with the status of a condition, so an unchanged result causes no write.

use portolan_api::conditions::multicluster as reasons;
use portolan_api::meta::{Condition, set_condition};
use portolan_object::Object;
use serde::Deserialize;
use serde_json::{Value, json};

use super::export::InvalidExport;
use super::exporters_read::{UnreadExporter, exporters_read};
use super::merge::Merged;

/// Maximum length of a condition message in the API (`metav1.Condition`).
const MAX_MESSAGE: usize = 32_768;

/// Exports of the other members of the set.
#[derive(Debug, Clone, Copy)]
pub enum OtherExports<'a> {
    /// The cluster is in no set, so exports are not merged.
    NoSet,
    /// The merged service of the set.
    Merged(&'a Merged),
    /// A member of the set is unreachable or not synced.
    Unknown,
}

/// What is wrong with an export in other clusters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Endpoints that importing clusters refuse, and why.
    pub refused: Vec<String>,
    /// Clusters that do not have the import as they should, and why.
    pub failed: Vec<String>,
    /// What clients do not get although the export is imported.
    pub doubts: Vec<String>,
    /// Names of the TrafficPolicies that hide the service from some clusters.
    pub limited_by: Vec<String>,
}

impl Trouble {
    /// Message of condition `Ready` if it is true.
    fn qualified(&self, message: &str) -> String {
        let mut text = message.to_owned();
        if !self.limited_by.is_empty() {
            text.push_str(&format!(
                ", if visibleTo of TrafficPolicy {} selects it",
                self.limited_by.join(" and ")
            ));
        }
        if !self.doubts.is_empty() {
            text.push_str(&format!("; but {}", self.doubts.join("; ")));
        }
        text
    }

    /// Message of condition `Ready` if it is false.
    fn failure(&self) -> Option<String> {
        let refused = (!self.refused.is_empty())
            .then(|| format!("not imported, while all other endpoints are: {}", self.refused.join("; ")));
        let failed = (!self.failed.is_empty())
            .then(|| format!("not every cluster has the import: {}", self.failed.join("; ")));
        let parts: Vec<String> = failed.into_iter().chain(refused).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// Desired conditions of an export, with the present ones of other controllers.
pub fn export_conditions(
    export: &Object,
    validity: Result<(), &InvalidExport>,
    others: OtherExports<'_>,
    trouble: &Trouble,
    now: &str,
) -> Vec<Condition> {
    let mut conditions = present(export);
    let mut set = |kind: &str, status: bool, reason: &str, message: &str| {
        let mut condition = Condition::new(kind, status, reason, shortened(message), now);
        condition.observed_generation = Some(export.generation()).filter(|generation| *generation > 0);
        set_condition(&mut conditions, condition);
    };
    if let Err(invalid) = validity {
        set(reasons::VALID, false, invalid.reason(), &invalid.to_string());
        set(reasons::READY, false, reasons::PENDING, "nothing is exported while the export is not valid");
        conditions.retain(|condition| condition.kind != reasons::CONFLICT);
        return conditions;
    }
    set(reasons::VALID, true, reasons::VALID, "the Service can be exported");
    let mut set_ready = |message: &str| match trouble.failure() {
        None => set(reasons::READY, true, reasons::EXPORTED, &trouble.qualified(message)),
        Some(failure) => set(reasons::READY, false, reasons::FAILED, &failure),
    };
    match others {
        OtherExports::NoSet => {
            set_ready("clusters that import the service get its endpoints");
            conditions.retain(|condition| condition.kind != reasons::CONFLICT);
        }
        OtherExports::Unknown => {
            let message = "waiting for all members of the cluster set to be reachable";
            set(reasons::READY, false, reasons::PENDING, message);
        }
        OtherExports::Merged(merged) => {
            set_ready("every member of the cluster set with this namespace imports it");
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

/// Whether clients in the member can use an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Usability {
    /// They can.
    Usable,
    /// The derived Service has no address yet.
    Pending,
    /// The member has none of the service's address families; the text is the message of its API server.
    NoFamily(String),
}

/// Exporters of an import that need a word to its clients.
#[derive(Debug, Clone)]
pub struct Exporters<'a> {
    /// Those that the control plane cannot read.
    pub unread: &'a [UnreadExporter],
    /// Which get traffic; see [`super::exporters_used`].
    pub used: Option<Condition>,
}

impl Exporters<'_> {
    /// The conditions about them, of an import with the conditions `before`.
    pub fn conditions(self, before: &[Condition], now: &str) -> Vec<Condition> {
        let read = exporters_read(self.unread, before, now);
        read.into_iter().chain(self.used).collect()
    }
}

/// Desired status of an import, with the present conditions of other controllers.
pub fn import_status(
    import: &Object,
    mut clusters: Vec<String>,
    has_slices: bool,
    usability: &Usability,
    exporters: Exporters<'_>,
    now: &str,
) -> Value {
    let mut conditions = present(import);
    let generation = Some(import.generation()).filter(|generation| *generation > 0);
    for mut about in exporters.conditions(&conditions, now) {
        about.observed_generation = generation;
        set_condition(&mut conditions, about);
    }
    let (status, reason, message) = match usability {
        Usability::Usable => (true, reasons::READY, "the service can be used in this cluster".to_owned()),
        Usability::Pending => {
            (false, reasons::PENDING, "the Service of the import has no address yet".to_owned())
        }
        Usability::NoFamily(reason) => (false, reasons::IP_FAMILY_NOT_SUPPORTED, shortened(reason)),
    };
    let mut condition = Condition::new(reasons::READY, status, reason, message, now);
    condition.observed_generation = generation;
    set_condition(&mut conditions, condition);
    clusters.sort();
    let clusters: Vec<Value> = clusters.into_iter().map(|cluster| json!({ "cluster": cluster })).collect();
    let slices = if has_slices { "Present" } else { "Absent" };
    json!({ "clusters": clusters, "conditions": conditions, "endpointSliceObjects": slices })
}

/// Present conditions of an object. Unreadable entries are left out, so that the next write replaces them.
pub fn present(object: &Object) -> Vec<Condition> {
    let listed = object.at(&["status", "conditions"]).and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(|condition| Condition::deserialize(condition).ok()).collect()
}

fn shortened(message: &str) -> String {
    match message.char_indices().nth(MAX_MESSAGE / 4) {
        // Characters have at most four bytes.
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use portolan_api::multicluster::ServiceImportType;

    use super::*;
    use crate::discovery::export::ValidExport;
    use crate::discovery::merge::merge;

    fn export(conditions: Value) -> Object {
        Object(json!({ "apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceExport",
            "metadata": { "namespace": "shop", "name": "web", "generation": 2 }, "status": { "conditions": conditions } }))
    }

    fn valid_export(cluster: &str, kind: ServiceImportType) -> ValidExport {
        ValidExport {
            cluster: cluster.to_owned(),
            since: "2026-01-01T00:00:00Z".to_owned(),
            kind,
            ports: Vec::new(),
            session_affinity: "None".to_owned(),
            affinity_seconds: None,
            internal_traffic_policy: None,
            traffic_distribution: None,
            families: vec!["IPv4".to_owned()],
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        }
    }

    fn seen(conditions: &[Condition]) -> Vec<String> {
        let text = |c: &Condition| format!("{}={}/{}", c.kind, c.status.as_str(), c.reason);
        conditions.iter().map(text).collect()
    }

    #[test]
    fn exports() {
        let address = ServiceImportType::ClusterSetIP;
        let agreed = merge(vec![valid_export("a", address)], None).unwrap();
        let disputed =
            merge(vec![valid_export("a", address), valid_export("b", ServiceImportType::Headless)], None)
                .unwrap();
        let missing = InvalidExport::NoService("shop/web".to_owned());
        let cases = [
            ("alone", Ok(()), OtherExports::NoSet, vec!["Valid=True/Valid", "Ready=True/Exported"]),
            ("not read yet", Ok(()), OtherExports::Unknown, vec!["Valid=True/Valid", "Ready=False/Pending"]),
            (
                "agreed",
                Ok(()),
                OtherExports::Merged(&agreed),
                vec!["Valid=True/Valid", "Ready=True/Exported", "Conflict=False/NoConflicts"],
            ),
            (
                "disputed",
                Ok(()),
                OtherExports::Merged(&disputed),
                vec!["Valid=True/Valid", "Ready=True/Exported", "Conflict=True/TypeConflict"],
            ),
            (
                "not valid",
                Err(&missing),
                OtherExports::Merged(&agreed),
                vec!["Valid=False/NoService", "Ready=False/Pending"],
            ),
        ];
        for (name, validity, others, want) in cases {
            let conditions =
                export_conditions(&export(json!([])), validity, others, &Trouble::default(), "t1");
            assert_eq!(seen(&conditions), want, "{name}");
            assert!(conditions.iter().all(|c| c.observed_generation == Some(2)), "{name}");
            let again =
                export_conditions(&export(json!(conditions)), validity, others, &Trouble::default(), "t2");
            assert_eq!(again, conditions, "{name}: unchanged conditions keep their time");
        }
        let over = export_conditions(
            &export(json!([])),
            Ok(()),
            OtherExports::Merged(&disputed),
            &Trouble::default(),
            "t1",
        );
        let ended = export_conditions(
            &export(json!(over)),
            Ok(()),
            OtherExports::Merged(&agreed),
            &Trouble::default(),
            "t2",
        );
        assert_eq!(seen(&ended)[2], "Conflict=False/NoConflicts", "a conflict ends");
        assert_eq!(ended[2].last_transition_time, "t2");
    }

    #[test]
    fn an_export_with_refused_endpoints_is_not_ready() {
        let address = ServiceImportType::ClusterSetIP;
        let agreed = merge(vec![valid_export("a", address)], None).unwrap();
        let refused = Trouble {
            refused: vec!["127.0.0.1 of EndpointSlice web-1 is a loopback address".to_owned()],
            ..Trouble::default()
        };
        for others in [OtherExports::NoSet, OtherExports::Merged(&agreed)] {
            let conditions = export_conditions(&export(json!([])), Ok(()), others, &refused, "t1");
            assert_eq!(seen(&conditions)[1], "Ready=False/Failed");
            assert!(conditions[1].message.contains("127.0.0.1"), "{}", conditions[1].message);
        }
    }

    #[test]
    fn ready_says_what_goes_wrong_in_other_clusters() {
        let agreed = merge(vec![valid_export("a", ServiceImportType::ClusterSetIP)], None).unwrap();
        let texts = |text: &str| vec![text.to_owned()];
        let cases = [
            (
                "a cluster without the import",
                Trouble {
                    failed: texts("cluster us: forbidden"),
                    doubts: texts("it is Local"),
                    ..Trouble::default()
                },
                "Ready=False/Failed",
                "not every cluster has the import: cluster us: forbidden",
            ),
            (
                "a cluster without the family",
                Trouble { doubts: texts("cluster us: it has no IPv6"), ..Trouble::default() },
                "Ready=True/Exported",
                "every member of the cluster set with this namespace imports it; but cluster us: it has no IPv6",
            ),
        ];
        for (name, trouble, want, message) in cases {
            let others = OtherExports::Merged(&agreed);
            let conditions = export_conditions(&export(json!([])), Ok(()), others, &trouble, "t1");
            assert_eq!(
                (seen(&conditions)[1].as_str(), conditions[1].message.as_str()),
                (want, message),
                "{name}"
            );
        }
    }

    #[test]
    fn conditions_of_other_controllers_stay() {
        let foreign = json!([{ "type": "Audited", "status": "True", "reason": "Yes", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z" }]);
        let conditions =
            export_conditions(&export(foreign), Ok(()), OtherExports::NoSet, &Trouble::default(), "t1");
        assert_eq!(seen(&conditions)[0], "Audited=True/Yes");
    }

    #[test]
    fn imports() {
        let cases = [
            ("usable", Usability::Usable, "Ready=True/Ready"),
            ("without an address", Usability::Pending, "Ready=False/Pending"),
            (
                "without the family",
                Usability::NoFamily("IPv6 is not configured".to_owned()),
                "Ready=False/IPFamilyNotSupported",
            ),
        ];
        for (name, usability, want) in cases {
            let clusters = ["west".to_owned(), "east".to_owned()];
            let exporters = Exporters { unread: &[], used: None };
            let status =
                import_status(&export(json!([])), clusters.to_vec(), true, &usability, exporters, "t1");
            assert_eq!(status["clusters"], json!([{ "cluster": "east" }, { "cluster": "west" }]), "{name}");
            assert_eq!(status["endpointSliceObjects"], "Present");
            let conditions: Vec<Condition> = serde_json::from_value(status["conditions"].clone()).unwrap();
            assert_eq!(seen(&conditions), [want], "{name}");
        }
    }
}
