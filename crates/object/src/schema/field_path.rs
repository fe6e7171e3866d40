//! The `fieldPath` of a validation rule: where an error is reported, relative to the value of the rule.

/// The names on a path such as `.spec['a.b'].c`; `None` when it is not a path.
pub(super) fn parse(path: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("['") {
            let (name, after) = quoted(after)?;
            names.push(name);
            rest = after.strip_prefix(']')?;
        } else {
            let after = rest.strip_prefix('.')?;
            let end = after.find(['.', '[', ']']).unwrap_or(after.len());
            if end == 0 {
                return None;
            }
            names.push(after[..end].to_owned());
            rest = &after[end..];
        }
    }
    Some(names)
}

/// A name up to its closing quote, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\'' => return Some((name, &text[at + 1..])),
            '\\' => name.push(match characters.next()?.1 {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                escaped @ ('\'' | '\\') => escaped,
                _ => return None,
            }),
            _ => name.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_names() {
        let cases = [
            (".replicas", Some(vec!["replicas"])),
            (".spec.a-b", Some(vec!["spec", "a-b"])),
            (".spec['x.y'].z", Some(vec!["spec", "x.y", "z"])),
            (r".a['it\'s']", Some(vec!["a", "it's"])),
            ("", Some(vec![])),
            ("replicas", None),
            (".a[0]", None),
            (".a['b'", None),
            ("  ", None),
            ("..a", None),
        ];
        for (path, want) in cases {
            let want = want.map(|names| names.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(parse(path), want, "{path:?}");
        }
    }
}
