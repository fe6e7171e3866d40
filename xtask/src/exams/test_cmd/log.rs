//! The output of test/cmd.

use super::super::check::{Check, Outcome};

const CASE: &str = "+++ Running case: test-cmd.";
const EXIT: &str = "+++ exit code:";
/// The first line of a failed assertion.
const FAILED: &str = "FAIL!";
/// Lines of a failed assertion that tell what differs.
const DETAILS: usize = 4;

/// The functions that the suite runs, in order.
pub(super) fn functions(script: &str) -> Vec<String> {
    let names = script.lines().filter_map(|line| line.trim().strip_prefix("record_command run_"));
    names.map(|name| format!("run_{}", name.trim())).collect()
}

/// What happened to each function; the `expected` ones that were not run have failed.
pub(super) fn checks(log: &str, expected: &[String]) -> Vec<Check> {
    let mut found: Vec<Check> = Vec::new();
    let mut case: Option<(String, Vec<String>)> = None;
    for line in log.lines().map(plain) {
        if let Some(name) = line.strip_prefix(CASE) {
            case = Some((name.trim().to_owned(), Vec::new()));
        } else if let (Some(code), Some((name, lines))) = (line.strip_prefix(EXIT), &case) {
            let outcome = if code.trim() == "0" { Outcome::Passed } else { Outcome::Failed };
            let reason = if outcome == Outcome::Failed { reason(lines) } else { String::new() };
            // The canary is there to fail.
            if name != "record_command_canary" {
                found.push(Check { name: name.clone(), outcome, reason });
            }
            case = None;
        } else if let Some((_, lines)) = case.as_mut() {
            lines.push(line);
        }
    }
    for name in expected {
        if !found.iter().any(|check| check.name == *name) {
            let reason = "the suite ended before it, or in it".to_owned();
            found.push(Check { name: name.clone(), outcome: Outcome::Failed, reason });
        }
    }
    found
}

/// The failed assertion, or the last lines.
fn reason(lines: &[String]) -> String {
    let lines: Vec<&str> = lines.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
    let start = lines.iter().position(|line| line.ends_with(FAILED));
    let start = start.unwrap_or_else(|| lines.len().saturating_sub(DETAILS));
    lines.iter().skip(start).take(DETAILS).copied().collect::<Vec<_>>().join(" ")
}

/// A line without colours: an escape, and what follows up to a letter.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut is_escape = false;
    for letter in line.chars() {
        match letter {
            '\u{1b}' => is_escape = true,
            _ if is_escape => is_escape = !letter.is_ascii_alphabetic(),
            _ => text.push(letter),
        }
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
noise
+++ Running case: test-cmd.run_one_tests
Successful
\u{1b}(B\u{1b}[m+++ exit code: 0
+++ Running case: test-cmd.run_two_tests
\u{1b}[1mcore.sh:12: FAIL!
Get pods {{.x}}
  Expected: a
  Got:      b
+++ exit code: 1
+++ error: 1
+++ Running case: test-cmd.record_command_canary
+++ exit code: 127
";

    #[test]
    fn functions_pass_fail_or_are_not_reached() {
        let script =
            "  record_command run_one_tests\n record_command run_two_tests\nrecord_command run_three_tests\n";
        let checks = checks(LOG, &functions(script));
        let told: Vec<_> = checks.iter().map(|check| (check.name.as_str(), check.outcome)).collect();
        let want = [
            ("run_one_tests", Outcome::Passed),
            ("run_two_tests", Outcome::Failed),
            ("run_three_tests", Outcome::Failed),
        ];
        assert_eq!(told, want);
        assert_eq!(checks[1].reason, "core.sh:12: FAIL! Get pods {{.x}} Expected: a Got:      b");
    }
}
