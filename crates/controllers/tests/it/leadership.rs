//! Replicas of a control plane and their Lease.

use std::time::Duration;

use portolan_controllers::leadership::{Election, Lost, Standing, Terms};
use portolan_net::{Clock, Shutdown};
use portolan_object::{Object, ObjectKey};
use portolan_runtime::Resource;
use portolan_runtime::client::Patch;
use serde_json::json;
use tokio::time::timeout;

use crate::federation::Plane;

/// Long enough for a leader on a machine that does ten other things.
const LEASE: Duration = Duration::from_secs(5);
/// Longer than a Lease and all else.
const LONG: Duration = Duration::from_secs(60);

fn candidate(plane: &Plane, name: &str) -> Election {
    let terms =
        Terms { lease: LEASE, renewal: LEASE - Duration::from_secs(1), retry: Duration::from_millis(20) };
    Election::new(&plane.client, name, terms.checked().expect("one leader at a time"), &Clock::system())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_leads_and_another_one_follows_when_it_is_silent() {
    let scope = Shutdown::new();
    let plane = Plane::start(&scope).await;
    let mut first = candidate(&plane, "first").win().await;
    let waiting = candidate(&plane, "second");
    let candidacy = waiting.candidacy();
    let second = tokio::spawn(waiting.win());
    tokio::select! {
        lost = first.lost() => panic!("a leader that renews its Lease loses it: {lost}"),
        () = tokio::time::sleep(LEASE + Duration::from_secs(1)) => {}
    }
    assert!(!second.is_finished(), "two replicas lead");
    let standing = candidacy.standing();
    assert!(matches!(&standing, Standing::Follows(leader) if leader.starts_with("first_")), "{standing:?}");
    // It is not polled any more, as after SIGKILL.
    let mut second = timeout(LONG, second).await.expect("the Lease ends").expect("no panic");
    assert!(second.identity().starts_with("second_"), "{}", second.identity());
    let lost = timeout(LONG, first.lost()).await.expect("a former leader sees it");
    assert!(matches!(lost, Lost::Taken { .. } | Lost::NotRenewed { .. }), "{lost}");
    tokio::select! {
        lost = second.lost() => panic!("the former leader disturbs: {lost}"),
        () = tokio::time::sleep(Duration::from_millis(100)) => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_given_back_is_taken_at_once() {
    let scope = Shutdown::new();
    let plane = Plane::start(&scope).await;
    let first = candidate(&plane, "first").win().await;
    first.release().await;
    let second = timeout(LEASE - Duration::from_secs(1), candidate(&plane, "second").win()).await;
    assert!(second.is_ok(), "it waits although there is no leader");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_another_client_edits_or_deletes_stays_with_its_holder() {
    let scope = Shutdown::new();
    let plane = Plane::start(&scope).await;
    let mut leader = candidate(&plane, "first").win().await;
    let leases = Resource::namespaced("coordination.k8s.io", "v1", "Lease", "leases");
    let leases = plane.client.resource::<Object>(&leases);
    let key = ObjectKey::namespaced("karmada-system", "portolan-server");
    let edits = async {
        let label = json!({ "metadata": { "labels": { "edited": "yes" } } });
        leases.patch(&key, &Patch::Merge(label)).await.expect("it can be edited");
        tokio::time::sleep(Duration::from_millis(200)).await;
        leases
            .delete(&key, &portolan_runtime::client::Delete::background())
            .await
            .expect("it can be deleted");
        tokio::time::sleep(Duration::from_secs(3)).await;
        leases.get(&key).await.expect("it is made again")
    };
    tokio::select! {
        lost = leader.lost() => panic!("{lost}"),
        lease = edits => assert!(lease.str_at(&["spec", "holderIdentity"]).starts_with("first_")),
    }
}
