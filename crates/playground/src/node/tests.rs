use std::future::Future;
use std::sync::Arc;

use portolan_api::resources;
use portolan_apiserver::auth::User;
use portolan_apiserver::{ApiServer, Config};
use portolan_net::pki::{Authority, ServerNames};
use portolan_net::tls::{ClientCertificates, ServerCertificate, ServerTls, server_config};
use portolan_object::ObjectKey;
use portolan_runtime::cache::Subscription;
use portolan_runtime::client::{Delete, Patch, Selection};
use portolan_runtime::{Api, Resource};
use portolan_store::Store;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::*;

const DEADLINE: Duration = Duration::from_secs(20);
const NODE: &str = "member1-control-plane";

/// An API server with nodes.
struct World {
    client: Client,
    network: Network,
    cluster: ClusterName,
    nodes: Nodes,
    scope: Shutdown,
    _api_server: Arc<ApiServer>,
}

/// A collection that a test waits on.
struct Watched {
    api: Api<Object>,
    cache: Cache<Object>,
    changes: Subscription<Object>,
}

async fn world() -> World {
    let store = Store::in_memory();
    let range = "10.11.0.0/16".parse().expect("a range");
    let config = Config { service_cidr: Some(range), ..Config::default() };
    let api_server = ApiServer::start(config, store).await.expect("an API server");
    let client = Client::in_process(api_server.local(User::new("admin", ["system:masters"])));
    start_nodes(client, Arc::new(api_server)).await
}

async fn start_nodes(client: Client, api_server: Arc<ApiServer>) -> World {
    let (network, cluster, scope) = (Network::new(), ClusterName::new("member1"), Shutdown::new());
    let ranges = |text: &str| text.parse().expect("a range");
    let pod_range = ranges("10.10.0.0/16");
    network.add_cluster(&cluster, pod_range, ranges("10.11.0.0/16")).expect("joins");
    let node = NodeSetting {
        name: NODE.to_owned(),
        address: "172.18.0.2".parse().expect("an address"),
        pod_range,
        region: String::new(),
        zone: String::new(),
        labels: BTreeMap::new(),
        taints: vec![],
    };
    let settings = Settings {
        cluster: cluster.clone(),
        caches: Caches::new(&client, &scope),
        network: network.clone(),
        host: None,
        storage: PathBuf::new(),
        dns: None,
        nodes: vec![node],
        tls: tls(),
        clock: Clock::system(),
    };
    let nodes = Nodes::start(settings, &scope).expect("nodes");
    assert!(timeout(DEADLINE, nodes.ready()).await.expect("ready in time"));
    World { client, network, cluster, nodes, scope, _api_server: api_server }
}

fn tls() -> ServerTls {
    let now = Clock::system().now();
    let authority = Authority::create("kubelet-ca", now).expect("an authority");
    let names = ServerNames { common_name: "kubelet".to_owned(), ..ServerNames::default() };
    let identity = authority.issue_server(&names, Duration::from_secs(3600), now);
    let certificate = ServerCertificate::new(&identity.expect("a certificate")).expect("usable");
    let callers = ClientCertificates::SignedBy(vec![authority.certificate().clone()]);
    server_config(certificate, &callers).expect("a configuration")
}

impl World {
    fn watch(&self, resource: Resource) -> Watched {
        let cache = Cache::of_objects(&self.client, resource.clone()).start(&self.scope);
        let changes = cache.subscribe(1024);
        Watched { api: self.client.resource(&resource), cache, changes }
    }

    fn pods(&self) -> Watched {
        self.watch(resources::POD.into())
    }

    async fn heard(&self, to: &str) -> String {
        let to = to.parse().expect("an address");
        match self.network.dial(&self.cluster, to, DEADLINE).await {
            Ok(mut connection) => {
                let request = b"GET / HTTP/1.0\r\n\r\n";
                tokio::io::AsyncWriteExt::write_all(&mut connection, request).await.expect("writes");
                let mut text = String::new();
                connection.read_to_string(&mut text).await.expect("reads");
                text.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned()
            }
            Err(error) => error.to_string(),
        }
    }

    async fn stop(self) -> (Client, Arc<ApiServer>) {
        self.scope.drain(DEADLINE).await.expect("the nodes stop");
        (self.client, self._api_server)
    }
}

impl Watched {
    /// Waits until an object is as `is_it` wants it; `None` is one that does not exist.
    async fn until(&mut self, name: &str, is_it: impl Fn(Option<&Object>) -> bool) -> Option<Arc<Object>> {
        let key = match self.cache.resource().namespaced {
            true => ObjectKey::namespaced("default", name),
            false => ObjectKey::cluster(name),
        };
        let settled = async {
            assert!(self.cache.synced().await, "the cache fills");
            loop {
                let object = self.cache.get(&key);
                if is_it(object.as_deref()) {
                    return object;
                }
                self.changes.next().await;
            }
        };
        match timeout(DEADLINE, settled).await {
            Ok(object) => object,
            Err(_) => panic!("{name} does not become what it should: {:?}", self.cache.get(&key)),
        }
    }

    async fn until_phase(&mut self, name: &str, phase: &str) -> Arc<Object> {
        let found =
            self.until(name, |pod| pod.is_some_and(|pod| pod.str_at(&["status", "phase"]) == phase)).await;
        found.expect("a pod with a phase")
    }

    async fn until_ready(&mut self, name: &str) -> Arc<Object> {
        let found =
            self.until(name, |pod| pod.is_some_and(|pod| condition(pod, "Ready")["status"] == "True")).await;
        found.expect("a ready pod")
    }
}

fn pod(name: &str, policy: &str, container: Value) -> Object {
    let mut container = container;
    container["name"] = json!("c");
    Object(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "namespace": "default" },
        "spec": { "restartPolicy": policy, "containers": [container] },
    }))
}

fn condition(pod: &Object, kind: &str) -> Value {
    let conditions = pod.at(&["status", "conditions"]).and_then(Value::as_array);
    let found = conditions.into_iter().flatten().find(|condition| condition["type"] == kind);
    found.cloned().unwrap_or_default()
}

fn container(pod: &Object) -> &Value {
    &pod.0["status"]["containerStatuses"][0]
}

async fn within<F: Future>(future: F) -> F::Output {
    timeout(DEADLINE, future).await.expect("in time")
}

#[tokio::test]
async fn a_pod_is_placed_answers_and_goes() {
    let world = world().await;
    let mut pods = world.pods();
    let serve = json!({ "image": "jeremyot/serve:0a40de8",
        "args": ["--message=hello from {{env \"NODE\"}} at {{addr}}"],
        "env": [{ "name": "NODE", "valueFrom": { "fieldRef": { "fieldPath": "spec.nodeName" } } }] });
    pods.api.create(&pod("serve", "Always", serve)).await.expect("created");
    let serve = pods.until_ready("serve").await;
    assert_eq!(pod_spec::node_of(&serve), NODE);
    assert_eq!(serve.str_at(&["status", "podIP"]), "10.10.0.5");
    assert_eq!(world.heard("10.10.0.5:8080").await, format!("hello from {NODE} at 10.10.0.5"));

    pods.api.delete(&serve.key(), &Delete::default()).await.expect("deletable");
    pods.until("serve", |pod| pod.is_none()).await;
    assert_eq!(world.heard("10.10.0.5:8080").await, "no route to host");
}

#[tokio::test]
async fn services_lead_to_their_endpoints() {
    let world = world().await;
    let mut pods = world.pods();
    let echo = json!({ "image": "hashicorp/http-echo", "args": ["-text=hi", "-listen=:9000"] });
    pods.api.create(&pod("echo", "Always", echo)).await.expect("created");
    let address = pods.until_ready("echo").await.str_at(&["status", "podIP"]).to_owned();

    let services: Api<Object> = world.client.resource(&resources::SERVICE.into());
    let service = Object(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "echo", "namespace": "default" },
        "spec": { "ports": [{ "port": 80 }] },
    }));
    let service = services.create(&service).await.expect("created");
    let front = format!("{}:80", service.str_at(&["spec", "clusterIP"]));
    let resource = Resource::from(resources::ENDPOINT_SLICE);
    let slices: Api<Object> = world.client.resource(&resource);
    let slice = Object(json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": { "name": "imported-echo", "namespace": "default",
                      "labels": { "kubernetes.io/service-name": "echo" } },
        "endpoints": [{ "addresses": [address] }], "ports": [{ "name": "", "port": 9000 }],
    }));
    slices.create(&slice).await.expect("created");
    within(async {
        while world.heard(&front).await != "hi\n" {
            tokio::task::yield_now().await;
        }
    })
    .await;
    slices.delete(&slice.key(), &Delete::default()).await.expect("deletable");
    within(async {
        while world.heard(&front).await != "connection refused" {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn programs_that_end_leave_their_mark() {
    let world = world().await;
    let mut pods = world.pods();
    let run = |args: &[&str]| json!({ "image": "busybox", "command": args });
    for (name, policy, container) in [
        ("done", "Never", run(&["echo", "hi"])),
        ("failed", "Never", run(&["false"])),
        ("crashing", "Always", run(&["false"])),
        ("missing", "Never", run(&["nope"])),
    ] {
        pods.api.create(&pod(name, policy, container)).await.expect("created");
    }
    let done = pods.until_phase("done", "Succeeded").await;
    assert_eq!(container(&done)["state"]["terminated"]["reason"], "Completed");
    assert_eq!(condition(&done, "Ready")["reason"], "PodCompleted");
    let failed = pods.until_phase("failed", "Failed").await;
    assert_eq!(container(&failed)["state"]["terminated"]["exitCode"], 1);
    let missing = pods.until_phase("missing", "Failed").await;
    let terminated = &container(&missing)["state"]["terminated"];
    assert_eq!((&terminated["reason"], &terminated["exitCode"]), (&json!("StartError"), &json!(128)));

    let is_backing_off = |pod: Option<&Object>| {
        pod.is_some_and(|pod| container(pod)["state"]["waiting"]["reason"] == "CrashLoopBackOff")
    };
    let crashing = pods.until("crashing", is_backing_off).await.expect("a pod");
    assert_eq!(container(&crashing)["restartCount"], 1, "the first restart does not wait");
    assert_eq!(container(&crashing)["lastState"]["terminated"]["exitCode"], 1);
    assert_eq!(crashing.str_at(&["status", "phase"]), "Running");
}

#[tokio::test]
async fn an_image_that_no_registry_has_is_not_started() {
    let world = world().await;
    let mut pods = world.pods();
    pods.api
        .create(&pod("absent", "Always", json!({ "image": "fake/nginx:1.19.0" })))
        .await
        .expect("created");
    let waits = |pod: Option<&Object>| {
        pod.is_some_and(|pod| container(pod)["state"]["waiting"]["reason"] == "ImagePullBackOff")
    };
    let absent = pods.until("absent", waits).await.expect("a pod");
    assert_eq!(absent.str_at(&["status", "phase"]), "Pending");
}

#[tokio::test]
async fn containers_follow_their_init_containers() {
    let world = world().await;
    let mut pods = world.pods();
    let mut web = pod("web", "Always", json!({ "image": "nginx" }));
    web.0["spec"]["initContainers"] = json!([
        { "name": "first", "image": "busybox", "command": ["true"] },
        { "name": "sidecar", "image": "pause", "restartPolicy": "Always" },
    ]);
    pods.api.create(&web).await.expect("created");
    let web = pods.until_ready("web").await;
    let init = &web.0["status"]["initContainerStatuses"];
    assert_eq!(init[0]["state"]["terminated"]["exitCode"], 0);
    assert!(init[1]["state"]["running"].is_object());

    let mut stuck = pod("stuck", "Never", json!({ "image": "nginx" }));
    stuck.0["spec"]["initContainers"] =
        json!([{ "name": "first", "image": "busybox", "command": ["false"] }]);
    pods.api.create(&stuck).await.expect("created");
    let stuck = pods.until_phase("stuck", "Failed").await;
    assert!(container(&stuck)["state"]["waiting"].is_object(), "the container never runs");
}

#[tokio::test]
async fn probes_decide_about_readiness_and_restarts() {
    let world = world().await;
    let mut pods = world.pods();
    let probe = |path: &str| json!({ "httpGet": { "port": 80, "path": path }, "periodSeconds": 1, "failureThreshold": 1 });
    let ready = json!({ "image": "nginx", "readinessProbe": probe("/") });
    let unready = json!({ "image": "nginx", "readinessProbe": probe("/nope") });
    let sick = json!({ "image": "nginx", "livenessProbe": probe("/nope") });
    for (name, container) in [("ready", ready), ("unready", unready), ("sick", sick)] {
        pods.api.create(&pod(name, "Always", container)).await.expect("created");
    }
    pods.until_ready("ready").await;
    let sick = pods.until("sick", |pod| pod.is_some_and(|pod| container(pod)["restartCount"] == 1)).await;
    assert_eq!(container(&sick.expect("a pod"))["lastState"]["terminated"]["exitCode"], 137);
    let unready = pods.until_phase("unready", "Running").await;
    assert_eq!(condition(&unready, "Ready")["message"], "containers with unready status: [c]");
}

#[tokio::test]
async fn a_pod_that_fits_nowhere_waits_for_a_node() {
    let world = world().await;
    let mut pods = world.pods();
    let mut picky = pod("picky", "Always", json!({ "image": "nginx" }));
    picky.0["spec"]["nodeSelector"] = json!({ "disk": "ssd" });
    pods.api.create(&picky).await.expect("created");
    let waits =
        |pod: Option<&Object>| pod.is_some_and(|pod| condition(pod, "PodScheduled")["status"] == "False");
    let waiting = pods.until("picky", waits).await.expect("a pod");
    assert_eq!(condition(&waiting, "PodScheduled")["reason"], "Unschedulable");

    let nodes: Api<Object> = world.client.resource(&resources::NODE.into());
    let label = Patch::Merge(json!({ "metadata": { "labels": { "disk": "ssd" } } }));
    nodes.patch(&ObjectKey::cluster(NODE), &label).await.expect("patched");
    let placed = pods.until_ready("picky").await;
    assert_eq!(condition(&placed, "PodScheduled")["status"], "True");
}

#[tokio::test]
async fn what_happens_to_a_pod_is_told() {
    let world = world().await;
    let mut pods = world.pods();
    pods.api.create(&pod("db", "Always", json!({ "image": "postgres:17" }))).await.expect("created");
    pods.until_phase("db", "Running").await;
    pods.api.delete(&ObjectKey::namespaced("default", "db"), &Delete::default()).await.expect("deletable");
    let events: Api<Object> = world.client.resource(&resources::EVENT.into());
    let wanted = ["Scheduled", "Pulled", "Created", "Started", "NothingListens", "Killing"];
    within(async {
        loop {
            let listed = events.list(&Selection::namespace("default")).await.expect("listed");
            let told: Vec<&str> = listed.items.iter().map(|event| event.object.str_at(&["reason"])).collect();
            if wanted.iter().all(|reason| told.contains(reason)) {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_restart_finds_pods_where_they_were() {
    let first = world().await;
    let mut pods = first.pods();
    let sleep = || json!({ "image": "busybox", "command": ["sleep", "inf"] });
    for (name, policy) in [("gone", "Always"), ("stays", "Always"), ("once", "Never")] {
        pods.api.create(&pod(name, policy, sleep())).await.expect("created");
        pods.until_ready(name).await;
    }
    let stays = pods.until_ready("stays").await;
    let (client, api_server) = first.stop().await;
    let api: Api<Object> = client.resource(&resources::POD.into());
    api.delete(&ObjectKey::namespaced("default", "gone"), &Delete::default()).await.expect("deletable");
    api.create(&pod("new", "Always", sleep())).await.expect("created");

    let second = start_nodes(client, api_server).await;
    let mut pods = second.pods();
    let once = pods.until_phase("once", "Failed").await;
    assert_eq!(container(&once)["state"]["terminated"]["reason"], "ContainerStatusUnknown");
    let again = pods.until("stays", |pod| pod.is_some_and(|pod| container(pod)["restartCount"] == 1)).await;
    let again = again.expect("a pod");
    assert_eq!(again.str_at(&["status", "podIP"]), stays.str_at(&["status", "podIP"]));
    assert_eq!(container(&again)["lastState"]["terminated"]["exitCode"], 137);
    pods.until("gone", |pod| pod.is_none()).await;
    let new = pods.until_ready("new").await;
    assert_ne!(new.str_at(&["status", "podIP"]), stays.str_at(&["status", "podIP"]));
    assert!(second.nodes.kubelet.ip().is_loopback());
}
