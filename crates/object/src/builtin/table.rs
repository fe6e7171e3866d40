//! Reads the table of built-in kinds that `cargo xtask codegen` makes.
//!
//! [`super::nodes`] turns it into schemas and `proto` decodes by it. Everything borrows from the embedded text.
//! One line is one kind, model or field:
//!
//! ```text
//! kind <group version, or * for any> <kind> <model>
//! model <name> <Go type> [atomic]
//!  <JSON name> <protobuf number, or 0> <type> [flags]
//!  ~<Go name of an inlined struct> <protobuf number, or 0> @<model>
//! ```
//!
//! A type is a scalar (`string bool int32 int64 double bytes time microtime quantity intorstring raw schemaorarray
//! schemaorbool schemaorstrings`), `@model`, `list:T`, `map:T`, `items:T` (a list that travels as a message), each
//! perhaps after `<Go type>=`. Flags: `ptr`, `omit` (`omitempty`), `omitzero`, `req`, `atomic`, `set`, `keys=a,b`,
//! `merge`, `retainkeys`, `mergekey=a`, `default=<JSON>`.

use std::collections::HashMap;

use serde_json::Value;

/// The whole table.
#[derive(Debug)]
pub(crate) struct Table {
    /// Group version, kind and model of everything that a body may be.
    pub(crate) kinds: Vec<(&'static str, &'static str, ModelId)>,
    pub(crate) models: Vec<Model>,
}

/// Index of a model in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ModelId(usize);

/// One Go struct, which is one protobuf message and one JSON object.
#[derive(Debug)]
pub(crate) struct Model {
    /// The name in OpenAPI.
    pub(crate) name: &'static str,
    /// Such as `v1.PodSpec`.
    pub(crate) go_type: &'static str,
    pub(crate) is_atomic: bool,
    pub(crate) fields: Vec<Field>,
}

/// One field of a struct.
#[derive(Debug)]
pub(crate) struct Field {
    /// The JSON name; the Go name of an inlined struct.
    pub(crate) name: &'static str,
    pub(crate) is_inline: bool,
    /// 0 when it does not travel in protobuf.
    pub(crate) number: u32,
    pub(crate) kind: Typed,
    pub(crate) is_pointer: bool,
    /// JSON drops the zero value of a scalar.
    pub(crate) omits_empty: bool,
    /// JSON drops an empty struct too.
    pub(crate) omits_zero: bool,
    pub(crate) is_required: bool,
    pub(crate) merging: Merging,
    /// Type and merging as written: equal texts mean equal schemas.
    pub(crate) signature: String,
}

/// Merge rules and default of a field.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Merging {
    pub(crate) is_atomic: bool,
    pub(crate) is_set: bool,
    pub(crate) list_keys: &'static str,
    pub(crate) patch_merge: bool,
    pub(crate) patch_retain_keys: bool,
    pub(crate) patch_merge_key: &'static str,
    pub(crate) default: &'static str,
}

/// A type and the name that Go prints for it.
#[derive(Debug)]
pub(crate) struct Typed {
    /// Empty when Go prints what follows from the parts.
    pub(crate) alias: &'static str,
    pub(crate) kind: Kind,
}

/// The shape of a value.
#[derive(Debug)]
pub(crate) enum Kind {
    Scalar(Scalar),
    Model(ModelId),
    List(Box<Typed>),
    Map(Box<Typed>),
    /// A list in JSON; a message with the elements in field 1 in protobuf.
    Items(Box<Typed>),
}

/// A value without parts; some have a special JSON form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    String,
    Bool,
    Int32,
    Int64,
    Double,
    Bytes,
    Time,
    MicroTime,
    Quantity,
    IntOrString,
    Raw,
    SchemaOrArray,
    SchemaOrBool,
    SchemaOrStrings,
}

impl Scalar {
    /// The value of a field that is not set, as Go's JSON encoder writes it; `Null` for what it writes as `null`.
    pub(crate) fn zero(self) -> Value {
        match self {
            Self::String | Self::Bytes => Value::String(String::new()),
            Self::Bool => Value::Bool(false),
            Self::Int32 | Self::Int64 | Self::Double | Self::IntOrString => 0.into(),
            Self::Quantity => "0".into(),
            Self::Time | Self::MicroTime | Self::Raw => Value::Null,
            Self::SchemaOrArray | Self::SchemaOrBool | Self::SchemaOrStrings => Value::Null,
        }
    }
}

impl Table {
    /// Reads a table; `None` when the text is not one.
    pub(crate) fn read(text: &'static str) -> Option<Self> {
        let names = text.lines().filter_map(|line| line.strip_prefix("model ")?.split(' ').next());
        let ids: HashMap<&str, ModelId> = names.enumerate().map(|(at, name)| (name, ModelId(at))).collect();
        let mut table = Self { kinds: Vec::new(), models: Vec::with_capacity(ids.len()) };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some(field) = line.strip_prefix(' ') {
                table.models.last_mut()?.fields.push(read_field(field, &ids)?);
                continue;
            }
            let mut words = line.split(' ');
            match words.next()? {
                "kind" => table.kinds.push((words.next()?, words.next()?, *ids.get(words.next()?)?)),
                "model" => table.models.push(Model {
                    name: words.next()?,
                    go_type: words.next()?,
                    is_atomic: words.next() == Some("atomic"),
                    fields: Vec::new(),
                }),
                _ => return None,
            }
        }
        Some(table)
    }

    /// The model with that number.
    pub(crate) fn model(&self, id: ModelId) -> &Model {
        &self.models[id.0]
    }

    /// The model of a kind; kinds of apimachinery have any group version.
    pub(crate) fn kind(&self, group_version: &str, kind: &str) -> Option<ModelId> {
        let found = self
            .kinds
            .iter()
            .find(|(version, name, _)| *name == kind && (*version == group_version || *version == "*"))?;
        Some(found.2)
    }

    /// The model with that OpenAPI name.
    pub(crate) fn model_named(&self, name: &str) -> Option<ModelId> {
        self.models.iter().position(|model| model.name == name).map(ModelId)
    }

    /// The name that Go prints for a type.
    pub(crate) fn go_type(&self, typed: &Typed) -> String {
        if !typed.alias.is_empty() {
            return typed.alias.to_owned();
        }
        match &typed.kind {
            Kind::Model(id) => self.model(*id).go_type.to_owned(),
            Kind::List(element) | Kind::Items(element) => format!("[]{}", self.go_type(element)),
            Kind::Map(value) => format!("map[string]{}", self.go_type(value)),
            Kind::Scalar(scalar) => scalar.go_type().to_owned(),
        }
    }
}

impl Field {
    /// Whether `encoding/json` leaves the field out when it has its zero value.
    ///
    /// A pointer to a zero is written. `omitempty` has no effect on structs, which are also what quantities, times and
    /// `IntOrString` are; `omitzero` has.
    pub(crate) fn omits_its_zero(&self) -> bool {
        if self.is_pointer {
            return false;
        }
        match &self.kind.kind {
            Kind::Model(_) => self.omits_zero,
            Kind::List(_) | Kind::Map(_) | Kind::Items(_) => self.omits_empty,
            Kind::Scalar(scalar) => self.omits_empty && scalar.is_plain(),
        }
    }
}

impl Scalar {
    /// Whether Go has a scalar or a byte slice for it, not a struct.
    fn is_plain(self) -> bool {
        matches!(self, Self::String | Self::Bool | Self::Int32 | Self::Int64 | Self::Double | Self::Bytes)
    }

    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "string" => Self::String,
            "bool" => Self::Bool,
            "int32" => Self::Int32,
            "int64" => Self::Int64,
            "double" => Self::Double,
            "bytes" => Self::Bytes,
            "time" => Self::Time,
            "microtime" => Self::MicroTime,
            "quantity" => Self::Quantity,
            "intorstring" => Self::IntOrString,
            "raw" => Self::Raw,
            "schemaorarray" => Self::SchemaOrArray,
            "schemaorbool" => Self::SchemaOrBool,
            "schemaorstrings" => Self::SchemaOrStrings,
            _ => return None,
        })
    }

    /// The Go type of scalars without a named type.
    fn go_type(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Double => "float64",
            Self::Bytes => "[]uint8",
            _ => "string",
        }
    }
}

fn read_field(line: &'static str, ids: &HashMap<&str, ModelId>) -> Option<Field> {
    let mut words = line.splitn(4, ' ');
    let (name, number, kind) = (words.next()?, words.next()?, words.next()?);
    let flags = words.next().unwrap_or_default();
    let (flags, default) = flags.split_once("default=").unwrap_or((flags, ""));
    let mut field = Field {
        name: name.trim_start_matches('~'),
        is_inline: name.starts_with('~'),
        number: number.parse().ok()?,
        kind: read_type(kind, ids)?,
        is_pointer: false,
        omits_empty: false,
        omits_zero: false,
        is_required: false,
        merging: Merging { default, ..Merging::default() },
        signature: kind.to_owned(),
    };
    for flag in flags.split_whitespace() {
        let merging = &mut field.merging;
        match flag.split_once('=').unwrap_or((flag, "")) {
            ("ptr", _) => field.is_pointer = true,
            ("omit", _) => field.omits_empty = true,
            ("omitzero", _) => field.omits_zero = true,
            ("req", _) => field.is_required = true,
            ("atomic", _) => merging.is_atomic = true,
            ("set", _) => merging.is_set = true,
            ("keys", keys) => merging.list_keys = keys,
            ("merge", _) => merging.patch_merge = true,
            ("retainkeys", _) => merging.patch_retain_keys = true,
            ("mergekey", key) => merging.patch_merge_key = key,
            _ => return None,
        }
    }
    let is_merging = |flag: &&str| !["ptr", "omit", "omitzero", "req"].contains(flag);
    for flag in flags.split_whitespace().filter(is_merging).chain((!default.is_empty()).then_some(default)) {
        field.signature.push(' ');
        field.signature.push_str(flag);
    }
    Some(field)
}

fn read_type(text: &'static str, ids: &HashMap<&str, ModelId>) -> Option<Typed> {
    let (alias, plain) = match text.split_once('=') {
        Some((alias, plain)) if !alias.contains(':') => (alias, plain),
        _ => ("", text),
    };
    let kind = if let Some(model) = plain.strip_prefix('@') {
        Kind::Model(*ids.get(model)?)
    } else if let Some((container, part)) = plain.split_once(':') {
        let part = Box::new(read_type(part, ids)?);
        match container {
            "list" => Kind::List(part),
            "map" => Kind::Map(part),
            "items" => Kind::Items(part),
            _ => return None,
        }
    } else {
        Kind::Scalar(Scalar::parse(plain)?)
    };
    Some(Typed { alias, kind })
}
