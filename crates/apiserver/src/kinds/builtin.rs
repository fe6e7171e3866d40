//! The definition of a built-in kind.

use std::borrow::Cow;

use jiff::Timestamp;
use portolan_object::{FieldError, Interrupt};
use portolan_store::Revision;
use serde_json::{Map, Value};

use super::Hook::NotNeeded;
use super::selectable::SelectableField;
use super::table::{self, Table};
use super::{BuiltinResource, CREATE_ONLY, Generation, NameRule, Strategy, Validation};
use crate::validation::FieldErrors;
use crate::validation::metadata;

/// Fills in defaults.
pub(crate) type SetDefaults = fn(&mut Map<String, Value>);

/// Sets fields that the server owns.
pub(crate) type Prepare = fn(&mut Value);

/// Sets fields that the server owns on an object that is deleted at a time in `metav1.Time` format.
pub(crate) type PrepareForDelete = fn(&mut Value, &str);

/// Validates an object; the second one is the stored object of an update.
pub(crate) type Validate = fn(&Value, Option<&Value>, &mut FieldErrors);

/// Warns about a valid object; the second one is the stored object of an update.
pub(crate) type Warn = fn(&Value, Option<&Value>) -> Vec<String>;

/// Everything the server knows about a built-in kind in one version.
///
/// There is no default for any field: a kind that does not need a hook says why.
#[derive(Debug)]
pub struct BuiltinKind {
    /// Names, paths, verbs and subresources.
    pub resource: BuiltinResource,
    /// Rule for `metadata.name`.
    pub names: NameRule,
    /// When `metadata.generation` grows.
    pub generation: Generation,
    /// Rule for writing `status`.
    pub status: StatusRule,
    /// Validation rule for `metadata.finalizers`.
    pub finalizers: FinalizerRule,
    /// Fills in defaults, canonical quantities included.
    pub defaults: Hook<SetDefaults>,
    /// Sets the state that the server owns on a new object.
    pub prepare_for_create: Hook<Prepare>,
    /// Restores the state that the server owns on a changed object.
    pub prepare_for_update: Hook<Prepare>,
    /// Sets the state that the server owns on an object before it is deleted; the text is the current time.
    pub prepare_for_delete: Hook<PrepareForDelete>,
    /// Validates everything but the metadata; the second object is the stored one of an update.
    pub validate: Hook<Validate>,
    /// Warnings about a valid object; the second object is the stored one of an update.
    pub warnings: Hook<Warn>,
    /// The table that `kubectl get` prints.
    pub table: Hook<&'static Table>,
    /// Fields that selectors may name besides name and namespace.
    pub selectable: Hook<&'static [SelectableField]>,
    /// The way to the stored version and back.
    pub conversion: Hook<Conversion>,
}

/// A part of a kind's behaviour, or the reason why it has none.
#[derive(Debug, Clone, Copy)]
pub enum Hook<T> {
    /// The kind has it.
    Defined(T),
    /// The kind needs none.
    NotNeeded(&'static str),
}

/// Rule for writing `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusRule {
    /// There is no `status` subresource.
    None,
    /// CREATE drops `status`, only the subresource writes it.
    DroppedOnCreate,
    /// CREATE stores the `status` of the body, later only the subresource writes it.
    KeptOnCreate,
}

/// Validation rule for `metadata.finalizers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinalizerRule {
    /// A name without a domain has to be one of Kubernetes' own.
    Standard,
    /// Upstream does not call `ValidateObjectMeta` with that check for the kind.
    Unchecked,
}

/// Conversion of a kind to its stored version and back.
#[derive(Debug, Clone, Copy)]
pub struct Conversion {
    /// The kind and version that is stored.
    pub stored: &'static BuiltinKind,
    /// Turns a stored object into one of this version.
    pub from_stored: fn(&mut Value),
    /// Turns an object of this version into the stored one.
    pub to_stored: fn(&mut Value),
}

pub(super) const NO_DEFAULTS: &str = "upstream sets no defaults for the kind";
pub(super) const NO_INITIAL_STATE: &str = "the server sets no field of a new object";
pub(super) const NO_KEPT_STATE: &str = "the server owns no field outside metadata and status";
pub(super) const NO_DELETION_STATE: &str = "deletion needs no state besides deletionTimestamp";
pub(super) const NO_WARNINGS: &str = "no valid object is worth a warning";
pub(super) const DEFAULT_TABLE: &str = "the default table with name and creation time is enough";
pub(super) const NAME_AND_NAMESPACE: &str = "upstream selects the kind by name and namespace only";
pub(super) const ONE_FORM: &str = "stored in the form in which it is served";

impl<T> Hook<T> {
    /// The hook, if the kind has it.
    pub fn get(&self) -> Option<&T> {
        match self {
            Self::Defined(hook) => Some(hook),
            Self::NotNeeded(_) => None,
        }
    }

    /// Why the kind has none.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Defined(_) => None,
            Self::NotNeeded(reason) => Some(reason),
        }
    }
}

/// A kind that asks a question: its objects are answered and never stored.
pub(super) const fn review(
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    singular: &'static str,
) -> BuiltinKind {
    const NOT_STORED: &str = "answered and never stored";
    BuiltinKind {
        resource: BuiltinResource::new(group, "v1", kind, plural).singular(singular).verbs(CREATE_ONLY),
        names: NameRule::Subdomain,
        generation: Generation::None,
        status: StatusRule::None,
        finalizers: FinalizerRule::Standard,
        defaults: NotNeeded(NO_DEFAULTS),
        prepare_for_create: NotNeeded(NOT_STORED),
        prepare_for_update: NotNeeded(NOT_STORED),
        prepare_for_delete: NotNeeded(NOT_STORED),
        validate: NotNeeded("the review itself checks its spec"),
        warnings: NotNeeded(NO_WARNINGS),
        table: NotNeeded(DEFAULT_TABLE),
        selectable: NotNeeded(NOT_STORED),
        conversion: NotNeeded(NOT_STORED),
    }
}

impl BuiltinKind {
    /// The same kind with objects in namespaces.
    pub(super) const fn namespaced(mut self) -> Self {
        self.resource = self.resource.namespaced();
        self
    }

    /// The version in which objects are stored.
    pub(crate) fn stored_version(&'static self) -> &'static Self {
        self.conversion.get().map_or(self, |conversion| conversion.stored)
    }

    /// The table that `kubectl get` prints.
    pub(crate) fn table(&self) -> &'static Table {
        self.table.get().copied().unwrap_or(&table::DEFAULT)
    }

    fn validate(
        &self,
        new: &Value,
        old: Option<&Value>,
        metadata: impl FnOnce(&mut FieldErrors),
    ) -> Validation {
        let mut errors = FieldErrors::default();
        metadata(&mut errors);
        if self.finalizers == FinalizerRule::Standard {
            metadata::check_standard_finalizers(new, &mut errors);
        }
        if let Some(validate) = self.validate.get() {
            validate(new, old, &mut errors);
        }
        let errors: Vec<FieldError> = errors.into_errors();
        let warnings = match self.warnings.get() {
            Some(warnings) if errors.is_empty() => warnings(new, old),
            _ => Vec::new(),
        };
        Validation { errors, warnings }
    }
}

impl Strategy for BuiltinKind {
    fn apply_defaults(&self, object: &mut Value) {
        if let (Some(defaults), Some(object)) = (self.defaults.get(), object.as_object_mut()) {
            defaults(object);
        }
    }

    fn prepare_for_create(&self, object: &mut Value) {
        if let Some(prepare) = self.prepare_for_create.get() {
            prepare(object);
        }
    }

    fn prepare_for_update(&self, object: &mut Value) {
        if let Some(prepare) = self.prepare_for_update.get() {
            prepare(object);
        }
    }

    fn prepare_for_delete(&self, object: &mut Value, now: &str) {
        if let Some(prepare) = self.prepare_for_delete.get() {
            prepare(object, now);
        }
    }

    fn validate_create(&self, object: &Value, _: &Interrupt) -> Validation {
        self.validate(object, None, |errors| {
            metadata::check(object, self.names, self.resource.namespaced, errors);
        })
    }

    fn validate_update(&self, new: &Value, old: &Value, _: &Interrupt) -> Validation {
        self.validate(new, Some(old), |errors| metadata::check_update(new, old, errors))
    }

    fn columns(&self) -> Vec<Value> {
        self.table().definitions()
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        self.table().row(object, now)
    }

    fn shows_stored_fields(&self, _: Revision) -> bool {
        self.conversion.get().is_none()
    }

    fn shows_stored_object(&self, _: Revision) -> bool {
        self.conversion.get().is_none()
    }

    fn convert_from_stored(&self, object: &mut Value, _: Revision) {
        if let Some(conversion) = self.conversion.get() {
            (conversion.from_stored)(object);
        }
    }

    fn convert_to_stored<'v>(&self, object: &'v Value) -> Cow<'v, Value> {
        match self.conversion.get() {
            None => Cow::Borrowed(object),
            Some(conversion) => {
                let mut stored = object.clone();
                (conversion.to_stored)(&mut stored);
                Cow::Owned(stored)
            }
        }
    }
}
