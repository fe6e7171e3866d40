//! The type that a FederatedTypeConfig describes (kubefed pkg/apis/core/v1beta1/validation).

use portolan_api::kubefed::{
    FederatedServiceStatus, FederatedType, FederatedTypeConfig, Scope, Switch, TYPES_GROUP, TypeName, plural,
};
use portolan_api::resources;
use portolan_object::{GroupKind, GroupVersionKind};

use crate::propagation::detect::Skipped;

/// A federated type and its switches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configured {
    /// The type.
    pub of: FederatedType,
    /// Whether its objects are propagated.
    pub is_enabled: bool,
    /// Whether their status in members is collected, if the KubeFedConfig says so.
    pub collects_status: bool,
    /// Whether FederatedServiceStatuses are asked for.
    pub has_service_status: bool,
}

impl Configured {
    /// A federated kind without a FederatedTypeConfig: its objects are not propagated. `of.target` has no meaning.
    pub fn without_config(federated: TypeName) -> Self {
        let of = FederatedType { target: federated.clone(), federated };
        Self { of, is_enabled: false, collects_status: false, has_service_status: false }
    }
}

/// A FederatedTypeConfig without effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    /// The name is not that of the type.
    #[error("the name has to be {want:?}, the plural and the group of spec.targetType")]
    Name {
        /// The name that it has to have.
        want: String,
    },
    /// A field is empty.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// The federated kind is in another group.
    #[error("spec.federatedType.group is {0:?}: federated kinds are in the group types.kubefed.io")]
    Group(String),
    /// The kind is a federated one, or KubeFed's own.
    #[error("objects of the group {0} have no federated form; delete this FederatedTypeConfig")]
    Own(String),
    /// Objects of the kind mean something in one cluster only.
    #[error(
        "objects of kind {0} are never propagated: the control plane or each cluster makes its own; delete this FederatedTypeConfig"
    )]
    NeverPropagated(GroupKind),
    /// The scopes differ.
    #[error("spec.federatedType.scope has to be {0:?}")]
    Scope(Scope),
}

/// The type of a FederatedTypeConfig.
///
/// # Errors
/// Why it has no effect.
pub fn read(config: &FederatedTypeConfig) -> Result<Configured, TypeError> {
    let (mut target, mut federated) = (config.spec.target_type.clone(), config.spec.federated_type.clone());
    let (name, group) = config.metadata.name.split_once('.').unwrap_or((config.metadata.name.as_str(), ""));
    if target.plural_name.is_empty() {
        name.clone_into(&mut target.plural_name);
    }
    if target.group.is_empty() {
        group.clone_into(&mut target.group);
    }
    if federated.plural_name.is_empty() {
        federated.plural_name = plural(&federated.kind);
    }
    let empty = [
        ("spec.targetType.kind", &target.kind),
        ("spec.targetType.version", &target.version),
        ("spec.federatedType.kind", &federated.kind),
        ("spec.federatedType.version", &federated.version),
    ];
    if let Some((field, _)) = empty.into_iter().find(|(_, value)| value.is_empty()) {
        return Err(TypeError::Empty(field));
    }
    if federated.group != TYPES_GROUP {
        return Err(TypeError::Group(federated.group));
    }
    if target.group.ends_with("kubefed.io") {
        return Err(TypeError::Own(target.group));
    }
    let kind = GroupVersionKind::new(&*target.group, &*target.version, &*target.kind);
    let is_node = resources::NODE.is_kind(&kind);
    if is_node || Skipped::is_own_group(&kind.group) || Skipped::default().has_kind(&kind) {
        return Err(TypeError::NeverPropagated(kind.group_kind()));
    }
    let of = FederatedType { target: (&target).into(), federated: (&federated).into() };
    if of.name() != config.metadata.name {
        return Err(TypeError::Name { want: of.name() });
    }
    let scope = if of.is_namespace() { Scope::Namespaced } else { target.scope };
    if federated.scope != scope {
        return Err(TypeError::Scope(scope));
    }
    let is_enabled = config.spec.propagation == Switch::Enabled;
    let collects_status = config.spec.status_collection == Some(Switch::Enabled);
    let status_type = config.spec.status_type.as_ref();
    let has_service_status = collects_status
        && resources::SERVICE.is_kind(&of.target.gvk)
        && status_type.is_some_and(FederatedServiceStatus::is_named_by);
    Ok(Configured { of, is_enabled, collects_status, has_service_status })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn config(name: &str, change: impl FnOnce(&mut Value)) -> Result<Configured, TypeError> {
        let mut object = json!({ "apiVersion": "core.kubefed.io/v1beta1", "kind": "FederatedTypeConfig",
            "metadata": { "name": name, "namespace": "kube-federation-system" },
            "spec": {
                "targetType": { "group": "example.com", "version": "v1", "kind": "Boat", "pluralName": "boats",
                    "scope": "Namespaced" },
                "propagation": "Enabled",
                "federatedType": { "group": "types.kubefed.io", "version": "v1beta1", "kind": "FederatedBoat",
                    "pluralName": "federatedboats", "scope": "Namespaced" } } });
        change(&mut object["spec"]);
        read(&serde_json::from_value(object).expect("a FederatedTypeConfig"))
    }

    #[test]
    fn a_type_is_read_as_kubefed_reads_it() {
        let found = config("boats.example.com", |_| {}).expect("a type");
        assert_eq!((found.of.name().as_str(), found.is_enabled), ("boats.example.com", true));
        assert_eq!(found.of.federated.plural, "federatedboats");
        let bare = config("boats.example.com", |spec| {
            spec["targetType"]["group"] = json!("");
            spec["targetType"]["pluralName"] = json!("");
            spec["federatedType"]["pluralName"] = json!("");
            spec["propagation"] = json!("Disabled");
            spec["statusCollection"] = json!("Enabled");
        });
        assert_eq!(bare, Ok(Configured { is_enabled: false, collects_status: true, ..found }));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let errors = [
            (config("boats", |_| {}), "the name has to be \"boats.example.com\""),
            (
                config("boats.example.com", |spec| {
                    spec["federatedType"]["group"] = json!("types.example.com")
                }),
                "in the group types.kubefed.io",
            ),
            (
                config("boats.example.com", |spec| spec["targetType"]["kind"] = json!("")),
                "spec.targetType.kind is empty",
            ),
            (
                config("boats.types.kubefed.io", |spec| {
                    spec["targetType"]["group"] = json!("types.kubefed.io")
                }),
                "have no federated form",
            ),
            (
                config("events", |spec| {
                    spec["targetType"] = json!({ "version": "v1", "kind": "Event", "scope": "Namespaced" })
                }),
                "objects of kind Event are never propagated",
            ),
            (
                config("works.work.karmada.io", |spec| {
                    spec["targetType"] =
                        json!({ "version": "v1alpha1", "kind": "Work", "scope": "Namespaced" })
                }),
                "are never propagated",
            ),
            (
                config("nodes", |spec| {
                    spec["targetType"] = json!({ "version": "v1", "kind": "Node", "scope": "Cluster" });
                    spec["federatedType"]["scope"] = json!("Cluster");
                }),
                "objects of kind Node are never propagated",
            ),
            (
                config("boats.example.com", |spec| spec["federatedType"]["scope"] = json!("Cluster")),
                "spec.federatedType.scope has to be Namespaced",
            ),
        ];
        for (result, want) in errors {
            let error = result.expect_err(want).to_string();
            assert!(error.contains(want), "{error}");
        }
    }
}
