//! Configuration of a playground: clusters, networks, existing API servers.
//!
//! Read from a file, or the default of two members. Everything is validated before anything starts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use ipnet::Ipv4Net;
use portolan_api::cluster::{MAX_NAME_LENGTH, SyncMode, is_name};
use portolan_api::meta::Taint;
use serde::Deserialize;

use crate::network::Ranges;

/// Size limit of a configuration file.
const MAX_BYTES: u64 = 1 << 20;

/// Configuration of a playground.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// Existing API server of the control plane. [default: embedded]
    #[serde(default)]
    pub control_plane: Option<Existing>,
    /// Network of the pods.
    #[serde(default)]
    pub network: NetworkMode,
    /// Name of a cluster set of all members. [default: none]
    #[serde(default)]
    pub cluster_set: Option<String>,
    /// The member clusters.
    #[serde(default = "default_clusters")]
    pub clusters: Vec<Cluster>,
}

/// Network of the pods.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NetworkMode {
    /// Loopback sockets of this process; containers run built-in programs. Needs no privileges.
    #[default]
    Loopback,
    /// Kernel namespaces; containers are processes with the address of their pod. Needs `ip`, `nft`, and root or user
    /// namespaces.
    Namespaces,
}

/// An existing API server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Existing {
    /// Kubeconfig with administrator rights.
    pub kubeconfig: PathBuf,
    /// Context in that file. [default: current context]
    #[serde(default)]
    pub context: Option<String>,
}

/// A member cluster.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cluster {
    /// Name of its Cluster object.
    pub name: String,
    /// `spec.syncMode` of the Cluster object: `Push`, or `Pull` for a cluster that registers itself and has an agent.
    #[serde(default)]
    pub sync_mode: SyncMode,
    /// `spec.provider` of the Cluster object.
    #[serde(default)]
    pub provider: String,
    /// Region of the Cluster object and the nodes.
    #[serde(default)]
    pub region: String,
    /// Zone of the Cluster object and the nodes.
    #[serde(default)]
    pub zone: String,
    /// Labels of the Cluster object.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Taints of the Cluster object.
    #[serde(default)]
    pub taints: Vec<Taint>,
    /// Names of its nodes. With an empty list the cluster has none, and its pods stay pending. [default:
    /// `<name>-control-plane`]
    #[serde(default)]
    pub nodes: Option<Vec<String>>,
    /// Range of pod addresses; with a second, IPv6 range the cluster is dual-stack. [default: a free IPv4 range]
    #[serde(default, rename = "podCIDR")]
    pub pod_cidr: Option<Ranges>,
    /// Range of Service addresses, likewise.
    #[serde(default, rename = "serviceCIDR")]
    pub service_cidr: Option<Ranges>,
    /// Kubeconfig of an existing API server, for which only nodes are started. [default: embedded]
    #[serde(default)]
    pub kubeconfig: Option<PathBuf>,
    /// Context in that file. [default: current context]
    #[serde(default)]
    pub context: Option<String>,
    /// PEM file with the CA of the client certificate with which that API server calls kubelets.
    #[serde(default, rename = "kubeletClientCA")]
    pub kubelet_client_ca: Option<PathBuf>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(
        "cannot read {path}: {source}; --config takes a file that describes the clusters, and may be left out for two"
    )]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The file is not a configuration.
    #[error("{path} is not a playground configuration: {reason}")]
    Parse {
        /// Path of the file.
        path: PathBuf,
        /// Error of the parser, with its position.
        reason: String,
    },
    /// Invalid values, all of them.
    #[error("{origin} is invalid:\n  {}", errors.join("\n  "))]
    Invalid {
        /// Path of the file, or a description of the configuration.
        origin: String,
        /// Each names the cluster, the cause and what to change.
        errors: Vec<String>,
    },
}

impl Default for Config {
    fn default() -> Self {
        Self {
            control_plane: None,
            network: NetworkMode::default(),
            cluster_set: None,
            clusters: default_clusters(),
        }
    }
}

fn default_clusters() -> Vec<Cluster> {
    ["member1", "member2"].map(Cluster::named).into()
}

impl Cluster {
    /// Whether the cluster is dual-stack.
    pub fn is_dual(&self) -> bool {
        self.pod_cidr.is_some_and(|ranges| ranges.v6.is_some())
    }

    /// Names of its nodes, which [`Config::complete`] has chosen.
    pub fn node_names(&self) -> &[String] {
        self.nodes.as_deref().unwrap_or_default()
    }

    /// A cluster with default values; [`Config::complete`] chooses networks and nodes.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            sync_mode: SyncMode::Push,
            provider: String::new(),
            region: String::new(),
            zone: String::new(),
            labels: BTreeMap::new(),
            taints: Vec::new(),
            nodes: None,
            pod_cidr: None,
            service_cidr: None,
            kubeconfig: None,
            context: None,
            kubelet_client_ca: None,
        }
    }
}

impl Config {
    /// Reads a file; relative paths in it are relative to its directory.
    ///
    /// # Errors
    /// [`ConfigError`] naming the file and what to change.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let failed = |source| ConfigError::Read { path: path.to_owned(), source };
        let size = fs::metadata(path).map_err(failed)?.len();
        let parse = |reason: String| ConfigError::Parse { path: path.to_owned(), reason };
        if size > MAX_BYTES {
            return Err(parse(format!("it has {size} bytes, more than {MAX_BYTES}")));
        }
        let text = fs::read_to_string(path).map_err(failed)?;
        let mut config: Self =
            serde_saphyr::from_str(&text).map_err(|error| parse(error.without_snippet().to_string()))?;
        config.resolve_paths(path.parent().unwrap_or(Path::new(".")));
        config.completed(&path.display().to_string())
    }

    fn resolve_paths(&mut self, directory: &Path) {
        let existing = self.control_plane.iter_mut().map(|existing| &mut existing.kubeconfig);
        let clusters = self.clusters.iter_mut();
        let members =
            clusters.flat_map(|cluster| cluster.kubeconfig.iter_mut().chain(&mut cluster.kubelet_client_ca));
        for path in existing.chain(members) {
            *path = directory.join(&*path);
        }
    }

    /// Chooses missing values and validates the configuration.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with all errors.
    pub fn complete(self) -> Result<Self, ConfigError> {
        self.completed("the playground configuration")
    }

    fn completed(mut self, origin: &str) -> Result<Self, ConfigError> {
        let mut errors = Vec::new();
        let taken: Vec<Ranges> = self
            .clusters
            .iter()
            .flat_map(|cluster| cluster.pod_cidr.into_iter().chain(cluster.service_cidr))
            .collect();
        let mut free = (10..=250)
            .filter_map(|second| Ipv4Net::new([10, second, 0, 0].into(), 16).ok())
            .map(Ranges::from);
        let mut next = || free.find(|net| taken.iter().all(|other| net.overlap(other).is_none()));
        for cluster in &mut self.clusters {
            let name = &cluster.name;
            cluster.nodes.get_or_insert_with(|| vec![format!("{name}-control-plane")]);
            for cidr in [&mut cluster.pod_cidr, &mut cluster.service_cidr] {
                if cidr.is_none() {
                    *cidr = next();
                }
            }
        }
        self.check_names(&mut errors);
        self.check_networks(&mut errors);
        if errors.is_empty() {
            Ok(self)
        } else {
            Err(ConfigError::Invalid { origin: origin.to_owned(), errors })
        }
    }

    fn check_names(&self, errors: &mut Vec<String>) {
        if self.clusters.is_empty() {
            errors.push("clusters: at least one is needed".to_owned());
        }
        let mut seen = BTreeSet::new();
        for cluster in &self.clusters {
            let name = &cluster.name;
            if !is_name(name) {
                errors.push(format!("cluster {name:?}: names have 1 to {MAX_NAME_LENGTH} characters a-z, 0-9 and -, and start and end with a letter or digit"));
            }
            if !seen.insert(name) {
                errors.push(format!("cluster {name:?}: the name is there twice"));
            }
        }
        let nodes: Vec<&String> = self.clusters.iter().flat_map(Cluster::node_names).collect();
        let distinct: BTreeSet<&&String> = nodes.iter().collect();
        if distinct.len() < nodes.len() {
            errors.push(
                "nodes: a name is there twice; node names must differ between clusters to tell answers apart"
                    .to_owned(),
            );
        }
    }

    fn check_networks(&self, errors: &mut Vec<String>) {
        let mut seen: Vec<(String, Ranges)> = Vec::new();
        for cluster in &self.clusters {
            let networks = [("podCIDR", cluster.pod_cidr), ("serviceCIDR", cluster.service_cidr)];
            if let [(_, Some(pods)), (_, Some(services))] = networks
                && pods.v6.is_some() != services.v6.is_some()
            {
                let name = &cluster.name;
                errors.push(format!("cluster {name}: podCIDR {pods} and serviceCIDR {services} must both have a second range, of IPv6, or neither"));
            }
            for (field, network) in networks {
                // The Service range of an existing cluster is not known here.
                let Some(network) = network.filter(|_| field == "podCIDR" || cluster.kubeconfig.is_none())
                else {
                    continue;
                };
                let place = format!("{field} {network} of cluster {}", cluster.name);
                errors.extend(range_errors(&network).map(|error| format!("{place}: {error}")));
                if let Some((other, _)) = seen.iter().find(|(_, other)| network.overlap(other).is_some()) {
                    errors.push(format!("{place} overlaps with {other}: networks of clusters that reach each other must differ"));
                }
                seen.push((place, network));
            }
        }
    }
}

/// Errors of the ranges of one cluster.
fn range_errors(ranges: &Ranges) -> impl Iterator<Item = &'static str> + use<> {
    let is_loopback = ranges.iter().any(|range| range.addr().is_loopback());
    let is_small = ranges.v4.prefix_len() > 24;
    let is_unfit = ranges.v6.is_some_and(|v6| v6.addr().is_multicast() || v6.addr().is_unicast_link_local());
    let errors = [
        (is_loopback, "Kubernetes refuses loopback addresses in EndpointSlices; use a private network"),
        (is_small, "too small; use /24 or larger"),
        (
            !ranges.ipv6_covers_ipv4(),
            "the IPv6 range has no address for each of the IPv4 range; use /112 or larger",
        ),
        (
            is_unfit,
            "link-local and multicast addresses are not allowed; use a private network like fd00:10::/64",
        ),
    ];
    errors.into_iter().filter(|(is_wrong, _)| *is_wrong).map(|(_, error)| error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(yaml: &str) -> Result<Config, String> {
        let config: Config = serde_saphyr::from_str(yaml).map_err(|error| error.to_string())?;
        config.complete().map_err(|error| error.to_string())
    }

    #[test]
    fn the_default_is_two_members_with_networks_of_their_own() {
        let config = Config::default().complete().unwrap();
        let text: Vec<String> = config
            .clusters
            .iter()
            .map(|cluster| {
                format!(
                    "{} {} {}",
                    cluster.node_names()[0],
                    cluster.pod_cidr.unwrap(),
                    cluster.service_cidr.unwrap()
                )
            })
            .collect();
        assert_eq!(
            text,
            [
                "member1-control-plane 10.10.0.0/16 10.11.0.0/16",
                "member2-control-plane 10.12.0.0/16 10.13.0.0/16"
            ]
        );
    }

    #[test]
    fn a_cluster_can_have_no_nodes() {
        let config = parse("clusters:\n- name: a\n  nodes: []\n- name: b\n").unwrap();
        let names: Vec<&[String]> = config.clusters.iter().map(Cluster::node_names).collect();
        assert_eq!(names, [&[][..], &["b-control-plane".to_owned()]]);
    }

    #[test]
    fn open_networks_avoid_given_ones() {
        let config =
            parse("clusters:\n- name: a\n  podCIDR: 10.10.0.0/16\n- name: b\n  serviceCIDR: 10.11.0.0/16\n")
                .unwrap();
        let all: BTreeSet<String> = config
            .clusters
            .iter()
            .flat_map(|cluster| [cluster.pod_cidr.unwrap(), cluster.service_cidr.unwrap()])
            .map(|ranges| ranges.to_string())
            .collect();
        assert_eq!(all.len(), 4);
    }

    #[test]
    fn all_errors_are_reported() {
        let cases = [
            ("a typo", "cluster: []\n", "unknown field"),
            ("nothing", "clusters: []\n", "at least one"),
            ("a bad name", "clusters:\n- name: Nope\n", "cluster \"Nope\""),
            ("a name twice", "clusters:\n- name: a\n  nodes: [x]\n- name: a\n  nodes: [y]\n", "twice"),
            ("a node twice", "clusters:\n- name: a\n  nodes: [x]\n- name: b\n  nodes: [x]\n", "nodes"),
            (
                "overlap",
                "clusters:\n- name: a\n  podCIDR: 10.0.0.0/8\n- name: b\n  podCIDR: 10.1.0.0/16\n",
                "overlaps",
            ),
            ("loopback", "clusters:\n- name: a\n  podCIDR: 127.0.0.0/8\n", "loopback"),
            ("too small", "clusters:\n- name: a\n  podCIDR: 10.1.1.0/28\n", "too small"),
            ("no range", "clusters:\n- name: a\n  podCIDR: everywhere\n", "not a range like 10.10.0.0/16"),
            ("half of two", "clusters:\n- name: a\n  podCIDR: '10.1.0.0/16,fd00:1::/64'\n", "or neither"),
            (
                "a narrow second",
                "clusters:\n- name: a\n  podCIDR: '10.1.0.0/16,fd00:1::/120'\n  serviceCIDR: '10.2.0.0/16,fd00:2::/112'\n",
                "use /112 or larger",
            ),
            (
                "groups",
                "clusters:\n- name: a\n  podCIDR: '10.1.0.0/16,ff02::/64'\n  serviceCIDR: '10.2.0.0/16,fd00:2::/112'\n",
                "link-local and multicast",
            ),
            (
                "overlap of the second",
                "clusters:\n- name: a\n  podCIDR: '10.1.0.0/16,fd00:1::/64'\n  serviceCIDR: '10.2.0.0/16,fd00:1::/112'\n",
                "overlaps",
            ),
        ];
        for (name, yaml, want) in cases {
            let error = parse(yaml).expect_err(name);
            assert!(error.contains(want), "{name}: {error}");
        }
    }
}
