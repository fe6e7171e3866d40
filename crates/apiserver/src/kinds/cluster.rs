//! Resources that serve the cluster itself: coordination, events, storage, scheduling, node, and extension.

use super::{BuiltinResource, Generation, Subresource};

const ADMISSION: &str = "admissionregistration.k8s.io";
const STORAGE: &str = "storage.k8s.io";

const fn storage(kind: &'static str, plural: &'static str, singular: &'static str) -> BuiltinResource {
    BuiltinResource::new(STORAGE, "v1", kind, plural).singular(singular).delete_returns_object()
}

const fn admission(kind: &'static str, plural: &'static str, singular: &'static str) -> BuiltinResource {
    BuiltinResource::new(ADMISSION, "v1", kind, plural)
        .singular(singular)
        .category(&["api-extensions"])
        .generation(Generation::All)
        .update_requires_version()
}

pub(super) const RESOURCES: &[BuiltinResource] = &[
    BuiltinResource::new("coordination.k8s.io", "v1", "Lease", "leases")
        .singular("lease")
        .namespaced()
        .create_on_update()
        .update_requires_version(),
    BuiltinResource::new("events.k8s.io", "v1", "Event", "events")
        .singular("event")
        .namespaced()
        .short(&["ev"])
        .create_on_update(),
    storage("CSIDriver", "csidrivers", "csidriver").update_requires_version(),
    storage("CSINode", "csinodes", "csinode").update_requires_version(),
    storage("CSIStorageCapacity", "csistoragecapacities", "csistoragecapacity")
        .namespaced()
        .update_requires_version(),
    storage("StorageClass", "storageclasses", "storageclass").short(&["sc"]),
    storage("VolumeAttachment", "volumeattachments", "volumeattachment")
        .parts(&[Subresource::status("VolumeAttachment")]),
    storage("VolumeAttributesClass", "volumeattributesclasses", "volumeattributesclass").short(&["vac"]),
    // Generation is set once: a priority class has no spec that could change.
    BuiltinResource::new("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses")
        .singular("priorityclass")
        .short(&["pc"])
        .generation(Generation::Spec),
    BuiltinResource::new("node.k8s.io", "v1", "RuntimeClass", "runtimeclasses")
        .singular("runtimeclass")
        .create_on_update()
        .update_requires_version(),
    admission(
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        "mutatingwebhookconfiguration",
    ),
    admission("ValidatingAdmissionPolicy", "validatingadmissionpolicies", "validatingadmissionpolicy")
        .parts(&[Subresource::status("ValidatingAdmissionPolicy")]),
    admission(
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
        "validatingadmissionpolicybinding",
    ),
    admission(
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        "validatingwebhookconfiguration",
    ),
    BuiltinResource::new(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
    )
    .singular("customresourcedefinition")
    .short(&["crd", "crds"])
    .category(&["api-extensions"])
    .generation(Generation::Spec)
    .update_requires_version()
    .parts(&[Subresource::status("CustomResourceDefinition")]),
];
