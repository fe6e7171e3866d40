//! What a schema says about the types and sizes of values (k8s.io/apiserver/pkg/cel/common/schemas.go).
//!
//! Where a schema sets no limit, a value is as large as fits into the largest request.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::schema::{Checks, Node, NodeId, Schema, Shape};

/// The largest request (`MaxRequestSizeBytes` in k8s.io/apiserver/pkg/apis/cel/config.go).
const MAX_REQUEST_BYTES: u64 = 3 * 1024 * 1024;
/// The longest text that fits into a request with its quotation marks.
const MAX_TEXT: u64 = MAX_REQUEST_BYTES - 2;

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Any,
    Bool,
    Number,
    String,
    Bytes,
    /// A time or a duration.
    Time,
    List,
    Map,
    /// With declared fields.
    Object,
    /// A value that may be absent.
    Optional,
    /// Constant size and no structure, such as a quantity.
    Scalar,
}

/// The declaration of a value.
#[derive(Debug)]
pub(crate) struct Declaration {
    pub(super) kind: Kind,
    /// Fields of an object, by the names that expressions use.
    pub(super) fields: BTreeMap<String, Arc<Declaration>>,
    /// Elements of a list, or values of a map.
    pub(super) elements: Option<Arc<Declaration>>,
    /// Characters, bytes, elements or entries; 0 where a size means nothing, as upstream.
    pub(super) max_elements: u64,
    /// Whether a number is an integer.
    pub(super) is_whole: bool,
    /// Whether a time is a duration.
    pub(super) is_duration: bool,
    /// Bytes of the shortest JSON of a value.
    min_bytes: u64,
}

impl Declaration {
    fn simple(kind: Kind, max_elements: u64, min_bytes: u64) -> Self {
        Self {
            kind,
            fields: BTreeMap::new(),
            elements: None,
            max_elements,
            is_whole: false,
            is_duration: false,
            min_bytes,
        }
    }

    /// The keys of maps, for which upstream assumes no length.
    pub(super) fn key() -> Arc<Self> {
        Arc::new(Self::simple(Kind::String, 0, 2))
    }

    /// How often a value of this type fits into a request.
    pub(crate) fn max_cardinality(&self) -> u64 {
        MAX_REQUEST_BYTES / (self.min_bytes + 1)
    }
}

/// Declarations of the nodes of a schema, each made once.
#[derive(Debug, Default)]
pub(crate) struct Declarations {
    known: BTreeMap<NodeId, Option<Arc<Declaration>>>,
}

impl Declarations {
    /// The declaration of a node; `None` where rules cannot see the value. `escape` turns a property's name into an
    /// identifier.
    pub(crate) fn of(&mut self, schema: Schema<'_>, escape: fn(&str) -> String) -> Option<Arc<Declaration>> {
        if let Some(known) = self.known.get(&schema.id()) {
            return known.clone();
        }
        let declaration = self.declare(schema, escape).map(Arc::new);
        self.known.insert(schema.id(), declaration.clone());
        declaration
    }

    fn declare(&mut self, schema: Schema<'_>, escape: fn(&str) -> String) -> Option<Declaration> {
        let node = schema.node();
        if node.native.is_some() {
            return native(node);
        }
        let checks = node.checks.as_deref();
        Some(match &node.shape {
            Shape::Any => return None,
            Shape::Boolean => Declaration::simple(Kind::Bool, 0, 4),
            Shape::Integer | Shape::Number => {
                let is_whole = matches!(node.shape, Shape::Integer);
                Declaration { is_whole, ..Declaration::simple(Kind::Number, 0, 1) }
            }
            Shape::IntOrString => {
                let max = checks.and_then(|checks| checks.max_length);
                let max = max.map_or(MAX_TEXT, |length| length.saturating_mul(4));
                Declaration::simple(Kind::Any, max, 1)
            }
            Shape::String => text(checks),
            Shape::Array(_) => {
                let elements = self.of(schema.items()?, escape)?;
                let fits = (MAX_REQUEST_BYTES - 2) / (elements.min_bytes + 1);
                let max = checks.and_then(|checks| checks.max_items).unwrap_or(fits);
                Declaration { elements: Some(elements), ..Declaration::simple(Kind::List, max, 2) }
            }
            Shape::Map(values) => {
                let elements = self.of(schema.sibling(*values), escape)?;
                // A key of two characters, its quotation marks, a colon and a comma.
                let fits = (MAX_REQUEST_BYTES - 2) / (elements.min_bytes + 6);
                let max = checks.and_then(|checks| checks.max_properties).unwrap_or(fits);
                Declaration { elements: Some(elements), ..Declaration::simple(Kind::Map, max, 2) }
            }
            Shape::Object(properties) => {
                let mut object = Declaration::simple(Kind::Object, 0, 2);
                for (name, id) in properties {
                    let property = schema.sibling(*id);
                    let Some(field) = self.of(property, escape) else { continue };
                    let is_required = node.required.iter().any(|required| required == name);
                    if is_required && property.node().default.is_none() {
                        // Quotation marks, a colon and a comma.
                        object.min_bytes += name.len() as u64 + field.min_bytes + 4;
                    }
                    object.fields.insert(escape(name), field);
                }
                object
            }
        })
    }
}

/// Of the metadata of an object, rules see two names.
fn native(node: &Node) -> Option<Declaration> {
    let Shape::Object(_) = node.shape else { return None };
    let mut object = Declaration::simple(Kind::Object, 0, 2);
    for name in ["name", "generateName"] {
        object.fields.insert(name.to_owned(), Arc::new(Declaration::simple(Kind::String, MAX_TEXT, 2)));
    }
    Some(object)
}

fn text(checks: Option<&Checks>) -> Declaration {
    let max_length = checks.and_then(|checks| checks.max_length);
    let format = checks.and_then(|checks| checks.format.as_deref());
    match format {
        Some("byte") => Declaration::simple(Kind::Bytes, max_length.unwrap_or(MAX_TEXT), 2),
        Some("duration") => Declaration { is_duration: true, ..Declaration::simple(Kind::Time, 32, 3) },
        Some("date") => Declaration::simple(Kind::Time, 12, 12),
        Some("date-time" | "datetime") => Declaration::simple(Kind::Time, 32, 21),
        _ => {
            let longest_value = checks.and_then(|checks| {
                checks.one_of.iter().filter_map(|value| value.as_str()).map(|text| text.len() as u64).max()
            });
            // A character has up to four bytes.
            let max = max_length.map(|length| length.saturating_mul(4)).or(longest_value);
            Declaration::simple(Kind::String, max.unwrap_or(MAX_TEXT), 2)
        }
    }
}
