//! What a playground consists of: which clusters, where, with which networks.
//!
//! Read from a file by the binary, or the default of two members. Everything is checked before anything starts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use ipnet::Ipv4Net;
use portolan_api::cluster::{MAX_NAME_LENGTH, is_name};
use portolan_api::meta::Taint;
use serde::Deserialize;

use crate::network::Ranges;

/// Larger files are not configurations.
const MAX_BYTES: u64 = 1 << 20;

/// A playground.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// The API server that holds the federation; embedded when absent.
    #[serde(default)]
    pub control_plane: Option<Existing>,
    /// What carries the traffic between pods.
    #[serde(default)]
    pub network: NetworkMode,
    /// A cluster set that all members are in; none when absent.
    #[serde(default)]
    pub cluster_set: Option<String>,
    /// The member clusters.
    #[serde(default = "default_clusters")]
    pub clusters: Vec<Cluster>,
}

/// What carries the traffic between pods.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NetworkMode {
    /// Loopback sockets of this process; pods are played by built-in programs. Needs no rights.
    #[default]
    Loopback,
    /// Namespaces of the kernel; pods are real processes with addresses of their own. Needs `ip`, `nft`, and root or user
    /// namespaces.
    Namespaces,
}

/// An API server that runs already.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Existing {
    /// How it is reached, with the rights of an administrator.
    pub kubeconfig: PathBuf,
    /// Which context; the current one when absent.
    #[serde(default)]
    pub context: Option<String>,
}

/// A member cluster.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cluster {
    /// Its name in the federation.
    pub name: String,
    /// Cloud provider, as the Cluster object says it.
    #[serde(default)]
    pub provider: String,
    /// Region, on the Cluster object and the nodes.
    #[serde(default)]
    pub region: String,
    /// Zone, on the Cluster object and the nodes.
    #[serde(default)]
    pub zone: String,
    /// Labels of the Cluster object.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Taints of the Cluster object.
    #[serde(default)]
    pub taints: Vec<Taint>,
    /// Names of its nodes; one called `<name>-control-plane` when empty.
    #[serde(default)]
    pub nodes: Vec<String>,
    /// Where pods get their addresses; a free network of IPv4 when absent. With a second one, of IPv6, the cluster is
    /// dual-stack.
    #[serde(default, rename = "podCIDR")]
    pub pod_cidr: Option<Ranges>,
    /// Where Services get their addresses, likewise.
    #[serde(default, rename = "serviceCIDR")]
    pub service_cidr: Option<Ranges>,
    /// An API server that runs already, for which only the nodes are played. Embedded when absent.
    #[serde(default)]
    pub kubeconfig: Option<PathBuf>,
    /// Context of that file.
    #[serde(default)]
    pub context: Option<String>,
    /// PEM file with the CA of the certificate by which that API server calls nodes.
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
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not a configuration.
    #[error("{path} is not a playground configuration: {reason}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the reader found, with its place.
        reason: String,
    },
    /// A value does not work; all faults at once.
    #[error("{origin} cannot work:\n  {}", faults.join("\n  "))]
    Faults {
        /// The file, or what else describes the playground.
        origin: String,
        /// Each names the cluster, the cause and what to change.
        faults: Vec<String>,
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
    /// Whether its pods and Services have addresses of both families.
    pub fn is_dual(&self) -> bool {
        self.pod_cidr.is_some_and(|ranges| ranges.v6.is_some())
    }

    /// A cluster with nothing but its name; networks and nodes are chosen by [`Config::complete`].
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            provider: String::new(),
            region: String::new(),
            zone: String::new(),
            labels: BTreeMap::new(),
            taints: Vec::new(),
            nodes: Vec::new(),
            pod_cidr: None,
            service_cidr: None,
            kubeconfig: None,
            context: None,
            kubelet_client_ca: None,
        }
    }
}

impl Config {
    /// Reads a file; relative paths in it are relative to its folder.
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

    fn resolve_paths(&mut self, folder: &Path) {
        let existing = self.control_plane.iter_mut().map(|existing| &mut existing.kubeconfig);
        let clusters = self.clusters.iter_mut();
        let members =
            clusters.flat_map(|cluster| cluster.kubeconfig.iter_mut().chain(&mut cluster.kubelet_client_ca));
        for path in existing.chain(members) {
            *path = folder.join(&*path);
        }
    }

    /// Chooses what was left open, and checks the whole.
    ///
    /// # Errors
    /// [`ConfigError::Faults`] with everything that does not work.
    pub fn complete(self) -> Result<Self, ConfigError> {
        self.completed("the playground configuration")
    }

    fn completed(mut self, origin: &str) -> Result<Self, ConfigError> {
        let mut faults = Vec::new();
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
            if cluster.nodes.is_empty() {
                cluster.nodes = vec![format!("{}-control-plane", cluster.name)];
            }
            for cidr in [&mut cluster.pod_cidr, &mut cluster.service_cidr] {
                if cidr.is_none() {
                    *cidr = next();
                }
            }
        }
        self.check_names(&mut faults);
        self.check_networks(&mut faults);
        if faults.is_empty() {
            Ok(self)
        } else {
            Err(ConfigError::Faults { origin: origin.to_owned(), faults })
        }
    }

    fn check_names(&self, faults: &mut Vec<String>) {
        if self.clusters.is_empty() {
            faults.push("clusters: at least one is needed".to_owned());
        }
        let mut seen = BTreeSet::new();
        for cluster in &self.clusters {
            let name = &cluster.name;
            if !is_name(name) {
                faults.push(format!("cluster {name:?}: names have 1 to {MAX_NAME_LENGTH} characters a-z, 0-9 and -, and start and end with a letter or digit"));
            }
            if !seen.insert(name) {
                faults.push(format!("cluster {name:?}: the name is there twice"));
            }
        }
        let nodes: Vec<&String> = self.clusters.iter().flat_map(|cluster| &cluster.nodes).collect();
        let distinct: BTreeSet<&&String> = nodes.iter().collect();
        if distinct.len() < nodes.len() {
            faults.push(
                "nodes: a name is there twice; node names must differ between clusters to tell answers apart"
                    .to_owned(),
            );
        }
    }

    fn check_networks(&self, faults: &mut Vec<String>) {
        let mut seen: Vec<(String, Ranges)> = Vec::new();
        for cluster in &self.clusters {
            let networks = [("podCIDR", cluster.pod_cidr), ("serviceCIDR", cluster.service_cidr)];
            if let [(_, Some(pods)), (_, Some(services))] = networks
                && pods.v6.is_some() != services.v6.is_some()
            {
                let name = &cluster.name;
                faults.push(format!("cluster {name}: podCIDR {pods} and serviceCIDR {services} must both have a second range, of IPv6, or neither"));
            }
            for (field, network) in networks {
                // A cluster that runs already has its own service network, which is not ours to know.
                let Some(network) = network.filter(|_| field == "podCIDR" || cluster.kubeconfig.is_none())
                else {
                    continue;
                };
                let place = format!("{field} {network} of cluster {}", cluster.name);
                faults.extend(range_faults(&network).map(|fault| format!("{place}: {fault}")));
                if let Some((other, _)) = seen.iter().find(|(_, other)| network.overlap(other).is_some()) {
                    faults.push(format!("{place} overlaps with {other}: networks of clusters that reach each other must differ"));
                }
                seen.push((place, network));
            }
        }
    }
}

/// What is wrong with ranges by themselves.
fn range_faults(ranges: &Ranges) -> impl Iterator<Item = &'static str> + use<> {
    let is_loopback = ranges.iter().any(|range| range.addr().is_loopback());
    let is_small = ranges.v4.prefix_len() > 24;
    let is_unfit = ranges.v6.is_some_and(|v6| v6.addr().is_multicast() || v6.addr().is_unicast_link_local());
    let faults = [
        (is_loopback, "Kubernetes refuses loopback addresses in EndpointSlices; use a private network"),
        (is_small, "too small; use /24 or larger"),
        (
            !ranges.are_matched(),
            "the IPv6 range has no address for each of the IPv4 range; use /112 or larger",
        ),
        (
            is_unfit,
            "addresses of links and groups are not for pods and Services; use a private network like fd00:10::/64",
        ),
    ];
    faults.into_iter().filter(|(is_wrong, _)| *is_wrong).map(|(_, fault)| fault)
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
                    cluster.nodes[0],
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
    fn faults_are_named_all_at_once() {
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
                "addresses of links and groups",
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
