//! `authentication.k8s.io`: reviews of identities.

use super::{BuiltinKind, Group, review};

const GROUP: &str = "authentication.k8s.io";

static SELF_SUBJECT_REVIEW: BuiltinKind =
    review(GROUP, "SelfSubjectReview", "selfsubjectreviews", "selfsubjectreview");

static TOKEN_REVIEW: BuiltinKind = review(GROUP, "TokenReview", "tokenreviews", "tokenreview");

pub(super) static API_GROUP: Group =
    Group { name: GROUP, versions: &["v1"], priority: 17700, kinds: &[&SELF_SUBJECT_REVIEW, &TOKEN_REVIEW] };
