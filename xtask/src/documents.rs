//! Files that the documents name, checked against the tree.

use std::collections::BTreeSet;

/// Every source file that `markdown` names between backticks, below `crates/`; braces are expanded as in a shell.
pub(crate) fn named_files(markdown: &str) -> BTreeSet<String> {
    let spans = markdown.split('`').skip(1).step_by(2);
    spans.filter(|span| span.ends_with(".rs") && span.contains('/')).flat_map(expand).collect()
}

/// Expands the first pair of braces, then the next ones.
fn expand(path: &str) -> Vec<String> {
    let Some((before, rest)) = path.split_once('{') else { return vec![path.to_owned()] };
    let Some((names, after)) = rest.split_once('}') else { return vec![path.to_owned()] };
    names.split(',').flat_map(|name| expand(&format!("{before}{name}{after}"))).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::workspace;

    #[test]
    fn braces_are_expanded() {
        let found =
            named_files("`plan/src/{dns,discovery}/import.rs`, `serde`, and `src/lib.rs` in a `crate.rs`");
        let expected = ["plan/src/discovery/import.rs", "plan/src/dns/import.rs", "src/lib.rs"];
        assert_eq!(found, expected.map(str::to_owned).into());
    }

    #[test]
    fn every_file_that_the_architecture_names_exists() {
        let root = workspace::root().unwrap();
        let text = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
        let files = named_files(&text);
        assert!(files.len() > 30, "the four flows name their files: {files:?}");
        let missing: Vec<_> = files.iter().filter(|file| !root.join("crates").join(file).is_file()).collect();
        assert!(missing.is_empty(), "ARCHITECTURE.md names files that do not exist: {missing:?}");
    }
}
