//! Whether a CustomResourceDefinition that a member has is good enough, or has to be brought up to date.
//!
//! Several products install the definitions of the Multi-Cluster Services API. Its releases label them, so that nobody
//! puts an older one in place of a newer one (mcs 1.1).

use portolan_api::labels;
use portolan_object::Object;
use serde_json::Value;

const RELEASE: &str = "multicluster.x-k8s.io/release-version";
const REVISION: &str = "multicluster.x-k8s.io/crd-schema-revision";

/// What to do about one definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is there and as new, or somebody else brings it.
    Keep,
    /// It is missing.
    Create,
    /// It is older, or lacks a version that we serve.
    Upgrade,
}

/// Compares the definition that a member has with ours.
pub fn plan(present: Option<&Object>, ours: &Object) -> Step {
    let Some(present) = present else { return Step::Create };
    // One that a Work brings follows its template in the control plane.
    if present.label(labels::work::PERMANENT_ID).is_some() || age(present) > age(ours) {
        return Step::Keep;
    }
    let served = versions(present);
    match age(present) == age(ours) && versions(ours).iter().all(|version| served.contains(version)) {
        true => Step::Keep,
        false => Step::Upgrade,
    }
}

/// Release and revision; those from before the labels are the oldest.
fn age(definition: &Object) -> (Vec<u64>, u64) {
    let release = definition.label(RELEASE).unwrap_or_default().trim_start_matches('v');
    // What follows a hyphen is a pre-release or a distributor's mark and does not make it newer.
    let release = release.split('-').next().unwrap_or_default();
    let numbers = release.split('.').filter_map(|part| part.parse().ok()).collect();
    let revision = definition.label(REVISION).and_then(|revision| revision.parse().ok());
    (numbers, revision.unwrap_or_default())
}

fn versions(definition: &Object) -> Vec<&str> {
    let listed = definition.at(&["spec", "versions"]).and_then(Value::as_array).into_iter().flatten();
    listed
        .filter(|version| version["served"] == true)
        .filter_map(|version| version["name"].as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
    fn never_older_in_place_of_newer() {
        let both = ["v1beta1", "v1alpha1"];
        let ours = definition("v0.5.0", "0", &both);
        let mut carried = definition("", "", &["v1alpha1"]);
        carried.set_label("work.karmada.io/permanent-id", "x");
        let cases = [
            ("missing", None, Step::Create),
            ("the same", Some(definition("v0.5.0", "0", &both)), Step::Keep),
            ("older release", Some(definition("v0.4.1", "3", &["v1alpha1"])), Step::Upgrade),
            ("newer release", Some(definition("v0.10.0", "0", &["v1beta1"])), Step::Keep),
            ("newer revision", Some(definition("v0.5.0", "1", &both)), Step::Keep),
            ("before the labels", Some(definition("", "", &["v1alpha1"])), Step::Upgrade),
            ("the same without a version", Some(definition("v0.5.0", "0", &["v1beta1"])), Step::Upgrade),
            ("brought by a work", Some(carried), Step::Keep),
        ];
        for (name, present, want) in cases {
            assert_eq!(plan(present.as_ref(), &ours), want, "{name}");
        }
    }
}
