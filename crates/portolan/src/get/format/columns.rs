//! `-o custom-columns` (kubectl pkg/cmd/get/customcolumn.go).

use anyhow::{Context, Result, ensure};
use portolan_object::jsonpath::{JsonPath, render_values};
use serde_json::Value;

use super::path::relaxed;
use crate::output::table::align;

/// The text of a column without a value.
const NONE: &str = "<none>";

/// Headings and paths.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::get) struct CustomColumns {
    columns: Vec<(String, JsonPath)>,
}

impl CustomColumns {
    /// Reads `NAME:.metadata.name,NODE:.spec.nodeName`.
    ///
    /// # Errors
    /// A column without a path, or with a text that is not a path.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let column = |part: &str| {
            let (heading, path) =
                part.split_once(':').filter(|(heading, _)| !heading.is_empty()).with_context(|| {
                    format!("unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>")
                })?;
            Ok((heading.to_owned(), relaxed(path)?))
        };
        Ok(Self { columns: text.split(',').map(column).collect::<Result<_>>()? })
    }

    /// Reads a file with a line of headings and a line of paths.
    ///
    /// # Errors
    /// Other lines, or a text that is not a path.
    pub(super) fn parse_file(text: &str) -> Result<Self> {
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let words = |line: Option<&str>| -> Vec<String> {
            line.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
        };
        let (headings, paths) = (words(lines.next()), words(lines.next()));
        ensure!(
            !headings.is_empty() && headings.len() == paths.len(),
            "a file of custom columns has a line of headings and a line with as many paths: there are {} and {}",
            headings.len(),
            paths.len()
        );
        let paths = paths.iter().map(|path| relaxed(path)).collect::<Result<Vec<_>>>()?;
        Ok(Self { columns: headings.into_iter().zip(paths).collect() })
    }

    /// One line per object.
    pub(super) fn render(&self, objects: &[Value], has_heading: bool) -> String {
        let heading = self.columns.iter().map(|(heading, _)| heading.clone()).collect();
        let row = |object| self.columns.iter().map(|(_, path)| cell(&path.find(object))).collect();
        let lines: Vec<Vec<String>> =
            Some(heading).filter(|_| has_heading).into_iter().chain(objects.iter().map(row)).collect();
        align(&lines.iter().collect::<Vec<_>>())
    }
}

fn cell(values: &[&Value]) -> String {
    if values.is_empty() {
        return NONE.to_owned();
    }
    values.iter().map(|value| render_values(&[value])).collect::<Vec<_>>().join(",")
}
