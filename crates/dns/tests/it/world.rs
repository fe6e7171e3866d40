//! A server with the services of the test vectors.

use std::net::SocketAddr;
use std::sync::Arc;

use portolan_dns::server::Limits;
use portolan_dns::{Server, Statistics, ZoneSettings, Zones};
use portolan_net::Shutdown;
use portolan_object::{Object, yaml};
use portolan_plan::dns::{RecordSink, ServiceChange, ZoneKind, import, service};
use portolan_plan::import_marks::{import_of_slice, service_of_slice};

/// A server that stops at the end of the test.
pub(crate) struct World {
    pub(crate) zones: Arc<Zones>,
    pub(crate) server: SocketAddr,
    pub(crate) statistics: Statistics,
    runtime: tokio::runtime::Runtime,
    scope: Shutdown,
}

impl World {
    /// A server with empty zones that are not synced.
    pub(crate) fn empty(settings: Vec<ZoneSettings>) -> Self {
        Self::limited(settings, Limits::default())
    }

    /// The same with other limits.
    fn limited(settings: Vec<ZoneSettings>, limits: Limits) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let zones = Zones::new(settings).expect("zones");
        let scope = Shutdown::new();
        let (server, statistics) = runtime.block_on(async {
            let server = Server::bind(zones.clone(), "127.0.0.1:0".parse().expect("an address"), 2)
                .expect("a free port");
            let server = server.limits(limits);
            (server.addresses()[0], server.start(&scope).expect("threads"))
        });
        Self { zones, server, statistics, runtime, scope }
    }

    /// The test vectors in zone `clusterset.local`.
    pub(crate) fn of_vectors() -> Self {
        Self::of_vectors_limited(Limits::default())
    }

    /// The same with other limits.
    pub(crate) fn of_vectors_limited(limits: Limits) -> Self {
        let world = Self::limited(vec![ZoneSettings::new(ZoneKind::ClusterSet)], limits);
        world.import(&objects());
        world.zones.synced(ZoneKind::ClusterSet);
        world
    }

    /// Publishes every import among `objects`.
    pub(crate) fn import(&self, objects: &[Object]) {
        let imports = objects.iter().filter(|object| object.kind() == "ServiceImport");
        let changes = imports.map(|import| {
            let slices: Vec<&Object> =
                objects.iter().filter(|object| import_of_slice(object) == Some(import.key())).collect();
            ServiceChange {
                service: import.key(),
                records: import::records(import, None, &slices, "clusterset.local"),
            }
        });
        self.zones.publish(ZoneKind::ClusterSet, changes.collect());
    }

    /// Publishes every Service among `objects`.
    pub(crate) fn serve(&self, objects: &[Object]) {
        let services = objects.iter().filter(|object| object.kind() == "Service");
        let changes = services.map(|one| {
            let slices: Vec<&Object> =
                objects.iter().filter(|object| service_of_slice(object) == Some(one.key())).collect();
            ServiceChange { service: one.key(), records: service::records(one, &slices, "cluster.local") }
        });
        self.zones.publish(ZoneKind::Cluster, changes.collect());
    }

    /// Stops the server and waits for its end.
    pub(crate) fn stop(&self) {
        self.runtime.block_on(self.scope.drain(crate::client::PATIENCE)).expect("everything stops in time");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.scope.request();
    }
}

/// Objects of the test vectors.
pub(crate) fn objects() -> Vec<Object> {
    parse(include_str!("../../../plan/testdata/dns.yaml"))
}

pub(crate) fn parse(text: &str) -> Vec<Object> {
    yaml::parse_documents(text).expect("YAML").into_iter().map(Object).collect()
}
