//! Cluster addresses and node ports of Services, each given to one Service at a time.
//!
//! The write path calls [`Services::allocate`] after defaulting and before validation, keeps the [`Reservation`]
//! while it writes, and commits it when the write is durable; a reservation that is dropped gives everything back.
//! The state lives in memory and is rebuilt from the stored Services at start.
//!
//! ```text
//! defaults ─► allocate ─► validation ─► store ─┬─► commit
//!                │                             └─► drop: addresses and ports are free again
//!                └─ Reservation ──────────────────►
//! ```

mod fields;
mod pool;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use ipnet::IpNet;
use parking_lot::Mutex;
use portolan_object::{FieldError, FieldErrorKind};
use serde_json::{Value, json};

use crate::tree;
use fields::Family;
use pool::{Pool, Refusal};

/// Draws a number below the bound; the bound is never zero.
pub type Draw = Box<dyn Fn(u64) -> u64 + Send + Sync>;

/// Addresses of the first Service, which is the API server itself.
const FIRST_SERVICE: (&str, &str) = ("default", "kubernetes");

/// Hands out cluster addresses and node ports. Clones share the same pools.
#[derive(Clone)]
pub struct Services {
    shared: Arc<Shared>,
}

struct Shared {
    /// One of each address family; the first is the one that Services have unless they ask for more.
    ranges: Vec<IpNet>,
    node_ports: RangeInclusive<u16>,
    draw: Draw,
    pools: Mutex<Pools>,
}

#[derive(Debug)]
struct Pools {
    /// One for each range.
    addresses: Vec<Pool>,
    ports: Pool,
}

/// Addresses and ports that a write took from the pools, and those it will give back.
///
/// Dropping it without [`Reservation::commit`] undoes the taking.
#[must_use = "a dropped reservation gives everything back"]
#[derive(Debug)]
pub struct Reservation {
    shared: Arc<Shared>,
    taken: Holding,
    leaving: Holding,
}

/// Addresses and ports.
#[derive(Debug, Default)]
struct Holding {
    addresses: Vec<Place>,
    ports: Vec<u128>,
}

/// An address as the place of its range and its offset there.
type Place = (usize, u128);

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Services")
            .field("ranges", &self.ranges)
            .field("node_ports", &self.node_ports)
            .finish()
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}

impl Services {
    /// Empty pools over ranges of addresses, of which the first of each family counts, and a range of ports.
    ///
    /// The first address of the first range is kept for the Service of the API server, the network's own address and,
    /// in IPv4, the broadcast address are never given. Automatic choices leave the lowest part of each range to those
    /// who ask for a certain value.
    pub fn new(ranges: impl IntoIterator<Item = IpNet>, node_ports: RangeInclusive<u16>, draw: Draw) -> Self {
        let mut families: Vec<IpNet> = Vec::new();
        for range in ranges {
            if families
                .iter()
                .all(|other| Family::from_address(other.addr()) != Family::from_address(range.addr()))
            {
                families.push(range);
            }
        }
        let addresses = |range: &IpNet| {
            let size = 1_u128 << u32::from(range.max_prefix_len() - range.prefix_len()).min(100);
            let last = if range.addr().is_ipv4() { size.saturating_sub(2) } else { size - 1 };
            Pool::new(1..=last, (size / 16).clamp(16, 256))
        };
        let pools = Pools {
            addresses: families.iter().map(addresses).collect(),
            ports: Pool::new(
                u128::from(*node_ports.start())..=u128::from(*node_ports.end()),
                (u128::from(node_ports.end() - node_ports.start()) / 32).clamp(16, 128),
            ),
        };
        let pools = Mutex::new(pools);
        Self { shared: Arc::new(Shared { ranges: families, node_ports, draw, pools }) }
    }

    /// Marks what a stored Service holds, at start; what lies outside the ranges is left alone.
    pub fn restore(&self, service: &Value) {
        let mut pools = self.shared.pools.lock();
        let held = self.shared.holding(service);
        held.addresses.into_iter().for_each(|(range, offset)| pools.addresses[range].mark(offset));
        held.ports.into_iter().for_each(|port| pools.ports.mark(port));
    }

    /// Completes the addresses and node ports of a Service that is created, or changed from `old`.
    ///
    /// Fields that the client left out of a change are taken from `old`; fields that the new type does not have are
    /// dropped. A dry run takes nothing and shows placeholders, so it cannot find collisions.
    ///
    /// # Errors
    /// Errors for values that are taken or out of range, and for address families that the cluster does not have.
    pub fn allocate(
        &self,
        service: &mut Value,
        old: Option<&Value>,
        dry_run: bool,
    ) -> Result<Reservation, Vec<FieldError>> {
        fields::settle(service, old);
        let own: Vec<Family> =
            self.shared.ranges.iter().map(|range| Family::from_address(range.addr())).collect();
        fields::families(service, old, &own)?;
        let mut reservation = Reservation {
            shared: Arc::clone(&self.shared),
            taken: Holding::default(),
            leaving: Holding::default(),
        };
        let before = old.map(|old| self.shared.holding(old)).unwrap_or_default();
        reservation.addresses(service, &before, dry_run)?;
        reservation.ports(service, &before, dry_run)?;
        if !dry_run {
            let after = self.shared.holding(service);
            reservation.leaving = Holding {
                addresses: without(before.addresses, &after.addresses),
                ports: without(before.ports, &after.ports),
            };
        }
        Ok(reservation)
    }

    /// Frees what a deleted Service held.
    pub fn release(&self, service: &Value) {
        self.shared.free(&self.shared.holding(service));
    }
}

fn without<T: PartialEq>(all: Vec<T>, kept: &[T]) -> Vec<T> {
    all.into_iter().filter(|one| !kept.contains(one)).collect()
}

impl Reservation {
    /// Keeps what was taken and frees what the Service no longer has. Call it once the write is durable.
    pub fn commit(mut self) {
        self.taken = Holding::default();
        let leaving = std::mem::take(&mut self.leaving);
        self.shared.free(&leaving);
    }

    /// An address for each family that the Service has: the one that it asks for, or a free one.
    fn addresses(
        &mut self,
        service: &mut Value,
        before: &Holding,
        dry_run: bool,
    ) -> Result<(), Vec<FieldError>> {
        if !fields::needs_address(service) {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        let wanted = tree::str_at(service, "/spec/clusterIP").to_owned();
        let mut all: Vec<String> = tree::strings_at(service, "/spec/clusterIPs").map(str::to_owned).collect();
        // One spelling of the address without the other is for validation to refuse.
        if wanted.is_empty() != all.is_empty() {
            if let Ok(address) = wanted.parse() {
                self.claim(service, address, before, dry_run)?;
            }
            return Ok(());
        }
        // An address that cannot be read is for validation to refuse as well.
        for address in all.iter().filter_map(|text| text.parse().ok()) {
            self.claim(service, address, before, dry_run)?;
        }
        let families: Vec<String> =
            tree::strings_at(service, "/spec/ipFamilies").map(str::to_owned).collect();
        let missing: Vec<usize> =
            families.iter().skip(all.len()).map_while(|family| shared.range_of(family)).collect();
        let is_complete = missing.is_empty();
        for range in missing {
            let offset = match range == 0 && shared.is_first(service) {
                _ if dry_run => 0,
                true => {
                    let first = shared.address((0, 1));
                    self.take_address((0, 1)).map_err(|why| shared.refused(service, first, why))?;
                    1
                }
                false => self.next_address(range)?,
            };
            all.push(shared.address((range, offset)).to_string());
        }
        if is_complete {
            return Ok(());
        }
        if wanted.is_empty() {
            service["spec"]["clusterIP"] = json!(all[0]);
        }
        service["spec"]["clusterIPs"] = json!(all);
        Ok(())
    }

    /// Takes an address that the Service asks for, unless it has one of that family: then it is its own, or another
    /// one, which is for validation to refuse. To take it here would only hide that.
    fn claim(
        &mut self,
        service: &Value,
        address: IpAddr,
        before: &Holding,
        dry_run: bool,
    ) -> Result<(), Vec<FieldError>> {
        let shared = Arc::clone(&self.shared);
        let family = Family::from_address(address);
        let is_held = |(range, _): &Place| Family::from_address(shared.ranges[*range].addr()) == family;
        if before.addresses.iter().any(is_held) {
            return Ok(());
        }
        let result = match shared.place(address) {
            None => Err(Refusal::OutOfRange),
            Some(_) if dry_run => Ok(()),
            Some((0, 1)) if !shared.is_first(service) => Err(Refusal::Taken),
            Some(place) => self.take_address(place),
        };
        result.map_err(|why| shared.refused(service, address, why))
    }

    fn take_address(&mut self, (range, offset): Place) -> Result<(), Refusal> {
        self.shared.pools.lock().addresses[range].take(offset)?;
        self.taken.addresses.push((range, offset));
        Ok(())
    }

    fn next_address(&mut self, range: usize) -> Result<u128, Vec<FieldError>> {
        let kept: &[u128] = if range == 0 { &[1] } else { &[] };
        let next = self.shared.pools.lock().addresses[range].next(&self.shared.draw, kept);
        let offset =
            next.ok_or_else(|| full("spec.clusterIP", "failed to allocate a serviceIP: range is full"))?;
        self.taken.addresses.push((range, offset));
        Ok(offset)
    }

    fn ports(&mut self, service: &mut Value, before: &Holding, dry_run: bool) -> Result<(), Vec<FieldError>> {
        if fields::needs_node_ports(service) {
            let is_automatic = fields::allocates_node_ports(service);
            let count = tree::list(service, "/spec/ports").len();
            for index in 0..count {
                let number = self.port(service, index, before, is_automatic, dry_run)?;
                if number != 0 {
                    service["spec"]["ports"][index]["nodePort"] = json!(number);
                }
            }
        }
        if fields::needs_health_check_port(service)
            && tree::integer(service, "/spec/healthCheckNodePort").unwrap_or_default() == 0
        {
            let port = if dry_run { u128::from(*self.shared.node_ports.start()) } else { self.next_port()? };
            service["spec"]["healthCheckNodePort"] = json!(u64::try_from(port).unwrap_or_default());
        }
        Ok(())
    }

    /// The node port of one port: its own, that of the same port in another protocol, or a free one.
    fn port(
        &mut self,
        service: &Value,
        index: usize,
        before: &Holding,
        is_automatic: bool,
        dry_run: bool,
    ) -> Result<u64, Vec<FieldError>> {
        let ports = tree::list(service, "/spec/ports");
        let number = |port: &Value| {
            let number = tree::integer(port, "/nodePort").unwrap_or_default();
            u128::try_from(number).unwrap_or_default()
        };
        let own = number(&ports[index]);
        if own != 0 {
            let is_held = before.ports.contains(&own) || self.taken.ports.contains(&own);
            let is_in_range = self.shared.pools.lock().ports.contains(own);
            let result = match is_in_range {
                _ if is_held || dry_run => Ok(()),
                false => Err(Refusal::OutOfRange),
                true => self.take_port(own),
            };
            result.map_err(|why| self.shared.refused_port(index, own, why))?;
            return Ok(u64::try_from(own).unwrap_or_default());
        }
        let same =
            ports.iter().find(|other| other.get("port") == ports[index].get("port") && number(other) != 0);
        let chosen = match same {
            Some(other) => number(other),
            None if !is_automatic => 0,
            None if dry_run => u128::from(*self.shared.node_ports.start()),
            None => self.next_port()?,
        };
        Ok(u64::try_from(chosen).unwrap_or_default())
    }

    fn take_port(&mut self, port: u128) -> Result<(), Refusal> {
        self.shared.pools.lock().ports.take(port)?;
        self.taken.ports.push(port);
        Ok(())
    }

    fn next_port(&mut self) -> Result<u128, Vec<FieldError>> {
        let next = self.shared.pools.lock().ports.next(&self.shared.draw, &[]);
        let port = next.ok_or_else(|| full("spec.ports", "failed to allocate a nodePort: range is full"))?;
        self.taken.ports.push(port);
        Ok(port)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shared.free(&self.taken);
    }
}

impl Shared {
    fn is_first(&self, service: &Value) -> bool {
        let identity =
            (tree::str_at(service, "/metadata/namespace"), tree::str_at(service, "/metadata/name"));
        identity == FIRST_SERVICE
    }

    fn free(&self, holding: &Holding) {
        let mut pools = self.pools.lock();
        holding.addresses.iter().for_each(|(range, offset)| pools.addresses[*range].free(*offset));
        holding.ports.iter().for_each(|port| pools.ports.free(*port));
    }

    /// Addresses and ports of a Service.
    fn holding(&self, service: &Value) -> Holding {
        let addresses =
            tree::strings_at(service, "/spec/clusterIPs").filter_map(|text| self.place(text.parse().ok()?));
        let ports =
            tree::list(service, "/spec/ports").iter().filter_map(|port| tree::integer(port, "/nodePort"));
        let health = tree::integer(service, "/spec/healthCheckNodePort");
        let numbers = ports.chain(health).filter(|number| *number > 0);
        Holding {
            addresses: addresses.collect(),
            ports: numbers.filter_map(|number| u128::try_from(number).ok()).collect(),
        }
    }

    fn refused(&self, service: &Value, address: IpAddr, refusal: Refusal) -> Vec<FieldError> {
        let addresses = service.pointer("/spec/clusterIPs").cloned().unwrap_or(Value::Null);
        let detail = match refusal {
            Refusal::Taken => "provided IP is already allocated".to_owned(),
            Refusal::OutOfRange => format!(
                "the provided IP ({address}) is not in the valid range. The range of valid IPs is {}",
                self.range_for(address)
            ),
        };
        let detail = format!("failed to allocate IP {address}: {detail}");
        vec![FieldError::invalid("spec.clusterIPs", &addresses, detail)]
    }

    fn refused_port(&self, index: usize, port: u128, refusal: Refusal) -> Vec<FieldError> {
        let range = &self.node_ports;
        let detail = match refusal {
            Refusal::Taken => "provided port is already allocated".to_owned(),
            Refusal::OutOfRange => format!(
                "provided port is not in the valid range. The range of valid ports is {}-{}",
                range.start(),
                range.end()
            ),
        };
        let field = format!("spec.ports[{index}].nodePort");
        vec![FieldError::invalid(field, &json!(u64::try_from(port).unwrap_or_default()), detail)]
    }

    fn place(&self, address: IpAddr) -> Option<Place> {
        let range = self.ranges.iter().position(|range| range.contains(&address))?;
        Some((range, bits(address) - bits(self.ranges[range].network())))
    }

    /// The range of a family by its name in the API.
    fn range_of(&self, family: &str) -> Option<usize> {
        self.ranges.iter().position(|range| Family::from_address(range.addr()).name() == family)
    }

    /// The range that an address would have to be in.
    fn range_for(&self, address: IpAddr) -> String {
        let same = self
            .ranges
            .iter()
            .find(|range| Family::from_address(range.addr()) == Family::from_address(address));
        same.or(self.ranges.first()).map(ToString::to_string).unwrap_or_default()
    }

    fn address(&self, (range, offset): Place) -> IpAddr {
        match self.ranges[range].network() {
            IpAddr::V4(base) => {
                let offset = u32::try_from(offset).unwrap_or_default();
                IpAddr::V4(base.to_bits().wrapping_add(offset).into())
            }
            IpAddr::V6(base) => IpAddr::V6(base.to_bits().wrapping_add(offset).into()),
        }
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn full(field: &str, detail: &str) -> Vec<FieldError> {
    vec![FieldError::new(field, FieldErrorKind::Internal(detail.to_owned()))]
}
