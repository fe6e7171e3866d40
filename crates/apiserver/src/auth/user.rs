//! [`User`], and the user and group names that Kubernetes reserves.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::tree;

/// User of requests without credentials.
pub const ANONYMOUS: &str = "system:anonymous";
/// Group of authenticated users.
pub const AUTHENTICATED: &str = "system:authenticated";
/// Group of unauthenticated users.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";
/// Group that is allowed everything, independent of roles.
pub const MASTERS: &str = "system:masters";
/// Group of kubelets.
pub const NODES: &str = "system:nodes";
/// Group of all service accounts; followed by a colon and a namespace, of those in the namespace.
pub const SERVICE_ACCOUNTS: &str = "system:serviceaccounts";

/// Key of `extra` with the id of the credential, for audits.
pub const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

const SERVICE_ACCOUNT_PREFIX: &str = "system:serviceaccount:";

/// The identity of a client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// Unique name.
    pub name: String,
    /// Uid; empty when unknown.
    pub uid: String,
    /// Groups the user belongs to.
    pub groups: Vec<String>,
    /// Further values from the authenticator.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// A user of these groups, and of [`AUTHENTICATED`].
    pub fn new(name: impl Into<String>, groups: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let groups = groups.into_iter().map(Into::into).collect();
        Self { name: name.into(), groups, ..Self::default() }.authenticated()
    }

    /// The user of requests without credentials.
    pub fn anonymous() -> Self {
        Self { name: ANONYMOUS.to_owned(), groups: vec![UNAUTHENTICATED.to_owned()], ..Self::default() }
    }

    /// A service account.
    pub fn service_account(namespace: &str, name: &str, uid: &str) -> Self {
        let mut user = Self::new(service_account_name(namespace, name), service_account_groups(namespace));
        uid.clone_into(&mut user.uid);
        user
    }

    /// Whether the user belongs to a group.
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|own| own == group)
    }

    /// Whether the user is a member of [`MASTERS`].
    pub fn is_master(&self) -> bool {
        self.is_in(MASTERS)
    }

    /// Adds [`AUTHENTICATED`] unless the user already has it or [`UNAUTHENTICATED`].
    pub(super) fn authenticated(mut self) -> Self {
        if !self.is_in(AUTHENTICATED) && !self.is_in(UNAUTHENTICATED) {
            self.groups.push(AUTHENTICATED.to_owned());
        }
        self
    }

    /// The `UserInfo` of reviews and of admission.
    pub fn to_value(&self) -> Value {
        let mut info = json!({ "username": self.name });
        if !self.uid.is_empty() {
            info["uid"] = json!(self.uid);
        }
        if !self.groups.is_empty() {
            info["groups"] = json!(self.groups);
        }
        if !self.extra.is_empty() {
            info["extra"] = json!(self.extra);
        }
        info
    }

    /// The user of a `SubjectAccessReview`.
    pub(super) fn from_review(spec: &Value) -> Self {
        let extra = tree::entries(spec, "/extra").map(|(key, values)| {
            let values = tree::strings_at(values, "").map(str::to_owned).collect();
            (key.to_owned(), values)
        });
        Self {
            name: tree::str_at(spec, "/user").to_owned(),
            uid: tree::str_at(spec, "/uid").to_owned(),
            groups: tree::strings_at(spec, "/groups").map(str::to_owned).collect(),
            extra: extra.collect(),
        }
    }
}

/// The user name of a service account.
pub fn service_account_name(namespace: &str, name: &str) -> String {
    format!("{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}")
}

/// The groups that every service account of a namespace belongs to.
pub fn service_account_groups(namespace: &str) -> [String; 2] {
    [SERVICE_ACCOUNTS.to_owned(), format!("{SERVICE_ACCOUNTS}:{namespace}")]
}

/// Namespace and name of a service account by its user name.
pub fn parse_service_account(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix(SERVICE_ACCOUNT_PREFIX)?.split_once(':')?;
    let is_whole = !namespace.is_empty() && !name.is_empty() && !name.contains(':');
    is_whole.then_some((namespace, name))
}
