//! Reasons of events (karmada pkg/events/events.go). Programs look for them.

/// A policy was applied to a template: its binding was created or updated.
pub const APPLY_POLICY_SUCCEED: &str = "ApplyPolicySucceed";
/// A policy cannot be applied to a template.
pub const APPLY_POLICY_FAILED: &str = "ApplyPolicyFailed";
/// A policy took a template from another one.
pub const PREEMPT_POLICY_SUCCEED: &str = "PreemptPolicySucceed";
/// A policy cannot take a template from another one.
pub const PREEMPT_POLICY_FAILED: &str = "PreemptPolicyFailed";
/// The replicas of a template were read.
pub const GET_REPLICAS_SUCCEED: &str = "GetReplicasSucceed";
