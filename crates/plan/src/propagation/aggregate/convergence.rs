//! The status of a template under any order of events.
//!
//! Template updates, writes to members, status changes in members and reports race in production. Here they come in a
//! random order, each from the state that the controllers would see at that moment.

use portolan_api::annotations;
use portolan_object::Object;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::aggregate;
use crate::propagation::interpreter::Report;
use crate::propagation::reflect::reflect;

const MEMBERS: usize = 3;

#[derive(Debug, Clone, Copy)]
enum Event {
    /// The user changes the template.
    Update,
    /// The manifest of the current template is written to a member.
    Apply(usize),
    /// The member's own controller observes the object and has this many ready pods.
    Observe(usize, i64),
    /// The status in a member reaches the control plane.
    Report(usize),
    /// The template's status is aggregated and written.
    Aggregate,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::Update),
        (0..MEMBERS).prop_map(Event::Apply),
        (0..MEMBERS, 0..5i64).prop_map(|(member, ready)| Event::Observe(member, ready)),
        (0..MEMBERS).prop_map(Event::Report),
        Just(Event::Aggregate),
    ]
}

struct World {
    template: Object,
    members: Vec<Object>,
    reports: Vec<Report>,
}

impl World {
    fn new() -> Self {
        let deployment = || {
            Object(json!({ "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": { "name": "web", "generation": 1 }, "spec": { "replicas": 4 } }))
        };
        let report = |index: usize| Report { cluster: format!("m{index}"), status: None };
        Self {
            template: deployment(),
            members: (0..MEMBERS).map(|_| deployment()).collect(),
            reports: (0..MEMBERS).map(report).collect(),
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Update => {
                let next = self.template.generation() + 1;
                self.template.0["metadata"]["generation"] = json!(next);
            }
            Event::Apply(member) => {
                let generation = self.template.generation().to_string();
                let object = &mut self.members[member];
                if object.annotation(annotations::template::GENERATION) != Some(&generation) {
                    object.set_annotation(annotations::template::GENERATION, generation);
                    object.0["metadata"]["generation"] = json!(object.generation() + 1);
                }
            }
            Event::Observe(member, ready) => {
                let object = &mut self.members[member];
                object.0["status"] = json!({ "observedGeneration": object.generation(), "replicas": 4 });
                if ready > 0 {
                    object.0["status"]["readyReplicas"] = json!(ready);
                }
            }
            Event::Report(member) => self.reports[member].status = reflect(&self.members[member]),
            Event::Aggregate => self.template.0["status"] = self.status(),
        }
    }

    fn status(&self) -> Value {
        aggregate(&self.template, &self.reports).expect("Deployments are aggregated")
    }

    /// Whether a member has observed the manifest of the current template.
    fn is_current(&self, member: &Object) -> bool {
        let generation = self.template.generation().to_string();
        member.annotation(annotations::template::GENERATION) == Some(&generation)
            && member.at(&["status", "observedGeneration"]) == Some(&json!(member.generation()))
    }
}

proptest! {
    #[test]
    fn a_generation_is_observed_only_when_every_member_runs_it(
        events in prop::collection::vec(event(), 0..60),
    ) {
        let mut world = World::new();
        for event in events {
            world.take(event);
            let observed = world.template.at(&["status", "observedGeneration"]).and_then(Value::as_i64);
            if observed == Some(world.template.generation()) {
                let runs_it = |member: &Object| {
                    member.annotation(annotations::template::GENERATION)
                        == Some(&world.template.generation().to_string())
                };
                prop_assert!(world.members.iter().all(runs_it));
            }
        }
    }

    #[test]
    fn the_last_reports_decide_whatever_came_before(
        events in prop::collection::vec(event(), 0..60),
        ready in prop::collection::vec(0..5i64, MEMBERS),
        order in Just((0..MEMBERS).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let mut world = World::new();
        events.into_iter().for_each(|event| world.take(event));
        for &member in &order {
            world.take(Event::Apply(member));
            world.take(Event::Observe(member, ready[member]));
            world.take(Event::Report(member));
            world.take(Event::Aggregate);
        }
        prop_assert!(world.members.iter().all(|member| world.is_current(member)));
        let mut want = json!({ "replicas": 12, "observedGeneration": world.template.generation() });
        let total: i64 = ready.iter().sum();
        if total > 0 {
            want["readyReplicas"] = json!(total);
        }
        prop_assert_eq!(&world.template.0["status"], &want);
        prop_assert_eq!(world.status(), want, "aggregating again changes nothing");
    }
}
