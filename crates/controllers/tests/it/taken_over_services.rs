//! A derived Service that a cluster set has taken over from another implementation keeps its address.

use portolan_api::kubernetes::owners;
use portolan_object::Object;
use serde_json::json;

use crate::cluster_sets::{IMPORT, SERVE, SET, exporting_federation, set};
use crate::federation::{Federation, Plane, condition};

const SERVICE: &str = "v1/Service";
const TAKEN_OVER: &str = "default/serve-of-another";

fn address(service: &Object) -> String {
    service.str_at(&["spec", "clusterIP"]).to_owned()
}

fn derived(import: &Object) -> Option<&str> {
    import.annotation("multicluster.kubernetes.io/derived-service")
}

/// Deletes the import, and waits for another one that is ready and as wanted.
async fn deleted_and_back(member: &Plane, is_wanted: impl Fn(&Object) -> bool) -> Object {
    let before = member.get(IMPORT, SERVE).await.expect("the import");
    member.delete(IMPORT, SERVE).await;
    let is_back = |import: &Object| {
        import.uid() != before.uid() && condition(import, "Ready") == "True" && is_wanted(import)
    };
    member.when(IMPORT, SERVE, is_back).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_import_comes_back_with_the_service_that_was_taken_over() {
    let federation: Federation = exporting_federation().await;
    let us = federation.member("us");
    // The other implementation's Service, with the marks that `portolan services migrate` sets, and the import that names it.
    us.create(json!({ "apiVersion": "v1", "kind": "Service",
        "metadata": { "namespace": "default", "name": "serve-of-another", "labels": {
            "karmada.io/managed": "true", "portolan.dev/clusterset": "prod",
            "multicluster.kubernetes.io/service-name": "serve" } },
        "spec": { "ports": [{ "name": "http", "port": 80, "protocol": "TCP" }] } }))
        .await;
    let uses_it = |import: &Object| derived(import) == Some("serve-of-another");
    // The first deletion may reach the control plane before the Service: the import then has its own again.
    deleted_and_back(us, |_| true).await;
    let import = deleted_and_back(us, uses_it).await;
    let service = us.when_there(SERVICE, TAKEN_OVER).await;
    assert_eq!(import.0["spec"]["ips"], json!([address(&service)]));

    for _ in 0..3 {
        let again = deleted_and_back(us, uses_it).await;
        assert_eq!(again.0["spec"]["ips"], import.0["spec"]["ips"], "the address stays");
        let kept = us.when_there(SERVICE, TAKEN_OVER).await;
        assert_eq!(kept.uid(), service.uid(), "the garbage collector has not deleted it with its import");
        assert_eq!(owners(&kept).count(), 0, "{kept:?}");
    }

    // A cluster that leaves the set keeps nothing of it.
    federation.hub.patch(SET, "prod", json!({ "spec": set(&[("eu", "")])["spec"] })).await;
    us.when_gone(IMPORT, SERVE).await;
    us.when_gone(SERVICE, TAKEN_OVER).await;
}
