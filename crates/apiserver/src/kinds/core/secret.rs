//! Secrets.

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS,
    NameRule, ONE_FORM, StatusRule, selectable,
};
use crate::{defaults, tables, validation};

/// The kind.
pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "Secret", "secrets").singular("secret").namespaced(),
    names: NameRule::Subdomain,
    generation: Generation::None,
    status: StatusRule::None,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults::configuration::secret),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    validate: Defined(validation::configuration::secret),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&tables::cluster::SECRET),
    selectable: Defined(selectable::SECRET),
    conversion: NotNeeded(ONE_FORM),
};
