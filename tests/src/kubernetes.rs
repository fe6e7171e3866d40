//! A real Kubernetes control plane: etcd, kube-apiserver and kube-controller-manager on loopback ports.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::kubectl::Kubectl;
use crate::programs::send_signal;
use crate::{eventually, programs};

/// The token of the user in `system:masters` that every kubeconfig here carries.
const ADMIN_TOKEN: &str = "end-to-end-admin";

/// Which programs run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A member: with the controllers that make pods from Deployments and slices from Services.
    Member,
    /// A hub: the controllers that Karmada's control plane runs, so that templates never start pods there.
    Hub,
}

/// A running control plane; ended when dropped.
#[derive(Debug)]
pub struct ControlPlane {
    etcd: Option<Child>,
    api_server: Option<Child>,
    controller_manager: Option<Child>,
    /// What the API server was started with, so that it can come back at the same address.
    api_server_arguments: Vec<String>,
    folder: TempDir,
}

impl ControlPlane {
    /// Starts one that allocates Services out of `service_cidr`, and waits until it answers.
    pub fn start(role: Role, service_cidr: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut plane = Self {
            etcd: None,
            api_server: None,
            controller_manager: None,
            api_server_arguments: Vec::new(),
            folder,
        };
        plane.write_credentials();
        let etcd = plane.start_etcd();
        let port = free_port();
        plane.api_server_arguments = plane.api_server_arguments(port, &etcd, service_cidr);
        plane.write_kubeconfig(port);
        plane.start_api_server();
        plane.start_controller_manager(role);
        plane
    }

    /// Ends the API server without a chance to say goodbye: its port refuses connections then.
    pub fn kill_api_server(&mut self) {
        end(self.api_server.take());
    }

    /// Starts the API server, at its old address when it ran before, and waits until it answers.
    pub fn start_api_server(&mut self) {
        self.api_server = Some(self.spawn("kube-apiserver", &self.api_server_arguments));
        self.wait_until_ready();
    }

    /// Halts the API server: connections stay open and nothing is answered.
    pub fn pause_api_server(&self) {
        self.signal_api_server("STOP");
    }

    /// Lets a halted API server go on, and waits until it answers.
    pub fn resume_api_server(&self) {
        self.signal_api_server("CONT");
        self.wait_until_ready();
    }

    fn signal_api_server(&self, name: &str) {
        send_signal(self.api_server.as_ref().expect("the API server runs"), name);
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
            "etcd",
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
            "--bind-address=127.0.0.1".to_owned(),
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
            // Its own address is loopback, which no EndpointSlice may carry.
            "--endpoint-reconciler-type=none".to_owned(),
        ]
    }

    fn write_kubeconfig(&self, port: u16) {
        let certificate = self.text("certificates/apiserver.crt");
        let kubeconfig = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: default\n\
             clusters:\n- name: default\n  cluster:\n    server: https://127.0.0.1:{port}\n    certificate-authority: {certificate}\n\
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
        // Controllers first, the store last, so that nobody retries against a closed port.
        for child in [&mut self.controller_manager, &mut self.api_server, &mut self.etcd] {
            end(child.take());
        }
    }
}

fn end(child: Option<Child>) {
    if let Some(mut child) = child {
        // It may have ended already.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// A port that was free a moment ago; these programs cannot pick one themselves.
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
