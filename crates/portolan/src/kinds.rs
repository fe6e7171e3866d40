//! Finds the resources that a word of the command line names.

use anyhow::{Result, bail};
use portolan_runtime::Resource;
use portolan_runtime::client::{Discovered, Discovery};

/// The resource of a kind by any of its names: `deploy`, `deployments.apps`, `deployments.v1.apps`.
pub(crate) fn named<'a>(discovery: &'a Discovery, asked: &str) -> Option<&'a Discovered> {
    let asked = asked.to_lowercase();
    let listable = || discovery.resources.iter().filter(|found| found.allows(&["list"]));
    let preferred = listable().find(|found| found.preferred && is_called(found, &asked));
    preferred.or_else(|| listable().find(|found| is_called_with_version(found, &asked)))
}

/// The resources of a kind, or of all kinds of a category such as `all`.
///
/// # Errors
/// If the server has neither; the text is kubectl's.
pub(crate) fn resolve(discovery: &Discovery, asked: &str) -> Result<Vec<Resource>> {
    if let Some(found) = named(discovery, asked) {
        return Ok(vec![found.resource.clone()]);
    }
    let is_in = |found: &&Discovered| {
        found.preferred && found.allows(&["list"]) && found.categories.iter().any(|name| name == asked)
    };
    let resources: Vec<_> =
        discovery.resources.iter().filter(is_in).map(|found| found.resource.clone()).collect();
    if resources.is_empty() {
        bail!("the server doesn't have a resource type \"{asked}\"");
    }
    Ok(resources)
}

fn is_called(found: &Discovered, asked: &str) -> bool {
    let (name, group) = asked.split_once('.').unwrap_or((asked, &found.resource.gvk.group));
    group == found.resource.gvk.group && has_name(found, name)
}

fn is_called_with_version(found: &Discovered, asked: &str) -> bool {
    let mut parts = asked.splitn(3, '.');
    let (Some(name), Some(version)) = (parts.next(), parts.next()) else { return false };
    let gvk = &found.resource.gvk;
    version == gvk.version && parts.next().unwrap_or_default() == gvk.group && has_name(found, name)
}

fn has_name(found: &Discovered, name: &str) -> bool {
    let resource = &found.resource;
    let mut names = [resource.plural.as_str()].into_iter().chain(found.aliases.iter().map(String::as_str));
    names.any(|own| own == name) || resource.gvk.kind.to_lowercase() == name
}

/// The name of a kind before the name of an object, as kubectl prints it: `deployment.apps`.
pub(crate) fn prefix(kind: &str, group: &str) -> String {
    match group {
        "" => kind.to_lowercase(),
        group => format!("{}.{group}", kind.to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discovery() -> Discovery {
        let found = |resource: Resource, aliases: &[&str], categories: &[&str]| Discovered {
            resource,
            verbs: vec!["list".to_owned()],
            preferred: true,
            aliases: aliases.iter().map(|&name| name.to_owned()).collect(),
            categories: categories.iter().map(|&name| name.to_owned()).collect(),
        };
        let policies = Resource::cluster(
            "policy.karmada.io",
            "v1alpha1",
            "ClusterPropagationPolicy",
            "clusterpropagationpolicies",
        );
        let old = Resource::namespaced("apps", "v1beta1", "Deployment", "deployments");
        Discovery {
            resources: vec![
                found(Resource::namespaced("", "v1", "Pod", "pods"), &["pod", "po"], &["all"]),
                found(
                    Resource::namespaced("apps", "v1", "Deployment", "deployments"),
                    &["deployment", "deploy"],
                    &["all"],
                ),
                Discovered { preferred: false, ..found(old, &["deployment", "deploy"], &["all"]) },
                found(policies, &["clusterpropagationpolicy", "cpp"], &[]),
            ],
            failed: Vec::new(),
        }
    }

    #[test]
    fn resources_are_found_by_every_name() {
        let discovery = discovery();
        let cases = [
            ("cpp", Some(("clusterpropagationpolicies", "v1alpha1"))),
            ("clusterpropagationpolicy", Some(("clusterpropagationpolicies", "v1alpha1"))),
            ("ClusterPropagationPolicy", Some(("clusterpropagationpolicies", "v1alpha1"))),
            ("cpp.policy.karmada.io", Some(("clusterpropagationpolicies", "v1alpha1"))),
            ("deployments.v1.apps", Some(("deployments", "v1"))),
            ("deploy.v1beta1.apps", Some(("deployments", "v1beta1"))),
            ("pods.v1.", Some(("pods", "v1"))),
            ("pp", None),
            ("cpp.apps", None),
            ("deployments.v2.apps", None),
            ("", None),
        ];
        for (asked, want) in cases {
            let found = named(&discovery, asked).map(|found| &found.resource);
            let found = found.map(|resource| (resource.plural.as_str(), resource.gvk.version.as_str()));
            assert_eq!(found, want, "{asked}");
        }
    }

    #[test]
    fn a_category_is_all_of_its_kinds() {
        let plurals = |asked: &str| {
            let resources = resolve(&discovery(), asked).map_err(|error| error.to_string())?;
            Ok(resources.into_iter().map(|resource| resource.plural).collect::<Vec<_>>())
        };
        assert_eq!(plurals("all"), Ok(vec!["pods".to_owned(), "deployments".to_owned()]));
        assert_eq!(plurals("po"), Ok(vec!["pods".to_owned()]));
        assert_eq!(plurals("no"), Err("the server doesn't have a resource type \"no\"".to_owned()));
    }
}
