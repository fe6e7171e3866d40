//! The servers that are part of this program: Portolan's, and an echo in the same loop.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use portolan_dns::{Server, ZoneSettings, Zones, datagrams};
use portolan_net::Shutdown;
use portolan_plan::dns::{RecordSink, ServiceChange, ZoneKind};

use super::questions::{World, change};
use crate::arguments::DnsServe;

/// Changes of records are made this often; several at once where the rate is higher.
const TICK: Duration = Duration::from_millis(1);

/// Different states of every service that changes.
const TURNS: u32 = 2;

pub(super) fn run(arguments: &DnsServe) -> Result<()> {
    if arguments.echo { echo(arguments) } else { answer(arguments) }
}

fn echo(arguments: &DnsServe) -> Result<()> {
    let socket = UdpSocket::bind(arguments.listen).context("cannot listen")?;
    let copy = |(): &(), query: &[u8], _: std::net::SocketAddr, answer: &mut Vec<u8>| {
        answer.clear();
        answer.extend_from_slice(query);
        true
    };
    datagrams::serve(&socket, &AtomicBool::new(false), || (), copy).context("cannot receive")
}

fn answer(arguments: &DnsServe) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let zones = Zones::new(vec![ZoneSettings::new(ZoneKind::ClusterSet)])?;
    zones.publish(ZoneKind::ClusterSet, World::of(arguments.services).changes);
    zones.synced(ZoneKind::ClusterSet);
    let scope = Shutdown::new();
    let _entered = runtime.enter();
    Server::bind(zones.clone(), arguments.listen, 1)?.start(&scope)?;
    if arguments.changes > 0 {
        keep_changing(&zones, arguments);
    }
    runtime.block_on(scope.requested());
    Ok(())
}

/// Gives one service after the other other addresses, at the wanted rate.
fn keep_changing(zones: &Arc<Zones>, arguments: &DnsServe) {
    let interval = Duration::from_secs(1) / arguments.changes;
    // Made before: what is measured is to put a change in force, not to invent it.
    let services = || 0..arguments.services;
    let changes: Vec<ServiceChange> =
        (1..=TURNS).flat_map(|turn| services().map(move |number| change(number, turn))).collect();
    let start = Instant::now();
    let mut made = 0u32;
    for change in changes.iter().cycle() {
        while start.elapsed() < interval.saturating_mul(made) {
            std::thread::sleep(TICK);
        }
        zones.publish(ZoneKind::ClusterSet, vec![change.clone()]);
        made = made.wrapping_add(1);
    }
}
