//! `certificates.k8s.io`: signing requests.

mod certificate_signing_request;
mod pem;

use super::Group;

pub(crate) use certificate_signing_request::{check_approval_kept, restricted_subject};

pub(crate) const GROUP: &str = "certificates.k8s.io";

pub(super) static API_GROUP: Group =
    Group { name: GROUP, versions: &["v1"], priority: 17300, kinds: &[&certificate_signing_request::KIND] };
