//! Discovery and OpenAPI documents of groups that both servers have.

use super::{get, sequence};
use crate::parity::{Case, read};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = sequence(
        "discovery",
        vec![
            ("versions", get("/api")),
            ("core", get("/api/v1")),
            ("groups", get("/apis")),
            ("aggregated core", read("/api".to_owned(), AGGREGATED)),
            ("aggregated groups", read("/apis".to_owned(), AGGREGATED)),
            ("paths", get("/")),
        ],
    );
    for group in [
        "apps/v1",
        "batch/v1",
        "autoscaling/v2",
        "networking.k8s.io/v1",
        "policy/v1",
        "rbac.authorization.k8s.io/v1",
        "coordination.k8s.io/v1",
        "discovery.k8s.io/v1",
        "apiextensions.k8s.io/v1",
        "apiregistration.k8s.io/v1",
        "admissionregistration.k8s.io/v1",
        "certificates.k8s.io/v1",
        "parity.example.org/v1",
    ] {
        cases.extend(sequence("discovery", vec![(group, get(format!("/apis/{group}")))]));
    }
    for group in ["coordination.k8s.io/v1", "parity.example.org/v1", "node.k8s.io/v1"] {
        cases.extend(sequence("OpenAPI", vec![(group, get(format!("/openapi/v3/apis/{group}")))]));
    }
    cases
}
