//! Events in the form of the core group, in which all events are stored.

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS,
    NameRule, ONE_FORM, StatusRule, selectable,
};
use crate::{defaults, tables, validation};

/// The kind.
pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "Event", "events")
        .singular("event")
        .namespaced()
        .short(&["ev"])
        .create_on_update(),
    names: NameRule::PathSegment,
    generation: Generation::None,
    status: StatusRule::None,
    finalizers: FinalizerRule::Unchecked,
    defaults: Defined(defaults::configuration::core_event),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    validate: Defined(validation::event::core),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&tables::cluster::EVENT),
    selectable: Defined(selectable::CORE_EVENT),
    conversion: NotNeeded(ONE_FORM),
};
