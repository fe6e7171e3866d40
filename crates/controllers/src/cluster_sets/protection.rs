//! Puts the policy that protects a member's properties there, and takes it back.
//!
//! What it says and when it is there is decided by `portolan_plan::cluster_sets::protection`. A member that has no
//! admission policies, or refuses this one, goes without: the keeper puts edited properties back.

use std::sync::Arc;

use parking_lot::Mutex;
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use portolan_plan::cluster_sets::membership::Membership;
use portolan_plan::cluster_sets::protection::{GROUP, NAME, Part, Protected, Step, VERSION, plan};
use portolan_runtime::client::{Delete, Selection};
use portolan_runtime::{Cache, Client, ClientError, Member, Resource};
use serde_json::{Value, json};

use super::keeper::apply;

/// How far the protection of a member is.
#[derive(Clone)]
enum State {
    /// Nobody has looked.
    Unknown,
    /// Nothing of ours is there.
    Absent,
    /// The member does not take the policy.
    Refused,
    /// Kept as it should be.
    Watched(Arc<Watched>),
}

struct Watched {
    /// The user that Portolan is in the member.
    keeper: String,
    policies: Cache<Object>,
    bindings: Cache<Object>,
}

/// The protection of one member's properties.
pub(super) struct Protection {
    member: Arc<Member>,
    state: Mutex<State>,
    /// Called when somebody changes it.
    changed: Arc<dyn Fn() + Send + Sync>,
}

/// Whether the properties may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    /// What can be protected is.
    Ready,
    /// What the member has is still being read.
    Reading,
}

impl Protection {
    /// Nothing is read or written before the first call of another function.
    pub(super) fn new(member: &Arc<Member>, changed: impl Fn() + Send + Sync + 'static) -> Self {
        Self { member: member.clone(), state: Mutex::new(State::Unknown), changed: Arc::new(changed) }
    }

    /// Protects what `membership` says; before its properties are written.
    pub(super) async fn keep(&self, membership: &Membership) -> Result<Readiness, ClientError> {
        let state = self.state.lock().clone();
        let result = match state {
            State::Refused => return Ok(Readiness::Ready),
            State::Watched(watched) => self.bring_in_line(&watched, membership).await,
            State::Unknown | State::Absent => self.begin(membership).await,
        };
        match result {
            Err(error) if is_refusal(&error) => {
                let cluster = self.member.name();
                tracing::info!(%cluster, %error, "properties are not protected by a policy but put back");
                *self.state.lock() = State::Refused;
                Ok(Readiness::Ready)
            }
            result => result,
        }
    }

    /// Takes the protection back; after the properties are gone.
    pub(super) async fn release(&self) -> Result<(), ClientError> {
        if matches!(*self.state.lock(), State::Absent) {
            return Ok(());
        }
        match self.take_back().await {
            // Where Portolan may not even look, it has put nothing.
            Err(error) if !is_refusal(&error) => return Err(error),
            _ => {}
        }
        // Before the first discovery nobody has looked.
        if !self.member.discovery().resources.is_empty() {
            *self.state.lock() = State::Absent;
        }
        Ok(())
    }

    async fn take_back(&self) -> Result<(), ClientError> {
        let Some(policies) = self.resource(Part::Policy) else { return Ok(()) };
        let Some(bindings) = self.resource(Part::Binding) else { return Ok(()) };
        let client = self.member.client();
        let (policy, binding) = (find(client, &policies).await?, find(client, &bindings).await?);
        for step in plan(None, policy.as_ref(), binding.as_ref()) {
            let Step::Delete(part) = step else { continue };
            let resource = if part == Part::Policy { &policies } else { &bindings };
            let deleted = client.resource::<Object>(resource).delete(&key(), &Delete::default()).await;
            match deleted {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Starts to watch policy and binding, in a member that takes them: an API server that stores none of them is not
    /// asked for more.
    async fn begin(&self, membership: &Membership) -> Result<Readiness, ClientError> {
        let Some(policies) = self.resource(Part::Policy) else { return Ok(Readiness::Ready) };
        let Some(bindings) = self.resource(Part::Binding) else { return Ok(Readiness::Ready) };
        let client = self.member.client();
        let keeper = who_am_i(client).await?;
        if find(client, &policies).await?.is_none() {
            let policy = Part::Policy.wanted(&self.protected(membership, &keeper));
            match client.resource::<Object>(&policies).create(&policy).await {
                Err(error) if !error.is_race() => return Err(error),
                _ => {}
            }
        }
        let (policies, bindings) = (self.cache(&policies), self.cache(&bindings));
        *self.state.lock() = State::Watched(Arc::new(Watched { keeper, policies, bindings }));
        Ok(Readiness::Reading)
    }

    async fn bring_in_line(
        &self,
        watched: &Watched,
        membership: &Membership,
    ) -> Result<Readiness, ClientError> {
        let Watched { keeper, policies, bindings } = watched;
        if !(policies.is_synced() && bindings.is_synced()) {
            return Ok(Readiness::Reading);
        }
        let (policy, binding) = (policies.get(&key()), bindings.get(&key()));
        let protected = self.protected(membership, keeper);
        for step in plan(Some(&protected), policy.as_deref(), binding.as_deref()) {
            let Step::Put(part, object) = step else { continue };
            let cache = if part == Part::Policy { policies } else { bindings };
            let api = self.member.client().resource::<Object>(cache.resource());
            let written = api.apply(&object, &apply()).await?;
            let version = written.resource_version().to_owned();
            cache.written(written.key(), &version, written);
        }
        Ok(Readiness::Ready)
    }

    fn protected<'a>(&'a self, membership: &'a Membership, keeper: &'a str) -> Protected<'a> {
        Protected { set: &membership.set, cluster: self.member.name().as_str(), keeper }
    }

    /// Where the member serves a part; `None` where it does not.
    fn resource(&self, part: Part) -> Option<Resource> {
        self.member.resource(&GroupVersionKind::new(GROUP, VERSION, part.kind()))
    }

    /// The one object of that kind that matters here, whoever made it.
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

/// Whether the member will not have it, now or later, as opposed to not answering.
fn is_refusal(error: &ClientError) -> bool {
    matches!(error, ClientError::Invalid(_) | ClientError::Forbidden(_) | ClientError::NotFound(_))
}

async fn find(client: &Client, resource: &Resource) -> Result<Option<Object>, ClientError> {
    match client.resource::<Object>(resource).get(&key()).await {
        Ok(object) => Ok(Some(object)),
        Err(ClientError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The user that Portolan is in the member, as its API server sees it.
async fn who_am_i(client: &Client) -> Result<String, ClientError> {
    let review = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" });
    let answer: Value = client.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", &review).await?;
    Ok(answer["status"]["userInfo"]["username"].as_str().unwrap_or_default().to_owned())
}
