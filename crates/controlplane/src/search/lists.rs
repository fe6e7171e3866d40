//! Lists over the caches of several clusters.

use std::sync::Arc;

use portolan_apiserver::mounted::Answer;
use portolan_apiserver::request::RequestInfo;
use portolan_apiserver::request::options::ListOptions;
use portolan_controllers::search::CachedCollection;
use portolan_object::selector::{FieldSelector, InvalidSelector, LabelSelector};
use portolan_object::{Object, ObjectKey, Status};
use portolan_plan::search::{ClusterVersions, ContinueToken, page, part};
use serde_json::Value;

use super::{Cached, marked};

/// The objects that a request selects.
pub(super) struct Selected {
    /// Empty for all.
    namespace: String,
    /// The only name; `None` for all.
    name: Option<String>,
    labels: LabelSelector,
    fields: FieldSelector,
}

impl Selected {
    /// # Errors
    /// 400 for a selector that cannot be parsed.
    pub(super) fn parse(options: &ListOptions, namespace: &str) -> Result<Self, Status> {
        let refused = |error: InvalidSelector| Status::bad_request(error.to_string());
        Ok(Self {
            namespace: namespace.to_owned(),
            name: None,
            labels: LabelSelector::parse(&options.label_selector).map_err(refused)?,
            fields: FieldSelector::parse(&options.field_selector).map_err(refused)?,
        })
    }

    /// Only the object of this name.
    pub(super) fn named(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }

    /// The objects with their clusters, in order of cluster and key.
    pub(super) fn objects<'a>(
        &'a self,
        collections: &'a [CachedCollection],
    ) -> impl Iterator<Item = (String, ObjectKey, Arc<Object>)> + 'a {
        collections.iter().flat_map(|one| {
            let objects = match self.namespace.as_str() {
                "" => one.cache.list(),
                namespace => one.cache.list_namespace(namespace),
            };
            let objects = objects.into_iter().filter(|object| self.matches(object));
            objects.map(|object| (one.cluster.to_string(), object.key(), object))
        })
    }

    fn matches(&self, object: &Object) -> bool {
        self.name.as_ref().is_none_or(|name| object.name() == name)
            && self.labels.matches_object(object)
            && self.fields.matches(|field| value_at(object, field))
    }
}

/// The value of a field such as `spec.nodeName`, as text.
fn value_at(object: &Object, field: &str) -> Option<String> {
    let value = field.split('.').try_fold(&object.0, |value, name| value.get(name))?;
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
        other => Some(other.to_string()),
    }
}

/// The version up to which each cache has seen all changes.
pub(super) fn versions(collections: &[CachedCollection]) -> ClusterVersions {
    let mut versions = ClusterVersions::default();
    for one in collections {
        if let Some(version) = one.cache.version() {
            versions.advance(&part(one.cluster.as_str(), &one.namespace), &version.to_string());
        }
    }
    versions
}

/// A page of the list.
///
/// # Errors
/// 400 for a selector or a token that cannot be read.
pub(super) fn list(cached: &Cached, target: &RequestInfo, options: &ListOptions) -> Result<Answer, Status> {
    let selected = Selected::parse(options, &target.namespace)?;
    let start = match options.continue_token.as_str() {
        "" => None,
        text => {
            let token = ContinueToken::parse(text);
            Some(token.ok_or_else(|| Status::bad_request("continue key is not valid"))?)
        }
    };
    // The versions first: a change in between is told to the watch that follows, and not lost.
    let version = match &start {
        Some(start) => start.version.clone(),
        None => versions(&cached.collections).to_string(),
    };
    let page = page(selected.objects(&cached.collections), start.as_ref(), options.limit, &version);
    let items = page.items.iter().map(|(cluster, _, object)| marked(object, cluster)).collect();
    let next = page.next.map(|token| token.text()).unwrap_or_default();
    let remaining = (!next.is_empty()).then_some(page.remaining);
    Ok(Answer::List { kind: cached.kind(), items, version, next, remaining })
}
