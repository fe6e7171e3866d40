//! `AuthenticationConfiguration` of `apiserver.config.k8s.io`.

use portolan_object::yaml;
use serde::Deserialize;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// It is not YAML.
    #[error("it is not YAML: {0}")]
    Yaml(String),
    /// It is no `AuthenticationConfiguration`.
    #[error("it is no AuthenticationConfiguration of apiserver.config.k8s.io/v1: {0}")]
    Form(String),
    /// An issuer cannot be used.
    #[error("jwt[{index}]: {problem}")]
    Issuer {
        /// Place of the issuer.
        index: usize,
        /// What is wrong.
        problem: String,
    },
    /// A setting contradicts another one.
    #[error("{0}")]
    Contradiction(&'static str),
}

/// Who is trusted to name users.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthenticationConfiguration {
    #[serde(default)]
    pub(super) api_version: String,
    #[serde(default)]
    pub(super) kind: String,
    /// OpenID Connect providers.
    #[serde(default)]
    pub(super) jwt: Vec<Jwt>,
    /// Requests without credentials.
    pub(super) anonymous: Option<Anonymous>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Anonymous {
    pub(super) enabled: bool,
    #[serde(default)]
    pub(super) conditions: Vec<AnonymousCondition>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnonymousCondition {
    pub(super) path: String,
}

/// One provider.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Jwt {
    pub(super) issuer: Issuer,
    #[serde(default)]
    pub(super) claim_validation_rules: Vec<ClaimRule>,
    pub(super) claim_mappings: Mappings,
    #[serde(default)]
    pub(super) user_validation_rules: Vec<UserRule>,
    /// Of the flag `--oidc-signing-algs`; empty for all.
    #[serde(skip)]
    pub(super) signing_algorithms: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Issuer {
    pub(super) url: String,
    #[serde(rename = "discoveryURL")]
    pub(super) discovery_url: Option<String>,
    #[serde(default)]
    pub(super) certificate_authority: String,
    pub(super) audiences: Vec<String>,
    #[serde(default)]
    pub(super) audience_match_policy: String,
    #[serde(default)]
    pub(super) egress_selector_type: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct ClaimRule {
    pub(super) claim: String,
    pub(super) required_value: String,
    pub(super) expression: String,
    pub(super) message: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct UserRule {
    pub(super) expression: String,
    pub(super) message: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mappings {
    pub(super) username: PrefixedClaimOrExpression,
    #[serde(default)]
    pub(super) groups: PrefixedClaimOrExpression,
    #[serde(default)]
    pub(super) uid: ClaimOrExpression,
    #[serde(default)]
    pub(super) extra: Vec<Extra>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PrefixedClaimOrExpression {
    pub(super) claim: String,
    pub(super) prefix: Option<String>,
    pub(super) expression: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ClaimOrExpression {
    pub(super) claim: String,
    pub(super) expression: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Extra {
    pub(super) key: String,
    pub(super) value_expression: String,
}

impl AuthenticationConfiguration {
    /// Reads a configuration in YAML or JSON.
    ///
    /// # Errors
    /// [`ConfigurationError`]; an unknown field is one.
    pub fn parse(text: &str) -> Result<Self, ConfigurationError> {
        let document =
            yaml::read_document(text).map_err(|error| ConfigurationError::Yaml(error.to_string()))?;
        let configuration: Self = serde_json::from_value::<Self>(document.value)
            .map_err(|error| ConfigurationError::Form(error.to_string()))?;
        let (version, kind) = (&configuration.api_version, &configuration.kind);
        let is_known =
            ["apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1"].contains(&version.as_str());
        if !is_known || kind != "AuthenticationConfiguration" {
            return Err(ConfigurationError::Form(format!("got {version}, {kind}")));
        }
        configuration.check()?;
        Ok(configuration)
    }

    /// Checks what the types do not say.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn check(&self) -> Result<(), ConfigurationError> {
        for (index, jwt) in self.jwt.iter().enumerate() {
            let is_repeated = self.jwt[..index].iter().any(|other| other.issuer.url == jwt.issuer.url);
            let problem = if is_repeated { Some("issuer.url: duplicate value") } else { jwt.problem() };
            if let Some(problem) = problem {
                return Err(ConfigurationError::Issuer { index, problem: problem.to_owned() });
            }
        }
        match &self.anonymous {
            Some(anonymous) if !anonymous.enabled && !anonymous.conditions.is_empty() => {
                Err(ConfigurationError::Contradiction(
                    "anonymous.conditions: enabled should be set to true when conditions are defined",
                ))
            }
            _ => Ok(()),
        }
    }

    /// Refuses requests without credentials.
    #[must_use]
    pub fn without_anonymous(mut self) -> Self {
        self.anonymous = Some(Anonymous { enabled: false, conditions: Vec::new() });
        self
    }

    /// Whether requests without credentials are refused.
    pub fn refuses_anonymous(&self) -> bool {
        self.anonymous.as_ref().is_some_and(|anonymous| !anonymous.enabled)
    }

    /// The only paths of requests without credentials; `None` for all paths.
    pub fn anonymous_paths(&self) -> Option<Vec<String>> {
        let anonymous = self.anonymous.as_ref().filter(|anonymous| !anonymous.conditions.is_empty())?;
        Some(anonymous.conditions.iter().map(|condition| condition.path.clone()).collect())
    }
}
