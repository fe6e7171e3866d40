//! Everything that makes a member useless for the control plane is a condition with cause and cure, and goes by itself.

use std::io;
use std::sync::Arc;

use http::{Request, Response, header};
use http_body_util::{BodyExt, Full};
use parking_lot::Mutex;
use portolan_apiserver::LocalService;
use portolan_object::{Object, Status};
use portolan_runtime::Client;
use portolan_runtime::client::{Body, BoxError};
use rustls::CertificateError;
use tower::{Service as _, service_fn};

use crate::federation::{CLUSTER, Federation, condition, message};

/// What is wrong with a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing.
    None,
    /// The token has expired or its account is gone.
    TokenRefused,
    /// The account may do nothing.
    NoRights,
    /// The account may not keep the Lease.
    NoLease,
    /// Its certificate is of another authority.
    OtherAuthority,
    /// Its certificate is not valid yet.
    NotValidYet,
    /// Its health check fails.
    Unhealthy,
    /// The connection is refused.
    Down,
    /// It states its time, which is this many hours ahead.
    Clock(i64),
}

fn status(code: u16, reason: &str) -> Result<Response<Body>, BoxError> {
    let status = Status::new(code, reason, format!("the member says {reason}")).to_value().to_string();
    let body = Full::from(status).map_err(|never| match never {}).boxed_unsync();
    Ok(Response::builder().status(code).header(header::CONTENT_TYPE, "application/json").body(body)?)
}

fn dated(hours: i64) -> Result<Response<Body>, BoxError> {
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
    let date = later.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let body = Full::from("ok").map_err(|never| match never {}).boxed_unsync();
    Ok(Response::builder().header(header::DATE, date).body(body)?)
}

fn certificate(error: CertificateError) -> BoxError {
    io::Error::new(io::ErrorKind::InvalidData, rustls::Error::InvalidCertificate(error)).into()
}

/// The answer to a request that the fault concerns.
fn answer(fault: Fault, path: &str) -> Option<Result<Response<Body>, BoxError>> {
    let is_health = ["/readyz", "/healthz", "/version"].contains(&path);
    match fault {
        Fault::TokenRefused => Some(status(401, "Unauthorized")),
        Fault::NoRights if !is_health => Some(status(403, "Forbidden")),
        Fault::NoLease if path.contains("/leases/") => Some(status(403, "Forbidden")),
        Fault::OtherAuthority => Some(Err(certificate(CertificateError::UnknownIssuer))),
        Fault::NotValidYet => Some(Err(certificate(CertificateError::NotValidYet))),
        Fault::Unhealthy if path == "/readyz" => Some(status(500, "InternalError")),
        Fault::Clock(hours) if path == "/readyz" => Some(dated(hours)),
        Fault::Down => Some(Err("connection refused".into())),
        _ => None,
    }
}

/// A client of a member that has the fault of the moment.
fn faulty(server: LocalService, fault: Arc<Mutex<Fault>>) -> Client {
    Client::in_process(service_fn(move |request: Request<Body>| {
        let wrong = answer(*fault.lock(), request.uri().path());
        let right = wrong.is_none().then(|| server.clone().call(request));
        async move {
            match (wrong, right) {
                (Some(wrong), _) => wrong,
                (None, Some(right)) => {
                    Ok::<_, BoxError>(right.await.map_err(|never| match never {})?.map(BodyExt::boxed_unsync))
                }
                (None, None) => Err("no answer".into()),
            }
        }
    }))
}

fn reason(cluster: &Object) -> String {
    let conditions = cluster.0["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let ready = conditions.into_iter().find(|condition| condition["type"] == "Ready").unwrap_or_default();
    ready["reason"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_a_member_useless_is_said_with_its_cure_and_goes_by_itself() {
    let fault = Arc::new(Mutex::new(Fault::None));
    let mut set = Federation::start(&[]).await;
    let shared = fault.clone();
    set.join_behind("eu", move |server| faulty(server, shared)).await;
    set.is_ready("eu").await;
    let cases = [
        (Fault::TokenRefused, "CredentialRefused", vec!["Unauthorized", "expired", "`portolan join`"]),
        (Fault::NoRights, "LeaseRefused", vec!["Forbidden", "the credential in the cluster's secret"]),
        (
            Fault::NoLease,
            "LeaseRefused",
            vec!["leases.coordination.k8s.io", "the credential in the cluster's secret"],
        ),
        (Fault::OtherAuthority, "CertificateNotTrusted", vec!["UnknownIssuer", "`portolan join`"]),
        (Fault::NotValidYet, "CertificateNotTrusted", vec!["valid yet", "clocks"]),
        (Fault::Unhealthy, "ClusterNotReady", vec!["responded without ok"]),
        (Fault::Down, "ClusterNotReachable", vec!["connection refused"]),
    ];
    for (what, wanted, words) in cases {
        *fault.lock() = what;
        let is_told = |cluster: &Object| condition(cluster, "Ready") == "False" && reason(cluster) == wanted;
        let cluster = set.hub.when(CLUSTER, "eu", is_told).await;
        let text = message(&cluster, "Ready");
        assert!(words.iter().all(|word| text.contains(word)), "{what:?}: {text}");
        *fault.lock() = Fault::None;
        set.is_ready("eu").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_an_hour_off_is_a_condition_with_its_cure_and_goes_by_itself() {
    let fault = Arc::new(Mutex::new(Fault::Clock(1)));
    let mut set = Federation::start(&[]).await;
    let shared = fault.clone();
    set.join_behind("eu", move |server| faulty(server, shared)).await;
    let differs = |wanted: &'static str| move |cluster: &Object| condition(cluster, "ClockDiffers") == wanted;
    let text = message(&set.hub.when(CLUSTER, "eu", differs("True")).await, "ClockDiffers");
    assert!(text.contains("s ahead of") && text.contains("synchronize the clocks"), "{text}");
    *fault.lock() = Fault::Clock(0);
    set.hub.when(CLUSTER, "eu", differs("False")).await;
    set.is_ready("eu").await;
}
