//! `portolan services netpol`: the NetworkPolicies by which clients in other clusters reach a service.

use anyhow::{Result, bail};
use portolan_api::kubernetes::View as _;
use portolan_api::multicluster::ServiceImportView;
use portolan_object::{Object, ObjectKey, yaml};
use portolan_plan::discovery::network_policies::{Advice, ExportingSide, ImportingSide, network_policies};
use portolan_plan::discovery::why::View;
use portolan_plan::import_marks::service_of_slice;

use crate::arguments::NetworkPolicies;
use crate::servers::members_with_credentials;
use crate::survey::{lost, read_all};
use crate::why::read_member;

/// Prints one document for each cluster. What cannot be said is a comment.
pub(super) async fn run(arguments: NetworkPolicies) -> Result<()> {
    let hub = arguments.hub.hub().await?;
    let namespace = arguments.namespace.unwrap_or_else(|| hub.namespace.clone());
    let key = ObjectKey::namespaced(namespace, arguments.name);
    let connected = members_with_credentials(&hub.client, &[]).await?;
    let mut members: Vec<(String, View)> = Vec::new();
    for (name, answer) in read_all(connected, |client| read_member(client, key.clone())).await {
        match answer {
            Ok(view) => members.push((name, view)),
            Err(error) => anstream::eprintln!("cluster({name}): {}", lost(&error)),
        }
    }
    let advice = advice(&key, &members);
    if advice.is_empty() {
        bail!("no cluster exports {key}: `portolan services -A` lists what is exported");
    }
    advice.iter().for_each(|advice| anstream::print!("{}", text(advice)));
    Ok(())
}

fn advice(key: &ObjectKey, members: &[(String, View)]) -> Vec<Advice> {
    let exporters = members.iter().filter_map(|(cluster, view)| {
        view.export.as_ref()?;
        let own = view.slices.iter().filter(|slice| service_of_slice(slice).as_ref() == Some(key));
        Some(ExportingSide {
            cluster,
            service: view.local.as_ref()?,
            slices: own.collect(),
            pod_ranges: &view.pod_ranges,
        })
    });
    let importers = members.iter().filter_map(|(cluster, view)| {
        let import = ServiceImportView::read(view.import.as_ref()?).ok()?;
        let addresses = import.spec.ips.iter().map(|address| (*address).to_owned()).collect();
        Some(ImportingSide { cluster, addresses, pod_ranges: &view.pod_ranges })
    });
    let exporters: Vec<ExportingSide<'_>> = exporters.collect();
    if exporters.is_empty() {
        return Vec::new();
    }
    network_policies(&exporters, &importers.collect::<Vec<_>>())
}

/// A YAML document with comments.
fn text(advice: &Advice) -> String {
    let comments = advice.notes.iter().map(|note| format!("# {note}\n")).collect::<String>();
    let policy = |policy: &Object| yaml::to_string(&policy.0);
    let document = advice.policy.as_ref().map(policy).unwrap_or_default();
    format!("---\n# in cluster {}\n{comments}{document}", advice.cluster)
}
