//! MultiClusterServices: which clusters have endpoints and clients of a service, and the EndpointSlices by which clients reach
//! the endpoints of other clusters under the service's own name (karmada pkg/controllers/multiclusterservice).
//!
//! Endpoints go from member to member without a Work, as those of imports do. A cluster that does not answer the probes is left
//! out in the same way, see [`crate::discovery::usage`].

use std::collections::{BTreeMap, BTreeSet};

use portolan_api::kubernetes::{EndpointSlice, Service, View};
use portolan_api::labels::endpoint_slice::{
    DISPATCH_MANAGER, IMPORT_NAME, MANAGED_BY, SERVICE_NAME, SOURCE_CLUSTER,
};
use portolan_api::networking::{ExposurePort, MultiClusterServiceSpec};
use portolan_api::{annotations, labels, names, resources};
use portolan_object::{Object, ObjectKey};
use serde_json::Value;

use crate::clusters::ownership::{is_own, stamp};
use crate::discovery::allotment::{Supply, allot, changed_usages, set_usages};
use crate::discovery::http_probe;
use crate::discovery::routing::Routing;
use crate::discovery::slices::{imported_endpoints, is_exportable};
use crate::discovery::usage::{Allotment, Usage};
use crate::import_marks::is_slice_of_multi_cluster_service;

/// Clusters with endpoints. `all` are the clusters of the federation.
pub fn providers(spec: &MultiClusterServiceSpec, all: &[String]) -> BTreeSet<String> {
    let named = spec.provider_clusters.iter().map(|cluster| cluster.name.clone()).collect();
    chosen(named, &spec.service_provision_clusters, &spec.range.cluster_names, all)
}

/// Clusters with clients. `all` are the clusters of the federation.
pub fn consumers(spec: &MultiClusterServiceSpec, all: &[String]) -> BTreeSet<String> {
    let named = spec.consumer_clusters.iter().map(|cluster| cluster.name.clone()).collect();
    chosen(named, &spec.service_consumption_clusters, &spec.range.cluster_names, all)
}

/// The first list that names a cluster.
fn chosen(named: Vec<String>, deprecated: &[String], range: &[String], all: &[String]) -> BTreeSet<String> {
    let lists = [named.as_slice(), deprecated, range, all];
    lists.into_iter().find(|list| !list.is_empty()).unwrap_or_default().iter().cloned().collect()
}

/// A cluster with endpoints.
#[derive(Debug, Clone)]
pub struct Provider<'a> {
    /// Name of the cluster.
    pub cluster: &'a str,
    /// The Service there.
    pub service: Option<&'a Object>,
    /// Its EndpointSlices there.
    pub slices: Vec<&'a Object>,
}

/// Inputs of the plan for one service in one cluster.
#[derive(Debug, Clone)]
pub struct Dispatch<'a> {
    /// Id of this control plane, which holds the cluster.
    pub control_plane: &'a str,
    /// The service.
    pub service: &'a ObjectKey,
    /// Ports that clients reach; all when empty.
    pub ports: &'a [ExposurePort],
    /// Other clusters with endpoints that can be read; none if the cluster has no clients.
    pub providers: Vec<Provider<'a>>,
    /// Names of other clusters with endpoints that cannot be read. Their endpoints stay as they were last seen.
    pub unread: BTreeSet<String>,
    /// All EndpointSlices of the service in the cluster.
    pub present: Vec<&'a Object>,
    /// Name of the cluster with clients.
    pub cluster: &'a str,
    /// How the cluster uses the endpoints of each other one.
    pub routing: Routing,
}

/// A step in the cluster with clients.
#[derive(Debug, Clone, PartialEq)]
pub enum DispatchAction {
    /// Create or replace an EndpointSlice.
    Put(Object),
    /// Delete an EndpointSlice.
    Delete(ObjectKey),
}

/// The steps to the EndpointSlices that the cluster should have. Planning again after they were taken yields none.
pub fn plan(dispatch: &Dispatch<'_>) -> Vec<DispatchAction> {
    let mut wanted = BTreeMap::new();
    for provider in
        dispatch.providers.iter().filter(|provider| !dispatch.routing.is_outside(provider.cluster))
    {
        for slice in provider.slices.iter().filter(|slice| is_exportable(slice)) {
            if let Some(slice) = dispatched_slice(dispatch, provider, slice) {
                wanted.insert(slice.name().to_owned(), slice);
            }
        }
    }
    let allotted = allotments(dispatch);
    let probe = dispatch.routing.http_probe.as_ref();
    set_usages(wanted.values_mut(), &allotted, probe);
    let mut actions = Vec::new();
    let present = dispatch.present.iter().copied().filter(|slice| is_slice_of_multi_cluster_service(slice));
    let present: BTreeMap<&str, &Object> = present.map(|slice| (slice.name(), slice)).collect();
    for slice in wanted.values() {
        if !present.get(slice.name()).is_some_and(|old| is_same(old, slice)) {
            actions.push(DispatchAction::Put(slice.clone()));
        }
    }
    let mut last_known = Vec::new();
    for slice in present.into_values().filter(|slice| !wanted.contains_key(slice.name())) {
        let is_outside = dispatch.routing.is_outside(source_of(slice));
        let is_unread = dispatch.unread.contains(source_of(slice)) && !is_outside;
        if is_unread {
            last_known.push(slice);
        } else if is_outside || is_own(slice, dispatch.control_plane) {
            actions.push(DispatchAction::Delete(slice.key()));
        }
    }
    actions.extend(changed_usages(&last_known, &allotted, probe).into_iter().map(DispatchAction::Put));
    actions
}

fn source_of(slice: &Object) -> &str {
    slice.label(SOURCE_CLUSTER).unwrap_or_default()
}

fn is_same(present: &Object, wanted: &Object) -> bool {
    let field = |object: &Object, name: &str| object.0.get(name).cloned().unwrap_or_default();
    ["endpoints", "ports", "addressType"].iter().all(|name| field(present, name) == field(wanted, name))
        && Usage::of_slice(present) == Usage::of_slice(wanted)
        && http_probe::is_same(present, wanted)
        && wanted.labels().iter().all(|(key, value)| present.label(key) == Some(value))
}

/// What is done with the endpoints of each provider. The cluster's own are always used.
pub fn allotments(dispatch: &Dispatch<'_>) -> BTreeMap<String, Allotment> {
    if dispatch.routing.is_plain() {
        return BTreeMap::new();
    }
    let mut supply: BTreeMap<String, Supply> = BTreeMap::new();
    for provider in &dispatch.providers {
        let found = supply.entry(provider.cluster.to_owned()).or_default();
        provider.slices.iter().filter(|slice| is_exportable(slice)).for_each(|slice| found.add(slice));
    }
    for slice in &dispatch.present {
        let source = if is_exportable(slice) { dispatch.cluster } else { source_of(slice) };
        if source == dispatch.cluster || dispatch.unread.contains(source) {
            supply.entry(source.to_owned()).or_default().add(slice);
        }
    }
    allot(&supply, &dispatch.routing, Some(dispatch.cluster))
}

/// The EndpointSlice in the cluster with clients, for one of a provider. `None` if it cannot be read or has none of the ports.
fn dispatched_slice(dispatch: &Dispatch<'_>, provider: &Provider<'_>, slice: &Object) -> Option<Object> {
    let view = EndpointSlice::read(slice).ok()?;
    let name = names::dispatched_endpoint_slice(provider.cluster, slice.name());
    let key = ObjectKey::namespaced(dispatch.service.namespace.as_str(), name);
    let mut dispatched = Object::new(&resources::ENDPOINT_SLICE.gvk(), &key);
    for (label, value) in [
        (labels::MANAGED, labels::TRUE),
        (MANAGED_BY, DISPATCH_MANAGER),
        (SERVICE_NAME, dispatch.service.name.as_str()),
        (IMPORT_NAME, dispatch.service.name.as_str()),
        (SOURCE_CLUSTER, provider.cluster),
    ] {
        dispatched.set_label(label, value);
    }
    dispatched.set_annotation(annotations::endpoint_slice::PROVISION_CLUSTER, provider.cluster);
    stamp(&mut dispatched, dispatch.control_plane);
    dispatched.0["addressType"] = view.address_type.into();
    dispatched.0["endpoints"] = imported_endpoints(&view);
    let ports = slice.0.get("ports").and_then(Value::as_array).into_iter().flatten();
    let exposed = exposed_names(dispatch.ports, provider.service);
    let is_exposed = |port: &&Value| {
        let name = port.get("name").and_then(Value::as_str).unwrap_or_default();
        exposed.as_ref().is_none_or(|names| names.contains(name))
    };
    let ports: Vec<Value> = ports.filter(is_exposed).cloned().collect();
    let has_lost_all = ports.is_empty() && !view.ports.is_empty();
    dispatched.0["ports"] = Value::Array(ports);
    (!has_lost_all).then_some(dispatched)
}

/// Names, in the Service, of the ports that clients reach; `None` for all.
fn exposed_names(ports: &[ExposurePort], service: Option<&Object>) -> Option<BTreeSet<String>> {
    if ports.is_empty() {
        return None;
    }
    let of_service =
        service.and_then(|service| Service::read(service).ok()).map(|service| service.spec.ports);
    let of_service = of_service.unwrap_or_default();
    let name = |port: &ExposurePort| match port.name.as_str() {
        "" => of_service
            .iter()
            .find(|found| found.port == i64::from(port.port))
            .map(|found| found.name.to_owned()),
        name => Some(name.to_owned()),
    };
    Some(ports.iter().filter_map(name).collect())
}

#[cfg(test)]
mod tests {
    use crate::discovery::usage::NotUsed;
    use portolan_api::networking::ClusterSelector;
    use serde_json::json;

    use super::*;

    fn selected(names: &[&str]) -> Vec<ClusterSelector> {
        names.iter().map(|name| ClusterSelector { name: (*name).to_owned() }).collect()
    }

    fn slice(name: &str, address: &str) -> Object {
        Object(json!({ "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": { "namespace": "shop", "name": name, "labels": { "kubernetes.io/service-name": "web" } },
            "endpoints": [{ "addresses": [address], "conditions": { "ready": true }, "nodeName": "n1", "zone": "z" }],
            "ports": [{ "name": "http", "port": 8080, "protocol": "TCP" }, { "name": "admin", "port": 9090, "protocol": "TCP" }] }))
    }

    #[test]
    fn clusters_are_those_of_the_first_list_that_names_one() {
        let all = ["a", "b", "c"].map(str::to_owned);
        let text = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>().join("");
        let mut spec = MultiClusterServiceSpec::default();
        assert_eq!(
            (text(providers(&spec, &all)), text(consumers(&spec, &all))),
            ("abc".into(), "abc".into())
        );
        spec.range.cluster_names = vec!["c".to_owned()];
        assert_eq!(text(consumers(&spec, &all)), "c");
        spec.service_provision_clusters = vec!["a".to_owned()];
        assert_eq!((text(providers(&spec, &all)), text(consumers(&spec, &all))), ("a".into(), "c".into()));
        spec.provider_clusters = selected(&["b", "gone"]);
        assert_eq!(text(providers(&spec, &all)), "bgone");
    }

    /// A consumer with the slices that its plans have made so far.
    struct World {
        service: ObjectKey,
        ports: Vec<ExposurePort>,
        providers: Vec<(&'static str, Vec<Object>)>,
        unread: BTreeSet<String>,
        present: BTreeMap<String, Object>,
        routing: Routing,
    }

    impl World {
        fn new() -> Self {
            let own = slice("web-own", "10.2.0.1");
            Self {
                service: ObjectKey::namespaced("shop", "web"),
                ports: Vec::new(),
                providers: vec![("a", vec![slice("web-1", "10.1.0.1")])],
                unread: BTreeSet::new(),
                present: BTreeMap::from([("web-own".to_owned(), own)]),
                routing: Routing::default(),
            }
        }

        fn plan(&self) -> Vec<DispatchAction> {
            let providers = self.providers.iter().map(|(cluster, slices)| Provider {
                cluster,
                service: None,
                slices: slices.iter().collect(),
            });
            plan(&Dispatch {
                control_plane: "first",
                service: &self.service,
                ports: &self.ports,
                providers: providers.collect(),
                unread: self.unread.clone(),
                present: self.present.values().collect(),
                cluster: "b",
                routing: self.routing.clone(),
            })
        }

        fn run(&mut self) -> Vec<String> {
            let mut names = Vec::new();
            for action in self.plan() {
                match action {
                    DispatchAction::Put(slice) => {
                        names.push(format!("put {}", slice.name()));
                        self.present.insert(slice.name().to_owned(), slice);
                    }
                    DispatchAction::Delete(key) => {
                        names.push(format!("delete {}", key.name));
                        self.present.remove(&key.name);
                    }
                }
            }
            assert_eq!(self.plan(), [], "planned again");
            names
        }
    }

    #[test]
    fn a_consumer_has_the_slices_of_the_providers_under_the_name_of_the_service() {
        let mut world = World::new();
        assert_eq!(world.run(), ["put a-web-1"]);
        let made = world.present["a-web-1"].clone();
        assert_eq!(made.label("kubernetes.io/service-name"), Some("web"));
        assert_eq!(made.annotation("endpointslice.karmada.io/provision-cluster"), Some("a"));
        assert_eq!(made.0["endpoints"][0].get("nodeName"), None, "another cluster's node");
        // Dispatched slices of a provider are not dispatched again.
        world.providers.push(("c", vec![made]));
        assert_eq!(world.run(), Vec::<String>::new());

        world.ports = vec![ExposurePort { name: "http".to_owned(), port: 80 }];
        assert_eq!(world.run(), ["put a-web-1"]);
        assert_eq!(world.present["a-web-1"].0["ports"].as_array().map(Vec::len), Some(1));

        world.providers.clear();
        world.unread.insert("a".to_owned());
        assert_eq!(world.run(), Vec::<String>::new(), "what cannot be read stays");
        world.unread.clear();
        assert_eq!(world.run(), ["delete a-web-1"]);
        assert!(world.present.contains_key("web-own"));
    }

    #[test]
    fn endpoints_of_a_dead_provider_are_not_ready_while_the_consumer_has_others() {
        let mut world = World::new();
        world.run();
        let dead = NotUsed { usage: Usage::Withdraw, since: "t".to_owned(), cause: "dead".to_owned() };
        world.routing.not_used.insert("a".to_owned(), dead);
        assert_eq!(world.run(), ["put a-web-1"]);
        let ready = |world: &World| world.present["a-web-1"].0["endpoints"][0]["conditions"]["ready"] == true;
        assert!(!ready(&world));
        world.providers.clear();
        world.unread.insert("a".to_owned());
        world.routing.not_used.clear();
        assert_eq!(world.run(), ["put a-web-1"]);
        assert!(ready(&world), "it answers again");
        world.present.remove("web-own");
        let dead = NotUsed { usage: Usage::Withdraw, since: "t".to_owned(), cause: "dead".to_owned() };
        world.routing.not_used.insert("a".to_owned(), dead);
        assert_eq!(world.run(), Vec::<String>::new(), "the only endpoints stay in use");
    }

    #[test]
    fn providers_outside_the_boundary_have_no_slice_and_far_ones_are_on_standby() {
        let mut world = World::new();
        world.providers.push(("c", vec![slice("web-2", "10.3.0.1")]));
        world.run();
        world.routing.inside = Some(["b".to_owned(), "c".to_owned()].into());
        assert_eq!(world.run(), ["delete a-web-1"]);
        world.providers.remove(0);
        world.unread.insert("a".to_owned());
        assert_eq!(world.run(), Vec::<String>::new(), "also if it cannot be read");
        // The consumer's own endpoints are nearer.
        world.routing.tiers = BTreeMap::from([("b".to_owned(), 0)]);
        assert_eq!(world.run(), ["put c-web-2"]);
        assert_eq!(Usage::of_slice(&world.present["c-web-2"]), Usage::Standby);
        world.present.remove("web-own");
        assert_eq!(world.run(), ["put c-web-2"]);
        assert_eq!(Usage::of_slice(&world.present["c-web-2"]), Usage::Keep);
        world.routing.is_hidden = true;
        assert_eq!(world.run(), ["delete c-web-2"]);
    }
}
