//! Resources of `networking.k8s.io` and `discovery.k8s.io`.

use super::{BuiltinResource, Generation, NameRule, Subresource};

const fn networking(kind: &'static str, plural: &'static str, singular: &'static str) -> BuiltinResource {
    BuiltinResource::new("networking.k8s.io", "v1", kind, plural).singular(singular)
}

pub(super) const RESOURCES: &[BuiltinResource] = &[
    BuiltinResource::new("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices")
        .singular("endpointslice")
        .namespaced()
        .generation(Generation::All),
    networking("IngressClass", "ingressclasses", "ingressclass").generation(Generation::Spec),
    networking("Ingress", "ingresses", "ingress")
        .namespaced()
        .short(&["ing"])
        .generation(Generation::Spec)
        .parts(&[Subresource::status("Ingress")]),
    networking("IPAddress", "ipaddresses", "ipaddress").short(&["ip"]).names(NameRule::Address),
    networking("NetworkPolicy", "networkpolicies", "networkpolicy")
        .namespaced()
        .short(&["netpol"])
        .generation(Generation::Spec),
    networking("ServiceCIDR", "servicecidrs", "servicecidr").parts(&[Subresource::status("ServiceCIDR")]),
];
