//! Cloud DNS, Google's exchange of tokens and its metadata server, played on loopback.
//!
//! Statuses, reasons and messages of errors are those of Google's API.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Key of the service account of the tests.
pub(crate) const KEY: &str = include_str!("testdata/service-account.key");
pub(crate) const ACCOUNT: &str = "federation-dns@p1.iam.gserviceaccount.com";

/// A status and a body.
type Answer = (u16, Value);

#[derive(Default)]
pub(crate) struct State {
    /// Name and domain of the managed zones.
    pub(crate) zones: Vec<(String, String)>,
    /// By name and type.
    pub(crate) sets: BTreeMap<(String, String), Value>,
    /// Seconds that tokens hold.
    pub(crate) lifetime: u64,
    /// Tokens that are accepted.
    pub(crate) accepted: Vec<String>,
    /// Tokens that were given.
    pub(crate) given: usize,
    /// What every request to the API gets instead of its answer.
    pub(crate) refusal: Option<Answer>,
    /// Method, path with query, and body of every request to the API.
    pub(crate) requests: Vec<(String, String, Value)>,
    /// Whether every list says that more follows.
    pub(crate) is_endless: bool,
}

/// A running fake; it ends with the test.
pub(crate) struct FakeCloudDns {
    pub(crate) url: String,
    /// Host and port.
    pub(crate) host: String,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl FakeCloudDns {
    /// Starts with the zone `fed` for `example.com`.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let host = listener.local_addr().expect("an address").to_string();
        let url = format!("http://{host}");
        let zones = vec![("fed".to_owned(), "example.com.".to_owned())];
        let mut first = State { zones, lifetime: 3_599, ..State::default() };
        for (kind, data) in [("SOA", "ns1. admin. 1 21600 3600 259200 300"), ("NS", "ns1.")] {
            first.add(&json!({ "name": "example.com.", "type": kind, "ttl": 300, "rrdatas": [data] }));
        }
        let state = Arc::new(Mutex::new(first));
        let (shared, token_uri) = (state.clone(), format!("{url}/token"));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (state, token_uri) = (shared.clone(), token_uri.clone());
                let service = service_fn(move |request| answer(state.clone(), token_uri.clone(), request));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { url, host, state, task }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The JSON of a key, as Google writes it.
    pub(crate) fn key_file(&self) -> String {
        let token_uri = format!("{}/token", self.url);
        json!({ "type": "service_account", "project_id": "p1", "private_key_id": "k1", "private_key": KEY,
            "client_email": ACCOUNT, "token_uri": token_uri })
        .to_string()
    }
}

impl Drop for FakeCloudDns {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    state: Arc<Mutex<State>>,
    token_uri: String,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let header = |name: &str| {
        head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    let (status, content) = if path == "/token" {
        let (status, answer) = state.exchange(&token_uri, &String::from_utf8_lossy(&body));
        (status, answer.to_string())
    } else if let Some(path) = path.strip_prefix("/computeMetadata/v1/") {
        assert_eq!(header("metadata-flavor"), "Google");
        match path {
            "instance/service-accounts/default/token" => (200, state.token().to_string()),
            "instance/service-accounts/default/email" => (200, ACCOUNT.to_owned()),
            "project/project-id" => (200, "p1\n".to_owned()),
            _ => (404, String::new()),
        }
    } else {
        let sent = serde_json::from_slice(&body).unwrap_or(Value::Null);
        state.requests.push((head.method.to_string(), head.uri.to_string(), sent.clone()));
        let authorization = header("authorization");
        let is_known = state.accepted.iter().any(|token| authorization == format!("Bearer {token}"));
        let refusal = state.refusal.clone();
        let (status, answer) = match refusal {
            _ if !is_known => error(401, "authError", "Invalid Credentials"),
            Some(refusal) => refusal,
            None => state.serve(&head.method, path, query, &sent),
        };
        (status, answer.to_string())
    };
    let response = Response::builder().status(status).body(Full::new(Bytes::from(content)));
    Ok(response.expect("a response"))
}

/// An error in the form of Google's APIs.
pub(crate) fn error(status: u16, reason: &str, message: &str) -> Answer {
    (status, json!({ "error": { "code": status, "message": message, "errors": [{ "reason": reason }] } }))
}

fn key_of(set: &Value) -> (String, String) {
    let part = |field: &str| set[field].as_str().unwrap_or_default().to_owned();
    (part("name"), part("type"))
}

fn is_signed_by_key(claim: &str) -> bool {
    let der = PrivatePkcs8KeyDer::from_pem_slice(KEY.as_bytes()).expect("PEM");
    let pair = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).expect("a key");
    let Some((content, signature)) = claim.rsplit_once('.') else { return false };
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64");
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
    public.verify(content.as_bytes(), &signature).is_ok()
}

impl State {
    /// Puts a set, as another writer does.
    pub(crate) fn add(&mut self, set: &Value) {
        self.sets.insert(key_of(set), set.clone());
    }

    /// Gives a token.
    fn token(&mut self) -> Value {
        self.given += 1;
        let token = format!("hidden-token-{}", self.given);
        self.accepted.push(token.clone());
        json!({ "access_token": token, "expires_in": self.lifetime, "token_type": "Bearer" })
    }

    fn exchange(&mut self, token_uri: &str, form: &str) -> Answer {
        let fields: BTreeMap<String, String> = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
        assert_eq!(fields["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
        let claim = &fields["assertion"];
        let parts: Vec<Value> = claim
            .split('.')
            .take(2)
            .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON"))
            .collect();
        assert_eq!(parts[0], json!({ "alg": "RS256", "typ": "JWT", "kid": "k1" }));
        let claims = &parts[1];
        assert_eq!(claims["scope"], "https://www.googleapis.com/auth/ndev.clouddns.readwrite");
        let times = [&claims["exp"], &claims["iat"]].map(|time| time.as_u64().expect("seconds"));
        assert_eq!(times[0] - times[1], 3_600);
        if claims["iss"] != ACCOUNT || claims["aud"] != *token_uri || !is_signed_by_key(claim) {
            let answer = json!({ "error": "invalid_grant", "error_description": "Invalid JWT Signature." });
            return (400, answer);
        }
        (200, self.token())
    }

    fn serve(&mut self, method: &Method, path: &str, query: &str, body: &Value) -> Answer {
        let query: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let Some(path) = path.strip_prefix("/dns/v1/projects/p1/managedZones") else {
            return error(403, "forbidden", "Forbidden");
        };
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        match (method.as_str(), &parts[..]) {
            ("GET", []) => {
                let is_it = |(_, domain): &&(String, String)| {
                    query.get("dnsName").is_none_or(|asked| asked == domain)
                };
                let zone = |(index, (name, domain)): (usize, &(String, String))| json!({ "name": name, "id": (index + 1).to_string(), "dnsName": domain });
                self.page(
                    "managedZones",
                    self.zones.iter().filter(is_it).enumerate().map(zone).collect(),
                    &query,
                )
            }
            (_, [zone, ..]) if !self.zones.iter().any(|(name, _)| name == zone) => {
                let message = format!("The 'parameters.managedZone' resource named '{zone}' does not exist.");
                error(404, "notFound", &message)
            }
            ("GET", [_, "rrsets"]) => self.page("rrsets", self.sets.values().cloned().collect(), &query),
            ("POST", [_, "changes"]) => self.change(body),
            _ => error(404, "notFound", "Not Found"),
        }
    }

    /// Two elements at a time.
    fn page(&self, field: &str, all: Vec<Value>, query: &BTreeMap<String, String>) -> Answer {
        let from =
            query.get("pageToken").and_then(|token| token.strip_prefix("from&")?.parse().ok()).unwrap_or(0);
        let more = from + 2 < all.len();
        let elements: Vec<Value> = all.into_iter().skip(from).take(2).collect();
        let mut answer = json!({ field: elements });
        if self.is_endless {
            answer["nextPageToken"] = json!("from&0");
        } else if more {
            answer["nextPageToken"] = json!(format!("from&{}", from + 2));
        }
        (200, answer)
    }

    /// All or nothing.
    fn change(&mut self, body: &Value) -> Answer {
        let mut sets = self.sets.clone();
        let list = |field: &str| body[field].as_array().cloned().unwrap_or_default();
        for (index, set) in list("deletions").iter().enumerate() {
            let (name, kind) = key_of(set);
            match sets.remove(&(name.clone(), kind.clone())) {
                Some(found) if found == *set => {}
                Some(_) => {
                    let message = format!("Precondition not met for 'entity.change.deletions[{index}]'");
                    return error(412, "conditionNotMet", &message);
                }
                None => {
                    let what =
                        format!("The 'entity.change.deletions[{index}]' resource named '{name} ({kind})'");
                    return error(404, "notFound", &format!("{what} does not exist."));
                }
            }
        }
        for (index, set) in list("additions").iter().enumerate() {
            let (name, kind) = key_of(set);
            if sets.insert((name.clone(), kind.clone()), set.clone()).is_some() {
                let what = format!("The resource 'entity.change.additions[{index}]' named '{name} ({kind})'");
                return error(409, "alreadyExists", &format!("{what} already exists"));
            }
        }
        self.sets = sets;
        (200, json!({ "kind": "dns#change", "id": "1", "status": "pending" }))
    }
}
