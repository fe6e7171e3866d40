use ring::rand::SystemRandom;
use serde_json::json;

use super::*;
use crate::auth::reviews;
use crate::auth::token::SigningKey;
use crate::auth::token_request::Issuance;

const NOW: &str = "2026-01-01T00:00:00.5Z";

struct Objects(Vec<Object>);

impl Directory for Objects {
    fn find(&self, resource: &str, namespace: &str, name: &str) -> Option<Object> {
        let is_it = |object: &&Object| {
            format!("{}s", object.kind().to_lowercase()) == resource
                && object.namespace() == namespace
                && object.name() == name
        };
        self.0.iter().find(is_it).cloned()
    }
}

fn object(kind: &str, namespace: &str, name: &str, uid: &str) -> Object {
    Object(json!({ "kind": kind, "metadata": { "namespace": namespace, "name": name, "uid": uid },
        "spec": { "serviceAccountName": "sa", "nodeName": "node" } }))
}

fn objects() -> Objects {
    Objects(vec![
        object("ServiceAccount", "n", "sa", "u1"),
        object("Pod", "n", "p", "u2"),
        object("Node", "", "node", "u3"),
        object("Secret", "n", "s", "u4"),
    ])
}

fn authentication() -> Authentication {
    let random = SystemRandom::new();
    let key = SigningKey::from_pkcs8(&SigningKey::generate(&random).unwrap(), &random).unwrap();
    Authentication::default()
        .with_token("secret-token", User::new("robot", ["machines"]))
        .with_issuer(Issuer::new("https://issuer", key))
}

fn issue(
    authentication: &Authentication,
    directory: &Objects,
    spec: serde_json::Value,
) -> Result<serde_json::Value, Status> {
    let issuance = Issuance {
        issuer: authentication.issuer().unwrap(),
        directory,
        now: NOW.parse().unwrap(),
        random: &SystemRandom::new(),
        token_id: "id-1".to_owned(),
    };
    let account = directory.find("serviceaccounts", "n", "sa").unwrap();
    issuance.issue(&account, json!({ "spec": spec })).map(|(request, _)| request)
}

fn ask(authentication: &Authentication, directory: &Objects, token: &str, after: i64) -> Result<User, u16> {
    let header = format!("Bearer {token}");
    let credentials = Credentials { authorization: Some(header.as_bytes()), ..Credentials::default() };
    let now = NOW.parse::<Timestamp>().unwrap() + jiff::SignedDuration::from_secs(after);
    authentication.authenticate(credentials, directory, now).map_err(|status| status.code)
}

#[test]
fn authorization_headers() {
    let authentication = authentication();
    let cases = [
        ("no header", None, Ok("system:anonymous")),
        ("fixed token", Some(&b"Bearer secret-token"[..]), Ok("robot")),
        ("scheme in another case", Some(b"bEARER secret-token "), Ok("robot")),
        ("text after the token", Some(b"Bearer secret-token more"), Ok("robot")),
        ("two spaces", Some(b"Bearer  secret-token"), Ok("system:anonymous")),
        ("bad token", Some(b"Bearer nonsense"), Err(401)),
        ("bad token, not ASCII", Some("Bearer éé".as_bytes()), Err(401)),
        ("bad token, not UTF-8", Some(b"Bearer \xff\xfe"), Err(401)),
        ("another scheme counts as none", Some(b"Basic YTpi"), Ok("system:anonymous")),
        ("another scheme, not ASCII", Some(b"Basic \xff"), Ok("system:anonymous")),
        ("a scheme that is not ASCII", Some(b"\xff x"), Ok("system:anonymous")),
        ("no token", Some(b"Bearer "), Ok("system:anonymous")),
    ];
    for (name, authorization, want) in cases {
        let credentials = Credentials { authorization, ..Credentials::default() };
        let got = authentication.authenticate(credentials, &objects(), NOW.parse().unwrap());
        assert_eq!(got.as_ref().map(|user| user.name.as_str()).map_err(|status| status.code), want, "{name}");
    }
    let closed = Authentication::default().without_anonymous();
    let refused = closed.authenticate(Credentials::default(), &objects(), NOW.parse().unwrap()).unwrap_err();
    assert_eq!(
        (refused.code, refused.message.as_str(), refused.reason.as_str()),
        (401, "Unauthorized", "Unauthorized")
    );
}

#[test]
fn a_service_account_token_authenticates_its_account() {
    let (authentication, objects) = (authentication(), objects());
    let request = issue(
        &authentication,
        &objects,
        json!({ "boundObjectRef": { "kind": "Pod", "apiVersion": "v1", "name": "p" } }),
    )
    .unwrap();
    assert_eq!(request["status"]["expirationTimestamp"], "2026-01-01T01:00:00Z");
    assert_eq!(request["spec"]["audiences"], json!(["https://issuer"]));
    assert_eq!(request["spec"]["expirationSeconds"], 3600);
    assert_eq!(request["metadata"]["name"], "sa");
    let token = request["status"]["token"].as_str().unwrap();
    let user = ask(&authentication, &objects, token, 0).unwrap();
    assert_eq!((user.name.as_str(), user.uid.as_str()), ("system:serviceaccount:n:sa", "u1"));
    assert_eq!(user.groups, ["system:serviceaccounts", "system:serviceaccounts:n", "system:authenticated"]);
    let extra: Vec<String> = user
        .extra
        .iter()
        .map(|(key, values)| format!("{}={}", key.rsplit('/').next().unwrap(), values[0]))
        .collect();
    assert_eq!(
        extra,
        ["credential-id=JTI=id-1", "node-name=node", "node-uid=u3", "pod-name=p", "pod-uid=u2"]
    );
    assert_eq!(ask(&authentication, &objects, token, 3700), Err(401), "expired");
    for (gone, index) in [("account", 0), ("pod", 1)] {
        let mut fewer = self::objects();
        fewer.0.remove(index);
        assert_eq!(ask(&authentication, &fewer, token, 0), Err(401), "{gone} is gone");
        let mut other = self::objects();
        other.0[index].metadata_mut().insert("uid".to_owned(), json!("other"));
        assert_eq!(ask(&authentication, &other, token, 0), Err(401), "{gone} is another one");
    }
    let mut without_node = self::objects();
    without_node.0.remove(2);
    assert!(ask(&authentication, &without_node, token, 0).is_ok(), "a pod's token outlives its node object");
}

#[test]
fn invalid_token_requests() {
    let cases = [
        (
            "too short",
            json!({ "expirationSeconds": 599 }),
            "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes",
        ),
        (
            "no such pod",
            json!({ "boundObjectRef": { "kind": "Pod", "apiVersion": "v1", "name": "q" } }),
            "pods \"q\" not found",
        ),
        (
            "another pod by now",
            json!({ "boundObjectRef": { "kind": "Pod", "apiVersion": "v1", "name": "p", "uid": "x" } }),
            "Operation cannot be fulfilled on Pod \"p\": the UID in the bound object reference (x) does not match the UID in record. The object might have been deleted and then recreated",
        ),
        (
            "not a thing to bind to",
            json!({ "boundObjectRef": { "kind": "Service", "apiVersion": "v1", "name": "p" } }),
            "cannot bind token to object of type /v1, Kind=Service",
        ),
    ];
    for (name, spec, want) in cases {
        assert_eq!(issue(&authentication(), &objects(), spec).unwrap_err().message, want, "{name}");
    }
}

#[test]
fn other_audiences() {
    let (authentication, objects) = (authentication(), objects());
    let request =
        issue(&authentication, &objects, json!({ "audiences": ["vault"], "expirationSeconds": 600 }))
            .unwrap();
    let token = request["status"]["token"].as_str().unwrap();
    assert_eq!(ask(&authentication, &objects, token, 0), Err(401), "not for the server");
    let now = NOW.parse().unwrap();
    let review = |spec: serde_json::Value| {
        reviews::token(json!({ "kind": "TokenReview", "spec": spec }), &authentication, &objects, now)
            .unwrap()["status"]
            .clone()
    };
    let good = review(json!({ "token": token, "audiences": ["vault", "x"] }));
    assert_eq!(good["authenticated"], true);
    assert_eq!(good["audiences"], json!(["vault"]));
    assert_eq!(good["user"]["username"], "system:serviceaccount:n:sa");
    let bad = review(json!({ "token": token }));
    assert_eq!(
        bad["error"],
        "[invalid bearer token, token audiences [\"vault\"] is invalid for the target audiences [\"https://issuer\"]]"
    );
    assert_eq!(review(json!({ "token": "x" }))["error"], "invalid bearer token");
    let missing = reviews::token(json!({}), &authentication, &objects, now).unwrap_err();
    assert_eq!(missing.code, 400);
}

#[test]
fn a_certificate_that_is_not_trusted_is_a_wrong_credential_and_not_a_missing_one() {
    let authentication = authentication();
    let cases = [
        ("alone", "", Err(401)),
        ("with a token", "Bearer secret-token", Ok("robot")),
        ("with a bad token", "Bearer nonsense", Err(401)),
    ];
    for (name, header, want) in cases {
        let authorization = Some(header.as_bytes()).filter(|header| !header.is_empty());
        let credentials =
            Credentials { is_certificate_distrusted: true, authorization, ..Credentials::default() };
        let got = authentication.authenticate(credentials, &objects(), Timestamp::now());
        assert_eq!(got.as_ref().map(|user| user.name.as_str()).map_err(|status| status.code), want, "{name}");
    }
}

#[test]
fn a_certificate_that_expires_on_an_open_connection_is_refused() {
    let mut parameters = rcgen::CertificateParams::default();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "alice");
    parameters.not_before = rcgen::date_time_ymd(2025, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2026, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificates = [parameters.self_signed(&key).unwrap().der().clone()];
    let authentication = authentication();
    let good: &[u8] = b"Bearer secret-token";
    let bad: &[u8] = b"Bearer nonsense";
    let cases = [
        ("valid", "2026-01-01T00:00:00Z", None, Ok("alice")),
        ("valid, and a bad token", "2026-01-01T00:00:00Z", Some(bad), Ok("alice")),
        ("expired", "2026-01-01T00:00:01Z", None, Err(401)),
        ("expired, and a token", "2026-01-01T00:00:01Z", Some(good), Ok("robot")),
        ("expired, and a bad token", "2026-01-01T00:00:01Z", Some(bad), Err(401)),
    ];
    for (name, now, authorization, want) in cases {
        let credentials =
            Credentials { certificates: &certificates, authorization, ..Credentials::default() };
        let got = authentication.authenticate(credentials, &objects(), now.parse().unwrap());
        assert_eq!(got.as_ref().map(|user| user.name.as_str()).map_err(|status| status.code), want, "{name}");
    }
}
