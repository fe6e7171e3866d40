//! Creates and deletes the ValidatingAdmissionPolicy that protects a member's ClusterProperties.
//!
//! `portolan_plan::cluster_sets::protection` decides its contents. A member without admission policies, or one that
//! refuses this policy, has no protection; there the keeper reverts edits of the properties.

use std::sync::Arc;

use parking_lot::Mutex;
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use portolan_plan::cluster_sets::membership::Membership;
use portolan_plan::cluster_sets::protection::{
    GROUP, NAME, Protected, ProtectionObject, ProtectionStep, VERSION, plan,
};
use portolan_runtime::client::{Delete, Selection};
use portolan_runtime::{Cache, Client, ClientError, Member, Resource};
use serde_json::{Value, json};

use super::apply::apply;
use crate::missing::ignore_missing;

/// State of the protection of one member.
#[derive(Clone)]
enum ProtectionState {
    /// The member has not been read yet.
    Unknown,
    /// The member has neither our policy nor our binding.
    Absent,
    /// The member refuses the policy.
    Refused,
    /// Policy and binding exist, and their changes are watched.
    Watched(Arc<Watched>),
}

struct Watched {
    /// Portolan's user name in the member.
    keeper: String,
    policies: Cache<Object>,
    bindings: Cache<Object>,
}

/// Protection of the ClusterProperties of one member.
pub(super) struct Protection {
    member: Arc<Member>,
    state: Mutex<ProtectionState>,
    /// Called after each change of the policy or the binding in the member.
    changed: Arc<dyn Fn() + Send + Sync>,
}

/// Whether the ClusterProperties may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    /// The protection is in place, or the member cannot have it.
    Ready,
    /// The caches of policy and binding are not synced yet.
    Syncing,
}

impl Protection {
    /// Does not send requests before the first call of another function.
    pub(super) fn new(member: &Arc<Member>, changed: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            member: member.clone(),
            state: Mutex::new(ProtectionState::Unknown),
            changed: Arc::new(changed),
        }
    }

    /// Creates or updates the protection; called before the ClusterProperties are written.
    pub(super) async fn ensure(&self, membership: &Membership, own: &str) -> Result<Readiness, ClientError> {
        let state = self.state.lock().clone();
        let result = match state {
            ProtectionState::Refused => return Ok(Readiness::Ready),
            ProtectionState::Watched(watched) => self.update(&watched, membership, own).await,
            ProtectionState::Unknown | ProtectionState::Absent => self.create(membership, own).await,
        };
        match result {
            Err(error) if is_refusal(&error) => {
                let cluster = self.member.name();
                tracing::info!(%cluster, %error, "the cluster refuses the policy that protects its properties; edits of them are reverted");
                *self.state.lock() = ProtectionState::Refused;
                Ok(Readiness::Ready)
            }
            result => result,
        }
    }

    /// Deletes the protection; called after the ClusterProperties are deleted.
    pub(super) async fn remove(&self, own: &str) -> Result<(), ClientError> {
        if matches!(*self.state.lock(), ProtectionState::Absent) {
            return Ok(());
        }
        match self.delete(own).await {
            // If Portolan may not read policies, it has not created one.
            Err(error) if !is_refusal(&error) => return Err(error),
            _ => {}
        }
        // Before the first discovery `delete` finds no resources, which proves nothing.
        if !self.member.discovery().resources.is_empty() {
            *self.state.lock() = ProtectionState::Absent;
        }
        Ok(())
    }

    async fn delete(&self, own: &str) -> Result<(), ClientError> {
        let Some(policies) = self.resource(ProtectionObject::Policy) else { return Ok(()) };
        let Some(bindings) = self.resource(ProtectionObject::Binding) else { return Ok(()) };
        let client = self.member.client();
        let (policy, binding) = (find(client, &policies).await?, find(client, &bindings).await?);
        for step in plan(None, policy.as_ref(), binding.as_ref(), own) {
            let ProtectionStep::Delete(kind) = step else { continue };
            let resource = if kind == ProtectionObject::Policy { &policies } else { &bindings };
            let deleted = client.resource::<Object>(resource).delete(&key(), &Delete::default()).await;
            ignore_missing(deleted)?;
        }
        Ok(())
    }

    /// Creates the policy, and then starts to watch policy and binding. A member that refuses the policy gets no watch.
    async fn create(&self, membership: &Membership, own: &str) -> Result<Readiness, ClientError> {
        let Some(policies) = self.resource(ProtectionObject::Policy) else { return Ok(Readiness::Ready) };
        let Some(bindings) = self.resource(ProtectionObject::Binding) else { return Ok(Readiness::Ready) };
        let client = self.member.client();
        let keeper = own_user_name(client).await?;
        if find(client, &policies).await?.is_none() {
            let policy = ProtectionObject::Policy.wanted(&self.protected(membership, &keeper, own));
            match client.resource::<Object>(&policies).create(&policy).await {
                Err(error) if !error.is_race() => return Err(error),
                _ => {}
            }
        }
        let (policies, bindings) = (self.cache(&policies), self.cache(&bindings));
        *self.state.lock() = ProtectionState::Watched(Arc::new(Watched { keeper, policies, bindings }));
        Ok(Readiness::Syncing)
    }

    /// Writes policy and binding if they differ from the desired state.
    async fn update(
        &self,
        watched: &Watched,
        membership: &Membership,
        own: &str,
    ) -> Result<Readiness, ClientError> {
        let Watched { keeper, policies, bindings } = watched;
        if !(policies.is_synced() && bindings.is_synced()) {
            return Ok(Readiness::Syncing);
        }
        let (policy, binding) = (policies.get(&key()), bindings.get(&key()));
        let protected = self.protected(membership, keeper, own);
        for step in plan(Some(&protected), policy.as_deref(), binding.as_deref(), own) {
            let ProtectionStep::Put(kind, object) = step else { continue };
            let cache = if kind == ProtectionObject::Policy { policies } else { bindings };
            let api = self.member.client().resource::<Object>(cache.resource());
            let written = api.apply(&object, &apply()).await?;
            let version = written.resource_version().to_owned();
            cache.written(written.key(), &version, written);
        }
        Ok(Readiness::Ready)
    }

    fn protected<'a>(
        &'a self,
        membership: &'a Membership,
        keeper: &'a str,
        control_plane: &'a str,
    ) -> Protected<'a> {
        Protected { set: &membership.set, cluster: self.member.name().as_str(), keeper, control_plane }
    }

    /// The resource of policies or bindings; `None` if the member does not serve it.
    fn resource(&self, object: ProtectionObject) -> Option<Resource> {
        self.member.resource(&GroupVersionKind::new(GROUP, VERSION, object.kind()))
    }

    /// A cache with the one object called [`NAME`].
    fn cache(&self, resource: &Resource) -> Cache<Object> {
        let selection = Selection::fields(format!("metadata.name={NAME}"));
        let changed = self.changed.clone();
        self.member.cache(
            resource,
            selection,
            |builder| builder,
            move |cache| {
                cache.observe(move |_| changed());
            },
        )
    }
}

fn key() -> ObjectKey {
    ObjectKey::cluster(NAME)
}

/// Whether the member refuses the request permanently, as opposed to a temporary failure.
fn is_refusal(error: &ClientError) -> bool {
    matches!(error, ClientError::Invalid(_) | ClientError::Forbidden(_) | ClientError::NotFound(_))
}

async fn find(client: &Client, resource: &Resource) -> Result<Option<Object>, ClientError> {
    ignore_missing(client.resource::<Object>(resource).get(&key()).await)
}

/// Portolan's user name in the member, from a SelfSubjectReview.
async fn own_user_name(client: &Client) -> Result<String, ClientError> {
    let review = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" });
    let answer: Value = client.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", &review).await?;
    Ok(answer["status"]["userInfo"]["username"].as_str().unwrap_or_default().to_owned())
}
