//! The Leases by which the agents of a member tell that they run.

use portolan_api::{labels, resources};
use portolan_controllers::probing::{LeaseName, Probes, connect_directly};
use portolan_net::{Clock, Shutdown};
use portolan_object::time::format_micro_time;
use serde_json::json;

use crate::federation::Plane;

const LEASE: &str = "coordination.k8s.io/v1/Lease";
const LONG_AGO: &str = "2020-01-01T00:00:00.000000Z";

async fn lease(member: &Plane, name: &str, renewed: &str, is_of_agent: bool) {
    let labels = if is_of_agent { json!({ labels::agent::LEASE: labels::TRUE }) } else { json!({}) };
    let lease = json!({ "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": { "namespace": "kube-system", "name": name, "labels": labels }, "spec": { "renewTime": renewed } });
    member.create(lease).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_removes_the_leases_of_agents_that_have_been_gone_for_a_day() {
    let scope = Shutdown::new();
    let member = Plane::start(&scope).await;
    let now = format_micro_time(Clock::system().now());
    lease(&member, "portolan-agent-gone", LONG_AGO, true).await;
    lease(&member, "portolan-agent-own", LONG_AGO, true).await;
    lease(&member, "portolan-agent-other", &now, true).await;
    lease(&member, "of-a-component", LONG_AGO, false).await;

    let slices =
        portolan_controllers::dns::caches(&member.client, &scope).of(&resources::ENDPOINT_SLICE.into());
    let name = LeaseName { namespace: "kube-system".to_owned(), agent: "own".to_owned() };
    Probes::start(&member.client, &slices, connect_directly(), name, &Clock::system(), &scope);

    member.when_gone(LEASE, "kube-system/portolan-agent-gone").await;
    let is_renewed = |lease: &portolan_object::Object| lease.0["spec"]["holderIdentity"] == "own";
    member.when(LEASE, "kube-system/portolan-agent-own", is_renewed).await;
    for kept in ["kube-system/portolan-agent-other", "kube-system/of-a-component"] {
        assert!(member.get(LEASE, kept).await.is_some(), "{kept}");
    }
    scope.request();
}
