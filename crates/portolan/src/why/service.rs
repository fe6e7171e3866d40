//! `portolan why service`: finds the step at which a service breaks between export and connection, and the next step to take.
//!
//! Reads every member and prints the diagnosis of `portolan_plan::discovery::why`.

mod probe;

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use portolan_api::clusterset::{ID_PROPERTY, SET_PROPERTY};
use portolan_api::resources;
use portolan_api::{annotations, names};
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::ReadError;
use portolan_plan::discovery::why::{
    Clusterset, Diagnosis, Dns, Facts, Finding, Hop, Member, View, consumers, diagnose,
};
use portolan_plan::dns::ZoneKind;
use portolan_runtime::client::Selection;
use portolan_runtime::{Client, ClientError, Resource};
use serde_json::Value;

use super::arguments::WhyService;
use crate::get::{connect, members};
use crate::output::causes;
use crate::survey::{GROUP, find, list, property, read_all};

/// Prints the diagnosis; fails if a step is broken.
pub(super) async fn run(arguments: WhyService) -> Result<()> {
    let hub = connect(&arguments.hub).await?;
    let key = ObjectKey::namespaced(arguments.namespace.clone(), arguments.name.clone());
    let connected = members(&hub, &[]).await?;
    if connected.is_empty() {
        bail!("this federation has no members: join clusters with `portolan join`");
    }
    let clients: BTreeMap<String, Client> = connected
        .iter()
        .filter_map(|(name, client)| Some((name.clone(), client.as_ref().ok()?.clone())))
        .collect();
    let answers = read_all(connected, |client| view(client, key.clone())).await;
    let members = answers
        .into_iter()
        .map(|(name, view)| Member { name, view: view.map_err(|error| ReadError(causes(&error))) })
        .collect();
    let mut facts = Facts { service: key, members };
    let asking = arguments.from.map_or_else(|| consumers(&facts), |from| vec![from]);
    if arguments.probe {
        for from in &asking {
            let leads_on = diagnose(&facts, from).broken().is_none();
            if let Some(client) = clients.get(from).filter(|_| leads_on) {
                probe::run(client, &mut facts, from, &arguments.probe_image).await?;
            }
        }
    }
    let diagnoses: Vec<Diagnosis> = asking.iter().map(|from| diagnose(&facts, from)).collect();
    report(&facts.service, &diagnoses)
}

/// Prints the diagnoses; fails if a step is broken.
fn report(service: &ObjectKey, diagnoses: &[Diagnosis]) -> Result<()> {
    if let Some(common) = diagnoses.iter().find(|one| one.is_broken_everywhere()) {
        anstream::print!("{}", render(common));
        bail!("service {service} answers nowhere");
    }
    for diagnosis in diagnoses {
        anstream::print!("{}", render(diagnosis));
    }
    let broken: Vec<&str> =
        diagnoses.iter().filter(|one| one.broken().is_some()).map(|one| one.from.as_str()).collect();
    if !broken.is_empty() {
        bail!("service {service} does not answer in {}", broken.join(", "));
    }
    Ok(())
}

/// The headline, a line per step, and the next step where something is wrong.
fn render(diagnosis: &Diagnosis) -> String {
    let mut text = format!("{}\n", diagnosis.headline());
    for hop in Hop::ALL {
        let found = diagnosis.path.iter().find(|(walked, _)| *walked == hop).map(|(_, finding)| finding);
        let (mark, words, next) = match found {
            Some(Finding::Good(words)) => ('✓', words.as_str(), None),
            Some(Finding::Unknown(words)) => ('·', words.as_str(), None),
            Some(Finding::Warning { cause, next }) => ('!', cause.as_str(), Some(next)),
            Some(Finding::Broken { cause, next }) => ('✗', cause.as_str(), Some(next)),
            None => ('·', "not looked at", None),
        };
        text.push_str(&format!("  {mark} {hop:<10}  {words}\n"));
        if let Some(next) = next {
            text.push_str(&format!("                next: {next}\n"));
        }
    }
    text
}

async fn view(client: Client, key: ObjectKey) -> Result<View, ClientError> {
    let discovery = client.discover().await?;
    let own = |group: &str, kind: &str| discovery.find(group, kind).map(|found| found.resource.clone());
    let (export_kind, import_kind) = (own(GROUP, "ServiceExport"), own(GROUP, "ServiceImport"));
    let services = Resource::from(resources::SERVICE);
    let namespaces = Resource::from(resources::NAMESPACE);
    let namespace = ObjectKey::cluster(key.namespace.as_str());
    let (set, id) = futures::try_join!(
        property(&client, &discovery, SET_PROPERTY),
        property(&client, &discovery, ID_PROPERTY),
    )?;
    let (has_namespace, local, export, import) = futures::try_join!(
        find(&client, &namespaces, &namespace),
        find(&client, &services, &key),
        find_of(&client, export_kind.as_ref(), &key),
        find_of(&client, import_kind.as_ref(), &key),
    )?;
    let derived_key = import.as_ref().map(derived_service);
    let (in_namespace, everywhere) = (Selection::namespace(key.namespace.clone()), Selection::all());
    let derived = async {
        match &derived_key {
            Some(key) => find(&client, &services, key).await,
            None => Ok(None),
        }
    };
    let (derived, slices, nodes, dns) = futures::try_join!(
        derived,
        list(&client, &discovery, ("discovery.k8s.io", "EndpointSlice"), &in_namespace),
        list(&client, &discovery, ("", "Node"), &everywhere),
        dns(&client),
    )?;
    Ok(View {
        serves_api: export_kind.is_some() && import_kind.is_some(),
        has_namespace: has_namespace.is_some_and(|namespace| !namespace.is_deleting()),
        clusterset: set.map(|name| Clusterset { name, id: id.unwrap_or_default() }),
        export,
        local,
        import,
        derived,
        slices,
        pod_ranges: nodes.iter().flat_map(pod_ranges).collect(),
        dns,
        connections: Vec::new(),
    })
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

/// The derived Service of an import: the one that its annotation names, or the one that Portolan creates.
fn derived_service(import: &Object) -> ObjectKey {
    let named = import.annotation(annotations::service_import::DERIVED_SERVICE);
    let name = named.map_or_else(|| names::derived_service(import.name()), str::to_owned);
    ObjectKey::namespaced(import.namespace(), name)
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
    fn every_hop_has_a_line_and_a_broken_one_says_what_to_do() {
        let diagnosis = Diagnosis {
            service: "shop/web".to_owned(),
            from: "b".to_owned(),
            path: vec![
                (Hop::Export, Finding::Good("exported by a".to_owned())),
                (
                    Hop::Endpoints,
                    Finding::Broken { cause: "no endpoint answers".to_owned(), next: "start one".to_owned() },
                ),
            ],
        };
        assert_eq!(
            render(&diagnosis),
            "shop/web: broken at endpoints: no endpoint answers\n  \
             ✓ export      exported by a\n  \
             ✗ endpoints   no endpoint answers\n                \
             next: start one\n  \
             · import      not looked at\n  \
             · slices      not looked at\n  \
             · dns         not looked at\n  \
             · connection  not looked at\n"
        );
    }

    #[test]
    fn the_derived_service_is_the_one_that_the_import_names() {
        let mut import = Object(serde_json::json!({"metadata": {"name": "web", "namespace": "shop"}}));
        assert_eq!(derived_service(&import).name, "derived-web");
        import.set_annotation(annotations::service_import::DERIVED_SERVICE, "derived-abc");
        assert_eq!(derived_service(&import).name, "derived-abc");
    }

    #[test]
    fn pod_ranges_are_those_of_the_nodes() {
        let node = Object(serde_json::json!({"spec": {"podCIDRs": ["10.10.0.0/24", "fd00::/64"]}}));
        assert_eq!(pod_ranges(&node), ["10.10.0.0/24", "fd00::/64"]);
        assert!(pod_ranges(&Object(serde_json::json!({}))).is_empty());
    }
}
