use serde_json::{Map, Value, json};

use super::configuration::AuthenticationConfiguration;
use super::flags::OidcFlags;
use super::mapping::Mapping;

const ISSUER: &str = "https://issuer.example.com";

fn configuration(jwt: &Value) -> Value {
    let mut jwt = jwt.clone();
    jwt["issuer"] = json!({ "url": ISSUER, "audiences": ["portolan"] });
    json!({ "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration", "jwt": [jwt] })
}

fn mapped(configuration: &AuthenticationConfiguration, claims: &Value) -> Result<Value, String> {
    let claims: Map<String, Value> = claims.as_object().unwrap().clone();
    Mapping::new(&configuration.jwt[0])?.user(&claims).map(|user| user.to_value())
}

fn parsed(jwt: &Value) -> AuthenticationConfiguration {
    AuthenticationConfiguration::parse(&configuration(jwt).to_string()).unwrap()
}

#[test]
fn claims_become_a_user() {
    let by_claims = parsed(&json!({ "claimMappings": {
        "username": { "claim": "sub", "prefix": "corp:" }, "groups": { "claim": "roles", "prefix": "" } } }));
    let by_expressions = parsed(&json!({ "claimMappings": {
        "username": { "expression": "claims.email.split('@')[0] + (claims.email_verified ? '' : '!')" },
        "groups": { "expression": "claims.roles.filter(role, role != 'none')" },
        "uid": { "claim": "sub" },
        "extra": [{ "key": "example.com/tenant", "valueExpression": "claims.tenant" },
                  { "key": "example.com/none", "valueExpression": "''" }] } }));
    let claims = json!({ "sub": "1", "email": "jane@example.com", "email_verified": true, "roles": ["dev", "none"], "tenant": "t" });
    let want = json!({ "username": "corp:1", "groups": ["dev", "none", "system:authenticated"] });
    assert_eq!(mapped(&by_claims, &claims), Ok(want));
    let want = json!({ "username": "jane", "uid": "1", "groups": ["dev", "system:authenticated"],
        "extra": { "example.com/tenant": ["t"] } });
    assert_eq!(mapped(&by_expressions, &claims), Ok(want));
    let single = json!({ "sub": "1", "roles": "dev" });
    assert_eq!(mapped(&by_claims, &single).unwrap()["groups"][0], "dev");
    assert!(mapped(&by_claims, &json!({ "sub": 1 })).unwrap_err().contains("it is not a text"));
}

#[test]
fn rules_refuse_claims_and_users() {
    let jwt = json!({
        "claimMappings": { "username": { "claim": "sub", "prefix": "" } },
        "claimValidationRules": [{ "claim": "hd", "requiredValue": "example.com" },
            { "expression": "claims.exp - claims.iat <= 3600", "message": "the token lives too long" }],
        "userValidationRules": [{ "expression": "!user.username.startsWith('system:')", "message": "reserved" }],
    });
    let rules = parsed(&jwt);
    let claims = |sub: &str, hd: &str, exp: i64| json!({ "sub": sub, "hd": hd, "iat": 0, "exp": exp });
    assert!(mapped(&rules, &claims("jane", "example.com", 3600)).is_ok());
    for (claims, want) in [
        (claims("jane", "other.com", 1), "required claim hd value does not match"),
        (claims("jane", "example.com", 7200), "failed: the token lives too long"),
        (claims("system:admin", "example.com", 1), "failed: reserved"),
        (json!({ "sub": "jane" }), "required claim hd not present in ID token"),
    ] {
        let error = mapped(&rules, &claims).unwrap_err();
        assert!(error.contains(want), "{error}");
    }
}

#[test]
fn the_flags_are_a_short_form() {
    let flags = |prefix: &str, claim: &str| OidcFlags {
        issuer_url: ISSUER.to_owned(),
        client_id: "portolan".to_owned(),
        username_claim: claim.to_owned(),
        username_prefix: prefix.to_owned(),
        groups_claim: "groups".to_owned(),
        groups_prefix: "idp:".to_owned(),
        required_claims: vec![("hd".to_owned(), "x".to_owned())],
        signing_algorithms: vec!["RS256".to_owned()],
        ..OidcFlags::default()
    };
    let claims = json!({ "sub": "1", "email": "j@x", "groups": ["a"], "hd": "x" });
    for (prefix, claim, want) in [
        ("", "sub", "https://issuer.example.com#1"),
        ("-", "sub", "1"),
        ("corp:", "sub", "corp:1"),
        ("", "email", "j@x"),
    ] {
        let configuration = AuthenticationConfiguration::from(flags(prefix, claim));
        configuration.check().unwrap();
        let user = mapped(&configuration, &claims).unwrap();
        assert_eq!((&user["username"], &user["groups"][0]), (&json!(want), &json!("idp:a")));
    }
    let unverified = json!({ "sub": "1", "email": "j@x", "email_verified": false, "hd": "x" });
    let configuration = AuthenticationConfiguration::from(flags("", "email"));
    assert_eq!(mapped(&configuration, &unverified), Err("email not verified".to_owned()));
}

#[test]
fn a_configuration_that_contradicts_itself_is_refused() {
    let mappings = |username: Value| json!({ "claimMappings": { "username": username } });
    for (jwt, want) in [
        (mappings(json!({ "claim": "sub" })), "claimMappings.username.prefix: prefix is required"),
        (mappings(json!({})), "claimMappings.username: exactly one of claim or expression is required"),
        (mappings(json!({ "expression": "claims.email" })), "claims.email_verified must be used"),
        (mappings(json!({ "claim": "sub", "prefix": "", "suffix": "x" })), "unknown field `suffix`"),
    ] {
        let error =
            AuthenticationConfiguration::parse(&configuration(&jwt).to_string()).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
    let anonymous = "{apiVersion: apiserver.config.k8s.io/v1, kind: AuthenticationConfiguration, \
                     anonymous: {enabled: true, conditions: [{path: /livez}]}}";
    let configuration = AuthenticationConfiguration::parse(anonymous).unwrap();
    assert_eq!(configuration.anonymous_paths(), Some(vec!["/livez".to_owned()]));
    assert!(!configuration.refuses_anonymous());
}
