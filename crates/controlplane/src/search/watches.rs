//! A watch over several clusters: one watch in each, merged.
//!
//! The client's `resourceVersion` says where the watch of each cluster starts. A cluster for which it names no version sends its
//! present objects first. Every event carries the versions of all clusters up to it, so that a client resumes there. The
//! watch ends when the set of caches changes, or when the watch of a cluster ends; clients then start again.

use std::future::ready;
use std::time::Duration;

use futures::stream::{self, SelectAll};
use futures::{Stream, StreamExt as _};
use portolan_apiserver::mounted::{Answer, Event, Events, Kind};
use portolan_apiserver::request::RequestInfo;
use portolan_apiserver::request::options::ListOptions;
use portolan_controllers::search::CachedCollection;
use portolan_object::{Object, Status};
use portolan_plan::search::{ClusterVersions, part};
use portolan_runtime::client::{Seen, Selection, WatchEvent};
use portolan_runtime::{ClientError, Resource};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::lists::Selected;
use super::{Cached, marked};

/// Longest watch, if the client names no `timeoutSeconds`.
const MAX_WATCH: Duration = Duration::from_secs(60 * 60);
/// Events that wait for a client. A cluster that has more waits.
const WAITING_EVENTS: usize = 64;
/// Annotation of the bookmark after the initial events (KEP-3157).
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// What the watch of one cluster says.
enum Told {
    Event(WatchEvent<Object>),
    Failed(ClientError),
    Ended,
}

/// Starts the watch.
///
/// # Errors
/// 400 for a selector that cannot be parsed.
pub(super) fn watch(
    cached: Cached,
    target: &RequestInfo,
    options: &ListOptions,
    changes: watch::Receiver<u64>,
) -> Result<Answer, Status> {
    let kind = cached.kind();
    let mut selected = Selected::parse(options, &target.namespace)?;
    let mut fields = options.field_selector.clone();
    if !target.name.is_empty() {
        selected = selected.named(&target.name);
        fields = format!("metadata.name={}", target.name);
    }
    let is_part = |one: &CachedCollection| {
        target.namespace.is_empty() || one.namespace.is_empty() || one.namespace == target.namespace
    };
    let collections: Vec<CachedCollection> = cached.collections.into_iter().filter(is_part).collect();
    let selection = |one: &CachedCollection| Selection {
        namespace: if one.namespace.is_empty() { target.namespace.clone() } else { one.namespace.clone() },
        labels: options.label_selector.clone(),
        fields: fields.clone(),
    };
    // A client that asks for the initial events has kept nothing, whatever version it names.
    let mut versions = match options.send_initial_events {
        Some(true) => ClusterVersions::default(),
        _ => ClusterVersions::parse(&options.resource_version),
    };
    let mut initial = Vec::new();
    let mut sources = SelectAll::new();
    for one in &collections {
        let part = part(one.cluster.as_str(), &one.namespace);
        if versions.get(&part).is_none() {
            let version = one.cache.version().unwrap_or_default().to_string();
            versions.advance(&part, &version);
            if options.send_initial_events != Some(false) {
                let objects = selected.objects(std::slice::from_ref(one));
                initial.extend(objects.map(|(cluster, _, object)| Event::Added(marked(&object, &cluster))));
            }
        }
        let start = versions.get(&part).unwrap_or_default().to_owned();
        sources.push(Box::pin(follow(one, &cached.resource, selection(one), start, part)));
    }
    let mut merged = Merged { kind: kind.clone(), versions, bookmarks: options.bookmarks };
    if options.send_initial_events == Some(true) {
        initial.push(merged.bookmark(true));
    }
    let limit = options.timeout.unwrap_or(MAX_WATCH).min(MAX_WATCH);
    let end = async move {
        let mut changes = changes;
        // The sender lives as long as the server.
        let _changed = tokio::time::timeout(limit, changes.changed()).await;
    };
    let live = sources.map(move |(part, cluster, told)| merged.event(&part, &cluster, told));
    // Without a cluster nothing happens until one comes.
    let live = until_ended(live.chain(stream::pending()));
    let events: Events = Box::pin(stream::iter(initial).chain(live).take_until(end));
    Ok(Answer::Watch(kind, events))
}

/// The events of one cluster, read by a task that waits for the client.
fn follow(
    one: &CachedCollection,
    resource: &Resource,
    selection: Selection,
    start: String,
    part: String,
) -> impl Stream<Item = (String, String, Told)> + Send + use<> {
    let (sender, receiver) = mpsc::channel(WAITING_EVENTS);
    let (client, resource, cluster) =
        (one.member.client().clone(), resource.clone(), one.cluster.to_string());
    let reading = async move {
        let api = client.resource::<Object>(&resource);
        let mut watch = match api.watch(&selection, &start).await {
            Ok(watch) => watch,
            Err(error) => {
                let _client_left = sender.send(Told::Failed(error)).await;
                return;
            }
        };
        loop {
            let told = tokio::select! {
                // The client left.
                () = sender.closed() => return,
                next = watch.next() => match next {
                    Ok(Some(event)) => Told::Event(event),
                    Ok(None) => Told::Ended,
                    Err(error) => Told::Failed(error),
                },
            };
            let is_over = !matches!(told, Told::Event(_));
            if sender.send(told).await.is_err() || is_over {
                return;
            }
        }
    };
    let scope = one.member.scope().clone();
    portolan_runtime::scope::spawn_until_stop(&scope, reading);
    stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) })
        .map(move |told| (part.clone(), cluster.clone(), told))
}

/// Events until the watch of a cluster ends.
fn until_ended(events: impl Stream<Item = Next> + Send) -> impl Stream<Item = Event> + Send {
    let events = events.flat_map(|next| {
        stream::iter(match next {
            Next::Event(event) => vec![Some(event)],
            Next::Nothing => Vec::new(),
            Next::Last(event) => vec![Some(event), None],
            Next::End => vec![None],
        })
    });
    events.take_while(|event| ready(event.is_some())).filter_map(ready)
}

/// What an event of a cluster becomes.
enum Next {
    Event(Event),
    /// The client is told nothing.
    Nothing,
    /// The last event.
    Last(Event),
    End,
}

/// The state of the merged watch.
struct Merged {
    kind: Kind,
    /// What the client has seen of each cluster.
    versions: ClusterVersions,
    bookmarks: bool,
}

impl Merged {
    fn event(&mut self, part: &str, cluster: &str, told: Told) -> Next {
        match told {
            Told::Event(WatchEvent::Added(seen)) => {
                Next::Event(Event::Added(self.object(part, cluster, &seen)))
            }
            Told::Event(WatchEvent::Modified(seen)) => {
                Next::Event(Event::Modified(self.object(part, cluster, &seen)))
            }
            Told::Event(WatchEvent::Deleted(seen)) => {
                Next::Event(Event::Deleted(self.object(part, cluster, &seen)))
            }
            Told::Event(WatchEvent::Bookmark { resource_version, .. }) => {
                self.versions.advance(part, &resource_version);
                if self.bookmarks { Next::Event(self.bookmark(false)) } else { Next::Nothing }
            }
            Told::Event(WatchEvent::Known { .. }) => Next::Nothing,
            Told::Failed(ClientError::Expired { .. }) => {
                let text = format!("too old resource version of cluster {cluster}: list again");
                Next::Last(Event::Error(Status::new(410, "Expired", text)))
            }
            Told::Failed(error) => {
                tracing::debug!(cluster, %error, "a watch over several clusters ends");
                Next::End
            }
            Told::Ended => Next::End,
        }
    }

    fn object(&mut self, part: &str, cluster: &str, seen: &Seen<Object>) -> Object {
        self.versions.advance(part, &seen.resource_version);
        let mut object = marked(&seen.object, cluster);
        object.metadata_mut().insert("resourceVersion".to_owned(), Value::from(self.versions.to_string()));
        object
    }

    fn bookmark(&self, ends_initial_events: bool) -> Event {
        let mut object =
            Object(json!({ "kind": self.kind.gvk.kind, "apiVersion": self.kind.gvk.api_version(),
            "metadata": { "resourceVersion": self.versions.to_string() } }));
        if ends_initial_events {
            object.set_annotation(INITIAL_EVENTS_END, "true");
        }
        Event::Bookmark(object)
    }
}
