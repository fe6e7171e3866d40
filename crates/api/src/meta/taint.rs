//! Taints and tolerations, with the semantics of those of nodes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::is_default;

/// `corev1.Taint`: excludes workloads that do not tolerate it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Taint {
    /// Name of the taint.
    pub key: String,
    /// Value of the taint.
    #[serde(skip_serializing_if = "is_default")]
    pub value: String,
    /// Effect on workloads that do not tolerate the taint: NoSchedule, PreferNoSchedule or NoExecute.
    pub effect: String,
    /// Time at which the taint was added; start of tolerationSeconds for NoExecute.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("format" = "date-time"))]
    pub time_added: Option<String>,
}

/// `corev1.Toleration`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Toleration {
    /// The tolerated key; empty with operator Exists tolerates every key.
    #[serde(skip_serializing_if = "is_default")]
    pub key: String,
    /// Equal (when empty) or Exists.
    #[serde(skip_serializing_if = "is_default")]
    pub operator: String,
    /// The tolerated value, for Equal.
    #[serde(skip_serializing_if = "is_default")]
    pub value: String,
    /// The tolerated effect; empty tolerates all effects.
    #[serde(skip_serializing_if = "is_default")]
    pub effect: String,
    /// Seconds for which a NoExecute taint is tolerated; unset is forever.
    #[serde(skip_serializing_if = "is_default")]
    pub toleration_seconds: Option<i64>,
}

impl Toleration {
    /// Whether this tolerates `taint`, by the rules for pods and nodes.
    ///
    /// An operator that is neither Equal nor Exists tolerates nothing.
    pub fn tolerates(&self, taint: &Taint) -> bool {
        let effect_fits = self.effect.is_empty() || self.effect == taint.effect;
        let key_fits = self.key.is_empty() || self.key == taint.key;
        let value_fits = match self.operator.as_str() {
            "" | "Equal" => self.value == taint.value,
            "Exists" => true,
            _ => false,
        };
        effect_fits && key_fits && value_fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerations() {
        let taint =
            Taint { key: "gpu".into(), value: "a".into(), effect: "NoSchedule".into(), ..Taint::default() };
        let toleration = |key: &str, operator: &str, value: &str, effect: &str| Toleration {
            key: key.into(),
            operator: operator.into(),
            value: value.into(),
            effect: effect.into(),
            toleration_seconds: None,
        };
        for (name, toleration, want) in [
            ("equal", toleration("gpu", "Equal", "a", "NoSchedule"), true),
            ("operator defaults to equal", toleration("gpu", "", "a", ""), true),
            ("other value", toleration("gpu", "Equal", "b", ""), false),
            ("exists ignores the value", toleration("gpu", "Exists", "", ""), true),
            ("empty key with exists", toleration("", "Exists", "", ""), true),
            ("other effect", toleration("gpu", "Exists", "", "NoExecute"), false),
            ("other key", toleration("tpu", "Exists", "", ""), false),
            ("unknown operator", toleration("gpu", "Lt", "a", ""), false),
        ] {
            assert_eq!(toleration.tolerates(&taint), want, "{name}");
        }
    }
}
