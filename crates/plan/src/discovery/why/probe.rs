//! Script of the probe pod, which resolves the name and connects like any client, and the parser of its output.
//!
//! The command line starts the pod. The script needs the commands of busybox only.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use portolan_api::kubernetes::{EndpointSlice, Service, View as _};
use portolan_api::labels::endpoint_slice::SOURCE_CLUSTER;
use portolan_api::multicluster::{ServiceImportType, ServiceImportView};

use super::connection::{Connection, Outcome, Target};
use super::facts::{Facts, LookupError, View};

/// Prefixes of the lines that the script prints after each command.
const DNS_DONE: &str = "portolan-dns";
const CONNECT_DONE: &str = "portolan-connect";
/// Word for the name of the service in those lines.
const BY_NAME: &str = "name";
/// Timeout of a connection in seconds. A failure that takes about as long is silence, not a refusal.
const CONNECT_SECONDS: u32 = 3;
/// Exporters of which an endpoint is tried at its own address, at most.
const MAX_SOURCES: usize = 8;

/// Result of a probe.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probe {
    /// Addresses in the DNS answer; `None` if the command did not run.
    pub dns: Option<Result<BTreeSet<String>, LookupError>>,
    /// The connections.
    pub connections: Vec<Connection>,
}

/// Script for a pod in the member of `view`.
pub fn script(facts: &Facts, view: &View) -> String {
    // The final dot prevents the use of search domains.
    let name = format!("{}.", facts.dns_name(view));
    let mut lines = vec![format!("nslookup {name} 2>&1; echo {DNS_DONE} $?")];
    lines.extend(ports(facts, view).into_iter().map(|port| connect(&name, BY_NAME, port)));
    lines.extend(
        endpoints(facts, view)
            .into_iter()
            .map(|(source, (address, port))| connect(&address, &format!("{source}/{address}"), port)),
    );
    lines.join("\n")
}

/// Connects, and prints the label, the port, the exit code and the seconds that it took.
fn connect(host: &str, label: &str, port: u16) -> String {
    format!(
        "s=$(date +%s); nc -w {CONNECT_SECONDS} {host} {port} </dev/null >/dev/null 2>&1; \
         echo {CONNECT_DONE} {label} {port} $? $(($(date +%s)-s))"
    )
}

/// TCP ports to connect to: those of the import, or those of the endpoints for a headless service.
fn ports(facts: &Facts, view: &View) -> BTreeSet<u16> {
    let of_slices = || {
        let own = facts.native().map(|_| facts.own_slices(view)).into_iter().flatten();
        let slices =
            facts.imported_slices(view).chain(own).filter_map(|slice| EndpointSlice::read(slice).ok());
        let ports = slices.flat_map(|slice| slice.ports);
        ports.filter_map(|port| tcp(port.protocol, port.port?)).collect()
    };
    if facts.native().is_some() {
        let service = view.local.as_ref().and_then(|service| Service::read(service).ok()).unwrap_or_default();
        let ports = service.spec.ports.iter();
        return match service.spec.is_headless() {
            true => of_slices(),
            false => ports.filter_map(|port| tcp(port.protocol, port.port)).collect(),
        };
    }
    let import =
        view.import.as_ref().and_then(|import| ServiceImportView::read(import).ok()).unwrap_or_default();
    if import.spec.kind == ServiceImportType::Headless.as_str() {
        return of_slices();
    }
    import.spec.ports.iter().filter_map(|port| tcp(port.protocol, port.port)).collect()
}

/// The number of a TCP port.
fn tcp(protocol: Option<&str>, port: i64) -> Option<u16> {
    u16::try_from(port).ok().filter(|_| protocol.unwrap_or("TCP") == "TCP")
}

/// A ready endpoint and a TCP port of each exporter, by the value of the source-cluster label.
fn endpoints(facts: &Facts, view: &View) -> BTreeMap<String, (String, u16)> {
    let mut found = BTreeMap::new();
    for slice in facts.imported_slices(view) {
        let source = slice.label(SOURCE_CLUSTER).unwrap_or_default();
        let Ok(read) = EndpointSlice::read(slice) else { continue };
        let port = read.ports.iter().find_map(|port| tcp(port.protocol, port.port?));
        let ready = read.endpoints.iter().find(|endpoint| endpoint.is_ready());
        // A text that is not an address does not get into the script.
        let address = ready.and_then(|endpoint| endpoint.addresses.first()?.parse::<IpAddr>().ok());
        if let (Some(address), Some(port)) = (address, port)
            && is_label_value(source)
            && found.len() < MAX_SOURCES
        {
            found.entry(source.to_owned()).or_insert((address.to_string(), port));
        }
    }
    found
}

/// Whether a text has only the characters of a label value, so that a shell takes it literally.
fn is_label_value(text: &str) -> bool {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '.' | '_');
    !text.is_empty() && text.chars().all(is_plain)
}

/// Parses the output of the script.
pub fn read(output: &str) -> Probe {
    let mut probe = Probe::default();
    let mut said = Vec::new();
    for line in output.lines().map(str::trim) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [DNS_DONE, code] if probe.dns.is_none() => probe.dns = Some(answer(&said, code == "0")),
            [CONNECT_DONE, label, port, code, seconds] => {
                probe.connections.extend(connection(label, port, code, seconds));
            }
            _ => said.push(line.to_owned()),
        }
    }
    probe
}

fn connection(label: &str, port: &str, code: &str, seconds: &str) -> Option<Connection> {
    let target = match label.split_once('/') {
        Some((source, address)) => Target::Endpoint(source.to_owned(), address.to_owned()),
        None => Target::Name,
    };
    let seconds: u32 = seconds.parse().ok()?;
    let outcome = match code {
        "0" => Outcome::Open,
        _ if seconds + 1 >= CONNECT_SECONDS => Outcome::Silent,
        _ => Outcome::Refused,
    };
    Some(Connection { target, port: port.parse().ok()?, outcome })
}

/// Addresses below the first `Name:` in the output of nslookup; the lines above it have the address of the server.
fn answer(said: &[String], succeeded: bool) -> Result<BTreeSet<String>, LookupError> {
    let below = said.iter().skip_while(|line| !line.starts_with("Name:"));
    let addresses: BTreeSet<String> = below
        .filter(|line| line.starts_with("Address"))
        .filter_map(|line| line.split_whitespace().find_map(|word| word.parse::<IpAddr>().ok()))
        .map(|address| address.to_string())
        .collect();
    if !addresses.is_empty() || succeeded {
        return Ok(addresses);
    }
    let last = said.iter().rev().find(|line| !line.is_empty());
    Err(LookupError(last.cloned().unwrap_or_else(|| "nslookup printed nothing".to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(target: Target, port: u16, outcome: Outcome) -> Connection {
        Connection { target, port, outcome }
    }

    #[test]
    fn outputs_are_read() {
        let set = |addresses: &[&str]| Some(Ok(addresses.iter().map(|&text| text.to_owned()).collect()));
        let cases = [
            (
                "an answer of busybox",
                "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\nName:\tweb.shop.svc.clusterset.local\nAddress: 10.1.0.9\n\
                 Name:\tweb.shop.svc.clusterset.local\nAddress: fd00::9\n\nportolan-dns 0\nportolan-connect name 80 0 0\n\
                 portolan-connect name 81 1 0\nportolan-connect eu/10.1.0.5 8080 1 3\n",
                Probe {
                    dns: set(&["10.1.0.9", "fd00::9"]),
                    connections: vec![
                        connection(Target::Name, 80, Outcome::Open),
                        connection(Target::Name, 81, Outcome::Refused),
                        connection(
                            Target::Endpoint("eu".to_owned(), "10.1.0.5".to_owned()),
                            8080,
                            Outcome::Silent,
                        ),
                    ],
                },
            ),
            (
                "an answer of an old busybox",
                "Server:    10.96.0.10\nAddress 1: 10.96.0.10 dns\n\nName:      web\nAddress 1: 10.1.0.9 web\nportolan-dns 0",
                Probe { dns: set(&["10.1.0.9"]), connections: vec![] },
            ),
            (
                "no such name",
                "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n** server can't find web.shop.svc.clusterset.local: NXDOMAIN\n\nportolan-dns 1",
                Probe {
                    dns: Some(Err(LookupError(
                        "** server can't find web.shop.svc.clusterset.local: NXDOMAIN".to_owned(),
                    ))),
                    connections: vec![],
                },
            ),
            (
                "one family of two",
                "** server can't find web: SERVFAIL\nName:\tweb\nAddress: 10.1.0.9\nportolan-dns 1",
                Probe { dns: set(&["10.1.0.9"]), connections: vec![] },
            ),
            ("nothing ran", "sh: not found", Probe::default()),
            (
                "nothing was said",
                "portolan-dns 1",
                Probe {
                    dns: Some(Err(LookupError("nslookup printed nothing".to_owned()))),
                    connections: vec![],
                },
            ),
        ];
        for (name, output, want) in cases {
            assert_eq!(read(output), want, "{name}");
        }
    }
}
