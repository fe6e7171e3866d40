//! The second step: the policy that holds the template, and why the others do not.

use portolan_api::meta::ObjectMeta;
use portolan_api::policy::PropagationSpec;
use portolan_api::{kubefed, labels};
use portolan_object::{Object, ObjectKey};

use super::chosen::Chosen;
use super::facts::Facts;
use super::mismatch::{Mismatch, closest};
use super::step::{Hop, Step};
use super::unmet::unmet;
use crate::propagation::claim::{self, Claim};
use crate::propagation::detect::{Decision, Verdict, decide, explain};
use crate::propagation::matching::{Rank, best_rank};
use crate::propagation::snapshot::{Binding, Policy, candidates, policy_title};

/// Other policies that are listed, at most.
const MAX_LISTED: usize = 10;

/// The step, and the policy that holds the template or takes it.
pub(super) fn policy<'a>(facts: &'a Facts, template: &Object) -> (Step, Option<Chosen<'a>>) {
    let policies = match &facts.policies {
        Ok(policies) => policies,
        Err(error) => return (Step::not_looked_at(Hop::Policy, error), None),
    };
    let (namespaced, cluster) = candidates(policies, template.namespace());
    let (step, chosen) = match decide(template, &namespaced, &cluster) {
        Decision::Follow(policy) => {
            let chosen = Chosen::of(policy);
            (holds(facts, template, chosen), Some(chosen))
        }
        Decision::Take(taking) => {
            let chosen = Chosen::of(taking.policy);
            (takes(facts, template, chosen), Some(chosen))
        }
        Decision::Release(claim) => (released(facts, claim.as_ref()), None),
        Decision::Wait => {
            let text = "its policy is being deleted; what it placed stays in the members";
            (Step::waiting(Hop::Policy, text, "wait until the policy is gone"), None)
        }
        Decision::Nothing => (unselected(facts, template), None),
    };
    let winner = chosen.map(|chosen| chosen.metadata);
    (step.details(others(policies, template, winner)), chosen)
}

fn holds(facts: &Facts, template: &Object, chosen: Chosen<'_>) -> Step {
    if let Some(unmet) = unmet(facts, chosen) {
        let text = format!("{} holds it, and {}", policy_title(chosen.metadata), unmet.text());
        return Step::broken(Hop::Policy, text, unmet.cure());
    }
    let how = selection(template, chosen.spec);
    let text = format!("{} holds it: it selects it {how}", policy_title(chosen.metadata));
    Step::good(Hop::Policy, text).since(chosen.metadata.creation_timestamp.as_deref())
}

fn takes(facts: &Facts, template: &Object, chosen: Chosen<'_>) -> Step {
    let title = policy_title(chosen.metadata);
    if let Some(unmet) = unmet(facts, chosen) {
        let text = format!("{title} selects it, and {}", unmet.text());
        return Step::broken(Hop::Policy, text, unmet.cure());
    }
    let how = selection(template, chosen.spec);
    let text = format!("{title} selects it {how}, and the control plane has not recorded that yet");
    Step::waiting(Hop::Policy, text, CONTROL_PLANE_CURE)
}

/// What to do when the control plane does nothing.
pub(super) const CONTROL_PLANE_CURE: &str =
    "run the command again in some seconds; if nothing changes, see the log and /readyz of portolan server";

fn selection(template: &Object, spec: &PropagationSpec) -> &'static str {
    match best_rank(&spec.resource_selectors, template) {
        Some(Rank::Name) => "by name",
        Some(Rank::Labels) => "by labels",
        Some(Rank::Kind) => "by kind",
        None => "no longer",
    }
}

fn released(facts: &Facts, claim: Option<&Claim>) -> Step {
    let holder = match claim {
        Some(Claim::Namespaced { policy, .. }) => format!("PropagationPolicy {policy}"),
        Some(Claim::Cluster { policy, .. }) => format!("ClusterPropagationPolicy {policy}"),
        Some(Claim::Federation { name }) => format!("Federation {name}"),
        None => "an unknown policy".to_owned(),
    };
    let text =
        format!("{holder} held it, and is gone or no longer selects it; what it placed stays in the members");
    let cure = format!(
        "portolan why {} in some seconds shows what holds it then; without a policy it keeps its clusters",
        facts.argument()
    );
    Step::waiting(Hop::Policy, text, cure)
}

/// Whether a binding is one that a policy left when it was deleted: its Works stay as they are.
pub(super) fn is_left(binding: &Binding) -> bool {
    let (metadata, spec) = (&binding.metadata, &binding.spec);
    let is_of_detector = metadata.owner_references.iter().any(|owner| owner.uid == spec.resource.uid);
    let others = [labels::federation::NAME, labels::binding::MANAGED_BY];
    is_of_detector
        && claim::policy(metadata).is_none()
        && others.iter().all(|label| metadata.label(label).is_none())
        && spec.required_by.is_empty()
        && !kubefed::is_federated(&binding.template_kind())
}

fn unselected(facts: &Facts, template: &Object) -> Step {
    let (kind, name) = (template.kind(), template.name());
    let binding = facts.binding.as_ref().ok().and_then(Option::as_ref);
    let federation = binding.and_then(|binding| binding.metadata.label(labels::federation::NAME));
    if let Some(federation) = federation {
        let text = format!("Federation {federation} has it: every cluster that takes part has the object");
        return Step::good(Hop::Policy, text);
    }
    let required_by = binding.map(|binding| binding.spec.required_by.as_slice()).unwrap_or_default();
    if !required_by.is_empty() {
        let by: Vec<String> =
            required_by.iter().map(|one| format!("{}/{}", one.namespace, one.name)).collect();
        let text = format!(
            "no policy selects it, and it needs none: the workloads of the bindings {} take it along (propagateDeps)",
            by.join(", ")
        );
        return Step::good(Hop::Policy, text);
    }
    let cure = format!(
        "create a policy whose resourceSelectors have apiVersion {}, kind {kind} and name {name}",
        template.api_version()
    );
    if let Some(binding) = binding {
        let text = match is_left(binding) {
            true => {
                "no policy selects it; it stays in the clusters where it was placed, and changes do not arrive there"
            }
            false => {
                "no policy selects it; its binding was made by hand, and it follows its changes in the clusters of that"
            }
        };
        return Step::warning(Hop::Policy, text, cure);
    }
    let text = match facts.policies.as_ref().is_ok_and(Vec::is_empty) {
        true => "there is no propagation policy at all",
        false => "no policy selects it",
    };
    Step::broken(Hop::Policy, text, cure)
}

/// A line for each other policy, those that come closest first.
fn others(policies: &[Policy], template: &Object, winner: Option<&ObjectMeta>) -> Vec<String> {
    let (namespaced, cluster) = candidates(policies, template.namespace());
    let verdicts = explain(template, &namespaced, &cluster);
    let others = policies.iter().filter(|one| winner.is_none_or(|winner| winner.key() != one.metadata.key()));
    let mut lines: Vec<(Closeness, String)> = others
        .filter_map(|policy| {
            let (closeness, reason) = verdict(policy, &verdicts, template)?;
            Some((closeness, format!("{} {reason}", policy.title())))
        })
        .collect();
    lines.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
    let left = lines.len().saturating_sub(MAX_LISTED);
    let mut lines: Vec<String> = lines.into_iter().take(MAX_LISTED).map(|(_, line)| line).collect();
    if left > 0 {
        lines.push(format!("and {left} more policies that do not select it"));
    }
    lines
}

/// How near a policy is to being the one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
    Mismatch(Mismatch),
    OtherNamespace,
    Loses,
}

/// Why a policy does not have the template; `None` for a policy of another namespace that does not select it either.
fn verdict(
    policy: &Policy,
    verdicts: &[(ObjectKey, Verdict)],
    template: &Object,
) -> Option<(Closeness, String)> {
    let namespace = &policy.metadata.namespace;
    let mismatch = closest(&policy.spec.resource_selectors, template);
    if !namespace.is_empty() && namespace != template.namespace() {
        let by_itself = selects_in_any_namespace(policy, template);
        let reason = format!("would select it, but only selects objects in its own namespace {namespace}");
        return by_itself.then_some((Closeness::OtherNamespace, reason));
    }
    if let Some(mismatch) = mismatch {
        let reason = mismatch.to_string();
        return Some((Closeness::Mismatch(mismatch), reason));
    }
    if policy.metadata.is_deleting() {
        return Some((Closeness::Loses, "selects it, and is being deleted".to_owned()));
    }
    let verdict = verdicts.iter().find(|(key, _)| *key == policy.metadata.key()).map(|(_, verdict)| verdict);
    let reason = verdict.map_or("selects it".to_owned(), |verdict| format!("selects it, but {verdict}"));
    Some((Closeness::Loses, reason))
}

/// Whether a namespaced policy would select the template if that were in the policy's namespace. Admission sets the
/// namespace of its selectors to its own.
fn selects_in_any_namespace(policy: &Policy, template: &Object) -> bool {
    let selectors: Vec<_> = policy
        .spec
        .resource_selectors
        .iter()
        .map(|selector| portolan_api::policy::ResourceSelector {
            namespace: String::new(),
            ..selector.clone()
        })
        .collect();
    best_rank(&selectors, template).is_some()
}
