//! A control plane that loses its disk, and the next one that takes its clusters over.
//!
//! The members of a playground are the clusters; the control planes are servers of their own.

use std::fs;
use std::path::Path;

use portolan_e2e::binary::{Finished, portolan, refusal};
use portolan_e2e::steps::{apply, apply_text};
use portolan_e2e::{Kubectl, Playground, Server, eventually, text};

const MEMBERS: [&str; 2] = ["member1", "member2"];
const IPS: [&str; 5] = ["get", "serviceimport", "serve", "-o", "jsonpath={.spec.ips[0]}"];

/// Runs a command against the control plane of a kubeconfig, and expects success.
fn at(hub: &Path, arguments: &[&str]) -> Finished {
    let finished = portolan(&[arguments, &["--kubeconfig", text(hub)]].concat());
    assert_eq!(finished.code, Some(0), "portolan {}: {finished}", arguments.join(" "));
    finished
}

/// The arguments of `portolan join` for a member of the playground.
fn join<'a>(members: &'a str, name: &'a str) -> [&'a str; 6] {
    ["join", name, "--cluster-kubeconfig", members, "--cluster-context", name]
}

/// Starts a pod that sends requests to `address` until it is deleted.
fn start_client(member: &Kubectl, address: &str) {
    let address = format!("--address={address}");
    let image = "--image=jeremyot/request:0a40de8";
    member.ok(&["run", "client", "--restart=Never", image, "--", "--interval=50ms", &address]);
}

fn answers(member: &Kubectl) -> usize {
    member.ok(&["logs", "client"]).matches("hello from").count()
}

#[test]
fn a_lost_control_plane_is_rebuilt_without_a_failed_request() {
    let playground = Playground::start();
    let of_playground = playground.directory().join("portolan.config");
    let members = playground.directory().join("members.config");
    let [member1, member2] = MEMBERS.map(|name| playground.member(name));
    for name in MEMBERS {
        at(&of_playground, &["unjoin", name]);
    }
    let first = Server::start("127.0.0.1", &[]);
    let hub = first.kubeconfig();
    for name in MEMBERS {
        at(&hub, &join(text(&members), name));
    }
    at(&hub, &["clusterset", "create", "prod"]);
    at(&hub, &["clusterset", "add", "prod", "member1", "member2"]);
    apply(&member1, "clusterset/serve.yaml");
    let address = member2.eventually(&IPS, "an address", |ips| !ips.is_empty());
    member1.eventually(&["get", "deployment", "serve"], "a ready pod", |table| table.contains("1/1"));
    let derived =
        ["get", "service", "-l", "portolan.dev/clusterset", "-o", "jsonpath={.items[*].metadata.uid}"];
    let services = MEMBERS.map(|name| playground.member(name).ok(&derived));
    let slices = ["get", "endpointslices", "-l", "portolan.dev/clusterset"];
    member2.eventually(&slices, "endpoints", |table| table.contains("8080"));
    start_client(&member2, &address);
    eventually("an answer", || if answers(&member2) > 3 { Ok(()) } else { Err(String::new()) });
    let before = member2.ok(&["logs", "client"]);
    let failed_before = before.matches("Request error").count();

    // The process is killed, and its folder is deleted.
    drop(first);
    let second = Server::start("127.0.0.1", &[]);
    let hub = second.kubeconfig();
    let plain = [&join(text(&members), "member1")[..], &["--kubeconfig", text(&hub)]].concat();
    let message = refusal(&plain);
    assert!(message.contains("last seen") && message.contains("--take-over"), "{message}");
    for name in MEMBERS {
        let joined = at(&hub, &[&join(text(&members), name)[..], &["--take-over"]].concat());
        assert!(joined.stdout.contains("is taken over from control plane"), "{joined}");
        assert!(joined.stdout.contains("is listed in clusterset(prod)"), "{joined}");
    }
    eventually("both members to be in the set again", || {
        let listed = at(&hub, &["clusterset", "list", "prod"]).stdout;
        if listed.matches("Joined").count() == 2 { Ok(()) } else { Err(listed) }
    });
    let id = second.kubectl().ok(&["get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"]);
    let own = format!("portolan.dev/clusterset,portolan.dev/control-plane={id}");
    for member in [&member1, &member2] {
        let owned = ["get", "serviceimports,services,endpointslices", "-l", &own, "-o", "name"];
        member.eventually(&owned, "import, Service and slice", |names| names.lines().count() == 3);
    }

    let reached = answers(&member2);
    eventually("more answers", || if answers(&member2) > reached + 10 { Ok(()) } else { Err(String::new()) });
    let log = member2.ok(&["logs", "client"]);
    assert_eq!(log.matches("Request error").count(), failed_before, "{log}");
    assert_eq!(member2.ok(&IPS), address);
    assert_eq!(MEMBERS.map(|name| playground.member(name).ok(&derived)), services);
    let alive =
        [&join(text(&members), "member1")[..], &["--take-over", "--kubeconfig", text(&of_playground)]];
    let message = refusal(&alive.concat());
    assert!(message.contains("which is running"), "{message}");
}

/// A namespace, and a policy that sends all its ConfigMaps to both members.
const SHOP: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: settings, namespace: shop}
spec:
  resourceSelectors: [{apiVersion: v1, kind: ConfigMap}]
  placement: {clusterAffinity: {clusterNames: [member1, member2]}}
";

fn config_map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\ndata: {{a: b}}\n")
}

#[test]
fn an_old_backup_takes_nothing_out_of_the_members() {
    const PRESENT: [&str; 6] = ["get", "configmaps", "-n", "shop", "-o", "name"];
    let playground = Playground::start();
    let of_playground = playground.directory().join("portolan.config");
    let members = playground.directory().join("members.config");
    for name in MEMBERS {
        at(&of_playground, &["unjoin", name]);
    }
    let mut server = Server::start("127.0.0.1", &[]);
    for name in MEMBERS {
        at(&server.kubeconfig(), &join(text(&members), name));
    }
    apply_text(&server.kubectl(), SHOP);
    apply_text(&server.kubectl(), &config_map("before"));
    for name in MEMBERS {
        let has_before = |names: &str| names.contains("configmap/before");
        playground.member(name).eventually(&PRESENT, "the first ConfigMap", has_before);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let backup = folder.path().join("old.tar");
    let taken = portolan(&["backup", text(&backup), "--dir", text(&server.state())]);
    assert_eq!(taken.code, Some(0), "{taken}");
    apply_text(&server.kubectl(), &config_map("after"));
    for name in MEMBERS {
        let has_after = |names: &str| names.contains("configmap/after");
        playground.member(name).eventually(&PRESENT, "the second ConfigMap", has_after);
    }
    let uids =
        ["get", "configmaps", "before", "after", "-n", "shop", "-o", "jsonpath={.items[*].metadata.uid}"];
    let before = MEMBERS.map(|name| playground.member(name).ok(&uids));

    server.restore(&backup);

    // A change shows that the restored control plane writes to both members.
    apply_text(&server.kubectl(), &config_map("later"));
    for name in MEMBERS {
        let has_later = |names: &str| names.contains("configmap/later");
        playground.member(name).eventually(&PRESENT, "a ConfigMap made after the restore", has_later);
    }
    assert_eq!(
        MEMBERS.map(|name| playground.member(name).ok(&uids)),
        before,
        "objects were deleted or made again"
    );
    // Applied once more, the object that the backup did not have is taken over in place.
    apply_text(&server.kubectl(), &config_map("after"));
    let applied = "jsonpath={.status.conditions[?(@.type==\"FullyApplied\")].status}";
    let binding = ["get", "rb", "after-configmap", "-n", "shop", "-o", applied];
    server.kubectl().eventually(&binding, "the ConfigMap to be applied again", |status| status == "True");
    assert_eq!(MEMBERS.map(|name| playground.member(name).ok(&uids)), before, "objects were made again");
}

/// Changes `shop/before` in both members. Its annotation is nowhere else.
const OVERRIDE: &str = "\
apiVersion: policy.karmada.io/v1alpha1
kind: OverridePolicy
metadata: {name: other, namespace: shop, annotations: {mark: only-in-the-policy}}
spec:
  resourceSelectors: [{apiVersion: v1, kind: ConfigMap, name: before}]
  overrideRules: [{overriders: {plaintext: [{path: /data/a, operator: replace, value: other}]}}]
";

/// Changes a letter of every occurrence of a text in the database.
fn damage(state: &Path, text: &str) {
    let file = state.join("_control-plane/store.db");
    let mut bytes = fs::read(&file).expect("a database");
    let found: Vec<usize> = bytes
        .windows(text.len())
        .enumerate()
        .filter(|(_, window)| *window == text.as_bytes())
        .map(|(at, _)| at)
        .collect();
    assert!(!found.is_empty(), "the value is stored as it is");
    found.into_iter().for_each(|at| bytes[at] ^= 1);
    fs::write(&file, bytes).expect("writable");
}

#[test]
fn a_damaged_override_policy_changes_nothing_in_the_members() {
    let playground = Playground::start();
    let of_playground = playground.directory().join("portolan.config");
    let members = playground.directory().join("members.config");
    let mut server = Server::start("127.0.0.1", &[]);
    for name in MEMBERS {
        at(&of_playground, &["unjoin", name]);
        at(&server.kubeconfig(), &join(text(&members), name));
    }
    for manifest in [SHOP, OVERRIDE, &config_map("before")] {
        apply_text(&server.kubectl(), manifest);
    }
    let data =
        ["get", "configmap", "before", "-n", "shop", "-o", "jsonpath={.data.a} {.metadata.resourceVersion}"];
    let before = MEMBERS.map(|name| {
        playground.member(name).eventually(&data, "the override", |text| text.starts_with("other "))
    });

    server.restart_after(|state| damage(state, "only-in-the-policy"));
    let missing = "nothing is written to the members, because objects that decide about them cannot be read: \
                   policy.karmada.io/overridepolicies/shop/other";
    assert!(server.log().contains(missing), "{}", server.log());
    let hub = server.kubectl();
    let warned = hub.run_with_input(&["apply", "-f", "-"], &SHOP.replace("member2]", "member2, member1]"));
    assert!(warned.success && warned.stderr.contains(missing), "{}", warned.stderr);
    apply_text(&hub, &config_map("later"));
    let delete = ["delete", "overridepolicy", "other", "-n", "shop"];
    let refused = hub.fails(&delete);
    assert!(refused.contains("is damaged"), "{refused}");
    let path = "/apis/policy.karmada.io/v1alpha1/namespaces/shop/overridepolicies/other";
    hub.ok(&["delete", "--raw", &format!("{path}?ignoreStoreReadErrorWithClusterBreakingPotential=true")]);
    apply_text(&hub, OVERRIDE);
    assert_eq!(MEMBERS.map(|name| playground.member(name).ok(&data)), before);

    server.restart_after(|_| {});
    for name in MEMBERS {
        let later = ["get", "configmap", "later", "-n", "shop"];
        playground
            .member(name)
            .eventually(&later, "a ConfigMap made meanwhile", |table| table.contains("later"));
    }
    assert_eq!(MEMBERS.map(|name| playground.member(name).ok(&data)), before, "the override was taken back");
}
