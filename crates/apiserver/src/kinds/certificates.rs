//! `certificates.k8s.io`: signing requests.

mod certificate_signing_request;

use super::Group;

const GROUP: &str = "certificates.k8s.io";

pub(super) static API_GROUP: Group =
    Group { name: GROUP, versions: &["v1"], priority: 17300, kinds: &[&certificate_signing_request::KIND] };
