//! Group `config.karmada.io`: customised interpreters of kinds, as Lua scripts or as webhooks.

mod context;
mod customization;
mod webhook;

pub use context::{
    DependentObjectReference, InterpreterContext, InterpreterKind, InterpreterRequest, InterpreterResponse,
    RequestStatus,
};
pub use customization::{
    CustomizationRules, CustomizationTarget, LuaRule, ResourceInterpreterCustomization,
    ResourceInterpreterCustomizationSpec,
};
pub use webhook::{
    InterpreterWebhook, ResourceInterpreterWebhookConfiguration, RuleWithOperations, ServiceReference,
    WebhookClientConfig,
};

use std::fmt;

/// An operation that an interpreter can answer for a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum InterpreterOperation {
    /// Replicas that a template wants, and the requirements of each.
    InterpretReplica,
    /// Components of a template with several pod templates.
    InterpretComponent,
    /// Writes the share of one cluster into a manifest.
    ReviseReplica,
    /// Carries fields of the object in the member over to the manifest.
    Retain,
    /// Aggregates the statuses of all members into the template.
    AggregateStatus,
    /// The part of the status of an object in a member that is reported.
    InterpretStatus,
    /// Whether an object in a member does its job.
    InterpretHealth,
    /// Other objects that a template refers to.
    InterpretDependency,
}

impl InterpreterOperation {
    /// All operations, in the order in which `karmadactl interpret --check` prints them.
    pub const ALL: [Self; 8] = [
        Self::Retain,
        Self::InterpretReplica,
        Self::InterpretComponent,
        Self::ReviseReplica,
        Self::InterpretStatus,
        Self::AggregateStatus,
        Self::InterpretHealth,
        Self::InterpretDependency,
    ];

    /// The name in rules of webhooks and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InterpretReplica => "InterpretReplica",
            Self::InterpretComponent => "InterpretComponent",
            Self::ReviseReplica => "ReviseReplica",
            Self::Retain => "Retain",
            Self::AggregateStatus => "AggregateStatus",
            Self::InterpretStatus => "InterpretStatus",
            Self::InterpretHealth => "InterpretHealth",
            Self::InterpretDependency => "InterpretDependency",
        }
    }

    /// The operation with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.as_str() == name)
    }
}

impl fmt::Display for InterpreterOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
