//! Where requests for `clusters/NAME/proxy` go: the API server of the cluster, as the user who sent them.
//!
//! The request is authorized here as verb `get`, `create`, … on `clusters/proxy`. In the cluster it is authorized as the
//! same user, whom the account of the impersonator Secret impersonates; `controllers/src/clusters/impersonation.rs` gives
//! this account the right to impersonate those who may use the proxy. Upstream: karmada pkg/util/proxy/proxy.go.

use std::sync::{Arc, OnceLock};

use futures::FutureExt;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use portolan_api::Kind;
use portolan_api::cluster::Cluster;
use portolan_api::resources;
use portolan_apiserver::User;
use portolan_apiserver::auth::user;
use portolan_apiserver::proxy::{Accept, Announced, Backend, BackendDialer, Backends, Connection, Locating};
use portolan_net::tunnel::Tunnels;
use portolan_object::{Object, ObjectKey, Status};
use portolan_runtime::client::{Address, http_1_config};
use portolan_runtime::members::{Dial, endpoint, impersonator_token};
use portolan_runtime::{Client, ClientError};

const IMPERSONATE_USER: HeaderName = HeaderName::from_static("impersonate-user");
const IMPERSONATE_GROUP: HeaderName = HeaderName::from_static("impersonate-group");

/// The API servers of the clusters.
#[derive(Default)]
pub(crate) struct ClusterServers {
    /// Reads Clusters and Secrets; unset until the server has started.
    client: OnceLock<Client>,
    /// The tunnels of the agents.
    tunnels: Tunnels,
}

impl ClusterServers {
    /// Lets requests be forwarded from now on.
    pub(crate) fn connect(&self, client: &Client) {
        // A second client would be one of the same server.
        let _first = self.client.set(client.clone());
    }

    /// How members are dialled: those with an agent through its tunnel, all others over TCP.
    pub(crate) fn dial(&self) -> Dial {
        let tunnels = self.tunnels.clone();
        Arc::new(move |name, endpoint| match endpoint.is_tunnelled {
            true => {
                let (tunnels, name) = (tunnels.clone(), name.to_string());
                let dialer = move || {
                    let (tunnels, name) = (tunnels.clone(), name.clone());
                    let dialling = async move { tunnels.dial(&name).await };
                    dialling.boxed()
                };
                Client::connect_through(endpoint, Arc::new(dialer))
            }
            false => Client::connect(endpoint),
        })
    }

    async fn backend(&self, name: &str, user: &User) -> Result<Backend, Status> {
        let client = self.client.get().ok_or_else(|| unavailable(name, "the control plane is starting"))?;
        let cluster = client.kind::<Cluster>().get(&ObjectKey::cluster(name)).await;
        let cluster = cluster.map_err(|error| status_of(name, &error))?;
        let spec = &cluster.spec;
        let Some(reference) = &spec.secret_ref else {
            return Err(unavailable(name, "the Cluster has no spec.secretRef with the CA of its API server"));
        };
        let secret = secret(client, &reference.namespace, &reference.name);
        let secret = secret.await.map_err(|error| unavailable(name, &error.to_string()))?;
        let (endpoint, _) =
            endpoint(&cluster, &secret).map_err(|error| unavailable(name, &error.to_string()))?;
        let Some(reference) = &spec.impersonator_secret_ref else {
            return Err(unavailable(
                name,
                "the Cluster has no spec.impersonatorSecretRef, so no user can be impersonated there",
            ));
        };
        let impersonator = self::secret(client, &reference.namespace, &reference.name);
        let impersonator = impersonator.await.map_err(|error| unavailable(name, &error.to_string()))?;
        let token = impersonator_token(&cluster, &impersonator, &endpoint.ca_pem)
            .map_err(|error| unavailable(name, &error.to_string()))?;
        let address = Address::parse(&endpoint.url).map_err(|error| unavailable(name, &error.to_string()))?;
        let tls = match address.is_tls {
            true => {
                let config = http_1_config(&endpoint);
                Some(Arc::new(config.map_err(|error| unavailable(name, &error.to_string()))?))
            }
            false => None,
        };
        let identity = identity(&token, user).ok_or_else(|| {
            unavailable(name, "the name of the user or the token cannot be sent in a header")
        })?;
        let dialer = endpoint.is_tunnelled.then(|| self.dialer(name));
        Ok(Backend { host: address.host, port: address.port, prefix: address.prefix, tls, identity, dialer })
    }
}

impl ClusterServers {
    /// Connects through the tunnel of a cluster.
    fn dialer(&self, name: &str) -> BackendDialer {
        let (tunnels, name) = (self.tunnels.clone(), name.to_owned());
        Arc::new(move || {
            let (tunnels, name) = (tunnels.clone(), name.clone());
            Box::pin(async move { Ok(Box::new(tunnels.dial(&name).await?) as Box<dyn Connection>) })
        })
    }
}

impl Backends for ClusterServers {
    fn announced(&self) -> Vec<Announced> {
        let (group, resource) = (Cluster::GROUP, Cluster::PLURAL);
        vec![Announced { group, resource, subresource: "proxy", kind: "ClusterProxyOptions" }]
    }

    fn answers(&self, group: &str, resource: &str, subresource: &str) -> bool {
        (group, resource) == (Cluster::GROUP, Cluster::PLURAL) && matches!(subresource, "proxy" | "tunnel")
    }

    fn accept(&self, subresource: &str, name: &str) -> Option<Accept> {
        let (tunnels, name) = (self.tunnels.clone(), name.to_owned());
        (subresource == "tunnel").then(|| -> Accept {
            Box::new(move |stream| {
                Box::pin(async move {
                    if let Err(error) = tunnels.accept(&name, stream).await {
                        tracing::debug!(cluster = name, %error, "a tunnel broke");
                    }
                })
            })
        })
    }

    fn locate<'a>(&'a self, name: &'a str, user: &'a User) -> Locating<'a> {
        Box::pin(self.backend(name, user))
    }
}

async fn secret(client: &Client, namespace: &str, name: &str) -> Result<Object, ClientError> {
    client.resource::<Object>(&resources::SECRET.into()).get(&ObjectKey::namespaced(namespace, name)).await
}

/// The headers of a user who is impersonated with `token`; `None` if they cannot be sent. The groups of all users are added
/// by the cluster itself.
fn identity(token: &str, user: &User) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    let mut authorization = HeaderValue::try_from(format!("Bearer {}", token.trim())).ok()?;
    authorization.set_sensitive(true);
    headers.insert(AUTHORIZATION, authorization);
    headers.insert(IMPERSONATE_USER, HeaderValue::try_from(&*user.name).ok()?);
    let implied = [user::AUTHENTICATED, user::UNAUTHENTICATED];
    for group in user.groups.iter().filter(|group| !implied.contains(&group.as_str())) {
        headers.append(IMPERSONATE_GROUP, HeaderValue::try_from(&**group).ok()?);
    }
    Some(headers)
}

fn status_of(name: &str, error: &ClientError) -> Status {
    error.status().cloned().unwrap_or_else(|| unavailable(name, &error.to_string()))
}

fn unavailable(name: &str, problem: &str) -> Status {
    Status::new(
        503,
        "ServiceUnavailable",
        format!("cluster {name} cannot be reached through the proxy: {problem}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cluster_sees_the_user_and_adds_the_groups_of_all_users_itself() {
        let eve = User::new("eve", ["devs", "ops"]);
        let headers = identity("secret\n", &eve).expect("headers");
        assert_eq!(headers[AUTHORIZATION], "Bearer secret");
        assert_eq!(headers[IMPERSONATE_USER], "eve");
        let groups: Vec<_> = headers.get_all(IMPERSONATE_GROUP).iter().collect();
        assert_eq!(groups, ["devs", "ops"]);
        assert!(identity("secret", &User::new("e\nve", ["a"])).is_none(), "no headers can be smuggled in");
    }
}
