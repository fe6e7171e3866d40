//! Whatever the order of events and passes, and whatever passes are lost, the attached bindings end as required.

use std::collections::{BTreeMap, BTreeSet};

use portolan_api::annotations::binding::DEPENDENCIES;
use portolan_api::labels;
use portolan_api::meta::ObjectMeta;
use portolan_api::work::{ResourceBindingSpec, TargetCluster};
use portolan_object::Object;
use proptest::prelude::*;
use serde_json::json;

use super::{Attached, Independent, Required, Requirements, Step, attach, recorded};

/// One event, or one pass of the controller.
#[derive(Debug, Clone)]
enum Event {
    /// An independent binding refers to these objects and has this cluster.
    Bind {
        binding: u8,
        objects: Vec<u8>,
        cluster: u8,
    },
    /// An independent binding is deleted.
    Unbind(u8),
    Create(u8),
    Delete(u8),
    /// A pass for an object, if one is due.
    Pass(u8),
    /// The process ends with all passes that are due, and another one reads everything.
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    let objects = prop::collection::vec(0..3_u8, 0..3);
    prop_oneof![
        (0..3_u8, objects, 0..3_u8).prop_map(|(binding, objects, cluster)| Event::Bind {
            binding,
            objects,
            cluster
        }),
        (0..3_u8).prop_map(Event::Unbind),
        (0..3_u8).prop_map(Event::Create),
        (0..3_u8).prop_map(Event::Delete),
        (0..3_u8).prop_map(Event::Pass),
        Just(Event::Restart),
    ]
}

/// The control plane, as far as dependencies are concerned.
#[derive(Debug, Default)]
struct Hub {
    independents: BTreeMap<u8, (ObjectMeta, ResourceBindingSpec)>,
    /// Objects with the generation of their uid.
    objects: BTreeMap<u8, u32>,
    attached: BTreeMap<u8, Attached>,
    due: BTreeSet<u8>,
    created: u32,
}

impl Hub {
    fn apply(&mut self, event: Event) {
        match event {
            Event::Bind { binding, objects, cluster } => {
                self.queue_referred(binding);
                self.independents.insert(binding, independent(binding, &objects, cluster));
                self.queue_referred(binding);
            }
            Event::Unbind(binding) => {
                self.queue_referred(binding);
                self.independents.remove(&binding);
            }
            Event::Create(object) => {
                self.created += 1;
                self.objects.entry(object).or_insert(self.created);
                self.due.insert(object);
            }
            Event::Delete(object) => {
                self.objects.remove(&object);
                // The garbage collector.
                self.attached.remove(&object);
                self.due.insert(object);
            }
            Event::Pass(object) => {
                if self.due.remove(&object) {
                    self.pass(object);
                }
            }
            Event::Restart => self.due = (0..3).collect(),
        }
    }

    fn queue_referred(&mut self, binding: u8) {
        let Some((metadata, _)) = self.independents.get(&binding) else { return };
        self.due.extend(recorded(metadata).iter().filter_map(|reference| reference.name.parse::<u8>().ok()));
    }

    fn required(&self, object: &Object) -> Required {
        let mut requirements = Requirements::new(object);
        for (metadata, spec) in self.independents.values() {
            requirements.add(Independent { metadata, spec });
        }
        requirements.finish()
    }

    fn pass(&mut self, name: u8) {
        let Some(&uid) = self.objects.get(&name) else { return };
        let object = object(name, uid);
        match attach(&object, self.attached.get(&name), &self.required(&object), "id") {
            Step::Create(attached) | Step::Replace(attached) => drop(self.attached.insert(name, *attached)),
            Step::Nothing => {}
            Step::Wait => panic!("the garbage collector has removed the binding of the earlier object"),
        }
    }
}

fn object(name: u8, uid: u32) -> Object {
    Object(json!({ "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "namespace": "shop", "name": name.to_string(), "uid": uid.to_string() } }))
}

fn independent(name: u8, objects: &[u8], cluster: u8) -> (ObjectMeta, ResourceBindingSpec) {
    let mut metadata = ObjectMeta::namespaced("shop", name.to_string());
    metadata.labels.insert(labels::binding::PERMANENT_ID.to_owned(), name.to_string());
    let reference = |object: &u8| json!({ "apiVersion": "v1", "kind": "ConfigMap", "namespace": "shop", "name": object.to_string() });
    let references: Vec<_> = objects.iter().map(reference).collect();
    metadata.annotations.insert(DEPENDENCIES.to_owned(), json!(references).to_string());
    let target = TargetCluster { name: format!("member{cluster}"), ..TargetCluster::default() };
    let spec = ResourceBindingSpec {
        propagate_deps: true,
        clusters: vec![target],
        ..ResourceBindingSpec::default()
    };
    (metadata, spec)
}

proptest! {
    #[test]
    fn attached_bindings_end_as_required(events in prop::collection::vec(event(), 0..40)) {
        let mut hub = Hub::default();
        events.into_iter().for_each(|event| hub.apply(event));
        while let Some(object) = hub.due.pop_first() {
            hub.pass(object);
        }
        for (&name, &uid) in &hub.objects {
            let object = object(name, uid);
            let wanted = hub.required(&object);
            let attached = hub.attached.get(&name);
            let snapshots = attached.map(|attached| attached.spec.required_by.clone()).unwrap_or_default();
            prop_assert_eq!(snapshots, wanted.snapshots.clone(), "object {}", name);
            prop_assert_eq!(attach(&object, attached, &wanted, "id"), Step::Nothing);
        }
        prop_assert!(hub.attached.keys().all(|name| hub.objects.contains_key(name)));
    }
}
