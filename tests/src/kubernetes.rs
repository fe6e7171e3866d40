//! A real Kubernetes control plane: etcd, kube-apiserver and kube-controller-manager.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::kubectl::Kubectl;
use crate::programs::send_signal;
use crate::{eventually, programs};

/// Token of the user in `system:masters` of each kubeconfig.
const ADMIN_TOKEN: &str = "end-to-end-admin";

/// Role of a control plane, which decides what controllers run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A member, with the controllers that create pods for Deployments and slices for Services.
    Member,
    /// A hub, with the controllers of Karmada's control plane, which start no pods.
    Hub,
}

/// What a control plane is made of. The default is the pinned Kubernetes with the etcd that it recommends, on loopback.
#[derive(Debug, Clone, Copy)]
pub struct Programs {
    /// The etcd.
    pub etcd: &'static str,
    /// `--feature-gates` of the API server; empty for the defaults.
    pub feature_gates: &'static str,
    /// Address on which the API server listens.
    pub address: &'static str,
}

impl Default for Programs {
    fn default() -> Self {
        Self { etcd: "etcd", feature_gates: "", address: "127.0.0.1" }
    }
}

/// etcd 3.4.13: kube-apiserver answers streaming lists on it with an error in the stream.
pub const OLD_ETCD: &str = "etcd-3.4";

/// A running control plane. Dropping it ends its processes.
#[derive(Debug)]
pub struct ControlPlane {
    etcd: Option<Child>,
    api_server: Option<Child>,
    controller_manager: Option<Child>,
    programs: Programs,
    /// Port of the API server.
    port: u16,
    /// Arguments of the API server, so that it can be restarted at the same address.
    api_server_arguments: Vec<String>,
    folder: TempDir,
}

impl ControlPlane {
    /// Starts a control plane that allocates Services in `service_cidr`, and waits until it answers.
    pub fn start(role: Role, service_cidr: &str) -> Self {
        Self::start_with(role, service_cidr, Programs::default())
    }

    /// [`ControlPlane::start`] with other programs.
    pub fn start_with(role: Role, service_cidr: &str, programs: Programs) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut plane = Self {
            etcd: None,
            api_server: None,
            controller_manager: None,
            programs,
            port: 0,
            api_server_arguments: Vec::new(),
            folder,
        };
        plane.write_credentials();
        let etcd = plane.start_etcd();
        let port = free_port();
        plane.port = port;
        plane.api_server_arguments = plane.api_server_arguments(port, &etcd, service_cidr);
        plane.write_kubeconfig(port);
        plane.start_api_server();
        plane.start_controller_manager(role);
        plane
    }

    /// Kills the API server; its port then refuses connections.
    pub fn kill_api_server(&mut self) {
        end(self.api_server.take());
    }

    /// Starts the API server, at the same address as before, and waits until it answers.
    pub fn start_api_server(&mut self) {
        self.api_server = Some(self.spawn("kube-apiserver", &self.api_server_arguments));
        self.wait_until_ready();
    }

    /// Pauses the API server: connections stay open and nothing is answered.
    pub fn pause_api_server(&self) {
        self.signal_api_server("STOP");
    }

    /// Resumes a paused API server, and waits until it answers.
    pub fn resume_api_server(&self) {
        self.signal_api_server("CONT");
        self.wait_until_ready();
    }

    fn signal_api_server(&self, name: &str) {
        send_signal(self.api_server.as_ref().expect("the API server runs"), name);
    }

    /// Port of its API server.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Admin access to it.
    pub fn kubeconfig(&self) -> PathBuf {
        self.path("kubeconfig")
    }

    /// The CA that signs the certificate by which its API server calls kubelets.
    pub fn kubelet_client_ca(&self) -> PathBuf {
        self.path("kubelet-client-ca.crt")
    }

    /// kubectl against it.
    pub fn kubectl(&self) -> Kubectl {
        Kubectl::new(&self.kubeconfig(), &self.path("cache"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("temporary folders have UTF-8 names").to_owned()
    }

    fn write_credentials(&self) {
        let write =
            |name: &str, text: &str| fs::write(self.path(name), text).expect("the folder is writable");
        write("tokens.csv", &format!("{ADMIN_TOKEN},admin,admin,system:masters\n"));
        let signing_key = KeyPair::generate().expect("a key");
        write("service-account.key", &signing_key.serialize_pem());
        write("service-account.pub", &signing_key.public_key_pem());
        let (ca, certificate, key) = kubelet_client_certificate();
        write("kubelet-client-ca.crt", &ca);
        write("kubelet-client.crt", &certificate);
        write("kubelet-client.key", &key);
    }

    fn start_etcd(&mut self) -> String {
        let client = format!("http://127.0.0.1:{}", free_port());
        let peer = format!("http://127.0.0.1:{}", free_port());
        let data = self.text("etcd");
        self.etcd = Some(self.spawn(
            self.programs.etcd,
            &[
                format!("--data-dir={data}"),
                format!("--listen-client-urls={client}"),
                format!("--advertise-client-urls={client}"),
                format!("--listen-peer-urls={peer}"),
                format!("--initial-advertise-peer-urls={peer}"),
                format!("--initial-cluster=default={peer}"),
                "--unsafe-no-fsync=true".to_owned(),
            ],
        ));
        client
    }

    fn api_server_arguments(&self, port: u16, etcd: &str, service_cidr: &str) -> Vec<String> {
        vec![
            format!("--etcd-servers={etcd}"),
            format!("--bind-address={}", self.programs.address),
            format!("--secure-port={port}"),
            format!("--cert-dir={}", self.text("certificates")),
            format!("--service-cluster-ip-range={service_cidr}"),
            format!("--token-auth-file={}", self.text("tokens.csv")),
            "--authorization-mode=Node,RBAC".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-key-file={}", self.text("service-account.pub")),
            format!("--service-account-signing-key-file={}", self.text("service-account.key")),
            format!("--kubelet-client-certificate={}", self.text("kubelet-client.crt")),
            format!("--kubelet-client-key={}", self.text("kubelet-client.key")),
            // The address is loopback, which an EndpointSlice must not contain.
            "--endpoint-reconciler-type=none".to_owned(),
            format!("--feature-gates={}", self.programs.feature_gates),
        ]
    }

    fn write_kubeconfig(&self, port: u16) {
        let address = self.programs.address;
        let certificate = self.text("certificates/apiserver.crt");
        let kubeconfig = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: default\n\
             clusters:\n- name: default\n  cluster:\n    server: https://{address}:{port}\n    certificate-authority: {certificate}\n\
             users:\n- name: default\n  user:\n    token: {ADMIN_TOKEN}\n\
             contexts:\n- name: default\n  context:\n    cluster: default\n    user: default\n"
        );
        fs::write(self.kubeconfig(), kubeconfig).expect("the folder is writable");
    }

    fn wait_until_ready(&self) {
        eventually("kube-apiserver to be ready", || {
            let output = self.kubectl().run(&["get", "--raw", "/readyz"]);
            if output.success { Ok(()) } else { Err(format!("{output}\n{}", self.log("kube-apiserver"))) }
        });
    }

    fn start_controller_manager(&mut self, role: Role) {
        let controllers = match role {
            Role::Member => "*",
            Role::Hub => {
                "namespace-controller,garbage-collector-controller,serviceaccount-token-controller,\
                 serviceaccount-controller,ttl-after-finished-controller,clusterrole-aggregation-controller"
            }
        };
        let arguments = [
            format!("--kubeconfig={}", self.text("kubeconfig")),
            format!("--service-account-private-key-file={}", self.text("service-account.key")),
            format!("--root-ca-file={}", self.text("certificates/apiserver.crt")),
            format!("--controllers={controllers}"),
            "--leader-elect=false".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={}", free_port()),
        ];
        self.controller_manager = Some(self.spawn("kube-controller-manager", &arguments));
    }

    fn spawn(&self, program: &str, arguments: &[String]) -> Child {
        let log = File::create(self.path(&format!("{program}.log"))).expect("the folder is writable");
        let errors = log.try_clone().expect("a file can be cloned");
        let mut command = Command::new(programs::kubernetes(program));
        command.args(arguments).current_dir(self.folder.path());
        let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        child.unwrap_or_else(|error| panic!("cannot start {program}: {error}"))
    }

    /// The end of a program's log, for the message of a failed wait.
    fn log(&self, program: &str) -> String {
        let text = fs::read_to_string(self.path(&format!("{program}.log"))).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(10).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // Controllers first, etcd last, so that no process retries against a closed port.
        for child in [&mut self.controller_manager, &mut self.api_server, &mut self.etcd] {
            end(child.take());
        }
    }
}

fn end(child: Option<Child>) {
    if let Some(mut child) = child {
        // The process may have ended already.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// A port that was free a moment ago. These programs cannot choose a free port themselves.
fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has free ports");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// A CA and a client certificate signed by it, as PEM: CA, certificate, key.
fn kubelet_client_certificate() -> (String, String, String) {
    let ca_key = KeyPair::generate().expect("a key");
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "kubelet-client-ca");
    let ca_certificate = ca.self_signed(&ca_key).expect("a certificate");
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().expect("a key");
    let mut client = CertificateParams::default();
    client.distinguished_name.push(DnType::CommonName, "kube-apiserver-kubelet-client");
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = client.signed_by(&key, &issuer).expect("a certificate");
    (ca_certificate.pem(), certificate.pem(), key.serialize_pem())
}
