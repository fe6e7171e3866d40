//! The admission policy that keeps a member's two ClusterProperties as they are while it is a member (KEP-2149).
//!
//! It refuses other values and deletion to everybody but Portolan itself. Members without admission policies go
//! without: there an edit is put back, see `properties`.

use portolan_api::about::ClusterProperty;
use portolan_api::clusterset::{ID_PROPERTY, SET_PROPERTY};
use portolan_api::{Kind, labels};
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use serde_json::{Value, json};

use crate::covers::covers;

/// The group of admission policies.
pub const GROUP: &str = "admissionregistration.k8s.io";
/// The version in which they are no longer a preview (Kubernetes 1.30).
pub const VERSION: &str = "v1";
/// What policy and binding are called.
pub const NAME: &str = "portolan.dev-clusterset-properties";

/// Who is protected, and from whom not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protected<'a> {
    /// The set.
    pub set: &'a str,
    /// The member, by its name in the federation.
    pub cluster: &'a str,
    /// The user that Portolan is in the member.
    pub keeper: &'a str,
}

/// The objects that protect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What is refused.
    Policy,
    /// That it is.
    Binding,
}

/// One step in the member.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Create the object, or bring ours in line.
    Put(Part, Object),
    /// Remove ours.
    Delete(Part),
}

impl Part {
    /// Its kind.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Policy => "ValidatingAdmissionPolicy",
            Self::Binding => "ValidatingAdmissionPolicyBinding",
        }
    }

    /// The object as it should be.
    pub fn wanted(self, protected: &Protected<'_>) -> Object {
        let kind = GroupVersionKind::new(GROUP, VERSION, self.kind());
        let mut object = Object::new(&kind, &ObjectKey::cluster(NAME));
        object.set_label(labels::MANAGED, labels::TRUE);
        object.set_label(labels::cluster_set::NAME, protected.set);
        object.0["spec"] = match self {
            Self::Policy => policy(protected),
            Self::Binding => json!({ "policyName": NAME, "validationActions": ["Deny"] }),
        };
        object
    }
}

/// The steps from what the member has to what its membership asks for, `None` without one.
///
/// Nothing is done where somebody else has the name: a binding would put a stranger's policy in force.
pub fn plan(
    protected: Option<&Protected<'_>>,
    policy: Option<&Object>,
    binding: Option<&Object>,
) -> Vec<Step> {
    let is_foreign = |object: &Object| !is_ours(object);
    let Some(protected) = protected else {
        let present = [(Part::Binding, binding), (Part::Policy, policy)];
        let ours = present.into_iter().filter(|(_, object)| object.is_some_and(is_ours));
        return ours.map(|(part, _)| Step::Delete(part)).collect();
    };
    if policy.is_some_and(is_foreign) || binding.is_some_and(is_foreign) {
        return Vec::new();
    }
    let wanted = [(Part::Policy, policy), (Part::Binding, binding)];
    let steps = wanted.into_iter().filter_map(|(part, present)| {
        let wanted = part.wanted(protected);
        let is_there = present.is_some_and(|present| covers(present, &wanted));
        (!is_there).then_some(Step::Put(part, wanted))
    });
    steps.collect()
}

fn is_ours(object: &Object) -> bool {
    object.label(labels::MANAGED) == Some(labels::TRUE) && object.label(labels::cluster_set::NAME).is_some()
}

fn policy(protected: &Protected<'_>) -> Value {
    let Protected { set, cluster, keeper } = protected;
    let (before, after) = (
        "ClusterProperty ",
        format!(
            " tells that this cluster is a member of cluster set {set}, and stays as it is for so long: leave the set \
             with `portolan clusterset remove {set} {cluster}` first"
        ),
    );
    json!({
        "failurePolicy": "Fail",
        "matchConstraints": { "resourceRules": [{
            "apiGroups": [ClusterProperty::GROUP], "apiVersions": ["*"], "resources": [ClusterProperty::PLURAL],
            "operations": ["UPDATE", "DELETE"],
        }] },
        // Not by resourceNames: a request that deletes the collection has no name and would pass.
        "matchConditions": [
            { "name": "tells-of-membership",
              "expression": format!("oldObject.metadata.name in [{}, {}]", text(ID_PROPERTY), text(SET_PROPERTY)) },
            { "name": "by-somebody-else", "expression": format!("request.userInfo.username != {}", text(keeper)) },
        ],
        "validations": [{
            "expression": "request.operation != 'DELETE' && object.spec.value == oldObject.spec.value",
            "messageExpression": format!("{} + oldObject.metadata.name + {}", text(before), text(&after)),
            "reason": "Forbidden",
        }],
    })
}

/// A CEL literal. JSON's escapes are among those of CEL.
fn text(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROD: Protected<'_> =
        Protected { set: "prod", cluster: "eu", keeper: "system:serviceaccount:karmada-cluster:karmada-eu" };

    /// What an API server stores.
    fn stored(part: Part, protected: &Protected<'_>) -> Object {
        let mut object = part.wanted(protected);
        object.metadata_mut().insert("uid".to_owned(), json!("u1"));
        if part == Part::Policy {
            object.0["spec"]["matchConstraints"]["matchPolicy"] = json!("Equivalent");
            object.0["spec"]["matchConstraints"]["resourceRules"][0]["scope"] = json!("*");
        }
        object
    }

    fn render(steps: &[Step]) -> String {
        let text = |step: &Step| match step {
            Step::Put(part, object) => {
                format!("put {part:?} of {}", object.label(labels::cluster_set::NAME).unwrap_or_default())
            }
            Step::Delete(part) => format!("delete {part:?}"),
        };
        steps.iter().map(text).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn steps() {
        let (policy, binding) = (stored(Part::Policy, &PROD), stored(Part::Binding, &PROD));
        let rejoined = Protected { keeper: "somebody", ..PROD };
        let moved = Protected { set: "dev", ..PROD };
        let mut audited = binding.clone();
        audited.0["spec"]["validationActions"] = json!(["Audit"]);
        let mut foreign = policy.clone();
        foreign.metadata_mut().remove("labels");
        let both = (Some(&policy), Some(&binding));
        let cases = [
            ("joining", Some(&PROD), (None, None), "put Policy of prod, put Binding of prod"),
            ("settled", Some(&PROD), both, ""),
            ("half done", Some(&PROD), (Some(&policy), None), "put Binding of prod"),
            ("out of force", Some(&PROD), (Some(&policy), Some(&audited)), "put Binding of prod"),
            ("another account of ours", Some(&rejoined), both, "put Policy of prod"),
            ("another set", Some(&moved), both, "put Policy of dev, put Binding of dev"),
            ("the name is taken", Some(&PROD), (Some(&foreign), None), ""),
            ("leaving", None, both, "delete Binding, delete Policy"),
            ("leaving what somebody else has", None, (Some(&foreign), Some(&binding)), "delete Binding"),
            ("never a member", None, (None, None), ""),
        ];
        for (name, protected, (policy, binding), want) in cases {
            assert_eq!(render(&plan(protected, policy, binding)), want, "{name}");
        }
    }

    #[test]
    fn the_policy_names_property_set_and_way_out() {
        let policy = Part::Policy.wanted(&PROD);
        let said = policy.0["spec"]["validations"][0]["messageExpression"].as_str().unwrap();
        assert_eq!(
            said,
            "\"ClusterProperty \" + oldObject.metadata.name + \" tells that this cluster is a member of cluster set \
             prod, and stays as it is for so long: leave the set with `portolan clusterset remove prod eu` first\""
        );
    }

    #[test]
    fn a_user_with_a_quote_is_still_one_text() {
        let policy = Part::Policy.wanted(&Protected { keeper: "a\"b\\c", ..PROD });
        let condition = &policy.0["spec"]["matchConditions"][1]["expression"];
        assert_eq!(condition, r#"request.userInfo.username != "a\"b\\c""#);
    }
}
