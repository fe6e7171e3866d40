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
use crate::servers::cluster;

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
        let client = server(&hub, &line).await?;
        self::names(&client, &resources::NAMESPACE.into(), "").await
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
        let discovery = server(&hub, &line).await?.discover().await?;
        let served = discovery.resources.iter().filter(|found| found.preferred && found.allows(&["list"]));
        let mut names: Vec<String> = served.map(|found| found.resource.plural.clone()).collect();
        names.push("all".to_owned());
        names.sort();
        names.dedup();
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
    let names = ask(|line, hub| async move {
        let mut clusters = line.clusters.clone();
        if clusters.is_empty() {
            let list = hub.client.kind::<Cluster>().list(&Selection::all()).await?;
            clusters = list.items.into_iter().map(|item| item.key.name).collect();
        }
        let (hub, namespace) = (&hub, namespace(&hub, &line));
        let reading = clusters.iter().map(|name| async {
            let client = cluster(hub, name).await?;
            self::names(&client, &resources::POD.into(), &namespace).await
        });
        let answers = futures::future::join_all(reading).await;
        Ok(answers.into_iter().flat_map(Result::<Vec<String>>::unwrap_or_default).collect())
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

/// The control plane, or the first cluster of the line.
async fn server(hub: &Hub, line: &Line) -> Result<Client> {
    match line.clusters.first() {
        Some(name) => cluster(hub, name).await,
        None => Ok(hub.client.clone()),
    }
}

fn namespace(hub: &Hub, line: &Line) -> String {
    match line.all_namespaces {
        true => String::new(),
        false => line.namespace.clone().unwrap_or_else(|| hub.namespace.clone()),
    }
}

async fn objects_of(hub: &Hub, line: &Line, kind: &str) -> Result<Vec<String>> {
    let client = server(hub, line).await?;
    let mut names = Vec::new();
    for resource in resolve(&client.discover().await?, kind)? {
        let namespace = if resource.namespaced { namespace(hub, line) } else { String::new() };
        names.extend(self::names(&client, &resource, &namespace).await?);
    }
    Ok(names)
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
