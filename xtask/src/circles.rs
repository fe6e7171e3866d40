//! Circles between the modules of a crate: files that use each other, directly or through others.
//!
//! A file in a circle cannot be understood or tested without the whole circle. The test of this module keeps the crates
//! in [`CHECKED`] free of circles. A module and its own submodules may use each other; re-exports are not followed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};

/// Crates without circles.
const CHECKED: &[&str] = &[
    "object",
    "api",
    "net",
    "dns",
    "apiserver",
    "controlplane",
    "controllers",
    "plan",
    "runtime",
    "store",
    "packing",
    "playground",
    "portolan",
];

/// For each module of a crate, the modules that its file uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

/// The circles of the checked crates, one sentence for each.
///
/// # Errors
/// When a source file cannot be read.
pub(crate) fn find(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for name in CHECKED {
        let mut sources = BTreeMap::new();
        collect(&root.join("crates").join(name).join("src"), "", &mut sources)?;
        for circle in circles(&uses(&sources)) {
            found.push(format!("{name}: these modules use each other: {}", circle.join(", ")));
        }
    }
    Ok(found)
}

/// Reads the source files below a folder; keys are module paths such as `write::create`.
fn collect(folder: &Path, parent: &str, sources: &mut BTreeMap<String, String>) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
        // Tests may use everything.
        if stem == "tests" {
            continue;
        }
        let module = match (parent, stem) {
            ("", "lib" | "main") => String::new(),
            ("", stem) => stem.to_owned(),
            (parent, stem) => format!("{parent}::{stem}"),
        };
        if path.is_dir() {
            collect(&path, &module, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path);
            let text = text.with_context(|| format!("cannot read {}", path.display()))?;
            sources.insert(module, code(&text));
        }
    }
    Ok(())
}

/// A source file without comments and without its inline tests.
fn code(text: &str) -> String {
    let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = product.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join(" ")
}

fn uses(sources: &BTreeMap<String, String>) -> Uses {
    let of_file = |(module, text): (&String, &String)| {
        let paths = paths(text);
        let resolved = paths.iter().filter_map(|path| resolve(module, path, sources));
        (module.clone(), resolved.filter(|used| !is_related(module, used)).collect())
    };
    sources.iter().map(of_file).collect()
}

/// Whether one module contains the other.
fn is_related(a: &str, b: &str) -> bool {
    let contains = |outer: &str, inner: &str| {
        outer.is_empty()
            || inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    contains(a, b) || contains(b, a)
}

/// All paths that start with `crate`, `super` or a name in a `use`.
fn paths(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let mut rest = text;
    let mut others = String::new();
    while let Some(start) = rest.find("use ") {
        let is_keyword = rest[..start].chars().next_back().is_none_or(|letter| letter.is_whitespace());
        let after = &rest[start + "use ".len()..];
        let end = after.find(';').unwrap_or(after.len());
        if is_keyword && !after[..end].contains('"') {
            others.push_str(&rest[..start]);
            expand("", &after[..end], &mut paths);
            rest = &after[end..];
        } else {
            others.push_str(&rest[..start + "use ".len()]);
            rest = after;
        }
    }
    others.push_str(rest);
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    let words = others.split(|letter| !is_part(letter));
    paths.extend(
        words.filter(|word| word.starts_with("crate::") || word.starts_with("super::")).map(str::to_owned),
    );
    paths
}

/// Adds the paths of a use tree such as `a::{b, c::{d, e}}`.
fn expand(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((head, list)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default().trim();
        if !path.is_empty() {
            paths.push(format!("{prefix}{path}"));
        }
        return;
    };
    let prefix = format!("{prefix}{}", head.trim());
    let list = list.trim_end().strip_suffix('}').unwrap_or(list);
    let (mut depth, mut start) = (0_u32, 0);
    for (index, letter) in list.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                expand(&prefix, &list[start..index], paths);
                start = index + 1;
            }
            _ => {}
        }
    }
    expand(&prefix, &list[start..], paths);
}

/// The module of this crate that a path in `module` leads to.
fn resolve(module: &str, path: &str, sources: &BTreeMap<String, String>) -> Option<String> {
    let segments = path.split("::").filter(|segment| !segment.is_empty() && *segment != "self");
    let mut segments = segments.peekable();
    let mut base: Vec<&str> = module.split("::").filter(|segment| !segment.is_empty()).collect();
    match segments.peek() {
        Some(&"crate") => {
            base.clear();
            segments.next();
        }
        Some(&"super") => {
            while segments.next_if_eq(&"super").is_some() {
                base.pop();
            }
        }
        // A submodule, or a name of another crate.
        _ => {}
    }
    base.extend(segments);
    (1..=base.len()).rev().map(|length| base[..length].join("::")).find(|path| sources.contains_key(path))
}

/// The sets of modules that reach each other, each sorted.
fn circles(uses: &Uses) -> Vec<Vec<String>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        uses.keys().map(|module| (module.as_str(), reachable(module, uses))).collect();
    let mut found = BTreeSet::new();
    for (module, others) in &reached {
        if others.contains(module) {
            let mutual =
                others.iter().filter(|other| reached.get(**other).is_some_and(|back| back.contains(module)));
            found.insert(mutual.map(|&other| other.to_owned()).collect::<Vec<_>>());
        }
    }
    found.into_iter().collect()
}

/// The modules that a module uses, directly or through others.
fn reachable<'u>(module: &str, uses: &'u Uses) -> BTreeSet<&'u str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = vec![module];
    while let Some(next) = open.pop() {
        for used in uses.get(next).into_iter().flatten() {
            if found.insert(used.as_str()) {
                open.push(used);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let sources = files.iter().map(|(module, text)| ((*module).to_owned(), code(text))).collect();
        circles(&uses(&sources))
    }

    /// Name, files with their content, and the circles among them.
    type Case = (&'static str, &'static [(&'static str, &'static str)], Vec<Vec<String>>);

    #[test]
    fn circles_are_found_through_every_form_of_path() {
        let ab = vec![vec!["a".to_owned(), "b".to_owned()]];
        let cases: [Case; 8] = [
            ("two files", &[("a", "use crate::b::B;"), ("b", "use crate::a::A;")], ab.clone()),
            (
                "a list",
                &[("a", "use crate::{b::{self, B}, c};"), ("b", "use super::a;"), ("c", "")],
                ab.clone(),
            ),
            (
                "without use",
                &[("a", "fn f() { crate::b::g(); }"), ("b", "fn g() { super::a::f() }")],
                ab.clone(),
            ),
            ("renamed", &[("a", "use crate::b as other;"), ("b", "use crate::a::f as g;")], ab),
            ("one way", &[("a", "use crate::b::B;"), ("b", "use std::fmt;")], vec![]),
            ("a comment", &[("a", "use crate::b::B;"), ("b", "// use crate::a::A;")], vec![]),
            (
                "a test",
                &[("a", "use crate::b;"), ("b", "#[cfg(test)]\nmod tests {\n use crate::a; }")],
                vec![],
            ),
            ("parent and child", &[("a", "mod b; use b::B;"), ("a::b", "use super::A;")], vec![]),
        ];
        for (name, files, want) in cases {
            assert_eq!(circles_of(files), want, "{name}");
        }
        let three = [("a", "use crate::b;"), ("b", "use crate::c;"), ("c", "use crate::a;")];
        assert_eq!(circles_of(&three), [["a", "b", "c"]]);
    }

    #[test]
    fn the_checked_crates_have_no_circles() {
        let root = crate::workspace::root().unwrap();
        assert_eq!(find(&root).unwrap(), Vec::<String>::new());
    }
}
