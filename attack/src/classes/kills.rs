//! SIGKILL under load, with a watcher that goes on where it was.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use http::Method;
use rand::RngExt as _;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::Setting;
use crate::client::Client;
use crate::tally::Tally;

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
const WRITERS: usize = 6;

/// What was acknowledged over all runs.
#[derive(Default)]
struct Acknowledged {
    names: Mutex<BTreeSet<String>>,
    next: AtomicU64,
}

/// What a watcher has seen, over all its connections.
#[derive(Default)]
struct Watched {
    version: String,
    names: BTreeSet<String>,
    last: u64,
}

pub(super) async fn run(setting: &Setting) -> Result<Tally> {
    let folder = tempfile::tempdir()?;
    let (mut random, mut tally, deadline) = (setting.random(), Tally::default(), setting.deadline());
    let acknowledged = Arc::new(Acknowledged::default());
    let mut watched = Watched::default();
    let mut first = true;
    while first || Instant::now() < deadline {
        let mut server = setting.start(&folder)?;
        let client = server.client()?.within(Duration::from_secs(10));
        if first {
            let list = client.request(&Method::GET, CONFIG_MAPS).await?.json()?;
            watched.version = text(&list["metadata"]["resourceVersion"])?;
            first = false;
        }
        check(&client, &acknowledged, &mut watched, &mut tally).await?;
        let mut writers = JoinSet::new();
        for _ in 0..WRITERS {
            writers.spawn(write(client.clone(), acknowledged.clone()));
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(50..1_500))).await;
        server.kill()?;
        writers.shutdown().await;
    }
    let server = setting.start(&folder)?;
    check(&server.client()?, &acknowledged, &mut watched, &mut tally).await?;
    let names = acknowledged.names.lock().await.len();
    tally.note(format!("{names} acknowledged writes, {} watched", watched.names.len()));
    Ok(tally)
}

/// Creates objects until the server is gone.
async fn write(client: Client, acknowledged: Arc<Acknowledged>) {
    loop {
        let name = format!("object{}", acknowledged.next.fetch_add(1, Ordering::Relaxed));
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
        match client.create(CONFIG_MAPS, &object).await {
            Ok(answer) if answer.status == 201 => drop(acknowledged.names.lock().await.insert(name)),
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

/// After a start: everything acknowledged is there, and the watch goes on without a gap or a repetition.
async fn check(
    client: &Client,
    acknowledged: &Acknowledged,
    watched: &mut Watched,
    tally: &mut Tally,
) -> Result<()> {
    let list = client.request(&Method::GET, CONFIG_MAPS).await?.json()?;
    let items = list["items"].as_array().context("no items")?;
    let found: BTreeSet<String> =
        items.iter().filter_map(|item| text(&item["metadata"]["name"]).ok()).collect();
    let expected = acknowledged.names.lock().await;
    let missing = expected.difference(&found).count() as u64;
    if missing > 0 {
        tally.lost(missing, "acknowledged writes are gone after a kill".to_owned());
    }
    let path = format!("{CONFIG_MAPS}?watch=true&timeoutSeconds=1&resourceVersion={}", watched.version);
    let answer = client.request(&Method::GET, &path).await?;
    for line in answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let event: Value = serde_json::from_slice(line).context("an event is no JSON")?;
        let metadata = &event["object"]["metadata"];
        let is_of_writers = metadata["name"].as_str().is_some_and(|name| name.starts_with("object"));
        if !is_of_writers && event["type"] != "ERROR" {
            continue;
        }
        if event["type"] != "ADDED" {
            tally.succeeded(format!("the watch answers {}", event["object"]));
            continue;
        }
        let version: u64 = text(&metadata["resourceVersion"])?.parse()?;
        if version <= watched.last || !watched.names.insert(text(&metadata["name"])?) {
            tally.succeeded(format!("event {version} came twice or late"));
        }
        watched.last = version;
        watched.version = version.to_string();
    }
    let unseen =
        found.iter().filter(|name| name.starts_with("object") && !watched.names.contains(*name)).count();
    if unseen > 0 {
        tally.succeeded(format!("the watcher missed {unseen} objects"));
    }
    if missing == 0 && unseen == 0 {
        tally.refused()
    }
    Ok(())
}

fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().with_context(|| format!("{value} is no text"))?.to_owned())
}
