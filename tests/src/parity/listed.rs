//! The known differences, as `docs/conformance/parity.md` lists them.

use std::fs;
use std::path::Path;

use super::Case;
use super::normal::Difference;

/// A row of the table: patterns in which `*` stands for any text.
#[derive(Debug, Clone)]
pub struct Row {
    cases: String,
    place: String,
}

/// Reads the table.
///
/// # Panics
/// When the file cannot be read.
pub fn rows() -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/conformance/parity.md");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().filter_map(row).collect()
}

/// The patterns are between backquotes; other tables have none in their first two columns.
fn row(line: &str) -> Option<Row> {
    let mut columns = line.strip_prefix('|')?.split(" | ");
    let quoted = |column: &str| Some(column.trim().strip_prefix('`')?.strip_suffix('`')?.to_owned());
    Some(Row { cases: quoted(columns.next()?)?, place: quoted(columns.next()?)? })
}

impl Row {
    /// Whether the row is about a difference of a case.
    pub fn matches(&self, case: &Case, difference: &Difference) -> bool {
        is_like(&case.name, &self.cases) && is_like(&difference.place, &self.place)
    }
}

fn is_like(text: &str, pattern: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return text == pattern };
    let Some(text) = text.strip_prefix(start) else { return false };
    rest.is_empty()
        || text.char_indices().any(|(index, _)| is_like(&text[index..], rest))
        || is_like("", rest)
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn a_star_stands_for_any_text() {
        for (text, pattern, expected) in [
            ("v1 Pod: get", "v1 Pod: get", true),
            ("v1 Pod: get", "* Pod: *", true),
            ("v1 Pod: get", "*get", true),
            ("v1 Pod: get", "v1 Pod", false),
            ("v1 Pod: get", "*list*", false),
            ("code", "code", true),
        ] {
            assert_eq!(is_like(text, pattern), expected, "{text} {pattern}");
        }
    }
}
