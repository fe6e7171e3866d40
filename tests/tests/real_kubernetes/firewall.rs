//! kube-apiserver and kube-controller-manager as a cluster in pull mode behind a firewall that lets connections out and none
//! in. The cluster has a network of its own, joined to that of the control plane by a cable.
//!
//! Needs root or user namespaces, iproute2 and nftables; with `PORTOLAN_SKIP_NAMESPACES` set it is left out.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use portolan_e2e::binary::{Finished, portolan};
use portolan_e2e::kubernetes::{ControlPlane, Programs, Role};
use portolan_e2e::network::{Network, shell};
use portolan_e2e::steps::apply_text;
use portolan_e2e::{Server, eventually, programs, text};
use tempfile::TempDir;

const NAME: &str = "firewall::a_real_cluster_behind_a_firewall_works_through_its_agent";
/// Set in the process that runs in a network namespace of its own.
const IS_INSIDE: &str = "PORTOLAN_INSIDE_NETWORK";
const HUB: &str = "10.202.0.1";
const OFFICE: &str = "10.202.0.2";
/// The agent renews its Lease every ten seconds.
const HEALTH: [&str; 4] = ["--cluster-monitor-grace-period", "15s", "--cluster-success-threshold", "1s"];
/// Kinds of what registering, the agent and policies put into a cluster.
const KINDS: &str = "namespaces,serviceaccounts,secrets,configmaps,services,deployments,roles,rolebindings,clusterroles,\
                     clusterrolebindings,leases,serviceexports,serviceimports,endpointslices";

const POLICY: &str = "\
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: office}
spec:
  resourceSelectors: [{apiVersion: v1, kind: ConfigMap, name: settings}, {apiVersion: apps/v1, kind: Deployment}]
  placement: {clusterAffinity: {clusterNames: [office]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: nginx}]}}
";

struct Site {
    hub: Server,
    branch: Server,
    network: Network,
    office: ControlPlane,
    folder: TempDir,
}

/// A process that is killed when dropped.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Site {
    fn start() -> Self {
        shell("ip link set lo up");
        let network = Network::create();
        network.connect(&format!("{HUB}/24"), &format!("{OFFICE}/24"));
        let of_office = Programs { address: OFFICE, ..Programs::default() };
        let office = network.inside(|| ControlPlane::start_with(Role::Member, "10.11.0.0/16", of_office));
        network.inside(|| {
            shell("nft add table inet firewall");
            shell("nft 'add chain inet firewall input { type filter hook input priority 0; }'");
            close_door();
        });
        let (hub, branch) = (Server::start(HUB, &HEALTH), Server::start("127.0.0.1", &[]));
        Self { hub, branch, network, office, folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// kubectl in the cluster. Its output.
    fn office(&self, arguments: &[&str]) -> String {
        self.network.inside(|| self.office.kubectl().ok(arguments))
    }

    fn office_has(&self, arguments: &[&str], awaited: &str, is_wanted: impl Fn(&str) -> bool) {
        eventually(awaited, || {
            let output = self.network.inside(|| self.office.kubectl().run(arguments));
            if output.success && is_wanted(&output.stdout) { Ok(()) } else { Err(output.to_string()) }
        });
    }

    /// A command against the control plane.
    fn run(&self, arguments: &[&str]) -> Finished {
        portolan(&[arguments, &["--kubeconfig", text(&self.hub.kubeconfig())]].concat())
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let finished = self.run(arguments);
        assert_eq!(finished.code, Some(0), "{arguments:?}: {finished}");
        finished.stdout
    }

    fn register(&self) {
        let printed = self.ok(&["token", "create", "--cluster", "office"]);
        let words: Vec<&str> = printed.split_whitespace().skip_while(|word| *word != "register").collect();
        let config = self.office.kubeconfig();
        let place = ["--place", "configmaps,deployments.apps"];
        let register = [&words[..], &place, &["--kubeconfig", text(&config)]].concat();
        let registered = self.network.inside(|| portolan(&register));
        assert_eq!(registered.code, Some(0), "{registered}");
    }

    /// Starts the agent in the cluster, with the account that registering made.
    fn agent(&self) -> Agent {
        let token = self.office(&["create", "token", "karmada-agent-sa", "-n", "karmada-system"]);
        let file = self.folder.path().join("agent.config");
        fs::copy(self.office.kubeconfig(), &file).expect("the folder is writable");
        let credentials = ["config", "set-credentials", "default", "--token", token.trim()];
        let kubectl = Command::new(programs::kubernetes("kubectl"))
            .arg("--kubeconfig")
            .arg(&file)
            .args(credentials)
            .status();
        assert!(kubectl.is_ok_and(|status| status.success()));
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("agent.log"));
        let mut command = Command::new(programs::portolan());
        command.args(["agent", "--pull", "--kubeconfig", text(&file)]);
        command.args(["--dns-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]);
        command.stdout(Stdio::null()).stderr(log.expect("the folder is writable"));
        Agent(self.network.inside(|| command.spawn()).expect("the binary starts"))
    }

    fn becomes(&self, ready: &str) {
        let status = "-ojsonpath={.status.conditions[?(@.type==\"Ready\")].status}";
        self.hub.kubectl().eventually(&["get", "cluster", "office", status], ready, |text| text == ready);
    }

    fn set_value(&self, value: &str) {
        let settings = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\ndata: {{value: \"{value}\"}}\n"
        );
        apply_text(&self.hub.kubectl(), &settings);
    }

    fn gets_value(&self, value: &str) {
        let get = ["get", "configmap", "settings", "-ojsonpath={.data.value}"];
        self.office_has(&get, &format!("the value {value}"), |text| text == value);
    }

    /// Every object of [`KINDS`], without those that change by themselves.
    fn inventory(&self) -> Vec<String> {
        let format =
            "-ojsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name}{\"\\n\"}{end}";
        let mut found: Vec<String> =
            self.office(&["get", KINDS, "-A", format]).lines().map(str::to_owned).collect();
        found.sort();
        found
    }
}

/// Lets no connection in. Answers on connections that were opened inside come through.
fn close_door() {
    shell("nft add rule inet firewall input iifname outside 'tcp flags & (syn | ack) == syn' drop");
}

/// A Service in the cluster with an endpoint that no controller changes.
fn export(address: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: printer}}\nspec: {{ports: [{{port: 80}}]}}\n---\n\
         apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: printer-1, labels: \
         {{kubernetes.io/service-name: printer}}}}\naddressType: IPv4\nports: [{{port: 80}}]\nendpoints: [{{addresses: \
         [{address}]}}]\n---\napiVersion: multicluster.x-k8s.io/v1alpha1\nkind: ServiceExport\nmetadata: {{name: printer}}\n"
    )
}

#[test]
fn a_real_cluster_behind_a_firewall_works_through_its_agent() {
    if env::var_os("PORTOLAN_SKIP_NAMESPACES").is_some() {
        println!("left out: PORTOLAN_SKIP_NAMESPACES is set");
        return;
    }
    if env::var_os(IS_INSIDE).is_none() {
        let test = env::current_exe().expect("the path of this program");
        let mut inside = Command::new("unshare");
        inside.args(["--user", "--map-root-user", "--net"]).arg(test).args(["--exact", NAME, "--nocapture"]);
        let status = inside.env(IS_INSIDE, "1").status().expect("unshare starts");
        assert!(status.success(), "{status}");
        return;
    }
    let site = Site::start();
    let door = SocketAddr::new(OFFICE.parse().expect("an address"), site.office.port());
    let refused = TcpStream::connect_timeout(&door, Duration::from_secs(1)).map(drop);
    assert_eq!(refused.map_err(|error| error.kind()), Err(ErrorKind::TimedOut), "the firewall is closed");

    let definitions = programs::example("../deploy/crds");
    for kind in ["serviceexports", "serviceimports"] {
        let file = definitions.join(format!("{kind}.multicluster.x-k8s.io.yaml"));
        site.office(&["apply", "--server-side", "-f", text(&file)]);
    }
    site.office_has(&["get", "serviceexports,serviceimports"], "the kinds", |_| true);
    let before = site.inventory();
    site.register();
    let agent = site.agent();
    site.becomes("True");
    objects_arrive(&site);
    endpoints_leave(&site);

    // The cable carries nothing, in both directions, and the agent dies meanwhile.
    site.network.inside(|| shell("nft insert rule inet firewall input iifname outside drop"));
    site.set_value("while cut");
    drop(agent);
    site.becomes("Unknown");
    let _agent = site.agent();
    site.office(&["get", "deployment", "web"]);
    site.network.inside(|| {
        shell("nft flush chain inet firewall input");
        close_door();
    });
    site.gets_value("while cut");
    site.becomes("True");

    site.ok(&["clusterset", "remove", "prod", "office"]);
    site.office(&["delete", "serviceexport/printer", "service/printer", "endpointslice/printer-1"]);
    let config = site.office.kubeconfig();
    let unjoin = [
        "unjoin",
        "office",
        "--kubeconfig",
        text(&site.hub.kubeconfig()),
        "--cluster-kubeconfig",
        text(&config),
    ]
    .map(str::to_owned);
    // The administrator of the cluster runs it, from where both can be reached.
    let left = site.network.inside(|| portolan(&unjoin.iter().map(String::as_str).collect::<Vec<_>>()));
    assert_eq!(left.code, Some(0), "{left}");
    eventually("the cluster to be as before", || match site.inventory() {
        found if found == before => Ok(()),
        found => Err(format!("{:?}", found.iter().filter(|one| !before.contains(one)).collect::<Vec<_>>())),
    });
}

/// What the control plane places gets in, and is seen and reached from outside.
fn objects_arrive(site: &Site) {
    apply_text(&site.hub.kubectl(), POLICY);
    site.set_value("one");
    site.gets_value("one");
    site.office_has(&["get", "replicasets", "-l", "app=web"], "that the controllers work", |table| {
        table.contains("web-")
    });
    let status = ["get", "deployment", "web", "-ojsonpath={.status.unavailableReplicas}"];
    site.hub.kubectl().eventually(&status, "the status of the cluster", |text| text == "2");
    let table = site.ok(&["get", "configmaps", "-C", "office"]);
    assert!(table.contains("settings"), "through the tunnel: {table}");
    let why = site.ok(&["why", "configmap", "settings"]);
    assert!(why.contains("Everything is as the policy wants"), "{why}");
}

/// Endpoints of the cluster reach another one, and so do their changes.
fn endpoints_leave(site: &Site) {
    site.ok(&["join", "branch", "--cluster-kubeconfig", text(&site.branch.kubeconfig())]);
    site.ok(&["clusterset", "create", "prod"]);
    site.ok(&["clusterset", "add", "prod", "office", "branch"]);
    let slices = [
        "get",
        "endpointslices",
        "-l",
        "multicluster.kubernetes.io/source-cluster=office",
        "-ojsonpath={.items[*].endpoints[*].addresses[0]}",
    ];
    for address in ["10.10.0.7", "10.10.0.8"] {
        site.network.inside(|| apply_text(&site.office.kubectl(), &export(address)));
        site.branch.kubectl().eventually(&slices, address, |text| text == address);
    }
}
