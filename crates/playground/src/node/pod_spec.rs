//! The fields of a pod that nodes read.

use std::collections::BTreeMap;

use portolan_api::kubernetes::View;
use portolan_api::meta::Toleration;
use portolan_api::resources::{self, StaticResource};
use portolan_object::Object;
use serde::Deserialize;

/// `PodSpec`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PodSpec {
    pub(crate) node_name: String,
    pub(crate) node_selector: BTreeMap<String, String>,
    pub(crate) affinity: Affinity,
    pub(crate) tolerations: Vec<Toleration>,
    pub(crate) host_network: bool,
    pub(crate) hostname: String,
    pub(crate) subdomain: String,
    pub(crate) host_aliases: Vec<HostAlias>,
    pub(crate) dns_policy: String,
    pub(crate) dns_config: DnsConfig,
    pub(crate) service_account_name: String,
    pub(crate) enable_service_links: Option<bool>,
    pub(crate) restart_policy: RestartPolicy,
    pub(crate) readiness_gates: Vec<ReadinessGate>,
    pub(crate) init_containers: Vec<ContainerSpec>,
    pub(crate) containers: Vec<ContainerSpec>,
    pub(crate) volumes: Vec<VolumeSpec>,
}

mod volume;

pub(crate) use volume::{
    ConfigMapVolume, DownwardVolume, KeyToPath, ProjectedSource, SecretVolume, TokenSource, VolumeMount,
    VolumeSpec,
};

/// Names for `/etc/hosts`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct HostAlias {
    pub(crate) ip: String,
    pub(crate) hostnames: Vec<String>,
}

/// Configuration for `/etc/resolv.conf`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct DnsConfig {
    pub(crate) nameservers: Vec<String>,
    pub(crate) searches: Vec<String>,
    pub(crate) options: Vec<DnsOption>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct DnsOption {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// `restartPolicy`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum RestartPolicy {
    #[default]
    Always,
    OnFailure,
    Never,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Affinity {
    pub(crate) node_affinity: NodeAffinity,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct NodeAffinity {
    pub(crate) required_during_scheduling_ignored_during_execution: Option<NodeSelector>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct NodeSelector {
    pub(crate) node_selector_terms: Vec<NodeSelectorTerm>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct NodeSelectorTerm {
    pub(crate) match_expressions: Vec<NodeRequirement>,
    pub(crate) match_fields: Vec<NodeRequirement>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct NodeRequirement {
    pub(crate) key: String,
    pub(crate) operator: String,
    pub(crate) values: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ReadinessGate {
    pub(crate) condition_type: String,
}

/// `Container`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ContainerSpec {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) command: Vec<String>,
    pub(crate) args: Vec<String>,
    pub(crate) working_dir: String,
    pub(crate) env: Vec<EnvVar>,
    pub(crate) env_from: Vec<EnvFrom>,
    pub(crate) ports: Vec<ContainerPort>,
    pub(crate) volume_mounts: Vec<VolumeMount>,
    pub(crate) stdin: bool,
    pub(crate) stdin_once: bool,
    pub(crate) tty: bool,
    pub(crate) readiness_probe: Option<Probe>,
    pub(crate) liveness_probe: Option<Probe>,
    pub(crate) startup_probe: Option<Probe>,
    /// Only of init containers: `Always` makes it a sidecar.
    pub(crate) restart_policy: Option<RestartPolicy>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ContainerPort {
    pub(crate) name: String,
    pub(crate) container_port: u16,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct EnvVar {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) value_from: Option<EnvSource>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct EnvSource {
    pub(crate) field_ref: Option<FieldRef>,
    pub(crate) config_map_key_ref: Option<KeyRef>,
    pub(crate) secret_key_ref: Option<KeyRef>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct FieldRef {
    pub(crate) field_path: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct KeyRef {
    pub(crate) name: String,
    pub(crate) key: String,
    pub(crate) optional: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct EnvFrom {
    pub(crate) prefix: String,
    pub(crate) config_map_ref: Option<NameRef>,
    pub(crate) secret_ref: Option<NameRef>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct NameRef {
    pub(crate) name: String,
    pub(crate) optional: bool,
}

/// `Probe`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Probe {
    pub(crate) http_get: Option<HttpGet>,
    pub(crate) tcp_socket: Option<TcpSocket>,
    pub(crate) exec: Option<ExecAction>,
    pub(crate) initial_delay_seconds: u32,
    pub(crate) period_seconds: u32,
    pub(crate) timeout_seconds: u32,
    pub(crate) success_threshold: u32,
    pub(crate) failure_threshold: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct HttpGet {
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) port: Port,
    pub(crate) scheme: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct TcpSocket {
    pub(crate) host: String,
    pub(crate) port: Port,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ExecAction {
    pub(crate) command: Vec<String>,
}

/// A port by number, or by the name that the container gives it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Port {
    Number(u16),
    Name(String),
}

impl Default for Port {
    fn default() -> Self {
        Self::Number(0)
    }
}

impl PodSpec {
    /// Reads the spec of a pod.
    pub(crate) fn of(pod: &Object) -> Result<Self, serde_json::Error> {
        pod.at(&["spec"]).map_or_else(|| Ok(Self::default()), Self::deserialize)
    }

    /// All containers, init containers first.
    pub(crate) fn all_containers(&self) -> impl Iterator<Item = &ContainerSpec> {
        self.init_containers.iter().chain(&self.containers)
    }
}

impl ContainerSpec {
    /// Whether this is an init container that keeps running beside the other containers.
    pub(crate) fn is_sidecar(&self) -> bool {
        self.restart_policy == Some(RestartPolicy::Always)
    }

    /// The number of a port, by number or name.
    pub(crate) fn port(&self, port: &Port) -> Option<u16> {
        match port {
            Port::Number(number) => Some(*number),
            Port::Name(name) => match name.parse() {
                Ok(number) => Some(number),
                Err(_) => self.ports.iter().find(|p| p.name == *name).map(|p| p.container_port),
            },
        }
    }
}

/// The fields by which controllers select a pod, read without copies.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PodSummary<'a> {
    #[serde(borrow)]
    pub(crate) spec: PodSummarySpec<'a>,
    pub(crate) status: PodSummaryStatus<'a>,
}

/// `spec` of a [`PodSummary`].
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PodSummarySpec<'a> {
    pub(crate) node_name: &'a str,
    pub(crate) scheduler_name: &'a str,
    pub(crate) scheduling_gates: Vec<SchedulingGate<'a>>,
}

/// `spec.schedulingGates` of a Pod.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct SchedulingGate<'a> {
    pub(crate) name: &'a str,
}

/// `status` of a [`PodSummary`].
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PodSummaryStatus<'a> {
    pub(crate) phase: &'a str,
    #[serde(rename = "podIP")]
    pub(crate) pod_ip: &'a str,
}

impl<'a> View<'a> for PodSummary<'a> {
    const RESOURCE: StaticResource = resources::POD;
}

impl PodSummary<'_> {
    /// Whether the phase is final.
    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.status.phase, "Succeeded" | "Failed")
    }
}

/// The node of a pod; empty when it is not bound, or cannot be read.
pub(crate) fn node_of(pod: &Object) -> &str {
    PodSummary::read(pod).map_or("", |summary| summary.spec.node_name)
}

/// Whether the phase of a pod is final.
pub(crate) fn is_finished(pod: &Object) -> bool {
    PodSummary::read(pod).is_ok_and(|summary| summary.is_finished())
}
