//! Requests with random mistakes: valid ones with bytes changed, cut, doubled or moved.

use std::time::{Duration, Instant};

use anyhow::Result;
use http::Method;
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _};
use serde_json::json;

use super::Setting;
use crate::client::{Client, media};
use crate::health::HealthChecks;
use crate::tally::Tally;

/// Every answer comes within this time.
const LIMIT: Duration = Duration::from_secs(10);

/// A valid request.
struct Sample {
    method: Method,
    path: &'static str,
    media_type: &'static str,
    body: Vec<u8>,
}

pub(super) async fn run(setting: &Setting) -> Result<Tally> {
    let folder = tempfile::tempdir()?;
    let mut server = setting.start(&folder)?;
    let client = server.client()?.within(LIMIT);
    let health = HealthChecks::start(client.clone());
    let (mut random, mut tally, deadline) = (setting.random(), Tally::default(), setting.deadline());
    let samples = samples();
    while Instant::now() < deadline {
        let sample = &samples[random.random_range(0..samples.len())];
        let (path, body) = mutate(sample, &mut random);
        let sent = client.send(&sample.method, &path, sample.media_type, body).await;
        match sent {
            Ok(answer) if answer.is_refusal() => tally.refused(),
            Ok(_) => tally.harmless(),
            // A URL that no client can send.
            Err(error) if error.downcast_ref::<http::Error>().is_some() => {}
            Err(error) => tally.succeeded(format!("{} {path}: {error:#}", sample.method)),
        }
    }
    check_lists(&client, &mut tally).await?;
    tally.add_health(&health.finish());
    if server.has_ended() || server.log().contains("panicked at") {
        tally.succeeded(format!("the server panicked: {}", server.log()));
    }
    Ok(tally)
}

/// What was stored can be read.
async fn check_lists(client: &Client, tally: &mut Tally) -> Result<()> {
    for path in ["/api/v1/configmaps", "/api/v1/services", "/apis/apps/v1/deployments", "/api/v1/namespaces"]
    {
        if client.request(&Method::GET, path).await?.json().is_err() {
            tally.succeeded(format!("{path} cannot be read afterwards"));
        }
    }
    Ok(())
}

fn samples() -> Vec<Sample> {
    let config_map = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "sample", "labels": {"a": "b"}, "finalizers": []}, "data": {"key": "value"}});
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"generateName": "sample-"},
        "spec": {"selector": {"a": "b"}, "ports": [{"port": 80, "targetPort": "http", "protocol": "TCP"}]}});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"generateName": "sample-"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "i", "resources": {"limits": {"cpu": "100m"}}}]}}}});
    let policy = json!({"apiVersion": "policy.karmada.io/v1alpha1", "kind": "PropagationPolicy",
        "metadata": {"generateName": "sample-"}, "spec": {
            "resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}],
            "placement": {"clusterAffinity": {"clusterNames": ["m1"]}, "replicaScheduling": {
                "replicaSchedulingType": "Divided", "replicaDivisionPreference": "Weighted"}}}});
    let sample =
        |method, path, media_type, body: String| Sample { method, path, media_type, body: body.into() };
    let config_maps = "/api/v1/namespaces/default/configmaps";
    let one = "/api/v1/namespaces/default/configmaps/sample";
    let applied = "/api/v1/namespaces/default/configmaps/sample?fieldManager=m&force=true";
    let strategic = json!({"metadata": {"$setElementOrder/finalizers": ["a/b"], "finalizers": ["a/b"]},
        "data": {"$patch": "merge", "x": null}});
    let operations = json!([{"op": "test", "path": "/data/key", "value": "value"},
        {"op": "replace", "path": "/data/key", "value": "v"}, {"op": "copy", "from": "/data/key", "path": "/data/z"}]);
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: yaml\n  labels: &l {a: b}\ndata:\n  <<: *l\n  t: |\n    x\n";
    let query = "/api/v1/configmaps?limit=2&labelSelector=a%20in%20(b,c),!d&fieldSelector=metadata.name%3Dsample&continue=e30";
    vec![
        sample(Method::POST, config_maps, media::JSON, config_map.to_string()),
        sample(Method::POST, config_maps, media::YAML, yaml.to_owned()),
        sample(Method::POST, "/api/v1/namespaces/default/services", media::JSON, service.to_string()),
        sample(
            Method::POST,
            "/apis/apps/v1/namespaces/default/deployments",
            media::JSON,
            deployment.to_string(),
        ),
        sample(
            Method::POST,
            "/apis/policy.karmada.io/v1alpha1/namespaces/default/propagationpolicies",
            media::JSON,
            policy.to_string(),
        ),
        sample(Method::PUT, one, media::JSON, config_map.to_string()),
        sample(Method::PATCH, one, media::STRATEGIC_PATCH, strategic.to_string()),
        sample(Method::PATCH, one, media::JSON_PATCH, operations.to_string()),
        sample(Method::PATCH, applied, media::APPLY_PATCH, config_map.to_string()),
        Sample { method: Method::POST, path: config_maps, media_type: media::PROTOBUF, body: protobuf() },
        sample(Method::GET, query, "", String::new()),
        sample(Method::GET, "/openapi/v2?timeout=1s", "", String::new()),
    ]
}

/// A ConfigMap `proto` in Kubernetes' envelope: `runtime.Unknown` with its type and the object.
fn protobuf() -> Vec<u8> {
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).unwrap_or(u8::MAX);
        [&[number << 3 | 2, length], content].concat()
    }
    let object = field(1, &field(1, b"proto"));
    let object = [object, field(2, &[field(1, b"key"), field(2, b"value")].concat())].concat();
    let kind = [field(1, b"v1"), field(2, b"ConfigMap")].concat();
    [b"k8s\0".to_vec(), field(1, &kind), field(2, &object)].concat()
}

fn mutate(sample: &Sample, random: &mut StdRng) -> (String, Vec<u8>) {
    let mut body = sample.body.clone();
    let mut path = sample.path.as_bytes().to_vec();
    for _ in 0..random.random_range(1..6) {
        if !body.is_empty() && random.random_bool(0.8) {
            change(&mut body, random);
        } else if let Some(query) = sample.path.find('?') {
            let mut parameters = path.split_off(query);
            change(&mut parameters, random);
            parameters.retain(|byte| byte.is_ascii_graphic() && *byte != b'#');
            path.extend(parameters);
        }
    }
    (String::from_utf8_lossy(&path).into_owned(), body)
}

fn change(bytes: &mut Vec<u8>, random: &mut StdRng) {
    const TOKENS: [&str; 18] = [
        "null",
        "-1",
        "1e999",
        "9223372036854775808",
        "\"\"",
        "{}",
        "[]",
        "[[[[[[[[",
        "\u{0}",
        "\\ud800",
        "..",
        "~1~0",
        "$patch",
        "&a",
        "*a",
        "!!binary",
        "%00",
        "\u{202e}",
    ];
    if bytes.is_empty() {
        bytes.push(b'?');
    }
    let at = random.random_range(0..bytes.len());
    let end = (at + random.random_range(1..20)).min(bytes.len());
    match random.random_range(0..6) {
        0 => bytes[at] ^= 1 << random.random_range(0..8),
        1 => drop(bytes.drain(at..end)),
        2 => {
            let part = bytes[at..end].to_vec();
            let copies = random.random_range(1..200);
            bytes.splice(at..at, part.repeat(copies));
        }
        3 => {
            let token = TOKENS[random.random_range(0..TOKENS.len())];
            bytes.splice(at..end, token.bytes());
        }
        4 => bytes.truncate(at),
        _ => bytes[at] = (random.next_u32() & 0xff) as u8,
    }
}
