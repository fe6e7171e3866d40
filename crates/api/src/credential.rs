//! The Secret with the credential of a cluster, and where that credential may be sent.
//!
//! The spec of a Cluster decides where requests with the token go. A user who may write Clusters must not get a token by
//! naming another Secret or another address. So an annotation of the Secret names the Cluster and the address that it is for;
//! `join` writes it, and users who may write the Secret can change it. The token is sent to no other address.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use portolan_object::{Object, ObjectKey};

use crate::annotations;
use crate::cluster::Cluster;
use crate::kind::Kind;
use crate::names;

/// Everything that decides where a credential is sent and how the receiver is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CredentialTarget {
    /// Name of the Cluster.
    pub cluster: String,
    /// Its uid.
    pub uid: String,
    /// `spec.apiEndpoint`.
    pub address: String,
    /// `spec.proxyURL`; empty without a proxy.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub proxy: String,
    /// `sha256:` and the digest of the CA in the Secret, or `none` if the certificate is not verified.
    pub ca: String,
}

impl CredentialTarget {
    /// The target that `cluster` names, verified with `ca_pem`.
    pub fn of(cluster: &Cluster, ca_pem: &[u8]) -> Self {
        let spec = &cluster.spec;
        let ca = match spec.insecure_skip_tls_verification {
            true => "none".to_owned(),
            false => format!("sha256:{}", hex(&Sha256::digest(ca_pem))),
        };
        Self {
            cluster: cluster.metadata.name.clone(),
            uid: cluster.metadata.uid.clone(),
            address: spec.api_endpoint.clone(),
            proxy: spec.proxy_url.clone(),
            ca,
        }
    }

    /// The value of the annotation.
    pub fn annotation(&self) -> String {
        json!(self).to_string()
    }

    /// The fields in which `other` differs, for people.
    fn differences(&self, other: &Self) -> Vec<String> {
        let fields = [
            ("the Cluster", &self.cluster, &other.cluster),
            ("the uid of the Cluster", &self.uid, &other.uid),
            ("spec.apiEndpoint", &self.address, &other.address),
            ("spec.proxyURL", &self.proxy, &other.proxy),
            ("the CA", &self.ca, &other.ca),
        ];
        let changed = fields.into_iter().filter(|(_, bound, present)| bound != present);
        changed.map(|(name, bound, present)| format!("{name} was {bound:?} and is {present:?}")).collect()
    }
}

/// Why a Secret is used for a Cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// It says so.
    Bound,
    /// It says nothing yet, and it is where `join` puts the credential of this Cluster. It is bound to the present target
    /// before it is used.
    FirstUse(CredentialTarget),
}

/// Why a Secret is not used for a Cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// The Secret is in another namespace.
    #[error(
        "spec.secretRef names secret {0}, but credentials of clusters are only taken from namespace {namespace}: run \
         `portolan join`, or create the Secret there",
        namespace = names::CLUSTER_NAMESPACE
    )]
    Namespace(ObjectKey),
    /// The Secret is not bound, and not where `join` puts the credential of this Cluster.
    #[error("secret {secret} does not say that it is for this cluster: {}", cure(secret, wanted))]
    Unbound {
        /// The Secret.
        secret: ObjectKey,
        /// The present target.
        wanted: Box<CredentialTarget>,
    },
    /// The Secret is bound to something else.
    #[error(
        "the credential in secret {secret} is not for this address: {}. Nothing is sent with it. If this change is \
         intended: {}", changes.join(", "), cure(secret, wanted)
    )]
    Elsewhere {
        /// The Secret.
        secret: ObjectKey,
        /// What differs.
        changes: Vec<String>,
        /// The present target.
        wanted: Box<CredentialTarget>,
    },
}

fn cure(secret: &ObjectKey, wanted: &CredentialTarget) -> String {
    format!(
        "run `portolan join {}` again, or, if you may write the Secret and trust {}, `kubectl -n {} annotate secret {} \
         --overwrite {}='{}'`",
        wanted.cluster,
        wanted.address,
        secret.namespace,
        secret.name,
        annotations::credential::TARGET,
        wanted.annotation().replace('\'', r"'\''"),
    )
}

/// Whether the credential in `secret`, with the CA `ca_pem`, may be sent to the address in `cluster`.
///
/// # Errors
/// [`Distrust`]; its text names the cure.
pub fn trust(cluster: &Cluster, secret: &Object, ca_pem: &[u8]) -> Result<Trust, Distrust> {
    trust_named(cluster, secret, ca_pem, &cluster.metadata.name)
}

/// [`trust`] for the Secret of the account that impersonates users. Without annotation it is used if it has the name that
/// `join` and Karmada's agent give it.
///
/// # Errors
/// [`Distrust`]; its text names the cure.
pub fn trust_impersonator(cluster: &Cluster, secret: &Object, ca_pem: &[u8]) -> Result<Trust, Distrust> {
    trust_named(cluster, secret, ca_pem, &names::impersonation_secret(&cluster.metadata.name))
}

/// [`trust`]; `name` is the name that the Secret must have if it has no annotation.
fn trust_named(cluster: &Cluster, secret: &Object, ca_pem: &[u8], name: &str) -> Result<Trust, Distrust> {
    let key = secret.key();
    if key.namespace != names::CLUSTER_NAMESPACE {
        return Err(Distrust::Namespace(key));
    }
    let wanted = CredentialTarget::of(cluster, ca_pem);
    let Some(annotation) = secret.annotation(annotations::credential::TARGET) else {
        return match is_of_cluster(secret, cluster, name) {
            true => Ok(Trust::FirstUse(wanted)),
            false => Err(Distrust::Unbound { secret: key, wanted: Box::new(wanted) }),
        };
    };
    let changes = match serde_json::from_str::<CredentialTarget>(annotation) {
        Ok(bound) if bound == wanted => return Ok(Trust::Bound),
        Ok(bound) => bound.differences(&wanted),
        Err(error) => {
            vec![format!("its annotation {} cannot be read ({error})", annotations::credential::TARGET)]
        }
    };
    Err(Distrust::Elsewhere { secret: key, changes, wanted: Box::new(wanted) })
}

/// Whether a Secret without annotation is the one that `join`, karmadactl and older releases make for this Cluster: it has
/// the name that they give it, and no other Cluster owns it.
fn is_of_cluster(secret: &Object, cluster: &Cluster, name: &str) -> bool {
    let is_opaque = matches!(secret.str_at(&["type"]), "" | "Opaque");
    let owners = secret.at(&["metadata", "ownerReferences"]).and_then(Value::as_array);
    let mut clusters = owners.into_iter().flatten().filter(|owner| owner["kind"] == Cluster::KIND);
    is_opaque && secret.name() == name && clusters.all(|owner| owner["uid"] == cluster.metadata.uid.as_str())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
