//! BIND as primary server of `example.com`, on loopback, ended with the test.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Time for a record to appear; generous for loaded machines.
const PATIENCE: Duration = Duration::from_secs(60);
/// Secret of the key `portolan`, in base64.
pub(crate) const SECRET: &str = "cG9ydG9sYW4tdGVzdHMtb25seS1zZWNyZXQtMzItYiE=";
/// A zone with records that other software wrote.
const ZONE_FILE: &str = "\
$TTL 300
@ IN SOA ns hostmaster 1 3600 600 86400 60
@ IN NS ns
ns IN A 192.0.2.53
www IN A 192.0.2.80
";

/// A running BIND.
pub(crate) struct Bind {
    port: u16,
    process: Child,
    _folder: TempDir,
}

/// Whether tests with BIND are skipped.
pub(crate) fn is_left_out() -> bool {
    let left_out = std::env::var_os("PORTOLAN_SKIP_DNS_PEERS").is_some();
    if left_out {
        println!("left out: PORTOLAN_SKIP_DNS_PEERS is set");
    }
    left_out
}

impl Bind {
    /// Starts BIND. The key `portolan` may update and transfer the zone.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, port) = (folder.path().display(), free_port());
        let config = format!(
            "options {{ directory \"{path}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n\
             pid-file \"{path}/pid\"; session-keyfile \"{path}/session\"; recursion no; dnssec-validation no;\n\
             allow-transfer {{ none; }}; notify no; }};\ncontrols {{ }};\n\
             key portolan {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\n\
             zone \"example.com\" {{ type primary; file \"zone\"; update-policy {{ grant portolan zonesub ANY; }};\n\
             allow-transfer {{ key portolan; }}; }};\n"
        );
        fs::write(folder.path().join("zone"), ZONE_FILE).expect("a zone");
        fs::write(folder.path().join("named.conf"), config).expect("a configuration");
        let log = fs::File::create(folder.path().join("log")).expect("a log");
        let process = Command::new(program("named"))
            .args(["-g", "-c"])
            .arg(folder.path().join("named.conf"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("BIND starts");
        let bind = Self { port, process, _folder: folder };
        bind.when("www.example.com", &["192.0.2.80"]);
        bind
    }

    /// Address and port.
    pub(crate) fn server(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What `dig +short` prints for the addresses of a name, sorted: the chain of aliases and the addresses.
    pub(crate) fn answer(&self, name: &str) -> Vec<String> {
        let output = Command::new(program("dig"))
            .args([
                "@127.0.0.1",
                "-p",
                &self.port.to_string(),
                "+time=3",
                "+tries=1",
                "+norec",
                "+short",
                name,
            ])
            .output()
            .expect("dig");
        let mut lines: Vec<String> =
            String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// Waits until a name has this answer.
    pub(crate) fn when(&self, name: &str, want: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.answer(name);
            if found == want {
                return;
            }
            assert!(Instant::now() < deadline, "{name} has {found:?} instead of {want:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Bind {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that is free for TCP and UDP.
fn free_port() -> u16 {
    for _ in 0..100 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free for both TCP and UDP");
}

fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let mut files = std::env::split_paths(&path).chain(system).map(|folder| folder.join(name));
    files.find(|file| file.is_file()).unwrap_or_else(|| {
        panic!("no {name}: install it (Debian: bind9, bind9-dnsutils), or set PORTOLAN_SKIP_DNS_PEERS")
    })
}
