//! What a request wants to do, as authorization sees it.

use portolan_object::Status;

use super::User;
use crate::request::RequestInfo;

/// One thing that one user wants to do.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    /// Who asks.
    pub user: &'a User,
    /// `get`, `list`, `create` and so on; for paths the method in lower case.
    pub verb: &'a str,
    /// What it is to be done to.
    pub target: Target<'a>,
}

/// What something is to be done to.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// Objects.
    Resource(ResourceTarget<'a>),
    /// A path that is not a resource, such as `/metrics`.
    Path(&'a str),
}

/// Objects of one resource; members that do not apply are empty.
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
    /// What a request wants, by its method and URL.
    pub fn of(user: &'a User, info: &'a RequestInfo) -> Self {
        let target = if info.is_resource {
            Target::Resource(ResourceTarget {
                group: &info.group,
                resource: &info.resource,
                subresource: &info.subresource,
                namespace: &info.namespace,
                name: &info.name,
            })
        } else {
            Target::Path(&info.path)
        };
        Self { user, verb: info.verb, target }
    }

    /// The 403 that refuses it; `reason` is added when the decision has one.
    pub fn forbidden(&self, reason: &str) -> Status {
        let mut cause = self.sentence();
        if !reason.is_empty() {
            cause = format!("{cause}: {reason}");
        }
        match self.target {
            Target::Resource(target) => Status::forbidden(target.group, target.resource, target.name, &cause),
            Target::Path(_) => Status::new(403, "Forbidden", format!("forbidden: {cause}")).about("", "", ""),
        }
    }

    fn sentence(&self) -> String {
        let Self { user, verb, target } = self;
        let sentence = match target {
            Target::Path(path) => format!("User {:?} cannot {verb} path {path:?}", user.name),
            Target::Resource(target) => {
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
        // A browser must not take a name for markup.
        sentence.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    }
}
