//! The kubeconfig by which an agent reaches the control plane: written by `register`, read and renewed by the agent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portolan_api::agents;
use portolan_net::kubeconfig::{Cluster, Context, Kubeconfig, NamedCluster, NamedContext, NamedUser, User};
use portolan_runtime::client::{Credential, Endpoint};
use serde_json::Value;

/// Name of the control plane in the kubeconfig; karmadactl's.
const CONTROL_PLANE: &str = "karmada-apiserver";

/// The kubeconfig of the agent of `cluster`, YAML.
pub fn agent_kubeconfig(cluster: &str, endpoint: &Endpoint) -> String {
    let mut user = User::default();
    if let Credential::Certificate { chain_pem, key_pem } = &endpoint.credential {
        user.client_certificate_data = Some(STANDARD.encode(chain_pem));
        user.client_key_data = Some(STANDARD.encode(key_pem));
    }
    let name = agents::user(cluster);
    let context =
        Context { cluster: CONTROL_PLANE.to_owned(), user: cluster.to_owned(), ..Context::default() };
    Kubeconfig {
        clusters: vec![NamedCluster {
            name: CONTROL_PLANE.to_owned(),
            cluster: Cluster::new(&*endpoint.url, &String::from_utf8_lossy(&endpoint.ca_pem)),
        }],
        users: vec![NamedUser { name: cluster.to_owned(), user }],
        contexts: vec![NamedContext { name: name.clone(), context }],
        current_context: Some(name),
        ..Kubeconfig::new()
    }
    .to_yaml()
}

/// A kubeconfig that is not one of an agent.
#[derive(Debug, thiserror::Error)]
#[error("the kubeconfig of the agent cannot be used: {0}; `portolan register` writes a new one")]
pub struct KubeconfigError(String);

/// Reads the kubeconfig of an agent: the control plane and the name of the cluster.
///
/// # Errors
/// When it lacks something.
pub fn read_agent_kubeconfig(text: &str) -> Result<(String, Endpoint), KubeconfigError> {
    let missing = |what: &str| KubeconfigError(format!("it has no {what}"));
    let documents = portolan_object::yaml::parse_documents(text);
    let documents = documents.map_err(|error| KubeconfigError(error.to_string()))?;
    let config = documents.first().ok_or_else(|| missing("content"))?;
    let (cluster, user) = (&config["clusters"][0]["cluster"], &config["users"][0]);
    let decoded = |value: &Value, what: &str| {
        let decoded = value.as_str().and_then(|text| STANDARD.decode(text).ok());
        decoded.filter(|bytes| !bytes.is_empty()).ok_or_else(|| missing(what))
    };
    let name = user["name"].as_str().ok_or_else(|| missing("user"))?;
    let endpoint = Endpoint {
        url: cluster["server"].as_str().ok_or_else(|| missing("server"))?.to_owned(),
        ca_pem: decoded(&cluster["certificate-authority-data"], "certificate-authority-data")?,
        credential: Credential::Certificate {
            chain_pem: decoded(&user["user"]["client-certificate-data"], "client-certificate-data")?,
            key_pem: decoded(&user["user"]["client-key-data"], "client-key-data")?,
        },
        ..Endpoint::default()
    };
    Ok((name.to_owned(), endpoint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_survives_its_text() {
        let endpoint = Endpoint {
            url: "https://hub:6443".to_owned(),
            ca_pem: b"ca".to_vec(),
            credential: Credential::Certificate { chain_pem: b"chain".to_vec(), key_pem: b"key".to_vec() },
            ..Endpoint::default()
        };
        let (name, read) = read_agent_kubeconfig(&agent_kubeconfig("eu", &endpoint)).unwrap();
        assert_eq!((name.as_str(), read), ("eu", endpoint));
        let error = read_agent_kubeconfig("kind: Config").unwrap_err();
        assert!(error.to_string().contains("portolan register"), "{error}");
    }
}
