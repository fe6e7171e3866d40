//! `$(NAME)` in commands, arguments and environment variables.

use std::collections::BTreeMap;

/// Replaces references to known variables; `$$` becomes `$`, and references to unknown variables are kept.
///
/// # Source
/// Kubernetes, "Define Dependent Environment Variables".
pub(crate) fn expand(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        match after.as_bytes().first() {
            Some(b'$') => {
                expanded.push('$');
                rest = &after[1..];
            }
            Some(b'(') if after.contains(')') => {
                let (name, beyond) = after[1..].split_once(')').unwrap_or_default();
                match variables.get(name) {
                    Some(value) => expanded.push_str(value),
                    None => {
                        expanded.push_str("$(");
                        expanded.push_str(name);
                        expanded.push(')');
                    }
                }
                rest = beyond;
            }
            _ => {
                expanded.push('$');
                rest = after;
            }
        }
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let variables =
            BTreeMap::from([("A".to_owned(), "1".to_owned()), ("B".to_owned(), "$(A)".to_owned())]);
        let cases = [
            ("plain", "plain"),
            ("pod ip $(A)", "pod ip 1"),
            ("$(A)$(A)", "11"),
            ("$(B)", "$(A)"),
            ("$$(A)", "$(A)"),
            ("$(NOPE)", "$(NOPE)"),
            ("$(A", "$(A"),
            ("$A ends with $", "$A ends with $"),
            ("", ""),
        ];
        for (text, want) in cases {
            assert_eq!(expand(text, &variables), want, "{text}");
        }
    }
}
