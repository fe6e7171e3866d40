//! ResourceInterpreterCustomization: Lua scripts that interpret one kind.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::InterpreterOperation;
use crate::kind::kind;
use crate::schema::is_default;

kind! {
    /// Lua scripts that interpret one kind.
    ResourceInterpreterCustomization, "config.karmada.io", "v1alpha1", "resourceinterpretercustomizations", Cluster {
        /// Kind and scripts.
        spec: ResourceInterpreterCustomizationSpec,
    }
}

/// Kind and scripts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceInterpreterCustomizationSpec {
    /// The kind.
    pub target: CustomizationTarget,
    /// The scripts; operations without a script are left to the other interpreters.
    pub customizations: CustomizationRules,
}

/// A kind, in one version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomizationTarget {
    /// Group and version, such as `apps/v1`.
    pub api_version: String,
    /// Kind.
    pub kind: String,
}

/// Scripts by operation. Each defines one global function; their names are those of Karmada.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomizationRules {
    /// `Retain(desiredObj, observedObj)` returns the object to write to the member.
    #[serde(skip_serializing_if = "is_default")]
    pub retention: Option<LuaRule>,
    /// `GetReplicas(desiredObj)` returns the replicas and the requirements of one.
    #[serde(skip_serializing_if = "is_default")]
    pub replica_resource: Option<LuaRule>,
    /// `GetComponents(desiredObj)` returns the components.
    #[serde(skip_serializing_if = "is_default")]
    pub component_resource: Option<LuaRule>,
    /// `ReviseReplica(desiredObj, desiredReplica)` returns the object with this number of replicas.
    #[serde(skip_serializing_if = "is_default")]
    pub replica_revision: Option<LuaRule>,
    /// `ReflectStatus(observedObj)` returns the status to report.
    #[serde(skip_serializing_if = "is_default")]
    pub status_reflection: Option<LuaRule>,
    /// `AggregateStatus(desiredObj, statusItems)` returns the object with its new status.
    #[serde(skip_serializing_if = "is_default")]
    pub status_aggregation: Option<LuaRule>,
    /// `InterpretHealth(observedObj)` returns whether the object is healthy.
    #[serde(skip_serializing_if = "is_default")]
    pub health_interpretation: Option<LuaRule>,
    /// `GetDependencies(desiredObj)` returns references to other objects.
    #[serde(skip_serializing_if = "is_default")]
    pub dependency_interpretation: Option<LuaRule>,
}

/// One script.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LuaRule {
    /// Lua 5.1, without access to files, processes, and code made at run time.
    pub lua_script: String,
}

impl CustomizationRules {
    /// The script of an operation; `None` if it is absent or empty.
    pub fn script(&self, operation: InterpreterOperation) -> Option<&str> {
        let rule = match operation {
            InterpreterOperation::Retain => &self.retention,
            InterpreterOperation::InterpretReplica => &self.replica_resource,
            InterpreterOperation::InterpretComponent => &self.component_resource,
            InterpreterOperation::ReviseReplica => &self.replica_revision,
            InterpreterOperation::InterpretStatus => &self.status_reflection,
            InterpreterOperation::AggregateStatus => &self.status_aggregation,
            InterpreterOperation::InterpretHealth => &self.health_interpretation,
            InterpreterOperation::InterpretDependency => &self.dependency_interpretation,
        };
        rule.as_ref().map(|rule| rule.lua_script.as_str()).filter(|script| !script.is_empty())
    }
}
