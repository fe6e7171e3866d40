//! Cluster roles whose rules are gathered from others by label.

use std::collections::BTreeMap;

use portolan_object::selector::LabelSelector;
use serde_json::{Value, json};

use super::Rule;
use crate::tree;

/// The aggregated cluster roles whose stored rules differ from what their selectors gather, with the rules to write.
///
/// Clients read the rules from the object, so whoever keeps the store up to date writes these back. Writing them
/// leaves nothing to write.
pub fn aggregated<'a>(cluster_roles: impl IntoIterator<Item = &'a Value>) -> Vec<(&'a Value, Value)> {
    let cluster_roles: Vec<&Value> = cluster_roles.into_iter().collect();
    let resolved = resolve(&cluster_roles)
        .into_iter()
        .filter(|(role, rules)| !selectors(role).is_empty() && Rule::list(role, "/rules") != *rules);
    resolved.map(|(role, rules)| (role, json!(rules))).collect()
}

/// The rules of every cluster role, in the order given.
///
/// An aggregated role may gather another aggregated one (`admin` gathers `edit`, which gathers `view`): gathering
/// goes on until nothing new is found, and ends because every round adds at least one rule of a finite set.
pub(super) fn resolve<'a>(cluster_roles: &[&'a Value]) -> Vec<(&'a Value, Vec<Rule>)> {
    let mut resolved: Vec<(&Value, Vec<Rule>)> = cluster_roles
        .iter()
        .map(|&role| {
            let own = if selectors(role).is_empty() { Rule::list(role, "/rules") } else { Vec::new() };
            (role, own)
        })
        .collect();
    let sources = sources(cluster_roles);
    loop {
        let mut has_changed = false;
        for (target, gathered) in &sources {
            let found: Vec<Rule> = gathered.iter().flat_map(|&source| resolved[source].1.clone()).collect();
            let rules = &mut resolved[*target].1;
            for rule in found {
                if !rules.contains(&rule) {
                    rules.push(rule);
                    has_changed = true;
                }
            }
        }
        if !has_changed {
            return resolved;
        }
    }
}

/// For each aggregated role the roles that it gathers, by index and sorted by name.
fn sources(cluster_roles: &[&Value]) -> BTreeMap<usize, Vec<usize>> {
    let mut by_name: Vec<usize> = (0..cluster_roles.len()).collect();
    by_name.sort_by_key(|&index| tree::text(cluster_roles[index], "/metadata/name"));
    let mut sources = BTreeMap::new();
    for (target, role) in cluster_roles.iter().enumerate() {
        let selectors: Vec<LabelSelector> =
            selectors(role).iter().filter_map(|selector| LabelSelector::from_value(selector).ok()).collect();
        if selectors.is_empty() {
            continue;
        }
        let gathers = |&source: &usize| {
            let labels = tree::map(cluster_roles[source], "/metadata/labels");
            let label = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
            source != target && selectors.iter().any(|selector| selector.matches_with(label))
        };
        sources.insert(target, by_name.iter().copied().filter(gathers).collect());
    }
    sources
}

fn selectors(role: &Value) -> &[Value] {
    tree::list(role, "/aggregationRule/clusterRoleSelectors")
}
