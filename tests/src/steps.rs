//! Steps that the walkthrough tests share, with the output that `examples/` promises.

use std::net::Ipv4Addr;

use crate::Kubectl;
use crate::programs::example;

/// Applies a file of `examples/`.
pub fn apply(hub: &Kubectl, file: &str) -> String {
    let path = example(file);
    hub.ok(&["apply", "-f", path.to_str().expect("examples have UTF-8 names")])
}

/// Applies a manifest and returns what kubectl printed.
///
/// # Panics
/// When kubectl fails.
pub fn apply_text(kubectl: &Kubectl, manifest: &str) -> String {
    // kubectl before 1.33 takes a text that begins with a brace for JSON.
    let output = kubectl.run_with_input(&["apply", "-f", "-"], &format!("---\n{manifest}"));
    assert!(output.success, "{output}");
    output.stdout
}

/// Columns of a printed table: one row per object, split where kubectl pads.
fn rows(table: &str) -> Vec<Vec<String>> {
    table.lines().skip(1).map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

/// Waits for `derived-serve`, checks the table that users see, and returns the ClusterIP.
///
/// # Panics
/// When the table differs from the one in the walkthrough.
pub fn derived_service_address(member: &Kubectl) -> String {
    let table = member.eventually(&["get", "svc"], "derived-serve", |table| table.contains("derived-serve"));
    let heading: Vec<&str> = table.lines().next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(heading, ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]);
    let rows = rows(&table);
    assert_eq!(rows[0][0], "derived-serve");
    assert_eq!(
        (rows[0][1].as_str(), rows[0][3].as_str(), rows[0][4].as_str()),
        ("ClusterIP", "<none>", "80/TCP")
    );
    assert_eq!(rows[1][0], "kubernetes");
    assert_eq!(rows[1][4], "443/TCP");
    rows[0][2].parse::<Ipv4Addr>().expect("CLUSTER-IP is an address").to_string()
}

/// Runs the walkthrough's `request` pod and returns the answers it printed.
///
/// # Panics
/// When kubectl fails or does not say that the pod was deleted.
pub fn request(member: &Kubectl, address: &str) -> Vec<String> {
    let address = format!("--address={address}");
    let image = "--image=jeremyot/request:0a40de8";
    let output = member.run(&[
        "run",
        "-i",
        "--rm",
        "--restart=Never",
        image,
        "request",
        "--",
        "--duration=3s",
        &address,
    ]);
    assert!(output.success, "kubectl run failed:\n{output}");
    assert!(output.to_string().contains("pod \"request\" deleted"), "{output}");
    // The program logs its answers, and logs go to standard error.
    output.to_string().lines().filter(|line| line.contains("hello from")).map(str::to_owned).collect()
}
