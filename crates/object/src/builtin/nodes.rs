//! Builds the schema graph of the built-in kinds from their table.
//!
//! Fields of equal type and merging share a node, so that the graph stays small: a few thousand fields become
//! several hundred nodes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::table::{Field, Kind, Merging, ModelId, Scalar, Table, Typed};
use crate::schema::{Codec, ListKind, Native, Node, NodeId, SchemaSet, Shape};

/// The graph of all models, and where each model is in it.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    pub(super) set: SchemaSet,
    models: HashMap<ModelId, NodeId>,
    by_signature: HashMap<String, NodeId>,
}

impl Nodes {
    /// Builds the models of all kinds and everything below them.
    pub(super) fn build(table: &Table) -> Self {
        let mut nodes = Self::default();
        for (_, _, model) in &table.kinds {
            nodes.model(table, *model);
        }
        nodes.by_signature = HashMap::new();
        nodes.set.nodes.shrink_to_fit();
        nodes
    }

    /// The node of a model that [`Nodes::build`] has reached.
    pub(super) fn get(&self, model: ModelId) -> Option<NodeId> {
        self.models.get(&model).copied()
    }

    fn model(&mut self, table: &Table, id: ModelId) -> NodeId {
        if let Some(known) = self.models.get(&id) {
            return *known;
        }
        // Registered before its fields: JSON schemas contain themselves.
        let node = self.set.push(Node::default());
        self.models.insert(id, node);
        let mut object = Object::default();
        self.add_fields(table, id, "", &mut object);
        let model = table.model(id);
        let native = Native {
            go_type: model.go_type.into(),
            codec: Codec::Struct,
            embedded: object.embedded,
            omitted_zeros: object.omitted_zeros,
        };
        self.set.nodes[node.0 as usize] = Node {
            shape: Shape::Object(object.properties),
            required: object.required,
            atomic: model.is_atomic,
            native: Some(Arc::new(native)),
            ..Node::default()
        };
        node
    }

    fn add_fields(&mut self, table: &Table, id: ModelId, embedded: &str, object: &mut Object) {
        for field in &table.model(id).fields {
            if let (true, Kind::Model(inner)) = (field.is_inline, &field.kind.kind) {
                let path = if embedded.is_empty() {
                    field.name.to_owned()
                } else {
                    format!("{embedded}.{}", field.name)
                };
                self.add_fields(table, *inner, &path, object);
                continue;
            }
            let node = self.field(table, field);
            object.properties.insert(field.name.into(), node);
            if field.is_required {
                object.required.push(field.name.into());
            }
            if field.omits_its_zero() {
                object.omitted_zeros.insert(field.name.into());
            }
            if !embedded.is_empty() {
                object.embedded.insert(field.name.into(), embedded.into());
            }
        }
    }

    fn field(&mut self, table: &Table, field: &Field) -> NodeId {
        if let Some(known) = self.by_signature.get(&field.signature) {
            return *known;
        }
        let plain = self.typed(table, &field.kind);
        let node = if field.merging.is_plain() {
            plain
        } else {
            let mut node = self.set.nodes[plain.0 as usize].clone();
            field.merging.apply(&mut node);
            self.set.push(node)
        };
        self.by_signature.insert(field.signature.clone(), node);
        node
    }

    fn typed(&mut self, table: &Table, typed: &Typed) -> NodeId {
        let (codec, shape) = match &typed.kind {
            Kind::Model(id) => return self.model(table, *id),
            Kind::List(element) | Kind::Items(element) => {
                (Codec::List, Shape::Array(self.typed(table, element)))
            }
            Kind::Map(value) => (Codec::Map, Shape::Map(self.typed(table, value))),
            Kind::Scalar(scalar) => scalar.decoding(),
        };
        let go_type = table.go_type(typed);
        let signature = format!("{codec:?} {shape:?} {go_type}");
        if let Some(known) = self.by_signature.get(&signature) {
            return *known;
        }
        let native = Native {
            go_type: go_type.into(),
            codec,
            embedded: BTreeMap::new(),
            omitted_zeros: BTreeSet::new(),
        };
        // Content of any form has one owner.
        let is_any = codec == Codec::Raw;
        let node = self.set.push(Node {
            shape,
            preserve_unknown: is_any,
            atomic: is_any,
            native: Some(Arc::new(native)),
            ..Node::default()
        });
        self.by_signature.insert(signature, node);
        node
    }
}

/// Properties of one object, collected while its inlined structs are walked.
#[derive(Default)]
struct Object {
    properties: BTreeMap<Box<str>, NodeId>,
    required: Vec<Box<str>>,
    embedded: BTreeMap<Box<str>, Box<str>>,
    omitted_zeros: BTreeSet<Box<str>>,
}

impl Merging {
    fn is_plain(&self) -> bool {
        let Self { is_atomic, is_set, list_keys, patch_merge, patch_retain_keys, patch_merge_key, default } =
            self;
        let is_flagged = *is_atomic || *is_set || *patch_merge || *patch_retain_keys;
        !is_flagged && list_keys.is_empty() && patch_merge_key.is_empty() && default.is_empty()
    }

    fn apply(&self, node: &mut Node) {
        node.atomic |= self.is_atomic;
        if self.is_set {
            node.list = ListKind::Set;
        } else if !self.list_keys.is_empty() {
            node.list = ListKind::Map(self.list_keys.split(',').map(Into::into).collect());
        }
        node.patch_merge = self.patch_merge;
        node.patch_retain_keys = self.patch_retain_keys;
        node.patch_merge_key = (!self.patch_merge_key.is_empty()).then(|| self.patch_merge_key.into());
        node.default = serde_json::from_str(self.default).ok();
    }
}

impl Scalar {
    fn decoding(self) -> (Codec, Shape) {
        match self {
            Self::String => (Codec::String, Shape::String),
            Self::Bool => (Codec::Bool, Shape::Boolean),
            Self::Int32 => (Codec::Int32, Shape::Integer),
            Self::Int64 => (Codec::Int64, Shape::Integer),
            Self::Double => (Codec::Double, Shape::Number),
            Self::Bytes => (Codec::Bytes, Shape::String),
            Self::Time => (Codec::Time, Shape::String),
            Self::MicroTime => (Codec::MicroTime, Shape::String),
            Self::Quantity => (Codec::Quantity, Shape::IntOrString),
            Self::IntOrString => (Codec::IntOrString, Shape::IntOrString),
            Self::Raw | Self::SchemaOrArray | Self::SchemaOrBool | Self::SchemaOrStrings => {
                (Codec::Raw, Shape::Any)
            }
        }
    }
}
