//! What a provider's configuration must keep besides its types (kubernetes
//! staging/src/k8s.io/apiserver/pkg/apis/apiserver/validation/validation.go).

use super::configuration::{Jwt, PrefixedClaimOrExpression};
use super::keys::ALGORITHMS;

impl Jwt {
    /// The first contradiction.
    pub(super) fn problem(&self) -> Option<&'static str> {
        let mappings = &self.claim_mappings;
        let has_prefix =
            |mapping: &PrefixedClaimOrExpression| mapping.claim.is_empty() == mapping.prefix.is_none();
        let email = |source: &str| source.replace("claims.email_verified", "").contains("claims.email");
        let mut sources = self.claim_validation_rules.iter().map(|rule| &rule.expression);
        let checks_email = sources.any(|source| source.contains("claims.email_verified"))
            || mappings.username.expression.contains("claims.email_verified")
            || mappings.extra.iter().any(|extra| extra.value_expression.contains("claims.email_verified"));
        let is_unset_by_flags = mappings.groups.claim.is_empty() && self.is_of_flags();
        let checks = [
            (!self.issuer.url.starts_with("https://"), "issuer.url: URL scheme must be https"),
            (
                self.issuer.url.contains(['?', '#', '@']),
                "issuer.url: URL must not have a query, fragment or user",
            ),
            (
                self.issuer.discovery_url.as_ref().is_some_and(|url| !url.starts_with("https://")),
                "issuer.discoveryURL: URL scheme must be https",
            ),
            (
                self.issuer.discovery_url.as_ref().is_some_and(|url| *url == self.issuer.url),
                "issuer.discoveryURL: discoveryURL must be different from URL",
            ),
            (
                self.issuer.audiences.is_empty() || self.issuer.audiences.iter().any(String::is_empty),
                "issuer.audiences: at least one jwt[*].issuer.audiences is required",
            ),
            (
                self.issuer.audiences.len() > 1 && self.issuer.audience_match_policy != "MatchAny",
                "issuer.audienceMatchPolicy: must be MatchAny for multiple audiences",
            ),
            (
                !self.issuer.egress_selector_type.is_empty(),
                "issuer.egressSelectorType: there is no egress selector",
            ),
            (
                mappings.username.claim.is_empty() == mappings.username.expression.is_empty(),
                "claimMappings.username: exactly one of claim or expression is required",
            ),
            (
                !mappings.groups.claim.is_empty() && !mappings.groups.expression.is_empty(),
                "claimMappings.groups: claim and expression can't both be set",
            ),
            (
                !mappings.uid.claim.is_empty() && !mappings.uid.expression.is_empty(),
                "claimMappings.uid: claim and expression can't both be set",
            ),
            (
                !has_prefix(&mappings.username),
                "claimMappings.username.prefix: prefix is required when claim is set. It can be set to an empty string to \
                 disable prefixing; with an expression it can't be set",
            ),
            (
                !has_prefix(&mappings.groups) && !is_unset_by_flags,
                "claimMappings.groups.prefix: prefix is required when claim is set. It can be set to an empty string to \
                 disable prefixing; with an expression it can't be set",
            ),
            (
                email(&mappings.username.expression) && !checks_email,
                "claimMappings.username.expression: claims.email_verified must be used in claimMappings.username.expression \
                 or claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used",
            ),
            (
                self.claim_validation_rules
                    .iter()
                    .any(|rule| rule.claim.is_empty() == rule.expression.is_empty()),
                "claimValidationRules: each rule needs either a claim or an expression",
            ),
            (
                mappings.extra.iter().any(|extra| !is_extra_key(&extra.key)),
                "claimMappings.extra: a key is a domain-prefixed path in lower case, outside of kubernetes.io and k8s.io",
            ),
            (
                self.signing_algorithms.iter().any(|name| !ALGORITHMS.contains(&name.as_str())),
                "the signing algorithm is not supported; RS256, RS384, RS512, PS256, PS384, PS512, ES256 and ES384 are",
            ),
        ];
        checks.into_iter().find_map(|(is_wrong, problem)| is_wrong.then_some(problem))
    }

    /// The flags set a prefix for groups even without a claim.
    fn is_of_flags(&self) -> bool {
        !self.signing_algorithms.is_empty()
    }
}

fn is_extra_key(key: &str) -> bool {
    let Some((domain, path)) = key.split_once('/') else { return false };
    let is_reserved = ["kubernetes.io", "k8s.io"]
        .iter()
        .any(|reserved| domain == *reserved || domain.ends_with(&format!(".{reserved}")));
    !domain.is_empty() && !path.is_empty() && !is_reserved && key == key.to_lowercase()
}
