//! Providers with the credentials that Secrets of the hub have.

mod built_in;
mod cloud_dns;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portolan_api::federation::{
    CoreDnsProvider, DEFAULT_ALGORITHM, DEFAULT_PREFIX, DnsProvider, Rfc2136Provider, Route53Provider,
    SecretReference, TsigKey,
};
use portolan_api::names::SYSTEM_NAMESPACE;
use portolan_object::Object;
use portolan_providers::built_in::Writers;
use portolan_providers::cloud_dns::{AccountError, SourceError};
use portolan_providers::rfc2136::{self, Rfc2136, TransactionKey, TransactionKeyError};
use portolan_providers::skydns::{self, Credentials, SkyDns, TlsFiles};
use portolan_providers::{Provider, ProviderError, PublicDns, Publisher};
use portolan_runtime::Client;

use super::dns_endpoints::DnsEndpoints;

/// A provider cannot be used as the Federation describes it. No message has a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The Secret of this name does not exist.
    #[error(
        "the Secret {SYSTEM_NAMESPACE}/{0} does not exist: create it, or correct the secretRef of the zone"
    )]
    NoSecret(String),
    /// The Secret lacks a key.
    #[error("the Secret {SYSTEM_NAMESPACE}/{secret} has no text under {key}: add it to data or stringData")]
    NoKey {
        /// Name of the Secret.
        secret: String,
        /// The key.
        key: &'static str,
    },
    /// The key for signatures cannot be used.
    #[error(transparent)]
    Tsig(#[from] TransactionKeyError),
    /// A certificate or a key cannot be read.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The key of a service account cannot be used.
    #[error("{key} of the Secret {SYSTEM_NAMESPACE}/{secret} cannot be used: {error}", key = cloud_dns::KEY)]
    Account {
        /// Name of the Secret.
        secret: String,
        /// What is wrong.
        error: AccountError,
    },
    /// Nothing says who writes into Cloud DNS.
    #[error("the credentials for Google Cloud DNS cannot be used: {0}")]
    CloudDns(SourceError),
    /// The server of this process does not run.
    #[error(
        "the control plane answers no DNS for federations: start `portolan server` with --federation-dns-listen, or name another \
         provider"
    )]
    NotListening,
    /// A name or an address of the provider cannot be used.
    #[error("{field} is {value:?}: {want}")]
    Field {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it has to be.
        want: &'static str,
    },
    /// The provider has no entry.
    #[error("the zone names no provider: add rfc2136, coreDNS, route53, cloudDNS, builtIn or externalDNS")]
    NoProvider,
    /// The AWS SDK is not built in.
    #[cfg(not(feature = "route53"))]
    #[error(
        "this build of Portolan has no Route 53: use a release, or build it with `cargo build --release --features route53`"
    )]
    NotBuilt,
}

/// The name of the Secret of a provider.
pub fn secret_of(provider: &DnsProvider) -> Option<&str> {
    let tsig = provider.rfc2136.as_ref().and_then(|server| server.tsig.as_ref()).map(|key| &key.secret_ref);
    let etcd = provider.core_dns.as_ref().and_then(|etcd| etcd.secret_ref.as_ref());
    let aws = provider.route53.as_ref().and_then(|aws| aws.secret_ref.as_ref());
    let google = provider.cloud_dns.as_ref().and_then(|google| google.secret_ref.as_ref());
    let transfers = provider.built_in.as_ref().and_then(|built_in| built_in.transfers.as_ref());
    let copies = transfers.and_then(|transfers| transfers.tsig.as_ref()).map(|key| &key.secret_ref);
    tsig.or(etcd).or(aws).or(google).or(copies).map(|reference| reference.name.as_str())
}

/// Where providers write that are part of this control plane.
#[derive(Debug, Clone)]
pub struct OwnTargets {
    /// The control plane, for DNSEndpoints.
    pub hub: Client,
    /// The DNS server of this process, if it runs.
    pub dns: Option<PublicDns>,
    /// Who writes into the zone, if that server serves it.
    pub writers: Writers,
}

/// A publisher for a zone, with the credentials in `secret`, which is [`secret_of`] the provider.
///
/// # Errors
/// When the Secret is missing or lacks something, or a credential cannot be used.
pub async fn publisher(
    own: &OwnTargets,
    zone: &str,
    provider: &DnsProvider,
    secret: Option<&Object>,
) -> Result<Publisher, CredentialsError> {
    let provider: Arc<dyn Provider> = if let Some(server) = &provider.rfc2136 {
        Arc::new(rfc2136(server, secret)?)
    } else if let Some(etcd) = &provider.core_dns {
        Arc::new(core_dns(etcd, secret)?)
    } else if let Some(external) = &provider.external_dns {
        Arc::new(DnsEndpoints { hub: own.hub.clone(), namespace: external.namespace().to_owned() })
    } else if let Some(server) = &provider.built_in {
        Arc::new(built_in::provider(own, zone, server, secret)?)
    } else if let Some(aws) = &provider.route53 {
        route53(aws, secret).await?
    } else if let Some(google) = &provider.cloud_dns {
        Arc::new(cloud_dns::provider(google, secret)?)
    } else {
        return Err(CredentialsError::NoProvider);
    };
    Ok(Publisher::new(provider))
}

#[cfg(feature = "route53")]
async fn route53(
    aws: &Route53Provider,
    secret: Option<&Object>,
) -> Result<Arc<dyn Provider>, CredentialsError> {
    use portolan_providers::route53::{AccessKey, Route53, Settings};
    let access_key = match &aws.secret_ref {
        None => None,
        Some(reference) => {
            let secret = existing(reference, secret)?;
            Some(AccessKey {
                id: text(secret, "aws_access_key_id")?,
                secret: text(secret, "aws_secret_access_key")?,
                session_token: text(secret, "aws_session_token").ok(),
            })
        }
    };
    let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let settings = Settings { access_key, zone_id: given(&aws.zone_id), endpoint: given(&aws.endpoint) };
    Ok(Arc::new(Route53::new(settings).await))
}

#[cfg(not(feature = "route53"))]
async fn route53(_: &Route53Provider, _: Option<&Object>) -> Result<Arc<dyn Provider>, CredentialsError> {
    Err(CredentialsError::NotBuilt)
}

fn key(tsig: Option<&TsigKey>, secret: Option<&Object>) -> Result<Option<TransactionKey>, CredentialsError> {
    let Some(tsig) = tsig else { return Ok(None) };
    let secret = text(existing(&tsig.secret_ref, secret)?, "secret")?;
    let algorithm = match tsig.algorithm.as_str() {
        "" => DEFAULT_ALGORITHM,
        algorithm => algorithm,
    };
    Ok(Some(TransactionKey::new(&tsig.key_name, algorithm, &secret)?))
}

fn rfc2136(server: &Rfc2136Provider, secret: Option<&Object>) -> Result<Rfc2136, CredentialsError> {
    let key = key(server.tsig.as_ref(), secret)?;
    Ok(Rfc2136::new(rfc2136::Settings::new(&*server.server, key)))
}

fn core_dns(etcd: &CoreDnsProvider, secret: Option<&Object>) -> Result<SkyDns, CredentialsError> {
    let mut settings = skydns::Settings::new(&*etcd.endpoint);
    settings.prefix = if etcd.prefix.is_empty() { DEFAULT_PREFIX.to_owned() } else { etcd.prefix.clone() };
    if let Some(reference) = &etcd.secret_ref {
        let secret = existing(reference, secret)?;
        if bytes(secret, "ca.crt").is_some() || etcd.endpoint.starts_with("https:") {
            let client = bytes(secret, "tls.crt").zip(bytes(secret, "tls.key"));
            let ca = text(secret, "ca.crt")?.into_bytes();
            settings.tls = Some(TlsFiles { ca, client });
        }
        if bytes(secret, "username").is_some() {
            let (user, password) = (text(secret, "username")?, text(secret, "password")?);
            settings.credentials = Some(Credentials { user, password });
        }
    }
    Ok(SkyDns::new(settings)?)
}

fn existing<'a>(
    reference: &SecretReference,
    secret: Option<&'a Object>,
) -> Result<&'a Object, CredentialsError> {
    secret.ok_or_else(|| CredentialsError::NoSecret(reference.name.clone()))
}

fn bytes(secret: &Object, key: &str) -> Option<Vec<u8>> {
    let encoded = secret.str_at(&["data", key]);
    STANDARD.decode(encoded).ok().filter(|bytes| !bytes.is_empty())
}

fn text(secret: &Object, key: &'static str) -> Result<String, CredentialsError> {
    let text = bytes(secret, key).and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| CredentialsError::NoKey { secret: secret.name().to_owned(), key })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn secret(data: Value) -> Object {
        Object(json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "dns" }, "data": data }))
    }

    #[tokio::test]
    async fn what_is_wrong_with_credentials_is_said_without_them() {
        let tsig = json!({ "rfc2136": { "server": "127.0.0.1:53",
            "tsig": { "keyName": "fed", "secretRef": { "name": "dns" } } } });
        let etcd =
            json!({ "coreDNS": { "endpoint": "https://127.0.0.1:2379", "secretRef": { "name": "dns" } } });
        // In base64: the secret "c2VjcmV0" of the key, and one that is no base64 itself.
        let (good, bad) = (STANDARD.encode("c2VjcmV0"), STANDARD.encode("not base64"));
        let user = STANDARD.encode(r#"{"type": "authorized_user", "refresh_token": "c2VjcmV0"}"#);
        let google = json!({ "cloudDNS": { "secretRef": { "name": "dns" } } });
        let elsewhere = |url: &str| json!({ "cloudDNS": { "endpoint": url } });
        let hub = Client::refusing("hub", "a test without a hub");
        let own = OwnTargets { hub, dns: None, writers: Writers::default() };
        for (provider, data, want) in [
            (tsig.clone(), Some(json!({ "secret": good })), ""),
            (tsig.clone(), None, "the Secret karmada-system/dns does not exist"),
            (tsig.clone(), Some(json!({ "key": good })), "has no text under secret"),
            (tsig, Some(json!({ "secret": bad })), "the secret of the TSIG key \"fed\" is not base64"),
            (json!({ "rfc2136": { "server": "127.0.0.1:53" } }), None, ""),
            (etcd.clone(), None, "does not exist"),
            (etcd, Some(json!({})), "has no text under ca.crt"),
            (json!({ "coreDNS": { "endpoint": "http://127.0.0.1:2379" } }), None, ""),
            (google.clone(), None, "does not exist"),
            (google.clone(), Some(json!({})), "has no text under key.json"),
            (google.clone(), Some(json!({ "key.json": bad })), "is not the JSON that `gcloud"),
            (google, Some(json!({ "key.json": user })), "its type is \"authorized_user\""),
            (elsewhere("http://dns.example.net"), None, "it must begin with https://"),
            (elsewhere("https://dns.example.net"), None, "give secretRef"),
            (json!({ "builtIn": {} }), None, "start `portolan server` with --federation-dns-listen"),
            (json!({}), None, "names no provider"),
        ] {
            let provider: DnsProvider = serde_json::from_value(provider).unwrap();
            let secret = data.map(secret);
            let said = publisher(&own, "example.com", &provider, secret.as_ref()).await.err();
            let said = said.map(|error| error.to_string());
            let said = said.unwrap_or_default();
            assert_eq!(said.is_empty(), want.is_empty(), "{provider:?}: {said}");
            assert!(said.contains(want) && !said.contains("c2VjcmV0"), "{provider:?}: {said}");
        }
    }
}
