//! What an agent tells about the endpoints of other clusters that its cluster imports.
//!
//! The agent connects to imported endpoints all the time. It writes the result as JSON into an annotation of its Lease, which
//! is also its heartbeat. The control plane reads the Leases, and so do `portolan services` and `portolan why`.

use portolan_object::Object;
use serde::{Deserialize, Serialize};

use crate::annotations;
use crate::schema::is_default;

/// Maximum services in one report. Failing ones are listed first.
pub const MAX_SERVICES: usize = 500;
/// Maximum length of the annotation that is read, in bytes.
const MAX_LENGTH: usize = 200_000;

/// The results of one agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProbeReport {
    /// Clusters with endpoints that were probed, by the label of their EndpointSlices.
    pub sources: Vec<SourceReport>,
}

/// The endpoints of one exporting cluster, as one importing cluster reaches them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SourceReport {
    /// Value of label `multicluster.kubernetes.io/source-cluster`.
    pub cluster: String,
    /// Whether any of its endpoints answers.
    pub sight: Sight,
    /// Start of this state, RFC 3339, by the clock of the agent.
    pub since: String,
    /// Its services, each with its own result.
    pub services: Vec<ServiceReport>,
}

/// Whether a cluster is seen over the network of its pods.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Sight {
    /// An endpoint has answered lately.
    #[default]
    Answering,
    /// No endpoint has answered for a while, which may pass.
    Doubtful,
    /// Every endpoint refuses connections.
    Refused,
    /// No endpoint answers.
    Silent,
}

impl Sight {
    /// Whether no endpoint answers, for longer than a stall or lost packets explain.
    pub fn is_failed(self) -> bool {
        matches!(self, Self::Refused | Self::Silent)
    }
}

/// The endpoints of one service in one exporting cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceReport {
    /// Namespace.
    pub namespace: String,
    /// Name of the import.
    pub name: String,
    /// Whether the endpoint that was probed last answered, an HTTP probe with success.
    pub answers: bool,
    /// Why an HTTP probe of that endpoint failed; empty if it did not.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub failure: String,
    /// Whether all HTTP probes have failed for so long that the endpoints count as failing.
    #[serde(skip_serializing_if = "is_default")]
    pub is_failing: bool,
    /// Address and port that were probed last.
    pub endpoint: String,
    /// Time of that probe, RFC 3339.
    pub time: String,
}

impl ProbeReport {
    /// The report in a Lease of an agent; `None` without one, or if it cannot be read.
    pub fn of_lease(lease: &Object) -> Option<Self> {
        let text = lease.annotation(annotations::agent::PROBES).filter(|text| text.len() <= MAX_LENGTH)?;
        serde_json::from_str(text).ok()
    }

    /// The result for a service of a source, which is called by one of `names`.
    pub fn service(&self, names: &[&str], namespace: &str, name: &str) -> Option<&ServiceReport> {
        let source = self.sources.iter().find(|source| names.contains(&source.cluster.as_str()))?;
        source.services.iter().find(|service| service.namespace == namespace && service.name == name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_is_read_from_a_lease_of_any_content() {
        let lease =
            |text: &str| Object(json!({ "metadata": { "annotations": { "portolan.dev/probes": text } } }));
        let report = r#"{"sources":[{"cluster":"east","sight":"Silent","services":[{"namespace":"shop","name":"web"}]}]}"#;
        let read = ProbeReport::of_lease(&lease(report)).expect("a report");
        assert!(read.sources[0].sight.is_failed());
        assert!(read.service(&["member1", "east"], "shop", "web").is_some());
        assert!(read.service(&["west"], "shop", "web").is_none());
        for text in ["", "{", r#"{"sources":1}"#, r#"{"sources":[{"sight":"Odd"}]}"#] {
            assert_eq!(ProbeReport::of_lease(&lease(text)), None, "{text}");
        }
        let long = format!(r#"{{"sources":[{{"cluster":"{}"}}]}}"#, "x".repeat(MAX_LENGTH));
        assert_eq!(ProbeReport::of_lease(&lease(&long)), None, "too long");
        assert_eq!(ProbeReport::of_lease(&Object(json!({}))), None, "another Lease");
    }
}
