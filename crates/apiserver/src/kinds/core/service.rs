//! Services. Their addresses and node ports come from [`crate::allocation`].

use super::{GROUP, PROXY_VERBS};
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM,
    StatusRule, Subresource, selectable,
};
use crate::{defaults, tables, validation};

/// The kind.
pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "Service", "services")
        .singular("service")
        .namespaced()
        .short(&["svc"])
        .category(&["all"])
        .create_on_update()
        .delete_returns_object()
        .subresources(&[
            Subresource::new("proxy", "ServiceProxyOptions", PROXY_VERBS),
            Subresource::status("Service"),
        ]),
    names: NameRule::Label,
    generation: Generation::None,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults::network::service),
    prepare_for_create: Defined(defaults::initial::load_balancer),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    validate: Defined(validation::service::service),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&tables::network::SERVICE),
    selectable: Defined(selectable::SERVICE),
    conversion: NotNeeded(ONE_FORM),
};
