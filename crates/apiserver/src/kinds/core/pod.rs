//! Pods.

use super::{CONNECT_VERBS, GROUP, PROXY_VERBS};
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, CREATE_ONLY, FinalizerRule, Generation, NO_KEPT_STATE, NO_WARNINGS,
    NameRule, ONE_FORM, SUBRESOURCE_VERBS, StatusRule, Subresource, selectable,
};
use crate::{defaults, tables, validation};

/// The kind.
pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "Pod", "pods")
        .singular("pod")
        .namespaced()
        .short(&["po"])
        .category(&["all"])
        .delete_returns_object()
        .subresources(&[
            Subresource::new("attach", "PodAttachOptions", CONNECT_VERBS),
            Subresource::new("binding", "Binding", CREATE_ONLY),
            Subresource::new("ephemeralcontainers", "Pod", SUBRESOURCE_VERBS),
            Subresource::new("eviction", "Eviction", CREATE_ONLY).in_group("policy", "v1"),
            Subresource::new("exec", "PodExecOptions", CONNECT_VERBS),
            Subresource::new("log", "Pod", &["get"]),
            Subresource::new("portforward", "PodPortForwardOptions", CONNECT_VERBS),
            Subresource::new("proxy", "PodProxyOptions", PROXY_VERBS),
            Subresource::new("resize", "Pod", SUBRESOURCE_VERBS),
            Subresource::status("Pod"),
        ]),
    names: NameRule::Subdomain,
    generation: Generation::Spec,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults::pod::pod),
    prepare_for_create: Defined(defaults::initial::pod),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    validate: Defined(validation::pod::pod),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&tables::pods::POD),
    selectable: Defined(selectable::POD),
    conversion: NotNeeded(ONE_FORM),
};
