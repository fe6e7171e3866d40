//! The dependency directions that the design allows, checked against the manifests.
//!
//! ARCHITECTURE.md describes the layers; this test keeps the manifests to them.

use std::collections::{BTreeMap, BTreeSet};

/// What each crate may use of ours. The binary and the crates that only test may use everything.
const ALLOWED: &[(&str, &[&str])] = &[
    ("object", &[]),
    ("api", &["object"]),
    ("plan", &["object", "api"]),
    ("store", &[]),
    ("net", &[]),
    ("packing", &[]),
    ("apiserver", &["object", "api", "store", "net", "packing"]),
    ("runtime", &["object", "api", "net", "packing"]),
    ("lua", &["object", "api", "plan"]),
    ("controllers", &["object", "api", "plan", "lua", "providers", "runtime", "net"]),
    ("dns", &["object", "api", "plan", "net"]),
    ("providers", &["plan", "dns", "net"]),
    (
        "controlplane",
        &["object", "api", "plan", "lua", "store", "net", "apiserver", "runtime", "controllers"],
    ),
    (
        "playground",
        &[
            "object",
            "api",
            "plan",
            "lua",
            "store",
            "net",
            "apiserver",
            "runtime",
            "controllers",
            "controlplane",
            "dns",
        ],
    ),
];

/// Crates without I/O: nothing that waits, looks at a clock, draws random numbers or opens a socket.
const PURE: &[&str] = &["object", "api", "plan"];

/// Dependencies that do I/O, read a clock or draw random numbers.
const IMPURE: &[&str] =
    &["tokio", "hyper", "hyper-util", "kube", "k8s-openapi", "rand", "rusqlite", "uuid", "tower"];

/// Only `runtime` uses Kubernetes client crates, so that a new major version of them changes one crate.
const KUBERNETES_CLIENT: &[&str] = &["kube", "k8s-openapi"];

/// Every forbidden dependency, as a sentence.
pub(crate) fn broken(dependencies: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut faults = Vec::new();
    for (package, uses) in dependencies {
        let name = package.strip_prefix("portolan-").unwrap_or(package);
        let allowed = ALLOWED.iter().find(|(of, _)| *of == name).map(|(_, allowed)| *allowed);
        for used in uses {
            let forbidden = match used.strip_prefix("portolan-") {
                Some(ours) => allowed.is_some_and(|allowed| !allowed.contains(&ours)),
                None => {
                    (PURE.contains(&name) && IMPURE.contains(&used.as_str()))
                        || (KUBERNETES_CLIENT.contains(&used.as_str()) && name != "runtime")
                }
            };
            if forbidden {
                faults.push(format!("{name} may not depend on {used}"));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_keeps_to_the_allowed_directions() {
        let dependencies = crate::workspace::dependencies().unwrap();
        assert_eq!(broken(&dependencies), Vec::<String>::new());
        for (name, _) in ALLOWED {
            assert!(
                dependencies.contains_key(&format!("portolan-{name}")),
                "{name} is in the table but not in the tree"
            );
        }
    }

    #[test]
    fn broken_arrows_are_reported() {
        let uses = |package: &str, used: &[&str]| {
            BTreeMap::from([(package.to_owned(), used.iter().map(|&name| name.to_owned()).collect())])
        };
        let cases = [
            (
                "a lower layer uses a higher one",
                "portolan-object",
                "portolan-api",
                "object may not depend on portolan-api",
            ),
            ("a pure crate waits", "portolan-plan", "tokio", "plan may not depend on tokio"),
            ("kube outside runtime", "portolan-controllers", "kube", "controllers may not depend on kube"),
            (
                "apiserver knows runtime",
                "portolan-apiserver",
                "portolan-runtime",
                "apiserver may not depend on portolan-runtime",
            ),
        ];
        for (name, package, used, fault) in cases {
            assert_eq!(broken(&uses(package, &[used])), [fault], "{name}");
        }
        assert!(
            broken(&uses("portolan", &["portolan-controllers"])).is_empty(),
            "the binary may use everything"
        );
    }
}
