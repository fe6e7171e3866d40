//! Roles × requests: a generator of authorization cases.
//!
//! A [`Family`] is about one resource. Each of its [`Grant`]s is the right of one user, usually a single verb; each of
//! its requests is sent by each of these users. Writes are dry runs, so the reply depends on the grant and the request
//! only, and two servers with the same [`fixtures`] can be compared.

mod families;

use serde_json::{Value, json};

use crate::proxy::Request;

/// Namespace of all objects.
pub const NAMESPACE: &str = "matrix";

/// The rights of one user.
#[derive(Debug, Clone)]
pub struct Grant {
    /// What it is, for messages.
    pub name: String,
    /// The user that has it, and the name of its ClusterRole and ClusterRoleBinding.
    pub user: String,
    /// The rules.
    pub rules: Vec<Value>,
}

/// Grants and requests about one resource.
#[derive(Debug)]
pub struct Family {
    /// The users.
    pub grants: Vec<Grant>,
    /// What each of them asks.
    pub requests: Vec<Request>,
}

impl Family {
    /// Its number of cases.
    pub fn cases(&self) -> usize {
        self.grants.len() * self.requests.len()
    }
}

impl Grant {
    /// The objects that give the rights to the user, with the paths of their collections.
    pub fn objects(&self) -> [(String, Value); 2] {
        let group = "rbac.authorization.k8s.io";
        let role = json!({
            "apiVersion": format!("{group}/v1"), "kind": "ClusterRole",
            "metadata": { "name": self.user }, "rules": self.rules,
        });
        let binding = json!({
            "apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding",
            "metadata": { "name": self.user },
            "roleRef": { "apiGroup": group, "kind": "ClusterRole", "name": self.user },
            "subjects": [{ "apiGroup": group, "kind": "User", "name": self.user }],
        });
        let collection = |plural: &str| format!("/apis/{group}/v1/{plural}");
        [(collection("clusterroles"), role), (collection("clusterrolebindings"), binding)]
    }
}

/// All families.
pub fn families() -> Vec<Family> {
    families::all()
}

/// The objects that requests are about, in the order in which they are to be created, with the paths of their
/// collections.
pub fn fixtures() -> Vec<(String, Value)> {
    families::fixtures()
}

/// A rule on resources of a group; without names it is for all objects.
fn rule(verbs: &[&str], group: &str, resources: &[&str], names: &[&str]) -> Value {
    json!({ "verbs": verbs, "apiGroups": [group], "resources": resources, "resourceNames": names })
}

/// Gives each list of rules to a user of its own.
fn grants(family: &str, rules: Vec<(String, Vec<Value>)>) -> Vec<Grant> {
    let user = |number: usize| format!("matrix-{family}-{number}");
    let numbered = rules.into_iter().enumerate();
    numbered.map(|(number, (name, rules))| Grant { name, user: user(number), rules }).collect()
}
