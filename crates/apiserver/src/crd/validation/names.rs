//! Names in definitions: of the resource, its versions and its group.

use portolan_object::FieldError;
use portolan_object::dns_label::{
    LABEL_LIMIT, SUBDOMAIN_LIMIT, SUBDOMAIN_RULE, has_label_form, has_subdomain_form,
};
use serde_json::{Value, json};

use crate::tree;

const LABEL: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an \
                     alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', \
                     regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

/// Error of an RFC 1035 label; `None` for a valid one.
pub(super) fn label_errors(text: &str) -> Option<String> {
    let starts_well = text.starts_with(|letter: char| letter.is_ascii_lowercase());
    errors_of(text, LABEL_LIMIT, starts_well && has_label_form(text), LABEL)
}

/// Error of an RFC 1123 subdomain; `None` for a valid one.
pub(super) fn subdomain_errors(text: &str) -> Option<String> {
    errors_of(text, SUBDOMAIN_LIMIT, has_subdomain_form(text), SUBDOMAIN_RULE)
}

fn errors_of(text: &str, limit: usize, is_well_formed: bool, form: &str) -> Option<String> {
    let is_long = text.len() > limit;
    let too_long = format!("must be no more than {limit} characters");
    match (is_long, is_well_formed) {
        (false, true) => None,
        (true, true) => Some(too_long),
        (false, false) => Some(form.to_owned()),
        (true, false) => Some(format!("{too_long},{form}")),
    }
}

/// The names that a definition must ask for.
pub(super) fn check_presence(names: &Value, errors: &mut Vec<FieldError>) {
    for member in ["plural", "singular", "kind", "listKind"] {
        if tree::is_unset(names.get(member)) {
            errors.push(FieldError::required(format!("spec.names.{member}"), ""));
        }
    }
}

/// The form of the names that are there.
pub(super) fn check(names: &Value, field: &str, errors: &mut Vec<FieldError>) {
    let mut refuse = |member: &str, name: &str, detail: String| {
        errors.push(FieldError::invalid(format!("{field}.{member}"), &json!(name), detail));
    };
    let text = |member: &str| names[member].as_str().unwrap_or_default();
    for member in ["plural", "singular"] {
        if let Some(detail) = label_errors(text(member)).filter(|_| !text(member).is_empty()) {
            refuse(member, text(member), detail);
        }
    }
    for member in ["kind", "listKind"] {
        if let Some(detail) = label_errors(&text(member).to_lowercase()).filter(|_| !text(member).is_empty())
        {
            refuse(
                member,
                text(member),
                format!("may have mixed case, but should otherwise match: {detail}"),
            );
        }
    }
    let check_list = |member: &str, refuse: &mut dyn FnMut(&str, &str, String)| {
        let list = names[member].as_array().into_iter().flatten().filter_map(Value::as_str);
        for (index, name) in list.enumerate() {
            if let Some(detail) = label_errors(name) {
                refuse(&format!("{member}[{index}]"), name, detail);
            }
        }
    };
    check_list("shortNames", &mut refuse);
    if !text("kind").is_empty() && text("kind") == text("listKind") {
        refuse("listKind", text("listKind"), "kind and listKind may not be the same".to_owned());
    }
    check_list("categories", &mut refuse);
}
