//! `cargo xtask crds`: the CustomResourceDefinitions of the federation as manifests, for API servers that are not ours.

use portolan_object::yaml;

use crate::generated::Generated;

const HEADER: &str = "# Generated from the types in crates/api by `cargo xtask crds`; do not edit.\n";

/// The files of `deploy/crds`, one per kind.
pub(crate) fn generated() -> Generated {
    Generated { folder: "deploy/crds", command: "cargo xtask crds", files: manifests() }
}

fn manifests() -> Vec<(String, String)> {
    let definitions = portolan_api::crd::all();
    let named = definitions.iter().map(|definition| {
        let name = definition["metadata"]["name"].as_str().unwrap_or_default();
        (format!("{name}.yaml"), format!("{HEADER}{}", yaml::to_string(definition)))
    });
    named.collect()
}
