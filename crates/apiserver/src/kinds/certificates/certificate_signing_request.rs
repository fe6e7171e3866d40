//! Certificate signing requests.

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NO_DEFAULTS, NO_INITIAL_STATE, NO_KEPT_STATE,
    NO_WARNINGS, NameRule, ONE_FORM, SUBRESOURCE_VERBS, StatusRule, Subresource, selectable,
};
use crate::tables;

/// The kind.
pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "CertificateSigningRequest", "certificatesigningrequests")
        .singular("certificatesigningrequest")
        .short(&["csr"])
        .subresources(&[
            Subresource::new("approval", "CertificateSigningRequest", SUBRESOURCE_VERBS),
            Subresource::status("CertificateSigningRequest"),
        ]),
    names: NameRule::PathSegment,
    generation: Generation::None,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: NotNeeded(NO_DEFAULTS),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    validate: NotNeeded("the schema and the metadata say all that is checked"),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&tables::access::SIGNING_REQUEST),
    selectable: Defined(selectable::SIGNING_REQUEST),
    conversion: NotNeeded(ONE_FORM),
};
