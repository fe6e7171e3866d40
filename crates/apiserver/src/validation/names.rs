//! Syntax of names, with the error texts of Kubernetes.
//!
//! A rule answers with the sentences that do not hold; no sentence means the name is fine.

use std::net::IpAddr;

use ipnet::IpNet;
use portolan_object::dns_label::{
    LABEL_LIMIT, LABEL_RULE, SUBDOMAIN_LIMIT, SUBDOMAIN_RULE, has_label_form, has_subdomain_form,
};
pub(crate) use portolan_object::selector::{label_key_errors, label_value_errors};

use crate::kinds::NameRule;

const WILDCARD: &str = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which \
                        must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric \
                        character (e.g. '*.example.com', regex used for validation is \
                        '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. \
                          'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is \
                          '[-._a-zA-Z0-9]+')";
const PERCENT: &str = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or \
                       '93%', regex used for validation is '[0-9]+%')";
const HEADER: &str = "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex \
                      used for validation is '[-A-Za-z0-9]+')";

/// A rule: the sentences that do not hold for a name.
pub(crate) type Rule = fn(&str) -> Vec<String>;

/// Checks a name against the rule of its kind.
pub(crate) fn by_rule(rule: NameRule, name: &str) -> Vec<String> {
    match rule {
        NameRule::Subdomain => subdomain(name),
        NameRule::ShortSubdomain(limit) => {
            let mut errors = subdomain(name);
            if name.len() > limit {
                errors.push(format!("must be no more than {limit} characters"));
            }
            errors
        }
        NameRule::Label => label(name),
        NameRule::PathSegment => path_segment(name),
        NameRule::Address => match name.parse::<IpAddr>() {
            Ok(address) if address.to_string() == name => Vec::new(),
            Ok(address) => vec![format!("must be in canonical form ({:?})", address.to_string())],
            Err(_) => vec!["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)".to_owned()],
        },
    }
}

/// RFC 1123 subdomain.
pub(crate) fn subdomain(name: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if name.len() > SUBDOMAIN_LIMIT {
        errors.push(format!("must be no more than {SUBDOMAIN_LIMIT} characters"));
    }
    if !has_subdomain_form(name) {
        errors.push(SUBDOMAIN_RULE.to_owned());
    }
    errors
}

/// RFC 1123 label.
pub(crate) fn label(name: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if name.len() > LABEL_LIMIT {
        errors.push(format!("must be no more than {LABEL_LIMIT} characters"));
    }
    if !has_label_form(name) {
        // It can only be dotted: without a full stop it would be a label.
        let is_dotted = has_subdomain_form(name);
        errors.push(if is_dotted { "must not contain dots".to_owned() } else { LABEL_RULE.to_owned() });
    }
    errors
}

/// A host name, possibly with `*` as its first label.
pub(crate) fn host(name: &str) -> Vec<String> {
    if !name.contains('*') {
        return subdomain(name);
    }
    let is_wildcard = name.strip_prefix("*.").is_some_and(has_subdomain_form);
    if is_wildcard { Vec::new() } else { vec![WILDCARD.to_owned()] }
}

/// Anything that can stand between two slashes.
pub(crate) fn path_segment(name: &str) -> Vec<String> {
    if name == "." || name == ".." {
        return vec![format!("may not be '{name}'")];
    }
    ["/", "%"]
        .iter()
        .filter(|part| name.contains(**part))
        .map(|part| format!("may not contain '{part}'"))
        .collect()
}

/// The name of a port, as IANA registers them.
pub(crate) fn port(name: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let mut error = |is_broken: bool, text: &str| {
        if is_broken {
            errors.push(text.to_owned());
        }
    };
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    error(name.len() > 15, "must be no more than 15 characters");
    let charset = "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)";
    error(name.is_empty() || !name.bytes().all(is_inner), charset);
    error(!name.bytes().any(|byte| byte.is_ascii_lowercase()), "must contain at least one letter (a-z)");
    error(name.contains("--"), "must not contain consecutive hyphens");
    error(name.starts_with('-') || name.ends_with('-'), "must not begin or end with a hyphen");
    errors
}

/// A key of a config map or secret.
pub(crate) fn config_key(key: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if key.len() > 253 {
        errors.push("must be no more than 253 characters".to_owned());
    }
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if key.is_empty() || !key.bytes().all(is_inner) {
        errors.push(CONFIG_KEY.to_owned());
    }
    match key {
        "." | ".." => errors.push(format!("must not be '{key}'")),
        key if key.starts_with("..") => errors.push("must not start with '..'".to_owned()),
        _ => {}
    }
    errors
}

/// The name of an environment variable.
pub(crate) fn environment(name: &str) -> Vec<String> {
    let is_inner = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'=';
    if name.bytes().all(is_inner) {
        return Vec::new();
    }
    vec![
        "a valid environment variable name must consist only of printable ASCII characters other than '='"
            .to_owned(),
    ]
}

/// A share such as `25%`.
pub(crate) fn percent(text: &str) -> Vec<String> {
    let number = text.strip_suffix('%').unwrap_or_default();
    let is_percent = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if is_percent { Vec::new() } else { vec![PERCENT.to_owned()] }
}

/// The name of an HTTP header.
pub(crate) fn header(name: &str) -> Vec<String> {
    let is_header = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_header { Vec::new() } else { vec![HEADER.to_owned()] }
}

/// An IP address.
pub(crate) fn address(text: &str) -> Vec<String> {
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_some() => {
            vec!["must not be an IPv4-mapped IPv6 address".to_owned()]
        }
        Ok(_) => Vec::new(),
        Err(_) => vec!["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)".to_owned()],
    }
}

/// A range of addresses.
pub(crate) fn range(text: &str) -> Vec<String> {
    match text.parse::<IpNet>() {
        Ok(range) if range.network() != range.addr() => {
            vec!["must not have bits set beyond the prefix length".to_owned()]
        }
        Ok(_) => Vec::new(),
        Err(_) => vec!["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)".to_owned()],
    }
}

/// Errors of an endpoint address: loopback, link-local, unspecified and multicast addresses are not allowed.
pub(crate) fn endpoint_address(text: &str) -> Vec<String> {
    let Ok(address) = text.parse::<IpAddr>() else {
        return vec!["must be a valid IP address".to_owned()];
    };
    let (is_link_local, is_link_multicast) = match address {
        IpAddr::V4(address) => (address.is_link_local(), address.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(address) => (address.is_unicast_link_local(), address.segments()[0] & 0xff0f == 0xff02),
    };
    let rules = [
        (address.is_unspecified(), format!("may not be unspecified ({text})")),
        (address.is_loopback(), "may not be in the loopback range (127.0.0.0/8, ::1/128)".to_owned()),
        (is_link_local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)".to_owned()),
        (
            is_link_multicast,
            "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)".to_owned(),
        ),
    ];
    rules.into_iter().filter(|(holds, _)| *holds).map(|(_, text)| text).collect()
}
