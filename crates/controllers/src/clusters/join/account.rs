//! The hub's account in a member: a ServiceAccount, and one for impersonating users.
//!
//! A ServiceAccount is deleted and created again at every join, which revokes all tokens of earlier joins: an API server
//! accepts a token only for the uid that it was issued for.

use portolan_api::{labels, names, resources};
use portolan_object::{Object, ObjectKey};
use portolan_plan::clusters::permissions::everything;
use portolan_plan::clusters::token::TokenLife;
use portolan_runtime::client::{Delete, Patch};
use portolan_runtime::{Client, ClientError, Resource};
use serde_json::{Value, json};

use super::JoinError;
use super::ensure::{ensure, namespace};
use super::own_namespace::{self, DEFAULT_ACCOUNT};
use crate::missing::ignore_missing;

/// Requested lifetime of tokens: ten years. The member's API server may grant less.
const TOKEN_SECONDS: u64 = 10 * 365 * 24 * 3600;

/// The life of a token that is noticeably shorter than [`TOKEN_SECONDS`].
pub(super) fn capped(token: &str) -> Option<TokenLife> {
    let life = TokenLife::of(token)?;
    let granted = u64::try_from(life.duration().as_secs()).unwrap_or_default();
    (granted < TOKEN_SECONDS / 10 * 9).then_some(life)
}

/// The hub's account in a member.
pub(super) struct Account<'a> {
    pub(super) member: &'a Client,
    pub(super) cluster: &'a str,
}

impl Account<'_> {
    pub(super) fn failed(&self, step: &'static str) -> impl Fn(ClientError) -> JoinError {
        let cluster = self.cluster.to_owned();
        move |source| JoinError::Member { cluster: cluster.clone(), step, source }
    }

    fn account(&self) -> String {
        names::service_account(self.cluster)
    }

    fn role(&self) -> String {
        names::cluster_role(self.cluster)
    }

    /// Everything that joining creates in the member, except for tokens and the Lease.
    pub(super) fn objects(&self) -> Vec<Object> {
        let (account, role) = (self.account(), self.role());
        vec![
            namespace(names::CLUSTER_NAMESPACE),
            service_account(&account),
            service_account(names::IMPERSONATOR),
            cluster_role(&role, &everything()),
            cluster_role_binding(&role, &account),
        ]
    }

    /// Creates the service account, with a role of these rules unless it has one, and a token for it.
    pub(super) async fn controller_token(&self, rules: &[Value]) -> Result<String, JoinError> {
        let namespace = namespace(names::CLUSTER_NAMESPACE);
        ensure(self.member, &resources::NAMESPACE.into(), &namespace)
            .await
            .map_err(self.failed("namespace"))?;
        let role = cluster_role(&self.role(), rules);
        ensure(self.member, &resources::CLUSTER_ROLE.into(), &role)
            .await
            .map_err(self.failed("cluster role"))?;
        let account = self.account();
        let binding = cluster_role_binding(&self.role(), &account);
        ensure(self.member, &resources::CLUSTER_ROLE_BINDING.into(), &binding)
            .await
            .map_err(self.failed("cluster role binding"))?;
        self.renew(&account).await.map_err(self.failed("service account"))?;
        self.token(&account).await
    }

    /// Creates the service account for impersonating users of the hub. Tokens of other control planes stay valid.
    pub(super) async fn impersonator_token(&self) -> Result<String, JoinError> {
        let failed = self.failed("impersonator");
        if self.has_others().await.map_err(&failed)? {
            let account = service_account(names::IMPERSONATOR);
            ensure(self.member, &resources::SERVICE_ACCOUNT.into(), &account).await.map_err(failed)?;
        } else {
            self.renew(names::IMPERSONATOR).await.map_err(failed)?;
        }
        self.token(names::IMPERSONATOR).await
    }

    /// Creates the role of the impersonator, without rights. The agent may change it and could not create it: the verb
    /// `escalate` on a name does not cover a POST.
    pub(super) async fn impersonator_role(&self, control_plane: &str) -> Result<(), JoinError> {
        let mut role = cluster_role(names::IMPERSONATOR, &[]);
        role.set_label(labels::MANAGED, labels::TRUE);
        role.set_label(labels::CONTROL_PLANE, control_plane);
        let created = ensure(self.member, &resources::CLUSTER_ROLE.into(), &role).await;
        created.map_err(self.failed("impersonator"))
    }

    /// Creates a service account; one of the name is deleted first.
    async fn renew(&self, name: &str) -> Result<(), ClientError> {
        let account = service_account(name);
        let api = self.member.resource::<Object>(&resources::SERVICE_ACCOUNT.into());
        match api.create(&account).await {
            Err(ClientError::AlreadyExists(_)) => {}
            result => return result.map(drop),
        }
        match api.delete(&account.key(), &Delete::background()).await {
            Ok(_) | Err(ClientError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
        api.create(&account).await.map(drop)
    }

    async fn token(&self, account: &str) -> Result<String, JoinError> {
        let key = ObjectKey::namespaced(names::CLUSTER_NAMESPACE, account);
        let path = Resource::from(resources::SERVICE_ACCOUNT).object_path(&key, "token");
        let request = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": { "expirationSeconds": TOKEN_SECONDS } });
        let answer: Value = self.member.post(&path, &request).await.map_err(self.failed("token"))?;
        Ok(answer["status"]["token"].as_str().unwrap_or_default().to_owned())
    }

    /// Deletes everything that joining created in the member. The impersonator and the namespace stay while they are used
    /// by another control plane, and a namespace that joining did not create stays as well.
    pub(super) async fn remove(&self) -> Result<(), JoinError> {
        let account = ObjectKey::namespaced(names::CLUSTER_NAMESPACE, self.account());
        let role = ObjectKey::cluster(self.role());
        for (resource, key) in [
            (resources::CLUSTER_ROLE_BINDING.into(), &role),
            (resources::CLUSTER_ROLE.into(), &role),
            (resources::SERVICE_ACCOUNT.into(), &account),
        ] {
            self.delete(&resource, key).await?;
        }
        if self.has_others().await.map_err(self.failed("service accounts"))? {
            return Ok(());
        }
        let impersonator = ObjectKey::namespaced(names::CLUSTER_NAMESPACE, names::IMPERSONATOR);
        self.delete(&resources::SERVICE_ACCOUNT.into(), &impersonator).await?;
        if self.is_own_namespace().await.map_err(self.failed("namespace"))? {
            let key = ObjectKey::cluster(names::CLUSTER_NAMESPACE);
            self.delete(&resources::NAMESPACE.into(), &key).await?;
        }
        Ok(())
    }

    /// [`Account::remove`] with the rights of the account itself, which end when its role or its binding is gone: all
    /// objects get the role as owner, so that deleting it is the last request, and the garbage collector does the rest.
    pub(super) async fn remove_itself(&self) -> Result<(), JoinError> {
        let failed = self.failed("identity");
        let role = ObjectKey::cluster(self.role());
        let roles = self.member.resource::<Object>(&resources::CLUSTER_ROLE.into());
        let Some(owner) = ignore_missing(roles.get(&role).await).map_err(&failed)? else { return Ok(()) };
        let in_namespace = |name: &str| ObjectKey::namespaced(names::CLUSTER_NAMESPACE, name);
        let mut owned: Vec<(Resource, ObjectKey)> = vec![
            (resources::CLUSTER_ROLE_BINDING.into(), role.clone()),
            (resources::SERVICE_ACCOUNT.into(), in_namespace(&self.account())),
        ];
        if !self.has_others().await.map_err(&failed)? {
            owned.push((resources::SERVICE_ACCOUNT.into(), in_namespace(names::IMPERSONATOR)));
            if self.is_own_namespace().await.map_err(&failed)? {
                owned.push((resources::NAMESPACE.into(), ObjectKey::cluster(names::CLUSTER_NAMESPACE)));
            }
        }
        let reference = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "name": owner.name(), "uid": owner.uid() });
        let patch = Patch::Merge(json!({ "metadata": { "ownerReferences": [reference] } }));
        for (resource, key) in owned {
            let patched = self.member.resource::<Object>(&resource).patch(&key, &patch).await;
            ignore_missing(patched).map_err(&failed)?;
        }
        self.delete(&resources::CLUSTER_ROLE.into(), &role).await
    }

    async fn delete(&self, resource: &Resource, key: &ObjectKey) -> Result<(), JoinError> {
        match self.member.resource::<Object>(resource).delete(key, &Delete::background()).await {
            Err(error) if !error.is_not_found() => Err(self.failed("identity")(error)),
            _ => Ok(()),
        }
    }

    /// Whether the namespace has service accounts of others, such as another control plane.
    async fn has_others(&self) -> Result<bool, ClientError> {
        let own = [self.account(), names::IMPERSONATOR.to_owned(), DEFAULT_ACCOUNT.to_owned()];
        let resource = resources::SERVICE_ACCOUNT.into();
        let accounts = own_namespace::names(self.member, &resource, names::CLUSTER_NAMESPACE).await?;
        Ok(accounts.iter().any(|name| !own.contains(name)))
    }

    /// Whether joining created the namespace, and nothing of others is in it.
    async fn is_own_namespace(&self) -> Result<bool, ClientError> {
        own_namespace::is_unused(self.member, names::CLUSTER_NAMESPACE).await
    }
}

fn service_account(name: &str) -> Object {
    Object(json!({ "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": { "namespace": names::CLUSTER_NAMESPACE, "name": name, "labels": { labels::SYSTEM: labels::TRUE } } }))
}

fn cluster_role(name: &str, rules: &[Value]) -> Object {
    Object(json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": { "name": name, "labels": { labels::SYSTEM: labels::TRUE } }, "rules": rules }))
}

fn cluster_role_binding(name: &str, account: &str) -> Object {
    Object(json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": { "name": name, "labels": { labels::SYSTEM: labels::TRUE } },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name },
        "subjects": [{ "kind": "ServiceAccount", "name": account, "namespace": names::CLUSTER_NAMESPACE }] }))
}
