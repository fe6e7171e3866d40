//! `storageVersionHash`: by it clients see whether two paths show the same stored objects, and when these are stored in
//! another version (kubernetes staging/src/k8s.io/apiserver/pkg/endpoints/discovery/storageversionhash.go).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portolan_object::GroupVersionKind;
use ring::digest;

use crate::resources::Resource;

/// Bytes of the digest that are shown.
const LENGTH: usize = 8;

/// The hash of a resource; `None` when its objects are not stored.
pub(super) fn of(resource: &Resource) -> Option<String> {
    resource.allows("get").then(|| hash(&resource.stored_kind()))
}

fn hash(stored: &GroupVersionKind) -> String {
    let text = format!("{}/{}/{}", stored.group, stored.version, stored.kind);
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    STANDARD.encode(&digest.as_ref()[..LENGTH])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_kubernetes() {
        for (group, version, kind, want) in [
            ("", "v1", "Pod", "xPOwRZ+Yhw8="),
            ("", "v1", "ConfigMap", "qFsyl6wFWjQ="),
            ("apps", "v1", "Deployment", "8aSe+NMegvE="),
        ] {
            assert_eq!(hash(&GroupVersionKind::new(group, version, kind)), want, "{kind}");
        }
    }
}
