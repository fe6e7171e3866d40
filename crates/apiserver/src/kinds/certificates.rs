//! `certificates.k8s.io`: signing requests.

mod certificate_signing_request;

use super::Group;

const GROUP: &str = "certificates.k8s.io";

/// The group.
pub(super) static KINDS: Group =
    Group { name: GROUP, versions: &["v1"], priority: 17300, kinds: &[&certificate_signing_request::KIND] };
