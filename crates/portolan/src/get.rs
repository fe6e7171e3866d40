//! `portolan get`: resources of the control plane and of its members in one table or list.

pub(crate) mod arguments;
mod format;
mod query;
mod read;
mod request;
mod watch;

use anyhow::{Result, anyhow, bail, ensure};
use portolan_api::Kind as _;
use portolan_api::cluster::Cluster;
use portolan_api::conditions::cluster::DELETIONS_HELD;
use portolan_api::meta::condition;
use portolan_runtime::Client;
use portolan_runtime::client::Selection;
use serde_json::Value;

use crate::output::order::compare;
use crate::output::print;
use crate::output::table::{Federated, Origin};
use crate::servers::servers;
use arguments::Get;
use read::{Answer, Content, read};
use request::Request;

/// Prints the objects. A member that does not answer is named on standard error; the others are printed anyway.
pub(crate) async fn run(arguments: Get) -> Result<()> {
    arguments.scope.check()?;
    let hub = arguments.hub.hub().await?;
    let request = Request::new(arguments, &hub.namespace)?;
    let servers = servers(&hub, &request.arguments.scope).await?;
    if servers.is_empty() {
        bail!("no cluster has joined this federation: `portolan join` adds one");
    }
    if request.watches() {
        return watch::run(request, servers).await;
    }
    let answers = read(&request, &servers).await;
    let is_empty = match request.format.is_table() {
        true => print_tables(&request, &answers)?,
        false => print_objects(&request, &answers)?,
    };
    let held = match answers.iter().any(|answer| !answer.server.is_member && answer.has_kind(&Cluster::gvk()))
    {
        true if request.format.is_table() => held_deletions(&hub.client).await,
        _ => Vec::new(),
    };
    for note in answers.iter().flat_map(Answer::notes).chain(held) {
        anstream::eprintln!("{note}");
    }
    conclude(&request, &answers, is_empty)
}

/// Prints one table for each kind, with the rows of all clusters; returns whether there were none.
fn print_tables(request: &Request, answers: &[Answer<'_>]) -> Result<bool> {
    let mut kinds = Vec::new();
    for found in answers.iter().flat_map(|answer| &answer.found) {
        let has_rows = matches!(&found.content, Content::Table(table) if !table.rows.is_empty());
        if has_rows && !kinds.contains(&found.resource.gvk.group_kind()) {
            kinds.push(found.resource.gvk.group_kind());
        }
    }
    let has_prefix = kinds.len() > 1 || request.arguments.show_kind;
    for (index, kind) in kinds.iter().enumerate() {
        let mut table = Federated::new(request.columns(), request.sort_by.clone());
        for answer in answers {
            let of_kind = answer.found.iter().filter(|found| found.resource.gvk.group_kind() == *kind);
            for found in of_kind {
                let Content::Table(rows) = &found.content else { continue };
                let prefix = if has_prefix { request::prefix(&found.resource) } else { String::new() };
                let (cluster, is_member) = (answer.server.name.as_str(), answer.server.is_member);
                table.add(Origin { cluster, is_member, prefix: &prefix, event: "" }, rows);
            }
        }
        let gap = if index > 0 { "\n" } else { "" };
        print(&format!("{gap}{}", table.render(!request.arguments.no_headers)))?;
    }
    Ok(kinds.is_empty())
}

/// Prints the objects of all clusters as one list; returns whether there were none.
fn print_objects(request: &Request, answers: &[Answer<'_>]) -> Result<bool> {
    let mut objects: Vec<_> =
        answers.iter().flat_map(|answer| answer.objects(request.arguments.show_managed_fields)).collect();
    if let Some(path) = &request.sort_by {
        let key = |object: &Value| path.find(object).first().map(|&key| key.clone()).unwrap_or_default();
        objects.sort_by(|one, other| compare(&key(one), &key(other)));
    }
    let is_empty = objects.is_empty();
    let is_single = request.is_single();
    if is_empty && is_single {
        return Ok(true);
    }
    print(&request.format.render(objects, is_single, !request.arguments.no_headers)?)?;
    Ok(is_empty)
}

/// Says what was not found, and decides about the exit status: an error if a server failed, if none has the kind, or if an
/// object is nowhere. What the others have is printed already.
fn conclude(request: &Request, answers: &[Answer<'_>], is_empty: bool) -> Result<()> {
    if let Some(error) =
        answers.iter().find(|answer| !answer.server.is_member).and_then(Answer::first_failure)
    {
        return Err(anyhow!("{error}"));
    }
    ensure!(answers.iter().any(Answer::is_complete), "no cluster could be read");
    let missing = read::nowhere(answers);
    if !missing.is_empty() && !request.arguments.ignore_not_found {
        let is_complete = answers.iter().all(Answer::is_complete);
        let place = if is_complete { "" } else { " in the clusters that could be read" };
        bail!("{}{place}", missing.join("\n"));
    }
    let failed = read::failed(answers);
    ensure!(failed.is_empty(), "the answer is incomplete without {}", failed.join(", "));
    if is_empty && missing.is_empty() && !request.arguments.ignore_not_found && request.format.is_table() {
        let mut found = answers.iter().flat_map(|answer| &answer.found);
        anstream::eprintln!("{}", request.nothing_found(found.all(|found| found.resource.namespaced)));
    }
    Ok(())
}

/// The clusters in which deletions are held, with what to do.
async fn held_deletions(hub: &Client) -> Vec<String> {
    let clusters =
        hub.kind::<Cluster>().list(&Selection::all()).await.map(|list| list.items).unwrap_or_default();
    let held = clusters.iter().filter_map(|item| {
        let held = condition(&item.object.status.conditions, DELETIONS_HELD)?;
        held.is_true().then(|| format!("cluster({}): {}", item.object.metadata.name, held.message))
    });
    held.collect()
}
