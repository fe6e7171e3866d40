//! What a request asks for: verb, resource, namespace and name, taken from method and URL alone.
//!
//! Authentication, authorization, admission and routing all decide on a [`RequestInfo`], so that they can never
//! disagree about what a path means. Bodies and headers are not read here.

pub mod options;
pub mod query;

#[cfg(test)]
mod tests;

use http::Method;

use query::Query;

/// What a request asks for.
///
/// Members that do not apply are empty. For a path that is not a resource only `verb` (the method in lower case),
/// `path` and `prefix` are set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestInfo {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`; for other paths the
    /// method in lower case.
    pub verb: &'static str,
    /// The path as sent, without the query.
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
    /// What follows the subresource (`proxy` only).
    pub rest: String,
    /// Name of the object. For a collection it is the name that `fieldSelector=metadata.name=` asks for.
    pub name: String,
}

/// Subresources of a namespace; any other word after its name is a resource inside it.
const NAMESPACE_PARTS: [&str; 2] = ["status", "finalize"];

impl RequestInfo {
    /// Reads method, path and query.
    pub fn parse(method: &Method, path: &str, query: &Query) -> Self {
        let mut info = Self { verb: method_verb(method), path: path.to_owned(), ..Self::default() };
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let rest = match parts.as_slice() {
            ["api", version, rest @ ..] => {
                info.version = (*version).to_owned();
                rest
            }
            ["apis", group, version, rest @ ..] => {
                info.group = (*group).to_owned();
                info.version = (*version).to_owned();
                rest
            }
            _ => return info,
        };
        if rest.is_empty() {
            return info;
        }
        info.is_resource = true;
        info.locate(rest);
        info.derive_verb(method, query);
        info
    }

    /// Whether the request addresses a collection rather than one object.
    ///
    /// The name alone does not tell: a selector for one name also fills it in.
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
    fn locate(&mut self, parts: &[&str]) {
        let parts = match parts {
            ["namespaces", namespace, rest @ ..] => {
                self.namespace = decoded(namespace);
                match rest {
                    [] => parts,
                    [part, ..] if NAMESPACE_PARTS.contains(part) => parts,
                    inside => inside,
                }
            }
            all => all,
        };
        if let [resource, rest @ ..] = parts {
            self.resource = (*resource).to_owned();
            self.name = rest.first().map(|name| decoded(name)).unwrap_or_default();
            self.subresource = rest.get(1).map(|&part| part.to_owned()).unwrap_or_default();
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

/// The name that a field selector pins, if it pins one.
fn selected_name(selector: &str) -> Option<String> {
    let value = selector.split(',').find_map(|term| term.strip_prefix("metadata.name="))?;
    let value = value.strip_prefix('=').unwrap_or(value);
    (!value.is_empty() && !value.contains('\\')).then(|| value.to_owned())
}

fn decoded(part: &str) -> String {
    query::decode(part, false)
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
