//! A member that answers with lies, floods, or not at all.
//!
//! Two members join a hub: an honest one, and one behind a server that passes requests on until it turns hostile.
//! Meanwhile the hub has to answer, to stay within its memory, and to serve the honest member.

mod hostile;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use rand::seq::SliceRandom as _;
use serde_json::json;

use super::Setting;
use crate::health::HealthChecks;
use crate::members::{join, wait_until_ready};
use crate::server::Server;
use crate::tally::Tally;

use hostile::{HostileServer, Mode};

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
/// Time of one mode.
const HOLD: Duration = Duration::from_secs(4);
/// An object has to reach the honest member within this time.
const DELIVERY: Duration = Duration::from_secs(10);
/// Memory that the hub may take for one hostile member, above its budget for the kept objects of a member.
const MAX_GROWTH: u64 = 768 << 20;

/// The hub, its members, and the server before the hostile one.
struct Federation {
    hub: Server,
    hub_folder: PathBuf,
    honest: Server,
    _behind: Server,
    hostile: HostileServer,
    canaries: u32,
}

/// Every mode meets a hub that has just started, so that no pause after an earlier mode protects it. Modes come in random
/// order; those for which there is no time are left to other seeds.
pub(super) async fn run(setting: &Setting) -> Result<Tally> {
    let folder = tempfile::tempdir()?;
    let mut federation = Federation::start(setting, folder.path()).await?;
    let (mut random, mut tally, deadline) = (setting.random(), Tally::default(), setting.deadline());
    loop {
        let mut modes = Mode::ALL;
        modes.shuffle(&mut random);
        for mode in modes {
            federation.restart_hub(setting).await?;
            federation.endure(mode, &mut tally).await?;
            if Instant::now() > deadline {
                return Ok(tally);
            }
        }
    }
}

impl Federation {
    async fn start(setting: &Setting, folder: &Path) -> Result<Self> {
        let start = |name: &str| Server::start(&setting.portolan, &folder.join(name));
        let (hub, honest, behind) = (start("hub")?, start("honest")?, start("behind")?);
        let hostile = HostileServer::start(behind.client()?).await?;
        let kubeconfig = folder.join("hostile.config");
        fs::write(&kubeconfig, kubeconfig_of(&hostile))?;
        join(&setting.portolan, &hub, "honest", &honest.kubeconfig()).await?;
        join(&setting.portolan, &hub, "hostile", &kubeconfig).await?;
        let policy = json!({
            "apiVersion": "policy.karmada.io/v1alpha1", "kind": "PropagationPolicy",
            "metadata": {"name": "canaries", "namespace": "default"},
            "spec": {
                "resourceSelectors": [{"apiVersion": "v1", "kind": "ConfigMap",
                    "labelSelector": {"matchLabels": {"canary": "true"}}}],
                "placement": {"clusterAffinity": {"clusterNames": ["honest", "hostile"]}},
            },
        });
        let policies = "/apis/policy.karmada.io/v1alpha1/namespaces/default/propagationpolicies";
        let created = hub.client()?.create(policies, &policy).await?;
        anyhow::ensure!(created.status == 201, "{}", created.message());
        let hub_folder = folder.join("hub");
        Ok(Self { hub, hub_folder, honest, _behind: behind, hostile, canaries: 0 })
    }

    /// Restarts the hub, and waits until both members are ready.
    async fn restart_hub(&mut self, setting: &Setting) -> Result<()> {
        self.hostile.set(Mode::Honest);
        self.hub.kill()?;
        self.hub = Server::start(&setting.portolan, &self.hub_folder)?;
        for name in ["honest", "hostile"] {
            wait_until_ready(&self.hub.client()?, name).await?;
        }
        Ok(())
    }

    /// One mode for a while.
    async fn endure(&mut self, mode: Mode, tally: &mut Tally) -> Result<()> {
        let (health, before) = (HealthChecks::start(self.hub.client()?), self.hub.resident());
        self.hostile.set(mode);
        let end = Instant::now() + HOLD;
        let mut most = 0;
        let mut slowest = Duration::ZERO;
        loop {
            match self.deliver().await? {
                Some(time) => slowest = slowest.max(time),
                None => tally.succeeded(format!("{mode:?}: an object did not reach the honest member")),
            }
            most = most.max(self.hub.resident());
            if Instant::now() > end {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tally.add_health(&health.finish());
        if self.hub.has_ended() || self.hub.log().contains("panicked at") {
            tally.succeeded(format!("{mode:?}: the hub panicked: {}", self.hub.log()));
        }
        let growth = most.saturating_sub(before);
        if growth > MAX_GROWTH {
            tally.succeeded(format!("{mode:?}: memory grew by {} MiB", growth >> 20));
        } else {
            tally.refused();
        }
        tally.note(format!("{mode:?}: slowest delivery {slowest:.0?}, memory grew by {} MiB", growth >> 20));
        Ok(())
    }

    /// Propagates an object to the honest member; `None` if it does not arrive.
    async fn deliver(&mut self) -> Result<Option<Duration>> {
        let name = format!("canary{}", self.canaries);
        self.canaries += 1;
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "labels": {"canary": "true"}}});
        let start = Instant::now();
        let created = self.hub.client()?.create(CONFIG_MAPS, &object).await?;
        anyhow::ensure!(created.status == 201, "{}", created.message());
        let member = self.honest.client()?;
        let path = format!("{CONFIG_MAPS}/{name}");
        while start.elapsed() < DELIVERY {
            if member.request(&Method::GET, &path).await?.status == 200 {
                return Ok(Some(start.elapsed()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(None)
    }
}

/// Access to the hostile server, which accepts every token.
fn kubeconfig_of(hostile: &HostileServer) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {
            "server": format!("https://{}", hostile.address()),
            "certificate-authority-data": STANDARD.encode(hostile.authority()),
        }}],
        "users": [{"name": "c", "user": {"token": "any"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
    })
    .to_string()
}
