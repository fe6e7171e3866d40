//! Reads all servers at the same time.

use anyhow::Result;
use futures::StreamExt;
use portolan_api::search::CACHE_SOURCE;
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use portolan_runtime::client::{Client, Discovery, Selection, Table};
use portolan_runtime::{ClientError, Resource};
use serde_json::Value;

use super::query::Query;
use super::request::Request;
use crate::kinds::resolve;
use crate::output::{causes, explained};
use crate::servers::Server;

/// Servers that are read at the same time.
const MAX_CONCURRENT: usize = 256;

/// What one server answered.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) server: &'a Server,
    pub(super) found: Vec<Found>,
    /// Objects that do not exist there: KIND/NAME, and what the server says.
    missing: Vec<(String, String)>,
    /// Kinds that the server does not have.
    unserved: Vec<String>,
    /// Everything else that went wrong.
    failures: Vec<String>,
}

/// Objects of one kind.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) resource: Resource,
    pub(super) content: Content,
}

/// Objects in the form in which they are printed.
#[derive(Debug)]
pub(super) enum Content {
    Table(Table),
    Objects { items: Vec<Object>, version: String },
}

impl Content {
    /// The version to watch from; empty for a single object.
    pub(super) fn version(&self) -> &str {
        match self {
            Self::Table(table) => &table.metadata.resource_version,
            Self::Objects { version, .. } => version,
        }
    }
}

impl<'a> Answer<'a> {
    fn of(server: &'a Server) -> Self {
        Self { server, found: Vec::new(), missing: Vec::new(), unserved: Vec::new(), failures: Vec::new() }
    }
}

impl Answer<'_> {
    /// Whether there are objects of a kind.
    pub(super) fn has_kind(&self, kind: &GroupVersionKind) -> bool {
        self.found.iter().any(|found| found.resource.gvk == *kind)
    }

    /// What goes to standard error about a member.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        let failures = self.failures.iter().chain(&self.unserved).filter(|_| self.server.is_member);
        failures.map(|failure| format!("cluster({}): {failure}", self.server.name))
    }

    /// Whether all that was asked for was read.
    pub(super) fn is_complete(&self) -> bool {
        self.failures.is_empty() && self.unserved.is_empty()
    }

    /// Whether the server failed. One that lacks a kind has answered.
    pub(super) fn has_failed(&self) -> bool {
        !self.failures.is_empty()
    }

    /// The first thing that went wrong.
    pub(super) fn first_failure(&self) -> Option<&str> {
        self.failures.first().or(self.unserved.first()).map(String::as_str)
    }

    /// The objects; those of a member have an annotation with its name.
    pub(super) fn objects(&self, has_managed_fields: bool) -> impl Iterator<Item = Value> {
        let items = self.found.iter().filter_map(|found| match &found.content {
            Content::Objects { items, .. } => Some(items),
            Content::Table(_) => None,
        });
        items.flatten().map(move |object| printed(object.clone(), self.server, has_managed_fields))
    }
}

/// An object as it is printed.
pub(super) fn printed(mut object: Object, server: &Server, has_managed_fields: bool) -> Value {
    if server.is_member {
        object.set_annotation(CACHE_SOURCE, server.name.as_str());
    }
    if !has_managed_fields {
        object.metadata_mut().remove("managedFields");
    }
    object.0
}

/// What the servers say about objects that were found nowhere.
pub(super) fn nowhere(answers: &[Answer<'_>]) -> Vec<String> {
    let mut texts = Vec::new();
    for (object, text) in answers.iter().flat_map(|answer| &answer.missing) {
        let is_missing = |answer: &Answer<'_>| answer.missing.iter().any(|(missing, _)| missing == object);
        let is_everywhere = answers.iter().all(|answer| is_missing(answer) || !answer.is_complete());
        if is_everywhere && !texts.contains(text) {
            texts.push(text.clone());
        }
    }
    texts
}

/// The names of the servers that failed.
pub(super) fn failed<'a>(answers: &[Answer<'a>]) -> Vec<&'a str> {
    answers.iter().filter(|answer| answer.has_failed()).map(|answer| answer.server.name.as_str()).collect()
}

/// Reads all servers; the answers are in their order.
pub(super) async fn read<'a>(request: &Request, servers: &'a [Server]) -> Vec<Answer<'a>> {
    let reading = servers.iter().map(|server| read_one(request, server));
    futures::stream::iter(reading).buffered(MAX_CONCURRENT).collect().await
}

async fn read_one<'a>(request: &Request, server: &'a Server) -> Answer<'a> {
    let mut answer = Answer::of(server);
    let client = match &server.client {
        Ok(client) => client,
        Err(error) => {
            answer.failures.push(causes(error));
            return answer;
        }
    };
    let discovery = match client.discover().await {
        Ok(discovery) => discovery,
        Err(error) => {
            answer.failures.push(match server.is_member {
                true => error.to_string(),
                false => explained(&error.into()),
            });
            return answer;
        }
    };
    for query in &request.queries {
        if let Err(error) = answer.read(request, client, &discovery, query).await {
            answer.failures.push(causes(&error));
        }
    }
    answer
}

impl Answer<'_> {
    async fn read(
        &mut self,
        request: &Request,
        client: &Client,
        discovery: &Discovery,
        query: &Query,
    ) -> Result<()> {
        let resources = match resolve(discovery, &query.kind) {
            Ok(resources) => resources,
            Err(error) => {
                self.unserved.push(causes(&error));
                return Ok(());
            }
        };
        for resource in resources {
            let selection = request.selection(&resource);
            if query.names.is_empty() {
                let content = list(request, client, &resource, &selection).await?;
                self.found.push(Found { resource: resource.clone(), content });
            }
            for name in &query.names {
                match get(request, client, &resource, &selection, name).await {
                    Ok(content) => self.found.push(Found { resource: resource.clone(), content }),
                    Err(ClientError::NotFound(status)) => {
                        let object = format!("{}/{name}", resource.gvk.group_kind());
                        self.missing.push((object, status.to_string()));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}

/// The selected objects of a kind.
pub(super) async fn list(
    request: &Request,
    client: &Client,
    resource: &Resource,
    selection: &Selection,
) -> Result<Content, ClientError> {
    let options = request.table_options();
    if request.format.is_table() {
        return Ok(Content::Table(client.table(resource, selection, None, options).await?));
    }
    let api = client.resource::<Object>(resource).with_page_size(options.page_size);
    let list = api.list(selection).await?;
    let items = list.items.into_iter().map(|seen| seen.object).collect();
    Ok(Content::Objects { items, version: list.resource_version })
}

async fn get(
    request: &Request,
    client: &Client,
    resource: &Resource,
    selection: &Selection,
    name: &str,
) -> Result<Content, ClientError> {
    if request.format.is_table() {
        let table = client.table(resource, selection, Some(name), request.table_options()).await?;
        return Ok(Content::Table(table));
    }
    let key = ObjectKey::namespaced(&*selection.namespace, name);
    let object = client.resource::<Object>(resource).get(&key).await?;
    Ok(Content::Objects { items: vec![object], version: String::new() })
}
