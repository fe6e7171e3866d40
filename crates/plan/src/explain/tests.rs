//! Faults of every step, and what is said about them. Each fault is put into a federation in which one Deployment is
//! placed by the functions of the controllers.

mod faults;
pub(super) mod federation;

use super::*;
use federation::{World, settle};

#[test]
fn without_a_fault_everything_is_as_the_policy_wants() {
    let diagnosis = diagnose(&settle(World::default()));
    assert_eq!(diagnosis.headline(), "Deployment shop/web: everything is as the policy wants");
    let bad: Vec<_> = diagnosis.steps.iter().filter(|step| step.verdict != Verdict::Good).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert_eq!(diagnosis.good_since(), Some("2026-01-01T00:00:00Z"));
    let hops: Vec<_> = diagnosis.steps.iter().map(|step| (step.hop, step.cluster.as_deref())).collect();
    use Hop::{Binding, Member, Policy, Schedule, Status, Template, Work};
    let of = |cluster| [Work, Member, Status].map(|hop| (hop, Some(cluster)));
    let mut want = [Template, Policy, Binding, Schedule].map(|hop| (hop, None)).to_vec();
    want.extend(of("eu"));
    want.extend(of("us"));
    assert_eq!(hops, want);
}

/// A fact that could not be read.
type Loss = fn(&mut Facts);

#[test]
fn what_was_not_read_is_not_claimed() {
    let refused = || Err(crate::discovery::ReadError("forbidden".to_owned()));
    let cases: [(&str, Loss, Hop); 6] = [
        (
            "template",
            |facts| facts.template = Err(crate::discovery::ReadError("x".to_owned())),
            Hop::Template,
        ),
        ("policies", |facts| facts.policies = Err(crate::discovery::ReadError("x".to_owned())), Hop::Policy),
        (
            "overrides",
            |facts| facts.overrides = Err(crate::discovery::ReadError("x".to_owned())),
            Hop::Overrides,
        ),
        ("binding", |facts| facts.binding = Err(crate::discovery::ReadError("x".to_owned())), Hop::Binding),
        ("works", |facts| facts.works = Err(crate::discovery::ReadError("x".to_owned())), Hop::Work),
        (
            "clusters",
            |facts| facts.clusters = Err(crate::discovery::ReadError("x".to_owned())),
            Hop::Schedule,
        ),
    ];
    for (name, hide, hop) in cases {
        let mut facts = settle(World::default());
        hide(&mut facts);
        let diagnosis = diagnose(&facts);
        let step = diagnosis.first(Verdict::NotLookedAt).unwrap_or_else(|| panic!("{name}: {diagnosis:#?}"));
        assert_eq!((step.hop, step.text.contains("not looked at")), (hop, true), "{name}");
        assert_eq!(diagnosis.broken(), None, "{name}");
        assert_eq!(diagnosis.good_since(), None, "{name}");
    }
    let mut facts = settle(World::default());
    facts.members.get_mut("eu").expect("a member").object = refused();
    let diagnosis = diagnose(&facts);
    assert_eq!(diagnosis.broken(), None);
    assert_eq!(diagnosis.first(Verdict::NotLookedAt).and_then(|step| step.cluster.as_deref()), Some("eu"));
}

#[test]
fn one_cluster_alone_can_be_asked_about() {
    let mut facts = settle(World::default());
    facts.only = Some("us".to_owned());
    let diagnosis = diagnose(&facts);
    assert!(diagnosis.steps.iter().all(|step| step.cluster.as_deref() != Some("eu")));
    facts.only = Some("asia".to_owned());
    let broken = diagnose(&facts);
    assert_eq!(
        broken.broken().map(|step| step.text.as_str()),
        Some("cluster asia is not among its clusters")
    );
}

#[test]
fn federated_objects_need_no_policy() {
    let mut facts = settle(World::default());
    facts.policies = Ok(Vec::new());
    if let Ok(Some(template)) = &mut facts.template {
        template.metadata_mut().remove("labels");
        template.metadata_mut().remove("annotations");
    }
    if let Ok(Some(binding)) = &mut facts.binding {
        let mark = ("portolan.dev/federation".to_owned(), "myfed".to_owned());
        binding.metadata.labels = [mark].into();
        binding.status.conditions.retain(|condition| condition.kind != "Scheduled");
    }
    let diagnosis = diagnose(&facts);
    let of = |hop| {
        diagnosis.steps.iter().find(|step| step.hop == hop).map(|step| (step.verdict, step.text.as_str()))
    };
    let (verdict, text) = of(Hop::Policy).expect("a step");
    assert_eq!((verdict, text.contains("Federation myfed has it")), (Verdict::Good, true), "{text}");
    let (verdict, text) = of(Hop::Schedule).expect("a step");
    assert_eq!((verdict, text.contains("Federation myfed gives it")), (Verdict::Good, true), "{text}");
}

#[test]
fn namespaces_need_no_policy() {
    let mut facts = settle(World::default());
    let namespace = |labels: serde_json::Value| {
        portolan_object::Object(serde_json::json!({ "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": "shop", "uid": "n", "labels": labels } }))
    };
    facts.kind = portolan_object::GroupVersionKind::new("", "v1", "Namespace");
    facts.key = portolan_object::ObjectKey::cluster("shop");
    facts.binding = Ok(None);
    facts.works = Ok(Default::default());
    facts.template = Ok(Some(namespace(serde_json::json!({}))));
    let step = diagnose(&facts).first(Verdict::Waiting).cloned().expect("no Work yet");
    assert_eq!((step.hop, step.cluster.as_deref()), (Hop::Work, Some("eu")));
    facts.template =
        Ok(Some(namespace(serde_json::json!({ "namespace.karmada.io/skip-auto-propagation": "true" }))));
    let broken = diagnose(&facts).broken().cloned().expect("kept from the members");
    assert_eq!(
        broken.cure.as_deref(),
        Some("kubectl label namespace shop namespace.karmada.io/skip-auto-propagation-")
    );
}
