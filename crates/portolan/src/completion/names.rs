//! Candidates from the control plane and the members.

use std::ffi::OsStr;
use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result};
use clap_complete::engine::CompletionCandidate;
use portolan_api::cluster::Cluster;
use portolan_api::resources;
use portolan_runtime::client::{KubeconfigFiles, Selection, TableOptions};
use portolan_runtime::{Client, Resource};

use super::candidates::Names;
use super::line::Line;
use crate::hub_access::Hub;
use crate::kinds::resolve;
use crate::servers::scope::Scope;
use crate::servers::servers;

/// Time for all answers; a person waits.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Candidates at most; a shell cannot show more.
const MAX_CANDIDATES: usize = 1000;

/// Finds the candidates for what is written of a word.
pub(super) fn find(names: Names, current: &OsStr) -> Vec<CompletionCandidate> {
    match names {
        Names::Clusters => clusters(current),
        Names::Contexts => contexts(current),
        Names::Kinds => kinds(current),
        Names::Namespaces => namespaces(current),
        Names::Objects => objects(current),
        Names::Pods => pods(current),
    }
}

/// Names of clusters, also as the last of a list with commas.
fn clusters(current: &OsStr) -> Vec<CompletionCandidate> {
    let names = ask(|_, hub| async move {
        let list = hub.client.kind::<Cluster>().list(&Selection::all()).await?;
        Ok(list.items.into_iter().map(|item| item.key.name).collect())
    });
    matching(current, ',', names)
}

/// Names of namespaces.
fn namespaces(current: &OsStr) -> Vec<CompletionCandidate> {
    let names = ask(|line, hub| async move {
        let namespaces = &resources::NAMESPACE.into();
        union(&hub, &line, |client| async move { self::names(&client, namespaces, "").await }).await
    });
    matching(current, ' ', names)
}

/// Contexts of the kubeconfig.
fn contexts(current: &OsStr) -> Vec<CompletionCandidate> {
    let line = Line::current();
    let named = line.as_ref().and_then(|line| line.hub.kubeconfig.as_deref());
    matching(current, ' ', KubeconfigFiles::find(named).contexts().unwrap_or_default())
}

/// Kinds, also as the last of a list with commas; after a slash the objects of the kind before it.
fn kinds(current: &OsStr) -> Vec<CompletionCandidate> {
    let text = current.to_string_lossy();
    if let Some((kind, _)) = text.split_once('/') {
        let kind = kind.to_owned();
        let names = ask(|line, hub| async move { objects_of(&hub, &line, &kind).await });
        return matching(current, '/', names);
    }
    let names = ask(|line, hub| async move {
        let mut names = union(&hub, &line, |client| async move {
            let discovery = client.discover().await?;
            let served =
                discovery.resources.iter().filter(|found| found.preferred && found.allows(&["list"]));
            Ok(served.map(|found| found.resource.plural.clone()).collect())
        })
        .await?;
        names.push("all".to_owned());
        Ok(names)
    });
    matching(current, ',', names)
}

/// Names of the objects of the kind that stands before them.
fn objects(current: &OsStr) -> Vec<CompletionCandidate> {
    let names = ask(|line, hub| async move {
        let kind = line.kind.clone().context("there is no kind")?;
        objects_of(&hub, &line, &kind).await
    });
    matching(current, ' ', names)
}

/// Names of pods in the members; after a slash the objects of the kind before it.
fn pods(current: &OsStr) -> Vec<CompletionCandidate> {
    if current.to_string_lossy().contains('/') {
        return kinds(current);
    }
    let names = ask(|mut line, hub| async move {
        // Pods of the control plane are templates.
        line.scope.operation_scope.get_or_insert(Scope::Members);
        objects_of(&hub, &line, "pods").await
    });
    matching(current, ' ', names)
}

/// Names that begin as the current word, after its last `separator`.
fn matching(current: &OsStr, separator: char, names: Vec<String>) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let start = current.rfind(separator).map_or(0, |place| place + separator.len_utf8());
    let (before, begun) = current.split_at(start);
    let fitting = names.into_iter().filter(|name| name.starts_with(begun)).take(MAX_CANDIDATES);
    fitting.map(|name| CompletionCandidate::new(format!("{before}{name}"))).collect()
}

/// Runs a question about the control plane of the line; no answer in time is no name.
fn ask<F>(question: impl FnOnce(Line, Hub) -> F) -> Vec<String>
where
    F: Future<Output = Result<Vec<String>>>,
{
    let Some(line) = Line::current() else { return Vec::new() };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Vec::new();
    };
    let answer = async {
        let hub = line.hub.hub().await?;
        question(line, hub).await
    };
    let answer = runtime.block_on(async { tokio::time::timeout(TIMEOUT, answer).await });
    answer.ok().and_then(Result::ok).unwrap_or_default()
}

/// What `question` finds on the servers that the line names, those that answer.
async fn union<F>(hub: &Hub, line: &Line, question: impl Fn(Client) -> F) -> Result<Vec<String>>
where
    F: Future<Output = Result<Vec<String>>>,
{
    let servers = servers(hub, &line.scope).await?;
    let clients = servers.into_iter().filter_map(|server| server.client.ok());
    let answers = futures::future::join_all(clients.map(question)).await;
    let mut names: Vec<String> =
        answers.into_iter().flat_map(Result::<Vec<String>>::unwrap_or_default).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

fn namespace(hub: &Hub, line: &Line) -> String {
    match line.all_namespaces {
        true => String::new(),
        false => line.namespace.clone().unwrap_or_else(|| hub.namespace.clone()),
    }
}

async fn objects_of(hub: &Hub, line: &Line, kind: &str) -> Result<Vec<String>> {
    let namespace = &namespace(hub, line);
    union(hub, line, |client| async move {
        let mut names = Vec::new();
        for resource in resolve(&client.discover().await?, kind)? {
            let namespace = if resource.namespaced { namespace } else { "" };
            names.extend(self::names(&client, &resource, namespace).await?);
        }
        Ok(names)
    })
    .await
}

async fn names(client: &Client, resource: &Resource, namespace: &str) -> Result<Vec<String>> {
    let selection = Selection::namespace(namespace);
    let table = client.table(resource, &selection, None, TableOptions::default()).await?;
    Ok(table.rows.iter().map(|row| row.object.name().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_a_word_is_completed() {
        let complete = |current: &str, separator| -> Vec<String> {
            let names = ["eu-1", "eu-2", "us"].map(str::to_owned).to_vec();
            let found = matching(OsStr::new(current), separator, names);
            found.iter().map(|one| one.get_value().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(complete("eu", ','), ["eu-1", "eu-2"]);
        assert_eq!(complete("us,eu-2", ','), ["us,eu-2"]);
        assert_eq!(complete("us,", ','), ["us,eu-1", "us,eu-2", "us,us"]);
        assert_eq!(complete("deploy/u", '/'), ["deploy/us"]);
        assert!(complete("x", ',').is_empty());
    }
}
