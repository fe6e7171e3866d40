//! How fast an autoscaler scales (Kubernetes `autoscaling/v2` HorizontalPodAutoscalerBehavior).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::is_default;

/// Rules in both directions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Behavior {
    /// Rules for more replicas.
    #[serde(skip_serializing_if = "is_default")]
    pub scale_up: Option<ScalingRules>,
    /// Rules for fewer replicas.
    #[serde(skip_serializing_if = "is_default")]
    pub scale_down: Option<ScalingRules>,
}

/// Rules in one direction.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ScalingRules {
    /// Seconds over which the safest recommendation counts; 0 up, and 300 down, if unset.
    #[serde(skip_serializing_if = "is_default")]
    pub stabilization_window_seconds: Option<i32>,
    /// Max, Min or Disabled: which policy decides.
    #[serde(skip_serializing_if = "is_default")]
    pub select_policy: Option<String>,
    /// Limits of a change.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub policies: Option<Vec<ScalingPolicy>>,
}

/// A limit of a change in a period.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ScalingPolicy {
    /// Pods or Percent.
    #[serde(rename = "type")]
    pub kind: String,
    /// Number of pods, or percents of the replicas at the start of the period.
    pub value: i32,
    /// Length of the period in seconds.
    pub period_seconds: i32,
}

impl Behavior {
    /// The behavior with every rule that is unset filled in (kubernetes pkg/apis/autoscaling/v2/defaults.go).
    #[must_use]
    pub fn completed(mut self) -> Self {
        let policy = |kind: &str, value| ScalingPolicy { kind: kind.to_owned(), value, period_seconds: 15 };
        let up = self.scale_up.get_or_insert_default();
        up.stabilization_window_seconds.get_or_insert(0);
        up.policies.get_or_insert_with(|| vec![policy("Pods", 4), policy("Percent", 100)]);
        let down = self.scale_down.get_or_insert_default();
        down.policies.get_or_insert_with(|| vec![policy("Percent", 100)]);
        for rules in [up, down] {
            rules.select_policy.get_or_insert_with(|| "Max".to_owned());
        }
        self
    }
}
