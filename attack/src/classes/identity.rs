//! Rights × requests, with Kubernetes' own API server as the judge.
//!
//! Users with one right each send random requests to both servers. The attack succeeds where ours allows what the other
//! refuses.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use portolan_e2e::kubernetes::{ControlPlane, Role};
use portolan_e2e::proxy::{Proxy, Reply, Request};
use portolan_e2e::rbac_matrix::{Grant, families, fixtures};
use portolan_e2e::{Kubectl, eventually};
use rand::RngExt as _;
use serde_json::Value;

use super::Setting;
use crate::health::HealthChecks;
use crate::tally::Tally;

/// kube-apiserver sees new roles a little later.
const ATTEMPTS: usize = 4;
const PAUSE: Duration = Duration::from_millis(300);

pub(super) async fn run(setting: &Setting) -> Result<Tally> {
    let setting = setting.clone();
    let attack = tokio::task::spawn_blocking(move || compare(&setting)).await;
    attack.context("the comparison with kube-apiserver failed")?
}

fn compare(setting: &Setting) -> Result<Tally> {
    let folder = tempfile::tempdir()?;
    let server = setting.start(&folder)?;
    let plane = ControlPlane::start(Role::Hub, "10.96.0.0/16");
    let kubectl = kubectl(&server.kubeconfig(), folder.path());
    let (theirs, ours) = (Proxy::start(&plane.kubectl()), Proxy::start(&kubectl));
    let families = families();
    let grants: Vec<&Grant> = families.iter().flat_map(|family| &family.grants).collect();
    let requests: Vec<&Request> = families.iter().flat_map(|family| &family.requests).collect();
    let rights = grants.iter().flat_map(|grant| grant.objects());
    for (collection, object) in fixtures().into_iter().chain(rights) {
        create(&theirs, &collection, &object);
        create(&ours, &collection, &object);
    }
    let health = HealthChecks::start(server.client()?);
    let (mut random, mut tally, deadline) = (setting.random(), Tally::default(), setting.deadline());
    while Instant::now() < deadline {
        let grant = grants[random.random_range(0..grants.len())];
        let request = requests[random.random_range(0..requests.len())];
        let (our, their) = ask(&ours, &theirs, grant, request);
        let what = format!("{}: {} {}", grant.name, request.method, request.path);
        match (our.code < 400, their.code < 400) {
            (true, false) => {
                tally.succeeded(format!("{what}: {}, kube-apiserver {}", our.code, their.code));
            }
            (true, true) => tally.harmless(),
            (false, is_allowed) => {
                if is_allowed || our.code != their.code {
                    tally.note(format!("{what}: {}, kube-apiserver {}", our.code, their.code));
                }
                tally.refused();
            }
        }
    }
    tally.add_health(&health.finish());
    Ok(tally)
}

fn kubectl(kubeconfig: &Path, folder: &Path) -> Kubectl {
    Kubectl::new(kubeconfig, &folder.join("cache"))
}

fn create(proxy: &Proxy, collection: &str, object: &Value) {
    let (path, body) = (collection.to_owned(), object.clone());
    let request =
        Request { method: "POST", path, content_type: "application/json", accept: "application/json", body };
    eventually(&format!("{} to be created", object["metadata"]["name"]), || {
        let reply = proxy.send("", &request);
        if matches!(reply.code, 201 | 409) { Ok(()) } else { Err(format!("{} {}", reply.code, reply.body)) }
    });
}

/// Asks both until they agree, at most [`ATTEMPTS`] times.
fn ask(ours: &Proxy, theirs: &Proxy, grant: &Grant, request: &Request) -> (Reply, Reply) {
    let send = || (ours.send(&grant.user, request), theirs.send(&grant.user, request));
    let mut replies = send();
    for _ in 1..ATTEMPTS {
        if replies.0.code == replies.1.code {
            break;
        }
        thread::sleep(PAUSE);
        replies = send();
    }
    replies
}
