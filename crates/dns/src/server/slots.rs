//! Shares the TCP connections of a server among its clients. Pure: no sockets, no clock.
//!
//! A client may use every connection that is free. When none is, a new connection takes the place of the one that has
//! been without a query for the longest time, of the client that has the most. So a client that opens many connections
//! closes its own, and cannot keep others out. RFC 7766 (section 6.2.3) lets a server close connections at any time;
//! clients open another one.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// Bits of an IPv6 address that tell a network: one client may use all addresses of it.
const CLIENT_BITS_V6: u32 = 64;

/// The addresses that count as one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ClientAddress(IpAddr);

impl ClientAddress {
    /// The client of an address: an IPv4 address, also as IPv4-mapped IPv6 address, or a network of IPv6 with 64 bits.
    pub(super) fn new(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() >> CLIENT_BITS_V6 << CLIENT_BITS_V6;
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
            address => address,
        })
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(network) => write!(f, "{network}/{CLIENT_BITS_V6}"),
        }
    }
}

/// A connection that has to close for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Evicted {
    pub(super) id: ConnectionId,
    pub(super) client: ClientAddress,
    /// Connections of the client, with this one.
    pub(super) connections: usize,
}

/// An open connection. A later one has a greater number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ConnectionId(u64);

/// The open connections of a server.
#[derive(Debug)]
pub(super) struct Slots {
    limit: usize,
    /// Counts connections and queries, so that it orders both.
    turn: u64,
    /// The connections of each client by the turn of their last query.
    clients: HashMap<ClientAddress, BTreeMap<u64, ConnectionId>>,
    /// The client of each connection and the turn of its last query.
    connections: HashMap<ConnectionId, (ClientAddress, u64)>,
}

impl Slots {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), turn: 0, clients: HashMap::new(), connections: HashMap::new() }
    }

    /// Number of open connections.
    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    /// Adds a connection of `client`. Also returns the connection to close for it, which no longer counts.
    pub(super) fn open(&mut self, client: ClientAddress) -> (ConnectionId, Option<Evicted>) {
        let evicted = if self.len() < self.limit { None } else { self.most_idle() };
        if let Some(evicted) = evicted {
            self.close(evicted.id);
        }
        self.turn += 1;
        let (id, turn) = (ConnectionId(self.turn), self.turn);
        self.clients.entry(client).or_default().insert(turn, id);
        self.connections.insert(id, (client, turn));
        (id, evicted)
    }

    /// Notes a query on a connection.
    pub(super) fn used(&mut self, id: ConnectionId) {
        let Some((client, last)) = self.connections.get_mut(&id) else { return };
        self.turn += 1;
        let before = std::mem::replace(last, self.turn);
        if let Some(connections) = self.clients.get_mut(client) {
            connections.remove(&before);
            connections.insert(self.turn, id);
        }
    }

    /// Removes a connection.
    pub(super) fn close(&mut self, id: ConnectionId) {
        let Some((client, turn)) = self.connections.remove(&id) else { return };
        if let Some(connections) = self.clients.get_mut(&client) {
            connections.remove(&turn);
            if connections.is_empty() {
                self.clients.remove(&client);
            }
        }
    }

    /// The connection that has been idle for the longest time, of the client with the most connections.
    fn most_idle(&self) -> Option<Evicted> {
        let connections = self.clients.values().map(BTreeMap::len).max()?;
        let clients = self.clients.iter().filter(|(_, open)| open.len() == connections);
        let idle = clients.filter_map(|(client, open)| Some((client, open.first_key_value()?)));
        let (client, (_, id)) = idle.min_by_key(|(_, (turn, _))| **turn)?;
        Some(Evicted { id: *id, client: *client, connections })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> ClientAddress {
        ClientAddress::new(text.parse().expect("an address"))
    }

    #[test]
    fn addresses_of_one_client() {
        let cases = [
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("::1", "127.0.0.1", false),
        ];
        for (one, other, is_same) in cases {
            assert_eq!(client(one) == client(other), is_same, "{one} and {other}");
        }
    }

    fn opened(slots: &mut Slots, client: ClientAddress) -> Option<ConnectionId> {
        slots.open(client).1.map(|evicted| evicted.id)
    }

    #[test]
    fn clients_in_log_lines() {
        assert_eq!(client("::ffff:192.0.2.1").to_string(), "192.0.2.1");
        assert_eq!(client("2001:db8::1").to_string(), "2001:db8::/64");
    }

    #[test]
    fn a_client_with_many_connections_closes_its_own() {
        let (busy, other) = (client("127.0.0.2"), client("127.0.0.3"));
        let mut slots = Slots::new(4);
        let ids: Vec<_> = (0..4).map(|_| slots.open(busy).0).collect();
        // All but the third send a query.
        for id in [ids[0], ids[1], ids[3]] {
            slots.used(id);
        }
        let (mine, evicted) = slots.open(other);
        let idle = Evicted { id: ids[2], client: busy, connections: 4 };
        assert_eq!(evicted, Some(idle), "the one without a query");
        assert_eq!(opened(&mut slots, busy), Some(ids[0]), "the one with the oldest query");
        assert_eq!(opened(&mut slots, busy), Some(ids[1]));
        assert_eq!(slots.len(), 4);
        slots.close(mine);
        slots.close(mine);
        assert_eq!((slots.len(), opened(&mut slots, other)), (3, None));
    }

    #[test]
    fn many_clients_with_one_connection_each_share_the_slots() {
        let mut slots = Slots::new(3);
        let ids: Vec<_> = (1..=3).map(|n| slots.open(client(&format!("192.0.2.{n}"))).0).collect();
        slots.used(ids[0]);
        assert_eq!(opened(&mut slots, client("192.0.2.4")), Some(ids[1]), "the most idle of all");
        // What was closed is no longer known.
        slots.used(ids[1]);
        slots.close(ids[1]);
        assert_eq!(slots.len(), 3);
    }
}
