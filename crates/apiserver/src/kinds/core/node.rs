//! Nodes.

use super::{GROUP, PROXY_VERBS};
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS,
    NameRule, ONE_FORM, StatusRule, Subresource, selectable,
};
use crate::{defaults, tables, validation};

/// The kind.
pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "Node", "nodes")
        .singular("node")
        .short(&["no"])
        .subresources(&[
            Subresource::new("proxy", "NodeProxyOptions", PROXY_VERBS),
            Subresource::status("Node"),
        ]),
    names: NameRule::Subdomain,
    generation: Generation::None,
    status: StatusRule::KeptOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults::configuration::node),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    validate: Defined(validation::cluster::node),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&tables::cluster::NODE),
    selectable: Defined(selectable::NODE),
    conversion: NotNeeded(ONE_FORM),
};
