//! Giving a pod its namespaces before its first container starts, on a network that has them.

use std::sync::Arc;
use std::time::Duration;

use portolan_object::Object;
use portolan_runtime::events::Severity;

use crate::node::binding::regarding;
use crate::node::lifecycle::Lifecycle;
use crate::node::lifecycle::kept::Kept;
use crate::node::pod_spec::PodSpec;
use crate::sandbox::{DnsPolicy, Identity, Sandbox};

/// Namespaces that could not be made are tried again after this time.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// The most characters that a kernel takes for a host name and that a label of a DNS name has.
const LONGEST_HOSTNAME: usize = 63;

impl Lifecycle {
    /// Makes the pod's namespaces unless it has them; the time after which to try again when that fails.
    pub(super) async fn provide_sandbox(&self, pod: &Object, kept: &Kept) -> Option<Duration> {
        let host = self.around.host.as_ref()?;
        let is_there = kept.pod.sandbox.lock().as_ref().is_some_and(|sandbox| sandbox.is_alive());
        if is_there {
            return None;
        }
        let identity = identity(pod, &kept.spec, self.around.dns);
        match Sandbox::start(host, &kept.pod.network, &identity).await {
            Ok(sandbox) => {
                *kept.pod.sandbox.lock() = Some(Arc::new(sandbox));
                None
            }
            Err(error) => {
                let message = format!("Failed to create pod sandbox: {error}");
                self.events.record(regarding(pod), Severity::Warning, "FailedCreatePodSandBox", message);
                Some(TRY_AGAIN)
            }
        }
    }
}

/// What the pod's programs are told about themselves.
fn identity(pod: &Object, spec: &PodSpec, cluster_dns: Option<std::net::IpAddr>) -> Identity {
    let name = if spec.hostname.is_empty() { pod.name() } else { &spec.hostname };
    let cut: String = name.chars().take(LONGEST_HOSTNAME).collect();
    let policy = match spec.dns_policy.as_str() {
        "Default" => DnsPolicy::Node,
        "None" => DnsPolicy::Spec,
        // A pod on its node's network uses the cluster's names only when it says so.
        "ClusterFirst" | "" if spec.host_network => DnsPolicy::Node,
        _ => DnsPolicy::Cluster,
    };
    let config = &spec.dns_config;
    Identity {
        hostname: cut.trim_end_matches(['-', '.']).to_owned(),
        subdomain: spec.subdomain.clone(),
        namespace: pod.namespace().to_owned(),
        aliases: spec.host_aliases.iter().map(|a| (a.ip.clone(), a.hostnames.clone())).collect(),
        policy,
        cluster_dns,
        nameservers: config.nameservers.clone(),
        searches: config.searches.clone(),
        options: config.options.iter().map(|o| (o.name.clone(), o.value.clone())).collect(),
    }
}
