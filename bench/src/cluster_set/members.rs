//! A federation of API servers in this process: a hub with controllers, and members of one cluster set.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::stream::{StreamExt, TryStreamExt};
use parking_lot::Mutex;
use portolan_api::resources;
use portolan_apiserver::{ApiServer, Config, User};
use portolan_controllers::{Controllers, Options, kubernetes};
use portolan_net::{Clock, Shutdown};
use portolan_object::{Object, ObjectKey};
use portolan_runtime::client::Selection;
use portolan_runtime::{Client, ClusterName, Endpoint, Resource};
use portolan_store::Store;
use serde_json::{Value, json};

use crate::objects::{self, is_ready};

/// Requests at a time while everything is made.
const CONCURRENCY: usize = 32;
const POLL_INTERVAL: Duration = Duration::from_millis(20);
const READY_TIMEOUT: Duration = Duration::from_secs(240);
const SERVICES: &str = "10.96.0.0/12";

/// The federation; it ends with its scope.
pub(super) struct Federation {
    hub: Client,
    members: Vec<Client>,
    ready: Duration,
    _servers: Vec<ApiServer>,
}

impl Federation {
    /// Starts a hub and `count` members, and waits until all are in one set.
    pub(super) async fn start(count: usize, scope: &Shutdown) -> Result<Self> {
        let (hub, server) = plane(scope).await?;
        let mut servers = vec![server];
        for definition in portolan_api::crd::all().into_iter().map(Object) {
            hub.resource::<Object>(&definitions()).create(&definition).await?;
        }
        wait("the federation's kinds", async || {
            let discovery = hub.discover().await?;
            Ok(discovery.find("portolan.dev", "ClusterSet").is_some())
        })
        .await?;
        let namespace =
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "karmada-cluster" } });
        create(&hub, &objects::namespaces(), namespace).await?;
        let mut members = Vec::new();
        let dialled: Arc<Mutex<BTreeMap<String, Client>>> = Arc::default();
        let mut listed = Vec::new();
        for index in 0..count {
            let (member, server) = plane(scope).await?;
            servers.push(server);
            let name = format!("member{index}");
            dialled.lock().insert(name.clone(), member.clone());
            members.push(member);
            let secret = json!({ "apiVersion": "v1", "kind": "Secret", "data": { "token": "dG9rZW4=" },
                "metadata": { "namespace": "karmada-cluster", "name": name } });
            create(&hub, &resources::SECRET.into(), secret).await?;
            let cluster = json!({ "apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster",
                "metadata": { "name": name }, "spec": { "syncMode": "Push", "apiEndpoint": format!("https://{name}.test"),
                    "insecureSkipTLSVerification": true,
                    "secretRef": { "namespace": "karmada-cluster", "name": name } } });
            let clusters = Resource::cluster("cluster.karmada.io", "v1alpha1", "Cluster", "clusters");
            create(&hub, &clusters, cluster).await?;
            listed.push(json!({ "cluster": name }));
        }
        let dial = move |name: &ClusterName, _| match dialled.lock().get(name.as_str()) {
            Some(member) => Ok(member.clone()),
            // Unreachable: every Cluster object here has a member.
            None => Client::connect(Endpoint { url: "http://127.0.0.1:1".to_owned(), ..Endpoint::default() }),
        };
        let started = Instant::now();
        Controllers::start(&hub, Options { dial: Some(Arc::new(dial)), ..Options::default() }, scope);
        let clusters = Resource::cluster("cluster.karmada.io", "v1alpha1", "Cluster", "clusters");
        wait("all members to be ready", async || {
            let listed = hub.resource::<Object>(&clusters).list(&Selection::all()).await?.items;
            Ok(listed.iter().filter(|seen| is_ready(&seen.object)).count() == count)
        })
        .await?;
        let ready = started.elapsed();
        let set = json!({ "apiVersion": "portolan.dev/v1alpha1", "kind": "ClusterSet",
            "metadata": { "name": "bench" }, "spec": { "members": listed } });
        create(&hub, &sets(), set).await?;
        let federation = Self { hub, members, ready, _servers: servers };
        let all = format!("{count}/{count}");
        wait("all members to join the set", async || {
            let set = federation.hub.resource::<Object>(&sets()).get(&ObjectKey::cluster("bench")).await?;
            Ok(set.0["status"]["joined"] == all.as_str())
        })
        .await?;
        Ok(federation)
    }

    /// Time from the start of the controllers, with all Clusters there, until all were ready.
    pub(super) fn ready(&self) -> Duration {
        self.ready
    }

    /// The member that exports.
    pub(super) fn exporter(&self) -> &Client {
        &self.members[0]
    }

    /// All others.
    pub(super) fn importers(&self) -> impl Iterator<Item = &Client> {
        self.members.iter().skip(1)
    }

    /// Exports services from the first member and waits until every member imports all of them; their slices.
    pub(super) async fn export(&self, count: u32) -> Result<Vec<Object>> {
        let exporter = self.exporter();
        let services = Resource::from(resources::SERVICE);
        let exports =
            Resource::namespaced("multicluster.x-k8s.io", "v1beta1", "ServiceExport", "serviceexports");
        let made = futures::stream::iter(0..count).map(|index| {
            let (services, exports) = (services.clone(), exports.clone());
            async move {
                let name = format!("service{index}");
                let metadata = json!({ "namespace": "default", "name": name });
                let service = json!({ "apiVersion": "v1", "kind": "Service", "metadata": metadata,
                    "spec": { "ports": [{ "name": "http", "port": 80 }] } });
                create(exporter, &services, service).await?;
                let slice = json!({ "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                    "metadata": { "namespace": "default", "name": name, "labels": { "kubernetes.io/service-name": name } },
                    "ports": [{ "name": "http", "port": 8080, "protocol": "TCP" }],
                    "endpoints": objects::endpoints("198.51.100.1", true) });
                let slice = create(exporter, &objects::endpoint_slices(), slice).await?;
                let export = json!({ "apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceExport", "metadata": metadata });
                create(exporter, &exports, export).await?;
                Ok::<_, anyhow::Error>(slice)
            }
        });
        let slices: Vec<Object> = made.buffer_unordered(CONCURRENCY).try_collect().await?;
        let imported = Selection::labels(portolan_api::labels::cluster_set::NAME);
        for member in &self.members {
            wait("every service to be imported", async || {
                let listed = member.resource::<Object>(&objects::endpoint_slices()).list(&imported).await?;
                Ok(listed.items.len() == slices.len())
            })
            .await?;
        }
        Ok(slices)
    }
}

async fn plane(scope: &Shutdown) -> Result<(Client, ApiServer)> {
    let config = Config { service_cidr: Some(SERVICES.parse()?), ..Config::default() };
    let server = ApiServer::start(config, Store::in_memory()).await.context("cannot start an API server")?;
    let groups = vec!["system:masters".to_owned()];
    let admin = User { name: "admin".to_owned(), groups, ..User::default() };
    let client = Client::in_process(server.local(admin));
    let definitions = kubernetes::definitions(&client, scope);
    kubernetes::housekeeping(&client, &definitions, "", &Clock::system(), scope);
    Ok((client, server))
}

async fn create(client: &Client, resource: &Resource, object: Value) -> Result<Object> {
    let object = Object(object);
    let created = client.resource::<Object>(resource).create(&object).await;
    created.with_context(|| format!("cannot create {} {}", object.kind(), object.name()))
}

async fn wait(what: &str, is_there: impl AsyncFn() -> Result<bool>) -> Result<()> {
    let waited = async {
        while !is_there().await? {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok::<_, anyhow::Error>(())
    };
    match tokio::time::timeout(READY_TIMEOUT, waited).await {
        Ok(result) => result,
        Err(_) => bail!("waited {READY_TIMEOUT:?} for {what}"),
    }
}

fn definitions() -> Resource {
    resources::CUSTOM_RESOURCE_DEFINITION.into()
}

fn sets() -> Resource {
    Resource::cluster("portolan.dev", "v1alpha1", "ClusterSet", "clustersets")
}
