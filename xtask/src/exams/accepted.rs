//! The failures that a page of `docs/conformance` lists: rows of a table with check, target and reason.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::Target;
use super::check::{Check, Outcome, Selection};

/// The checks that may fail on one target.
#[derive(Debug, Default)]
pub(super) struct Accepted(Vec<String>);

impl Accepted {
    /// Reads a page.
    pub(super) fn read(page: &Path, target: Target) -> Result<Self> {
        let text = fs::read_to_string(page).with_context(|| format!("cannot read {}", page.display()))?;
        Ok(Self::parse(&text, target))
    }

    /// The names in rows such as "| `name` | hub, member | reason |".
    fn parse(text: &str, target: Target) -> Self {
        let row = |line: &str| {
            let mut cells = line.trim().strip_prefix('|')?.split('|').map(str::trim);
            let name = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
            let mut targets = cells.next()?.split(',').map(str::trim);
            targets.any(|named| named == target.name()).then(|| name.to_owned())
        };
        Self(text.lines().filter_map(row).collect())
    }

    /// Failures that are not listed, and in a whole run what is listed and does not fail.
    pub(super) fn faults(&self, checks: &[Check], selection: Selection) -> Vec<String> {
        let failed = |check: &&Check| check.outcome == Outcome::Failed;
        let unlisted = checks.iter().filter(failed).filter(|check| !self.0.contains(&check.name));
        let mut faults: Vec<String> =
            unlisted.map(|check| format!("{} failed: {}", check.name, check.reason)).collect();
        if selection == Selection::All {
            let fails = |name: &&String| checks.iter().filter(failed).any(|check| check.name == **name);
            let stale = self.0.iter().filter(|name| !fails(name));
            faults.extend(stale.map(|name| format!("{name} is listed, and does not fail")));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_count_for_their_targets_and_must_still_fail() {
        let page = "# Page\n\n| check | on | why |\n| --- | --- | --- |\n| `one` | hub, member | because |\n| `two` | member | so |\n";
        let check = |name: &str, outcome| Check { name: name.to_owned(), outcome, reason: "r".to_owned() };
        let accepted = Accepted::parse(page, Target::Hub);
        assert_eq!(accepted.0, ["one"]);
        assert_eq!(Accepted::parse(page, Target::Member).0, ["one", "two"]);
        let checks = [check("one", Outcome::Failed), check("two", Outcome::Passed)];
        assert!(accepted.faults(&checks, Selection::All).is_empty());
        let checks = [check("one", Outcome::Passed), check("two", Outcome::Failed)];
        let faults = accepted.faults(&checks, Selection::All);
        assert_eq!(faults, ["two failed: r", "one is listed, and does not fail"]);
        assert_eq!(accepted.faults(&checks, Selection::Some), ["two failed: r"]);
    }
}
