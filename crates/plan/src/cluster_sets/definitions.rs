//! Whether to create or upgrade a CustomResourceDefinition in a member.
//!
//! Several products install the definitions of the Multi-Cluster Services API. Its releases label them with their
//! version, so that an installer does not replace a newer definition with an older one
//! (kubernetes-sigs/mcs-api config/crd/multicluster.x-k8s.io_serviceexports.yaml).

use std::fmt;

use portolan_api::kubernetes::{CustomResourceDefinition, View};
use portolan_api::labels;
use portolan_object::Object;

const RELEASE: &str = "multicluster.x-k8s.io/release-version";
const REVISION: &str = "multicluster.x-k8s.io/crd-schema-revision";

/// Step for one definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefinitionStep {
    /// The definition is up to date, or a Work manages it.
    Keep,
    /// The definition is missing.
    Create,
    /// The definition is older than ours, or does not serve a version that ours serves.
    Upgrade,
}

impl fmt::Display for DefinitionStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keep => "keep",
            Self::Create => "create",
            Self::Upgrade => "upgrade",
        })
    }
}

/// Compares the definition in a member with ours.
pub fn plan(present: Option<&Object>, ours: &Object) -> DefinitionStep {
    let Some(present) = present else { return DefinitionStep::Create };
    // A definition that a Work manages follows its template on the hub.
    if present.label(labels::work::PERMANENT_ID).is_some() || release(present) > release(ours) {
        return DefinitionStep::Keep;
    }
    let served = versions(present);
    match release(present) == release(ours) && versions(ours).iter().all(|version| served.contains(version)) {
        true => DefinitionStep::Keep,
        false => DefinitionStep::Upgrade,
    }
}

/// Release and schema revision, comparable; a definition without the labels is the oldest.
fn release(definition: &Object) -> (Vec<u64>, u64) {
    let release = definition.label(RELEASE).unwrap_or_default().trim_start_matches('v');
    // The suffix after a hyphen marks a pre-release or a vendor's build; it does not count.
    let release = release.split('-').next().unwrap_or_default();
    let numbers = release.split('.').filter_map(|part| part.parse().ok()).collect();
    let revision = definition.label(REVISION).and_then(|revision| revision.parse().ok());
    (numbers, revision.unwrap_or_default())
}

/// Names of the served versions.
fn versions(definition: &Object) -> Vec<&str> {
    let versions = CustomResourceDefinition::read(definition).map(|view| view.spec.versions);
    versions
        .unwrap_or_default()
        .into_iter()
        .filter(|version| version.served)
        .map(|version| version.name)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn definition(release: &str, revision: &str, versions: &[&str]) -> Object {
        let versions: Vec<Value> =
            versions.iter().map(|name| json!({ "name": name, "served": true })).collect();
        let mut object = Object(json!({ "metadata": { "name": "x" }, "spec": { "versions": versions } }));
        if !release.is_empty() {
            object.set_label(RELEASE, release);
            object.set_label(REVISION, revision);
        }
        object
    }

    #[test]
    fn an_older_definition_never_replaces_a_newer_one() {
        let both = ["v1beta1", "v1alpha1"];
        let ours = definition("v0.5.0", "0", &both);
        let mut carried = definition("", "", &["v1alpha1"]);
        carried.set_label("work.karmada.io/permanent-id", "x");
        let cases = [
            ("missing", None, DefinitionStep::Create),
            ("the same", Some(definition("v0.5.0", "0", &both)), DefinitionStep::Keep),
            ("older release", Some(definition("v0.4.1", "3", &["v1alpha1"])), DefinitionStep::Upgrade),
            ("newer release", Some(definition("v0.10.0", "0", &["v1beta1"])), DefinitionStep::Keep),
            ("newer revision", Some(definition("v0.5.0", "1", &both)), DefinitionStep::Keep),
            ("before the labels", Some(definition("", "", &["v1alpha1"])), DefinitionStep::Upgrade),
            (
                "the same without a version",
                Some(definition("v0.5.0", "0", &["v1beta1"])),
                DefinitionStep::Upgrade,
            ),
            ("managed by a Work", Some(carried), DefinitionStep::Keep),
        ];
        for (name, present, want) in cases {
            assert_eq!(plan(present.as_ref(), &ours), want, "{name}");
        }
    }
}
