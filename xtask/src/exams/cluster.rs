//! The API server that an exam examines.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Target, printed};
use crate::playground::{self, Playground};

/// Range of Services: Kubernetes' test/cmd asks for addresses in it.
const SERVICES: &str = "10.0.0.0/24";
/// Life of the administrator's token, in Go's form.
const TOKEN_LIFE: &str = "24h";

/// What an exam expects of the cluster.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs {
    /// The nodes of a member.
    pub(super) nodes: &'static [&'static str],
    /// Further flags of a control plane.
    pub(super) hub_flags: &'static [&'static str],
}

/// A running target; it ends with the value.
pub(super) struct Cluster {
    /// Kubeconfig of an administrator, with one context.
    pub(super) kubeconfig: PathBuf,
    /// Port on 127.0.0.1.
    pub(super) port: u16,
    _running: Playground,
}

impl Cluster {
    /// Starts the target in `directory`.
    pub(super) fn start(
        target: Target,
        needs: Needs,
        portolan: Option<&Path>,
        directory: &Path,
    ) -> Result<Self> {
        let binary = playground::binary(portolan)?;
        let running = match target {
            Target::Hub => {
                let listen = format!("127.0.0.1:{}", free_port()?);
                let arguments = ["--listen", &listen, "--service-cidr", SERVICES];
                Playground::start(&binary, "server", directory, &[&arguments[..], needs.hub_flags].concat())?
            }
            Target::Member => {
                let config = directory.with_extension("yaml");
                let nodes = needs.nodes.join(", ");
                let member = format!(
                    "clusters:\n- name: member\n  nodes: [{nodes}]\n  podCIDR: 10.10.0.0/16\n  serviceCIDR: {SERVICES}\n"
                );
                fs::write(&config, member).with_context(|| format!("cannot write {}", config.display()))?;
                let config = config.to_str().context("the target directory has no UTF-8 name")?;
                let network = if can_make_namespaces() { "namespaces" } else { "loopback" };
                Playground::start(
                    &binary,
                    "playground",
                    directory,
                    &["--config", config, "--network", network],
                )?
            }
        };
        let kubeconfig = match target {
            Target::Hub => running.hub_kubeconfig(),
            Target::Member => running.members_kubeconfig(),
        };
        let server = kubectl(
            &kubeconfig,
            &["config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"],
        )?;
        let port = server.trim().rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.with_context(|| format!("{server} has no port"))?;
        Ok(Self { kubeconfig, port, _running: running })
    }

    /// Deletes the StorageClass that a member of a playground has: the suite expects those that it creates only.
    pub(super) fn delete_storage_classes(&self) -> Result<()> {
        kubectl(&self.kubeconfig, &["delete", "storageclasses", "--all"]).map(drop)
    }

    /// A bearer token of an administrator, for a suite of which each user is one.
    pub(super) fn administrator_token(&self) -> Result<String> {
        const NAME: &str = "exam";
        let kubectl = |arguments: &[&str]| kubectl(&self.kubeconfig, arguments);
        kubectl(&["create", "serviceaccount", NAME, "-n", "kube-system"])?;
        let account = format!("--serviceaccount=kube-system:{NAME}");
        kubectl(&["create", "clusterrolebinding", NAME, "--clusterrole=cluster-admin", &account])?;
        // kube-apiserver of the suite has the authorizer `AlwaysAllow`: each authenticated user may do everything.
        let everyone = ["--clusterrole=cluster-admin", "--group=system:authenticated"];
        kubectl(&[&["create", "clusterrolebinding", "exam-everyone"][..], &everyone].concat())?;
        let token = kubectl(&["create", "token", NAME, "-n", "kube-system", "--duration", TOKEN_LIFE])?;
        Ok(token.trim().to_owned())
    }
}

/// Whether pods can be real processes: the member is then as real as it gets.
fn can_make_namespaces() -> bool {
    let status = Command::new("unshare").args(["--net", "--mount", "true"]).status();
    status.is_ok_and(|status| status.success())
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("there is no free port on 127.0.0.1")?;
    Ok(listener.local_addr().context("cannot read the address of a socket")?.port())
}

fn kubectl(kubeconfig: &Path, arguments: &[&str]) -> Result<String> {
    printed(Command::new("kubectl").arg("--kubeconfig").arg(kubeconfig).args(arguments))
}
