//! The versions of a definition, one by one and together.
//!
//! Upstream keeps a schema, subresources, columns or selectable fields that all versions share in one place, and its
//! errors name that place: `spec.validation` instead of `spec.versions[0].schema`.

use portolan_object::FieldError;
use portolan_object::schema::{rules, structural};
use serde_json::{Value, json};

use super::{fields, names};
use crate::tree;

/// Types of printer columns.
const COLUMN_TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];

/// Formats of printer columns.
const COLUMN_FORMATS: [&str; 8] =
    ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];

/// The only keywords allowed at the root of a schema with a status subresource, with their names in error texts.
const ROOT_KEYWORDS: [(&str, &str); 22] = [
    ("description", "Description"),
    ("type", "Type"),
    ("format", "Format"),
    ("title", "Title"),
    ("maximum", "Maximum"),
    ("exclusiveMaximum", "ExclusiveMaximum"),
    ("minimum", "Minimum"),
    ("exclusiveMinimum", "ExclusiveMinimum"),
    ("maxLength", "MaxLength"),
    ("minLength", "MinLength"),
    ("pattern", "Pattern"),
    ("maxItems", "MaxItems"),
    ("minItems", "MinItems"),
    ("uniqueItems", "UniqueItems"),
    ("multipleOf", "MultipleOf"),
    ("required", "Required"),
    ("items", "Items"),
    ("properties", "Properties"),
    ("externalDocs", "ExternalDocs"),
    ("example", "Example"),
    ("x-kubernetes-preserve-unknown-fields", "XPreserveUnknownFields"),
    ("x-kubernetes-validations", "XValidations"),
];

/// A member of a version that may be the same in all versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum VersionField {
    Schema,
    Subresources,
    Columns,
    Fields,
}

impl VersionField {
    /// In the order in which they are checked.
    const ALL: [Self; 4] = [Self::Schema, Self::Subresources, Self::Columns, Self::Fields];

    fn value(self, version: &Value) -> Option<&Value> {
        let pointer = match self {
            Self::Schema => "/schema",
            Self::Subresources => "/subresources",
            Self::Columns => "/additionalPrinterColumns",
            Self::Fields => "/selectableFields",
        };
        tree::present(version, pointer)
    }
}

/// The versions of a definition, and those it had before.
pub(super) struct Versions<'a> {
    list: &'a [Value],
    old: &'a [Value],
}

impl<'a> Versions<'a> {
    pub(super) fn new(list: &'a [Value], old: &'a [Value]) -> Self {
        Self { list, old }
    }

    /// Every version has a schema.
    pub(super) fn check_presence(&self, errors: &mut Vec<FieldError>) {
        for (index, version) in self.list.iter().enumerate() {
            if tree::present(version, "/schema/openAPIV3Schema").is_none() {
                let field = format!("spec.versions[{index}].schema.openAPIV3Schema");
                errors.push(FieldError::required(field, ""));
            }
        }
    }

    /// Each version with what only it has.
    pub(super) fn check_each(&self, errors: &mut Vec<FieldError>) {
        for (index, version) in self.list.iter().enumerate() {
            let place = format!("spec.versions[{index}]");
            let name = tree::str_at(version, "/name");
            if let Some(detail) = names::label_errors(name) {
                errors.push(FieldError::invalid(format!("{place}.name"), &json!(name), detail));
            }
            check_deprecation(version, &place, errors);
            for field in VersionField::ALL.into_iter().filter(|&field| !self.is_shared(field)) {
                self.check_field(field, version, &place, has_status(version), errors);
            }
        }
    }

    /// Names are unique, and one version is stored.
    pub(super) fn check_together(&self, errors: &mut Vec<FieldError>) {
        let mut names: Vec<&str> = self.list.iter().map(|version| tree::str_at(version, "/name")).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            errors.push(self.refused("must contain unique version names"));
        }
        if self.list.iter().filter(|version| version["storage"] == true).count() != 1 {
            errors.push(self.refused("must have exactly one version marked as storage version"));
        }
        // Upstream takes the first version for the name that versions had before there could be several.
        let first = self.list.first().map_or("", |version| tree::str_at(version, "/name"));
        if let Some(detail) = names::label_errors(first).filter(|_| !first.is_empty()) {
            errors.push(FieldError::invalid("spec.version", &json!(first), detail));
        }
    }

    /// Validates the fields that all versions share.
    pub(super) fn check_shared(&self, errors: &mut Vec<FieldError>) {
        let Some(first) = self.list.first() else { return };
        let has_status = self.list.iter().any(has_status);
        for field in VersionField::ALL.into_iter().filter(|&field| self.is_shared(field)) {
            self.check_field(field, first, "spec", has_status, errors);
        }
    }

    fn is_shared(&self, field: VersionField) -> bool {
        self.list.windows(2).all(|pair| field.value(&pair[0]) == field.value(&pair[1]))
    }

    /// Whether the definition had this before, in whichever version.
    fn was_accepted(&self, field: VersionField, value: &Value) -> bool {
        self.old.iter().any(|version| field.value(version) == Some(value))
    }

    fn check_field(
        &self,
        field: VersionField,
        version: &Value,
        place: &str,
        has_status: bool,
        errors: &mut Vec<FieldError>,
    ) {
        let Some(value) = field.value(version) else { return };
        match field {
            VersionField::Schema => {
                let Some(schema) = tree::present(value, "/openAPIV3Schema") else { return };
                let owner =
                    if place == "spec" { "spec.validation".to_owned() } else { format!("{place}.schema") };
                let path = format!("{owner}.openAPIV3Schema");
                if has_status && !self.had_status_with(value) {
                    check_root(schema, &path, errors);
                }
                if !self.was_accepted(field, value) {
                    match structural::compile(schema, &path) {
                        Ok(structural) => errors.extend(rules::compile(&structural, &path).errors),
                        Err(found) => errors.extend(found),
                    }
                }
            }
            VersionField::Subresources => {
                check_scale(&value["scale"], &format!("{place}.subresources.scale"), errors)
            }
            VersionField::Columns => {
                for (index, column) in tree::list(value, "").iter().enumerate() {
                    check_column(column, &format!("{place}.additionalPrinterColumns[{index}]"), errors);
                }
            }
            VersionField::Fields => {
                let schema = &version["schema"]["openAPIV3Schema"];
                let is_old = self.was_accepted(field, value);
                fields::check(
                    tree::list(value, ""),
                    schema,
                    &format!("{place}.selectableFields"),
                    is_old,
                    errors,
                );
            }
        }
    }

    fn had_status_with(&self, schema: &Value) -> bool {
        self.old
            .iter()
            .any(|version| has_status(version) && VersionField::Schema.value(version) == Some(schema))
    }

    /// An error of all versions together, which shows them as upstream keeps them.
    fn refused(&self, detail: &str) -> FieldError {
        let shown: Vec<String> = self.list.iter().map(|version| self.shown(version)).collect();
        let error =
            portolan_object::FieldErrorKind::Invalid(format!("[{}]", shown.join(",")), detail.to_owned());
        FieldError::new("spec.versions", error)
    }

    fn shown(&self, version: &Value) -> String {
        let member = |name: &str, unset: Value| version.get(name).cloned().unwrap_or(unset);
        let field = |field: VersionField| {
            field.value(version).filter(|_| !self.is_shared(field)).cloned().unwrap_or_default()
        };
        format!(
            "{{\"Name\":{},\"Served\":{},\"Storage\":{},\"Deprecated\":{},\"DeprecationWarning\":{},\"Schema\":{},\
             \"Subresources\":{},\"AdditionalPrinterColumns\":{},\"SelectableFields\":{}}}",
            member("name", json!("")),
            member("served", json!(false)),
            member("storage", json!(false)),
            member("deprecated", json!(false)),
            member("deprecationWarning", Value::Null),
            field(VersionField::Schema),
            field(VersionField::Subresources),
            field(VersionField::Columns),
            field(VersionField::Fields),
        )
    }
}

fn has_status(version: &Value) -> bool {
    tree::present(version, "/subresources/status").is_some()
}

fn check_deprecation(version: &Value, place: &str, errors: &mut Vec<FieldError>) {
    let Some(warning) = version["deprecationWarning"].as_str() else { return };
    let mut refuse = |detail: String| {
        errors.push(FieldError::invalid(format!("{place}.deprecationWarning"), &json!(warning), detail));
    };
    if version["deprecated"] != true {
        refuse("can only be set for deprecated versions".to_owned());
        return;
    }
    if warning.len() > 256 {
        refuse("must be <= 256 characters long".to_owned());
    }
    if warning.is_empty() {
        refuse("must not be an empty string".to_owned());
    }
    let is_hidden = |letter: char| letter.is_control() || (letter.is_whitespace() && letter != ' ');
    if let Some((index, _)) = warning.char_indices().find(|(_, letter)| is_hidden(*letter)) {
        refuse(format!(
            "must only contain printable UTF-8 characters; non-printable character found at index {index}"
        ));
    }
}

/// With a status subresource, `status` is validated alone, and keywords at the root would not apply to it.
fn check_root(schema: &Value, field: &str, errors: &mut Vec<FieldError>) {
    let kind = tree::str_at(schema, "/type");
    if !matches!(kind, "" | "object") {
        let detail = "only \"object\" is allowed as the type at the root of the schema if the status subresource is \
                      enabled";
        errors.push(FieldError::invalid(format!("{field}.type"), &json!(kind), detail));
        return;
    }
    let members = schema.as_object().into_iter().flatten();
    let mut telling = members.filter(|(_, value)| !is_empty(value)).map(|(name, _)| name);
    if telling.any(|name| ROOT_KEYWORDS.iter().all(|(known, _)| known != name)) {
        let known: Vec<&str> = ROOT_KEYWORDS.iter().map(|(_, shown)| *shown).collect();
        let detail = format!(
            "only [{}] fields are allowed at the root of the schema if the status subresource is enabled",
            known.join(" ")
        );
        errors.push(FieldError::invalid(field, schema, detail));
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

fn check_scale(scale: &Value, field: &str, errors: &mut Vec<FieldError>) {
    if scale.is_null() {
        return;
    }
    let paths: [(&str, &[&str], &str); 3] = [
        ("specReplicasPath", &[".spec."], "should be a json path under .spec"),
        ("statusReplicasPath", &[".status."], "should be a json path under .status"),
        ("labelSelectorPath", &[".spec.", ".status."], "should be a json path under either .spec or .status"),
    ];
    for (member, parents, detail) in paths {
        let path = scale[member].as_str().unwrap_or_default();
        let field = format!("{field}.{member}");
        if path.is_empty() {
            if member != "labelSelectorPath" {
                errors.push(FieldError::required(field, ""));
            }
        } else if let Some(error) = path_error(path, &field) {
            errors.push(error);
        } else if !parents.iter().any(|parent| path.starts_with(parent)) {
            errors.push(FieldError::invalid(field, &json!(path), detail));
        }
    }
}

fn check_column(column: &Value, field: &str, errors: &mut Vec<FieldError>) {
    let text = |member: &str| column[member].as_str().unwrap_or_default();
    if text("name").is_empty() {
        errors.push(FieldError::required(format!("{field}.name"), ""));
    }
    let one_of = |allowed: &[&str]| format!("must be one of {}", allowed.join(","));
    match text("type") {
        "" => errors.push(FieldError::required(format!("{field}.type"), &one_of(&COLUMN_TYPES))),
        kind if COLUMN_TYPES.contains(&kind) => {}
        kind => {
            errors.push(FieldError::invalid(format!("{field}.type"), &json!(kind), one_of(&COLUMN_TYPES)))
        }
    }
    match text("format") {
        "" => {}
        format if COLUMN_FORMATS.contains(&format) => {}
        format => errors.push(FieldError::invalid(
            format!("{field}.format"),
            &json!(format),
            one_of(&COLUMN_FORMATS),
        )),
    }
    let field = format!("{field}.JSONPath");
    match text("jsonPath") {
        "" => errors.push(FieldError::required(field, "")),
        path => errors.extend(path_error(path, &field)),
    }
}

fn path_error(path: &str, field: &str) -> Option<FieldError> {
    let detail = "must be a simple json path starting with .";
    (!path.starts_with('.')).then(|| FieldError::invalid(field, &json!(path), detail))
}
