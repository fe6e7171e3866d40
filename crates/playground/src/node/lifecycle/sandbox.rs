//! Namespaces of a pod, created before its first container starts in namespaces mode.

use std::sync::Arc;
use std::time::Duration;

use portolan_object::Object;
use portolan_runtime::events::Severity;

use crate::node::binding::regarding;
use crate::node::lifecycle::Lifecycle;
use crate::node::lifecycle::running_pod::RunningPod;
use crate::node::pod_spec::PodSpec;
use crate::sandbox::{DnsPolicy, Identity, Sandbox};

/// Interval between attempts to create the namespaces.
const SANDBOX_RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// Limit of a Linux host name, and of a DNS label.
const MAX_HOSTNAME_CHARS: usize = 63;

impl Lifecycle {
    /// Creates the pod's namespaces unless they exist. Returns the time until the next attempt if that fails.
    pub(super) async fn ensure_sandbox(&self, pod: &Object, running: &RunningPod) -> Option<Duration> {
        let host = self.context.host.as_ref()?;
        let is_alive = running.pod.sandbox.lock().as_ref().is_some_and(|sandbox| sandbox.is_alive());
        if is_alive {
            return None;
        }
        let identity = identity(pod, &running.spec, self.context.dns);
        match Sandbox::start(host, &running.pod.network, &identity, pod.uid()).await {
            Ok(sandbox) => {
                *running.pod.sandbox.lock() = Some(Arc::new(sandbox));
                None
            }
            Err(error) => {
                let message = format!("Failed to create pod sandbox: {error}");
                self.events.record(regarding(pod), Severity::Warning, "FailedCreatePodSandBox", message);
                Some(SANDBOX_RETRY_INTERVAL)
            }
        }
    }
}

/// Host name and DNS configuration of the pod.
fn identity(pod: &Object, spec: &PodSpec, cluster_dns: Option<std::net::IpAddr>) -> Identity {
    let name = if spec.hostname.is_empty() { pod.name() } else { &spec.hostname };
    let shortened: String = name.chars().take(MAX_HOSTNAME_CHARS).collect();
    let policy = match spec.dns_policy.as_str() {
        "Default" => DnsPolicy::Node,
        "None" => DnsPolicy::Spec,
        // A pod on the host network uses the cluster's DNS only with `ClusterFirstWithHostNet`.
        "ClusterFirst" | "" if spec.host_network => DnsPolicy::Node,
        _ => DnsPolicy::Cluster,
    };
    let config = &spec.dns_config;
    Identity {
        hostname: shortened.trim_end_matches(['-', '.']).to_owned(),
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
