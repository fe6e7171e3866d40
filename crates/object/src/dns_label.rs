//! DNS labels and subdomains (RFC 1123), with the error texts of Kubernetes.
//!
//! Names of objects are held to lower case. DNS itself compares without case, so host names may have capitals. Who
//! allows less, such as a shorter name, says so beside its own limit.

/// The most characters of one label.
pub const LABEL_LIMIT: usize = 63;
/// The most characters of a whole name.
pub const SUBDOMAIN_LIMIT: usize = 253;

/// Error text of an API server for an invalid [label](has_label_form).
pub const LABEL_RULE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', \
                              and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', \
                              regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
/// Error text of an API server for an invalid [subdomain](has_subdomain_form).
pub const SUBDOMAIN_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, \
                                  '-' or '.', and must start and end with an alphanumeric character (e.g. \
                                  'example.com', regex used for validation is \
                                  '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/// Whether `text` is lower-case letters, digits and inner hyphens, of any length.
pub fn has_label_form(text: &str) -> bool {
    is_well_formed(text) && !text.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// Whether `text` is one or more such parts, joined by full stops, of any length.
pub fn has_subdomain_form(text: &str) -> bool {
    text.split('.').all(has_label_form)
}

/// Whether `text` is a label by which an object may be called.
pub fn is_label(text: &str) -> bool {
    text.len() <= LABEL_LIMIT && has_label_form(text)
}

/// Whether `text` is a subdomain by which an object may be called. As in Kubernetes, only the whole has a limit.
pub fn is_subdomain(text: &str) -> bool {
    text.len() <= SUBDOMAIN_LIMIT && has_subdomain_form(text)
}

/// Whether `text` can be one label of a DNS name.
pub fn is_host_label(text: &str) -> bool {
    text.len() <= LABEL_LIMIT && is_well_formed(text)
}

/// Whether `text` can be a DNS name, or a part of one.
pub fn is_host_name(text: &str) -> bool {
    text.len() <= SUBDOMAIN_LIMIT && text.split('.').all(is_host_label)
}

fn is_well_formed(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !text.is_empty() && !text.starts_with('-') && !text.ends_with('-') && text.bytes().all(is_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_names() {
        let (longest, too_long) = ("a".repeat(63), "a".repeat(64));
        let dotted = format!("{too_long}.b");
        let endless = ["a"; 128].join(".");
        let none = [false; 4];
        // Label, subdomain; label and name of a host.
        let cases = [
            ("plain", "web-0", [true; 4]),
            ("digits", "1", [true; 4]),
            ("upper case", "Web", [false, false, true, true]),
            ("dotted", "a.b", [false, true, false, true]),
            ("empty", "", none),
            ("empty part", "a..b", none),
            ("underscore", "a_b", none),
            ("leading hyphen", "-a", none),
            ("trailing hyphen", "a-", none),
            ("a part with a leading hyphen", "a.-b", none),
            ("other letters", "bär", none),
            ("longest label", &longest, [true; 4]),
            ("too long for a label", &too_long, [false, true, false, false]),
            ("a part too long for DNS", &dotted, [false, true, false, false]),
            ("too long as a whole", &endless, none),
        ];
        for (name, text, want) in cases {
            let seen = [is_label(text), is_subdomain(text), is_host_label(text), is_host_name(text)];
            assert_eq!(seen, want, "{name}");
        }
    }

    #[test]
    fn the_form_has_no_length() {
        let long = "a".repeat(300);
        assert!(has_label_form(&long) && has_subdomain_form(&long));
    }
}
