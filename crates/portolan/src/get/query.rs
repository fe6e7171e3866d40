//! What `portolan get` asks for: kinds, names and selectors.

use anyhow::{Result, bail, ensure};

use super::arguments::Get;

/// One kind, and the names of its objects; all objects without names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    /// Any name of the kind.
    pub(super) kind: String,
    /// Names of objects.
    pub(super) names: Vec<String>,
}

/// Reads `KIND[,KIND] [NAME…]` and `KIND/NAME [KIND/NAME…]`.
///
/// # Errors
/// When the two forms are mixed, or names are given together with several kinds or a selector.
pub(super) fn queries(arguments: &Get) -> Result<Vec<Query>> {
    let first = &arguments.resource;
    let queries: Vec<Query> = if first.contains('/') {
        let mut queries = Vec::new();
        for text in std::iter::once(first).chain(&arguments.names) {
            match text.split_once('/') {
                Some((kind, name)) if !kind.is_empty() && !name.is_empty() => {
                    queries.push(Query { kind: kind.to_owned(), names: vec![name.to_owned()] });
                }
                _ => bail!("{text:?} is not KIND/NAME, as the others are"),
            }
        }
        queries
    } else {
        let kinds: Vec<&str> = first.split(',').filter(|kind| !kind.is_empty()).collect();
        ensure!(
            kinds.len() == 1 || arguments.names.is_empty(),
            "names can be given for one kind only; for several use KIND/NAME"
        );
        let names = &arguments.names;
        kinds.iter().map(|kind| Query { kind: (*kind).to_owned(), names: names.clone() }).collect()
    };
    let has_names = queries.iter().any(|query| !query.names.is_empty());
    ensure!(!queries.is_empty(), "name a kind, such as `pods`: kubectl api-resources lists them");
    ensure!(
        !(has_names && arguments.objects.all_namespaces),
        "a resource cannot be retrieved by name across all namespaces"
    );
    let has_selector = !arguments.objects.selector.is_empty() || !arguments.field_selector.is_empty();
    ensure!(!(has_names && has_selector), "a selector and names cannot be given together");
    Ok(queries)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn parse(line: &str) -> Result<Vec<(String, Vec<String>)>, String> {
        let words = format!("portolan get {line}");
        let parsed = Arguments::try_parse_from(words.split_whitespace()).expect("a command line");
        let Command::Get(arguments) = parsed.command else { panic!("not get") };
        let queries = queries(&arguments).map_err(|error| error.to_string())?;
        Ok(queries.into_iter().map(|query| (query.kind, query.names)).collect())
    }

    #[test]
    fn kinds_and_names() {
        let query = |kind: &str, names: &[&str]| {
            (kind.to_owned(), names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
        };
        let cases = [
            ("pods", vec![query("pods", &[])]),
            ("deploy,svc -l app=web", vec![query("deploy", &[]), query("svc", &[])]),
            ("pod a b", vec![query("pod", &["a", "b"])]),
            ("deploy/web svc/web", vec![query("deploy", &["web"]), query("svc", &["web"])]),
        ];
        for (line, want) in cases {
            assert_eq!(parse(line), Ok(want), "{line}");
        }
        for (line, part) in [
            ("deploy,svc web", "one kind only"),
            ("deploy/web svc", "KIND/NAME"),
            ("deploy web -l a=b", "together"),
            ("deploy web -A", "across all namespaces"),
            (",", "name a kind"),
        ] {
            assert!(parse(line).is_err_and(|error| error.contains(part)), "{line}");
        }
    }
}
