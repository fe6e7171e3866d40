//! Attributes with which the types steer how they are written and how their schema comes out.
//!
//! The rule is that of Go's API types: a field that is left out when empty is optional, every other field is
//! required. The two marks here state the exceptions; `crd` reads and removes them.

use schemars::Schema;

/// Marks a field that is always written and optional when read.
pub(crate) const OPTIONAL: &str = "x-portolan-optional";

/// Marks a field with a Rust default that is also the default in the CRD.
pub(crate) const DEFAULTED: &str = "x-portolan-defaulted";

/// Marks a field with a default in the CRD that the Rust type does not have.
pub(crate) const DEFAULT: &str = "x-portolan-default";

/// For `skip_serializing_if`: whether a field has its default value.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// For `schemars(transform)`: the field is optional.
pub(crate) fn optional(schema: &mut Schema) {
    schema.insert(OPTIONAL.to_owned(), true.into());
}

/// For `schemars(transform)`: the API server fills in the field's Rust default.
pub(crate) fn defaulted(schema: &mut Schema) {
    schema.insert(DEFAULTED.to_owned(), true.into());
}

/// For `schemars(transform)`: any object, with unknown fields preserved.
pub(crate) fn opaque_object(schema: &mut Schema) {
    *schema = schemars::json_schema!({
        "description": schema.remove("description"),
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": true,
    });
}
