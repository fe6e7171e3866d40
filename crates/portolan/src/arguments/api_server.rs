//! Flags of `portolan server` for its embedded API server, with the names that kube-apiserver gives them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{ArgAction, Args, ValueEnum};
use portolan_controlplane::audit::{Audit, LogSettings, Policy};
use portolan_controlplane::encryption::{Encryption, EncryptionConfiguration};
use portolan_controlplane::oidc::{AuthenticationConfiguration, OidcFlags, Roots};
use portolan_controlplane::{ApiServerOptions, AuthenticationOptions, BuiltinPlugin};
use portolan_net::tls::system_roots;

/// Bytes in the unit of `--audit-log-maxsize`.
const MEGABYTE: u64 = 1 << 20;

#[derive(Debug, Args)]
pub(crate) struct ApiServerFlags {
    /// Audit policy (audit.k8s.io/v1, kind Policy): which requests are recorded, and how much of them
    #[arg(long, value_name = "FILE", requires = "audit_log_path")]
    pub(crate) audit_policy_file: Option<PathBuf>,
    /// File that audit events are appended to, one a line; - for the standard output
    #[arg(long, value_name = "FILE", requires = "audit_policy_file")]
    pub(crate) audit_log_path: Option<PathBuf>,
    /// Size at which the audit log is renamed and a new one begun, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub(crate) audit_log_maxsize: u64,
    /// Full audit logs that are kept
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u16).range(0..=10_000))]
    pub(crate) audit_log_maxbackup: u16,
    /// Built-in admission plugins that are turned off
    #[arg(long, value_name = "PLUGIN", value_delimiter = ',')]
    pub(crate) disable_admission_plugins: Vec<DisabledPlugin>,
    /// What is encrypted in the database, and with which keys (apiserver.config.k8s.io/v1, kind EncryptionConfiguration)
    #[arg(long, value_name = "FILE")]
    pub(crate) encryption_provider_config: Option<PathBuf>,
    /// Authentication by OpenID Connect providers and of anonymous requests (apiserver.config.k8s.io/v1, kind
    /// AuthenticationConfiguration)
    #[arg(long, value_name = "FILE", conflicts_with = "oidc_issuer_url")]
    pub(crate) authentication_config: Option<PathBuf>,
    /// Whether requests without credentials reach what `system:anonymous` may; false refuses them with 401
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = true,
        default_missing_value = "true",
        action = ArgAction::Set,
        conflicts_with = "authentication_config"
    )]
    pub(crate) anonymous_auth: bool,
    /// URL of an OpenID Connect provider whose tokens are accepted
    #[arg(long, value_name = "URL", requires = "oidc_client_id")]
    pub(crate) oidc_issuer_url: Option<String>,
    /// The audience that tokens of the provider must have
    #[arg(long, value_name = "ID", requires = "oidc_issuer_url")]
    pub(crate) oidc_client_id: Option<String>,
    /// The claim with the name of the user
    #[arg(long, value_name = "CLAIM", default_value = "sub", requires = "oidc_issuer_url")]
    pub(crate) oidc_username_claim: String,
    /// Put before the names of users; - for nothing [default: the URL and #, unless the claim is email]
    #[arg(long, value_name = "PREFIX", requires = "oidc_issuer_url", allow_hyphen_values = true)]
    pub(crate) oidc_username_prefix: Option<String>,
    /// The claim with the groups of the user
    #[arg(long, value_name = "CLAIM", requires = "oidc_issuer_url")]
    pub(crate) oidc_groups_claim: Option<String>,
    /// Put before the names of groups
    #[arg(long, value_name = "PREFIX", requires = "oidc_issuer_url")]
    pub(crate) oidc_groups_prefix: Option<String>,
    /// A claim that a token must have; may be repeated
    #[arg(long, value_name = "CLAIM=VALUE", requires = "oidc_issuer_url", value_parser = parse_claim)]
    pub(crate) oidc_required_claim: Vec<(String, String)>,
    /// Authority of the provider's certificate, PEM [default: those of the operating system]
    #[arg(long, value_name = "FILE", requires = "oidc_issuer_url")]
    pub(crate) oidc_ca_file: Option<PathBuf>,
    /// Algorithms of signatures that are accepted
    #[arg(
        long,
        value_name = "ALGORITHM",
        default_value = "RS256",
        value_delimiter = ',',
        requires = "oidc_issuer_url"
    )]
    pub(crate) oidc_signing_algs: Vec<String>,
}

/// A built-in admission plugin that can be turned off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DisabledPlugin {
    /// New pods get no service account, no token and no pull secrets
    #[value(name = "ServiceAccount")]
    ServiceAccount,
}

impl From<DisabledPlugin> for BuiltinPlugin {
    fn from(plugin: DisabledPlugin) -> Self {
        match plugin {
            DisabledPlugin::ServiceAccount => Self::ServiceAccount,
        }
    }
}

fn parse_claim(text: &str) -> Result<(String, String), String> {
    let (claim, value) = text.split_once('=').ok_or("write CLAIM=VALUE")?;
    Ok((claim.to_owned(), value.to_owned()))
}

/// Reads the file of `--encryption-provider-config`.
pub(crate) fn encryption(file: &Path) -> Result<Encryption> {
    let named = || format!("--encryption-provider-config {}", file.display());
    let text = std::fs::read_to_string(file).with_context(named)?;
    let configuration = EncryptionConfiguration::parse(&text).with_context(named)?;
    configuration.encryption().with_context(named)
}

impl ApiServerFlags {
    /// Reads the files that the flags name.
    pub(crate) fn options(&self) -> Result<ApiServerOptions> {
        let encryption = match &self.encryption_provider_config {
            Some(file) => encryption(file)?,
            None => Encryption::default(),
        };
        Ok(ApiServerOptions {
            audit: self.audit()?,
            authentication: self.authentication()?,
            encryption: Arc::new(encryption),
            disabled_admission: self.disable_admission_plugins.iter().copied().map(Into::into).collect(),
        })
    }

    fn authentication(&self) -> Result<AuthenticationOptions> {
        let configuration = match (&self.authentication_config, &self.oidc_issuer_url) {
            (Some(file), _) => {
                let named = || format!("--authentication-config {}", file.display());
                let text = std::fs::read_to_string(file).with_context(named)?;
                AuthenticationConfiguration::parse(&text).with_context(named)?
            }
            (None, Some(url)) => {
                let configuration = AuthenticationConfiguration::from(self.oidc_flags(url)?);
                configuration.check().context("the flags --oidc-…")?;
                configuration
            }
            (None, None) if self.anonymous_auth => return Ok(AuthenticationOptions::default()),
            (None, None) => AuthenticationConfiguration::default(),
        };
        // The file has a field of its own for them, and excludes the flag.
        let configuration =
            if self.anonymous_auth { configuration } else { configuration.without_anonymous() };
        Ok(AuthenticationOptions { configuration, roots: Roots(system_roots()) })
    }

    fn oidc_flags(&self, url: &str) -> Result<OidcFlags> {
        let ca_pem = match &self.oidc_ca_file {
            Some(file) => {
                std::fs::read_to_string(file).with_context(|| format!("--oidc-ca-file {}", file.display()))?
            }
            None => String::new(),
        };
        let text = |flag: &Option<String>| flag.clone().unwrap_or_default();
        Ok(OidcFlags {
            issuer_url: url.to_owned(),
            client_id: text(&self.oidc_client_id),
            username_claim: self.oidc_username_claim.clone(),
            username_prefix: text(&self.oidc_username_prefix),
            groups_claim: text(&self.oidc_groups_claim),
            groups_prefix: text(&self.oidc_groups_prefix),
            required_claims: self.oidc_required_claim.clone(),
            ca_pem,
            signing_algorithms: self.oidc_signing_algs.clone(),
        })
    }

    fn audit(&self) -> Result<Option<Audit>> {
        let (Some(policy), Some(path)) = (&self.audit_policy_file, &self.audit_log_path) else {
            return Ok(None);
        };
        let named = || format!("--audit-policy-file {}", policy.display());
        let text = std::fs::read_to_string(policy).with_context(named)?;
        let policy = Policy::parse(&text).with_context(named)?;
        let settings = LogSettings {
            path: path.clone(),
            max_bytes: self.audit_log_maxsize * MEGABYTE,
            max_backups: usize::from(self.audit_log_maxbackup),
        };
        Ok(Some(Audit::open(policy, settings)?))
    }
}
