//! Requests that take a small body and much work: rules, patches, schemas, documents, selectors.

mod definitions;
mod patches;

use anyhow::Result;
use http::Method;
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _};
use serde_json::json;

use super::Setting;
use crate::client::{Answer, Client, media};
use crate::health::HealthChecks;
use crate::server::Server;
use crate::tally::Tally;

/// Memory that one bomb may leave behind or take while it runs.
const MAX_GROWTH: u64 = 512 << 20;
/// The same bomb at once: as many as a small machine has cores, and one more.
const PARALLEL: usize = 3;

/// A request, or several that belong together.
pub(super) struct Bomb {
    /// The kind, for the report.
    name: &'static str,
    /// Requests that have to be accepted before: when one is refused, the bomb is.
    before: Vec<Step>,
    /// The request that is sent [`PARALLEL`] times at once.
    request: Step,
}

/// One request.
#[derive(Clone)]
pub(super) struct Step {
    method: Method,
    path: String,
    media_type: &'static str,
    body: String,
}

impl Step {
    fn new(method: Method, path: impl Into<String>, media_type: &'static str, body: String) -> Self {
        Self { method, path: path.into(), media_type, body }
    }

    fn create(path: impl Into<String>, body: String) -> Self {
        Self::new(Method::POST, path, media::JSON, body)
    }
}

type Maker = fn(&mut StdRng, u64) -> Bomb;

const MAKERS: [Maker; 15] = [
    definitions::unique_elements,
    definitions::growing_strings,
    definitions::nested_rules,
    definitions::bounded_rule_at_run_time,
    definitions::alternatives,
    definitions::multiplying_defaults,
    definitions::columns,
    definitions::patterns,
    patches::delete_from_primitive_list,
    patches::set_element_order,
    patches::copies,
    patches::inserts,
    patches::managed_fields,
    yaml_aliases,
    selector_terms,
];

pub(super) async fn run(setting: &Setting) -> Result<Tally> {
    let folder = tempfile::tempdir()?;
    let mut server = setting.start(&folder)?;
    let client = server.client()?;
    let health = HealthChecks::start(client.clone());
    let (mut random, mut tally, deadline) = (setting.random(), Tally::default(), setting.deadline());
    let mut round = 0;
    while round == 0 || std::time::Instant::now() < deadline {
        for (index, make) in MAKERS.iter().enumerate() {
            let bomb = make(&mut random, round * 100 + index as u64);
            health.during(bomb.name);
            throw(&bomb, &mut server, &client, &mut tally).await?;
            if std::time::Instant::now() > deadline && round > 0 {
                break;
            }
        }
        round += 1;
    }
    tally.add_health(&health.finish());
    match server.terminate()? {
        Some(time) => tally.note(format!("SIGTERM after the attack: ended after {time:.1?}")),
        None => tally.succeeded("SIGTERM does not end the server".to_owned()),
    }
    Ok(tally)
}

/// Sends one bomb, and judges by the answers, the process and its memory.
async fn throw(bomb: &Bomb, server: &mut Server, client: &Client, tally: &mut Tally) -> Result<()> {
    for step in &bomb.before {
        match send_when_served(client, step).await {
            Ok(answer) if answer.is_refusal() => {
                tally.note(format!("{}: refused before: {} {}", bomb.name, answer.status, answer.message()));
                tally.refused();
                return Ok(());
            }
            Ok(_) => {}
            Err(error) => {
                tally.succeeded(format!("{}: {error:#}", bomb.name));
                return Ok(());
            }
        }
    }
    let before = server.resident();
    let step = &bomb.request;
    let sent: Vec<_> = (0..PARALLEL)
        .map(|_| {
            let (client, step) = (client.clone(), step.clone());
            tokio::spawn(
                async move { client.send(&step.method, &step.path, step.media_type, step.body).await },
            )
        })
        .collect();
    let mut most = before;
    while sent.iter().any(|request| !request.is_finished()) {
        most = most.max(server.resident());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let growth = most.saturating_sub(before);
    for request in sent {
        match request.await? {
            Err(error) => tally.succeeded(format!("{}: {error:#}", bomb.name)),
            Ok(answer) if answer.is_refusal() => tally.refused(),
            Ok(_) => tally.harmless(),
        }
    }
    if growth > MAX_GROWTH {
        tally.succeeded(format!("{}: memory grew by {} MiB", bomb.name, growth >> 20));
    }
    if server.has_ended() {
        anyhow::bail!("{}: the server has ended: {}", bomb.name, server.log());
    }
    Ok(())
}

/// Sends a request, again while the kind that was just defined is not served yet.
async fn send_when_served(client: &Client, step: &Step) -> Result<Answer> {
    let mut attempts = 0;
    loop {
        let answer = client.send(&step.method, &step.path, step.media_type, step.body.clone()).await?;
        attempts += 1;
        if answer.status != 404 || attempts > 20 {
            return Ok(answer);
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// A number of elements around `middle`.
fn about(random: &mut StdRng, middle: usize) -> usize {
    random.random_range(middle / 2..middle * 2)
}

/// Lists of aliases of lists of aliases.
fn yaml_aliases(random: &mut StdRng, number: u64) -> Bomb {
    let width = random.random_range(5..20);
    let mut text = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: aliases{number}}}\nl0: &l0 [{}]\n",
        vec!["x"; width].join(",")
    );
    for level in 1..random.random_range(8..40) {
        let aliases = vec![format!("*l{}", level - 1); width].join(",");
        text.push_str(&format!("l{level}: &l{level} [{aliases}]\n"));
    }
    let path = "/api/v1/namespaces/default/configmaps";
    Bomb { name: "YAML aliases", before: vec![], request: Step::new(Method::POST, path, media::YAML, text) }
}

/// A selector with many terms over many objects.
fn selector_terms(random: &mut StdRng, number: u64) -> Bomb {
    let terms = about(random, 800);
    let selector = (0..terms).map(|term| format!("k{term}!=v{}", random.next_u32() % 9)).collect::<Vec<_>>();
    let path = format!("/api/v1/configmaps?labelSelector={}", selector.join(",").replace('=', "%3D"));
    let config_map =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("s{number}")}});
    Bomb {
        name: "selector terms",
        before: vec![Step::create("/api/v1/namespaces/default/configmaps", config_map.to_string())],
        request: Step::new(Method::GET, path, "", String::new()),
    }
}
