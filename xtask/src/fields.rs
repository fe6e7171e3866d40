//! The fields of a schema, and those that no code reads.
//!
//! A field that is accepted and does nothing misleads its author. The test below walks the spec of every kind that the
//! federation serves: each field is read by production code outside of `crates/api`, or accessed within, or stands in
//! the table of stored fields in `docs/differences.md`. A read is found by name, so that a field with a name that many
//! structs have always counts as read.

use serde_json::Value;

/// One field of a kind.
pub(crate) struct Field<'a> {
    /// Its path from the root of the object; `[]` stands for the elements of a list, `*` for the keys of a map.
    pub(crate) path: String,
    pub(crate) schema: &'a Value,
    pub(crate) is_required: bool,
}

/// Every field below the root, parents before their children, without the envelope of the object.
pub(crate) fn fields(schema: &Value) -> Vec<Field<'_>> {
    let mut found = Vec::new();
    collect(schema, "", &mut found);
    found.retain(|field| !["apiVersion", "kind", "metadata"].contains(&field.path.as_str()));
    found
}

fn collect<'a>(schema: &'a Value, path: &str, found: &mut Vec<Field<'a>>) {
    if let Some(properties) = schema["properties"].as_object() {
        for (name, property) in properties {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let required = schema["required"].as_array();
            let is_required = required.is_some_and(|required| required.iter().any(|one| one == name));
            found.push(Field { path: path.clone(), schema: property, is_required });
            collect(property, &path, found);
        }
    }
    if schema["items"].is_object() {
        collect(&schema["items"], &format!("{path}[]"), found);
    }
    if schema["additionalProperties"].is_object() {
        collect(&schema["additionalProperties"], &format!("{path}.*"), found);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::workspace;

    /// Which words count as reads. The types of `crates/api` name every field, so only accesses count there.
    #[derive(Clone, Copy)]
    enum Words {
        All,
        Accessed,
    }

    /// The word of a field in Rust: `propagateDeps` is `propagate_deps`, and `proxyURL` is `proxy_url`.
    fn snake_case(name: &str) -> String {
        let letters: Vec<char> = name.chars().collect();
        let mut snake = String::new();
        for (index, letter) in letters.iter().enumerate() {
            let after_lower = index > 0 && !letters[index - 1].is_uppercase();
            let before_lower = letters.get(index + 1).is_some_and(|next| next.is_lowercase());
            if letter.is_uppercase() && index > 0 && (after_lower || before_lower) {
                snake.push('_');
            }
            snake.extend(letter.to_lowercase());
        }
        snake
    }

    #[test]
    fn words_of_fields() {
        for (name, word) in [
            ("propagateDeps", "propagate_deps"),
            ("proxyURL", "proxy_url"),
            ("insecureSkipTLSVerification", "insecure_skip_tls_verification"),
            ("clientIP", "client_ip"),
        ] {
            assert_eq!(snake_case(name), word);
        }
    }

    /// Collects from the production code below a folder every word, or with `Words::Accessed` only those after a dot.
    fn words(folder: &Path, which: Words, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).expect("a folder of sources").flatten() {
            let path = entry.path();
            if path.is_dir() {
                words(&path, which, found);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("tests.rs")
            {
                let text = fs::read_to_string(&path).expect("a source file");
                let production = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                let code = production.lines().filter(|line| !line.trim_start().starts_with("//"));
                for line in code {
                    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
                    let first = |text: &str| {
                        text.split(|letter| !is_part(letter)).next().unwrap_or_default().to_owned()
                    };
                    match which {
                        Words::All => found.extend(line.split(|letter| !is_part(letter)).map(str::to_owned)),
                        Words::Accessed => found.extend(line.split('.').skip(1).map(first)),
                    }
                }
            }
        }
    }

    #[test]
    fn each_field_of_a_spec_is_read_or_listed_as_stored_only() {
        let root = workspace::root().unwrap();
        let mut read = BTreeSet::new();
        for folder in ["plan", "controllers", "controlplane", "runtime", "portolan"] {
            words(&root.join("crates").join(folder).join("src"), Words::All, &mut read);
        }
        words(&root.join("crates/api/src"), Words::Accessed, &mut read);
        let differences = fs::read_to_string(root.join("docs/differences.md")).unwrap();
        let mut unread = Vec::new();
        for definition in portolan_api::crd::all() {
            let kind = definition["spec"]["names"]["kind"].as_str().unwrap_or_default();
            let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
            for field in fields(schema).iter().filter(|field| field.path.starts_with("spec.")) {
                let name = field.path.rsplit(['.', ']']).next().unwrap_or_default();
                let is_listed = differences.contains(&format!("`{kind}` `{}`", field.path));
                if name != "*" && !name.is_empty() && !read.contains(&snake_case(name)) && !is_listed {
                    unread.push(format!("{kind} {}", field.path));
                }
            }
        }
        assert!(
            unread.is_empty(),
            "no code reads these fields, and docs/differences.md does not say so (as `Kind` `path`):\n  {}",
            unread.join("\n  ")
        );
    }
}
