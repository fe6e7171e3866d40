//! `portolan rebalance`: schedules workloads again, once, by a WorkloadRebalancer.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use portolan_api::apps::{RebalanceResult, WorkloadRebalancer, WorkloadReference};
use portolan_object::{Object, ObjectKey};
use portolan_runtime::Client;
use portolan_runtime::client::{Discovery, Selection};

use crate::completion::candidates::{kinds, namespaces};
use crate::hub_access::{HubAccess, kinds_of_hub};
use crate::kinds::named;

/// Time between two reads of the status.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Time for which the finished request is kept, in seconds, so that its result can be looked at.
const TTL_SECS: i32 = 600;

const EXAMPLES: &str = "\
Examples:
  # After clusters were added or have become free: find the best clusters again
  portolan rebalance deployment/web deployment/api -n shop

  # All Deployments of a namespace
  portolan rebalance deployments --all -n shop";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Rebalance {
    /// Workloads of the control plane, as KIND/NAME; with --all a kind
    #[arg(value_name = "KIND/NAME", required = true, add = ArgValueCompleter::new(kinds))]
    workloads: Vec<String>,
    #[command(flatten)]
    hub: HubAccess,
    /// Namespace [default: that of the context, or `default`]
    #[arg(short, long, add = ArgValueCompleter::new(namespaces))]
    namespace: Option<String>,
    /// All workloads of these kinds in the namespace
    #[arg(long)]
    all: bool,
    /// Seconds to wait for the result; 0 does not wait
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    wait: u64,
}

/// Writes the request, and prints the result for each workload.
pub(crate) async fn run(arguments: Rebalance) -> Result<()> {
    let hub = arguments.hub.hub().await?;
    let namespace = arguments.namespace.clone().unwrap_or(hub.namespace);
    let discovery = kinds_of_hub(&hub.client).await?;
    let mut workloads = Vec::new();
    for text in &arguments.workloads {
        workloads.extend(references(&hub.client, &discovery, &namespace, text, arguments.all).await?);
    }
    if workloads.is_empty() {
        bail!("there is no such workload in namespace {namespace}");
    }
    let mut request = WorkloadRebalancer::default();
    request.metadata.generate_name = "rebalance-".to_owned();
    request.spec.workloads = workloads;
    request.spec.ttl_seconds_after_finished = Some(TTL_SECS);
    let created = hub.client.kind::<WorkloadRebalancer>().create(&request).await;
    let name = created.context("cannot create a WorkloadRebalancer")?.metadata.name;
    anstream::println!("workloadrebalancer.apps.karmada.io/{name} created");
    if arguments.wait == 0 {
        return Ok(());
    }
    let deadline = Duration::from_secs(arguments.wait);
    match tokio::time::timeout(deadline, finished(&hub.client, &name)).await {
        Ok(request) => conclude(&request?),
        Err(_) => bail!(
            "no result within {} s: `kubectl get workloadrebalancer {name} -o yaml` shows it; do the controllers run?",
            arguments.wait
        ),
    }
}

/// The workloads that a word names.
async fn references(
    hub: &Client,
    discovery: &Discovery,
    namespace: &str,
    text: &str,
    is_all: bool,
) -> Result<Vec<WorkloadReference>> {
    let (kind, name) = match (text.split_once('/'), is_all) {
        (Some((kind, name)), false) => (kind, Some(name)),
        (None, true) => (text, None),
        (Some(_), true) => bail!("with --all, name a kind and not {text}"),
        (None, false) => bail!("{text:?} is not KIND/NAME; with --all, a kind stands for all its workloads"),
    };
    let Some(found) = named(discovery, kind) else {
        bail!("the control plane has no kind called {kind:?}: kubectl api-resources lists its kinds");
    };
    let resource = &found.resource;
    let namespace = if resource.namespaced { namespace } else { "" };
    let names = match name {
        Some(name) => {
            hub.resource::<Object>(resource).get(&ObjectKey::namespaced(namespace, name)).await?;
            vec![name.to_owned()]
        }
        None => {
            let list = hub.resource::<Object>(resource).list(&Selection::namespace(namespace)).await?;
            list.items.into_iter().map(|seen| seen.key.name).collect()
        }
    };
    let reference = |name| WorkloadReference {
        api_version: resource.gvk.api_version(),
        kind: resource.gvk.kind.clone(),
        namespace: namespace.to_owned(),
        name,
    };
    Ok(names.into_iter().map(reference).collect())
}

async fn finished(hub: &Client, name: &str) -> Result<WorkloadRebalancer> {
    loop {
        let request = hub.kind::<WorkloadRebalancer>().get(&ObjectKey::cluster(name)).await?;
        if request.status.finish_time.is_some() {
            return Ok(request);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn conclude(request: &WorkloadRebalancer) -> Result<()> {
    let mut failed = 0;
    for observed in &request.status.observed_workloads {
        let WorkloadReference { kind, namespace, name, .. } = &observed.workload;
        let place = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
        let text = match observed.result {
            Some(RebalanceResult::Successful) => "is scheduled again".to_owned(),
            _ => {
                failed += 1;
                format!(
                    "is not: {}; does a policy select it? `portolan why {kind}/{name}` tells",
                    observed.reason
                )
            }
        };
        anstream::println!("{kind} {place}{name} {text}");
    }
    match failed {
        0 => Ok(()),
        failed => {
            bail!("{failed} of {} workloads are not scheduled again", request.status.observed_workloads.len())
        }
    }
}
