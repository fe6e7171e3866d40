//! [`Attributes`]: the input of authorization.

use portolan_object::Status;

use super::User;
use crate::request::RequestInfo;

/// User, verb and target of a request.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    /// The user of the request.
    pub user: &'a User,
    /// `get`, `list`, `create` and so on; for paths the method in lower case.
    pub verb: &'a str,
    /// The target of the verb.
    pub target: AccessTarget<'a>,
}

/// The target of a request.
#[derive(Debug, Clone, Copy)]
pub enum AccessTarget<'a> {
    /// Objects.
    Resource(ResourceTarget<'a>),
    /// A path that is not a resource, such as `/metrics`.
    Path(&'a str),
}

/// Objects of one resource; fields that do not apply are empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ResourceTarget<'a> {
    /// API group, empty for the core group.
    pub group: &'a str,
    /// Plural name, such as `pods`.
    pub resource: &'a str,
    /// Such as `log`.
    pub subresource: &'a str,
    /// Empty for all namespaces and for cluster-scoped resources.
    pub namespace: &'a str,
    /// Empty for a collection.
    pub name: &'a str,
}

impl<'a> Attributes<'a> {
    /// The attributes of a request.
    pub fn from_request(user: &'a User, info: &'a RequestInfo) -> Self {
        let target = if info.is_resource {
            AccessTarget::Resource(ResourceTarget {
                group: &info.group,
                resource: &info.resource,
                subresource: &info.subresource,
                namespace: &info.namespace,
                name: &info.name,
            })
        } else {
            AccessTarget::Path(&info.path)
        };
        Self { user, verb: info.verb, target }
    }

    /// 403 for this request; `reason` is appended unless empty.
    pub fn forbidden(&self, reason: &str) -> Status {
        let mut cause = self.sentence();
        if !reason.is_empty() {
            cause = format!("{cause}: {reason}");
        }
        match self.target {
            AccessTarget::Resource(target) => {
                Status::forbidden(target.group, target.resource, target.name, &cause)
            }
            AccessTarget::Path(_) => {
                Status::new(403, "Forbidden", format!("forbidden: {cause}")).about("", "", "")
            }
        }
    }

    fn sentence(&self) -> String {
        let Self { user, verb, target } = self;
        let sentence = match target {
            AccessTarget::Path(path) => format!("User {:?} cannot {verb} path {path:?}", user.name),
            AccessTarget::Resource(target) => {
                let resource = match target.subresource {
                    "" => target.resource.to_owned(),
                    subresource => format!("{}/{subresource}", target.resource),
                };
                let place = match target.namespace {
                    "" => "at the cluster scope".to_owned(),
                    namespace => format!("in the namespace {namespace:?}"),
                };
                let group = target.group;
                format!(
                    "User {:?} cannot {verb} resource {resource:?} in API group {group:?} {place}",
                    user.name
                )
            }
        };
        // Escaped so that browsers do not read names as markup.
        sentence.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    }
}
