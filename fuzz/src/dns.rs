//! The DNS server's request parser and responder.

/// A datagram, answered from a zone with one service.
pub(crate) fn dns_request(data: &[u8]) {
    portolan_dns::fuzzing::answer(data);
}
