//! `portolan get --watch`: the changes of all servers in one stream.
//!
//! Every server has a task that watches it and reconnects; one loop prints. A watch that ends is resumed where it was. A
//! server that has forgotten this version sends the present objects again, as kubectl would show them after a restart.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use portolan_object::Object;
use portolan_runtime::client::{Client, Selection, Table, WatchEvent, WatchStream};
use portolan_runtime::{ClientError, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::read::{Content, list, printed};
use super::request::{Request, prefix};
use crate::kinds::resolve;
use crate::output::table::{Federated, Origin};
use crate::output::{causes, print};
use crate::servers::Server;

/// Time until a server that failed is watched again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// Changes that wait to be printed.
const BACKLOG: usize = 256;

/// A change, or a note for standard error.
enum News {
    Change { server: usize, event: &'static str, content: Content, resource: Resource },
    Note(String),
}

/// Prints until the program is stopped.
///
/// # Errors
/// If no server can be watched, or standard output is closed.
pub(super) async fn run(request: Request, servers: Vec<Server>) -> Result<()> {
    let (request, servers) = (Arc::new(request), Arc::new(servers));
    let (sender, mut receiver) = mpsc::channel(BACKLOG);
    for server in 0..servers.len() {
        let watch =
            Watch { request: request.clone(), servers: servers.clone(), server, sender: sender.clone() };
        tokio::spawn(async move {
            if let Err(error) = watch.run().await {
                watch.note(&causes(&error)).await;
            }
        });
    }
    drop(sender);
    let mut printer = Printer::new(&request);
    while let Some(news) = receiver.recv().await {
        match news {
            News::Note(text) => anstream::eprintln!("{text}"),
            News::Change { server, event, content, resource } => {
                printer.print(&servers[server], event, content, &resource)?;
            }
        }
    }
    bail!("no cluster can be watched")
}

/// The task of one server.
struct Watch {
    request: Arc<Request>,
    servers: Arc<Vec<Server>>,
    server: usize,
    sender: mpsc::Sender<News>,
}

impl Watch {
    async fn run(&self) -> Result<()> {
        let server = &self.servers[self.server];
        let client = server.client.as_ref().map_err(|error| anyhow::anyhow!("{}", causes(error)))?;
        let query = self.request.queries.first().context("nothing is asked for")?;
        let resources = resolve(&client.discover().await?, &query.kind)?;
        let [resource] = &*resources else {
            bail!("--watch is for one kind, and {} has several", query.kind)
        };
        let mut selection = self.request.selection(resource);
        if let Some(name) = query.names.first() {
            selection.fields = format!("metadata.name={name}");
        }
        let content = list(&self.request, client, resource, &selection).await?;
        let mut version = content.version().to_owned();
        if !self.request.arguments.watch_only {
            self.send("ADDED", content, resource).await;
        }
        let mut is_failing = false;
        while !self.sender.is_closed() {
            match self.watch(client, resource, &selection, &mut version, &mut is_failing).await {
                Ok(()) => {}
                // Without a version, a watch starts with the present objects.
                Err(ClientError::Expired(_)) => version.clear(),
                Err(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        self.note(&format!("{error}; trying again")).await;
                    }
                    tokio::time::sleep(RETRY_INTERVAL).await;
                }
            }
        }
        Ok(())
    }

    /// Watches until the server ends it.
    async fn watch(
        &self,
        client: &Client,
        resource: &Resource,
        selection: &Selection,
        version: &mut String,
        is_failing: &mut bool,
    ) -> Result<(), ClientError> {
        if self.request.format.is_table() {
            let options = self.request.table_options();
            let mut stream = client.watch_tables(resource, selection, version, options).await?;
            *is_failing = false;
            while let Some((event, table)) = next::<Table>(&mut stream, version).await? {
                self.send(event, Content::Table(table), resource).await;
            }
            return Ok(());
        }
        let mut stream = client.resource::<Object>(resource).watch(selection, version).await?;
        *is_failing = false;
        while let Some((event, object)) = next::<Object>(&mut stream, version).await? {
            let content = Content::Objects { items: vec![object], version: String::new() };
            self.send(event, content, resource).await;
        }
        Ok(())
    }

    async fn send(&self, event: &'static str, content: Content, resource: &Resource) {
        let news = News::Change { server: self.server, event, content, resource: resource.clone() };
        // Closed only when the program ends.
        let _ended = self.sender.send(news).await;
    }

    async fn note(&self, text: &str) {
        let server = &self.servers[self.server];
        let text = match server.is_member {
            true => format!("cluster({}): {text}", server.name),
            false => text.to_owned(),
        };
        let _ended = self.sender.send(News::Note(text)).await;
    }
}

/// The next change; `version` follows the stream.
async fn next<T: DeserializeOwned + Send + 'static>(
    stream: &mut WatchStream<T>,
    version: &mut String,
) -> Result<Option<(&'static str, T)>, ClientError> {
    while let Some(event) = stream.next().await? {
        let (event, seen) = match event {
            WatchEvent::Added(seen) => ("ADDED", seen),
            WatchEvent::Modified(seen) => ("MODIFIED", seen),
            WatchEvent::Deleted(seen) => ("DELETED", seen),
            WatchEvent::Known { resource_version, .. } | WatchEvent::Bookmark { resource_version, .. } => {
                *version = resource_version;
                continue;
            }
        };
        if !seen.resource_version.is_empty() {
            version.clone_from(&seen.resource_version);
        }
        return Ok(Some((event, seen.object)));
    }
    Ok(None)
}

/// Prints changes. The heading comes once, and columns keep their widths.
struct Printer<'a> {
    request: &'a Request,
    table: Federated,
    /// The columns, which a server sends once per watch; per name of a server.
    columns: std::collections::HashMap<String, Table>,
    has_heading: bool,
}

impl<'a> Printer<'a> {
    fn new(request: &'a Request) -> Self {
        let table = Federated::new(request.columns(), None);
        let has_heading = !request.arguments.no_headers;
        Self { request, table, columns: std::collections::HashMap::new(), has_heading }
    }

    fn print(
        &mut self,
        server: &Server,
        event: &'static str,
        content: Content,
        resource: &Resource,
    ) -> Result<()> {
        match content {
            Content::Table(table) => self.print_table(server, event, table, resource),
            Content::Objects { items, .. } => {
                items.into_iter().try_for_each(|object| self.print_object(server, event, object))
            }
        }
    }

    fn print_table(
        &mut self,
        server: &Server,
        event: &'static str,
        mut table: Table,
        resource: &Resource,
    ) -> Result<()> {
        let known = self
            .columns
            .entry(server.name.clone())
            .or_insert_with(|| Table { rows: Vec::new(), ..table.clone() });
        if table.column_definitions.is_empty() {
            table.column_definitions.clone_from(&known.column_definitions);
        } else {
            known.column_definitions.clone_from(&table.column_definitions);
        }
        let prefix = if self.request.arguments.show_kind { prefix(resource) } else { String::new() };
        let origin = Origin { cluster: &server.name, is_member: server.is_member, prefix: &prefix, event };
        self.table.add(origin, &table);
        if self.table.is_empty() {
            return Ok(());
        }
        let has_heading = std::mem::take(&mut self.has_heading);
        print(&self.table.render(has_heading))
    }

    fn print_object(&mut self, server: &Server, event: &'static str, object: Object) -> Result<()> {
        let object: Value = printed(object, server, self.request.arguments.show_managed_fields);
        let object = match self.request.arguments.output_watch_events {
            true => json!({ "type": event, "object": object }),
            false => object,
        };
        let has_heading = std::mem::take(&mut self.has_heading);
        let text = self.request.format.render(vec![object], true, has_heading)?;
        let separator = if matches!(self.request.format, super::format::Format::Yaml) { "---\n" } else { "" };
        print(&format!("{text}{separator}"))
    }
}
