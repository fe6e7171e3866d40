//! The identity by which other API servers know that a request comes from this one.
//!
//! The certificate is made at each start and exists in memory only, because its key is enough to act as any user there. Its
//! authority is the one that the embedding program keeps.

use std::time::Duration;

use jiff::Timestamp;
use portolan_net::pki::{Authority, Identity, PkiError};
use serde_json::{Value, json};

/// Name of the ConfigMap in `kube-system` that tells other API servers of the front proxy.
pub(crate) const AUTHENTICATION: &str = "extension-apiserver-authentication";
/// Common name of the client certificate.
const CLIENT: &str = "front-proxy-client";
/// Life of the certificate: that of its authority.
const LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// An authority and the client certificate that it has issued.
#[derive(Debug)]
pub(crate) struct FrontProxy {
    /// The authority, PEM.
    pub(crate) authority: String,
    /// The client certificate.
    pub(crate) identity: Identity,
}

impl FrontProxy {
    /// A certificate of `kept`, or of a new authority.
    ///
    /// # Errors
    /// When keys cannot be made.
    pub(crate) fn create(kept: Option<&Authority>, now: Timestamp) -> Result<Self, PkiError> {
        let made;
        let authority = match kept {
            Some(kept) => kept,
            None => {
                made = Authority::create("front-proxy-ca", now)?;
                &made
            }
        };
        let identity = authority.issue_client(CLIENT, None, LIFE, now)?;
        Ok(Self { authority: authority.certificate_pem().to_owned(), identity })
    }
}

/// The ConfigMap from which other API servers learn how requests of this server are authenticated; `client_ca` is the
/// authority of its own clients.
pub(crate) fn authentication_config(authority: &str, client_ca: Option<&str>) -> Value {
    let list = |items: &[&str]| json!(items).to_string();
    let mut data = json!({
        "requestheader-allowed-names": list(&[CLIENT]),
        "requestheader-client-ca-file": authority,
        "requestheader-extra-headers-prefix": list(&["X-Remote-Extra-"]),
        "requestheader-group-headers": list(&["X-Remote-Group"]),
        "requestheader-uid-headers": list(&["X-Remote-Uid"]),
        "requestheader-username-headers": list(&["X-Remote-User"]),
    });
    if let Some(client_ca) = client_ca {
        data["client-ca-file"] = json!(client_ca);
    }
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": data,
            "metadata": { "name": AUTHENTICATION, "namespace": "kube-system" } })
}

/// The role that may read that ConfigMap.
pub(crate) fn authentication_reader() -> Value {
    json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": { "name": "extension-apiserver-authentication-reader", "namespace": "kube-system",
                          "labels": { "kubernetes.io/bootstrapping": "rbac-defaults" },
                          "annotations": { "rbac.authorization.kubernetes.io/autoupdate": "true" } },
            "rules": [{ "apiGroups": [""], "resources": ["configmaps"],
                        "resourceNames": [AUTHENTICATION],
                        "verbs": ["get", "list", "watch"] }] })
}
