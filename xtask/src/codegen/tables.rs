//! Joins Go sources, protobuf descriptors and OpenAPI into the table that `portolan_object::builtin` reads.
//!
//! The format is one line per kind, model and field; `crates/object/src/builtin/table.rs` documents it where it
//! is read. Every fact that two sources state is compared, so that a misread source stops the generator.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context, Result, bail, ensure};
use prost_types::FieldDescriptorProto;
use serde_json::{Map, Value};

use super::go_source::{Declaration, Field, Json, Package, Type, declaration};
use super::openapi::ServedKind;
use super::protobuf::{Cardinality, Messages, Wire};

/// Where models come from.
pub(super) struct Sources<'a> {
    pub(super) packages: &'a BTreeMap<String, Package>,
    pub(super) messages: &'a Messages,
    /// OpenAPI schemas by name.
    pub(super) schemas: &'a BTreeMap<String, Value>,
}

/// The whole table as text.
pub(super) fn table(sources: &Sources<'_>, kinds: &[ServedKind]) -> Result<String> {
    let mut models = Models { sources, lines: BTreeMap::new(), waiting: Vec::new() };
    let mut text = String::from("# Made by `cargo xtask codegen`. Format: src/builtin/table.rs\n");
    for kind in kinds {
        let (import_path, name) = go_name(&kind.model)?;
        let model = models.reference(&import_path, &name, None);
        writeln!(text, "kind {} {} {model}", kind.group_version, kind.kind)?;
    }
    while let Some(model) = models.waiting.pop() {
        models.describe(&model).with_context(|| format!("{} {}", model.import_path, model.name))?;
    }
    for lines in models.lines.values() {
        text.push_str(lines);
    }
    Ok(text)
}

/// Types with hand-written JSON encoding upstream, and their names in the table.
const SPECIAL: [(&str, &str, &str); 10] = [
    ("k8s.io/apimachinery/pkg/apis/meta/v1", "Time", "time"),
    ("k8s.io/apimachinery/pkg/apis/meta/v1", "MicroTime", "microtime"),
    ("k8s.io/apimachinery/pkg/apis/meta/v1", "FieldsV1", "raw"),
    ("k8s.io/apimachinery/pkg/runtime", "RawExtension", "raw"),
    ("k8s.io/apimachinery/pkg/api/resource", "Quantity", "quantity"),
    ("k8s.io/apimachinery/pkg/util/intstr", "IntOrString", "intorstring"),
    ("k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1", "JSON", "raw"),
    ("k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1", "JSONSchemaPropsOrArray", "schemaorarray"),
    ("k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1", "JSONSchemaPropsOrBool", "schemaorbool"),
    (
        "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1",
        "JSONSchemaPropsOrStringArray",
        "schemaorstrings",
    ),
];

struct Models<'a> {
    sources: &'a Sources<'a>,
    /// Finished models by name.
    lines: BTreeMap<String, String>,
    waiting: Vec<Waiting>,
}

/// A model that has been mentioned and not yet described.
struct Waiting {
    import_path: String,
    name: String,
    /// For an inlined struct, the OpenAPI schema of the object that it stands in.
    outer: Option<String>,
}

impl Models<'_> {
    /// The name of a model, which will be described.
    fn reference(&mut self, import_path: &str, name: &str, outer: Option<&str>) -> String {
        let model = model_name(import_path, name);
        if !self.lines.contains_key(&model) {
            self.lines.insert(model.clone(), String::new());
            let outer = outer.map(str::to_owned);
            self.waiting.push(Waiting { import_path: import_path.to_owned(), name: name.to_owned(), outer });
        }
        model
    }

    fn describe(&mut self, model: &Waiting) -> Result<()> {
        let (package, declared) = declaration(self.sources.packages, &model.import_path, &model.name)?;
        let Declaration::Struct(fields) = declared else { bail!("a model must be a struct") };
        let name = model_name(&model.import_path, &model.name);
        let schema_name =
            self.sources.schemas.contains_key(&name).then(|| name.clone()).or(model.outer.clone());
        let schema = schema_name.as_ref().and_then(|name| self.sources.schemas.get(name));
        let mut text = format!("model {name} {}.{}", package.name, model.name);
        if schema.is_some_and(is_atomic) && model.outer.is_none() {
            text.push_str(" atomic");
        }
        text.push('\n');
        let mut numbers = BTreeSet::new();
        for field in fields {
            let line = self.field(model, schema_name.as_deref(), schema, field);
            text.push_str(&line.with_context(|| format!("field {}", field.go_name))?);
            numbers.extend(field.number);
        }
        if let Some(message) = self.sources.messages.get(&model.import_path, &model.name) {
            for field in &message.field {
                ensure!(numbers.contains(&field.number()), "protobuf field {} is not in Go", field.name());
            }
        }
        self.lines.insert(name, text);
        Ok(())
    }

    fn field(
        &mut self,
        model: &Waiting,
        schema_name: Option<&str>,
        schema: Option<&Value>,
        field: &Field,
    ) -> Result<String> {
        let number = field.number.unwrap_or_default();
        if field.json == Json::Inline {
            let Type::Named(import_path, name) = &field.kind else { bail!("inlined pointer") };
            let inner = self.reference(import_path, name, schema_name);
            return Ok(format!(" ~{} {number} @{inner}\n", field.go_name));
        }
        let Json::Name(json) = &field.json else { bail!("unnamed field") };
        let (pointer, kind) = match &field.kind {
            Type::Pointer(inner) => (true, inner.as_ref()),
            kind => (false, kind),
        };
        let described = self.kind(kind)?;
        if let Some(number) = field.number {
            self.compare_with_protobuf(model, number, &described)?;
        }
        let mut line = format!(" {json} {number} {described}");
        for (flag, set) in [
            ("ptr", pointer),
            ("omit", field.omits_empty),
            ("omitzero", field.omits_zero),
            ("req", is_required(schema, json)),
        ] {
            if set {
                line.push(' ');
                line.push_str(flag);
            }
        }
        let property = schema.and_then(|schema| schema["properties"].get(json));
        if let Some(property) = property {
            line.push_str(&merge_flags(property));
        } else if schema.is_some() && field.number.is_some() {
            bail!("OpenAPI does not have the property {json}");
        }
        line.push('\n');
        Ok(line)
    }

    /// The type in the notation of the table.
    fn kind(&mut self, kind: &Type) -> Result<String> {
        Ok(match kind {
            Type::Pointer(inner) => self.kind(inner)?,
            Type::List(element) if **element == Type::Named(String::new(), "byte".to_owned()) => {
                "bytes".to_owned()
            }
            Type::List(element) => format!("list:{}", self.kind(element)?),
            Type::Map(key, value) => match key.as_ref() {
                Type::Named(package, _) if package.is_empty() => format!("map:{}", self.kind(value)?),
                _ => format!("{}=map:{}", self.go_type(kind)?, self.kind(value)?),
            },
            Type::Named(package, name) if package.is_empty() => match name.as_str() {
                "string" | "bool" | "int32" | "int64" => name.clone(),
                "float64" => "double".to_owned(),
                other => bail!("{other} is not used by Kubernetes"),
            },
            Type::Named(import_path, name) => self.named(import_path, name)?,
        })
    }

    fn named(&mut self, import_path: &str, name: &str) -> Result<String> {
        if let Some((.., special)) =
            SPECIAL.iter().find(|(path, known, _)| (*path, *known) == (import_path, name))
        {
            let package = import_path.rsplit('/').next().unwrap_or_default();
            return Ok(format!("{package}.{name}={special}"));
        }
        let (package, declared) = declaration(self.sources.packages, import_path, name)?;
        match declared {
            Declaration::Struct(_) => Ok(format!("@{}", self.reference(import_path, name, None))),
            Declaration::Named(Type::List(element))
                if self.sources.messages.get(import_path, name).is_some() =>
            {
                Ok(format!("{}.{name}=items:{}", package.name, self.kind(element)?))
            }
            Declaration::Named(inner) => {
                let inner = self.kind(inner)?;
                Ok(format!("{}.{name}={}", package.name, without_alias(&inner)))
            }
        }
    }

    /// The type as Go prints it.
    fn go_type(&self, kind: &Type) -> Result<String> {
        Ok(match kind {
            Type::Pointer(inner) => format!("*{}", self.go_type(inner)?),
            Type::List(element) => format!("[]{}", self.go_type(element)?),
            Type::Map(key, value) => format!("map[{}]{}", self.go_type(key)?, self.go_type(value)?),
            Type::Named(package, name) if package.is_empty() => name.clone(),
            Type::Named(import_path, name) => {
                let package = self.sources.packages.get(import_path).with_context(|| import_path.clone())?;
                format!("{}.{name}", package.name)
            }
        })
    }

    fn compare_with_protobuf(&self, model: &Waiting, number: i32, described: &str) -> Result<()> {
        let message =
            self.sources.messages.get(&model.import_path, &model.name).context("no protobuf message")?;
        let field = message.field.iter().find(|field| field.number() == number);
        let field: &FieldDescriptorProto = field.with_context(|| format!("no protobuf field {number}"))?;
        let found = self.sources.messages.wire(field)?;
        let expected = expected_wire(described);
        ensure!(found == expected, "{described} travels as {found:?}, expected {expected:?}");
        Ok(())
    }
}

/// Protobuf encoding of a type of the table.
fn expected_wire(described: &str) -> (Cardinality, Wire) {
    let plain = without_alias(described);
    let (cardinality, element) = if let Some(element) = plain.strip_prefix("list:") {
        (Cardinality::List, without_alias(element))
    } else if let Some(value) = plain.strip_prefix("map:") {
        (Cardinality::Map, without_alias(value))
    } else {
        (Cardinality::Single, plain)
    };
    let wire = match element {
        "bool" => Wire::Bool,
        "int32" => Wire::Int32,
        "int64" => Wire::Int64,
        "double" => Wire::Double,
        "string" => Wire::String,
        "bytes" => Wire::Bytes,
        _ => Wire::Message,
    };
    (cardinality, wire)
}

fn without_alias(described: &str) -> &str {
    match described.split_once('=') {
        Some((alias, rest)) if !alias.contains(':') => rest,
        _ => described,
    }
}

fn is_required(schema: Option<&Value>, property: &str) -> bool {
    let required = schema.and_then(|schema| schema["required"].as_array());
    required.is_some_and(|names| names.iter().any(|name| name == property))
}

fn is_atomic(schema: &Value) -> bool {
    schema["x-kubernetes-map-type"] == "atomic"
}

/// Flags for merging and defaults, each with a leading space.
fn merge_flags(property: &Value) -> String {
    let empty = Map::new();
    let property = property.as_object().unwrap_or(&empty);
    let text = |name: &str| property.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut flags = String::new();
    if text("x-kubernetes-map-type") == "atomic" {
        flags.push_str(" atomic");
    }
    match text("x-kubernetes-list-type") {
        "set" => flags.push_str(" set"),
        "map" => {
            let keys = property.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
            let keys: Vec<&str> = keys.into_iter().flatten().filter_map(Value::as_str).collect();
            flags.push_str(&format!(" keys={}", keys.join(",")));
        }
        _ => {}
    }
    for strategy in text("x-kubernetes-patch-strategy").split(',') {
        match strategy {
            "merge" => flags.push_str(" merge"),
            "retainKeys" => flags.push_str(" retainkeys"),
            _ => {}
        }
    }
    let merge_key = text("x-kubernetes-patch-merge-key");
    if !merge_key.is_empty() {
        flags.push_str(&format!(" mergekey={merge_key}"));
    }
    if let Some(default) = property.get("default") {
        flags.push_str(&format!(" default={default}"));
    }
    flags
}

/// `k8s.io/api/core/v1` and `Pod` become `io.k8s.api.core.v1.Pod`, the name in OpenAPI.
fn model_name(import_path: &str, name: &str) -> String {
    let inside = import_path.strip_prefix("k8s.io/").unwrap_or(import_path).replace('/', ".");
    format!("io.k8s.{inside}.{name}")
}

/// The reverse of [`model_name`].
fn go_name(model: &str) -> Result<(String, String)> {
    let inside = model.strip_prefix("io.k8s.").with_context(|| format!("{model} is not of Kubernetes"))?;
    let (package, name) = inside.rsplit_once('.').context("no type name")?;
    Ok((format!("k8s.io/{}", package.replace('.', "/")), name.to_owned()))
}

/// The Go package of a model.
pub(super) fn package_of(model: &str) -> Result<String> {
    Ok(go_name(model)?.0)
}
