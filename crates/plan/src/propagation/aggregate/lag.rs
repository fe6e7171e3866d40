//! The status of a template converges although the controller reads a cache that is behind.
//!
//! A model of the controller's environment: an API server that checks versions, a watch that delivers every version some
//! time later, and a cache that also takes the answers to the controller's own writes. The rules are those of
//! `runtime/src/cache/state.rs` and `controllers/src/propagation/report.rs`.

use std::collections::VecDeque;

use portolan_object::Object;
use portolan_object::patch::merge_patch;
use proptest::prelude::*;
use serde_json::json;

use super::{aggregate, status_patch};
use crate::propagation::interpreter::Report;

#[derive(Debug, Clone, Copy)]
enum Event {
    /// A member reports this many ready replicas, and as many updated ones if the flag is set.
    Report(usize, i64, bool),
    /// The user changes the template.
    Update,
    /// Another client writes the status.
    Overwrite(i64),
    /// The watch delivers the next version to the cache.
    Deliver,
    /// The controller runs, if its queue is not empty.
    Pass,
    /// The controller's process ends after its write and before its next line; a new one lists the template.
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0..2usize, 0..4i64, any::<bool>()).prop_map(|(member, ready, all)| Event::Report(member, ready, all)),
        1 => Just(Event::Update),
        1 => (0..9i64).prop_map(Event::Overwrite),
        3 => Just(Event::Deliver),
        4 => Just(Event::Pass),
        1 => Just(Event::Restart),
    ]
}

struct World {
    server: Object,
    cached: Object,
    watch: VecDeque<Object>,
    is_queued: bool,
    reports: Vec<Report>,
}

fn version(object: &Object) -> u64 {
    object.resource_version().parse().expect("a number")
}

impl World {
    fn new() -> Self {
        let template =
            Object(json!({ "apiVersion": "apps/v1", "kind": "Deployment", "spec": { "replicas": 2 },
            "metadata": { "name": "web", "generation": 1, "resourceVersion": "1" } }));
        let report = |index: usize| Report { cluster: format!("m{index}"), status: None };
        Self {
            server: template.clone(),
            cached: template,
            watch: VecDeque::new(),
            is_queued: true,
            reports: (0..2).map(report).collect(),
        }
    }

    /// The server commits a new version of the template, which the watch will deliver.
    fn commit(&mut self, change: impl FnOnce(&mut Object)) {
        let before = self.server.clone();
        change(&mut self.server);
        if self.server == before {
            return;
        }
        let next = (version(&self.server) + 1).to_string();
        self.server.metadata_mut().insert("resourceVersion".to_owned(), json!(next));
        self.watch.push_back(self.server.clone());
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Report(member, ready, is_updated) => {
                let mut status = json!({ "replicas": 2, "readyReplicas": ready, "observedGeneration": 1 });
                if is_updated {
                    status["updatedReplicas"] = json!(ready);
                }
                self.reports[member].status = Some(status);
                self.is_queued = true;
            }
            Event::Update => self.commit(|template| {
                template.0["metadata"]["generation"] = json!(template.generation() + 1);
            }),
            Event::Overwrite(value) => self.commit(|template| {
                template.0["status"] = json!({ "replicas": value, "unavailableReplicas": value });
            }),
            Event::Deliver => self.deliver(),
            Event::Pass => self.pass(),
            Event::Restart => {
                self.watch.clear();
                self.cached = self.server.clone();
                self.is_queued = true;
            }
        }
    }

    /// A version that our own write has put into the cache already is no change.
    fn deliver(&mut self) {
        let Some(next) = self.watch.pop_front() else { return };
        if version(&next) > version(&self.cached) {
            self.cached = next;
            self.is_queued = true;
        }
    }

    fn pass(&mut self) {
        if !std::mem::take(&mut self.is_queued) {
            return;
        }
        let status = aggregate(&self.cached, &self.reports).expect("Deployments are aggregated");
        let Some(patch) = status_patch(&self.cached, &status) else { return };
        if patch["metadata"]["resourceVersion"] != json!(self.server.resource_version()) {
            // 409: the pass is repeated.
            self.is_queued = true;
            return;
        }
        self.commit(|template| {
            merge_patch(&mut template.0, &json!({ "status": patch["status"] })).expect("a map")
        });
        if version(&self.server) > version(&self.cached) {
            self.cached = self.server.clone();
        }
    }
}

proptest! {
    #[test]
    fn the_last_reports_become_the_status_in_any_order_of_events(
        events in prop::collection::vec(event(), 0..60),
    ) {
        let mut world = World::new();
        events.into_iter().for_each(|event| world.take(event));
        // No more events: the watch delivers what is left, and the queue runs empty.
        while world.is_queued || !world.watch.is_empty() {
            world.take(Event::Deliver);
            world.take(Event::Pass);
        }
        let want = aggregate(&world.server, &world.reports).expect("Deployments are aggregated");
        let status = world.server.at(&["status"]).cloned().unwrap_or_else(|| json!({}));
        prop_assert_eq!(status, want);
    }
}
