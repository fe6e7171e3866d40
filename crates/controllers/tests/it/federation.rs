//! A hub with members, and the verbs of a user.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Request, header};
use parking_lot::Mutex;
use portolan_api::agents;
use portolan_apiserver::auth::Authentication;
use portolan_apiserver::auth::token::{Issuer, SigningKey};
use portolan_apiserver::{ApiServer, Config, LocalService, User};
use portolan_controllers::agent::{self, AgentOptions};
use portolan_controllers::clusters::join::{JoinError, JoinRequest, Joined, join};
use portolan_controllers::clusters::{Leasing, Probing};
use portolan_controllers::search::SearchCaches;
use portolan_controllers::{BrakeOptions, Controllers, FailoverSettings, Options, kubernetes};
use portolan_net::{Clock, Shutdown};
use portolan_object::{GroupVersion, Object, ObjectKey};
use portolan_plan::clusters::probe::Thresholds;
use portolan_runtime::client::{Body, Delete, Patch};
use portolan_runtime::limits::MemberLimits;
use portolan_runtime::members::Dial;
use portolan_runtime::{Client, ClientError, Endpoint, Resource};
use portolan_store::Store;
use ring::rand::SystemRandom;
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// Everything happens within milliseconds; this is for machines that do much else.
const TIMEOUT: Duration = Duration::from_secs(60);

/// One control plane.
pub(crate) struct Plane {
    pub(crate) client: Client,
    api_server: ApiServer,
}

/// A hub and its members; ends with the test.
pub(crate) struct Federation {
    pub(crate) hub: Plane,
    members: BTreeMap<String, Plane>,
    dialled: Arc<Mutex<BTreeMap<String, Client>>>,
    controllers: Mutex<Vec<Shutdown>>,
    limits: MemberLimits,
    brake: BrakeOptions,
    failover: FailoverSettings,
    /// How controllers and agents that are started from now on probe.
    pub(crate) probing: Probing,
    /// The endpoints of all connections that controllers asked for.
    pub(crate) endpoints: Arc<Mutex<Vec<Endpoint>>>,
    /// The caches that registries ask for.
    pub(crate) search: SearchCaches,
    scope: Shutdown,
}

fn admin() -> User {
    User { name: "admin".to_owned(), groups: vec!["system:masters".to_owned()], ..User::default() }
}

fn issuer() -> Issuer {
    let random = SystemRandom::new();
    let key = SigningKey::generate(&random).expect("randomness");
    Issuer::new("https://issuer.test", SigningKey::from_pkcs8(&key, &random).expect("a key"))
}

impl Plane {
    /// Starts one with the controllers that every API server has.
    pub(crate) async fn start(scope: &Shutdown) -> Self {
        let services = "10.96.0.0/16".parse().expect("a range");
        let authentication = Authentication::default().with_issuer(issuer());
        let config = Config { service_cidr: Some(services), authentication, ..Config::default() };
        let api_server = ApiServer::start(config, Store::in_memory()).await.expect("a new API server");
        let client = Client::in_process(api_server.local(admin()));
        let definitions = kubernetes::definitions(&client, scope);
        kubernetes::housekeeping(&client, &definitions, "", &Clock::system(), scope);
        let plane = Self { client, api_server };
        // Pods are refused without it.
        plane.when_there("v1/ServiceAccount", "default/default").await;
        plane
    }

    /// Ends all watches, and the API server is not ready any more.
    pub(crate) fn drain(&self) {
        self.api_server.drain();
    }

    /// A client that authenticates with a bearer token.
    pub(crate) fn as_bearer(&self, token: &str) -> Client {
        let value: HeaderValue = format!("Bearer {token}").parse().expect("a header");
        let add = move |mut request: Request<Body>| {
            request.headers_mut().insert(header::AUTHORIZATION, value.clone());
            request
        };
        Client::in_process(self.api_server.service().map_request(add))
    }

    /// A client of a user with these groups.
    pub(crate) fn as_user(&self, name: &str, groups: &[&str]) -> Client {
        Client::in_process(self.api_server.local(User::new(name, groups.iter().copied())))
    }

    /// A client of the agent of a cluster, with the rights that its roles give it.
    pub(crate) fn as_agent(&self, cluster: &str) -> Client {
        let user = User::new(agents::user(cluster), [agents::GROUP]);
        Client::in_process(self.api_server.local(user))
    }

    /// A client that may do what `rules` of the ClusterRole `federation` say, which this creates.
    async fn as_limited(&self, rules: Value) -> Client {
        let group = "rbac.authorization.k8s.io";
        let api_version = format!("{group}/v1");
        let metadata = json!({ "name": "federation" });
        let role =
            json!({ "apiVersion": api_version, "kind": "ClusterRole", "metadata": metadata, "rules": rules });
        self.create(role).await;
        self.create(json!({ "apiVersion": api_version, "kind": "ClusterRoleBinding", "metadata": metadata,
            "roleRef": { "apiGroup": group, "kind": "ClusterRole", "name": "federation" },
            "subjects": [{ "apiGroup": group, "kind": "User", "name": "federation" }] }))
            .await;
        let user = User { name: "federation".to_owned(), ..User::default() };
        Client::in_process(self.api_server.local(user))
    }

    /// The API server as an administrator sees it.
    pub(crate) fn service(&self) -> LocalService {
        self.api_server.local(admin())
    }

    /// Creates a CustomResourceDefinition and waits until its kind is served.
    pub(crate) async fn define(&self, definition: Value) {
        self.define_all([definition]).await;
    }

    /// Creates CustomResourceDefinitions and waits until their kinds are served.
    async fn define_all(&self, definitions: impl IntoIterator<Item = Value>) {
        let mut awaited = Vec::new();
        for definition in definitions {
            let created = self.create(definition).await;
            let at = |path: &[&str]| created.str_at(path).to_owned();
            awaited.push((at(&["spec", "group"]), at(&["spec", "names", "kind"])));
        }
        let served = async {
            loop {
                if let Ok(discovery) = self.client.discover().await {
                    awaited.retain(|(group, kind)| discovery.find(group, kind).is_none());
                }
                if awaited.is_empty() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(TIMEOUT, served).await;
        assert!(waited.is_ok(), "never served: {awaited:?}");
    }

    /// Creates what a user would apply.
    pub(crate) async fn create(&self, object: Value) -> Object {
        let object = Object(object);
        self.api(&object)
            .create(&object)
            .await
            .unwrap_or_else(|error| panic!("create {}: {error}", object.name()))
    }

    pub(crate) async fn patch(&self, kind: &str, name: &str, patch: Value) -> Object {
        let object = identity(kind, name);
        let patched = self.api(&object).patch(&object.key(), &Patch::Merge(patch)).await;
        patched.unwrap_or_else(|error| panic!("patch {kind} {name}: {error}"))
    }

    pub(crate) async fn patch_status(&self, kind: &str, name: &str, patch: Value) -> Object {
        let object = identity(kind, name);
        let patched = self.api(&object).patch_status(&object.key(), &Patch::Merge(patch)).await;
        patched.unwrap_or_else(|error| panic!("patch status of {kind} {name}: {error}"))
    }

    pub(crate) async fn delete(&self, kind: &str, name: &str) {
        let object = identity(kind, name);
        let deleted = self.api(&object).delete(&object.key(), &Delete::background()).await;
        deleted.unwrap_or_else(|error| panic!("delete {kind} {name}: {error}"));
    }

    /// Deletes an object that may be gone already.
    pub(crate) async fn delete_if_there(&self, kind: &str, name: &str) {
        let object = identity(kind, name);
        match self.api(&object).delete(&object.key(), &Delete::background()).await {
            Ok(()) | Err(ClientError::NotFound(_)) => {}
            Err(error) => panic!("delete {kind} {name}: {error}"),
        }
    }

    /// The object; `None` when it, or its type, is not there.
    pub(crate) async fn get(&self, kind: &str, name: &str) -> Option<Object> {
        let object = identity(kind, name);
        match self.api(&object).get(&object.key()).await {
            Ok(found) => Some(found),
            Err(ClientError::NotFound(_)) => None,
            Err(error) => panic!("get {kind} {name}: {error}"),
        }
    }

    /// Waits until the object is there and `accept` likes it.
    pub(crate) async fn when(&self, kind: &str, name: &str, accept: impl Fn(&Object) -> bool) -> Object {
        let mut last = None;
        let reached = async {
            loop {
                last = self.get(kind, name).await;
                if let Some(found) = last.as_ref().filter(|found| accept(found)) {
                    return found.clone();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        match tokio::time::timeout(TIMEOUT, reached).await {
            Ok(found) => found,
            Err(_) => panic!("{kind} {name} never was as expected; at last: {last:#?}"),
        }
    }

    pub(crate) async fn when_there(&self, kind: &str, name: &str) -> Object {
        self.when(kind, name, |_| true).await
    }

    pub(crate) async fn when_gone(&self, kind: &str, name: &str) {
        let gone = async {
            while self.get(kind, name).await.is_some() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(TIMEOUT, gone).await;
        assert!(waited.is_ok(), "{kind} {name} is still there: {:#?}", self.get(kind, name).await);
    }

    fn api(&self, object: &Object) -> portolan_runtime::Api<Object> {
        let kind = object.group_version_kind();
        let plural = match kind.kind.as_str() {
            "Endpoints" => "endpoints".to_owned(),
            kind if kind.ends_with('y') => format!("{}ies", kind.trim_end_matches('y').to_lowercase()),
            kind if kind.ends_with('s') => format!("{}es", kind.to_lowercase()),
            kind => format!("{}s", kind.to_lowercase()),
        };
        let namespaced = !object.namespace().is_empty();
        self.client.resource(&Resource { gvk: kind, plural, namespaced })
    }
}

/// `apps/v1/Deployment` and `namespace/name`, or `v1/Namespace` and `name`.
fn identity(kind: &str, name: &str) -> Object {
    let (api_version, kind) = kind.rsplit_once('/').expect("apiVersion/Kind");
    let kind = api_version.parse::<GroupVersion>().expect("an apiVersion").kind(kind);
    let key = match name.split_once('/') {
        Some((namespace, name)) => ObjectKey::namespaced(namespace, name),
        None => ObjectKey::cluster(name),
    };
    Object::new(&kind, &key)
}

impl Federation {
    /// A hub with controllers, and members that have joined and are ready.
    pub(crate) async fn start(names: &[&str]) -> Self {
        Self::start_limited(names, MemberLimits::default()).await
    }

    /// The same with other limits of what the hub keeps of each member.
    pub(crate) async fn start_limited(names: &[&str], limits: MemberLimits) -> Self {
        Self::hub(Arc::default(), limits, BrakeOptions::default(), FailoverSettings::default())
            .await
            .with_members(names)
            .await
    }

    /// The same with other limits of mass deletions.
    pub(crate) async fn start_with_brake(names: &[&str], brake: BrakeOptions) -> Self {
        Self::hub(Arc::default(), MemberLimits::default(), brake, FailoverSettings::default())
            .await
            .with_members(names)
            .await
    }

    /// The same with other settings of failover.
    pub(crate) async fn start_with_failover(names: &[&str], failover: FailoverSettings) -> Self {
        Self::hub(Arc::default(), MemberLimits::default(), BrakeOptions::default(), failover)
            .await
            .with_members(names)
            .await
    }

    async fn with_members(self, names: &[&str]) -> Self {
        let mut federation = self;
        for name in names {
            federation.join(name).await;
        }
        for name in names {
            federation.is_ready(name).await;
        }
        federation
    }

    /// Another hub, with controllers, that can reach the members of this one.
    pub(crate) async fn second_hub(&self) -> Self {
        let (limits, brake) = (MemberLimits::default(), BrakeOptions::default());
        Self::hub(self.dialled.clone(), limits, brake, self.failover).await
    }

    async fn hub(
        dialled: Arc<Mutex<BTreeMap<String, Client>>>,
        limits: MemberLimits,
        brake: BrakeOptions,
        failover: FailoverSettings,
    ) -> Self {
        let scope = Shutdown::new();
        let hub = Plane::start(&scope).await;
        hub.define_all(portolan_api::crd::all()).await;
        let (controllers, endpoints) = (Mutex::default(), Arc::default());
        let (members, search) = (BTreeMap::new(), SearchCaches::default());
        let short = Duration::from_millis(100);
        let thresholds = Thresholds { success: short, failure: short };
        let probing = Probing { interval: short, thresholds, patience: short * 15 };
        let federation = Self {
            hub,
            members,
            dialled,
            controllers,
            limits,
            brake,
            failover,
            probing,
            endpoints,
            search,
            scope,
        };
        federation.run_controllers();
        federation
    }

    /// Stops all controllers, as when the process ends.
    pub(crate) async fn stop_controllers(&self) {
        let running = std::mem::take(&mut *self.controllers.lock());
        for scope in running {
            assert!(scope.drain(TIMEOUT).await.is_ok(), "the controllers do not stop");
        }
    }

    /// What `portolan join` does.
    pub(crate) async fn join_by_command(
        &self,
        name: &str,
        member: &Plane,
        take_over: bool,
    ) -> Result<Joined, JoinError> {
        let request = JoinRequest {
            name: name.to_owned(),
            url: format!("https://{name}.test"),
            insecure_skip_verify: true,
            control_plane: "https://hub.test".to_owned(),
            take_over,
            ..JoinRequest::default()
        };
        join(&self.hub.client, &member.client, &request).await
    }

    /// Starts controllers; they end with the federation.
    pub(crate) fn run_controllers(&self) -> Controllers {
        let (dialled, endpoints) = (self.dialled.clone(), self.endpoints.clone());
        let nowhere =
            || Client::connect(Endpoint { url: "http://127.0.0.1:1".to_owned(), ..Endpoint::default() });
        let dial = move |name: &portolan_runtime::ClusterName, endpoint| {
            endpoints.lock().push(endpoint);
            let found = dialled.lock().get(name.as_str()).cloned();
            found.map_or_else(nowhere, Ok)
        };
        let (short, probing) = (Duration::from_millis(100), self.probing);
        let leasing = Leasing { name: String::new(), renewal: short, duration: short * 10 };
        let (dial, limits, brake): (Dial, _, _) = (Arc::new(dial), self.limits, self.brake.clone());
        let (dial, failover, search) = (Some(dial), self.failover, self.search.clone());
        let options =
            Options { probing, leasing, dial, limits, brake, failover, search, ..Options::default() };
        let scope = self.scope.child();
        self.controllers.lock().push(scope.clone());
        Controllers::start(&self.hub.client, options, &scope)
    }

    pub(crate) async fn join(&mut self, name: &str) {
        let member = Plane::start(&self.scope).await;
        let client = member.client.clone();
        self.join_through(name, member, client).await;
    }

    /// Adds a cluster that has not joined yet; [`Federation::join_by_command`] joins it.
    pub(crate) async fn add(&mut self, name: &str) {
        let member = Plane::start(&self.scope).await;
        self.dialled.lock().insert(name.to_owned(), member.client.clone());
        self.members.insert(name.to_owned(), member);
    }

    /// Joins a member that the controllers reach through `client`.
    pub(crate) async fn join_behind(&mut self, name: &str, client: impl FnOnce(LocalService) -> Client) {
        let member = Plane::start(&self.scope).await;
        let client = client(member.api_server.local(admin()));
        self.join_through(name, member, client).await;
    }

    /// Joins a member with a credential that may do what `rules` of a ClusterRole `federation` say.
    pub(crate) async fn join_limited(&mut self, name: &str, rules: Value) {
        let member = Plane::start(&self.scope).await;
        let client = member.as_limited(rules).await;
        self.join_through(name, member, client).await;
    }

    /// Registers a member in pull mode, as `portolan register` does, without starting its agent.
    pub(crate) async fn register(&mut self, name: &str) {
        let member = Plane::start(&self.scope).await;
        self.members.insert(name.to_owned(), member);
        for namespace in ["karmada-cluster".to_owned(), format!("karmada-es-{name}")] {
            if self.hub.get("v1/Namespace", &namespace).await.is_none() {
                let namespace =
                    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
                self.hub.create(namespace).await;
            }
        }
        for role in agents::roles::of_agent(name) {
            self.hub.create(role.0).await;
        }
        self.hub
            .create(json!({ "apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster", "metadata": { "name": name },
                "spec": { "syncMode": "Pull", "apiEndpoint": format!("https://{name}.test") } }))
            .await;
    }

    /// Starts the agent of a member in pull mode; it ends with the scope that is returned, or with the federation.
    pub(crate) fn run_agent(&self, name: &str) -> Shutdown {
        self.run_agent_as(name, &self.members[name].client)
    }

    /// The same, with an account that may do in the cluster what `rules` of the ClusterRole `federation` say.
    pub(crate) async fn run_limited_agent(&self, name: &str, rules: Value) -> Shutdown {
        self.run_agent_as(name, &self.members[name].as_limited(rules).await)
    }

    fn run_agent_as(&self, name: &str, member: &Client) -> Shutdown {
        let short = Duration::from_millis(100);
        let options = AgentOptions {
            probing: self.probing,
            leasing: Leasing { name: String::new(), renewal: short, duration: short * 10 },
            ..AgentOptions::new(name)
        };
        let scope = self.scope.child();
        agent::start(&self.hub.as_agent(name), member, options, &scope);
        scope
    }

    async fn join_through(&mut self, name: &str, member: Plane, client: Client) {
        self.dialled.lock().insert(name.to_owned(), client);
        self.members.insert(name.to_owned(), member);
        self.join_by_object(name).await;
    }

    /// Creates the Cluster object of a member, and its Secret.
    pub(crate) async fn join_by_object(&self, name: &str) {
        if self.hub.get("v1/Namespace", "karmada-cluster").await.is_none() {
            self.hub
                .create(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "karmada-cluster" } }))
                .await;
        }
        self.hub
            .create(json!({ "apiVersion": "v1", "kind": "Secret", "data": { "token": "dG9rZW4=" },
                "metadata": { "namespace": "karmada-cluster", "name": name } }))
            .await;
        self.hub
            .create(json!({ "apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster", "metadata": { "name": name },
                "spec": { "syncMode": "Push", "apiEndpoint": format!("https://{name}.test"),
                    "insecureSkipTLSVerification": true,
                    "secretRef": { "namespace": "karmada-cluster", "name": name } } }))
            .await;
    }

    /// Waits until a member can be scheduled to.
    pub(crate) async fn is_ready(&self, name: &str) {
        let is_ready = |cluster: &Object| condition(cluster, "Ready") == "True" && taints(cluster).is_empty();
        self.hub.when(CLUSTER, name, is_ready).await;
    }

    pub(crate) fn member(&self, name: &str) -> &Plane {
        &self.members[name]
    }
}

impl Drop for Federation {
    fn drop(&mut self) {
        self.scope.request();
        self.members.values().for_each(|member| member.api_server.drain());
        self.hub.api_server.drain();
    }
}

pub(crate) const CLUSTER: &str = "cluster.karmada.io/v1alpha1/Cluster";
pub(crate) const BINDING: &str = "work.karmada.io/v1alpha2/ResourceBinding";
pub(crate) const WORK: &str = "work.karmada.io/v1alpha1/Work";
pub(crate) const CONFIG_MAP: &str = "v1/ConfigMap";
pub(crate) const DEPLOYMENT: &str = "apps/v1/Deployment";

/// The status of a condition, empty when it is not there.
pub(crate) fn condition(object: &Object, kind: &str) -> String {
    let conditions = object.at(&["status", "conditions"]).and_then(Value::as_array);
    let found = conditions.into_iter().flatten().find(|condition| condition["type"] == kind);
    found.and_then(|condition| condition["status"].as_str()).unwrap_or_default().to_owned()
}

/// The message of a condition.
pub(crate) fn message(object: &Object, kind: &str) -> String {
    let conditions = object.at(&["status", "conditions"]).and_then(Value::as_array);
    let found = conditions.into_iter().flatten().find(|condition| condition["type"] == kind);
    found.and_then(|condition| condition["message"].as_str()).unwrap_or_default().to_owned()
}

/// The keys of a cluster's taints.
pub(crate) fn taints(cluster: &Object) -> Vec<String> {
    let taints = cluster.at(&["spec", "taints"]).and_then(Value::as_array).into_iter().flatten();
    taints.map(|taint| taint["key"].as_str().unwrap_or_default().to_owned()).collect()
}

/// A ConfigMap in `default`.
pub(crate) fn config_map(name: &str, data: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "namespace": "default", "name": name },
        "data": { "k": data } })
}

/// A Deployment in `default`.
pub(crate) fn deployment(name: &str, replicas: u32) -> Value {
    json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "namespace": "default", "name": name },
        "spec": { "replicas": replicas, "selector": { "matchLabels": { "app": name } },
            "template": { "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "web", "image": "nginx" }] } } } })
}

/// A PropagationPolicy in `default` for one object.
pub(crate) fn policy(name: &str, kind: &str, object: &str, clusters: &[&str]) -> Value {
    let (api_version, kind) = kind.rsplit_once('/').expect("apiVersion/Kind");
    json!({ "apiVersion": "policy.karmada.io/v1alpha1", "kind": "PropagationPolicy",
        "metadata": { "namespace": "default", "name": name },
        "spec": { "resourceSelectors": [{ "apiVersion": api_version, "kind": kind, "name": object }],
            "placement": { "clusterAffinity": { "clusterNames": clusters } } } })
}
