//! Resources about who may do what: RBAC, reviews, certificate requests.

use super::{BuiltinResource, CREATE_ONLY, NameRule, PART_VERBS, Subresource};

const fn rbac(kind: &'static str, plural: &'static str, singular: &'static str) -> BuiltinResource {
    BuiltinResource::new("rbac.authorization.k8s.io", "v1", kind, plural)
        .singular(singular)
        .names(NameRule::PathSegment)
        .create_on_update()
}

/// A resource that answers a question and stores nothing.
const fn review(
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    singular: &'static str,
) -> BuiltinResource {
    BuiltinResource::new(group, "v1", kind, plural).singular(singular).verbs(CREATE_ONLY)
}

const AUTHENTICATION: &str = "authentication.k8s.io";
const AUTHORIZATION: &str = "authorization.k8s.io";

pub(super) const RESOURCES: &[BuiltinResource] = &[
    review(AUTHENTICATION, "SelfSubjectReview", "selfsubjectreviews", "selfsubjectreview"),
    review(AUTHENTICATION, "TokenReview", "tokenreviews", "tokenreview"),
    review(
        AUTHORIZATION,
        "LocalSubjectAccessReview",
        "localsubjectaccessreviews",
        "localsubjectaccessreview",
    )
    .namespaced(),
    review(AUTHORIZATION, "SelfSubjectAccessReview", "selfsubjectaccessreviews", "selfsubjectaccessreview"),
    review(AUTHORIZATION, "SelfSubjectRulesReview", "selfsubjectrulesreviews", "selfsubjectrulesreview"),
    review(AUTHORIZATION, "SubjectAccessReview", "subjectaccessreviews", "subjectaccessreview"),
    BuiltinResource::new(
        "certificates.k8s.io",
        "v1",
        "CertificateSigningRequest",
        "certificatesigningrequests",
    )
    .singular("certificatesigningrequest")
    .short(&["csr"])
    .names(NameRule::PathSegment)
    .parts(&[
        Subresource::new("approval", "CertificateSigningRequest", PART_VERBS),
        Subresource::status("CertificateSigningRequest"),
    ]),
    rbac("ClusterRoleBinding", "clusterrolebindings", "clusterrolebinding"),
    rbac("ClusterRole", "clusterroles", "clusterrole"),
    rbac("RoleBinding", "rolebindings", "rolebinding").namespaced(),
    rbac("Role", "roles", "role").namespaced(),
];
