//! RBAC: decides whether a request is allowed, by one snapshot of roles and bindings.
//!
//! [`Rules::build`] indexes bindings by subject; [`Rules::authorize`] then reads only the grants of the user and its
//! groups, cluster-wide and in the namespace of the request. Rules only allow; none can deny.

mod aggregate;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;

use super::rule::Rule;
use super::{AccessTarget, Attributes, User};
use crate::auth::user;
use crate::tree;

pub use aggregate::aggregated;

/// Roles and bindings, indexed by subject.
#[derive(Debug, Default)]
pub struct Rules {
    users: HashMap<String, Grants>,
    groups: HashMap<String, Grants>,
    roles: Roles,
}

/// The decision about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Allowed; the text names the binding and may be empty.
    Allowed(Arc<str>),
    /// Denied; the text names bindings with a missing role and may be empty.
    Denied(Arc<str>),
}

/// The grants of one subject by namespace; the empty namespace means everywhere.
type Grants = HashMap<Arc<str>, Vec<Grant>>;

#[derive(Debug, Clone)]
struct Grant {
    /// The rules of the role, or the text that it is missing.
    rules: Result<Arc<[Rule]>, Arc<str>>,
    /// The reason when this grant allows a request.
    reason: Arc<str>,
}

/// The rules of every role by namespace and name; cluster roles have no namespace.
#[derive(Debug, Default)]
struct Roles(BTreeMap<(String, String), Arc<[Rule]>>);

impl Rules {
    /// Indexes roles and bindings in any order; objects of other kinds are ignored.
    ///
    /// Aggregated cluster roles get the rules of the roles that they select, even if those are not yet written into the
    /// stored object.
    pub fn build<'a>(objects: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut bindings = Vec::new();
        let mut cluster_roles = Vec::new();
        let mut rules = Self::default();
        for object in objects {
            match tree::str_at(object, "/kind") {
                "Role" => rules.roles.insert(object, Rule::list(object, "/rules")),
                "ClusterRole" => cluster_roles.push(object),
                "RoleBinding" | "ClusterRoleBinding" => bindings.push(object),
                _ => {}
            }
        }
        for (role, gathered) in aggregate::resolve(&cluster_roles) {
            rules.roles.insert(role, gathered);
        }
        for binding in bindings {
            rules.bind(binding);
        }
        rules
    }

    /// Decides a request.
    pub fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        if attributes.user.is_master() {
            return Decision::Allowed("".into());
        }
        let namespace = match attributes.target {
            AccessTarget::Resource(target) => target.namespace,
            AccessTarget::Path(_) => "",
        };
        let mut dangling = Vec::new();
        for grant in self.grants(attributes.user, namespace) {
            match &grant.rules {
                Ok(rules) if rules.iter().any(|rule| rule.allows(attributes)) => {
                    return Decision::Allowed(grant.reason.clone());
                }
                Ok(_) => {}
                Err(missing) if dangling.contains(&missing) => {}
                Err(missing) => dangling.push(missing),
            }
        }
        Decision::Denied(match dangling.as_slice() {
            [] => "".into(),
            [one] => format!("RBAC: {one}").into(),
            many => {
                let texts: Vec<&str> = many.iter().map(|text| &***text).collect();
                format!("RBAC: [{}]", texts.join(", ")).into()
            }
        })
    }

    /// All rules of a user in a namespace, including cluster-wide ones.
    pub fn held<'a>(&'a self, user: &'a User, namespace: &'a str) -> Vec<&'a Rule> {
        self.grants(user, namespace)
            .filter_map(|grant| grant.rules.as_ref().ok())
            .flat_map(|rules| rules.iter())
            .collect()
    }

    /// The rules of the role that a binding in `namespace` (empty for a cluster-wide binding) refers to.
    ///
    /// # Errors
    /// The text of a 404 when the role does not exist.
    pub fn of_role(&self, role_ref: &Value, namespace: &str) -> Result<Arc<[Rule]>, Arc<str>> {
        self.roles.find(role_ref, namespace)
    }

    fn grants<'a>(&'a self, user: &'a User, namespace: &'a str) -> impl Iterator<Item = &'a Grant> {
        let of_groups = user.groups.iter().filter_map(|group| self.groups.get(group));
        let subjects = self.users.get(&user.name).into_iter().chain(of_groups);
        subjects.flat_map(move |grants| {
            let local = if namespace.is_empty() { None } else { grants.get(namespace) };
            grants.get("").into_iter().chain(local).flatten()
        })
    }

    fn bind(&mut self, binding: &Value) {
        let namespace: Arc<str> = tree::str_at(binding, "/metadata/namespace").into();
        let role_ref = binding.pointer("/roleRef").unwrap_or(&Value::Null);
        let rules = self.roles.find(role_ref, &namespace);
        for subject in tree::list(binding, "/subjects") {
            let name = tree::str_at(subject, "/name");
            let grants = match tree::str_at(subject, "/kind") {
                "User" => self.users.entry(name.to_owned()),
                "Group" => self.groups.entry(name.to_owned()),
                "ServiceAccount" => match account_namespace(subject, &namespace) {
                    "" => continue,
                    account => self.users.entry(user::service_account_name(account, name)),
                },
                _ => continue,
            };
            let reason = format!(
                "RBAC: allowed by {} to {}",
                describe(binding),
                describe_subject(subject, &namespace)
            );
            let grant = Grant { rules: rules.clone(), reason: reason.into() };
            grants.or_default().entry(namespace.clone()).or_default().push(grant);
        }
    }
}

impl Roles {
    fn insert(&mut self, role: &Value, rules: Vec<Rule>) {
        let namespace = tree::str_at(role, "/metadata/namespace").to_owned();
        let name = tree::str_at(role, "/metadata/name").to_owned();
        self.0.insert((namespace, name), rules.into());
    }

    fn find(&self, role_ref: &Value, namespace: &str) -> Result<Arc<[Rule]>, Arc<str>> {
        let name = tree::str_at(role_ref, "/name");
        let (namespace, resource) = match tree::str_at(role_ref, "/kind") {
            "ClusterRole" => ("", "clusterrole"),
            "Role" => (namespace, "role"),
            other => return Err(format!("unsupported role reference kind: {other:?}").into()),
        };
        let found = self.0.get(&(namespace.to_owned(), name.to_owned())).cloned();
        found.ok_or_else(|| format!("{resource}.rbac.authorization.k8s.io {name:?} not found").into())
    }
}

/// A service account subject without namespace is in the namespace of the binding.
fn account_namespace<'a>(subject: &'a Value, binding: &'a str) -> &'a str {
    match tree::str_at(subject, "/namespace") {
        "" => binding,
        namespace => namespace,
    }
}

fn describe(binding: &Value) -> String {
    let name = tree::str_at(binding, "/metadata/name");
    let role =
        format!("{} {:?}", tree::str_at(binding, "/roleRef/kind"), tree::str_at(binding, "/roleRef/name"));
    match tree::str_at(binding, "/metadata/namespace") {
        "" => format!("ClusterRoleBinding {name:?} of {role}"),
        namespace => format!("RoleBinding {:?} of {role}", format!("{name}/{namespace}")),
    }
}

fn describe_subject(subject: &Value, namespace: &str) -> String {
    let name = tree::str_at(subject, "/name");
    match tree::str_at(subject, "/kind") {
        kind @ "ServiceAccount" => {
            format!("{kind} {:?}", format!("{name}/{}", account_namespace(subject, namespace)))
        }
        kind => format!("{kind} {name:?}"),
    }
}
