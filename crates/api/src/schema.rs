//! Attributes with which the types steer how they are written and how their schema comes out.
//!
//! The rule is that of Go's API types: a field that is left out when empty is optional, every other field is
//! required. The two marks here state the exceptions; `crd` reads and removes them.

use schemars::Schema;

/// The mark of a field that is always written but need not be there when read.
pub(crate) const OPTIONAL: &str = "x-portolan-optional";

/// The mark of a field whose Rust default is also the default in the CRD.
pub(crate) const DEFAULTED: &str = "x-portolan-defaulted";

/// The mark that carries a default of the CRD which the Rust type does not have.
pub(crate) const DEFAULT: &str = "x-portolan-default";

/// For `skip_serializing_if`: whether a field says nothing.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// For `schemars(transform)`: the field need not be there.
pub(crate) fn optional(schema: &mut Schema) {
    schema.insert(OPTIONAL.to_owned(), true.into());
}

/// For `schemars(transform)`: the API server fills in the field's Rust default.
pub(crate) fn defaulted(schema: &mut Schema) {
    schema.insert(DEFAULTED.to_owned(), true.into());
}

/// For `schemars(transform)`: any object, kept as it is.
pub(crate) fn opaque_object(schema: &mut Schema) {
    *schema = schemars::json_schema!({
        "description": schema.remove("description"),
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": true,
    });
}
