use std::net::SocketAddr;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response};
use portolan_plan::propagation::estimate::PodSet;
use prost::Message as _;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::messages::QuantityMessage;
use super::*;

/// What an estimator answers.
#[derive(Clone)]
enum Answer {
    Replicas(i32),
    Refusal,
    Nothing,
}

/// A call that an estimator received: its path and its message.
type Call = (String, Bytes);

/// An estimator on the loopback interface, which reports the calls that it receives.
async fn estimator(answer: Answer) -> (SocketAddr, mpsc::UnboundedReceiver<Call>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (sender, calls) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (sender, answer) = (sender.clone(), answer.clone());
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    let (sender, answer) = (sender.clone(), answer.clone());
                    tokio::spawn(async move {
                        let path = request.uri().path().to_owned();
                        let mut body = request.into_body();
                        let mut received = BytesMut::new();
                        while let Some(Ok(data)) = body.data().await {
                            received.extend_from_slice(&data);
                        }
                        // Fails when the test is over.
                        let _ = sender.send((path, received.freeze().slice(5..)));
                        if matches!(answer, Answer::Nothing) {
                            std::future::pending::<()>().await;
                        }
                        let mut stream =
                            respond.send_response(Response::new(()), false).expect("an open stream");
                        let mut trailers = HeaderMap::new();
                        let status = match answer {
                            Answer::Replicas(max_replicas) => {
                                let message = MaxAvailableReplicasResponse { max_replicas }.encode_to_vec();
                                let mut frame = BytesMut::new();
                                frame.put_u8(0);
                                frame.put_u32(u32::try_from(message.len()).expect("a short message"));
                                frame.extend_from_slice(&message);
                                stream.send_data(frame.freeze(), false).expect("an open stream");
                                "0"
                            }
                            Answer::Refusal | Answer::Nothing => "2",
                        };
                        trailers.insert("grpc-status", HeaderValue::from_static(status));
                        stream.send_trailers(trailers).expect("an open stream");
                    });
                }
            });
        }
    });
    (address, calls)
}

fn channel(address: SocketAddr) -> Channel {
    Channel::new(vec![(address.ip().to_string(), address.port())], None)
}

fn request() -> MaxAvailableReplicasRequest {
    let spec: ResourceBindingSpec = serde_json::from_value(json!({
        "resource": { "namespace": "shop" },
        "replicaRequirements": {
            "namespace": "shop", "priorityClassName": "high",
            "resourceRequest": { "cpu": "100m", "memory": "1Gi" },
            "nodeClaim": { "nodeSelector": { "disk": "ssd" }, "tolerations": [{ "key": "gpu", "operator": "Exists" }] }
        }
    }))
    .expect("a spec");
    let pods = PodSet::of_binding(&spec);
    MaxAvailableReplicasRequest {
        cluster: "m1".to_owned(),
        replica_requirements: spec.replica_requirements.as_ref().map(conversion::requirements),
        assumed_workloads: vec![conversion::assumed(&Assumed { pods, sets: 2 })],
    }
}

const TIMEOUT: Duration = Duration::from_secs(10);

async fn ask(address: SocketAddr, timeout: Duration) -> Result<i32, CallError> {
    let (channel, request) = (channel(address), request());
    let call = channel.call::<MaxAvailableReplicasResponse>("MaxAvailableReplicas", &request, timeout);
    call.await.map(|answer| answer.max_replicas)
}

#[tokio::test]
async fn an_estimator_is_asked_for_replicas() {
    let (address, mut calls) = estimator(Answer::Replicas(7)).await;
    assert_eq!(ask(address, TIMEOUT).await.expect("an answer"), 7);
    let (path, message) = calls.recv().await.expect("a call");
    assert_eq!(path, "/github.com.karmada_io.karmada.pkg.estimator.service.Estimator/MaxAvailableReplicas");
    let received = MaxAvailableReplicasRequest::decode(message).expect("a request");
    assert_eq!(received, request());
    let requirements = received.replica_requirements.expect("requirements");
    assert_eq!(
        (requirements.namespace.as_str(), requirements.priority_class_name.as_str()),
        ("shop", "high")
    );
    let cpu = QuantityMessage::decode(&*requirements.resource_request["cpu"]).expect("a quantity");
    assert_eq!(cpu.string.as_deref(), Some("100m"));
    assert_eq!(received.assumed_workloads[0].components[0].replicas, 2);
}

#[tokio::test]
async fn failures_say_who_failed_and_how() {
    let (refusing, _calls) = estimator(Answer::Refusal).await;
    let error = ask(refusing, TIMEOUT).await.expect_err("a refusal").to_string();
    assert_eq!(error, format!("{refusing} refuses the call: gRPC status 2: "));

    let (hanging, _calls) = estimator(Answer::Nothing).await;
    let error = ask(hanging, Duration::from_millis(50)).await.expect_err("a timeout").to_string();
    assert_eq!(error, format!("{hanging} does not answer within 50ms"));

    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    assert!(matches!(ask(closed, TIMEOUT).await, Err(CallError::Unreachable { .. })));
}

#[tokio::test]
async fn a_connection_is_used_again_and_opened_again() {
    let (address, mut calls) = estimator(Answer::Replicas(-1)).await;
    let (channel, request) = (channel(address), request());
    for _ in 0..3 {
        let call = channel.call::<MaxAvailableReplicasResponse>("MaxAvailableReplicas", &request, TIMEOUT);
        assert_eq!(call.await.expect("an answer").max_replicas, -1);
        calls.recv().await.expect("a call");
    }
}
