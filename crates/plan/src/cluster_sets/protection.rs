//! The ValidatingAdmissionPolicy that protects a member's two ClusterProperties while it is a member (KEP-2149).
//!
//! The policy denies changes and deletion to all users except Portolan. In members without admission policies the
//! keeper reverts edits, see `properties`.

use portolan_api::about::ClusterProperty;
use portolan_api::clusterset::{ID_PROPERTY, SET_PROPERTY};
use portolan_api::{Kind, labels};
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use serde_json::{Value, json};

use crate::clusters::ownership::{is_own, stamp};
use crate::covers::covers;

/// API group of admission policies.
pub const GROUP: &str = "admissionregistration.k8s.io";
/// Stable version of admission policies, since Kubernetes 1.30.
pub const VERSION: &str = "v1";
/// Name of the policy and of its binding.
pub const NAME: &str = "portolan.dev-clusterset-properties";

/// Parameters of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protected<'a> {
    /// Name of the set.
    pub set: &'a str,
    /// Name of the member in the federation.
    pub cluster: &'a str,
    /// Portolan's user name in the member, which may change the properties.
    pub keeper: &'a str,
    /// Id of this control plane.
    pub control_plane: &'a str,
}

/// The two objects of the protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtectionObject {
    /// The rules.
    Policy,
    /// Puts the policy in force.
    Binding,
}

/// Step for one object in the member.
#[derive(Debug, Clone, PartialEq)]
pub enum ProtectionStep {
    /// Create or update the object.
    Put(ProtectionObject, Object),
    /// Delete the object, which Portolan manages.
    Delete(ProtectionObject),
}

impl ProtectionObject {
    /// Kind of the object.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Policy => "ValidatingAdmissionPolicy",
            Self::Binding => "ValidatingAdmissionPolicyBinding",
        }
    }

    /// Desired state of the object.
    pub fn wanted(self, protected: &Protected<'_>) -> Object {
        let kind = GroupVersionKind::new(GROUP, VERSION, self.kind());
        let mut object = Object::new(&kind, &ObjectKey::cluster(NAME));
        object.set_label(labels::MANAGED, labels::TRUE);
        object.set_label(labels::cluster_set::NAME, protected.set);
        stamp(&mut object, protected.control_plane);
        object.0["spec"] = match self {
            Self::Policy => policy(protected),
            Self::Binding => json!({ "policyName": NAME, "validationActions": ["Deny"] }),
        };
        object
    }
}

/// Steps of control plane `own` from the present objects to the desired protection; `None` deletes those that it manages.
///
/// Returns no steps if an object of this name is not managed by Portolan: a binding would put that policy in force.
pub fn plan(
    protected: Option<&Protected<'_>>,
    policy: Option<&Object>,
    binding: Option<&Object>,
    own: &str,
) -> Vec<ProtectionStep> {
    let is_foreign = |object: &Object| !is_ours(object);
    let Some(protected) = protected else {
        let present = [(ProtectionObject::Binding, binding), (ProtectionObject::Policy, policy)];
        let is_deletable = |object: &Object| is_ours(object) && is_own(object, own);
        let ours = present.into_iter().filter(|(_, object)| object.is_some_and(is_deletable));
        return ours.map(|(kind, _)| ProtectionStep::Delete(kind)).collect();
    };
    if policy.is_some_and(is_foreign) || binding.is_some_and(is_foreign) {
        return Vec::new();
    }
    let present = [(ProtectionObject::Policy, policy), (ProtectionObject::Binding, binding)];
    let steps = present.into_iter().filter_map(|(kind, present)| {
        let wanted = kind.wanted(protected);
        let is_up_to_date = present.is_some_and(|present| covers(present, &wanted));
        (!is_up_to_date).then_some(ProtectionStep::Put(kind, wanted))
    });
    steps.collect()
}

fn is_ours(object: &Object) -> bool {
    object.label(labels::MANAGED) == Some(labels::TRUE) && object.label(labels::cluster_set::NAME).is_some()
}

fn policy(protected: &Protected<'_>) -> Value {
    let Protected { set, cluster, keeper, .. } = protected;
    let (before, after) = (
        "ClusterProperty ",
        format!(
            " records that this cluster is a member of cluster set {set} and cannot be changed: leave the set with `portolan clusterset remove {set} {cluster}` first"
        ),
    );
    json!({
        "failurePolicy": "Fail",
        "matchConstraints": { "resourceRules": [{
            "apiGroups": [ClusterProperty::GROUP], "apiVersions": ["*"], "resources": [ClusterProperty::PLURAL],
            "operations": ["UPDATE", "DELETE"],
        }] },
        // Conditions instead of resourceNames: a deletecollection request has no name, so that it would pass.
        "matchConditions": [
            { "name": "is-membership-property",
              "expression": format!("oldObject.metadata.name in [{}, {}]", cel_string(ID_PROPERTY), cel_string(SET_PROPERTY)) },
            { "name": "is-not-portolan",
              "expression": format!("request.userInfo.username != {}", cel_string(keeper)) },
        ],
        "validations": [{
            "expression": "request.operation != 'DELETE' && object.spec.value == oldObject.spec.value",
            "messageExpression": format!("{} + oldObject.metadata.name + {}", cel_string(before), cel_string(&after)),
            "reason": "Forbidden",
        }],
    })
}

/// A CEL string literal. CEL understands all escapes of JSON.
fn cel_string(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROD: Protected<'_> = Protected {
        set: "prod",
        cluster: "eu",
        keeper: "system:serviceaccount:karmada-cluster:karmada-eu",
        control_plane: "this",
    };

    /// The object as stored by an API server, with defaults.
    fn stored(kind: ProtectionObject, protected: &Protected<'_>) -> Object {
        let mut object = kind.wanted(protected);
        object.metadata_mut().insert("uid".to_owned(), json!("u1"));
        if kind == ProtectionObject::Policy {
            object.0["spec"]["matchConstraints"]["matchPolicy"] = json!("Equivalent");
            object.0["spec"]["matchConstraints"]["resourceRules"][0]["scope"] = json!("*");
        }
        object
    }

    fn render(steps: &[ProtectionStep]) -> String {
        let text = |step: &ProtectionStep| match step {
            ProtectionStep::Put(kind, object) => {
                format!("put {kind:?} of {}", object.label(labels::cluster_set::NAME).unwrap_or_default())
            }
            ProtectionStep::Delete(kind) => format!("delete {kind:?}"),
        };
        steps.iter().map(text).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn steps() {
        let (policy, binding) =
            (stored(ProtectionObject::Policy, &PROD), stored(ProtectionObject::Binding, &PROD));
        let rejoined = Protected { keeper: "other-user", ..PROD };
        let moved = Protected { set: "dev", ..PROD };
        let mut audited = binding.clone();
        audited.0["spec"]["validationActions"] = json!(["Audit"]);
        let mut foreign = policy.clone();
        foreign.metadata_mut().remove("labels");
        let both = (Some(&policy), Some(&binding));
        let earlier = Protected { control_plane: "earlier", ..PROD };
        let (earlier_policy, earlier_binding) =
            (stored(ProtectionObject::Policy, &earlier), stored(ProtectionObject::Binding, &earlier));
        let inherited = (Some(&earlier_policy), Some(&earlier_binding));
        let cases = [
            ("joining", Some(&PROD), (None, None), "put Policy of prod, put Binding of prod"),
            ("up to date", Some(&PROD), both, ""),
            ("half done", Some(&PROD), (Some(&policy), None), "put Binding of prod"),
            ("out of force", Some(&PROD), (Some(&policy), Some(&audited)), "put Binding of prod"),
            ("another account of ours", Some(&rejoined), both, "put Policy of prod"),
            ("another set", Some(&moved), both, "put Policy of dev, put Binding of dev"),
            ("the name is taken", Some(&PROD), (Some(&foreign), None), ""),
            ("leaving", None, both, "delete Binding, delete Policy"),
            ("leaving, with an unmanaged policy", None, (Some(&foreign), Some(&binding)), "delete Binding"),
            ("taken over", Some(&PROD), inherited, "put Policy of prod, put Binding of prod"),
            ("taken over and in no set", None, inherited, ""),
            ("never a member", None, (None, None), ""),
        ];
        for (name, protected, (policy, binding), want) in cases {
            assert_eq!(render(&plan(protected, policy, binding, PROD.control_plane)), want, "{name}");
        }
    }

    #[test]
    fn the_message_names_property_set_and_next_step() {
        let policy = ProtectionObject::Policy.wanted(&PROD);
        let said = policy.0["spec"]["validations"][0]["messageExpression"].as_str().unwrap();
        assert_eq!(
            said,
            "\"ClusterProperty \" + oldObject.metadata.name + \" records that this cluster is a member of cluster set \
             prod and cannot be changed: leave the set with `portolan clusterset remove prod eu` first\""
        );
    }

    #[test]
    fn quotes_in_a_user_name_are_escaped() {
        let policy = ProtectionObject::Policy.wanted(&Protected { keeper: "a\"b\\c", ..PROD });
        let condition = &policy.0["spec"]["matchConditions"][1]["expression"];
        assert_eq!(condition, r#"request.userInfo.username != "a\"b\\c""#);
    }
}
