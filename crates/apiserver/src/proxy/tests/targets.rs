use super::*;

fn locate(action: PodAction, pod: &Object, query: &str) -> Result<Option<String>, String> {
    let find = |name: &str| (name == "node").then(|| node(1234));
    let target = KubeletTarget::locate(action, pod, &Query::parse(query), find);
    target
        .map(|target| target.map(|target| target.path_and_query))
        .map_err(|status| format!("{} {}", status.code, status.message))
}

fn two_containers() -> Object {
    Object(json!({ "metadata": { "namespace": "n", "name": "p" }, "spec": { "nodeName": "node",
        "containers": [{ "name": "a" }, { "name": "b" }], "initContainers": [{ "name": "i" }] } }))
}

/// Name, action, pod, query, and the path or the error.
type Case = (&'static str, PodAction, Object, &'static str, Result<&'static str, &'static str>);

fn check<const N: usize>(cases: [Case; N]) {
    for (name, action, pod, query, want) in cases {
        let got = locate(action, &pod, query);
        let got = got.as_ref().map(|path| path.as_deref().unwrap_or("none")).map_err(String::as_str);
        assert_eq!(got, want, "{name}");
    }
}

#[test]
fn paths_and_parameters() {
    let two = two_containers();
    let cases = [
        ("the only container", PodAction::Logs, pod("p"), "", Ok("/containerLogs/n/p/c")),
        (
            "all of logs",
            PodAction::Logs,
            pod("p"),
            "follow=true&previous=true&timestamps=1&sinceSeconds=5&tailLines=0&limitBytes=9",
            Ok(
                "/containerLogs/n/p/c?follow=true&previous=true&timestamps=true&sinceSeconds=5&tailLines=0&limitBytes=9",
            ),
        ),
        (
            "since a time",
            PodAction::Logs,
            pod("p"),
            "sinceTime=2026-01-01T00%3A00%3A00Z",
            Ok("/containerLogs/n/p/c?sinceTime=2026-01-01T00%3A00%3A00Z"),
        ),
        (
            "streams are renamed",
            PodAction::Attach,
            pod("p"),
            "stdin=true&stdout=true&stderr=true&tty=true",
            Ok("/attach/n/p/c?input=1&output=1&error=1&tty=1"),
        ),
        ("attach has no command", PodAction::Attach, pod("p"), "command=x", Ok("/attach/n/p/c")),
        (
            "command is kept in order",
            PodAction::Exec,
            pod("p"),
            "command=sh&command=-c&command=a%26b",
            Ok("/exec/n/p/c?command=sh&command=-c&command=a%26b"),
        ),
        ("ports", PodAction::PortForward, pod("p"), "ports=80&ports=81", Ok("/portForward/n/p?port=80%2C81")),
        ("no ports", PodAction::PortForward, pod("p"), "", Ok("/portForward/n/p")),
        ("an init container", PodAction::Logs, two, "container=i", Ok("/containerLogs/n/p/i")),
    ];
    check(cases);
}

#[test]
fn requests_without_a_destination_are_refused() {
    let two = two_containers();
    let cases = [
        (
            "no choice",
            PodAction::Logs,
            two.clone(),
            "",
            Err("400 a container name must be specified for pod p, choose one of: [i a b]"),
        ),
        (
            "no such container",
            PodAction::Exec,
            two,
            "container=x",
            Err("400 container x is not valid for pod p"),
        ),
        (
            "negative tail",
            PodAction::Logs,
            pod("p"),
            "tailLines=-1",
            Err(
                r#"422 PodLogOptions "p" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0"#,
            ),
        ),
        (
            "two times",
            PodAction::Logs,
            pod("p"),
            "sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z",
            Err(
                r#"422 PodLogOptions "p" is invalid: : Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"#,
            ),
        ),
        (
            "no number",
            PodAction::Logs,
            pod("p"),
            "tailLines=x",
            Err(r#"400 strconv.ParseInt: parsing "x": invalid syntax"#),
        ),
    ];
    check(cases);
}

#[test]
fn pods_without_a_node() {
    let mut waiting = pod("p");
    waiting.0["spec"]["nodeName"] = json!("");
    assert_eq!(locate(PodAction::Logs, &waiting, ""), Ok(None), "no logs yet");
    assert_eq!(
        locate(PodAction::Exec, &waiting, ""),
        Err("400 pod p does not have a host assigned".to_owned())
    );
    let mut lost = pod("p");
    lost.0["spec"]["nodeName"] = json!("other");
    assert_eq!(locate(PodAction::Exec, &lost, ""), Err(r#"404 nodes "other" not found"#.to_owned()));
}

#[test]
fn addresses_of_nodes() {
    let entry = |kind: &str, address: &str| json!({ "type": kind, "address": address });
    let cases = [
        (
            "host name first",
            json!([entry("InternalIP", "10.0.0.1"), entry("Hostname", "n1")]),
            json!(1),
            Ok("n1:1"),
        ),
        (
            "then the inner address",
            json!([entry("ExternalIP", "1.1.1.1"), entry("InternalIP", "10.0.0.1")]),
            json!(1),
            Ok("10.0.0.1:1"),
        ),
        ("sixth version", json!([entry("InternalIP", "fd00::1")]), json!(1), Ok("[fd00::1]:1")),
        ("default port", json!([entry("InternalIP", "10.0.0.1")]), json!(0), Ok("10.0.0.1:10250")),
        (
            "none",
            json!([]),
            json!(1),
            Err("Internal error occurred: no preferred addresses found; known addresses: []"),
        ),
        (
            "not a host",
            json!([entry("Hostname", "a/b?c")]),
            json!(1),
            Err(
                r#"Internal error occurred: the address of the node cannot be used: {"address":"a/b?c","type":"Hostname"}"#,
            ),
        ),
    ];
    for (name, addresses, port, want) in cases {
        let node = Object(json!({ "metadata": { "name": "node" }, "status": { "addresses": addresses,
            "daemonEndpoints": { "kubeletEndpoint": { "Port": port } } } }));
        let got = KubeletTarget::locate(PodAction::PortForward, &pod("p"), &Query::default(), |_| Some(node));
        let got = got.map(|target| target.unwrap().address.authority()).map_err(|status| status.message);
        assert_eq!(got.as_deref().map_err(String::as_str), want, "{name}");
    }
}
