//! What a label key and a label value may look like.
//!
//! Selectors and object metadata are held to the same rules; the texts are those that an API server sends.

use crate::dns_label::{SUBDOMAIN_LIMIT, SUBDOMAIN_RULE, has_subdomain_form};

const NAME_FORMAT: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const NAME_RULE: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                         alphanumeric character";
const NAME_LIMIT: usize = 63;

/// What is wrong with a label key such as `example.com/tier`; empty when nothing is.
pub fn label_key_errors(key: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut parts = key.split('/');
    let name = match (parts.next(), parts.next(), parts.next()) {
        (Some(name), None, _) => name,
        (Some(prefix), Some(name), None) => {
            faults.extend(prefix_faults(prefix));
            name
        }
        _ => {
            let optional = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
            return vec![format!("a valid label key {} {optional}", name_rule())];
        }
    };
    if name.is_empty() {
        faults.push("name part must be non-empty".to_owned());
    } else if name.len() > NAME_LIMIT {
        faults.push(format!("name part must be no more than {NAME_LIMIT} bytes"));
    }
    if !is_name(name) {
        faults.push(format!("name part {}", name_rule()));
    }
    faults
}

/// What is wrong with a label value; empty when nothing is.
pub fn label_value_errors(value: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if value.len() > NAME_LIMIT {
        faults.push(format!("must be no more than {NAME_LIMIT} bytes"));
    }
    if !value.is_empty() && !is_name(value) {
        faults.push(format!(
            "a valid label must be an empty string or {} (e.g. 'MyValue',  or 'my_value',  or '12345', regex used \
             for validation is '({NAME_FORMAT})?')",
            NAME_RULE.trim_start_matches("must ")
        ));
    }
    faults
}

/// What is wrong with a DNS subdomain such as `example.com`; empty when nothing is.
pub fn subdomain_errors(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if text.len() > SUBDOMAIN_LIMIT {
        faults.push(format!("must be no more than {SUBDOMAIN_LIMIT} bytes"));
    }
    if !has_subdomain_form(text) {
        faults.push(SUBDOMAIN_RULE.to_owned());
    }
    faults
}

fn prefix_faults(prefix: &str) -> Vec<String> {
    if prefix.is_empty() {
        return vec!["prefix part must be non-empty".to_owned()];
    }
    subdomain_errors(prefix).into_iter().map(|fault| format!("prefix part {fault}")).collect()
}

fn name_rule() -> String {
    format!(
        "{NAME_RULE} (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{NAME_FORMAT}')"
    )
}

fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    let inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() && bytes.iter().all(inside)
}
