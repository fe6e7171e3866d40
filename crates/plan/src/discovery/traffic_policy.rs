//! What a TrafficPolicy, or a drained cluster, makes of the decision about an exporter.

use portolan_api::traffic::{EndpointAction, TrafficPolicy, WithdrawalPolicy};
use portolan_object::ObjectKey;

use super::usage::Usage;
use super::withdrawal::Cause;

/// The policies that select a service, the oldest first.
pub fn policies_of<'a>(
    service: &ObjectKey,
    policies: impl IntoIterator<Item = &'a TrafficPolicy>,
) -> Vec<&'a TrafficPolicy> {
    let mut selecting: Vec<&TrafficPolicy> =
        policies.into_iter().filter(|policy| selects(policy, service)).collect();
    selecting.sort_by_key(|&policy| age(policy));
    selecting
}

/// The order of policies: the oldest first.
pub(super) fn age(policy: &TrafficPolicy) -> (Option<&str>, &str) {
    (policy.metadata.creation_timestamp.as_deref(), policy.metadata.name.as_str())
}

/// The policy of a service: the oldest of its namespace that selects it.
pub fn policy_of<'a>(
    service: &ObjectKey,
    policies: impl IntoIterator<Item = &'a TrafficPolicy>,
) -> Option<&'a TrafficPolicy> {
    policies_of(service, policies).first().copied()
}

fn selects(policy: &TrafficPolicy, service: &ObjectKey) -> bool {
    let names = &policy.spec.services;
    policy.metadata.namespace == service.namespace && (names.is_empty() || names.contains(&service.name))
}

/// What is known of an exporter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExporterState {
    /// Why its endpoints are withdrawn by the facts.
    pub withdrawn: Option<Cause>,
    /// Whether its endpoints of the service fail the HTTP probe.
    pub is_failing: bool,
    /// Whether its API server does not answer, and no agent tells of its endpoints.
    pub is_unseen: bool,
    /// Whether the whole cluster is drained.
    pub is_drained: bool,
}

/// What is done with the endpoints of an exporter, and why; `None` if they are used.
pub fn usage(
    exporter: &str,
    state: ExporterState,
    policy: Option<&TrafficPolicy>,
) -> Option<(Usage, String)> {
    let defaults = WithdrawalPolicy::default();
    let withdrawal = policy.map_or(&defaults, |policy| &policy.spec.withdrawal);
    let by_facts = state.withdrawn.map(|cause| {
        let action = match cause {
            Cause::Dead => withdrawal.dead,
            Cause::Unreachable => withdrawal.unreachable,
        };
        (used(action.unwrap_or(EndpointAction::Withdraw)), cause.to_string())
    });
    let by_probe = state.is_failing.then(|| {
        let cause = "none of its endpoints answers the HTTP probe with success: `portolan services` shows the answers";
        (used(withdrawal.failing.unwrap_or(EndpointAction::Withdraw)), cause.to_owned())
    });
    let by_silence = state.is_unseen.then(|| {
        let cause = "its API server does not answer the control plane, and no agent tells whether its endpoints answer";
        (used(withdrawal.unseen.unwrap_or_default()), cause.to_owned())
    });
    let is_named =
        policy.is_some_and(|policy| policy.spec.drained_clusters.iter().any(|name| name == exporter));
    let by_user = match (state.is_drained, is_named, policy) {
        (true, ..) => Some((Usage::Drain, "the cluster is drained: `portolan drain cluster`".to_owned())),
        (_, true, Some(policy)) => {
            Some((Usage::Drain, format!("TrafficPolicy {} drains it", policy.metadata.name)))
        }
        _ => None,
    };
    let all = [by_facts, by_probe, by_silence, by_user].into_iter().flatten();
    all.filter(|(usage, _)| *usage != Usage::Keep).max_by_key(|(usage, _)| *usage)
}

fn used(action: EndpointAction) -> Usage {
    match action {
        EndpointAction::Keep => Usage::Keep,
        EndpointAction::Drain => Usage::Drain,
        EndpointAction::Withdraw => Usage::Withdraw,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(name: &str, since: &str, services: &[&str]) -> TrafficPolicy {
        let mut policy = TrafficPolicy::default();
        policy.metadata.namespace = "shop".to_owned();
        policy.metadata.name = name.to_owned();
        policy.metadata.creation_timestamp = Some(since.to_owned());
        policy.spec.services = services.iter().map(|name| (*name).to_owned()).collect();
        policy
    }

    #[test]
    fn the_oldest_policy_that_selects_a_service_counts() {
        let policies = [policy("b", "t2", &["web"]), policy("a", "t3", &[]), policy("c", "t1", &["db"])];
        let named = |name: &str| {
            policy_of(&ObjectKey::namespaced("shop", name), &policies)
                .map(|policy| policy.metadata.name.as_str())
        };
        assert_eq!((named("web"), named("db"), named("other")), (Some("b"), Some("c"), Some("a")));
        assert!(policy_of(&ObjectKey::namespaced("other", "web"), &policies).is_none());
    }

    #[test]
    fn what_is_done_follows_the_facts_the_policy_and_the_user() {
        let state = |withdrawn, is_unseen, is_drained| ExporterState {
            withdrawn,
            is_failing: false,
            is_unseen,
            is_drained,
        };
        let failing = ExporterState { is_failing: true, ..ExporterState::default() };
        let mut keeping = policy("keep", "t", &[]);
        keeping.spec.withdrawal.dead = Some(EndpointAction::Keep);
        keeping.spec.withdrawal.unreachable = Some(EndpointAction::Drain);
        keeping.spec.withdrawal.failing = Some(EndpointAction::Keep);
        keeping.spec.withdrawal.unseen = Some(EndpointAction::Withdraw);
        keeping.spec.drained_clusters = vec!["east".to_owned()];
        let dead = Some(Cause::Dead);
        let cases = [
            ("all is well", "west", state(None, false, false), None, None),
            ("dead", "west", state(dead, false, false), None, Some(Usage::Withdraw)),
            ("dead and kept", "west", state(dead, false, false), Some(&keeping), None),
            (
                "unreachable and drained",
                "west",
                state(Some(Cause::Unreachable), false, false),
                Some(&keeping),
                Some(Usage::Drain),
            ),
            ("failing", "west", failing, None, Some(Usage::Withdraw)),
            ("failing and kept", "west", failing, Some(&keeping), None),
            ("unseen", "west", state(None, true, false), None, None),
            ("unseen and withdrawn", "west", state(None, true, false), Some(&keeping), Some(Usage::Withdraw)),
            ("a drained cluster", "west", state(None, false, true), None, Some(Usage::Drain)),
            ("a drained cluster that is dead", "west", state(dead, false, true), None, Some(Usage::Withdraw)),
            (
                "drained for the service",
                "east",
                state(None, false, false),
                Some(&keeping),
                Some(Usage::Drain),
            ),
        ];
        for (name, exporter, state, policy, want) in cases {
            assert_eq!(usage(exporter, state, policy).map(|(usage, _)| usage), want, "{name}");
        }
    }
}
