//! The flags by which a command finds the control plane.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use portolan_api::Kind;
use portolan_api::cluster::Cluster;
use portolan_runtime::Client;
use portolan_runtime::client::{Discovery, KubeconfigContext, KubeconfigFiles};

use crate::completion::candidates::contexts;

/// Access to the control plane.
#[derive(Debug, Clone, Args)]
pub(crate) struct HubAccess {
    /// Kubeconfig of the control plane [default: the files of $KUBECONFIG, or ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: the current context]
    #[arg(long, value_name = "NAME", alias = "karmada-context", add = ArgValueCompleter::new(contexts))]
    pub(crate) context: Option<String>,
    /// User to impersonate for the requests
    #[arg(long = "as", value_name = "USER")]
    pub(crate) impersonated_user: Option<String>,
    /// Group to impersonate for the requests; may be repeated
    #[arg(long = "as-group", value_name = "GROUP", requires = "impersonated_user")]
    pub(crate) impersonated_groups: Vec<String>,
}

/// The control plane that a command uses.
#[derive(Debug, Clone)]
pub(crate) struct Hub {
    pub(crate) client: Client,
    /// Name of its cluster in the kubeconfig, for the column CLUSTER.
    pub(crate) name: String,
    /// Namespace of the context.
    pub(crate) namespace: String,
}

impl Hub {
    /// The namespace that a command names, or that of the context.
    pub(crate) fn namespace_or<'a>(&'a self, named: Option<&'a str>) -> &'a str {
        named.unwrap_or(&self.namespace)
    }
}

impl HubAccess {
    /// Reads the kubeconfig by kubectl's rules. Nothing is sent yet.
    pub(crate) async fn hub(&self) -> Result<Hub> {
        let files = KubeconfigFiles::find(self.kubeconfig.as_deref());
        let unusable = "cannot use the control plane's kubeconfig";
        let context = KubeconfigContext::load(&files, self.context.as_deref()).await.context(unusable)?;
        let context = context.impersonating(self.impersonated_user.as_deref(), &self.impersonated_groups);
        let client = context.client().context(unusable)?;
        let (name, namespace) = (context.cluster_name().to_owned(), context.namespace().to_owned());
        Ok(Hub { client, name, namespace })
    }
}

/// Reads what the control plane serves.
///
/// # Errors
/// If it cannot be read, or the server is not a control plane: then nothing that a command says about the federation would be
/// true.
pub(crate) async fn kinds_of_hub(hub: &Client) -> Result<Discovery> {
    let discovery = hub.discover().await.context("cannot read the kinds of the control plane")?;
    if discovery.find(Cluster::GROUP, Cluster::KIND).is_none() {
        bail!("{} is not a control plane: {NO_CLUSTERS}", hub.server());
    }
    Ok(discovery)
}

/// What a server without clusters lacks.
pub(crate) const NO_CLUSTERS: &str =
    "it has no clusters resource; is this the kubeconfig, and the context, of a Portolan control plane?";
