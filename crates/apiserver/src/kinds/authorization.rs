//! `authorization.k8s.io`: reviews of access.

use super::{BuiltinKind, Group, review};

const GROUP: &str = "authorization.k8s.io";

static LOCAL_SUBJECT_ACCESS_REVIEW: BuiltinKind =
    review(GROUP, "LocalSubjectAccessReview", "localsubjectaccessreviews", "localsubjectaccessreview")
        .namespaced();

static SELF_SUBJECT_ACCESS_REVIEW: BuiltinKind =
    review(GROUP, "SelfSubjectAccessReview", "selfsubjectaccessreviews", "selfsubjectaccessreview");

static SELF_SUBJECT_RULES_REVIEW: BuiltinKind =
    review(GROUP, "SelfSubjectRulesReview", "selfsubjectrulesreviews", "selfsubjectrulesreview");

static SUBJECT_ACCESS_REVIEW: BuiltinKind =
    review(GROUP, "SubjectAccessReview", "subjectaccessreviews", "subjectaccessreview");

pub(super) static API_GROUP: Group = Group {
    name: GROUP,
    versions: &["v1"],
    priority: 17600,
    kinds: &[
        &LOCAL_SUBJECT_ACCESS_REVIEW,
        &SELF_SUBJECT_ACCESS_REVIEW,
        &SELF_SUBJECT_RULES_REVIEW,
        &SUBJECT_ACCESS_REVIEW,
    ],
};
