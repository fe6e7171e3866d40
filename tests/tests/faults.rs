//! What a user sees when something is wrong: bad manifests, policies that cannot work, and folders, ports and
//! configurations that cannot be used.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use portolan_e2e::binary::{refusal, refusal_of};
use portolan_e2e::manifests::{DEPLOYMENT, POLICY};
use portolan_e2e::steps::apply_text;
use portolan_e2e::{Playground, programs, text};

/// Message of a condition of the binding `web-deployment`.
fn binding_condition(kind: &str) -> String {
    format!("jsonpath={{.status.conditions[?(@.type==\"{kind}\")].message}}")
}

#[test]
fn faulty_manifests_are_refused_and_nothing_is_stored() {
    let playground = Playground::start();
    let (hub, member1) = (playground.hub(), playground.member("member1"));
    let cases = [
        (
            "an unknown field",
            DEPLOYMENT.replace("replicas:", "replica:"),
            vec!["Deployment in version \"v1\"", "unknown field \"spec.replica\""],
        ),
        (
            "an unknown field of a policy",
            POLICY.replace("name: web}]", "nam: web}]"),
            vec!["PropagationPolicy", "unknown field \"spec.resourceSelectors[0].nam\""],
        ),
        (
            "a wrong type",
            DEPLOYMENT.replace("replicas: 2", "replicas: two"),
            vec!["cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"],
        ),
        (
            "a wrong type in a policy",
            POLICY.replace("[member1]", "member1"),
            vec!["The PropagationPolicy \"web\" is invalid", "clusterNames in body must be of type array"],
        ),
        (
            "an unknown kind",
            DEPLOYMENT.replace("kind: Deployment", "kind: Deploymint"),
            vec!["no matches for kind \"Deploymint\" in version \"apps/v1\""],
        ),
        (
            "an unknown version",
            POLICY.replace("v1alpha1", "v1alpha9"),
            vec!["no matches for kind \"PropagationPolicy\" in version \"policy.karmada.io/v1alpha9\""],
        ),
        (
            "a missing field",
            DEPLOYMENT.replace("  selector: {matchLabels: {app: web}}\n", ""),
            vec!["The Deployment \"web\" is invalid", "spec.selector: Required value"],
        ),
        (
            "a missing field of a policy",
            POLICY.replace("  resourceSelectors: [{apiVersion: apps/v1, kind: Deployment, name: web}]\n", ""),
            vec!["The PropagationPolicy \"web\" is invalid", "spec.resourceSelectors: Required value"],
        ),
    ];
    for (name, manifest, wanted) in &cases {
        let output = hub.run_with_input(&["apply", "-f", "-"], manifest);
        assert!(!output.success, "{name}: {output}");
        for part in wanted {
            assert!(output.stderr.contains(part), "{name}: {output}");
        }
        let stored = hub.run(&["get", "deployments,propagationpolicies,resourcebindings"]);
        assert!(stored.to_string().contains("No resources found"), "{name}: {stored}");
    }
    assert_eq!(apply_text(&hub, DEPLOYMENT), "deployment.apps/web created\n");
    assert_eq!(apply_text(&hub, POLICY), "propagationpolicy.policy.karmada.io/web created\n");
    member1.eventually(&["get", "deployment", "web"], "both replicas", |table| table.contains("2/2"));
}

#[test]
fn a_cluster_that_does_not_exist_is_named() {
    let playground = Playground::start();
    let (hub, member1) = (playground.hub(), playground.member("member1"));
    apply_text(&hub, DEPLOYMENT);
    apply_text(&hub, &POLICY.replace("[member1]", "[berlin]"));
    let condition = binding_condition("Scheduled");
    let scheduled = ["get", "rb", "web-deployment", "-o", &condition];
    let sentence = "The placement names clusters that do not exist: berlin.";
    hub.eventually(&scheduled, "the missing cluster", |message| {
        message.contains("0/2 clusters are available") && message.contains(sentence)
    });
    hub.eventually(&["describe", "deployment", "web"], "an event", |text| {
        text.contains("ScheduleBindingFailed") && text.contains(sentence)
    });

    // A part of the clusters is placed, and the rest still named.
    apply_text(&hub, &POLICY.replace("[member1]", "[member1, berlin]"));
    member1.eventually(&["get", "deployment", "web"], "both replicas", |table| table.contains("2/2"));
    hub.eventually(&scheduled, "success with a remark", |message| {
        message == format!("Binding has been scheduled successfully. {sentence}")
    });

    apply_text(&hub, POLICY);
    hub.eventually(&scheduled, "success", |message| message == "Binding has been scheduled successfully.");
}

#[test]
fn an_override_that_fails_leaves_the_member_alone() {
    let playground = Playground::start();
    let (hub, member1) = (playground.hub(), playground.member("member1"));
    apply_text(&hub, DEPLOYMENT);
    apply_text(&hub, POLICY);
    member1.eventually(&["get", "deployment", "web"], "both replicas", |table| table.contains("2/2"));
    let manifest = |path: &str| {
        format!(
            "apiVersion: policy.karmada.io/v1alpha1\nkind: OverridePolicy\nmetadata: {{name: rename}}\nspec:\n  \
             resourceSelectors: [{{apiVersion: apps/v1, kind: Deployment, name: web}}]\n  overrideRules:\n  \
             - overriders:\n      plaintext: [{{path: {path}, operator: replace, value: 3}}]\n"
        )
    };
    apply_text(&hub, &manifest("/spec/strategy/wrong"));
    hub.eventually(&["get", "events"], "the override that fails", |table| {
        table.lines().any(|line| {
            ["Warning", "ApplyOverridePolicyFailed", "deployment/web", "override policy rename"]
                .iter()
                .all(|part| line.contains(part))
                && line.contains("cannot be applied to Deployment default/web for cluster member1")
                && line.contains("replace /spec/strategy/wrong: the path does not exist in the object")
        })
    });
    // Existing objects keep running; a change waits until the override applies.
    let replicas = ["get", "deployment", "web", "-o", "jsonpath={.spec.replicas}"];
    assert_eq!(member1.ok(&replicas), "2");
    apply_text(&hub, &manifest("/spec/replicas"));
    member1.eventually(&replicas, "the mended override", |text| text == "3");
}

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has free ports");
    let address = taken.local_addr().expect("a bound socket has an address");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = folder.path().join("state");
    let (port, listen) = (address.port().to_string(), address.to_string());
    let cases = [
        ("playground", vec!["playground", "--dir", text(&directory), "--port", &port]),
        ("server", vec!["server", "--dir", text(&directory), "--listen", &listen]),
    ];
    for (name, arguments) in cases {
        let message = refusal(&arguments);
        let wanted = format!(
            "cannot listen on {address}: the port is taken; stop the program that has it, or choose another port"
        );
        assert!(message.contains(&wanted), "{name}: {message}");
    }
}

#[test]
fn folders_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    let write = |path: &Path, content: &str| fs::write(path, content).expect("the folder is writable");
    for name in ["other-version", "thesis"] {
        fs::create_dir(path(name)).expect("the folder is writable");
    }
    write(&path("other-version").join("portolan.version"), "2031\n");
    write(&path("thesis").join("chapter1.txt"), "precious");
    write(&path("file"), "precious");
    let cases = [
        (
            "other-version",
            "has version 2031, this binary understands 1: use the release that wrote it, or another directory with --dir",
        ),
        (
            "thesis",
            "is not a state directory: it holds chapter1.txt and no portolan.version; choose a new or empty directory with --dir",
        ),
        ("file", "is a file, not a directory: choose another path with --dir"),
        (
            "file/below",
            "Not a directory (os error 20); choose another with --dir, or correct its permissions",
        ),
    ];
    for (name, wanted) in cases {
        for command in ["playground", "server"] {
            let message = refusal(&[command, "--dir", text(&path(name))]);
            assert!(command == "playground" || !message.contains("playground"), "{message}");
            assert!(message.contains(text(&path(name))), "{command} {name}: {message}");
            assert!(message.contains(wanted), "{command} {name}: {message}");
        }
    }
    assert_eq!(fs::read_to_string(path("thesis").join("chapter1.txt")).expect("it is there"), "precious");
    assert_eq!(fs::read_to_string(path("file")).expect("it is there"), "precious");
}

#[test]
fn a_folder_without_write_permission_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).expect("the folder is writable");
    let set_mode = |path: &Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the owner may do that");
    };
    set_mode(&closed, 0o555);
    let mut command = Command::new(programs::portolan());
    let probe = closed.join("probe");
    if fs::write(&probe, "").is_ok() {
        fs::remove_file(&probe).expect("it can be written, so it can be removed");
        // Permissions do not stop root, so the binary runs as the user `nobody`, from a folder that this user can read.
        let binary = folder.path().join("portolan");
        fs::copy(programs::portolan(), &binary).expect("the binary can be copied");
        set_mode(folder.path(), 0o755);
        command = Command::new(binary);
        command.uid(65_534).gid(65_534);
    }
    let directory = closed.join("state");
    let message = refusal_of(command.args(["playground", "--dir", text(&directory)]));
    let wanted = format!(
        "cannot use {} as the state directory: Permission denied (os error 13); \
         choose another with --dir, or correct its permissions",
        directory.display()
    );
    assert!(message.contains(&wanted), "{message}");
}

#[test]
fn a_folder_in_use_is_refused() {
    let playground = Playground::start();
    let directory = text(playground.directory());
    for command in ["playground", "server"] {
        let message = refusal(&[command, "--dir", directory]);
        assert!(message.contains(directory), "{command}: {message}");
        assert!(
            message.contains("is in use by another process: stop that one, or choose another directory"),
            "{command}: {message}"
        );
    }
    // The first one still works.
    assert!(playground.hub().ok(&["get", "clusters"]).contains("member2"));
}

#[test]
fn broken_configurations_are_explained() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = folder.path().join("state");
    let cases = [
        (
            "an unknown field",
            "clusters:\n- name: paris\n  podCidr: 10.1.0.0/16\n",
            vec!["unknown field `podCidr`", "podCIDR", "line 3"],
        ),
        ("no YAML", "clusters:\n- name: [paris\n", vec!["is not a playground configuration", "line"]),
        (
            "overlapping networks",
            "clusters:\n- name: paris\n  podCIDR: 10.0.0.0/8\n- name: rome\n  podCIDR: 10.1.0.0/16\n",
            vec![
                "podCIDR 10.1.0.0/16 of cluster rome overlaps with podCIDR 10.0.0.0/8 of cluster paris",
                "must differ",
            ],
        ),
        ("no cluster", "clusters: []\n", vec!["at least one is needed"]),
    ];
    for (name, yaml, wanted) in cases {
        let file = folder.path().join("broken.yaml");
        fs::write(&file, yaml).expect("the folder is writable");
        let message = refusal(&["playground", "--dir", text(&directory), "--config", text(&file)]);
        for part in wanted.iter().chain(&[text(&file)]) {
            assert!(message.contains(part), "{name}: {message}");
        }
        assert!(!directory.exists(), "{name}: a folder was made");
    }
    let missing = folder.path().join("missing.yaml");
    let message = refusal(&["playground", "--dir", text(&directory), "--config", text(&missing)]);
    assert!(message.contains(&format!("cannot read {}", missing.display())), "{message}");
    assert!(message.contains("--config takes a file that describes the clusters"), "{message}");
}
