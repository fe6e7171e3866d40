//! Aggregated cluster roles: their rules come from the roles that their selectors match.

use std::collections::{BTreeMap, BTreeSet};

use portolan_object::selector::LabelSelector;
use serde_json::{Value, json};

use super::Rule;
use crate::tree;

/// Aggregated cluster roles with outdated stored rules, and the rules to store.
///
/// Once they are stored, the result is empty.
pub fn aggregated<'a>(cluster_roles: impl IntoIterator<Item = &'a Value>) -> Vec<(&'a Value, Value)> {
    let cluster_roles: Vec<&Value> = cluster_roles.into_iter().collect();
    let resolved = resolve(&cluster_roles)
        .into_iter()
        .filter(|(role, rules)| !selectors(role).is_empty() && Rule::list(role, "/rules") != *rules);
    resolved.map(|(role, rules)| (role, json!(rules))).collect()
}

/// The rules of each cluster role, in the given order.
///
/// An aggregated role may select another one (`admin` selects `edit`, which selects `view`). The loop repeats until
/// nothing is added; it ends because each round adds a rule of a finite set.
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
            let mut known: BTreeSet<Rule> = rules.iter().cloned().collect();
            for rule in found {
                if known.insert(rule.clone()) {
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

/// For each aggregated role the indexes of the roles that it selects, sorted by name.
fn sources(cluster_roles: &[&Value]) -> BTreeMap<usize, Vec<usize>> {
    let mut by_name: Vec<usize> = (0..cluster_roles.len()).collect();
    by_name.sort_by_key(|&index| tree::str_at(cluster_roles[index], "/metadata/name"));
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
