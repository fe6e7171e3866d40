//! A server without a socket, and functions to send requests to it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use portolan_apiserver::{ApiServer, Body, Config, LocalService, Record, User};
use portolan_store::{Limits, Store};
use serde_json::{Value, json};
use tower::Service as _;

/// Timeout of a request.
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) const MERGE: (&str, &str) = ("content-type", "application/merge-patch+json");
pub(crate) const STRATEGIC: (&str, &str) = ("content-type", "application/strategic-merge-patch+json");
pub(crate) const JSON_PATCH: (&str, &str) = ("content-type", "application/json-patch+json");
pub(crate) const APPLY: (&str, &str) = ("content-type", "application/apply-patch+yaml");
pub(crate) const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// An API server for one test.
pub(crate) struct Cluster {
    pub(crate) server: ApiServer,
    service: LocalService,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// Null when the body is not JSON.
    pub(crate) body: Value,
}

impl Answer {
    /// `code reason message` of a failure, `code kind name` of an object.
    pub(crate) fn summary(&self) -> String {
        let text =
            |pointer: &str| self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        if self.body["kind"] == "Status" && self.code >= 400 {
            return format!("{} {} {}", self.code, text("/reason"), text("/message"));
        }
        format!("{} {} {}", self.code, text("/kind"), text("/metadata/name")).trim_end().to_owned()
    }

    pub(crate) fn version(&self) -> String {
        self.body["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn warnings(&self) -> Vec<&str> {
        self.headers.get_all("warning").iter().filter_map(|value| value.to_str().ok()).collect()
    }

    /// The names of a list's items.
    pub(crate) fn names(&self) -> Vec<&str> {
        let items = self.body["items"].as_array().into_iter().flatten();
        items.filter_map(|item| item["metadata"]["name"].as_str()).collect()
    }
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        Self::over(Store::in_memory()).await
    }

    /// An API server that keeps at most `events` events.
    pub(crate) async fn with_history(events: usize) -> Self {
        Self::over(Store::in_memory_with(Limits { events, ..Limits::default() })).await
    }

    pub(crate) async fn over(store: Store<Record>) -> Self {
        let service_cidr = Some("10.96.0.0/16".parse().unwrap());
        Self::of(ApiServer::start(Config { service_cidr, ..Config::default() }, store).await.unwrap())
    }

    pub(crate) fn of(server: ApiServer) -> Self {
        let service = server.local(User::new("admin", ["system:masters"]));
        Self { server, service }
    }

    /// The same API server, with requests of another user.
    pub(crate) fn as_user(&self, name: &str) -> Self {
        self.as_member(name, &[])
    }

    /// The same API server, with requests of a user of these groups.
    pub(crate) fn as_member(&self, name: &str, groups: &[&str]) -> Self {
        let user = User::new(name, groups.iter().copied());
        Self { server: self.server.clone(), service: self.server.local(user) }
    }

    /// The service behind the requests, for a connection of the test.
    pub(crate) fn service(&self) -> LocalService {
        self.service.clone()
    }

    pub(crate) async fn open(
        &self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(uri).header("user-agent", "tester/1");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let Ok(response) = tokio::time::timeout(DEADLINE, self.service.clone().call(request)).await.unwrap();
        response
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let (parts, body) = self.open(method, uri, headers, body).await.into_parts();
        let bytes = tokio::time::timeout(DEADLINE, body.collect()).await.unwrap().unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Answer { code: parts.status.as_u16(), headers: parts.headers, text, body }
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.send("GET", uri, &[], "").await
    }

    pub(crate) async fn post(&self, uri: &str, body: &Value) -> Answer {
        self.send("POST", uri, &[], body.to_string()).await
    }

    pub(crate) async fn put(&self, uri: &str, body: &Value) -> Answer {
        self.send("PUT", uri, &[], body.to_string()).await
    }

    pub(crate) async fn delete(&self, uri: &str) -> Answer {
        self.send("DELETE", uri, &[], "").await
    }

    pub(crate) async fn patch(&self, uri: &str, kind: (&str, &str), body: &Value) -> Answer {
        self.send("PATCH", uri, &[kind], body.to_string()).await
    }

    pub(crate) async fn watch(&self, uri: &str) -> Events {
        self.watch_with(uri, &[]).await
    }

    pub(crate) async fn watch_with(&self, uri: &str, headers: &[(&str, &str)]) -> Events {
        let response = self.open("GET", uri, headers, "").await;
        assert_eq!(response.status(), 200, "{uri}");
        assert_eq!(response.headers()["content-type"], "application/json");
        Events { body: response.into_body(), rest: String::new() }
    }

    /// Repeats a request until the response is as wanted.
    pub(crate) async fn eventually(&self, uri: &str, is_wanted: impl Fn(&Answer) -> bool) -> Answer {
        let end = tokio::time::Instant::now() + DEADLINE;
        loop {
            let answer = self.get(uri).await;
            if is_wanted(&answer) {
                return answer;
            }
            assert!(tokio::time::Instant::now() < end, "{uri} stays {}", answer.summary());
            tokio::task::yield_now().await;
        }
    }
}

/// The events of one watch.
pub(crate) struct Events {
    body: Body,
    rest: String,
}

impl Events {
    /// The next event; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((line, rest)) = self.rest.split_once('\n') {
                let event = serde_json::from_str(line).unwrap();
                self.rest = rest.to_owned();
                return Some(event);
            }
            let frame = tokio::time::timeout(DEADLINE, self.body.frame()).await.expect("no event in time")?;
            self.rest.push_str(std::str::from_utf8(frame.unwrap().data_ref().unwrap()).unwrap());
        }
    }

    /// `TYPE name` of the next event, with the data of a config map in parentheses.
    pub(crate) async fn summary(&mut self) -> String {
        let Some(event) = self.next().await else { return "END".to_owned() };
        let object = &event["object"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let what = match object["metadata"]["name"].as_str() {
            Some(name) => name.to_owned(),
            None => text(&object["reason"]),
        };
        let data = object["data"]["k"].as_str().map(|data| format!("({data})")).unwrap_or_default();
        format!("{} {what}{data}", text(&event["type"])).trim_end().to_owned()
    }
}

pub(crate) fn config_map(name: &str, value: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": { "k": value } })
}

/// A row of a table: name, method, path, headers, body, and the summary of the answer.
pub(crate) type Row<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);

/// Sends each row and compares the responses.
pub(crate) async fn check(cluster: &Cluster, rows: &[Row<'_>]) {
    for (name, method, uri, headers, body, want) in rows {
        let answer = cluster.send(method, uri, headers, (*body).to_owned()).await;
        assert_eq!(answer.summary(), *want, "{name}: {}", answer.text);
    }
}
