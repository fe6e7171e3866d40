//! One step of the path from a template to its objects in members, and what was found there.

use serde::Serialize;

/// A part of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Hop {
    /// The object on the hub.
    Template,
    /// The policy that selects it.
    Policy,
    /// Its ResourceBinding or ClusterResourceBinding.
    Binding,
    /// The clusters that were chosen.
    Schedule,
    /// The override policies for one cluster.
    Overrides,
    /// The Work for one cluster.
    Work,
    /// The object in one cluster.
    Member,
    /// What the object in one cluster reports.
    Status,
}

impl Hop {
    /// The name, as it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Template => "template",
            Self::Policy => "policy",
            Self::Binding => "binding",
            Self::Schedule => "schedule",
            Self::Overrides => "overrides",
            Self::Work => "work",
            Self::Member => "member",
            Self::Status => "status",
        }
    }
}

/// The result of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// As the policy wants.
    Good,
    /// Works, and something needs attention.
    Warning,
    /// The control plane is expected to do the rest by itself.
    Waiting,
    /// The object does not get further.
    Broken,
    /// Could not be read; nothing is claimed about it.
    NotLookedAt,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// The part of the path.
    pub hop: Hop,
    /// The cluster, for steps that each cluster has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The result.
    pub verdict: Verdict,
    /// What is the case.
    pub text: String,
    /// Since when, in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Further lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
}

impl Step {
    pub(super) fn new(hop: Hop, verdict: Verdict, text: impl Into<String>) -> Self {
        Self { hop, cluster: None, verdict, text: text.into(), since: None, details: Vec::new(), cure: None }
    }

    pub(super) fn good(hop: Hop, text: impl Into<String>) -> Self {
        Self::new(hop, Verdict::Good, text)
    }

    pub(super) fn warning(hop: Hop, text: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::new(hop, Verdict::Warning, text).cure(cure)
    }

    pub(super) fn waiting(hop: Hop, text: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::new(hop, Verdict::Waiting, text).cure(cure)
    }

    pub(super) fn broken(hop: Hop, text: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::new(hop, Verdict::Broken, text).cure(cure)
    }

    pub(super) fn not_looked_at(hop: Hop, reason: impl std::fmt::Display) -> Self {
        Self::new(hop, Verdict::NotLookedAt, format!("not looked at: {reason}"))
    }

    pub(super) fn cure(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }

    pub(super) fn since(mut self, since: Option<&str>) -> Self {
        self.since = since.filter(|since| !since.is_empty()).map(str::to_owned);
        self
    }

    pub(super) fn details(mut self, details: Vec<String>) -> Self {
        self.details.extend(details);
        self
    }

    pub(super) fn on(mut self, cluster: &str) -> Self {
        self.cluster = Some(cluster.to_owned());
        self
    }
}

/// All steps of one template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnosis {
    /// Kind, namespace and name.
    pub subject: String,
    /// The steps, in the order of the path; those of each cluster are together.
    pub steps: Vec<Step>,
}

impl Diagnosis {
    /// The first step that is broken.
    pub fn broken(&self) -> Option<&Step> {
        self.first(Verdict::Broken)
    }

    /// The first step with a result.
    pub fn first(&self, verdict: Verdict) -> Option<&Step> {
        self.steps.iter().find(|step| step.verdict == verdict)
    }

    /// The result in one line.
    pub fn headline(&self) -> String {
        let subject = &self.subject;
        let place = |step: &Step| match &step.cluster {
            Some(cluster) => format!("{} of {cluster}", step.hop.name()),
            None => step.hop.name().to_owned(),
        };
        if let Some(step) = self.broken() {
            return format!("{subject}: broken at {}: {}", place(step), step.text);
        }
        if let Some(step) = self.first(Verdict::Waiting) {
            return format!("{subject}: under way at {}: {}", place(step), step.text);
        }
        if let Some(step) = self.first(Verdict::Warning) {
            return format!("{subject}: works, with a warning at {}: {}", place(step), step.text);
        }
        match self.first(Verdict::NotLookedAt) {
            Some(step) => format!("{subject}: nothing wrong was found, {} was {}", place(step), step.text),
            None => format!("{subject}: everything is as the policy wants"),
        }
    }

    /// Since when the last step is good that became good; `None` if a step is not good or has no time.
    pub fn good_since(&self) -> Option<&str> {
        let all_good = self.steps.iter().all(|step| step.verdict == Verdict::Good);
        let latest = self.steps.iter().filter_map(|step| step.since.as_deref()).max();
        latest.filter(|_| all_good)
    }
}
