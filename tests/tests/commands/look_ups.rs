//! Look-ups over all clusters, with kubectl.

use portolan_e2e::steps::apply_text;
use portolan_e2e::{Kubectl, Playground, eventually};

const SEARCH: &str = "/apis/search.karmada.io/v1alpha1/search/cache";
const PROXY: &str = "/apis/search.karmada.io/v1alpha1/proxying/karmada/proxy";

const REGISTRY: &str = "
apiVersion: search.karmada.io/v1alpha1
kind: ResourceRegistry
metadata:
  name: config
spec:
  targetCluster:
    clusterNames: [member1, member2]
  resourceSelectors:
  - apiVersion: v1
    kind: ConfigMap
    namespace: default
";

/// Runs kubectl as if the clusters were one.
fn all(hub: &Kubectl, arguments: &[&str]) -> String {
    let server = hub.ok(&["config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"]);
    let server = format!("--server={}{PROXY}", server.trim());
    hub.ok(&[&[server.as_str()], arguments].concat())
}

#[test]
fn a_registry_makes_the_objects_of_all_clusters_one_list() {
    let playground = Playground::start();
    let (hub, one, two) = (playground.hub(), playground.member("member1"), playground.member("member2"));
    one.ok(&["create", "configmap", "first", "--from-literal=a=1"]);
    two.ok(&["create", "configmap", "second", "--from-literal=b=2"]);
    let list = || hub.ok(&["get", "--raw", &format!("{SEARCH}/api/v1/namespaces/default/configmaps")]);
    assert!(!list().contains("first"), "nothing is cached without a registry");

    apply_text(&hub, REGISTRY);
    hub.ok(&["wait", "--for=condition=Cached", "resourceregistry/config", "--timeout=30s"]);
    eventually("both to be found", || {
        let found = list();
        if found.contains("first") && found.contains("second") { Ok(()) } else { Err(found) }
    });
    let source = "jsonpath={.metadata.annotations.resource\\.karmada\\.io/cached-from-cluster}";
    assert_eq!(all(&hub, &["get", "configmap", "second", "-o", source]), "member2");
    let names = all(&hub, &["get", "configmaps", "--no-headers", "--chunk-size=1"]);
    assert!(names.contains("first") && names.contains("second"), "{names}");
    let ambiguous = "kube-root-ca.crt";
    let refusal =
        hub.fails(&["get", "--raw", &format!("{PROXY}/api/v1/namespaces/default/configmaps/{ambiguous}")]);
    assert!(refusal.contains("ambiguous objects in clusters [member1, member2]"), "{refusal}");

    // A watch has the objects of both, and says where each comes from. A table has the columns of the kind.
    let watch = format!("{PROXY}/api/v1/namespaces/default/configmaps?watch=true&timeoutSeconds=2");
    let events = hub.ok(&["get", "--raw", &watch]);
    for (name, cluster) in [("first", "member1"), ("second", "member2")] {
        let is_added = |line: &&str| line.contains("ADDED") && line.contains(name) && line.contains(cluster);
        assert!(events.lines().any(|line| is_added(&line)), "{name}: {events}");
    }
    assert!(all(&hub, &["get", "configmaps"]).starts_with("NAME"), "{names}");
    // The right to read objects of the control plane is not enough.
    hub.ok(&["create", "clusterrolebinding", "eve", "--clusterrole=view", "--user=eve"]);
    for path in [SEARCH, PROXY] {
        let refusal = hub.fails(&["--as=eve", "get", "--raw", &format!("{path}/api/v1/configmaps")]);
        assert!(refusal.contains("search.karmada.io") && refusal.contains("orbidden"), "{refusal}");
    }

    // Changes go to the cluster that has the object.
    all(&hub, &["label", "configmap", "first", "tier=gold"]);
    assert!(one.ok(&["get", "configmap", "first", "--show-labels"]).contains("tier=gold"));
    let edited = all(&hub, &["get", "configmap", "second", "-o", "json"]).replace("\"2\"", "\"3\"");
    let server = hub.ok(&["config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"]);
    let server = format!("--server={}{PROXY}", server.trim());
    let replaced = hub.run_with_input(&[&server, "replace", "-f", "-"], &edited);
    assert!(replaced.success, "{}", replaced.stderr);
    let second = two.ok(&["get", "configmap", "second", "-o", "yaml"]);
    assert!(second.contains("b: \"3\"") && !second.contains("cached-from-cluster"), "{second}");
    all(&hub, &["delete", "configmap", "second"]);
    assert!(two.fails(&["get", "configmap", "second"]).contains("not found"));
    let refusal = hub.fails(&[&server, "create", "configmap", "third"]);
    assert!(refusal.contains("the request does not say which cluster is meant"), "{refusal}");

    // What no registry asks for is the control plane's.
    assert!(all(&hub, &["get", "clusters"]).contains("member1"));
    hub.ok(&["delete", "resourceregistry", "config"]);
    eventually("the caches to end", || {
        let found = list();
        if found.contains("first") { Err(found) } else { Ok(()) }
    });
}
