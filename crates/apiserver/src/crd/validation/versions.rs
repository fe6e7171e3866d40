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

/// The only keywords at the root of a schema whose status is a part of its own, with their names in error texts.
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
enum Part {
    Schema,
    Subresources,
    Columns,
    Fields,
}

impl Part {
    /// In the order in which they are checked.
    const ALL: [Self; 4] = [Self::Schema, Self::Subresources, Self::Columns, Self::Fields];

    fn of(self, version: &Value) -> Option<&Value> {
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
    pub(super) fn check_presence(&self, faults: &mut Vec<FieldError>) {
        for (index, version) in self.list.iter().enumerate() {
            if tree::present(version, "/schema/openAPIV3Schema").is_none() {
                let field = format!("spec.versions[{index}].schema.openAPIV3Schema");
                faults.push(FieldError::required(field, ""));
            }
        }
    }

    /// Each version with what only it has.
    pub(super) fn check_each(&self, faults: &mut Vec<FieldError>) {
        for (index, version) in self.list.iter().enumerate() {
            let place = format!("spec.versions[{index}]");
            let name = tree::text(version, "/name");
            if let Some(detail) = names::label_faults(name) {
                faults.push(FieldError::invalid(format!("{place}.name"), &json!(name), detail));
            }
            check_deprecation(version, &place, faults);
            for part in Part::ALL.into_iter().filter(|&part| !self.is_shared(part)) {
                self.check_part(part, version, &place, has_status(version), faults);
            }
        }
    }

    /// Names are unique, and one version is stored.
    pub(super) fn check_together(&self, faults: &mut Vec<FieldError>) {
        let mut names: Vec<&str> = self.list.iter().map(|version| tree::text(version, "/name")).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            faults.push(self.refused("must contain unique version names"));
        }
        if self.list.iter().filter(|version| version["storage"] == true).count() != 1 {
            faults.push(self.refused("must have exactly one version marked as storage version"));
        }
        // Upstream takes the first version for the name that versions had before there could be several.
        let first = self.list.first().map_or("", |version| tree::text(version, "/name"));
        if let Some(detail) = names::label_faults(first).filter(|_| !first.is_empty()) {
            faults.push(FieldError::invalid("spec.version", &json!(first), detail));
        }
    }

    /// What all versions share.
    pub(super) fn check_shared(&self, faults: &mut Vec<FieldError>) {
        let Some(first) = self.list.first() else { return };
        let has_status = self.list.iter().any(has_status);
        for part in Part::ALL.into_iter().filter(|&part| self.is_shared(part)) {
            self.check_part(part, first, "spec", has_status, faults);
        }
    }

    fn is_shared(&self, part: Part) -> bool {
        self.list.windows(2).all(|pair| part.of(&pair[0]) == part.of(&pair[1]))
    }

    /// Whether the definition had this before, in whichever version.
    fn was_accepted(&self, part: Part, value: &Value) -> bool {
        self.old.iter().any(|version| part.of(version) == Some(value))
    }

    fn check_part(
        &self,
        part: Part,
        version: &Value,
        place: &str,
        has_status: bool,
        faults: &mut Vec<FieldError>,
    ) {
        let Some(value) = part.of(version) else { return };
        match part {
            Part::Schema => {
                let Some(schema) = tree::present(value, "/openAPIV3Schema") else { return };
                let owner =
                    if place == "spec" { "spec.validation".to_owned() } else { format!("{place}.schema") };
                let field = format!("{owner}.openAPIV3Schema");
                if has_status && !self.had_status_with(value) {
                    check_root(schema, &field, faults);
                }
                if !self.was_accepted(part, value) {
                    match structural::compile(schema, &field) {
                        Ok(structural) => faults.extend(rules::compile(&structural, &field).errors),
                        Err(found) => faults.extend(found),
                    }
                }
            }
            Part::Subresources => {
                check_scale(&value["scale"], &format!("{place}.subresources.scale"), faults)
            }
            Part::Columns => {
                for (index, column) in tree::list(value, "").iter().enumerate() {
                    check_column(column, &format!("{place}.additionalPrinterColumns[{index}]"), faults);
                }
            }
            Part::Fields => {
                let schema = &version["schema"]["openAPIV3Schema"];
                let is_old = self.was_accepted(part, value);
                fields::check(
                    tree::list(value, ""),
                    schema,
                    &format!("{place}.selectableFields"),
                    is_old,
                    faults,
                );
            }
        }
    }

    fn had_status_with(&self, schema: &Value) -> bool {
        self.old.iter().any(|version| has_status(version) && Part::Schema.of(version) == Some(schema))
    }

    /// A fault of all versions together, which shows them as upstream keeps them.
    fn refused(&self, detail: &str) -> FieldError {
        let shown: Vec<String> = self.list.iter().map(|version| self.shown(version)).collect();
        let fault = portolan_object::Fault::Invalid(format!("[{}]", shown.join(",")), detail.to_owned());
        FieldError::new("spec.versions", fault)
    }

    fn shown(&self, version: &Value) -> String {
        let member = |name: &str, unset: Value| version.get(name).cloned().unwrap_or(unset);
        let part =
            |part: Part| part.of(version).filter(|_| !self.is_shared(part)).cloned().unwrap_or_default();
        format!(
            "{{\"Name\":{},\"Served\":{},\"Storage\":{},\"Deprecated\":{},\"DeprecationWarning\":{},\"Schema\":{},\
             \"Subresources\":{},\"AdditionalPrinterColumns\":{},\"SelectableFields\":{}}}",
            member("name", json!("")),
            member("served", json!(false)),
            member("storage", json!(false)),
            member("deprecated", json!(false)),
            member("deprecationWarning", Value::Null),
            part(Part::Schema),
            part(Part::Subresources),
            part(Part::Columns),
            part(Part::Fields),
        )
    }
}

fn has_status(version: &Value) -> bool {
    tree::present(version, "/subresources/status").is_some()
}

fn check_deprecation(version: &Value, place: &str, faults: &mut Vec<FieldError>) {
    let Some(warning) = version["deprecationWarning"].as_str() else { return };
    let mut refuse = |detail: String| {
        faults.push(FieldError::invalid(format!("{place}.deprecationWarning"), &json!(warning), detail));
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

/// Where status is a part of its own it is checked alone, and keywords at the root would not reach it.
fn check_root(schema: &Value, field: &str, faults: &mut Vec<FieldError>) {
    let kind = tree::text(schema, "/type");
    if !matches!(kind, "" | "object") {
        let detail = "only \"object\" is allowed as the type at the root of the schema if the status subresource is \
                      enabled";
        faults.push(FieldError::invalid(format!("{field}.type"), &json!(kind), detail));
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
        faults.push(FieldError::invalid(field, schema, detail));
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

fn check_scale(scale: &Value, field: &str, faults: &mut Vec<FieldError>) {
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
                faults.push(FieldError::required(field, ""));
            }
        } else if let Some(fault) = path_fault(path, &field) {
            faults.push(fault);
        } else if !parents.iter().any(|parent| path.starts_with(parent)) {
            faults.push(FieldError::invalid(field, &json!(path), detail));
        }
    }
}

fn check_column(column: &Value, field: &str, faults: &mut Vec<FieldError>) {
    let text = |member: &str| column[member].as_str().unwrap_or_default();
    if text("name").is_empty() {
        faults.push(FieldError::required(format!("{field}.name"), ""));
    }
    let one_of = |allowed: &[&str]| format!("must be one of {}", allowed.join(","));
    match text("type") {
        "" => faults.push(FieldError::required(format!("{field}.type"), &one_of(&COLUMN_TYPES))),
        kind if COLUMN_TYPES.contains(&kind) => {}
        kind => {
            faults.push(FieldError::invalid(format!("{field}.type"), &json!(kind), one_of(&COLUMN_TYPES)))
        }
    }
    match text("format") {
        "" => {}
        format if COLUMN_FORMATS.contains(&format) => {}
        format => faults.push(FieldError::invalid(
            format!("{field}.format"),
            &json!(format),
            one_of(&COLUMN_FORMATS),
        )),
    }
    let field = format!("{field}.JSONPath");
    match text("jsonPath") {
        "" => faults.push(FieldError::required(field, "")),
        path => faults.extend(path_fault(path, &field)),
    }
}

fn path_fault(path: &str, field: &str) -> Option<FieldError> {
    let detail = "must be a simple json path starting with .";
    (!path.starts_with('.')).then(|| FieldError::invalid(field, &json!(path), detail))
}
