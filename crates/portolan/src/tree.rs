//! `portolan tree`: an object of the hub, and everything that it became in the members.

pub(crate) mod arguments;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use portolan_api::cluster::Cluster;
use portolan_controllers::explain::{Question, facts};
use portolan_net::Clock;
use portolan_object::ObjectKey;
use portolan_plan::explain::tree::{Node, tree};
use portolan_runtime::Client;

use crate::hub_access::kinds_of_hub;
use crate::kinds::named;
use crate::output::table::align;
use crate::why::{age_of, connect_member, parts};
use arguments::Tree;

/// Time between two reads with `--watch`.
const WATCH_INTERVAL: Duration = Duration::from_secs(2);
/// Text of an empty cell.
const NONE: &str = "-";

/// Prints the tree.
pub(crate) async fn run(arguments: Tree) -> Result<()> {
    let hub = arguments.hub.hub().await?;
    let namespace = hub.namespace_or(arguments.namespace.as_deref()).to_owned();
    let hub = hub.client;
    let (kind, name) = parts(&arguments.object)?;
    let discovery = kinds_of_hub(&hub).await?;
    let Some(found) = named(&discovery, kind) else {
        bail!("the control plane has no kind called {kind:?}: kubectl api-resources lists its kinds");
    };
    let namespace = if found.resource.namespaced { namespace.as_str() } else { "" };
    let key = ObjectKey::namespaced(namespace, name);
    let question = Question { found: found.clone(), key, only: arguments.cluster.clone() };
    let mut seen = None;
    loop {
        let root = read(&hub, question.clone()).await?;
        if seen.as_ref() != Some(&root) {
            if seen.is_some() {
                anstream::println!();
            }
            print(&root, &arguments)?;
            seen = Some(root);
        }
        if !arguments.watch {
            return Ok(());
        }
        tokio::time::sleep(WATCH_INTERVAL).await;
    }
}

async fn read(hub: &Client, question: Question) -> Result<Node> {
    let subject = format!("{} {}", question.found.resource.gvk.kind, question.key);
    let facts = facts(hub, question, async |cluster: &Cluster| connect_member(hub, cluster).await).await;
    if let Err(error) = &facts.template {
        bail!("cannot read {subject}: {error}");
    }
    tree(&facts).with_context(|| format!("{subject} does not exist on the control plane"))
}

fn print(root: &Node, arguments: &Tree) -> Result<()> {
    match arguments.output {
        Some(_) => {
            let text = serde_json::to_string_pretty(root).context("cannot print JSON")?;
            anstream::println!("{text}");
        }
        None => anstream::print!("{}", render(root, Clock::system().now())),
    }
    Ok(())
}

fn render(root: &Node, now: Timestamp) -> String {
    let heading = ["NAME", "CLUSTER", "READY", "STATUS", "AGE"].map(str::to_owned).to_vec();
    let mut lines = vec![heading];
    push(root, "", "", now, &mut lines);
    align(&lines.iter().collect::<Vec<_>>())
}

/// Adds the line of a node and those below it. `first` stands before its own line, `rest` before those below.
fn push(node: &Node, first: &str, rest: &str, now: Timestamp, lines: &mut Vec<Vec<String>>) {
    let cell = |text: &str| if text.is_empty() { NONE.to_owned() } else { text.to_owned() };
    lines.push(vec![
        format!("{first}{}", node.object),
        cell(node.cluster.as_deref().unwrap_or_default()),
        cell(&node.ready),
        cell(&node.status),
        age_of(&node.since, now).unwrap_or_else(|| NONE.to_owned()),
    ]);
    for (index, child) in node.children.iter().enumerate() {
        let (branch, below) =
            if index + 1 == node.children.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        push(child, &format!("{rest}{branch}"), &format!("{rest}{below}"), now, lines);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_are_indented_below_their_owner() {
        let node = |object: &str, ready: &str, children: Vec<Node>| Node {
            object: object.to_owned(),
            cluster: ready.contains('/').then(|| "eu".to_owned()),
            ready: ready.to_owned(),
            status: String::new(),
            since: "2026-01-01T00:00:00Z".to_owned(),
            children,
        };
        let pods = vec![node("Pod a", "1/1", Vec::new()), node("Pod b", "0/1", Vec::new())];
        let root = node(
            "Deployment web",
            "",
            vec![node("ReplicaSet web-1", "1/2", pods), node("Other", "", Vec::new())],
        );
        let now = "2026-01-01T00:01:00Z".parse().expect("a time");
        assert_eq!(
            render(&root, now),
            "NAME                  CLUSTER   READY   STATUS   AGE\n\
             Deployment web        -         -       -        60s\n\
             ├─ ReplicaSet web-1   eu        1/2     -        60s\n\
             │  ├─ Pod a           eu        1/1     -        60s\n\
             │  └─ Pod b           eu        0/1     -        60s\n\
             └─ Other              -         -       -        60s\n"
        );
    }
}
