//! `portolan drain` and `undrain`: moves the traffic of exported services away from a cluster, and back.
//!
//! Nothing in the cluster changes. In the other clusters its endpoints count as terminating: they get no new connections while
//! any other endpoint is ready.

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCompleter;
use portolan_api::annotations::cluster::DRAINED;
use portolan_api::cluster::Cluster;
use portolan_api::traffic::{TrafficPolicy, TrafficPolicySpec};
use portolan_net::Clock;
use portolan_object::ObjectKey;
use portolan_object::time::format_time;
use portolan_plan::discovery::traffic_policy::policy_of;
use portolan_runtime::client::{Delete, Patch, Selection};
use portolan_runtime::{Client, ClientError};
use serde_json::json;

use crate::completion::candidates::{clusters, namespaces};
use crate::hub_access::HubAccess;
use crate::servers::members_with_credentials;
use crate::survey::{GROUP, find, lost, read_all};

const EXAMPLES: &str = "\
Examples:
  # Before maintenance: clients in other clusters use the endpoints of other clusters
  portolan drain cluster eu-1

  # One service only
  portolan drain service web -n shop --cluster eu-1

  # Back again
  portolan undrain cluster eu-1";

/// What is drained.
#[derive(Debug, Subcommand)]
pub(crate) enum Drain {
    /// All services of a cluster.
    Cluster(DrainCluster),
    /// One service of a cluster.
    Service(DrainService),
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DrainCluster {
    /// The cluster
    #[arg(value_name = "CLUSTER", add = ArgValueCompleter::new(clusters))]
    cluster: String,
    #[command(flatten)]
    hub: HubAccess,
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DrainService {
    /// The exported service
    #[arg(value_name = "SERVICE")]
    service: String,
    /// The cluster
    #[arg(long, value_name = "CLUSTER", add = ArgValueCompleter::new(clusters))]
    cluster: String,
    /// Namespace [default: that of the context, or `default`]
    #[arg(short, long, add = ArgValueCompleter::new(namespaces))]
    namespace: Option<String>,
    #[command(flatten)]
    hub: HubAccess,
}

/// Moves traffic away.
pub(crate) async fn drain(what: Drain) -> Result<()> {
    run(what, true).await
}

/// Moves traffic back.
pub(crate) async fn undrain(what: Drain) -> Result<()> {
    run(what, false).await
}

async fn run(what: Drain, is_drained: bool) -> Result<()> {
    let word = if is_drained { "drained" } else { "used again" };
    match what {
        Drain::Cluster(arguments) => {
            let hub = arguments.hub.hub().await?.client;
            let since = is_drained.then(|| format_time(Clock::system().now()));
            let patch = Patch::Merge(json!({ "metadata": { "annotations": { DRAINED: since } } }));
            let patched =
                hub.kind::<Cluster>().patch(&ObjectKey::cluster(arguments.cluster.as_str()), &patch).await;
            patched.with_context(|| format!("cannot change cluster {}", arguments.cluster))?;
            anstream::println!("cluster/{} {word}", arguments.cluster);
        }
        Drain::Service(arguments) => {
            let hub = arguments.hub.hub().await?;
            let namespace = arguments.namespace.unwrap_or(hub.namespace);
            let key = ObjectKey::namespaced(namespace, arguments.service);
            drain_service(&hub.client, &key, &arguments.cluster, is_drained).await?;
            anstream::println!("service/{} {word} in cluster {}", key.name, arguments.cluster);
            if is_drained {
                warn_without_export(&hub.client, &key, &arguments.cluster).await?;
            }
        }
    }
    Ok(())
}

/// Whether the policy has the name that `drain` gives, and says nothing but what is drained.
fn is_made_here(policy: &TrafficPolicy, service: &ObjectKey) -> bool {
    let only_drains = TrafficPolicySpec {
        services: policy.spec.services.clone(),
        drained_clusters: policy.spec.drained_clusters.clone(),
        ..TrafficPolicySpec::default()
    };
    policy.metadata.name == made_name(service) && policy.spec == only_drains
}

/// Name of the policy that `drain` creates for a service.
fn made_name(service: &ObjectKey) -> String {
    format!("drain-{}", service.name)
}

/// Warns if the cluster does not export the service: nothing is drained then. A cluster that cannot be read may.
async fn warn_without_export(hub: &Client, service: &ObjectKey, cluster: &str) -> Result<()> {
    let connected = members_with_credentials(hub, &[cluster.to_owned()]).await?;
    let read = |client: Client| {
        let key = service.clone();
        async move {
            let discovery = client.discover().await?;
            let Some(found) = discovery.find(GROUP, "ServiceExport") else { return Ok(None) };
            find(&client, &found.resource, &key).await
        }
    };
    for (name, answer) in read_all(connected, read).await {
        match answer {
            Ok(Some(_)) => {}
            Ok(None) => {
                anstream::eprintln!("Warning: {name} exports no service {service}: nothing is drained now")
            }
            Err(error) => anstream::eprintln!("Warning: {name} was not read: {}", lost(&error)),
        }
    }
    Ok(())
}

/// Adds the cluster to the TrafficPolicy of the service, or removes it. A service without one gets its own, which is deleted when
/// nothing is left in it.
async fn drain_service(hub: &Client, service: &ObjectKey, cluster: &str, is_drained: bool) -> Result<()> {
    let exists = hub.kind::<Cluster>().get(&ObjectKey::cluster(cluster)).await;
    exists.with_context(|| format!("cannot read cluster {cluster}"))?;
    let api = hub.kind::<TrafficPolicy>();
    let listed = api.list(&Selection::namespace(service.namespace.as_str())).await;
    let listed = listed.context("cannot read the TrafficPolicies of the control plane")?;
    let policies: Vec<TrafficPolicy> = listed.items.into_iter().map(|seen| seen.object).collect();
    let Some(policy) = policy_of(service, &policies) else {
        if !is_drained {
            bail!("no TrafficPolicy in namespace {} drains service {}", service.namespace, service.name);
        }
        let mut policy = TrafficPolicy::default();
        policy.metadata.namespace.clone_from(&service.namespace);
        policy.metadata.name = made_name(service);
        policy.spec.services = vec![service.name.clone()];
        policy.spec.drained_clusters = vec![cluster.to_owned()];
        api.create(&policy).await.context("cannot create a TrafficPolicy")?;
        return Ok(());
    };
    if policy.spec.services != [service.name.clone()] {
        bail!(
            "TrafficPolicy {} selects service {} and others: add {cluster} to its spec.drainedClusters, or remove it there",
            policy.metadata.name,
            service.name
        );
    }
    let mut drained = policy.spec.drained_clusters.clone();
    drained.retain(|name| name != cluster);
    drained.extend(is_drained.then(|| cluster.to_owned()));
    let (key, version) = (policy.metadata.key(), policy.metadata.resource_version.clone());
    let written = if drained.is_empty() && is_made_here(policy, service) {
        let gone = Delete { resource_version: Some(version), ..Delete::default() };
        api.delete(&key, &gone).await
    } else {
        let patch = Patch::Merge(json!({ "metadata": { "resourceVersion": version },
            "spec": { "drainedClusters": drained } }));
        api.patch(&key, &patch).await.map(drop)
    };
    match written {
        Err(ClientError::Conflict(_)) => {
            bail!("TrafficPolicy {} was changed meanwhile: try again", policy.metadata.name)
        }
        written => written.context("cannot change the TrafficPolicy"),
    }
}
