//! What a suite said about each of its checks.

use std::fmt::Write as _;

/// Longest reason in a table, in characters.
const MAX_REASON: usize = 160;

/// Whether a check passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    Failed,
    /// The suite decided that it does not apply.
    Skipped,
}

/// One check of a suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) name: String,
    pub(super) outcome: Outcome,
    /// Why it failed, in the words of the suite.
    pub(super) reason: String,
}

/// How much of a suite was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Selection {
    All,
    Some,
}

/// The numbers of a run.
pub(super) fn summary(checks: &[Check]) -> String {
    let count = |outcome| checks.iter().filter(|check| check.outcome == outcome).count();
    let (passed, failed, skipped) = (count(Outcome::Passed), count(Outcome::Failed), count(Outcome::Skipped));
    format!("{passed} of {} passed, {failed} failed, {skipped} skipped", checks.len())
}

/// A Markdown table of all checks, those that failed first.
pub(super) fn table(checks: &[Check]) -> String {
    let mut text = format!("{}\n\n| check | outcome | reason |\n| --- | --- | --- |\n", summary(checks));
    let mut rows: Vec<&Check> = checks.iter().collect();
    rows.sort_by_key(|check| (check.outcome != Outcome::Failed, check.name.as_str()));
    for Check { name, outcome, reason } in rows {
        let reason: String = reason.replace(['|', '\n'], " ").chars().take(MAX_REASON).collect();
        let outcome = format!("{outcome:?}").to_lowercase();
        // Writing to a String does not fail.
        let _ = writeln!(text, "| `{name}` | {outcome} | {reason} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_come_first_and_reasons_are_one_line() {
        let check = |name: &str, outcome, reason: &str| Check {
            name: name.to_owned(),
            outcome,
            reason: reason.to_owned(),
        };
        let checks = [
            check("a", Outcome::Passed, ""),
            check("b", Outcome::Failed, "x|y\nz"),
            check("c", Outcome::Skipped, ""),
        ];
        let text = table(&checks);
        assert!(text.starts_with("1 of 3 passed, 1 failed, 1 skipped\n"), "{text}");
        let rows: Vec<&str> = text.lines().skip(4).collect();
        assert_eq!(rows, ["| `b` | failed | x y z |", "| `a` | passed |  |", "| `c` | skipped |  |"]);
    }
}
