//! Users of an OpenID Connect provider.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
    fetched: Arc<AtomicUsize>,
    _scope: Shutdown,
}

impl Provider {
    async fn start() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let (x, y) = key.public_key().as_ref()[1..].split_at(32);
        let set = json!({ "keys": [{ "kty": "EC", "kid": "k1", "use": "sig", "alg": "ES256", "crv": "P-256",
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) }] });
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
                    set.clone()
                }
            };
            async move { Ok::<_, Infallible>(Response::new(Full::<bytes::Bytes>::from(document.to_string()))) }
        };
        Server::tls(listener, tls).spawn(tower::service_fn(answer), &scope);
        Self { url, authority: authority.certificate_pem().to_owned(), key, fetched, _scope: scope }
    }

    fn token(&self, key_id: &str, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({ "alg": "ES256", "kid": key_id })), part(claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    async fn server(&self) -> ApiServer {
        let configuration = json!({ "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration",
            "jwt": [{ "issuer": { "url": self.url, "audiences": ["portolan"], "certificateAuthority": self.authority },
                "claimMappings": { "username": { "claim": "sub", "prefix": "corp:" },
                                   "groups": { "claim": "groups", "prefix": "" } } }] });
        let configuration = AuthenticationConfiguration::parse(&configuration.to_string()).unwrap();
        let issuers = JwtIssuers::new(&configuration, &Roots::default()).unwrap();
        let config =
            Config { authentication: Authentication::default().with_providers(issuers), ..Config::default() };
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
