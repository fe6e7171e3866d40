//! The DNS server's request parser and responder, and the configuration of CoreDNS.

use std::net::{IpAddr, Ipv4Addr};

use portolan_plan::dns::corefile;

/// A datagram, answered from a zone with one service.
pub(crate) fn dns_request(data: &[u8]) {
    portolan_dns::fuzzing::answer(data);
}

/// A Corefile, into which a server block is put and from which it is taken again.
pub(crate) fn corefile(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let server = IpAddr::V4(Ipv4Addr::new(10, 96, 0, 20));
    let Ok(installed) = corefile::install(text, "clusterset.local", &[server]) else { return };
    assert_eq!(corefile::install(&installed, "clusterset.local", &[server]).as_ref(), Ok(&installed));
    assert!(corefile::uninstall(&installed).is_ok_and(|rest| corefile::uninstall(&rest) == Ok(rest.clone())));
    corefile::difference("Corefile", text, &installed);
}
