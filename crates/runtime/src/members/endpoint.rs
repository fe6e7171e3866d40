//! Reads address and credential of a member from its Cluster object and Secret. Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portolan_api::cluster::{Cluster, SyncMode};
use portolan_api::credential::{self, Distrust, Trust};
use portolan_object::{Object, ObjectKey};

use crate::client::{Credential, Endpoint};

/// Why a Cluster object and its Secret give no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// `spec.apiEndpoint` is empty.
    #[error("the cluster has no spec.apiEndpoint: give it the address, or run `portolan join` again")]
    NoAddress,
    /// `spec.proxyURL` is set.
    #[error("spec.proxyURL is not supported; give an apiEndpoint that can be reached directly")]
    Proxy,
    /// `spec.secretRef` is missing.
    #[error("the cluster has no spec.secretRef: name its Secret, or run `portolan join` again")]
    NoSecret,
    /// The Secret does not exist.
    #[error("secret {0} with the credential of the cluster does not exist: `portolan join` makes a new one")]
    SecretGone(ObjectKey),
    /// The Secret lacks a key, or its value cannot be used.
    #[error(
        "secret {secret} with the credential of the cluster has no usable {field:?}: `portolan join` makes a new one"
    )]
    Secret {
        /// The Secret.
        secret: ObjectKey,
        /// Key in its data.
        field: &'static str,
    },
    /// The credential is not for this cluster or not for this address.
    #[error(transparent)]
    Distrusted(#[from] Distrust),
}

/// Key of the Secret with the credential of a cluster.
pub(super) fn secret_key(cluster: &Cluster) -> Option<ObjectKey> {
    let reference = cluster.spec.secret_ref.as_ref().filter(|reference| !reference.name.is_empty())?;
    Some(ObjectKey::namespaced(&*reference.namespace, &*reference.name))
}

/// The endpoint of a cluster: `apiEndpoint` and `insecureSkipTLSVerification` of the Cluster, `token` and `caBundle` of its
/// Secret; and whether the Secret is bound to it.
///
/// # Errors
/// If one of these is missing, or the Secret is not for this cluster and address; see [`EndpointError`].
pub fn endpoint(cluster: &Cluster, secret: &Object) -> Result<(Endpoint, Trust), EndpointError> {
    let spec = &cluster.spec;
    if spec.api_endpoint.is_empty() {
        return Err(EndpointError::NoAddress);
    }
    if !spec.proxy_url.is_empty() {
        return Err(EndpointError::Proxy);
    }
    let insecure_skip_verify = spec.insecure_skip_tls_verification;
    let field = |field: &'static str| {
        let encoded = secret.str_at(&["data", field]);
        let decoded = STANDARD.decode(encoded).ok().filter(|decoded| !decoded.is_empty());
        decoded.ok_or_else(|| EndpointError::Secret { secret: secret.key(), field })
    };
    let ca_pem = if insecure_skip_verify { Vec::new() } else { field("caBundle")? };
    let trust = credential::trust(cluster, secret, &ca_pem)?;
    let token = String::from_utf8(field("token")?).ok().filter(|token| is_header(token.trim()));
    let token = token.ok_or_else(|| EndpointError::Secret { secret: secret.key(), field: "token" })?;
    let url = spec.api_endpoint.clone();
    let is_tunnelled = spec.sync_mode == SyncMode::Pull;
    let credential = Credential::Token(token);
    let endpoint = Endpoint { url, ca_pem, credential, insecure_skip_verify, is_tunnelled };
    Ok((endpoint, trust))
}

/// Whether a token can be sent in a header.
fn is_header(token: &str) -> bool {
    !token.is_empty() && !token.contains(char::is_control)
}

/// The token of the account that impersonates users in a cluster. `ca_pem` is the CA of its [`endpoint`].
///
/// # Errors
/// If the Secret has no token, or is not for this cluster and address.
pub fn impersonator_token(
    cluster: &Cluster,
    secret: &Object,
    ca_pem: &[u8],
) -> Result<String, EndpointError> {
    credential::trust_impersonator(cluster, secret, ca_pem)?;
    let decoded = STANDARD.decode(secret.str_at(&["data", "token"])).ok();
    let token = decoded.and_then(|decoded| String::from_utf8(decoded).ok()).filter(|token| !token.is_empty());
    token.ok_or_else(|| EndpointError::Secret { secret: secret.key(), field: "token" })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn secret(data: Value) -> Object {
        Object(json!({ "metadata": { "namespace": "karmada-cluster", "name": "s" }, "data": data }))
    }

    fn endpoint_of(spec: Value, secret: &Object) -> Result<Endpoint, EndpointError> {
        let object = json!({ "apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster", "spec": spec,
            "metadata": { "name": "s" } });
        let cluster = Object(object).to_typed::<Cluster>().expect("a cluster");
        endpoint(&cluster, secret).map(|(endpoint, _)| endpoint)
    }

    fn missing(field: &'static str) -> Result<Endpoint, EndpointError> {
        Err(EndpointError::Secret { secret: ObjectKey::namespaced("karmada-cluster", "s"), field })
    }

    fn unverified() -> Value {
        json!({ "apiEndpoint": "https://a", "insecureSkipTLSVerification": true })
    }

    #[test]
    fn endpoints() {
        let complete_secret = || secret(json!({ "token": "dG9rZW4=", "caBundle": "Y2E=" }));
        let complete = complete_secret();
        let mut foreign = complete_secret();
        foreign.0["metadata"]["namespace"] = json!("blue");
        let distrusted = Distrust::Namespace(ObjectKey::namespaced("blue", "s"));
        let found = Endpoint {
            url: "https://a".to_owned(),
            ca_pem: b"ca".to_vec(),
            credential: Credential::Token("token".to_owned()),
            insecure_skip_verify: false,
            is_tunnelled: false,
        };
        let insecure = Endpoint { ca_pem: Vec::new(), insecure_skip_verify: true, ..found.clone() };
        let address = json!({ "apiEndpoint": "https://a" });
        let cases = [
            ("complete", endpoint_of(address.clone(), &complete), Ok(found)),
            (
                "insecure needs no CA",
                endpoint_of(unverified(), &secret(json!({ "token": "dG9rZW4=" }))),
                Ok(insecure),
            ),
            ("no address", endpoint_of(json!({}), &complete), Err(EndpointError::NoAddress)),
            (
                "no token",
                endpoint_of(address.clone(), &secret(json!({ "caBundle": "Y2E=" }))),
                missing("token"),
            ),
            (
                "no CA",
                endpoint_of(address.clone(), &secret(json!({ "token": "dG9rZW4=" }))),
                missing("caBundle"),
            ),
            (
                "not base64",
                endpoint_of(address, &secret(json!({ "token": "%", "caBundle": "Y2E=" }))),
                missing("token"),
            ),
            (
                "a Secret of another namespace",
                endpoint_of(json!({ "apiEndpoint": "https://a" }), &foreign),
                Err(EndpointError::Distrusted(distrusted)),
            ),
            (
                "proxy",
                endpoint_of(json!({ "apiEndpoint": "https://a", "proxyURL": "http://p" }), &complete),
                Err(EndpointError::Proxy),
            ),
        ];
        for (name, got, want) in cases {
            assert_eq!(got, want, "{name}");
        }
    }

    #[test]
    fn a_text_that_no_header_can_carry_is_not_a_token() {
        let cases = [
            (
                "a token with a line break in it",
                endpoint_of(unverified(), &secret(json!({ "token": STANDARD.encode("to\nken") }))),
                missing("token"),
            ),
            (
                "a token of spaces",
                endpoint_of(unverified(), &secret(json!({ "token": STANDARD.encode(" \n") }))),
                missing("token"),
            ),
            (
                "a token that is no text",
                endpoint_of(unverified(), &secret(json!({ "token": "//79" }))),
                missing("token"),
            ),
            (
                "a line break at the end does no harm",
                endpoint_of(unverified(), &secret(json!({ "token": STANDARD.encode("token\n") }))),
                Ok(Endpoint {
                    url: "https://a".to_owned(),
                    ca_pem: Vec::new(),
                    credential: Credential::Token("token\n".to_owned()),
                    insecure_skip_verify: true,
                    is_tunnelled: false,
                }),
            ),
        ];
        for (name, got, want) in cases {
            assert_eq!(got, want, "{name}");
        }
    }
}
