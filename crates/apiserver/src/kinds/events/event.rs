//! Events in the form of `events.k8s.io`; the stored form is that of the core group.

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, Conversion, FinalizerRule, Generation, NO_INITIAL_STATE, NO_KEPT_STATE,
    NO_WARNINGS, NameRule, StatusRule, selectable,
};
use crate::{defaults, tables, validation};

/// The kind.
pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "Event", "events")
        .singular("event")
        .namespaced()
        .short(&["ev"])
        .create_on_update(),
    names: NameRule::Subdomain,
    generation: Generation::None,
    status: StatusRule::None,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults::configuration::event),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    validate: Defined(validation::event::events),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&tables::cluster::EVENT),
    selectable: Defined(selectable::EVENT),
    conversion: Defined(Conversion {
        stored: &crate::kinds::core::event::KIND,
        from_stored: crate::conversion::event::from_core,
        to_stored: crate::conversion::event::to_core,
    }),
};
