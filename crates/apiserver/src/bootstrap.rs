//! Writes the objects that every cluster has: system namespaces and priority classes, default roles and bindings, the
//! ConfigMaps `kube-public/cluster-info` and `kube-system/extension-apiserver-authentication`, the Service
//! `default/kubernetes` with its endpoints, and the ServiceCIDR.
//!
//! They are written through the API of the server, so that defaults and validation apply to them. Namespaces, classes and
//! the Service are created if missing and otherwise left unchanged; roles and bindings get the rules and subjects that
//! they lack.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use ipnet::IpNet;
use portolan_object::Status;
use serde_json::{Value, json};
use tower::Service as _;

use crate::aggregator::{AUTHENTICATION, authentication_config, authentication_reader};
use crate::auth::bootstrap as roles;
use crate::cluster_info;
use crate::damage;
use crate::service::LocalService;

/// Namespaces that are created if missing.
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// Priority classes that are created if missing: name, value and description.
const PRIORITY_CLASSES: [(&str, i64, &str); 2] = [
    (
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
    (
        "system-node-critical",
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
];

/// `User-Agent` of these writes; it becomes their field manager.
const AGENT: &str = "kube-apiserver";

/// An object that every cluster has could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {object}")]
pub struct BootstrapError {
    /// The path of the object.
    pub object: String,
    /// The reply of the server.
    #[source]
    pub source: Status,
}

/// How clients reach the server.
pub(crate) struct Published {
    /// Address of the Service `default/kubernetes`.
    pub(crate) address: Option<IpAddr>,
    /// Endpoint of the Service `default/kubernetes`. Without it and without an address, there is no such Service.
    pub(crate) endpoint: Option<SocketAddr>,
    /// Ranges of Service addresses.
    pub(crate) ranges: Vec<IpNet>,
    /// The time, in `metav1.Time` format.
    pub(crate) now: String,
    /// The kubeconfig in `kube-public/cluster-info`; `None`: no such ConfigMap.
    pub(crate) cluster_info: Option<String>,
    /// The authority of the certificate with which the server asks other API servers, PEM.
    pub(crate) front_proxy_authority: String,
    /// The authority of the server's clients, PEM.
    pub(crate) client_authority: Option<String>,
}

/// Writes missing objects as the user of `service`, which must be allowed everything.
///
/// # Errors
/// At the first object that cannot be written.
pub(crate) async fn write(service: LocalService, published: Published) -> Result<(), BootstrapError> {
    let mut client = Client(service);
    for name in NAMESPACES {
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        client.ensure("/api/v1/namespaces", &namespace).await?;
    }
    let root = "/apis/rbac.authorization.k8s.io/v1";
    for role in roles::cluster_roles() {
        client.reconcile(&format!("{root}/clusterroles"), &role).await?;
    }
    for binding in roles::cluster_role_bindings() {
        client.reconcile(&format!("{root}/clusterrolebindings"), &binding).await?;
    }
    if let Some(kubeconfig) = &published.cluster_info {
        client.publish_cluster_info(kubeconfig).await?;
    }
    client.ensure(&format!("{root}/namespaces/kube-system/roles"), &authentication_reader()).await?;
    let client_authority = published.client_authority.as_deref();
    client
        .publish_authentication(&authentication_config(&published.front_proxy_authority, client_authority))
        .await?;
    for (name, value, description) in PRIORITY_CLASSES {
        let class = json!({ "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
            "metadata": { "name": name }, "value": value, "description": description });
        client.ensure("/apis/scheduling.k8s.io/v1/priorityclasses", &class).await?;
    }
    client.publish_ranges(&published.ranges, &published.now).await?;
    if published.address.is_some() || published.endpoint.is_some() {
        client.publish_service(published.address, published.endpoint).await?;
    }
    match published.endpoint {
        Some(endpoint) => client.publish_endpoint(endpoint).await,
        None => Ok(()),
    }
}

/// A client of the server in this process.
struct Client(LocalService);

/// A reply that is not a success.
enum Failure {
    /// 404, which callers expect.
    Missing,
    /// The stored object is damaged.
    Damaged,
    Other(Status),
}

/// The stored object of a path.
enum Found {
    Object(Value),
    Missing,
    Damaged,
}

impl Client {
    async fn send(&mut self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let bytes = body.map(ToString::to_string).unwrap_or_default();
        let request = Request::builder().method(method).uri(path).header(http::header::USER_AGENT, AGENT);
        let request = request
            .body(Full::new(Bytes::from(bytes)))
            .map_err(|error| Failure::Other(Status::internal(error)))?;
        let Ok(response) = self.0.call(request).await;
        let code = response.status();
        let body =
            response.into_body().collect().await.map_err(|error| Failure::Other(Status::internal(error)))?;
        let answer: Value = serde_json::from_slice(&body.to_bytes())
            .map_err(|error| Failure::Other(Status::internal(error)))?;
        match code {
            code if code.is_success() => Ok(answer),
            StatusCode::NOT_FOUND => Err(Failure::Missing),
            _ => match serde_json::from_value::<Status>(answer).unwrap_or_else(Status::internal) {
                status if status.reason == damage::REASON => Err(Failure::Damaged),
                status => Err(Failure::Other(status)),
            },
        }
    }

    async fn find(&mut self, collection: &str, name: &str) -> Result<Found, BootstrapError> {
        let path = format!("{collection}/{name}");
        match self.send(Method::GET, &path, None).await {
            Ok(found) => Ok(Found::Object(found)),
            Err(Failure::Missing) => Ok(Found::Missing),
            Err(Failure::Damaged) => Ok(Found::Damaged),
            Err(Failure::Other(source)) => Err(BootstrapError { object: path, source }),
        }
    }

    async fn write(&mut self, method: Method, path: &str, object: &Value) -> Result<(), BootstrapError> {
        match self.send(method, path, Some(object)).await {
            Ok(_) => Ok(()),
            Err(Failure::Damaged) => {
                tracing::error!(path, "an object that every cluster has cannot be written");
                Ok(())
            }
            Err(Failure::Other(source)) => Err(BootstrapError { object: path.to_owned(), source }),
            Err(Failure::Missing) => {
                let source = Status::new(404, "NotFound", "the path does not exist");
                Err(BootstrapError { object: path.to_owned(), source })
            }
        }
    }

    /// Creates an object if it is missing.
    async fn ensure(&mut self, collection: &str, object: &Value) -> Result<(), BootstrapError> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        match self.find(collection, name).await? {
            Found::Object(_) | Found::Damaged => Ok(()),
            Found::Missing => self.write(Method::POST, collection, object).await,
        }
    }

    /// Creates a role or binding if it is missing, and adds the rules or subjects that an existing one lacks.
    async fn reconcile(&mut self, collection: &str, wanted: &Value) -> Result<(), BootstrapError> {
        let name = wanted["metadata"]["name"].as_str().unwrap_or_default();
        let existing = match self.find(collection, name).await? {
            Found::Object(object) => Some(object),
            Found::Missing => None,
            // It was logged when the store was opened.
            Found::Damaged => return Ok(()),
        };
        match (roles::reconcile(existing.as_ref(), wanted), existing) {
            (None, _) => Ok(()),
            (Some(object), None) => self.write(Method::POST, collection, &object).await,
            (Some(object), Some(_)) => {
                self.write(Method::PUT, &format!("{collection}/{name}"), &object).await
            }
        }
    }

    /// Writes how other API servers authenticate the requests of this one.
    async fn publish_authentication(&mut self, wanted: &Value) -> Result<(), BootstrapError> {
        let collection = "/api/v1/namespaces/kube-system/configmaps";
        match self.find(collection, AUTHENTICATION).await? {
            Found::Missing => self.write(Method::POST, collection, wanted).await,
            Found::Damaged => Ok(()),
            Found::Object(held) if held["data"] == wanted["data"] => Ok(()),
            Found::Object(mut held) => {
                held["data"] = wanted["data"].clone();
                self.write(Method::PUT, &format!("{collection}/{AUTHENTICATION}"), &held).await
            }
        }
    }

    /// Makes `kubeconfig` the content of `kube-public/cluster-info`; signatures of another content are replaced later.
    async fn publish_cluster_info(&mut self, kubeconfig: &str) -> Result<(), BootstrapError> {
        let [(config_maps, config_map), role, binding] = cluster_info::objects(kubeconfig);
        match self.find(config_maps, "cluster-info").await? {
            Found::Missing => self.write(Method::POST, config_maps, &config_map).await?,
            Found::Damaged => {}
            Found::Object(held) if held["data"]["kubeconfig"] == kubeconfig => {}
            Found::Object(mut held) => {
                held["data"]["kubeconfig"] = json!(kubeconfig);
                self.write(Method::PUT, &format!("{config_maps}/cluster-info"), &held).await?;
            }
        }
        for (collection, object) in [role, binding] {
            self.ensure(collection, &object).await?;
        }
        Ok(())
    }

    /// Writes the ServiceCIDR with the ranges of the server, which are in use from the start.
    async fn publish_ranges(&mut self, ranges: &[IpNet], now: &str) -> Result<(), BootstrapError> {
        if ranges.is_empty() {
            return Ok(());
        }
        let (collection, name) = ("/apis/networking.k8s.io/v1/servicecidrs", "kubernetes");
        let path = format!("{collection}/{name}");
        let cidrs: Vec<String> = ranges.iter().map(ToString::to_string).collect();
        let mut cidr = match self.find(collection, name).await? {
            Found::Damaged => return Ok(()),
            Found::Object(held) if held["spec"]["cidrs"] == json!(cidrs) => return Ok(()),
            // The server was started with other ranges before.
            Found::Object(mut held) => {
                held["spec"]["cidrs"] = json!(cidrs);
                self.write(Method::PUT, &path, &held).await?;
                return Ok(());
            }
            Found::Missing => json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": { "name": name },
                "spec": { "cidrs": cidrs },
            }),
        };
        self.write(Method::POST, collection, &cidr).await?;
        let ready = json!({ "type": "Ready", "status": "True", "reason": "", "observedGeneration": 1,
            "lastTransitionTime": now, "message": "Kubernetes Service CIDR is ready" });
        cidr["status"] = json!({ "conditions": [ready] });
        self.write(Method::PUT, &format!("{path}/status"), &cidr).await
    }

    /// Creates the Service `default/kubernetes`.
    async fn publish_service(
        &mut self,
        address: Option<IpAddr>,
        endpoint: Option<SocketAddr>,
    ) -> Result<(), BootstrapError> {
        let target = endpoint.map_or(6443, |endpoint| endpoint.port());
        let port = json!({ "name": "https", "port": 443, "protocol": "TCP", "targetPort": target });
        let labels = json!({ "component": "apiserver", "provider": "kubernetes" });
        let service = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": "kubernetes", "namespace": "default", "labels": labels },
            "spec": { "type": "ClusterIP", "sessionAffinity": "None", "ports": [port] },
        });
        let collection = "/api/v1/namespaces/default/services";
        let Some(address) = address else { return self.ensure(collection, &service).await };
        let mut at_address = service.clone();
        at_address["spec"]["clusterIP"] = json!(address.to_string());
        match self.ensure(collection, &at_address).await {
            // Another Service may have had the address before this one was made here.
            Err(BootstrapError { source, .. }) if source.code == 422 => {
                self.ensure(collection, &service).await
            }
            outcome => outcome,
        }
    }

    /// Makes `endpoint` the endpoint of the Service `default/kubernetes`.
    async fn publish_endpoint(&mut self, endpoint: SocketAddr) -> Result<(), BootstrapError> {
        let ports = json!([{ "name": "https", "port": endpoint.port(), "protocol": "TCP" }]);
        let endpoints = json!({
            "apiVersion": "v1", "kind": "Endpoints",
            // The slice is written here as well.
            "metadata": { "name": "kubernetes", "namespace": "default",
                          "labels": { "endpointslice.kubernetes.io/skip-mirror": "true" } },
            "subsets": [{ "addresses": [{ "ip": endpoint.ip().to_string() }], "ports": ports }],
        });
        self.replace("/api/v1/namespaces/default/endpoints", &endpoints).await?;
        let family = if endpoint.is_ipv4() { "IPv4" } else { "IPv6" };
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": { "name": "kubernetes", "namespace": "default",
                          "labels": { "kubernetes.io/service-name": "kubernetes" } },
            "addressType": family,
            "endpoints": [{ "addresses": [endpoint.ip().to_string()], "conditions": { "ready": true } }],
            "ports": ports,
        });
        self.replace("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", &slice).await
    }

    /// Creates or replaces an object.
    async fn replace(&mut self, collection: &str, object: &Value) -> Result<(), BootstrapError> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        match self.find(collection, name).await? {
            Found::Missing => self.write(Method::POST, collection, object).await,
            Found::Object(_) | Found::Damaged => {
                self.write(Method::PUT, &format!("{collection}/{name}"), object).await
            }
        }
    }
}
