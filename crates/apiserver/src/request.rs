//! [`RequestInfo`]: verb, resource, namespace and name of a request, parsed from method and URL.
//!
//! Authorization, admission and routing all use the same `RequestInfo`, so they cannot disagree about a path. Bodies
//! and headers are not read here. Upstream: kubernetes staging/src/k8s.io/apiserver/pkg/endpoints/request.

pub(crate) mod head;
pub mod options;
pub mod query;
pub(crate) mod timeout;

#[cfg(test)]
mod tests;

use http::Method;
use percent_encoding::percent_decode_str;

use query::Query;

/// Verb and target of a request.
///
/// Fields that do not apply are empty. For a path that is not a resource only `verb` and `path` are set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestInfo {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`; for other paths the
    /// method in lower case.
    pub verb: &'static str,
    /// The path as sent, without the query; empty for resources.
    pub path: String,
    /// Whether the path names a resource.
    pub is_resource: bool,
    /// API group, empty for the core group.
    pub group: String,
    /// API version.
    pub version: String,
    /// Namespace; for the namespace object itself its own name.
    pub namespace: String,
    /// Plural name of the resource.
    pub resource: String,
    /// Such as `status`.
    pub subresource: String,
    /// The path after the subresource (`proxy` only).
    pub rest: String,
    /// Name of the object; for a collection the name in `fieldSelector=metadata.name=`.
    pub name: String,
}

/// Subresources of a namespace; any other segment after its name is a resource in the namespace.
const NAMESPACE_SUBRESOURCES: [&str; 2] = ["status", "finalize"];

impl RequestInfo {
    /// Reads method, path and query.
    pub fn parse(method: &Method, path: &str, query: &Query) -> Self {
        let mut info = Self { verb: method_verb(method), ..Self::default() };
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let rest = match segments.as_slice() {
            ["api", version, rest @ ..] => {
                info.version = (*version).to_owned();
                rest
            }
            ["apis", group, version, rest @ ..] => {
                info.group = (*group).to_owned();
                info.version = (*version).to_owned();
                rest
            }
            _ => &[],
        };
        if rest.is_empty() {
            return Self { verb: info.verb, path: path.to_owned(), ..Self::default() };
        }
        info.is_resource = true;
        info.locate(rest);
        info.derive_verb(method, query);
        info
    }

    /// Whether the request addresses a collection rather than one object.
    ///
    /// A collection has a `name` too when a field selector names one object.
    pub fn is_collection(&self) -> bool {
        self.name.is_empty() || matches!(self.verb, "list" | "watch" | "deletecollection")
    }

    /// `pods`, or `pods/log`.
    pub fn resource_path(&self) -> String {
        match self.subresource.as_str() {
            "" => self.resource.clone(),
            subresource => format!("{}/{subresource}", self.resource),
        }
    }

    /// Splits what follows the version into namespace, resource, name and subresource.
    fn locate(&mut self, segments: &[&str]) {
        let segments = match segments {
            ["namespaces", namespace, rest @ ..] => {
                self.namespace = decoded(namespace);
                match rest {
                    [] => segments,
                    [segment, ..] if NAMESPACE_SUBRESOURCES.contains(segment) => segments,
                    inside => inside,
                }
            }
            all => all,
        };
        if let [resource, rest @ ..] = segments {
            self.resource = (*resource).to_owned();
            self.name = rest.first().map(|name| decoded(name)).unwrap_or_default();
            self.subresource = rest.get(1).map(|&segment| segment.to_owned()).unwrap_or_default();
            self.rest = rest.get(2..).unwrap_or_default().join("/");
        }
    }

    fn derive_verb(&mut self, method: &Method, query: &Query) {
        let named = !self.name.is_empty();
        self.verb = match *method {
            Method::GET | Method::HEAD if named => "get",
            Method::GET | Method::HEAD if query.flag("watch") => "watch",
            Method::GET | Method::HEAD => "list",
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE if named => "delete",
            Method::DELETE => "deletecollection",
            _ => "",
        };
        if !named && matches!(self.verb, "list" | "watch" | "deletecollection") {
            self.name = query.get("fieldSelector").and_then(selected_name).unwrap_or_default();
        }
    }
}

/// The name that a field selector requires, if it requires one.
fn selected_name(selector: &str) -> Option<String> {
    let value = selector.split(',').find_map(|term| term.strip_prefix("metadata.name="))?;
    let value = value.strip_prefix('=').unwrap_or(value);
    (!value.is_empty() && !value.contains('\\')).then(|| value.to_owned())
}

/// A path segment without percent escapes. Unlike in a query, `+` stands for itself.
fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

fn method_verb(method: &Method) -> &'static str {
    match *method {
        Method::GET => "get",
        Method::POST => "post",
        Method::PUT => "put",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        Method::HEAD => "head",
        Method::OPTIONS => "options",
        _ => "",
    }
}
