//! Paths below an API group that the embedding program answers, such as look-ups over several clusters.
//!
//! The program says which paths they are and what their answers consist of ([`Mounted`]). The server authorizes the request,
//! and shows the objects in the form that the client accepts: whole, as rows of a table, or metadata only.

mod show;

use std::fmt;
use std::pin::Pin;

use futures::Stream;
use http::Method;
use portolan_object::{GroupVersionKind, Object, Status};
use serde_json::Value;

use crate::request::RequestInfo;
use crate::request::query::Query;

pub(crate) use show::{Shown, wrong_form};

/// A request for a mounted path. It is authorized.
#[derive(Debug)]
pub struct MountedRequest<'a> {
    /// Method of HTTP.
    pub method: &'a Method,
    /// Its target: the path below the mount is in `subresource` and `rest`.
    pub info: &'a RequestInfo,
    /// The query.
    pub query: &'a Query,
}

/// The kind of the objects in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// Group, version and kind.
    pub gvk: GroupVersionKind,
    /// The path segment, such as `deployments`. A kind that this server has too is printed with its columns.
    pub plural: String,
}

/// An event of a watch.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The object is new to the client.
    Added(Object),
    /// The object changed.
    Modified(Object),
    /// The object is gone; this is its last state.
    Deleted(Object),
    /// Everything up to the version in this object was sent.
    Bookmark(Object),
    /// The watch ends.
    Error(Status),
}

/// Events until the watch ends.
pub type Events = Pin<Box<dyn Stream<Item = Event> + Send>>;

/// Changes the object in the body of a request.
pub type Rewrite = Box<dyn FnOnce(&mut Value) + Send>;

/// What a request is answered with.
pub enum Answer {
    /// One object.
    Object(Kind, Object),
    /// A list.
    List {
        /// Kind of the objects.
        kind: Kind,
        /// The objects.
        items: Vec<Object>,
        /// `metadata.resourceVersion`; empty for none.
        version: String,
        /// `metadata.continue`; empty after the last page.
        next: String,
        /// `metadata.remainingItemCount`.
        remaining: Option<usize>,
    },
    /// A watch.
    Watch(Kind, Events),
    /// What this server itself answers to `path`.
    Here {
        /// The path, with its leading slash.
        path: String,
    },
    /// What the server of the object `name` of the mount's [`Backends`](crate::proxy::Backends) answers to `path`.
    Forward {
        /// Name of the object that has a server.
        name: String,
        /// The path, without its leading slash.
        path: String,
        /// Changes the object that the request carries; `None` passes the body on as it is.
        rewrite: Option<Rewrite>,
    },
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Object(..) => "Object",
            Self::List { .. } => "List",
            Self::Watch(..) => "Watch",
            Self::Here { .. } => "Here",
            Self::Forward { .. } => "Forward",
        };
        f.write_str(name)
    }
}

/// The future answer to a request.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Answer, Status>> + Send + 'a>>;

/// Paths that the embedding program answers.
pub trait Mounted: Send + Sync + 'static {
    /// Whether the program answers requests for this resource; they need not be resources of the server.
    fn answers(&self, group: &str, version: &str, resource: &str) -> bool;

    /// Answers a request, or ends with the Status for the client.
    fn answer<'a>(&'a self, request: MountedRequest<'a>) -> Answering<'a>;
}
