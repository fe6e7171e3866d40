//! Builds the nodes of a schema that has been found structural.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::formats::Format;
use super::super::{Checks, ListKind, Node, NodeId, Pattern, SchemaSet, Shape};
use super::props::Props;
use super::{Structural, pattern};
use crate::builtin;

/// Builds the schema of a whole object.
pub(super) fn build(schema: Props<'_>) -> Structural {
    let mut builder = Builder { set: SchemaSet::default(), warnings: BTreeSet::new() };
    let root = builder.node(schema, true);
    builder.set.nodes.shrink_to_fit();
    Structural { set: builder.set, root, warnings: builder.warnings.into_iter().collect() }
}

struct Builder {
    set: SchemaSet,
    warnings: BTreeSet<String>,
}

impl Builder {
    fn node(&mut self, schema: Props<'_>, is_root: bool) -> NodeId {
        let mut shape = self.shape(schema);
        if (is_root || schema.is_embedded())
            && let Shape::Object(properties) = &mut shape
        {
            self.add_object_fields(properties);
        }
        let checks = self.checks(schema);
        self.set.push(Node {
            shape,
            nullable: schema.flag("nullable"),
            default: schema.get("default").cloned(),
            required: schema.texts("required").map(Into::into).collect(),
            list: list_kind(schema),
            atomic: schema.str_field("x-kubernetes-map-type") == "atomic",
            preserve_unknown: schema.preserves_unknown(),
            embedded_resource: schema.is_embedded(),
            checks,
            ..Node::default()
        })
    }

    fn shape(&mut self, schema: Props<'_>) -> Shape {
        if schema.is_int_or_string() {
            return Shape::IntOrString;
        }
        match schema.kind() {
            "string" => Shape::String,
            "integer" => Shape::Integer,
            "number" => Shape::Number,
            "boolean" => Shape::Boolean,
            "array" => self.array(schema),
            "object" => self.object(schema),
            _ if schema.has("properties") || schema.is_embedded() => self.object(schema),
            _ if schema.schema("items").is_some() => self.array(schema),
            _ => Shape::Any,
        }
    }

    fn array(&mut self, schema: Props<'_>) -> Shape {
        let items = match schema.schema("items") {
            Some(items) => self.node(items, false),
            None => self.set.push(Node::default()),
        };
        Shape::Array(items)
    }

    fn object(&mut self, schema: Props<'_>) -> Shape {
        if schema.has("properties") {
            let properties = schema.named("properties");
            return Shape::Object(
                properties.map(|(name, part)| (name.as_str().into(), self.node(part, false))).collect(),
            );
        }
        match schema.get("additionalProperties") {
            Some(Value::Object(_)) => match schema.schema("additionalProperties") {
                Some(values) => Shape::Map(self.node(values, false)),
                None => Shape::Object(BTreeMap::new()),
            },
            Some(Value::Bool(true)) => Shape::Map(self.set.push(Node::default())),
            _ => Shape::Object(BTreeMap::new()),
        }
    }

    /// Every object has `apiVersion`, `kind` and the metadata of its API server, whatever its schema says; what the
    /// schema says about names is kept.
    fn add_object_fields(&mut self, properties: &mut BTreeMap<Box<str>, NodeId>) {
        for name in ["apiVersion", "kind"] {
            if !properties.contains_key(name) {
                let node = self.set.push(Node { shape: Shape::String, ..Node::default() });
                properties.insert(name.into(), node);
            }
        }
        let metadata = self.set.copy(builtin::object_meta());
        if let Some(declared) = properties.insert("metadata".into(), metadata)
            && let Shape::Object(restricted) = self.set.nodes[declared.0 as usize].shape.clone()
            && let Shape::Object(known) = &mut self.set.nodes[metadata.0 as usize].shape
        {
            known.extend(restricted);
        }
    }

    fn checks(&mut self, schema: Props<'_>) -> Option<Box<Checks>> {
        if cfg!(not(feature = "cel")) {
            let rules = schema.schemas("x-kubernetes-validations");
            self.warnings.extend(
                rules.map(|rule| format!("validation rule not enforced: {:?}", rule.str_field("rule"))),
            );
        }
        let exclusive =
            |limit: &str, flag: &str| schema.number(limit).map(|number| (number, schema.flag(flag)));
        let checks = Checks {
            one_of: schema.list("enum").to_vec(),
            format: self.format(schema),
            pattern: pattern_of(schema.str_field("pattern")),
            minimum: exclusive("minimum", "exclusiveMinimum"),
            maximum: exclusive("maximum", "exclusiveMaximum"),
            min_length: schema.count("minLength"),
            max_length: schema.count("maxLength"),
            min_items: schema.count("minItems"),
            max_items: schema.count("maxItems"),
            min_properties: schema.count("minProperties"),
            max_properties: schema.count("maxProperties"),
            multiple_of: schema.number("multipleOf"),
            rules: schema.list("x-kubernetes-validations").to_vec(),
            any_of: self.nodes(schema, "anyOf"),
            all_of: self.nodes(schema, "allOf"),
            exactly_one_of: self.nodes(schema, "oneOf"),
            not: schema.schema("not").map(|nested| self.node(nested, false)),
            untyped: schema.kind().is_empty() && !schema.is_int_or_string(),
        };
        let says_something = checks.untyped || CHECKING.iter().any(|name| schema.get(name).is_some());
        says_something.then(|| Box::new(checks))
    }

    fn nodes(&mut self, schema: Props<'_>, operator: &str) -> Vec<NodeId> {
        schema.schemas(operator).map(|nested| self.node(nested, false)).collect()
    }

    /// The format, if it is one that applies to the type; others are ignored with a warning.
    fn format(&mut self, schema: Props<'_>) -> Option<Box<str>> {
        let format = schema.str_field("format");
        let is_known = match schema.kind() {
            "" | "string" if !schema.is_int_or_string() => Format::parse(format).is_some(),
            "integer" => matches!(format, "int32" | "int64"),
            "number" => matches!(format, "float" | "double"),
            _ => false,
        };
        if !is_known && !format.is_empty() {
            self.warnings.insert(format!("unrecognized format {format:?}"));
        }
        is_known.then(|| format.into())
    }
}

/// Keywords that make a node check its value.
const CHECKING: [&str; 18] = [
    "enum",
    "format",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "multipleOf",
    "x-kubernetes-validations",
    "anyOf",
    "allOf",
    "oneOf",
    "not",
    "x-kubernetes-preserve-unknown-fields",
];

/// Patterns that do not compile were refused before.
fn pattern_of(text: &str) -> Option<Pattern> {
    let regex = (!text.is_empty()).then(|| pattern::compile(text).ok())??;
    Some(Pattern { source: text.into(), regex })
}

fn list_kind(schema: Props<'_>) -> ListKind {
    match schema.str_field("x-kubernetes-list-type") {
        "set" => ListKind::Set,
        "map" => ListKind::Map(schema.texts("x-kubernetes-list-map-keys").map(Into::into).collect()),
        _ => ListKind::Atomic,
    }
}
