//! Structural schemas: what fields a kind has and how its lists and maps merge.
//!
//! Built-in kinds and custom resources share this form. Strategic merge, server-side apply, pruning, defaulting,
//! validation and unknown-field detection all walk it.

#[cfg(test)]
mod bounds_tests;
mod correlation;
pub mod decode;
pub mod defaults;
mod field_path;
mod findings;
mod formats;
pub mod json;
mod path;
pub mod prune;
#[cfg(feature = "cel")]
pub mod rules;
pub mod structural;
pub mod validate;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

pub use defaults::default;
pub use prune::{prune, unknown_fields};
pub use validate::validate;

/// Index of a node in its [`SchemaSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

/// A graph of schema nodes; kinds of one set share their nodes (`ObjectMeta`, `PodSpec`).
#[derive(Debug, Clone, Default)]
pub struct SchemaSet {
    /// All nodes; a [`NodeId`] is an index into this.
    pub nodes: Vec<Node>,
}

/// A node together with its set, cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Schema<'a> {
    set: &'a SchemaSet,
    id: NodeId,
}

/// Shape, constraints and merge rules of a value.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// The shape of the value.
    pub shape: Shape,
    /// `nullable: true`.
    pub nullable: bool,
    /// The default that is filled in when the value is absent.
    pub default: Option<Value>,
    /// Names of properties that must be there.
    pub required: Vec<Box<str>>,
    /// List type of server-side apply; ignored on other shapes.
    pub list: ListKind,
    /// Server-side apply owns a map as one value (`x-kubernetes-map-type: atomic`).
    pub atomic: bool,
    /// Strategic merge of a list merges instead of replacing (`x-kubernetes-patch-strategy`).
    pub patch_merge: bool,
    /// Strategic merge keeps only the listed keys (`retainKeys`).
    pub patch_retain_keys: bool,
    /// The key by which strategic merge matches list elements.
    pub patch_merge_key: Option<Box<str>>,
    /// `x-kubernetes-preserve-unknown-fields`.
    pub preserve_unknown: bool,
    /// `x-kubernetes-embedded-resource`.
    pub embedded_resource: bool,
    /// Value constraints; `None` for the many nodes that have none.
    pub checks: Option<Box<Checks>>,
    /// Go type and JSON form; `None` for custom resources.
    pub native: Option<Arc<Native>>,
}

/// Go type and JSON form of a value of a built-in kind; they decide over errors and their texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Native {
    /// The type as Go prints it, such as `[]v1.Container`.
    pub go_type: Box<str>,
    /// The JSON form.
    pub codec: Codec,
    /// For properties that come from an inlined struct, the Go field that holds it; it appears in error texts.
    pub embedded: BTreeMap<Box<str>, Box<str>>,
    /// Properties of a struct that Go leaves out of its JSON when they have their zero value.
    pub omitted_zeros: BTreeSet<Box<str>>,
}

/// The JSON form of a Go type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// An object with fields.
    Struct,
    /// A list.
    List,
    /// A map from strings.
    Map,
    /// A string.
    String,
    /// A string in base64.
    Bytes,
    /// A truth value.
    Bool,
    /// A whole number of 32 bits.
    Int32,
    /// A whole number of 64 bits.
    Int64,
    /// Any number.
    Double,
    /// RFC 3339.
    Time,
    /// RFC 3339 with exactly six digits after the second.
    MicroTime,
    /// `resource.Quantity`.
    Quantity,
    /// A whole number of 32 bits, or a string.
    IntOrString,
    /// Any JSON.
    Raw,
}

/// The shape of a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Shape {
    /// Anything: no schema is known here.
    #[default]
    Any,
    /// A map with known properties; others are unknown fields.
    Object(BTreeMap<Box<str>, NodeId>),
    /// A map from arbitrary strings (`additionalProperties`).
    Map(NodeId),
    /// A list.
    Array(NodeId),
    /// A string.
    String,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// A truth value.
    Boolean,
    /// `x-kubernetes-int-or-string`, and `IntOrString` and `Quantity` of the built-in kinds.
    IntOrString,
}

/// List type of server-side apply (`x-kubernetes-list-type`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ListKind {
    /// One value, replaced as a whole.
    #[default]
    Atomic,
    /// A set of scalars.
    Set,
    /// Elements identified by these keys.
    Map(Vec<Box<str>>),
}

/// Value constraints of one node.
#[derive(Debug, Clone, Default)]
pub struct Checks {
    /// Allowed values, in the order declared.
    pub one_of: Vec<Value>,
    /// `format`.
    pub format: Option<Box<str>>,
    /// `pattern`, compiled once.
    pub pattern: Option<Pattern>,
    /// `minimum`, and whether it is exclusive.
    pub minimum: Option<(f64, bool)>,
    /// `maximum`, and whether it is exclusive.
    pub maximum: Option<(f64, bool)>,
    /// `minLength`, in code points.
    pub min_length: Option<u64>,
    /// `maxLength`, in code points.
    pub max_length: Option<u64>,
    /// `minItems`.
    pub min_items: Option<u64>,
    /// `maxItems`.
    pub max_items: Option<u64>,
    /// `minProperties`.
    pub min_properties: Option<u64>,
    /// `maxProperties`.
    pub max_properties: Option<u64>,
    /// `multipleOf`.
    pub multiple_of: Option<f64>,
    /// `x-kubernetes-validations`, as written.
    pub rules: Vec<Value>,
    /// `anyOf`.
    pub any_of: Vec<NodeId>,
    /// `allOf`.
    pub all_of: Vec<NodeId>,
    /// `oneOf`.
    pub exactly_one_of: Vec<NodeId>,
    /// `not`.
    pub not: Option<NodeId>,
    /// No type is declared: the shape says only where constraints of parts apply, and any value may stand here.
    pub untyped: bool,
}

/// A regular expression and how it was written.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// As in the schema, in Go's syntax.
    pub source: Box<str>,
    /// The same in ours.
    pub regex: regex::Regex,
}

impl SchemaSet {
    /// A view of one node.
    pub fn view(&self, id: NodeId) -> Schema<'_> {
        Schema { set: self, id }
    }

    /// Adds a node.
    pub fn push(&mut self, node: Node) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(node);
        id
    }

    /// Copies a schema of another set, with all that it refers to.
    pub fn copy(&mut self, schema: Schema<'_>) -> NodeId {
        self.copy_into(schema, &mut BTreeMap::new())
    }

    fn copy_into(&mut self, schema: Schema<'_>, copied: &mut BTreeMap<NodeId, NodeId>) -> NodeId {
        if let Some(known) = copied.get(&schema.id) {
            return *known;
        }
        let mut node = schema.node().clone();
        let id = self.push(Node::default());
        copied.insert(schema.id, id);
        let mut copy = |part: &mut NodeId| *part = self.copy_into(schema.sibling(*part), copied);
        match &mut node.shape {
            Shape::Object(properties) => properties.values_mut().for_each(&mut copy),
            Shape::Map(part) | Shape::Array(part) => copy(part),
            _ => {}
        }
        if let Some(checks) = node.checks.as_deref_mut() {
            let nested = [&mut checks.any_of, &mut checks.all_of, &mut checks.exactly_one_of];
            nested.into_iter().flatten().chain(&mut checks.not).for_each(copy);
        }
        self.nodes[id.0 as usize] = node;
        id
    }
}

impl<'a> Schema<'a> {
    /// The node itself.
    pub fn node(self) -> &'a Node {
        &self.set.nodes[self.id.0 as usize]
    }

    /// The schema of a property, or of a map's values; `None` when the field is unknown here.
    pub fn property(self, name: &str) -> Option<Schema<'a>> {
        let id = match &self.node().shape {
            Shape::Object(properties) => *properties.get(name)?,
            Shape::Map(values) => *values,
            _ => return None,
        };
        Some(self.set.view(id))
    }

    /// Which node this is.
    #[cfg(feature = "cel")]
    pub(crate) fn id(self) -> NodeId {
        self.id
    }

    /// Whether names are free (`additionalProperties`), so that paths print them in brackets.
    pub(crate) fn is_map(self) -> bool {
        matches!(self.node().shape, Shape::Map(_))
    }

    /// Another node of the same set.
    pub(crate) fn sibling(self, id: NodeId) -> Schema<'a> {
        self.set.view(id)
    }

    /// Whether any node of the set has validation rules.
    pub(crate) fn set_has_rules(self) -> bool {
        self.set.nodes.iter().any(|node| node.checks.as_ref().is_some_and(|checks| !checks.rules.is_empty()))
    }

    /// The schema of a list's elements.
    pub fn items(self) -> Option<Schema<'a>> {
        match self.node().shape {
            Shape::Array(items) => Some(self.set.view(items)),
            _ => None,
        }
    }
}
