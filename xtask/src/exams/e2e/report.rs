//! The report of Ginkgo in JSON.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::super::check::Outcome;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Report {
    #[serde(default)]
    spec_reports: Option<Vec<Spec>>,
}

/// One spec, or a node around the specs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Spec {
    #[serde(default)]
    container_hierarchy_texts: Option<Vec<String>>,
    #[serde(default)]
    leaf_node_type: String,
    #[serde(default)]
    leaf_node_text: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    failure: Option<Failure>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Failure {
    #[serde(default)]
    message: String,
}

/// The specs in a report.
pub(super) fn read(path: &Path) -> Result<Vec<Spec>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text).with_context(|| format!("{} is no report of Ginkgo", path.display()))
}

fn parse(text: &str) -> Result<Vec<Spec>> {
    let reports: Vec<Report> = serde_json::from_str(text)?;
    let specs = reports.into_iter().flat_map(|report| report.spec_reports.unwrap_or_default());
    Ok(specs.filter(|spec| spec.leaf_node_type == "It").collect())
}

impl Spec {
    /// Its full text, as Ginkgo's focus matches it.
    pub(super) fn name(&self) -> String {
        let containers = self.container_hierarchy_texts.iter().flatten();
        let texts: Vec<&str> = containers
            .chain([&self.leaf_node_text])
            .map(String::as_str)
            .filter(|text| !text.is_empty())
            .collect();
        texts.join(" ")
    }

    /// Whether the run, which may be dry, selects it.
    pub(super) fn is_selected(&self) -> bool {
        self.state == "passed"
    }

    pub(super) fn outcome(&self) -> Outcome {
        match self.state.as_str() {
            "passed" => Outcome::Passed,
            "skipped" | "pending" => Outcome::Skipped,
            _ => Outcome::Failed,
        }
    }

    /// Why it failed, on one line.
    pub(super) fn reason(&self) -> String {
        let message = self.failure.as_ref().map(|failure| failure.message.as_str()).unwrap_or_default();
        message.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_have_names_and_outcomes() {
        let text = r#"[{"SpecReports": [
            {"LeafNodeType": "BeforeSuite", "State": "passed"},
            {"ContainerHierarchyTexts": ["[sig-a] A"], "LeafNodeType": "It", "LeafNodeText": "works [Conformance]", "State": "passed"},
            {"ContainerHierarchyTexts": null, "LeafNodeType": "It", "LeafNodeText": "waits", "State": "timedout",
             "Failure": {"Message": "too\n  late"}}]}]"#;
        let specs = parse(text).expect("a report");
        let told: Vec<_> = specs.iter().map(|spec| (spec.name(), spec.outcome(), spec.reason())).collect();
        let want = [
            ("[sig-a] A works [Conformance]".to_owned(), Outcome::Passed, String::new()),
            ("waits".to_owned(), Outcome::Failed, "too late".to_owned()),
        ];
        assert_eq!(told, want);
    }
}
