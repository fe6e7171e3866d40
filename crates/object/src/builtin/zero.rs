//! What Go prints for an object without content: `omitempty` has no effect on structs, so they are there, and a field without
//! it is there with its zero value.

use serde_json::{Map, Value};

use super::table::{Kind, ModelId, Table, Typed};

/// The zero value of a model. Lists and maps without `omitempty` are null.
pub(super) fn object(table: &Table, model: ModelId) -> Map<String, Value> {
    let mut object = Map::new();
    for field in &table.model(model).fields {
        match &field.kind.kind {
            Kind::Model(inner) if field.is_inline => object.extend(self::object(table, *inner)),
            _ if field.is_pointer || field.omits_its_zero() => {}
            _ => {
                object.insert(field.name.to_owned(), value(table, &field.kind));
            }
        }
    }
    object
}

fn value(table: &Table, typed: &Typed) -> Value {
    match &typed.kind {
        // A struct that is not behind a pointer does not contain itself.
        Kind::Model(model) => Value::Object(object(table, *model)),
        Kind::List(_) | Kind::Map(_) | Kind::Items(_) => Value::Null,
        Kind::Scalar(scalar) => scalar.zero(),
    }
}
