//! Version and APIs of a member that answers.

use std::time::Duration;

use portolan_object::Object;
use portolan_runtime::client::Discovery;
use portolan_runtime::{Cache, Member};
use serde_json::Value;

use crate::definitions::established_kind;

/// Poll interval for the kinds of an established CRD to appear in discovery.
const DISCOVERY_POLL_INTERVAL: Duration = Duration::from_millis(25);
/// Maximum polls for the kinds of an established CRD.
const MAX_DISCOVERY_POLLS: u32 = 40;
/// Longest version of a member that is written into its Cluster, in characters.
const MAX_VERSION: usize = 128;

/// The answers of a healthy member.
pub(super) struct Answers {
    pub(super) version: String,
    pub(super) discovery: Discovery,
}

impl Answers {
    /// Asks the member; `None` if it stops answering in between. The APIs include those of every established definition.
    pub(super) async fn of(member: &Member, definitions: &Cache<Object>) -> Option<Self> {
        let version = member.client().json::<Value>("/version").await.ok()?;
        let version = version["gitVersion"].as_str().unwrap_or_default().chars().take(MAX_VERSION).collect();
        let mut discovery = member.client().discover().await.ok()?;
        for _ in 0..MAX_DISCOVERY_POLLS {
            if serves_definitions(&discovery, definitions) {
                break;
            }
            tokio::time::sleep(DISCOVERY_POLL_INTERVAL).await;
            discovery = member.client().discover().await.ok()?;
        }
        Some(Self { version, discovery })
    }
}

/// Whether every established definition is in the list.
fn serves_definitions(discovery: &Discovery, definitions: &Cache<Object>) -> bool {
    let definitions = definitions.list();
    let mut kinds = definitions.iter().filter_map(|definition| established_kind(definition));
    kinds.all(|kind| discovery.find(&kind.group, &kind.kind).is_some())
}
