//! Users of an OpenID Connect provider.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use jiff::Timestamp;
use portolan_apiserver::auth::Authentication;
use portolan_apiserver::auth::oidc::{AuthenticationConfiguration, JwtIssuers, Roots};
use portolan_apiserver::{ApiServer, Config};
use portolan_net::Shutdown;
use portolan_net::clock::Clock;
use portolan_net::pki::{Authority, ServerNames};
use portolan_net::server::{Server, listen};
use portolan_net::tls::{ClientCertificates, ServerCertificate, server_config};
use portolan_store::Store;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use tower::Service as _;

/// A provider on a port of loopback.
struct Provider {
    url: String,
    authority: String,
    key: EcdsaKeyPair,
    /// What it answers when it is asked for its keys.
    keys: Arc<Mutex<Value>>,
    fetched: Arc<AtomicUsize>,
    _scope: Shutdown,
}

/// A new key, and the document with it.
fn key_pair(id: &str) -> (EcdsaKeyPair, Value) {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
    let (x, y) = key.public_key().as_ref()[1..].split_at(32);
    let set = json!({ "keys": [{ "kty": "EC", "kid": id, "use": "sig", "alg": "ES256", "crv": "P-256",
        "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) }] });
    (key, set)
}

impl Provider {
    async fn start() -> Self {
        let (key, set) = key_pair("k1");
        let keys = Arc::new(Mutex::new(set));
        let served = Arc::clone(&keys);
        let now = Timestamp::now();
        let authority = Authority::create("provider", now).unwrap();
        let names = ServerNames {
            common_name: "p".to_owned(),
            dns: vec!["localhost".to_owned()],
            addresses: Vec::new(),
        };
        let identity = authority.issue_server(&names, Duration::from_secs(3600), now).unwrap();
        let tls =
            server_config(ServerCertificate::new(&identity).unwrap(), &ClientCertificates::Ignored).unwrap();
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let (scope, fetched) = (Shutdown::new(), Arc::new(AtomicUsize::new(0)));
        let (counter, issuer) = (Arc::clone(&fetched), url.clone());
        let answer = move |request: Request<Incoming>| {
            let document = match request.uri().path() {
                "/.well-known/openid-configuration" => {
                    json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/keys") })
                }
                _ => {
                    counter.fetch_add(1, Ordering::SeqCst);
                    served.lock().unwrap().clone()
                }
            };
            async move { Ok::<_, Infallible>(Response::new(Full::<bytes::Bytes>::from(document.to_string()))) }
        };
        Server::tls(listener, tls).spawn(tower::service_fn(answer), &scope);
        Self { url, authority: authority.certificate_pem().to_owned(), key, keys, fetched, _scope: scope }
    }

    fn token(&self, key_id: &str, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({ "alg": "ES256", "kid": key_id })), part(claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    async fn server(&self) -> ApiServer {
        let jwt = json!({ "claimMappings": { "username": { "claim": "sub", "prefix": "corp:" },
                                             "groups": { "claim": "groups", "prefix": "" } } });
        self.server_with(jwt, Clock::system()).await
    }

    /// A server that trusts the provider, with mappings and rules.
    async fn server_with(&self, mut jwt: Value, clock: Clock) -> ApiServer {
        jwt["issuer"] =
            json!({ "url": self.url, "audiences": ["portolan"], "certificateAuthority": self.authority });
        let configuration = json!({ "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration",
            "jwt": [jwt] });
        let configuration = AuthenticationConfiguration::parse(&configuration.to_string()).unwrap();
        let issuers = JwtIssuers::new(&configuration, &Roots::default()).unwrap();
        let authentication = Authentication::default().with_providers(issuers);
        let config = Config { authentication, clock, ..Config::default() };
        ApiServer::start(config, Store::in_memory()).await.unwrap()
    }
}

/// The user of a request with a token, or the code of the answer.
async fn user(server: &ApiServer, token: &str) -> Result<Value, u16> {
    let review = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" });
    let request = Request::post("/apis/authentication.k8s.io/v1/selfsubjectreviews")
        .header("authorization", format!("Bearer {token}"))
        .body(Full::<bytes::Bytes>::from(review.to_string()))
        .unwrap();
    let Ok(answer) = server.service().call(request).await;
    let code = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    if code == 201 { Ok(body["status"]["userInfo"].clone()) } else { Err(code) }
}

#[tokio::test]
async fn a_token_of_the_provider_names_a_user_and_others_are_refused() {
    let provider = Provider::start().await;
    let server = provider.server().await;
    let now = Timestamp::now().as_second();
    let claims = |audience: &str, expiry: i64| json!({ "iss": provider.url, "aud": audience, "sub": "jane", "groups": ["dev"], "exp": expiry });
    let valid = claims("portolan", now + 600);
    let want = json!({ "username": "corp:jane", "groups": ["dev", "system:authenticated"] });
    assert_eq!(user(&server, &provider.token("k1", &valid)).await, Ok(want.clone()));
    assert_eq!(user(&server, &provider.token("k1", &valid)).await, Ok(want));
    assert_eq!(provider.fetched.load(Ordering::SeqCst), 1, "the keys are kept");
    let mut forged = provider.token("k1", &valid);
    forged.truncate(forged.len() - 4);
    forged.push_str("AAAA");
    let mut foreign = valid.clone();
    foreign["iss"] = json!("https://other.example.com");
    for (what, token) in [
        ("another audience", provider.token("k1", &claims("other", now + 600))),
        ("expired", provider.token("k1", &claims("portolan", now - 1))),
        ("forged", forged),
        ("another issuer", provider.token("k1", &foreign)),
        ("unknown key", provider.token("k2", &valid)),
        ("unknown key again", provider.token("k3", &valid)),
    ] {
        assert_eq!(user(&server, &token).await, Err(401), "{what}");
    }
    assert!(provider.fetched.load(Ordering::SeqCst) <= 2, "unknown keys do not make requests without end");
}

/// A token with any header and signature.
fn forged(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

#[tokio::test]
async fn expressions_map_claims_and_refuse_tokens() {
    let provider = Provider::start().await;
    let jwt = json!({
        "claimMappings": {
            "username": { "expression": "claims.email_verified ? claims.email : \"\"" },
            "groups": { "expression": "claims.roles.map(role, 'corp:' + role)" },
            "uid": { "claim": "sub" },
            "extra": [{ "key": "example.com/tenant", "valueExpression": "claims.?tenant.orValue('none')" }],
        },
        "claimValidationRules": [
            { "expression": "claims.exp - claims.iat <= 86400", "message": "the token lives too long" },
            { "claim": "hd", "requiredValue": "example.com" },
        ],
        "userValidationRules": [
            { "expression": "!user.username.startsWith(\"system:\")", "message": "this name is reserved" },
            { "expression": "user.groups.all(group, !group.startsWith('system:'))", "message": "reserved group" },
        ],
    });
    let server = provider.server_with(jwt, Clock::system()).await;
    let now = Timestamp::now().as_second();
    let valid = json!({ "iss": provider.url, "aud": ["other", "portolan"], "sub": "7", "email": "jane@example.com",
        "email_verified": true, "roles": ["dev"], "hd": "example.com", "iat": now, "exp": now + 600, "tenant": "t" });
    let want = json!({ "username": "jane@example.com", "uid": "7", "groups": ["corp:dev", "system:authenticated"],
        "extra": { "example.com/tenant": ["t"] } });
    assert_eq!(user(&server, &provider.token("k1", &valid)).await, Ok(want));
    let changes = [
        ("unverified address", "email_verified", json!(false)),
        ("an address that is no text", "email", json!(["a"])),
        ("a reserved name", "email", json!("system:admin")),
        ("a long life", "exp", json!(now + 90_000)),
        ("another domain", "hd", json!("example.org")),
        ("roles that are no list", "roles", json!("dev")),
        ("expired", "exp", json!(now - 10)),
        ("expiry as text", "exp", json!("never")),
        ("not yet valid", "nbf", json!(now + 3600)),
        ("another audience", "aud", json!(["other"])),
        ("audience as object", "aud", json!({ "portolan": true })),
        ("another issuer", "iss", json!("https://localhost:1")),
        ("issuer with a slash", "iss", json!(format!("{}/", provider.url))),
    ];
    for (what, claim, value) in changes {
        let mut claims = valid.clone();
        claims[claim] = value;
        assert_eq!(user(&server, &provider.token("k1", &claims)).await, Err(401), "{what}");
    }
    let whole = provider.token("k1", &valid);
    let signature = whole.rsplit('.').next().unwrap();
    let tokens = [
        ("no algorithm", forged(&json!({ "alg": "none" }), &valid, "")),
        ("no algorithm, with a signature", forged(&json!({ "alg": "none", "kid": "k1" }), &valid, signature)),
        ("a symmetric algorithm", forged(&json!({ "alg": "HS256", "kid": "k1" }), &valid, signature)),
        ("an algorithm of another key", forged(&json!({ "alg": "RS256", "kid": "k1" }), &valid, signature)),
        ("no signature", forged(&json!({ "alg": "ES256", "kid": "k1" }), &valid, "")),
        (
            "the signature of other claims",
            forged(&json!({ "alg": "ES256", "kid": "k1" }), &json!({ "iss": provider.url }), signature),
        ),
        ("four parts", format!("{whole}.x")),
        ("a long token", provider.token("k1", &json!({ "iss": provider.url, "x": "y".repeat(20_000) }))),
    ];
    for (what, token) in tokens {
        assert_eq!(user(&server, &token).await, Err(401), "{what}");
    }
}

#[tokio::test]
async fn new_keys_are_fetched_and_withdrawn_ones_do_not_count_for_ever() {
    let mut provider = Provider::start().await;
    let (clock, time) = Clock::manual(Timestamp::now());
    let jwt = json!({ "claimMappings": { "username": { "claim": "sub", "prefix": "" } } });
    let server = provider.server_with(jwt, clock.clone()).await;
    let expiry = clock.now().as_second() + 100_000;
    let claims = json!({ "iss": provider.url, "aud": "portolan", "sub": "jane", "exp": expiry });
    let old = provider.token("k1", &claims);
    assert!(user(&server, &old).await.is_ok());
    let (key, set) = key_pair("k2");
    provider.key = key;
    *provider.keys.lock().unwrap() = set;
    let new = provider.token("k2", &claims);
    time.advance(Duration::from_secs(11));
    assert!(user(&server, &new).await.is_ok(), "an unknown key is asked for");
    assert_eq!(user(&server, &old).await, Err(401), "the old key is withdrawn");
    assert_eq!(provider.fetched.load(Ordering::SeqCst), 2);

    // A provider without keys: what was accepted a moment ago still is, and an hour later nothing.
    *provider.keys.lock().unwrap() = json!({ "keys": [] });
    assert!(user(&server, &new).await.is_ok());
    time.advance(Duration::from_secs(3601));
    assert_eq!(user(&server, &new).await, Err(401));
}
