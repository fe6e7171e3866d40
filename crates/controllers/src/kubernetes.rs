//! The controllers of kube-controller-manager for clusters with an embedded API server.
//!
//! [`housekeeping`] starts the namespace controller and the garbage collector, for every API server. [`workloads`] starts
//! the controllers of pods and endpoints, for clusters with nodes. The decisions are in `plan::kubernetes`.

mod autoscalers;
mod claims;
mod controller;
mod cron_jobs;
mod daemon_sets;
mod deployments;
mod disruption_budgets;
mod endpoints;
mod endpoints_mirror;
mod expectations;
mod garbage;
mod idle;
mod jobs;
mod namespaces;
mod replica_sets;
mod revisions;
mod signing_requests;
mod slow_start;
mod stateful_sets;
mod volumes;

use portolan_api::{kubernetes, resources};
use portolan_net::{Clock, Shutdown};
use portolan_object::Object;
use portolan_runtime::cache::{Caches, drop_managed_fields};
use portolan_runtime::{Cache, Client, Resource};

use crate::collections::{Collections, Extent};

pub use idle::IdleKinds;
pub use signing_requests::Sign;
pub use volumes::Provisioner;

/// Workers of each controller: an API server in the same process answers in microseconds.
const WORKERS: usize = 4;

/// CustomResourceDefinitions, by which kinds come and go.
pub fn definitions(client: &Client, scope: &Shutdown) -> Cache<Object> {
    let resource = Resource::from(resources::CUSTOM_RESOURCE_DEFINITION);
    // The schemas are most of their size, and no controller reads them.
    let drop_schemas = |definition: &mut Object| {
        drop_managed_fields(definition);
        let versions = definition.0.get_mut("spec").and_then(|spec| spec.get_mut("versions"));
        for version in versions.and_then(serde_json::Value::as_array_mut).into_iter().flatten() {
            if let Some(version) = version.as_object_mut() {
                version.remove("schema");
            }
        }
    };
    Cache::of(client, resource).trim(drop_schemas).start(scope)
}

/// Starts the namespace controller and the garbage collector; `ca_pem` is the CA of the API server.
pub fn housekeeping(
    client: &Client,
    definitions: &Cache<Object>,
    ca_pem: &str,
    clock: &Clock,
    scope: &Shutdown,
) {
    let everything = Collections::start(
        client,
        definitions,
        |found| found.allows(&["delete"]) && found.resource.gvk.kind != "Event",
        // Ownership, finalizers and deletion are all that housekeeping looks at, and the status of namespaces.
        Extent::Identity,
        scope,
    );
    namespaces::start(client, &everything, ca_pem, clock, scope);
    garbage::start(client, &everything, clock, scope);
}

/// Starts the signer of client certificates for the API server, and deletes old requests.
pub fn certificates(client: &Client, sign: Sign, clock: &Clock, scope: &Shutdown) {
    signing_requests::start(client, sign, clock, scope);
}

/// Starts the controllers of PersistentVolumes and their claims, which make volumes below a directory.
pub fn volumes(caches: &Caches, provisioner: Provisioner, clock: &Clock, scope: &Shutdown) {
    volumes::start(caches, provisioner, clock, scope);
}

/// Starts the controllers of workloads, EndpointSlices and disruption budgets.
pub fn workloads(caches: &Caches, clock: &Clock, scope: &Shutdown) {
    let client = caches.client();
    let pods = caches.of(&resources::POD.into());
    claims::index(&pods);
    let sets = caches.of(&resources::REPLICA_SET.into());
    claims::index(&sets);
    deployments::start(client, &sets, &pods, clock, scope);
    replica_sets::start(client, &replica_sets::REPLICA_SETS, &sets, &pods, clock, scope);
    let controllers = caches.of(&resources::REPLICATION_CONTROLLER.into());
    let names = &replica_sets::REPLICATION_CONTROLLERS;
    replica_sets::start(client, names, &controllers, &pods, clock, scope);
    let revisions = caches.of(&resources::CONTROLLER_REVISION.into());
    claims::index(&revisions);
    stateful_sets::start(caches, &pods, &revisions, clock, scope);
    endpoints::start(caches, &pods, scope);
    daemon_sets::start(caches, &pods, &revisions, clock, scope);
    disruption_budgets::start(caches, &pods, clock, scope);
    let jobs = caches.of(&resources::JOB.into());
    jobs.add_index("controller", |_, job| controller_uid(job));
    jobs::start(client, &jobs, &pods, clock, scope);
    cron_jobs::start(client, &jobs, clock, scope);
    autoscalers::start(client, clock, scope);
}

fn controller_uid(object: &Object) -> Vec<String> {
    kubernetes::controller(object).map(|owner| owner.uid.to_owned()).into_iter().collect()
}
