//! The error that a Kubernetes API answers with, and the field errors inside a 422.
//!
//! Texts are part of the contract: clients, users and tests match on them (apimachinery pkg/api/errors/errors.go).

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// `metav1.Status` of a failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Status {
    /// The HTTP status.
    pub code: u16,
    /// Machine-readable reason, such as `NotFound`; empty when upstream sends none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// The object and fields of the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<Details>>,
}

/// `StatusDetails`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Details {
    /// Name of the object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// API group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Plural resource for most reasons, the kind for `Invalid`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Identity of the object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// One entry per kind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// When to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u32>,
}

/// `StatusCause`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cause {
    /// Such as `FieldValueRequired`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Path of the field.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
}

impl Status {
    /// A failure without details.
    pub fn new(code: u16, reason: &str, message: impl Into<String>) -> Self {
        Self { code, reason: reason.to_owned(), message: message.into(), details: None }
    }

    /// 400 `BadRequest`.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 500 `InternalError`.
    pub fn internal(message: impl fmt::Display) -> Self {
        Self::new(500, "InternalError", format!("Internal error occurred: {message}"))
    }

    /// 404 for one object of `resource` (plural) in `group`.
    pub fn not_found(group: &str, resource: &str, name: &str) -> Self {
        let message = format!("{} {name:?} not found", qualified(group, resource));
        Self::new(404, "NotFound", message).about(group, resource, name)
    }

    /// 409 for an object that is already there.
    pub fn already_exists(group: &str, resource: &str, name: &str) -> Self {
        let message = format!("{} {name:?} already exists", qualified(group, resource));
        Self::new(409, "AlreadyExists", message).about(group, resource, name)
    }

    /// 409 for a lost race or a failed precondition.
    pub fn conflict(group: &str, resource: &str, name: &str, cause: &str) -> Self {
        let resource_name = qualified(group, resource);
        let message = format!("Operation cannot be fulfilled on {resource_name} {name:?}: {cause}");
        Self::new(409, "Conflict", message).about(group, resource, name)
    }

    /// 403 for one object, or for the collection when `name` is empty.
    pub fn forbidden(group: &str, resource: &str, name: &str, cause: &str) -> Self {
        let resource_name = qualified(group, resource);
        let message = match name {
            "" => format!("{resource_name} is forbidden: {cause}"),
            _ => format!("{resource_name} {name:?} is forbidden: {cause}"),
        };
        Self::new(403, "Forbidden", message).about(group, resource, name)
    }

    /// 422 with all errors of one object; `kind` is the kind, not the plural.
    pub fn invalid(group: &str, kind: &str, name: &str, errors: &[FieldError]) -> Self {
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let listed = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let kind_name = qualified(group, kind);
        let mut status = Self::new(422, "Invalid", format!("{kind_name} {name:?} is invalid: {listed}"));
        status = status.about(group, kind, name);
        if let Some(details) = &mut status.details {
            details.causes = errors.iter().map(FieldError::cause).collect();
        }
        status
    }

    /// Adds what the failure is about.
    #[must_use]
    pub fn about(mut self, group: &str, kind: &str, name: &str) -> Self {
        let details = self.details.get_or_insert_default();
        details.group = group.to_owned();
        details.kind = kind.to_owned();
        details.name = name.to_owned();
        self
    }

    /// The object as the API sends it.
    pub fn document(&self) -> StatusDocument<'_> {
        StatusDocument {
            status: "Failure",
            message: &self.message,
            reason: &self.reason,
            details: self.details.as_deref(),
            code: Some(self.code),
            ..StatusDocument::success()
        }
    }

    /// The object as the API sends it, as a tree.
    pub fn to_value(&self) -> Value {
        json!(self.document())
    }
}

/// A `metav1.Status` on its way to a client, with the fields in the order in which Kubernetes writes them: some clients
/// compare the text.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusDocument<'s> {
    /// `Status`.
    pub kind: &'static str,
    /// `v1`.
    pub api_version: &'static str,
    /// Metadata of a list.
    pub metadata: ListMetadata<'s>,
    /// `Success` or `Failure`.
    pub status: &'static str,
    /// For people.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub message: &'s str,
    /// Machine-readable reason of a failure.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub reason: &'s str,
    /// The object that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<&'s Details>,
    /// The HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
}

/// `ListMeta` of a [`StatusDocument`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ListMetadata<'s> {
    /// Token with which a list goes on.
    #[serde(rename = "continue", skip_serializing_if = "str::is_empty")]
    pub next: &'s str,
}

impl StatusDocument<'_> {
    /// The answer to a write that has no object to show.
    pub fn success() -> Self {
        Self {
            kind: "Status",
            api_version: "v1",
            metadata: ListMetadata::default(),
            status: "Success",
            message: "",
            reason: "",
            details: None,
            code: None,
        }
    }
}

/// `deployments.apps`, or `pods` for the core group.
fn qualified(group: &str, name: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

/// One error of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Path such as `spec.ports[0].port`.
    pub field: String,
    /// Kind and detail of the error.
    pub kind: FieldErrorKind,
}

/// Kind of a field error; the texts follow `field.Error` of apimachinery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldErrorKind {
    /// Missing; the text may be empty.
    Required(String),
    /// The value as JSON, or nothing where upstream prints no value, and why it is wrong.
    Invalid(String, String),
    /// Wrong type: the value as JSON, and what it should be.
    TypeInvalid(String, String),
    /// The value as JSON that stands there twice.
    Duplicate(String),
    /// The value as JSON, and the allowed ones, unquoted, in the order to print.
    NotSupported(String, Vec<String>),
    /// Not allowed here.
    Forbidden(String),
    /// The reference, as JSON, points nowhere.
    NotFound(String),
    /// Longer than so many bytes.
    TooLong(u64),
    /// Found and allowed number of items.
    TooMany(u64, u64),
    /// Something that is not the user's doing.
    Internal(String),
}

impl FieldError {
    /// An error at a path.
    pub fn new(field: impl Into<String>, kind: FieldErrorKind) -> Self {
        Self { field: field.into(), kind }
    }

    /// The field is missing.
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        Self::new(field, FieldErrorKind::Required(detail.to_owned()))
    }

    /// The value is not acceptable.
    pub fn invalid(field: impl Into<String>, value: &Value, detail: impl Into<String>) -> Self {
        Self::new(field, FieldErrorKind::Invalid(value.to_string(), detail.into()))
    }

    /// The field may not be set here.
    pub fn forbidden(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(field, FieldErrorKind::Forbidden(detail.into()))
    }

    /// The value is not one of the allowed ones.
    pub fn not_supported(field: impl Into<String>, value: &Value, allowed: &[&str]) -> Self {
        let allowed = allowed.iter().map(|&text| text.to_owned()).collect();
        Self::new(field, FieldErrorKind::NotSupported(value.to_string(), allowed))
    }

    /// The entry for `details.causes`.
    pub fn cause(&self) -> Cause {
        let reason = match &self.kind {
            FieldErrorKind::Required(_) => "FieldValueRequired",
            FieldErrorKind::Invalid(..) => "FieldValueInvalid",
            FieldErrorKind::TypeInvalid(..) => "FieldValueTypeInvalid",
            FieldErrorKind::Duplicate(_) => "FieldValueDuplicate",
            FieldErrorKind::NotSupported(..) => "FieldValueNotSupported",
            FieldErrorKind::Forbidden(_) => "FieldValueForbidden",
            FieldErrorKind::NotFound(_) => "FieldValueNotFound",
            FieldErrorKind::TooLong(_) => "FieldValueTooLong",
            FieldErrorKind::TooMany(..) => "FieldValueTooMany",
            FieldErrorKind::Internal(_) => "InternalError",
        };
        Cause { reason: reason.to_owned(), message: self.kind.to_string(), field: self.field.clone() }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.kind)
    }
}

impl fmt::Display for FieldErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detailed = |f: &mut fmt::Formatter<'_>, kind: &str, detail: &str| match detail {
            "" => f.write_str(kind),
            _ => write!(f, "{kind}: {detail}"),
        };
        match self {
            FieldErrorKind::Required(detail) => detailed(f, "Required value", detail),
            FieldErrorKind::Invalid(value, detail) | FieldErrorKind::TypeInvalid(value, detail)
                if value.is_empty() =>
            {
                detailed(f, "Invalid value", detail)
            }
            FieldErrorKind::Invalid(value, detail) | FieldErrorKind::TypeInvalid(value, detail) => {
                detailed(f, &format!("Invalid value: {value}"), detail)
            }
            FieldErrorKind::Duplicate(value) if value.is_empty() => f.write_str("Duplicate value"),
            FieldErrorKind::Duplicate(value) => write!(f, "Duplicate value: {value}"),
            FieldErrorKind::NotSupported(value, allowed) => {
                let allowed: Vec<String> = allowed.iter().map(|text| format!("{text:?}")).collect();
                write!(f, "Unsupported value: {value}: supported values: {}", allowed.join(", "))
            }
            FieldErrorKind::Forbidden(detail) => detailed(f, "Forbidden", detail),
            FieldErrorKind::NotFound(value) => write!(f, "Not found: {value}"),
            FieldErrorKind::TooLong(limit) => write!(f, "Too long: may not be more than {limit} bytes"),
            FieldErrorKind::TooMany(found, limit) => {
                let plural = if *limit == 1 { "" } else { "s" };
                write!(f, "Too many: {found}: must have at most {limit} item{plural}")
            }
            FieldErrorKind::Internal(detail) => detailed(f, "Internal error", detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_in_the_order_of_kubernetes() {
        let text = |document: StatusDocument<'_>| serde_json::to_string(&document).unwrap();
        assert_eq!(
            text(Status::not_found("apps", "deployments", "web").document()),
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"deployments.apps \"web\" not found","reason":"NotFound","details":{"name":"web","group":"apps","kind":"deployments"},"code":404}"#
        );
        assert_eq!(
            text(StatusDocument { code: Some(201), ..StatusDocument::success() }),
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success","code":201}"#
        );
    }
}
