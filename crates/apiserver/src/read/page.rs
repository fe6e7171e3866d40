//! Taking one page of a collection out of the store.

use portolan_object::Status;
use portolan_store::{Query, ReadError, Revision, Store, Versioned};

use super::selection::Selection;
use super::token::Token;
use crate::record::Record;
use crate::request::options::{ListOptions, VersionMatch};
use crate::resources::Resource;

/// Objects read at once while searching for those that a selector matches.
const STRIDE: usize = 2048;

/// A page of a collection.
#[derive(Debug)]
pub(crate) struct Listing {
    /// The objects, in key order.
    pub(crate) items: Vec<Versioned<Record>>,
    /// The state they were read in.
    pub(crate) revision: Revision,
    /// How to get the next page.
    pub(crate) next: Option<String>,
    /// How many objects follow, where that is known.
    pub(crate) remaining: Option<usize>,
}

/// Why there is no page.
#[derive(Debug)]
pub(crate) enum NoPage {
    /// The request cannot be answered.
    Refused(Status),
    /// The snapshot of a continued list is gone; the token goes on in the newest state.
    Expired { restart: String },
}

impl From<Status> for NoPage {
    fn from(status: Status) -> Self {
        Self::Refused(status)
    }
}

/// Where a page starts and which state it shows.
struct Start {
    at: Option<Revision>,
    after: Option<String>,
    limit: Option<usize>,
}

impl Start {
    fn of(options: &ListOptions, prefix: &str) -> Result<Self, Status> {
        let limit = options.limit;
        if !options.continue_token.is_empty() {
            if !matches!(options.resource_version.as_str(), "" | "0") {
                return Err(Status::bad_request(
                    "specifying resource version is not allowed when using continue",
                ));
            }
            let token = Token::decode(&options.continue_token)?;
            return Ok(Self {
                at: token.revision.map(Revision),
                after: Some(format!("{prefix}{}", token.after)),
                limit,
            });
        }
        let revision = super::get::parse_revision(&options.resource_version)?;
        let at = match (options.version_match, revision) {
            (Some(VersionMatch::Exact), revision) => revision,
            // A limit without a match means the exact revision, from the time before there was a choice.
            (None, revision) if limit.is_some() => revision,
            _ => None,
        };
        // Any cached state will do for revision 0, and caches never page.
        let limit = limit.filter(|_| options.resource_version != "0");
        Ok(Self { at, after: None, limit })
    }
}

/// Reads one page.
pub(crate) fn collect(
    store: &Store<Record>,
    resource: &Resource,
    namespace: &str,
    selection: &Selection,
    options: &ListOptions,
) -> Result<Listing, NoPage> {
    let namespace = if namespace.is_empty() { selection.namespace().unwrap_or_default() } else { namespace };
    let prefix = resource.collection(namespace);
    let start = Start::of(options, &prefix)?;
    if let (Some(name), None, None) = (selection.name(), start.at, &start.after)
        && namespace.is_empty() != resource.is_namespaced
    {
        return Ok(single(store, resource, &resource.key(namespace, name), selection));
    }
    let query = Query { prefix: prefix.clone(), start_after: start.after.clone(), limit: 0, at: start.at };
    let page = if selection.is_everything() {
        whole(store, query, start.limit)
    } else {
        filtered(store, query, start.limit, |item| selection.matches(resource, item))
    };
    let page = page.map_err(|error| match (&start.after, error) {
        (Some(after), ReadError::Compacted { .. }) => {
            let after = after.strip_prefix(&prefix).unwrap_or(after).to_owned();
            NoPage::Expired { restart: Token { revision: None, after }.encode() }
        }
        (_, error) => NoPage::Refused(refusal(&error)),
    })?;
    let next = page.has_more.then(|| page.items.last()).flatten().map(|last| {
        let after = last.key.strip_prefix(&prefix).unwrap_or(&last.key).to_owned();
        Token { revision: Some(page.revision.0), after }.encode()
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

/// Reads on until the page is full or the range ends. One match more than the page holds is looked for, so that no
/// token leads to an empty page.
fn filtered(
    store: &Store<Record>,
    mut query: Query,
    limit: Option<usize>,
    matches: impl Fn(&Versioned<Record>) -> bool,
) -> Result<Found, ReadError> {
    let wanted = limit.map_or(usize::MAX, |limit| limit.saturating_add(1));
    let mut items = Vec::new();
    query.limit = if limit.is_some() { STRIDE } else { 0 };
    loop {
        let page = store.range(&query)?;
        // Every stride shows the state of the first.
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

/// A selection of one name needs no search.
fn single(store: &Store<Record>, resource: &Resource, key: &str, selection: &Selection) -> Listing {
    // Read before the object, so that a watch from here misses nothing.
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
        ReadError::Future { asked, newest } => super::get::too_large(asked.0, newest.0),
        other => Status::internal(other),
    }
}
