//! Google Cloud DNS as a provider, with a key of a service account or the credentials of this process.

use portolan_api::federation::CloudDnsProvider;
use portolan_net::tls::system_roots;
use portolan_object::Object;
use portolan_providers::cloud_dns::{
    CloudDns, Credentials, ServiceAccount, Settings, is_google, is_identifier, is_private,
};

use super::{CredentialsError, existing, text};

/// Key of the Secret with the key of a service account.
pub(super) const KEY: &str = "key.json";

/// Writes into a managed zone.
///
/// # Errors
/// When there are no credentials, or a setting cannot be used.
pub(super) fn provider(
    google: &CloudDnsProvider,
    secret: Option<&Object>,
) -> Result<CloudDns, CredentialsError> {
    let identifier = |field, value: &String| {
        let want = "it must have letters, digits, hyphens, dots and colons only";
        match value.as_str() {
            "" => Ok(None),
            given if is_identifier(given) => Ok(Some(given.to_owned())),
            _ => Err(CredentialsError::Field { field, value: value.clone(), want }),
        }
    };
    let endpoint = Some(google.endpoint.clone()).filter(|endpoint| !endpoint.is_empty());
    if let Some(url) = &endpoint {
        let unusable = |want| CredentialsError::Field { field: "endpoint", value: url.clone(), want };
        if !is_private(url) {
            return Err(unusable("it must begin with https://, because tokens are sent to it"));
        }
        // Who may write a Federation could otherwise send the token of this process to a server of their own.
        if google.secret_ref.is_none() && !is_google(url) {
            return Err(unusable(
                "with the credentials of the server it must be an address of Google's; give secretRef",
            ));
        }
    }
    let credentials = match &google.secret_ref {
        None => Credentials::of_process().map_err(CredentialsError::CloudDns)?,
        Some(reference) => {
            let key = text(existing(reference, secret)?, KEY)?;
            let unusable = |error| CredentialsError::Account { secret: reference.name.clone(), error };
            Credentials::Key(ServiceAccount::parse(key.as_bytes()).map_err(unusable)?)
        }
    };
    let mut settings = Settings::new(credentials, system_roots());
    settings.project = identifier("project", &google.project)?;
    settings.managed_zone = identifier("managedZone", &google.managed_zone)?;
    settings.endpoint = endpoint;
    Ok(CloudDns::new(settings))
}
