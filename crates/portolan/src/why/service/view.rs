//! Reads the objects of one member that concern a service.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use portolan_api::clusterset::{ID_PROPERTY, SET_PROPERTY};
use portolan_api::kubernetes::{Service, View as _};
use portolan_api::probes::ProbeReport;
use portolan_api::{annotations, names, resources};
use portolan_net::Clock;
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::why::{Agent, Clusterset, Dns, Namespace, Proof, View};
use portolan_plan::dns::ZoneKind;
use portolan_runtime::client::{Discovery, Selection};
use portolan_runtime::{Client, ClientError, Resource};
use serde_json::{Value, json};

use crate::survey::{GROUP, agents, find, list, property};

/// Reads a member. Objects that only help to explain a problem, such as nodes, are left out if the caller may not read them.
pub(crate) async fn read(client: Client, key: ObjectKey) -> Result<View, ClientError> {
    let discovery = client.discover().await?;
    let own = |group: &str, kind: &str| discovery.find(group, kind).map(|found| found.resource.clone());
    let (export_kind, import_kind) = (own(GROUP, "ServiceExport"), own(GROUP, "ServiceImport"));
    let services = Resource::from(resources::SERVICE);
    let namespaces = Resource::from(resources::NAMESPACE);
    let namespace = ObjectKey::cluster(key.namespace.as_str());
    let in_namespace = Selection::namespace(key.namespace.clone());
    let everywhere = Selection::all();
    let (set, id, namespace, local, export, import) = futures::try_join!(
        property(&client, &discovery, SET_PROPERTY),
        property(&client, &discovery, ID_PROPERTY),
        find(&client, &namespaces, &namespace),
        find(&client, &services, &key),
        find_of(&client, export_kind.as_ref(), &key),
        find_of(&client, import_kind.as_ref(), &key),
    )?;
    let (derived, slices, nodes, dns, network_policies) = futures::try_join!(
        derived(&client, &services, &key, import.as_ref()),
        list(&client, &discovery, ("discovery.k8s.io", "EndpointSlice"), &in_namespace),
        if_allowed(list(&client, &discovery, ("", "Node"), &everywhere), "list nodes"),
        if_allowed(dns(&client), "get configmaps in kube-system"),
        if_allowed(
            list(&client, &discovery, ("networking.k8s.io", "NetworkPolicy"), &in_namespace),
            "list networkpolicies"
        ),
    )?;
    let (leases, stated) = tokio::join!(agents(&client), client.dated_text("/version"));
    // The agents state times by the clock of their cluster.
    let now = stated.ok().and_then(|(_, stated)| stated).unwrap_or_else(|| Clock::system().now());
    let unread = [nodes.as_ref().err(), dns.as_ref().err(), network_policies.as_ref().err()];
    let unread = unread.into_iter().flatten().map(|right| (*right).to_owned()).collect();
    let pods = match &local {
        Some(service) => pods(&client, &discovery, service).await,
        None => None,
    };
    Ok(View {
        serves_api: export_kind.is_some() && import_kind.is_some(),
        namespace: match namespace {
            None => Namespace::Missing,
            Some(namespace) if namespace.is_deleting() => Namespace::Deleting,
            Some(_) => Namespace::Present,
        },
        clusterset: set.map(|name| Clusterset { name, id: id.unwrap_or_default() }),
        export,
        local,
        pods,
        import,
        derived,
        slices,
        missing_rights: missing_rights(&client, &key.namespace).await,
        pod_ranges: nodes.iter().flatten().flat_map(pod_ranges).collect(),
        dns: dns.unwrap_or_default(),
        connections: Vec::new(),
        proofs: leases.as_deref().map(|leases| proofs(leases, &key, now)).unwrap_or_default(),
        agent: leases.as_deref().map_or(Agent::NotRead, |leases| agent(leases, now)),
        network_policies: network_policies.unwrap_or_default(),
        unread,
    })
}

/// The answer, or the right that is missing.
async fn if_allowed<T>(
    reading: impl Future<Output = Result<T, ClientError>>,
    right: &'static str,
) -> Result<Result<T, &'static str>, ClientError> {
    match reading.await {
        Err(ClientError::Forbidden(status)) if status.code != 401 => Ok(Err(right)),
        read => read.map(Ok),
    }
}

/// The newest renewal of the Leases of a member's agents. A time that is ahead of the clock is new.
fn agent(leases: &[Object], now: Timestamp) -> Agent {
    let renewed =
        leases.iter().filter_map(|lease| lease.str_at(&["spec", "renewTime"]).parse::<Timestamp>().ok());
    match renewed.max() {
        Some(renewed) => Agent::Renewed(Duration::try_from(now.duration_since(renewed)).unwrap_or_default()),
        None => Agent::Missing,
    }
}

/// The last connections of the agents of a member to endpoints of the service.
fn proofs(leases: &[Object], key: &ObjectKey, now: Timestamp) -> Vec<Proof> {
    let reports = leases.iter().filter_map(ProbeReport::of_lease);
    let sources = reports.flat_map(|report| report.sources);
    let proofs = sources.flat_map(|source| {
        let services = source.services.into_iter();
        let of_service = services.filter(|one| one.namespace == key.namespace && one.name == key.name);
        let cluster = source.cluster;
        of_service.filter_map(move |one| {
            // A clock that is ahead makes a proof look like one of the future: it is new.
            let time: Timestamp = one.time.parse().ok()?;
            let age = Duration::try_from(now.duration_since(time)).unwrap_or_default();
            let (source, endpoint) = (cluster.clone(), one.endpoint);
            Some(Proof { source, endpoint, answers: one.answers, failure: one.failure, age })
        })
    });
    proofs.collect()
}

async fn find_of(
    client: &Client,
    resource: Option<&Resource>,
    key: &ObjectKey,
) -> Result<Option<Object>, ClientError> {
    match resource {
        Some(resource) => find(client, resource, key).await,
        None => Ok(None),
    }
}

/// Services with a name that a derived Service of the import can have.
async fn derived(
    client: &Client,
    services: &Resource,
    key: &ObjectKey,
    import: Option<&Object>,
) -> Result<Vec<Object>, ClientError> {
    let mut found = Vec::new();
    for name in derived_names(key, import) {
        found.extend(find(client, services, &ObjectKey::namespaced(key.namespace.clone(), name)).await?);
    }
    Ok(found)
}

/// The name in the annotation of the import, and the names that Portolan gives in both forms.
fn derived_names(key: &ObjectKey, import: Option<&Object>) -> Vec<String> {
    let named = import.and_then(|import| import.annotation(annotations::service_import::DERIVED_SERVICE));
    let mut names =
        vec![names::derived_service(&key.name), names::derived_service_of_set(&key.namespace, &key.name)];
    if let Some(named) = named.filter(|named| !names.iter().any(|name| name == named)) {
        names.insert(0, named.to_owned());
    }
    names
}

/// The Pods that a Service selects; `None` without a selector, or if they cannot be read.
async fn pods(client: &Client, discovery: &Discovery, service: &Object) -> Option<Vec<Object>> {
    let selector = Service::read(service).ok()?.spec.selector;
    let labels: Vec<String> = selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
    if labels.is_empty() {
        return None;
    }
    let selection = Selection { labels: labels.join(","), ..Selection::namespace(service.namespace()) };
    list(client, discovery, ("", "Pod"), &selection).await.ok()
}

/// Rights that the account of the control plane lacks, of those that an import needs.
async fn missing_rights(client: &Client, namespace: &str) -> Vec<String> {
    let needed = [("", "services"), (GROUP, "serviceimports"), ("discovery.k8s.io", "endpointslices")];
    let asked = needed.map(|(group, resource)| async move {
        let is_missing = !is_allowed(client, namespace, group, resource).await;
        is_missing.then(|| format!("create {resource}"))
    });
    futures::future::join_all(asked).await.into_iter().flatten().collect()
}

/// Whether the account may create objects of a resource. An API server that does not answer the question denies nothing.
async fn is_allowed(client: &Client, namespace: &str, group: &str, resource: &str) -> bool {
    let kind = Resource::cluster(
        "authorization.k8s.io",
        "v1",
        "SelfSubjectAccessReview",
        "selfsubjectaccessreviews",
    );
    let review = Object(
        json!({ "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {
        "resourceAttributes": { "namespace": namespace, "verb": "create", "group": group, "resource": resource } } }),
    );
    match client.resource::<Object>(&kind).create(&review).await {
        Ok(answer) => answer.at(&["status", "allowed"]).and_then(Value::as_bool).unwrap_or_default(),
        Err(_) => true,
    }
}

/// Reads the CoreDNS configuration. Other DNS servers are not examined.
async fn dns(client: &Client) -> Result<Dns, ClientError> {
    let maps = Resource::from(resources::CONFIG_MAP);
    let configuration = find(client, &maps, &ObjectKey::namespaced("kube-system", "coredns")).await?;
    let corefile = configuration.as_ref().map(|map| map.str_at(&["data", "Corefile"]));
    Ok(Dns {
        forwards_zone: corefile.map(|text| text.contains(ZoneKind::ClusterSet.default_zone())),
        answer: None,
    })
}

fn pod_ranges(node: &Object) -> Vec<String> {
    let ranges = node.at(&["spec", "podCIDRs"]).and_then(Value::as_array);
    ranges.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_derived_service_has_one_of_three_names() {
        let key = ObjectKey::namespaced("shop", "web");
        let of_set = names::derived_service_of_set("shop", "web");
        assert_eq!(derived_names(&key, None), ["derived-web".to_owned(), of_set.clone()]);
        let mut import = Object(serde_json::json!({"metadata": {"name": "web", "namespace": "shop"}}));
        import.set_annotation(annotations::service_import::DERIVED_SERVICE, "derived-abc");
        assert_eq!(
            derived_names(&key, Some(&import)),
            ["derived-abc".to_owned(), "derived-web".to_owned(), of_set]
        );
    }

    #[test]
    fn the_newest_renewal_of_an_agent_counts() {
        let now: Timestamp = "2026-01-01T00:10:00Z".parse().expect("a time");
        let lease = |time: &str| Object(serde_json::json!({ "spec": { "renewTime": time } }));
        let cases = [
            (vec![], Agent::Missing),
            (vec![""], Agent::Missing),
            (vec!["2026-01-01T00:00:00Z", "2026-01-01T00:09:50Z"], Agent::Renewed(Duration::from_secs(10))),
            (vec!["2026-01-01T01:00:00Z"], Agent::Renewed(Duration::ZERO)),
        ];
        for (times, want) in cases {
            let leases: Vec<Object> = times.iter().map(|time| lease(time)).collect();
            assert_eq!(agent(&leases, now), want, "{times:?}");
        }
    }

    #[test]
    fn pod_ranges_are_those_of_the_nodes() {
        let node = Object(serde_json::json!({"spec": {"podCIDRs": ["10.10.0.0/24", "fd00::/64"]}}));
        assert_eq!(pod_ranges(&node), ["10.10.0.0/24", "fd00::/64"]);
        assert!(pod_ranges(&Object(serde_json::json!({}))).is_empty());
    }
}
