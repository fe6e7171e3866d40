//! Quantities in their original notation.

use portolan_object::quantity::Quantity as Amount;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `resource.Quantity`: a number with a unit. YAML allows a bare number, so both notations are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quantity(pub Value);

impl Quantity {
    /// The amount; `None` if the notation is not a quantity.
    pub fn amount(&self) -> Option<Amount> {
        match &self.0 {
            Value::String(text) => Amount::parse(text).ok(),
            Value::Number(number) => Amount::parse(&number.to_string()).ok(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

/// The amount in canonical notation.
impl From<Amount> for Quantity {
    fn from(amount: Amount) -> Self {
        Self(Value::String(amount.to_string()))
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Quantity".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [{ "type": "integer" }, { "type": "string" }],
            "pattern": r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$",
            "x-kubernetes-int-or-string": true,
        })
    }
}
