//! The hooks of an interpreter and the types that they exchange.

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::ViewError;
use portolan_api::resources::StaticResource;
use portolan_api::work::{Component, ReplicaRequirements};
use portolan_object::Object;
use serde_json::Value;

/// Whether an object does its job in a member; an error when a field of it cannot be read.
pub type Health = fn(&Object) -> Result<bool, ViewError>;

/// The status of a template from the template, its present status and the reports, sorted by cluster; `None` to leave it.
pub type Aggregate = fn(&Object, Value, &[Report]) -> Option<Value>;

/// Other objects that a template refers to; an error when a field of it cannot be read.
pub type Dependencies = fn(&Object) -> Result<Vec<DependentObjectReference>, ViewError>;

/// Everything that Portolan knows about one kind.
#[derive(Debug, Clone, Copy)]
pub struct Interpreter {
    /// The kind.
    pub resource: StaticResource,
    /// Names of the status fields that the hooks read or write.
    pub status_fields: &'static [&'static str],
    /// Replicas that a template wants. Default: the kind is not divided.
    pub replicas: Hook<Replicas>,
    /// Components of a template with several pod templates. Default: it has none.
    pub components: Hook<fn(&Object) -> Vec<Component>>,
    /// Removes fields of a template that must not reach a member. Default: removes nothing more.
    pub prune: Hook<fn(&mut Object)>,
    /// Carries over fields from the object in the member (second) to the manifest (first). Default: none more.
    pub retain: Hook<fn(&mut Object, &Object)>,
    /// The status to report for an object in a member that has one; `None` to report nothing. Default: all of it.
    pub reflect: Hook<fn(&Object) -> Option<Value>>,
    /// Whether an object does its job in a member. Default: yes.
    pub health: Hook<Health>,
    /// Aggregates the reports into the status of the template. Default: leaves the status.
    pub aggregate: Hook<Aggregate>,
    /// Other objects that a template refers to. Default: none.
    pub dependencies: Hook<Dependencies>,
}

/// One hook of one kind.
#[derive(Debug, Clone, Copy)]
pub enum Hook<T> {
    /// The kind has a rule of this hook.
    Custom(T),
    /// The kind needs none: the rule for every kind is right.
    Default,
}

impl<T: Copy> Hook<T> {
    /// The kind's rule.
    pub fn custom(self) -> Option<T> {
        match self {
            Self::Custom(rule) => Some(rule),
            Self::Default => None,
        }
    }
}

/// Replicas in a template.
#[derive(Debug, Clone, Copy)]
pub struct Replicas {
    /// Replicas that a template wants.
    pub count: fn(&Object) -> i64,
    /// Writes the share of one cluster into its manifest.
    pub set: fn(&mut Object, i64),
    /// What one replica requires.
    pub requirements: Requirements,
}

/// Requirements of one replica of a template.
#[derive(Debug, Clone, Copy)]
pub enum Requirements {
    /// Those of a pod with the spec at this path.
    OfPodSpec(&'static [&'static str]),
    /// Those that the function finds.
    Computed(fn(&Object) -> Option<ReplicaRequirements>),
}

/// One cluster's report.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The cluster.
    pub cluster: String,
    /// The reflected status; `None` while nothing was reported.
    pub status: Option<Value>,
}
