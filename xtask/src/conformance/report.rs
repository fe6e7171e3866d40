//! The report that the conformance suite leaves, and what is wrong with it.
//!
//! Pure: text in, faults out. A spec that was skipped because a cluster is missing is a fault as much as one that
//! failed; one that a focus left out is not.

use serde::Deserialize;

/// Specs of the suite as pinned: 14 that are required, 13 that are optional. Fewer in a report mean that specs were
/// lost, which must not look like a pass.
const REQUIRED: usize = 14;
const OPTIONAL: usize = 13;

/// Which specs were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Selection {
    /// Every spec.
    All,
    /// Those of a focus or a label filter.
    Some,
}

/// The report; keys are those of the suite's YAML.
#[derive(Debug, Deserialize)]
pub(super) struct Report {
    #[serde(default)]
    groups: Vec<Group>,
    #[serde(default)]
    suitefailure: String,
}

#[derive(Debug, Deserialize)]
struct Group {
    name: String,
    tests: Vec<Spec>,
}

#[derive(Debug, Deserialize)]
struct Spec {
    desc: String,
    #[serde(default)]
    passed: bool,
    #[serde(default)]
    skipped: bool,
    #[serde(default)]
    conformant: bool,
    #[serde(default)]
    message: String,
}

impl Spec {
    /// Whether a focus or a label filter left it out: such a spec says no reason.
    fn is_left_out(&self) -> bool {
        self.skipped && self.message.is_empty()
    }

    /// The suite's own verdict in words.
    fn verdict(&self) -> &'static str {
        match (self.passed, self.skipped, self.conformant) {
            (true, ..) => "passed",
            (false, true, _) => "skipped",
            (false, false, true) => "unknown (it failed before it could tell)",
            (false, false, false) => "not conformant",
        }
    }
}

impl Report {
    /// Reads the YAML form.
    pub(super) fn parse(text: &str) -> Result<Self, serde_saphyr::Error> {
        serde_saphyr::from_str(text)
    }

    /// Passed specs of each group.
    pub(super) fn summary(&self) -> String {
        let group = |group: &Group| {
            let passed = group.tests.iter().filter(|spec| spec.passed).count();
            format!("{}: {passed} of {} passed", group.name, group.tests.len())
        };
        self.groups.iter().map(group).collect::<Vec<_>>().join(", ")
    }

    /// Why the run does not count as passed; empty when it does.
    pub(super) fn faults(&self, selection: Selection) -> Vec<String> {
        let mut faults = Vec::new();
        if !self.suitefailure.is_empty() {
            faults.push(format!("the suite could not be set up: {}", self.suitefailure));
        }
        let ran = |spec: &&Spec| selection == Selection::All || !spec.is_left_out();
        for group in &self.groups {
            for spec in group.tests.iter().filter(ran).filter(|spec| !spec.passed) {
                faults.push(format!("{} {}: {}{}", group.name, spec.verdict(), spec.desc, spec.message));
            }
        }
        let count = |name: &str| {
            let specs = self.groups.iter().filter(|group| group.name == name).flat_map(|group| &group.tests);
            specs.filter(ran).count()
        };
        match selection {
            Selection::All => {
                for (name, least) in [("Required", REQUIRED), ("Optional", OPTIONAL)] {
                    if count(name) < least {
                        faults.push(format!("{name}: {} specs in the report, expected {least}", count(name)));
                    }
                }
            }
            Selection::Some if count("Required") + count("Optional") == 0 => {
                faults.push("no spec matches the focus or the labels".to_owned());
            }
            Selection::Some => {}
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report of the suite's form with `required` and `optional` passed specs and `extra` among the optional ones.
    fn report(required: usize, optional: usize, extra: &str) -> Report {
        let spec = |index: usize| {
            format!(
                "      - desc: spec {index}\n        ref: \"\"\n        labels: []\n        passed: true\n        failed: false\n        skipped: false\n        conformant: true\n        message: \"\"\n"
            )
        };
        let specs = |count: usize| (0..count).map(spec).collect::<String>();
        let text = format!(
            "groups:\n    - name: Required\n      tests:\n{}    - name: Optional\n      tests:\n{}{extra}suitefailure: \"\"\ndnsdomain: clusterset.local\npassed: 1\ntotal: 1\nimplementation:\n    organization: Portolan\n    project: portolan\n    version: v0\n    url: \"\"\n",
            specs(required),
            specs(optional)
        );
        Report::parse(&text).unwrap()
    }

    fn extra(passed: bool, skipped: bool, conformant: bool, message: &str) -> String {
        format!(
            "      - desc: extra\n        passed: {passed}\n        failed: false\n        skipped: {skipped}\n        conformant: {conformant}\n        message: \"{message}\"\n"
        )
    }

    #[test]
    fn verdicts() {
        let refused = extra(false, false, false, " - no import");
        let broken = extra(false, false, true, " - timeout");
        let lonely = extra(false, true, true, " - requires at least 2 clusters");
        let left_out = extra(false, true, true, "");
        let rows: [(&str, Report, Selection, &[&str]); 9] = [
            ("everything passed", report(14, 13, ""), Selection::All, &[]),
            (
                "one is not conformant",
                report(14, 13, &refused),
                Selection::All,
                &["Optional not conformant: extra - no import"],
            ),
            (
                "one could not tell",
                report(14, 13, &broken),
                Selection::All,
                &["Optional unknown (it failed before it could tell): extra - timeout"],
            ),
            (
                "one was skipped",
                report(14, 13, &lonely),
                Selection::All,
                &["Optional skipped: extra - requires at least 2 clusters"],
            ),
            (
                "one was left out of a whole run",
                report(14, 13, &left_out),
                Selection::All,
                &["Optional skipped: extra"],
            ),
            (
                "specs are missing",
                report(13, 13, ""),
                Selection::All,
                &["Required: 13 specs in the report, expected 14"],
            ),
            ("a focus leaves specs out", report(1, 0, &left_out), Selection::Some, &[]),
            (
                "a focus matches nothing",
                report(0, 0, &left_out),
                Selection::Some,
                &["no spec matches the focus or the labels"],
            ),
            (
                "a focused spec lacks a cluster",
                report(1, 0, &lonely),
                Selection::Some,
                &["Optional skipped: extra - requires at least 2 clusters"],
            ),
        ];
        for (name, report, selection, want) in rows {
            assert_eq!(report.faults(selection), want, "{name}");
        }
    }

    #[test]
    fn a_suite_that_could_not_start_is_a_fault() {
        let report = Report::parse("groups: []\nsuitefailure: no CRDs\n").unwrap();
        assert_eq!(report.faults(Selection::Some)[0], "the suite could not be set up: no CRDs");
    }

    #[test]
    fn the_summary_counts_by_group() {
        assert_eq!(report(14, 2, "").summary(), "Required: 14 of 14 passed, Optional: 2 of 2 passed");
    }
}
