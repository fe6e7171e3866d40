//! Columns that `kubectl get` prints for each kind (karmada charts/karmada/_crds, sigs.k8s.io/mcs-api config/crd).

use serde_json::{Value, json};

/// A printed column.
pub(super) struct Column {
    name: &'static str,
    path: &'static str,
    kind: &'static str,
    priority: i32,
}

impl Column {
    const fn text(name: &'static str, path: &'static str) -> Self {
        Self { name, path, kind: "string", priority: 0 }
    }

    const fn wide(name: &'static str, path: &'static str) -> Self {
        Self { name, path, kind: "string", priority: 1 }
    }

    const fn age(name: &'static str) -> Self {
        Self { name, path: ".metadata.creationTimestamp", kind: "date", priority: 0 }
    }

    const fn number(name: &'static str, path: &'static str) -> Self {
        Self { name, path, kind: "integer", priority: 0 }
    }

    /// The column as the definition has it.
    pub(super) fn to_value(&self) -> Value {
        let mut value = json!({ "name": self.name, "jsonPath": self.path, "type": self.kind });
        if self.priority > 0 {
            value["priority"] = json!(self.priority);
        }
        value
    }
}

pub(super) const POLICY: &[Column] = &[
    Column::text("Conflict-Resolution", ".spec.conflictResolution"),
    Column::text("Priority", ".spec.priority"),
    Column::age("Age"),
];

pub(super) const CLUSTER_PROFILE: &[Column] = &[
    Column::text("Display Name", ".spec.displayName"),
    Column::text("Manager", ".spec.clusterManager.name"),
    Column::text("Version", ".status.version.kubernetes"),
    Column::text("Healthy", r#".status.conditions[?(@.type=="ControlPlaneHealthy")].status"#),
    Column::age("Age"),
];

pub(super) const TRAFFIC_POLICY: &[Column] = &[
    Column::text("Services", ".spec.services"),
    Column::text("In-Effect", r#".status.conditions[?(@.type=="InEffect")].status"#),
    Column::age("Age"),
];

pub(super) const QUOTA: &[Column] =
    &[Column::text("OVERALL", ".status.overall"), Column::text("OVERALL_USED", ".status.overallUsed")];

pub(super) const CUSTOMIZATION: &[Column] = &[
    Column::text("TARGET-API-VERSION", ".spec.target.apiVersion"),
    Column::text("TARGET-KIND", ".spec.target.kind"),
    Column::age("AGE"),
];

pub(super) const REPLICA_PREFERENCE: &[Column] = &[
    Column::text("Target", ".spec.targetKind"),
    Column::text("Replicas", ".spec.totalReplicas"),
    Column::text("Scheduled", r#".status.conditions[?(@.type=="Scheduled")].status"#),
    Column::age("Age"),
];

pub(super) const TYPE_CONFIG: &[Column] = &[
    Column::text("Kind", ".spec.targetType.kind"),
    Column::text("Federated", ".spec.federatedType.kind"),
    Column::text("Propagation", ".status.propagationController"),
    Column::age("Age"),
];

pub(super) const KUBEFED_CLUSTER: &[Column] = &[
    Column::age("age"),
    Column::text("ready", r#".status.conditions[?(@.type=="Ready")].status"#),
    Column::text("kubernetes-version", ".status.kubernetesVersion"),
];

pub(super) const BINDING: &[Column] = &[
    Column::text("Scheduled", r#".status.conditions[?(@.type=="Scheduled")].status"#),
    Column::text("FullyApplied", r#".status.conditions[?(@.type=="FullyApplied")].status"#),
    Column::age("Age"),
];

pub(super) const WORK: &[Column] = &[
    Column::text("Workload-Kind", ".spec.workload.manifests[*].kind"),
    Column::text("Applied", r#".status.conditions[?(@.type=="Applied")].status"#),
    Column::age("Age"),
];

pub(super) const CLUSTER: &[Column] = &[
    Column::text("Version", ".status.kubernetesVersion"),
    Column::text("Mode", ".spec.syncMode"),
    Column::text("Ready", r#".status.conditions[?(@.type=="Ready")].status"#),
    Column::age("Age"),
    Column::wide("Zones", ".spec.zones"),
    Column::wide("Region", ".spec.region"),
    Column::wide("Provider", ".spec.provider"),
    Column::wide("API-Endpoint", ".spec.apiEndpoint"),
    Column::wide("Proxy-URL", ".spec.proxyURL"),
    Column::wide("Deletions-Held", r#".status.conditions[?(@.type=="DeletionsHeld")].status"#),
];

pub(super) const AUTOSCALER: &[Column] = &[
    Column::text("REFERENCE-KIND", ".spec.scaleTargetRef.kind"),
    Column::text("REFERENCE-NAME", ".spec.scaleTargetRef.name"),
    Column::number("MINPODS", ".spec.minReplicas"),
    Column::number("MAXPODS", ".spec.maxReplicas"),
    Column::number("REPLICAS", ".status.currentReplicas"),
    Column::age("AGE"),
];

pub(super) const CRON_AUTOSCALER: &[Column] = &[
    Column::text("REFERENCE-KIND", ".spec.scaleTargetRef.kind"),
    Column::text("REFERENCE-NAME", ".spec.scaleTargetRef.name"),
    Column::age("AGE"),
];

pub(super) const EXPORT: &[Column] = &[Column::age("Age")];

pub(super) const IMPORT: &[Column] =
    &[Column::text("Type", ".spec.type"), Column::text("IP", ".spec.ips"), Column::age("Age")];

pub(super) const PROPERTY: &[Column] = &[Column::text("value", ".spec.value"), Column::age("age")];

pub(super) const FEDERATION: &[Column] = &[
    Column::text("Ready", r#".status.conditions[?(@.type=="Ready")].status"#),
    Column::number("Objects", ".status.objects"),
    Column::age("Age"),
];

pub(super) const CLUSTER_SET: &[Column] = &[Column::text("Joined", ".status.joined"), Column::age("Age")];
