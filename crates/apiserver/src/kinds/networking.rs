//! `networking.k8s.io`: ingresses, policies, address ranges.

mod ingress;
mod ingress_class;
mod ip_address;
mod network_policy;
mod service_cidr;

use super::Group;

const GROUP: &str = "networking.k8s.io";

pub(super) static API_GROUP: Group = Group {
    name: GROUP,
    versions: &["v1"],
    priority: 17200,
    kinds: &[
        &ingress_class::KIND,
        &ingress::KIND,
        &ip_address::KIND,
        &network_policy::KIND,
        &service_cidr::KIND,
    ],
};
