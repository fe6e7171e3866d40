//! The overall limit: what bindings use of it, and whether one of them may use more.

use portolan_api::policy::ResourceList;
use portolan_object::ObjectKey;
use portolan_object::quantity::Quantity as Amount;

use super::usage::Usage;

/// A quota and its overall limit.
#[derive(Debug, Clone, Copy)]
pub struct Limit<'a> {
    /// The quota.
    pub quota: &'a ObjectKey,
    /// `spec.overall`.
    pub overall: &'a ResourceList,
}

/// A write would use more than a quota allows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "FederatedResourceQuota({quota}) exceeded for resource {resource}: requested sum {requested}, limit {limit}."
)]
pub struct Exceeded {
    /// The quota.
    pub quota: ObjectKey,
    /// Name of the resource.
    pub resource: String,
    /// What all bindings of the namespace would use.
    pub requested: String,
    /// What they may use.
    pub limit: String,
}

/// Whether a binding that uses `old` may use `new` while the other bindings of its namespace use `others`.
///
/// Only what grows can exceed a limit: a namespace that uses more than a lowered limit can always use less.
///
/// # Errors
/// The first limit that would be exceeded, by quota and by name of the resource.
pub fn check<'a>(
    limits: impl IntoIterator<Item = Limit<'a>>,
    others: &Usage,
    old: &Usage,
    new: &Usage,
) -> Result<(), Exceeded> {
    for Limit { quota, overall } in limits {
        for (name, limit) in overall {
            let (before, after) = (old.get(name).unwrap_or_default(), new.get(name).unwrap_or_default());
            let Some(limit) = limit.amount() else { continue };
            if after <= before {
                continue;
            }
            let requested = others.get(name).map_or(after, |others| others.plus(after));
            if requested > limit {
                return Err(Exceeded {
                    quota: quota.clone(),
                    resource: name.clone(),
                    requested: requested.to_string(),
                    limit: limit.to_string(),
                });
            }
        }
    }
    Ok(())
}

/// `status.overallUsed`: what is used of the resources in `overall`. Resources of which nothing is used are left out.
pub fn overall_used(overall: &ResourceList, used: &Usage) -> ResourceList {
    let amount = |name: &String| used.get(name).filter(|amount: &Amount| !amount.is_zero());
    overall.keys().filter_map(|name| Some((name.clone(), amount(name)?.into()))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn list(value: Value) -> ResourceList {
        serde_json::from_value(value).expect("a list")
    }

    fn usage(request: Value) -> Usage {
        let spec = json!({ "replicaRequirements": { "resourceRequest": request },
            "clusters": [{ "name": "a", "replicas": 1 }] });
        Usage::of_binding(&serde_json::from_value(spec).expect("a spec"))
    }

    #[test]
    fn what_grows_beyond_a_limit_is_refused() {
        let quota = ObjectKey::namespaced("shop", "q");
        let overall = list(json!({ "cpu": "10m", "memory": "100Mi" }));
        for (name, others, old, new, want) in [
            ("within", json!({}), json!({}), json!({ "cpu": "10m" }), None),
            (
                "beyond",
                json!({}),
                json!({ "cpu": "10m" }),
                json!({ "cpu": "20m" }),
                Some(
                    "FederatedResourceQuota(shop/q) exceeded for resource cpu: requested sum 20m, limit 10m.",
                ),
            ),
            (
                "together with others",
                json!({ "memory": "60Mi" }),
                json!({}),
                json!({ "memory": "50Mi" }),
                Some(
                    "FederatedResourceQuota(shop/q) exceeded for resource memory: requested sum 110Mi, limit 100Mi.",
                ),
            ),
            (
                "less of too much",
                json!({ "cpu": "50m" }),
                json!({ "cpu": "9m" }),
                json!({ "cpu": "8m" }),
                None,
            ),
            ("another resource", json!({}), json!({}), json!({ "gpu": "5" }), None),
            (
                "the same again",
                json!({ "cpu": "50m" }),
                json!({ "cpu": "9m" }),
                json!({ "cpu": "9m", "gpu": "1" }),
                None,
            ),
        ] {
            let limits = [Limit { quota: &quota, overall: &overall }];
            let checked = check(limits, &usage(others), &usage(old), &usage(new));
            assert_eq!(checked.err().map(|error| error.to_string()).as_deref(), want, "{name}");
        }
    }

    #[test]
    fn used_are_the_resources_of_the_quota() {
        let used = usage(json!({ "cpu": "10m", "gpu": "2" }));
        let overall = list(json!({ "cpu": "1", "memory": "1Gi" }));
        assert_eq!(json!(overall_used(&overall, &used)), json!({ "cpu": "10m" }));
    }
}
