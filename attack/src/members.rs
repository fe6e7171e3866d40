//! Clusters that join a hub, by the command that users have.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http::Method;
use serde_json::Value;

use crate::client::Client;
use crate::server::Server;

/// Joins the cluster of a kubeconfig, and waits until it is ready.
pub(crate) async fn join(portolan: &Path, hub: &Server, name: &str, kubeconfig: &Path) -> Result<()> {
    let mut command = Command::new(portolan);
    command.args(["join", name, "--kubeconfig"]).arg(hub.kubeconfig());
    command.arg("--cluster-kubeconfig").arg(kubeconfig);
    let output = tokio::task::spawn_blocking(move || command.output()).await?.context("cannot run join")?;
    if !output.status.success() {
        bail!("join {name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    wait_until_ready(&hub.client()?, name).await
}

/// Waits until a cluster of the hub is ready.
pub(crate) async fn wait_until_ready(hub: &Client, name: &str) -> Result<()> {
    let path = format!("/apis/cluster.karmada.io/v1alpha1/clusters/{name}");
    for _ in 0..300 {
        let cluster = hub.request(&Method::GET, &path).await?.json()?;
        let conditions = cluster["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let is_ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
        if conditions.iter().any(is_ready) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("cluster {name} is not Ready after half a minute")
}
