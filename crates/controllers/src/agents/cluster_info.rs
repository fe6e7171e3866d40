//! `kube-public/cluster-info`: address and authority of a control plane, for clients that have only a token.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portolan_api::agents::token::Token;
use portolan_api::resources;
use portolan_net::bootstrap::{is_signed, public_key_hashes};
use portolan_object::{Object, ObjectKey};
use portolan_runtime::client::{ConnectError, Endpoint};
use portolan_runtime::{Client, ClientError};

/// Key of the kubeconfig.
const KUBECONFIG: &str = "kubeconfig";
/// Keys of signatures; the id of the token follows.
const SIGNATURE: &str = "jws-kubeconfig-";

/// Why the address and the authority of a control plane are not known.
#[derive(Debug, thiserror::Error)]
pub enum ClusterInfoError {
    /// The ConfigMap cannot be read.
    #[error("cannot read the ConfigMap kube-public/cluster-info of the control plane: {0}")]
    Read(#[from] ClientError),
    /// The address cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It has no kubeconfig with a server.
    #[error(
        "the ConfigMap kube-public/cluster-info has no kubeconfig with the address of the control plane: {0}"
    )]
    Malformed(String),
    /// It has no authority.
    #[error("the ConfigMap kube-public/cluster-info has no certificate of an authority")]
    NoAuthority,
    /// The token did not sign it.
    #[error(
        "the control plane does not know the token {id}.…, or it has expired: `portolan token list` shows the valid ones, \
         `portolan token create` makes one"
    )]
    NotSigned {
        /// Public half of the token.
        id: String,
    },
    /// The authority is not the expected one.
    #[error(
        "the authority of the control plane is {found}, not one of {}: another server answers at this address, or the hash \
         is an old one; `portolan token create` prints the present one",
        expected.join(", ")
    )]
    OtherAuthority {
        /// What answered.
        found: String,
        /// What was asked for.
        expected: Vec<String>,
    },
}

/// The content of the ConfigMap.
#[derive(Debug)]
pub(super) struct ClusterInfo(Object);

impl ClusterInfo {
    /// Reads it; everybody may.
    pub(super) async fn read(hub: &Client) -> Result<Self, ClusterInfoError> {
        let key = ObjectKey::namespaced("kube-public", "cluster-info");
        Ok(Self(hub.resource::<Object>(&resources::CONFIG_MAP.into()).get(&key).await?))
    }

    fn kubeconfig(&self) -> &str {
        self.0.str_at(&["data", KUBECONFIG])
    }

    /// URL and authority (PEM) of the control plane.
    pub(super) fn server(&self) -> Result<(String, String), ClusterInfoError> {
        let malformed = |problem: String| ClusterInfoError::Malformed(problem);
        let documents = portolan_object::yaml::parse_documents(self.kubeconfig());
        let documents = documents.map_err(|error| malformed(error.to_string()))?;
        let config = documents.first().ok_or_else(|| malformed("it is empty".to_owned()))?;
        let cluster = &config["clusters"][0]["cluster"];
        let server = cluster["server"].as_str().ok_or_else(|| malformed("no server".to_owned()))?;
        let encoded = cluster["certificate-authority-data"].as_str().unwrap_or_default();
        let ca_pem = STANDARD.decode(encoded).ok().and_then(|pem| String::from_utf8(pem).ok());
        let ca_pem = ca_pem.filter(|pem| !pem.is_empty()).ok_or(ClusterInfoError::NoAuthority)?;
        Ok((server.to_owned(), ca_pem))
    }

    /// The same, if `token` signed it and the authority has one of `hashes`; all authorities if these are empty.
    pub(super) fn verified(
        &self,
        token: &Token,
        hashes: &[String],
    ) -> Result<(String, String), ClusterInfoError> {
        let signature = self.0.str_at(&["data", &format!("{SIGNATURE}{}", token.id)]);
        if !is_signed(self.kubeconfig(), signature, &token.secret) {
            return Err(ClusterInfoError::NotSigned { id: token.id.clone() });
        }
        let (server, ca_pem) = self.server()?;
        let found = public_key_hashes(ca_pem.as_bytes());
        if !hashes.is_empty() && !found.iter().any(|hash| hashes.contains(hash)) {
            return Err(ClusterInfoError::OtherAuthority {
                found: found.join(", "),
                expected: hashes.to_vec(),
            });
        }
        Ok((server, ca_pem))
    }
}

/// The control plane at `address` (`HOST:PORT` or an https URL), with the authority that `token` signs and that has one of
/// `hashes`. Nothing secret is sent before that.
///
/// # Errors
/// When it does not know the token, or has another authority.
pub async fn verified_server(
    address: &str,
    token: &Token,
    hashes: &[String],
) -> Result<Endpoint, ClusterInfoError> {
    let url = if address.contains("://") { address.to_owned() } else { format!("https://{address}") };
    let unverified = Endpoint { url: url.clone(), insecure_skip_verify: true, ..Endpoint::default() };
    let info = ClusterInfo::read(&Client::connect(unverified)?).await?;
    let (_, ca_pem) = info.verified(token, hashes)?;
    Ok(Endpoint { url, ca_pem: ca_pem.into_bytes(), ..Endpoint::default() })
}
