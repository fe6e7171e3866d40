//! Reads one page of a collection from the store.

use portolan_object::Status;
use portolan_store::{Query, ReadError, Revision, Store, Versioned};

use super::selection::Selection;
use super::token::ContinueToken;
use crate::call::Call;
use crate::record::Record;
use crate::request::options::{ListOptions, VersionMatch};
use crate::resources::Resource;

/// Objects that are read from the store at a time while a selector filters them.
const FILTER_CHUNK: usize = 2048;

/// A page of a collection.
#[derive(Debug)]
pub(crate) struct Listing {
    /// The objects, in key order.
    pub(crate) items: Vec<Versioned<Record>>,
    /// The revision at which they were read.
    pub(crate) revision: Revision,
    /// `continue` token of the next page.
    pub(crate) next: Option<String>,
    /// Number of objects after this page, if known.
    pub(crate) remaining: Option<usize>,
}

/// Why a page cannot be read.
#[derive(Debug)]
pub(crate) enum ListError {
    /// The status for the client.
    Refused(Status),
    /// The revision of a continued list was compacted; `restart` is a token that continues in the newest state.
    Expired { restart: String },
}

impl From<Status> for ListError {
    fn from(status: Status) -> Self {
        Self::Refused(status)
    }
}

/// Start, revision and size of a page.
struct PageStart {
    at: Option<Revision>,
    after: Option<String>,
    limit: Option<usize>,
}

impl PageStart {
    fn from_options(options: &ListOptions, prefix: &str) -> Result<Self, Status> {
        let limit = options.limit;
        if !options.continue_token.is_empty() {
            if !matches!(options.resource_version.as_str(), "" | "0") {
                return Err(Status::bad_request(
                    "specifying resource version is not allowed when using continue",
                ));
            }
            let token = ContinueToken::decode(&options.continue_token)?;
            return Ok(Self {
                at: token.revision.map(Revision),
                after: Some(format!("{prefix}{}", token.after)),
                limit,
            });
        }
        let revision = super::revision::parse_revision(&options.resource_version)?;
        let at = match (options.version_match, revision) {
            (Some(VersionMatch::Exact), revision) => revision,
            // Without `resourceVersionMatch`, a limit implies the exact revision.
            (None, revision) if limit.is_some() => revision,
            _ => None,
        };
        // Upstream serves revision 0 from its cache, which ignores the limit.
        let limit = limit.filter(|_| options.resource_version != "0");
        Ok(Self { at, after: None, limit })
    }
}

/// Reads one page.
pub(crate) fn collect(
    call: &Call,
    namespace: &str,
    selection: &Selection,
    options: &ListOptions,
) -> Result<Listing, ListError> {
    let (store, resource) = (&call.server.store, &*call.resource);
    let namespace = if namespace.is_empty() { selection.namespace().unwrap_or_default() } else { namespace };
    let prefix = resource.collection(namespace);
    let start = PageStart::from_options(options, &prefix)?;
    if let (Some(name), None, None) = (selection.name(), start.at, &start.after)
        && namespace.is_empty() != resource.is_namespaced
    {
        return Ok(single(store, resource, &resource.key(namespace, name), selection));
    }
    let query = Query { prefix: prefix.clone(), start_after: start.after.clone(), limit: 0, at: start.at };
    let page = if selection.is_everything() {
        whole(store, query, start.limit)
    } else {
        // A computation that was given up looks at no further object.
        let is_wanted = || !call.interrupt.is_set();
        filtered(store, query, start.limit, |item| is_wanted() && selection.matches(resource, item))
    };
    call.interrupt.check()?;
    let page = page.map_err(|error| match (&start.after, error) {
        (Some(after), ReadError::Compacted { .. }) => {
            let after = after.strip_prefix(&prefix).unwrap_or(after).to_owned();
            ListError::Expired { restart: ContinueToken { revision: None, after }.encode() }
        }
        (_, error) => ListError::Refused(refusal(&error)),
    })?;
    let next = page.has_more.then(|| page.items.last()).flatten().map(|last| {
        let after = last.key.strip_prefix(&prefix).unwrap_or(&last.key).to_owned();
        ContinueToken { revision: Some(page.revision.0), after }.encode()
    });
    Ok(Listing { items: page.items, revision: page.revision, next, remaining: page.remaining })
}

struct Found {
    items: Vec<Versioned<Record>>,
    revision: Revision,
    has_more: bool,
    remaining: Option<usize>,
}

fn whole(store: &Store<Record>, query: Query, limit: Option<usize>) -> Result<Found, ReadError> {
    let page = store.range(&Query { limit: limit.unwrap_or(0), ..query })?;
    let has_more = page.remaining > 0;
    Ok(Found {
        items: page.items,
        revision: page.revision,
        has_more,
        remaining: has_more.then_some(page.remaining),
    })
}

/// Reads until the page is full or the range ends. Looks for one match more than the page holds, so that no token
/// leads to an empty page.
fn filtered(
    store: &Store<Record>,
    mut query: Query,
    limit: Option<usize>,
    matches: impl Fn(&Versioned<Record>) -> bool,
) -> Result<Found, ReadError> {
    let wanted = limit.map_or(usize::MAX, |limit| limit.saturating_add(1));
    let mut items = Vec::new();
    query.limit = if limit.is_some() { FILTER_CHUNK } else { 0 };
    loop {
        let page = store.range(&query)?;
        // All chunks are read at the revision of the first.
        query.at = Some(page.revision);
        query.start_after = page.items.last().map(|last| last.key.to_string());
        items.extend(page.items.into_iter().filter(|item| matches(item)).take(wanted - items.len()));
        let has_more = items.len() == wanted;
        if has_more {
            items.pop();
        }
        if has_more || page.remaining == 0 {
            return Ok(Found { items, revision: page.revision, has_more, remaining: None });
        }
    }
}

/// A page with at most one object, selected by name.
fn single(store: &Store<Record>, resource: &Resource, key: &str, selection: &Selection) -> Listing {
    // Read before the object, so that a watch from this revision misses nothing.
    let revision = store.revision();
    let found = store.get(key).filter(|item| selection.matches(resource, item));
    let revision = found.as_ref().map_or(revision, |item| item.modified.max(revision));
    Listing { items: found.into_iter().collect(), revision, next: None, remaining: None }
}

fn refusal(error: &ReadError) -> Status {
    match error {
        ReadError::Compacted { .. } => {
            Status::new(410, "Expired", "The resourceVersion for the provided list is too old.")
        }
        ReadError::Future { asked, newest } => super::revision::too_large(asked.0, newest.0),
        other => Status::internal(other),
    }
}
