//! The pods that a namespace has already when its level is raised: they stay, and the answer warns.

use std::collections::BTreeMap;

use serde_json::Value;

use super::checks::violations;
use super::described;
use super::levels::LevelVersion;
use crate::tree;

/// Number of pods that are looked at.
pub(crate) const MAX_PODS: usize = 3000;

/// The warnings about the pods of a namespace that break its new level. `total` is the number of its pods, of which `pods`
/// are the first.
pub(crate) fn warnings(namespace: &str, pods: &[Value], total: usize, enforce: LevelVersion) -> Vec<String> {
    let mut warnings = Vec::new();
    if pods.len() < total {
        warnings.push(format!(
            "new PodSecurity enforce level only checked against the first {} of {total} existing pods",
            pods.len()
        ));
    }
    // The first name, and the number of the pods that break the same rules.
    let mut found: BTreeMap<String, (&str, usize)> = BTreeMap::new();
    for pod in pods {
        let broken = violations(pod, enforce);
        if broken.is_empty() {
            continue;
        }
        let name = tree::str_at(pod, "/metadata/name");
        let (first, count) = found.entry(described(&broken, false)).or_insert((name, 0));
        *first = name.min(*first);
        *count += 1;
    }
    if !found.is_empty() {
        warnings.push(format!(
            "existing pods in namespace {namespace:?} violate the new PodSecurity enforce level \"{enforce}\""
        ));
    }
    let mut of_pods: Vec<String> = found
        .into_iter()
        .map(|(broken, (name, count))| match count {
            1 => format!("{name}: {broken}"),
            2 => format!("{name} (and 1 other pod): {broken}"),
            _ => format!("{name} (and {} other pods): {broken}", count - 1),
        })
        .collect();
    of_pods.sort_unstable();
    warnings.extend(of_pods);
    warnings
}
