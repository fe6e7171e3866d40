//! Watches over a WebSocket.

use std::time::Duration;

use futures::StreamExt as _;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tokio::io::DuplexStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::cluster::{CONFIG_MAPS, Cluster, config_map};

const DEADLINE: Duration = Duration::from_secs(60);

/// Opens a WebSocket to a path; returns it with the protocol that the server chose.
async fn open(
    cluster: &Cluster,
    uri: &str,
    protocols: &str,
) -> Result<(WebSocketStream<DuplexStream>, String), Error> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let service = TowerToHyperService::new(cluster.service());
    tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(far), service).with_upgrades());
    let mut request = format!("ws://localhost{uri}").into_client_request().unwrap();
    if !protocols.is_empty() {
        request.headers_mut().insert("sec-websocket-protocol", protocols.parse().unwrap());
    }
    let (socket, response) = client_async(request, near).await?;
    let chosen =
        response.headers().get("sec-websocket-protocol").map(|value| value.to_str().unwrap().to_owned());
    Ok((socket, chosen.unwrap_or_default()))
}

/// The next event, which has to be a text message of its own.
async fn event(socket: &mut WebSocketStream<DuplexStream>) -> String {
    let message = tokio::time::timeout(DEADLINE, socket.next()).await.expect("an event in time");
    let Some(Ok(Message::Text(text))) = message else { panic!("no text: {message:?}") };
    let event: Value = serde_json::from_str(&text).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{} {}", text(&event["type"]), text(&event["object"]["metadata"]["name"]))
}

#[tokio::test]
async fn each_event_of_a_watch_is_a_text_message() {
    let cluster = Cluster::start().await;
    cluster.post(CONFIG_MAPS, &config_map("a", "1")).await;
    cluster.post(CONFIG_MAPS, &config_map("big", &"x".repeat(100_000))).await;
    let (mut socket, chosen) = open(&cluster, &format!("{CONFIG_MAPS}?watch=true"), "").await.unwrap();
    assert_eq!(chosen, "");
    assert_eq!(event(&mut socket).await, "ADDED a");
    assert_eq!(event(&mut socket).await, "ADDED big");
    cluster.delete(&format!("{CONFIG_MAPS}/a")).await;
    assert_eq!(event(&mut socket).await, "DELETED a");
    cluster.server.drain();
    let end = tokio::time::timeout(DEADLINE, socket.next()).await.expect("an end in time");
    assert!(matches!(end, Some(Ok(Message::Close(_)))), "{end:?}");
}

#[tokio::test]
async fn a_protocol_that_stands_alone_is_accepted_and_several_are_refused() {
    let cluster = Cluster::start().await;
    let uri = format!("{CONFIG_MAPS}?watch=true");
    assert_eq!(open(&cluster, &uri, "anything").await.unwrap().1, "anything");
    let Err(Error::Http(response)) = open(&cluster, &uri, "a, b").await else { panic!("it is accepted") };
    assert_eq!(response.status(), 403);
}

#[tokio::test]
async fn a_refused_watch_answers_as_plain_http() {
    let cluster = Cluster::start().await;
    let Err(Error::Http(response)) = open(&cluster, "/api/v1/nothing?watch=true", "").await else {
        panic!("it is accepted")
    };
    assert_eq!(response.status(), 404);
}
