//! Script of the probe pod, which resolves the name and connects like any client, and the parser of its output.
//!
//! The command line starts the pod. The script needs the commands of busybox only.

use std::collections::BTreeSet;
use std::net::IpAddr;

use portolan_api::kubernetes::{EndpointSlice, View as _};
use portolan_api::multicluster::{ServiceImportType, ServiceImportView};

use super::facts::{Facts, LookupError, View};
use crate::discovery::overview::is_imported_slice;

/// Prefixes of the lines that the script prints after each command.
const DNS_DONE: &str = "portolan-dns";
const CONNECT_DONE: &str = "portolan-connect";
/// Timeout of a connection in seconds.
const CONNECT_SECONDS: u32 = 3;

/// Result of a probe.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probe {
    /// Addresses in the DNS answer; `None` if the command did not run.
    pub dns: Option<Result<BTreeSet<String>, LookupError>>,
    /// TCP ports, and whether the pod could connect.
    pub connections: Vec<(u16, bool)>,
}

/// Script for a pod in the member of `view`.
pub fn script(facts: &Facts, view: &View) -> String {
    // The final dot prevents the use of search domains.
    let name = facts.dns_name(view);
    let mut lines = vec![format!("nslookup {name}. 2>&1; echo {DNS_DONE} $?")];
    lines.extend(ports(facts, view).into_iter().map(|port| {
        format!(
            "nc -w {CONNECT_SECONDS} {name}. {port} </dev/null >/dev/null 2>&1; echo {CONNECT_DONE} {port} $?"
        )
    }));
    lines.join("\n")
}

/// TCP ports to connect to: those of the import, or those of the endpoints for a headless service.
fn ports(facts: &Facts, view: &View) -> BTreeSet<u16> {
    let import =
        view.import.as_ref().and_then(|import| ServiceImportView::read(import).ok()).unwrap_or_default();
    let number = |protocol: Option<&str>, port: i64| {
        u16::try_from(port).ok().filter(|_| protocol.unwrap_or("TCP") == "TCP")
    };
    if import.spec.kind != ServiceImportType::Headless.as_str() {
        return import.spec.ports.iter().filter_map(|port| number(port.protocol, port.port)).collect();
    }
    let imported = view.slices.iter().filter(|slice| is_imported_slice(slice, &facts.service));
    let slices = imported.filter_map(|slice| EndpointSlice::read(slice).ok());
    let ports = slices.flat_map(|slice| slice.ports);
    ports.filter_map(|port| number(port.protocol, port.port?)).collect()
}

/// Parses the output of the script.
pub fn read(output: &str) -> Probe {
    let mut probe = Probe::default();
    let mut said = Vec::new();
    for line in output.lines().map(str::trim) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [DNS_DONE, code] if probe.dns.is_none() => probe.dns = Some(answer(&said, code == "0")),
            [CONNECT_DONE, port, code] => {
                probe.connections.extend(port.parse().ok().map(|port: u16| (port, code == "0")));
            }
            _ => said.push(line.to_owned()),
        }
    }
    probe
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

    #[test]
    fn outputs_are_read() {
        let set = |addresses: &[&str]| Some(Ok(addresses.iter().map(|&text| text.to_owned()).collect()));
        let cases = [
            (
                "an answer of busybox",
                "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\nName:\tweb.shop.svc.clusterset.local\nAddress: 10.1.0.9\n\
                 Name:\tweb.shop.svc.clusterset.local\nAddress: fd00::9\n\nportolan-dns 0\nportolan-connect 80 0\nportolan-connect 81 1\n",
                Probe { dns: set(&["10.1.0.9", "fd00::9"]), connections: vec![(80, true), (81, false)] },
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
