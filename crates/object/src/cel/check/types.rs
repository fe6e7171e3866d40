//! Types of expressions, as the checker sees them (google/cel-go common/types).

use std::fmt;
use std::sync::Arc;

use super::super::declaration::{Declaration, Kind};

/// The type of an expression.
#[derive(Debug, Clone)]
pub(super) enum Type {
    /// Not known before an object is there; goes with every type.
    Dyn,
    /// Decided by the first use: the elements of an empty list, the content of `optional.none()`.
    Open,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Timestamp,
    Duration,
    /// A type as a value: `int`, `type(x)`.
    Name,
    List(Box<Type>),
    Map(Box<Type>, Box<Type>),
    /// An object with declared fields.
    Object(Arc<Declaration>),
    Optional(Box<Type>),
    /// A value of a library of Kubernetes, such as `quantity`.
    Opaque(&'static str),
    /// A parameter of a signature.
    Parameter(usize),
}

impl Type {
    /// The type that a schema declares.
    pub(super) fn declared(declaration: &Arc<Declaration>) -> Self {
        let elements = || declaration.elements.as_ref().map_or(Self::Dyn, Self::declared);
        match declaration.kind {
            Kind::Bool => Self::Bool,
            Kind::Number if declaration.is_whole => Self::Int,
            Kind::Number => Self::Double,
            Kind::String => Self::String,
            Kind::Bytes => Self::Bytes,
            Kind::Time if declaration.is_duration => Self::Duration,
            Kind::Time => Self::Timestamp,
            Kind::List => Self::list(elements()),
            Kind::Map => Self::map(Self::String, elements()),
            Kind::Object => Self::Object(Arc::clone(declaration)),
            Kind::Any | Kind::Optional | Kind::Scalar => Self::Dyn,
        }
    }

    pub(super) fn list(elements: Self) -> Self {
        Self::List(Box::new(elements))
    }

    /// Keys are simple values. So a type is not larger than its expression, however often a variable is used.
    pub(super) fn map(keys: Self, values: Self) -> Self {
        let is_large = matches!(keys, Self::List(_) | Self::Map(..) | Self::Optional(_));
        Self::Map(Box::new(if is_large { Self::Dyn } else { keys }), Box::new(values))
    }

    pub(super) fn optional(content: Self) -> Self {
        match content {
            Self::Optional(_) => content,
            content => Self::Optional(Box::new(content)),
        }
    }

    /// Whether it may be any type.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Dyn | Self::Open)
    }

    /// What both are; `None` when no value has both types.
    pub(super) fn join(&self, other: &Self) -> Option<Self> {
        Some(match (self, other) {
            (Self::Open, known) | (known, Self::Open) => known.clone(),
            (Self::Dyn, _) | (_, Self::Dyn) => Self::Dyn,
            // Null is a value of these types.
            (Self::Null, nullable) | (nullable, Self::Null) if nullable.is_nullable() => nullable.clone(),
            (Self::List(one), Self::List(other)) => Self::list(one.join(other)?),
            (Self::Map(key, value), Self::Map(other_key, other_value)) => {
                Self::map(key.join(other_key)?, value.join(other_value)?)
            }
            (Self::Optional(one), Self::Optional(other)) => Self::optional(one.join(other)?),
            (Self::Object(one), Self::Object(other)) if Arc::ptr_eq(one, other) => self.clone(),
            (Self::Opaque(one), Self::Opaque(other)) if one == other => self.clone(),
            (Self::Object(_) | Self::Opaque(_) | Self::Parameter(_), _) => return None,
            (one, other) if std::mem::discriminant(one) == std::mem::discriminant(other) => one.clone(),
            _ => return None,
        })
    }

    fn is_nullable(&self) -> bool {
        matches!(
            self,
            Self::Null
                | Self::Object(_)
                | Self::Timestamp
                | Self::Duration
                | Self::Opaque(_)
                | Self::Optional(_)
        )
    }

    /// The type by the name that expressions and signatures use; `None` for other names.
    pub(super) fn named(name: &str) -> Option<Self> {
        /// Types of the libraries of Kubernetes.
        const OPAQUE: [&str; 6] = ["url", "quantity", "ip", "cidr", "semver", "format"];
        Some(match name {
            "dyn" => Self::Dyn,
            "null_type" => Self::Null,
            "bool" => Self::Bool,
            "int" => Self::Int,
            "uint" => Self::Uint,
            "double" => Self::Double,
            "string" => Self::String,
            "bytes" => Self::Bytes,
            "timestamp" => Self::Timestamp,
            "duration" => Self::Duration,
            "type" => Self::Name,
            _ => Self::Opaque(OPAQUE.into_iter().find(|opaque| *opaque == name)?),
        })
    }
}

/// As the messages of the checker have it (google/cel-go common/types FormatCELType).
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dyn | Self::Open | Self::Parameter(_) => "dyn",
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Timestamp => "timestamp",
            Self::Duration => "duration",
            Self::Name => "type",
            Self::Object(_) => "object",
            Self::Opaque("url") => "kubernetes.URL",
            Self::Opaque("quantity") => "kubernetes.Quantity",
            Self::Opaque("semver") => "kubernetes.Semver",
            Self::Opaque("format") => "kubernetes.NamedFormat",
            Self::Opaque("ip") => "net.IP",
            Self::Opaque(_) => "net.CIDR",
            Self::List(elements) => return write!(f, "list({elements})"),
            Self::Map(keys, values) => return write!(f, "map({keys}, {values})"),
            Self::Optional(content) => return write!(f, "optional_type({content})"),
        })
    }
}
