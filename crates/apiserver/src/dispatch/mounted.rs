//! Requests for paths that the embedding program answers ([`crate::mounted`]).

use std::sync::Arc;

use futures::StreamExt as _;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, request};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use portolan_object::Status;
use serde_json::{Map, json};

use super::refusal::no_such_path;
use crate::auth::User;
use crate::call::read_counted;
use crate::fairness::Share;
use crate::mounted::{Answer, Events, Mounted, MountedRequest, Rewrite, Shown, wrong_form};
use crate::negotiate::{BodyType, Form, Offer, Reply};
use crate::request::RequestInfo;
use crate::request::query::Query;
use crate::respond::{self, Body, Streaming};
use crate::server::Server;
use crate::write;

/// Start of the headers that name another user.
const IMPERSONATE: &str = "impersonate-";

/// A request for a mounted path, which is authorized.
pub(super) struct MountedCall {
    pub(super) server: Arc<Server>,
    pub(super) user: Arc<User>,
    pub(super) info: RequestInfo,
    pub(super) query: Query,
    pub(super) headers: HeaderMap,
}

/// What a mounted path was answered with.
pub(super) enum Outcome {
    /// A response.
    Response(Response<Body>),
    /// This server itself must answer this request.
    Here(Request<Body>),
}

/// What answers requests for this resource, if the server does not.
pub(super) fn find<'s>(server: &'s Server, info: &RequestInfo) -> Option<&'s Arc<dyn Mounted>> {
    let mounted = server.mounted.as_ref()?;
    mounted.answers(&info.group, &info.version, &info.resource).then_some(mounted)
}

/// Answers a request for a mounted path.
///
/// # Errors
/// Those of the program, 406 for a form that the answer does not have, those of the server that a request is forwarded to.
pub(super) async fn answer(
    mounted: &Arc<dyn Mounted>,
    call: &MountedCall,
    mut parts: request::Parts,
    body: Body,
    share: &mut Option<Share>,
) -> Result<Outcome, Status> {
    let MountedCall { server, user, info, query, headers } = call;
    let answered = mounted.answer(MountedRequest { method: &parts.method, info, query }).await?;
    let snapshot = server.registry.snapshot();
    let shown = |kind, reply| Shown::new(kind, reply, &snapshot, server.clock.now());
    let response = match answered {
        Answer::Object(kind, object) => {
            let reply = Reply::negotiate(headers, query, Offer::Objects)?;
            if reply.form == Form::MetadataList {
                return Err(wrong_form(&kind));
            }
            respond::value(StatusCode::OK, &shown(kind, reply).object(object), reply)
        }
        Answer::List { kind, items, version, next, remaining } => {
            let reply = Reply::negotiate(headers, query, Offer::Objects)?;
            if reply.form == Form::Metadata {
                return Err(wrong_form(&kind));
            }
            let mut metadata = Map::new();
            for (name, value) in [("resourceVersion", version), ("continue", next)] {
                if !value.is_empty() {
                    metadata.insert(name.to_owned(), json!(value));
                }
            }
            if let Some(remaining) = remaining {
                metadata.insert("remainingItemCount".to_owned(), json!(remaining));
            }
            respond::value(StatusCode::OK, &shown(kind, reply).list(metadata, items), reply)
        }
        Answer::Watch(kind, events) => {
            let reply = Reply::negotiate(headers, query, Offer::Stream)?;
            watch(server, shown(kind, reply), events)
        }
        Answer::Here { path } => {
            // A path below a mounted one would come back here.
            if find(server, &RequestInfo::parse(&parts.method, &path, query)).is_some() {
                return Err(no_such_path());
            }
            parts.headers = own_headers(headers);
            parts.uri = uri(&path, parts.uri.query())?;
            return Ok(Outcome::Here(Request::from_parts(parts, body)));
        }
        Answer::Forward { name, path, rewrite } => {
            let forwarder = server.forwarder.as_ref().ok_or_else(no_such_path)?;
            parts.headers.clone_from(headers);
            let body = match rewrite {
                Some(rewrite) => rewritten(&mut parts.headers, body, rewrite, share).await?,
                None => body,
            };
            forwarder.forward(&name, &path, user, Request::from_parts(parts, body)).await?
        }
    };
    Ok(Outcome::Response(response))
}

/// The headers without those that name another user: the user is known.
fn own_headers(headers: &HeaderMap) -> HeaderMap {
    let is_own = |name: &http::HeaderName| !name.as_str().starts_with(IMPERSONATE);
    headers
        .iter()
        .filter(|(name, _)| is_own(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn uri(path: &str, query: Option<&str>) -> Result<Uri, Status> {
    let text = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    text.parse().map_err(|_| Status::bad_request("the path is malformed"))
}

/// The body with its object changed, as JSON.
async fn rewritten(
    headers: &mut HeaderMap,
    body: Body,
    rewrite: Rewrite,
    share: &mut Option<Share>,
) -> Result<Body, Status> {
    let body_type = BodyType::from_headers(headers)?;
    let bytes = read_counted(body, share).await?;
    let mut object = write::decode_any(&bytes, body_type)?;
    rewrite(&mut object);
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(respond::full(object.to_string()))
}

/// A watch ends with its events, or when the server stops.
fn watch(server: &Arc<Server>, mut shown: Shown, events: Events) -> Response<Body> {
    let stopping = server.stopping.clone().cancelled_owned();
    let frames = events.take_until(stopping).map(move |event| Ok(Frame::data(shown.event(event))));
    let body = StreamBody::new(frames).boxed_unsync();
    let mut response = respond::typed(StatusCode::OK, "application/json", body);
    response.extensions_mut().insert(Streaming);
    response
}
