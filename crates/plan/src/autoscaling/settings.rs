//! Settings of autoscalers.

use jiff::{SignedDuration, Timestamp};

/// Settings of kube-controller-manager's and Karmada's autoscalers, with their defaults, and the time.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The time.
    pub now: Timestamp,
    /// Part of the target by which the use may differ without a change.
    pub tolerance: f64,
    /// Time after its start in which the CPU of a pod that is not ready does not count.
    pub cpu_initialization: SignedDuration,
    /// Time after its start until which a pod that is not ready counts as never ready.
    pub initial_readiness_delay: SignedDuration,
}

impl Settings {
    /// The defaults.
    pub fn at(now: Timestamp) -> Self {
        Self {
            now,
            tolerance: 0.1,
            cpu_initialization: SignedDuration::from_mins(5),
            initial_readiness_delay: SignedDuration::from_secs(30),
        }
    }
}
