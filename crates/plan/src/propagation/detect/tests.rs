use portolan_api::meta::ObjectMeta;
use portolan_api::policy::{PreemptionBehavior, PropagationSpec, ResourceSelector};
use portolan_object::{Object, ObjectKey};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::propagation::claim::Claim;
use crate::propagation::matching::{Mismatch, Rank};

type Policy = (ObjectMeta, PropagationSpec);

/// A policy that selects all objects of a kind.
fn policy(namespace: &str, name: &str, kind: &str) -> Policy {
    let selector = ResourceSelector {
        api_version: "v1".to_owned(),
        kind: kind.to_owned(),
        ..ResourceSelector::default()
    };
    let mut metadata = ObjectMeta::namespaced(namespace, name);
    metadata.uid = format!("uid-{name}");
    (metadata, PropagationSpec { resource_selectors: vec![selector], ..PropagationSpec::default() })
}

/// The same with a priority.
fn ranked(namespace: &str, name: &str, priority: i32) -> Policy {
    let (metadata, spec) = policy(namespace, name, "ConfigMap");
    (metadata, PropagationSpec { priority: Some(priority), ..spec })
}

/// The same with a selector that names the template, and preemption.
fn preempting(namespace: &str, name: &str, priority: i32) -> Policy {
    let (metadata, mut spec) = ranked(namespace, name, priority);
    spec.resource_selectors[0].name = "web".to_owned();
    spec.preemption = PreemptionBehavior::Always;
    (metadata, spec)
}

fn leaving(mut policy: Policy) -> Policy {
    policy.0.deletion_timestamp = Some("t".to_owned());
    policy
}

fn template(claim: Option<&Claim>) -> Object {
    let (labels, annotations) = claim.map(|claim| (claim.labels(), claim.annotations())).unwrap_or_default();
    Object(json!({ "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "namespace": "shop", "name": "web", "labels": labels, "annotations": annotations } }))
}

fn candidates<'a>(policies: impl IntoIterator<Item = &'a Policy>) -> Vec<Candidate<'a>> {
    policies.into_iter().map(|(metadata, spec)| Candidate { metadata, spec }).collect()
}

fn text(decision: &Decision<'_>) -> String {
    match decision {
        Decision::Follow(policy) => format!("follow {}", policy.metadata.name),
        Decision::Take(Taking { policy, from: None, .. }) => format!("take {}", policy.metadata.name),
        Decision::Take(Taking { policy, from: Some(from), .. }) => {
            format!("take {} from {}", policy.metadata.name, from.name)
        }
        Decision::Release(_) => "release".to_owned(),
        Decision::Wait => "wait".to_owned(),
        Decision::Nothing => "nothing".to_owned(),
    }
}

#[test]
fn decisions() {
    let (ours, wide) = (policy("shop", "ours", "ConfigMap"), policy("", "wide", "ConfigMap"));
    let moved_on = policy("shop", "ours", "Secret");
    let gone = leaving(ours.clone());
    let mut recreated = ours.clone();
    recreated.0.uid = "other".to_owned();
    let (by_ours, by_wide) = (claim_of(&ours.0), claim_of(&wide.0));
    let cases = [
        ("no policy", None, vec![], vec![], "nothing"),
        ("a policy of the namespace first", None, vec![&ours], vec![&wide], "take ours"),
        ("then a cluster-wide one", None, vec![&moved_on], vec![&wide], "take wide"),
        ("not one that is being deleted", None, vec![&gone], vec![&wide], "take wide"),
        ("held", Some(&by_ours), vec![&ours], vec![], "follow ours"),
        ("held, in spite of another", Some(&by_wide), vec![&ours], vec![&wide], "follow wide"),
        ("holder gone", Some(&by_ours), vec![], vec![&wide], "release"),
        ("holder selects something else now", Some(&by_ours), vec![&moved_on], vec![], "release"),
        ("holder is being deleted", Some(&by_ours), vec![&gone], vec![], "wait"),
        ("holder was created again", Some(&by_ours), vec![&recreated], vec![], "take ours"),
    ];
    for (name, claim, namespaced, cluster, want) in cases {
        let decision = decide(&template(claim), &candidates(namespaced), &candidates(cluster));
        assert_eq!(text(&decision), want, "{name}");
    }
}

#[test]
fn among_policies_of_one_type() {
    let by_name = |name: &str, priority| {
        let (metadata, mut spec) = ranked("shop", name, priority);
        spec.resource_selectors[0].name = "web".to_owned();
        (metadata, spec)
    };
    let cases = [
        ("priority first", [by_name("a", 0), ranked("shop", "b", 1)], "take b"),
        ("then the closer selector", [ranked("shop", "a", 0), by_name("b", 0)], "take b"),
        ("then the smaller name", [ranked("shop", "b", 0), ranked("shop", "a", 0)], "take a"),
    ];
    for (name, policies, want) in cases {
        assert_eq!(text(&decide(&template(None), &candidates(&policies), &[])), want, "{name}");
    }
}

#[test]
fn preemption() {
    let (low, wide) = (ranked("shop", "low", 5), ranked("", "wide", 5));
    let (by_low, by_wide) = (claim_of(&low.0), claim_of(&wide.0));
    let high = |priority| preempting("shop", "high", priority);
    let high_wide = |priority| preempting("", "high-wide", priority);
    let mut unnamed = high(9);
    unnamed.1.resource_selectors[0].name = String::new();
    let meek = ranked("shop", "meek", 9);
    let cases = [
        ("a higher priority takes", &by_low, vec![low.clone(), high(6)], vec![], "take high from low"),
        ("an equal one does not", &by_low, vec![low.clone(), high(5)], vec![], "follow low"),
        ("nor one without preemption", &by_low, vec![low.clone(), meek], vec![], "follow low"),
        ("nor one that does not name it", &by_low, vec![low.clone(), unnamed], vec![], "follow low"),
        ("nor one that is being deleted", &by_low, vec![low.clone(), leaving(high(9))], vec![], "follow low"),
        ("nor a cluster-wide one", &by_low, vec![low.clone()], vec![high_wide(9)], "follow low"),
        (
            "one of the namespace takes from any",
            &by_wide,
            vec![high(-1)],
            vec![wide.clone()],
            "take high from wide",
        ),
        (
            "cluster-wide by priority",
            &by_wide,
            vec![],
            vec![wide.clone(), high_wide(6)],
            "take high-wide from wide",
        ),
        ("cluster-wide, lower", &by_wide, vec![], vec![wide.clone(), high_wide(4)], "follow wide"),
        (
            "the highest of several",
            &by_low,
            vec![low.clone(), high(6), preempting("shop", "highest", 7)],
            vec![],
            "take highest from low",
        ),
        (
            "from one that is being deleted",
            &by_low,
            vec![leaving(low.clone()), high(6)],
            vec![],
            "take high from low",
        ),
    ];
    for (name, claim, namespaced, cluster, want) in cases {
        let decision = decide(&template(Some(claim)), &candidates(&namespaced), &candidates(&cluster));
        assert_eq!(text(&decision), want, "{name}");
    }
}

#[test]
fn half_a_claim_is_removed_when_no_policy_takes_the_template() {
    let mut half = template(None);
    half.set_label("propagationpolicy.karmada.io/permanent-id", "1");
    assert_eq!(text(&decide(&half, &[], &[])), "release");
    let ours = policy("shop", "ours", "ConfigMap");
    assert_eq!(text(&decide(&half, &candidates([&ours]), &[])), "take ours");
}

#[test]
fn each_policy_learns_why_it_has_a_template_or_not() {
    let (low, wide) = (ranked("shop", "low", 5), policy("", "wide", "ConfigMap"));
    let by_low = claim_of(&low.0);
    let policies = [
        low.clone(),
        ranked("shop", "high", 7),
        ranked("shop", "lower", 1),
        ranked("shop", "same", 5),
        preempting("shop", "closer", 5),
        policy("shop", "other", "Secret"),
        leaving(ranked("shop", "leaving", 9)),
    ];
    let verdicts = explain(&template(Some(&by_low)), &candidates(&policies), &candidates([&wide]));
    let to = || ObjectKey::namespaced("shop", "low");
    let loses = |because| Verdict::Loses { to: to(), because };
    let want = [
        Verdict::Holds,
        loses(Advantage::Claim(NoPreemption::Never)),
        loses(Advantage::Priority { winner: 5, loser: 1 }),
        loses(Advantage::Name),
        loses(Advantage::Claim(NoPreemption::Priority { own: 5, holder: 5 })),
        Verdict::DoesNotSelect(vec![Mismatch::Kind]),
        Verdict::BeingDeleted,
        loses(Advantage::Namespaced),
    ];
    let verdicts: Vec<Verdict> = verdicts.into_iter().map(|(_, verdict)| verdict).collect();
    assert_eq!(verdicts, want);
    assert_eq!(
        verdicts[1].to_string(),
        "the object belongs to PropagationPolicy shop/low, which claimed it before: set `preemption: Always` to take it"
    );

    let unclaimed = explain(&template(None), &candidates(&policies), &[]);
    assert_eq!(unclaimed[1].1, Verdict::Takes { from: None });
    let (first, second) = (ranked("shop", "b", 0), preempting("shop", "a", 0));
    let verdicts = explain(&template(None), &candidates([&first, &second]), &[]);
    let because = Advantage::Selector { winner: Rank::Name, loser: Rank::Kind };
    assert_eq!(verdicts[0].1, Verdict::Loses { to: ObjectKey::namespaced("shop", "a"), because });
}

/// What users do, and passes of the controllers, in any order.
#[derive(Debug, Clone, Copy)]
enum Step {
    Create(usize),
    Delete(usize),
    /// The controller of a policy that is being deleted removes its claim, and then the policy.
    Finish(usize),
    Reselect(usize),
    Pass,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..4_usize).prop_map(Step::Create),
        (0..4_usize).prop_map(Step::Delete),
        (0..4_usize).prop_map(Step::Finish),
        (0..4_usize).prop_map(Step::Reselect),
        Just(Step::Pass),
        Just(Step::Pass),
    ];
    prop::collection::vec(step, 0..40)
}

/// One template, four policies that preempt, and the state of each.
struct World {
    policies: [Policy; 4],
    exists: [bool; 4],
    claim: Option<Claim>,
}

impl World {
    fn new() -> Self {
        let policies = [
            preempting("shop", "a", 1),
            preempting("shop", "b", 2),
            preempting("", "c", 3),
            preempting("", "d", 4),
        ];
        Self { policies, exists: [false; 4], claim: None }
    }

    fn existing(&self, of_namespace: bool) -> Vec<Candidate<'_>> {
        let policies = self.policies.iter().zip(self.exists).filter(|(_, exists)| *exists);
        let of_type = policies.filter(|((metadata, _), _)| metadata.namespace.is_empty() != of_namespace);
        candidates(of_type.map(|(policy, _)| policy))
    }

    fn pass(&mut self) -> bool {
        let template = template(self.claim.as_ref());
        let claim = match decide(&template, &self.existing(true), &self.existing(false)) {
            Decision::Take(taking) => Some(taking.claim),
            Decision::Release(_) => None,
            Decision::Follow(_) | Decision::Wait | Decision::Nothing => return false,
        };
        self.claim = claim;
        true
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Create(index) => {
                self.exists[index] = true;
            }
            Step::Delete(index) => self.policies[index].0.deletion_timestamp = Some("t".to_owned()),
            Step::Finish(index) => {
                let (metadata, _) = &mut self.policies[index];
                if metadata.is_deleting() {
                    metadata.deletion_timestamp = None;
                    self.exists[index] = false;
                    // A crash may come between these two: the claim of a policy that is gone is removed by a pass.
                    if self.claim.as_ref() == Some(&claim_of(&self.policies[index].0)) && index % 2 == 0 {
                        self.claim = None;
                    }
                }
            }
            Step::Reselect(index) => {
                let selector = &mut self.policies[index].1.resource_selectors[0];
                selector.name = if selector.name == "web" { "db".to_owned() } else { "web".to_owned() };
            }
            Step::Pass => drop(self.pass()),
        }
    }

    /// Deletions finish, and passes run until one changes nothing.
    fn settle(&mut self) {
        (0..4).for_each(|index| self.run(Step::Finish(index)));
        let passes = (0..10).take_while(|_| self.pass()).count();
        assert!(passes < 10, "the claim keeps changing");
    }
}

proptest! {
    /// With preemption the order of events does not matter, and no claim of a deleted policy is left.
    #[test]
    fn any_order_of_events_ends_in_the_same_claim(steps in steps()) {
        let mut world = World::new();
        steps.into_iter().for_each(|step| world.run(step));
        world.settle();
        let reached = world.claim.clone();
        world.claim = None;
        world.settle();
        prop_assert_eq!(reached, world.claim);
    }
}
