//! The condition of an independent binding with dependencies that do not exist on the control plane.

use portolan_api::conditions::binding::{DEPENDENCIES_FOUND, DEPENDENCY_NOT_FOUND, FOUND};
use portolan_api::config::DependentObjectReference;
use portolan_api::meta::{self, Condition};

/// Reason of the condition, and of the event.
pub const NOT_FOUND: &str = DEPENDENCY_NOT_FOUND;
/// Dependencies named in the message.
const MAX_NAMED: usize = 10;

/// The condition for the references that mean no object; `None` while there is nothing to tell: all objects are there, and
/// the binding has no such condition from before. A reference by labels is never missing.
pub fn condition(missing: &[DependentObjectReference], known: &[Condition], now: &str) -> Option<Condition> {
    if missing.is_empty() {
        meta::condition(known, DEPENDENCIES_FOUND)?;
        let message = "All dependencies exist.";
        return Some(Condition::new(DEPENDENCIES_FOUND, true, FOUND, message, now));
    }
    let mut named: Vec<String> = missing.iter().map(|one| format!("{} {}", one.kind, one.name)).collect();
    named.sort();
    let others = named.len().saturating_sub(MAX_NAMED);
    named.truncate(MAX_NAMED);
    let mut message = format!("The workload refers to objects that do not exist yet: {}", named.join(", "));
    if others > 0 {
        message += &format!(" and {others} more");
    }
    message += ". They are propagated when they are created.";
    Some(Condition::new(DEPENDENCIES_FOUND, false, NOT_FOUND, message, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(names: &[&str]) -> Vec<DependentObjectReference> {
        let reference = |name: &&str| DependentObjectReference {
            api_version: "v1".to_owned(),
            kind: "Secret".to_owned(),
            namespace: "shop".to_owned(),
            name: (*name).to_owned(),
            ..DependentObjectReference::default()
        };
        names.iter().map(reference).collect()
    }

    #[test]
    fn missing_objects_are_named_until_they_exist() {
        assert_eq!(condition(&[], &[], "t"), None, "nothing to tell");
        let failed = condition(&missing(&["b", "a"]), &[], "t").expect("a condition");
        assert_eq!((failed.is_true(), failed.reason.as_str()), (false, "DependencyNotFound"));
        let want = "The workload refers to objects that do not exist yet: Secret a, Secret b. \
                    They are propagated when they are created.";
        assert_eq!(failed.message, want);
        let found = condition(&[], &[failed], "t").expect("a condition");
        assert!(found.is_true());
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = (0..12).map(|index| format!("s{index:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let condition = condition(&missing(&names), &[], "t").expect("a condition");
        assert!(condition.message.contains("Secret s09 and 2 more."), "{}", condition.message);
    }
}
