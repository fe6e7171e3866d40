//! The `--oidc-…` flags of kube-apiserver, a short form of a configuration with one provider.

use super::configuration::{
    AuthenticationConfiguration, ClaimRule, Issuer, Jwt, Mappings, PrefixedClaimOrExpression,
};

/// The `--oidc-…` flags.
#[derive(Debug, Clone, Default)]
pub struct OidcFlags {
    /// URL of the provider.
    pub issuer_url: String,
    /// The audience.
    pub client_id: String,
    /// The claim with the name of the user.
    pub username_claim: String,
    /// Put before names; empty for the URL of the provider and `#`, unless the claim is `email`; `-` for nothing.
    pub username_prefix: String,
    /// The claim with the groups; empty for none.
    pub groups_claim: String,
    /// Put before groups.
    pub groups_prefix: String,
    /// Claims that a token must have, with their values.
    pub required_claims: Vec<(String, String)>,
    /// Authority of the provider's certificate, PEM; empty for those of the operating system.
    pub ca_pem: String,
    /// Algorithms of signatures.
    pub signing_algorithms: Vec<String>,
}

impl From<OidcFlags> for AuthenticationConfiguration {
    fn from(flags: OidcFlags) -> Self {
        let prefix = match flags.username_prefix.as_str() {
            "-" => String::new(),
            "" if flags.username_claim == "email" => String::new(),
            "" => format!("{}#", flags.issuer_url),
            given => given.to_owned(),
        };
        let claim = |claim: &str, prefix: String| PrefixedClaimOrExpression {
            claim: claim.to_owned(),
            prefix: Some(prefix),
            expression: String::new(),
        };
        let rule = |(claim, required_value): (String, String)| ClaimRule {
            claim,
            required_value,
            ..ClaimRule::default()
        };
        let jwt = Jwt {
            issuer: Issuer {
                url: flags.issuer_url,
                certificate_authority: flags.ca_pem,
                audiences: vec![flags.client_id],
                ..Issuer::default()
            },
            claim_validation_rules: flags.required_claims.into_iter().map(rule).collect(),
            claim_mappings: Mappings {
                username: claim(&flags.username_claim, prefix),
                groups: claim(&flags.groups_claim, flags.groups_prefix),
                ..Mappings::default()
            },
            user_validation_rules: Vec::new(),
            signing_algorithms: flags.signing_algorithms,
        };
        Self { jwt: vec![jwt], ..Self::default() }
    }
}
