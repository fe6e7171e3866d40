//! Decodes protobuf bodies of built-in kinds into JSON trees.
//!
//! Typed Go clients send `application/vnd.kubernetes.protobuf` and do not fall back to JSON (client-go rest/config.go).
//! The result is what Go would print for the same object: inlined messages are flat, and a zero that `omitempty`
//! drops counts as absent, because Go's protobuf encoder writes it whether it was set or not. `null` fields are
//! left out. Encoding is not here.
//!
//! ```text
//! "k8s\0"  Unknown { typeMeta { apiVersion, kind }, raw, contentEncoding, contentType }
//!                                                   └─► message of that kind, by the table of `builtin`
//! ```

mod message;
mod wire;

use serde_json::Value;

use crate::builtin;
use message::Decoder;
use wire::{Field, Reader};

#[cfg(test)]
mod tests;

/// The bytes before every protobuf object of Kubernetes.
pub const MAGIC: &[u8; 4] = b"k8s\0";

/// Messages nested deeper than this are refused.
const MAX_DEPTH: usize = 100;

/// Why a body cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtoError {
    /// The body is not in the envelope of Kubernetes.
    #[error("provided data does not appear to be a protobuf message, expected prefix {MAGIC:?}")]
    Prefix,
    /// The bytes end inside a field, or a field has a form that protobuf does not know.
    #[error("malformed protobuf: {0}")]
    Malformed(&'static str),
    /// Messages are nested too deeply.
    #[error("protobuf is nested deeper than {MAX_DEPTH} messages")]
    TooDeep,
    /// The body does not say what it is.
    #[error("Object 'Kind' is missing in protobuf body")]
    NoKind,
    /// Only built-in kinds have a protobuf form.
    #[error("no kind {kind:?} is registered for version {api_version:?}")]
    UnknownKind {
        /// As in the body.
        api_version: String,
        /// As in the body.
        kind: String,
    },
    /// The content is in another encoding than protobuf or JSON.
    #[error("unsupported content {content_type:?} (encoding {encoding:?}) in protobuf envelope")]
    Content {
        /// As in the body.
        content_type: String,
        /// As in the body.
        encoding: String,
    },
    /// A part that holds JSON does not.
    #[error("embedded JSON: {0}")]
    Json(String),
}

/// The envelope around an object.
#[derive(Debug, Default)]
struct Unknown<'a> {
    api_version: String,
    kind: String,
    raw: &'a [u8],
    encoding: String,
    content_type: String,
}

/// Whether a body is a protobuf object of Kubernetes.
pub fn is_protobuf(body: &[u8]) -> bool {
    body.starts_with(MAGIC)
}

/// Decodes a body with its `apiVersion` and `kind`.
///
/// # Errors
/// When the body is malformed, too deeply nested, or of a kind that is not built in.
pub fn decode(body: &[u8]) -> Result<Value, ProtoError> {
    decode_within(body, 0)
}

fn decode_within(body: &[u8], depth: usize) -> Result<Value, ProtoError> {
    let unknown = Unknown::read(body.strip_prefix(MAGIC).ok_or(ProtoError::Prefix)?)?;
    if !unknown.encoding.is_empty() {
        return Err(unknown.unsupported());
    }
    match unknown.content_type.as_str() {
        "" | "application/vnd.kubernetes.protobuf" => {}
        "application/json" => return json(unknown.raw),
        _ => return Err(unknown.unsupported()),
    }
    if unknown.kind.is_empty() {
        return Err(ProtoError::NoKind);
    }
    let Unknown { api_version, kind, raw, .. } = unknown;
    let table = builtin::table();
    let Some(model) = table.kind(&api_version, &kind) else {
        return Err(ProtoError::UnknownKind { api_version, kind });
    };
    let mut map = Decoder::new(table).message(model, raw, depth)?;
    map.insert("apiVersion".to_owned(), api_version.into());
    map.insert("kind".to_owned(), kind.into());
    Ok(Value::Object(map))
}

impl<'a> Unknown<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, ProtoError> {
        let mut unknown = Self::default();
        let mut reader = Reader::new(bytes);
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, Field::Bytes(type_meta)) => unknown.read_type(type_meta)?,
                (2, Field::Bytes(raw)) => unknown.raw = raw,
                (3, Field::Bytes(encoding)) => unknown.encoding = wire::lossy_string(encoding),
                (4, Field::Bytes(content_type)) => unknown.content_type = wire::lossy_string(content_type),
                _ => {}
            }
        }
        Ok(unknown)
    }

    fn read_type(&mut self, bytes: &[u8]) -> Result<(), ProtoError> {
        let mut reader = Reader::new(bytes);
        while let Some((number, field)) = reader.next()? {
            match (number, field) {
                (1, Field::Bytes(api_version)) => self.api_version = wire::lossy_string(api_version),
                (2, Field::Bytes(kind)) => self.kind = wire::lossy_string(kind),
                _ => {}
            }
        }
        Ok(())
    }

    fn unsupported(self) -> ProtoError {
        ProtoError::Content { content_type: self.content_type, encoding: self.encoding }
    }
}

/// JSON inside protobuf; nothing stands for `null`.
fn json(bytes: &[u8]) -> Result<Value, ProtoError> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let parsed = crate::schema::json::parse(bytes).map_err(|error| ProtoError::Json(error.0))?;
    Ok(parsed.value)
}
