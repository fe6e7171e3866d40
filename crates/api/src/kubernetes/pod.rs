//! `v1` Pod.

use serde::Deserialize;

use super::{Condition, View};
use crate::resources::{self, StaticResource};

/// A Pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pod<'a> {
    /// Desired state.
    #[serde(borrow)]
    pub spec: PodSpec<'a>,
    /// State.
    pub status: PodStatus<'a>,
}

/// `spec` of a Pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec<'a> {
    /// Node that runs the pod; empty until it is scheduled.
    pub node_name: &'a str,
    /// Host name.
    pub hostname: &'a str,
    /// Domain of the host name: the name of a headless Service.
    pub subdomain: &'a str,
    /// Containers.
    #[serde(borrow)]
    pub containers: Vec<Container<'a>>,
}

/// One container of a Pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container<'a> {
    /// Name.
    pub name: &'a str,
    /// Named ports.
    #[serde(borrow)]
    pub ports: Vec<ContainerPort<'a>>,
}

/// One port of a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerPort<'a> {
    /// Name.
    pub name: &'a str,
    /// Port number.
    pub container_port: i64,
    /// `TCP` if absent.
    pub protocol: Option<&'a str>,
}

/// `status` of a Pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus<'a> {
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    pub phase: &'a str,
    /// Conditions.
    #[serde(borrow)]
    pub conditions: Vec<Condition<'a>>,
    /// Primary address.
    #[serde(rename = "podIP")]
    pub pod_ip: &'a str,
    /// All addresses, one per family.
    #[serde(rename = "podIPs")]
    pub pod_ips: Vec<PodIp<'a>>,
}

/// One entry of `status.containerStatuses`, read apart from the other fields with `read_value`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus<'a> {
    /// Name.
    pub name: &'a str,
    /// Whether it is ready for requests.
    pub ready: bool,
    /// Present state.
    #[serde(borrow)]
    pub state: ContainerState<'a>,
}

/// Present state of a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ContainerState<'a> {
    /// Set while it does not run yet.
    #[serde(borrow)]
    pub waiting: Option<Waiting<'a>>,
}

/// Why a container does not run yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Waiting<'a> {
    /// Reason, such as `ImagePullBackOff`.
    pub reason: &'a str,
    /// Message for people.
    pub message: &'a str,
}

/// One address of a Pod.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodIp<'a> {
    /// IP address.
    pub ip: &'a str,
}

impl<'a> View<'a> for Pod<'a> {
    const RESOURCE: StaticResource = resources::POD;
}

impl PodStatus<'_> {
    /// Whether all containers have ended for good.
    pub fn is_finished(&self) -> bool {
        matches!(self.phase, "Succeeded" | "Failed")
    }

    /// Whether the pod is ready for requests.
    pub fn is_ready(&self) -> bool {
        self.conditions.iter().any(|condition| condition.kind == "Ready" && condition.is_true())
    }
}
