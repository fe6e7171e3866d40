//! Messages of the events about policies and their templates, as Karmada words them (karmada pkg/detector/detector.go,
//! pkg/detector/preemption.go).

use std::fmt::Display;

use portolan_api::meta::ObjectMeta;
use portolan_object::ObjectKey;

/// The replicas of a template were read.
pub const GOT_REPLICAS: &str = "Get replicas of resource template successfully.";

/// A policy was applied to a template.
pub fn applied(policy: &ObjectMeta) -> String {
    format!("Apply {} succeed", name(policy))
}

/// A policy cannot be applied to a template.
pub fn not_applied(policy: &ObjectMeta, error: impl Display) -> String {
    format!("Apply {} failed: {error}", name(policy))
}

/// A policy took a template from another one.
pub fn preempted(policy: &ObjectKey, from: &ObjectKey) -> String {
    let (one, other) = (preemptor(policy), preemptor(from));
    format!("{} preempted {} successfully", capitalized(&one), other)
}

/// A policy cannot take a template from another one.
pub fn not_preempted(policy: &ObjectKey, from: &ObjectKey, error: impl Display) -> String {
    format!("{} failed to preempt {}: {error}", capitalized(&preemptor(policy)), preemptor(from))
}

fn preemptor(policy: &ObjectKey) -> String {
    match policy.namespace.as_str() {
        "" => format!("cluster propagation policy({})", policy.name),
        namespace => format!("propagation policy({namespace}/{})", policy.name),
    }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn name(policy: &ObjectMeta) -> String {
    match policy.namespace.as_str() {
        "" => format!("cluster policy({})", policy.name),
        namespace => format!("policy({namespace}/{})", policy.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_worded_as_by_karmada() {
        let (ours, wide) = (ObjectMeta::namespaced("shop", "web"), ObjectMeta::namespaced("", "all"));
        assert_eq!(applied(&ours), "Apply policy(shop/web) succeed");
        assert_eq!(applied(&wide), "Apply cluster policy(all) succeed");
        assert_eq!(not_applied(&ours, "no"), "Apply policy(shop/web) failed: no");
        let (high, wide) = (ObjectKey::namespaced("shop", "high"), ObjectKey::cluster("all"));
        assert_eq!(
            preempted(&high, &wide),
            "Propagation policy(shop/high) preempted cluster propagation policy(all) successfully"
        );
        assert_eq!(
            not_preempted(&wide, &high, "no"),
            "Cluster propagation policy(all) failed to preempt propagation policy(shop/high): no"
        );
    }
}
