//! Options of requests: selection of objects, patches, apply and delete.

use serde_json::{Value, json};

use crate::resource::push_query;

/// Selects objects of a collection.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selection {
    /// Empty means all namespaces.
    pub namespace: String,
    /// A label selector, empty for all.
    pub labels: String,
    /// A field selector, empty for all.
    pub fields: String,
}

impl Selection {
    /// All objects.
    pub fn all() -> Self {
        Self::default()
    }

    /// Objects that match a label selector.
    pub fn labels(selector: impl Into<String>) -> Self {
        Self { labels: selector.into(), ..Self::default() }
    }

    /// Objects that match a field selector.
    pub fn fields(selector: impl Into<String>) -> Self {
        Self { fields: selector.into(), ..Self::default() }
    }

    /// Objects of one namespace.
    pub fn namespace(namespace: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), ..Self::default() }
    }

    pub(crate) fn push_to(&self, path: &mut String) {
        for (name, value) in [("labelSelector", &self.labels), ("fieldSelector", &self.fields)] {
            if !value.is_empty() {
                push_query(path, name, value);
            }
        }
    }
}

/// A patch in one of the three formats of Kubernetes.
#[derive(Debug, Clone, PartialEq)]
pub enum Patch {
    /// RFC 6902: a list of operations.
    Json(Value),
    /// RFC 7386: a partial object; null removes.
    Merge(Value),
    /// Strategic merge patch: a partial object of a built-in kind; lists merge by key.
    Strategic(Value),
}

impl Patch {
    pub(crate) fn content_type(&self) -> &'static str {
        match self {
            Self::Json(_) => "application/json-patch+json",
            Self::Merge(_) => "application/merge-patch+json",
            Self::Strategic(_) => "application/strategic-merge-patch+json",
        }
    }

    pub(crate) fn body(&self) -> &Value {
        match self {
            Self::Json(body) | Self::Merge(body) | Self::Strategic(body) => body,
        }
    }
}

/// Options of server-side apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apply {
    /// The field manager.
    pub manager: String,
    /// Take over fields that another manager owns.
    pub force: bool,
}

/// Deletion of the dependents of an object (`propagationPolicy` of DeleteOptions).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// The garbage collector deletes dependents after the object.
    Background,
    /// The garbage collector deletes dependents before the object.
    Foreground,
    /// Dependents stay.
    Orphan,
}

impl Propagation {
    /// The value of `propagationPolicy` (metav1 `DeletionPropagation`).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Background => "Background",
            Self::Foreground => "Foreground",
            Self::Orphan => "Orphan",
        }
    }
}

/// Options of a deletion.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delete {
    /// The kind's default if absent.
    pub propagation: Option<Propagation>,
    /// Only the object with this uid.
    pub uid: Option<String>,
    /// Only the object at this version.
    pub resource_version: Option<String>,
    /// Seconds for an orderly shutdown.
    pub grace_period_seconds: Option<u32>,
}

impl Delete {
    /// Deletes dependents in the background.
    pub fn background() -> Self {
        Self { propagation: Some(Propagation::Background), ..Self::default() }
    }

    /// Only the object with this uid.
    #[must_use]
    pub fn uid(mut self, uid: impl Into<String>) -> Self {
        self.uid = Some(uid.into());
        self
    }

    pub(crate) fn body(&self) -> Value {
        let mut body = json!({ "kind": "DeleteOptions", "apiVersion": "v1" });
        if let Some(propagation) = self.propagation {
            body["propagationPolicy"] = json!(propagation.as_str());
        }
        if let Some(seconds) = self.grace_period_seconds {
            body["gracePeriodSeconds"] = json!(seconds);
        }
        if let Some(uid) = &self.uid {
            body["preconditions"]["uid"] = json!(uid);
        }
        if let Some(version) = &self.resource_version {
            body["preconditions"]["resourceVersion"] = json!(version);
        }
        body
    }
}
