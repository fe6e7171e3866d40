//! Status code and message of every answer to a generated matrix of rights and requests are those of Kubernetes' own
//! API server.

use portolan_e2e::kubernetes::{ControlPlane, Role};
use portolan_e2e::proxy::{Proxy, Reply, Request};
use portolan_e2e::rbac_matrix::{self, Grant};
use portolan_e2e::{Server, eventually};
use serde_json::Value;

fn create(proxy: &Proxy, collection: &str, object: &Value) {
    let request = Request {
        method: "POST",
        path: collection.to_owned(),
        content_type: "application/json",
        accept: "application/json",
        body: object.clone(),
    };
    eventually(&format!("{} to be created", object["metadata"]["name"]), || {
        let reply = proxy.send("", &request);
        if matches!(reply.code, 201 | 409) { Ok(()) } else { Err(format!("{} {}", reply.code, reply.body)) }
    });
}

/// Asks both servers until they agree or a moment has passed: kube-apiserver sees new roles a little later.
fn differs(ours: &Proxy, theirs: &Proxy, grant: &Grant, request: &Request) -> Option<(Reply, Reply)> {
    let mut replies = None;
    for attempt in 0..4 {
        if attempt > 0 {
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        let [our, their] = [ours, theirs].map(|proxy| proxy.send(&grant.user, request));
        let is_same = our.code == their.code && (our.code < 400 || our.message() == their.message());
        if is_same {
            return None;
        }
        replies = Some((our, their));
    }
    replies
}

#[test]
fn rights_are_those_of_kubernetes() {
    let plane = ControlPlane::start(Role::Hub, "10.96.0.0/16");
    let server = Server::start("127.0.0.1", &[]);
    let (theirs, ours) = (Proxy::start(&plane.kubectl()), Proxy::start(&server.kubectl()));
    let families = rbac_matrix::families();
    let fixtures = rbac_matrix::fixtures();
    for proxy in [&theirs, &ours] {
        for (collection, object) in &fixtures {
            create(proxy, collection, object);
        }
        for grant in families.iter().flat_map(|family| &family.grants) {
            for (collection, object) in grant.objects() {
                create(proxy, &collection, &object);
            }
        }
    }
    let mut cases = 0;
    let mut different = Vec::new();
    for family in &families {
        for grant in &family.grants {
            for request in &family.requests {
                cases += 1;
                if let Some((our, their)) = differs(&ours, &theirs, grant, request) {
                    different.push(format!(
                        "{}: {} {}\n  ours   {} {}\n  theirs {} {}",
                        grant.name,
                        request.method,
                        request.path,
                        our.code,
                        our.message(),
                        their.code,
                        their.message()
                    ));
                }
            }
        }
    }
    println!("{cases} cases");
    assert!(cases >= 500, "{cases} cases");
    assert!(different.is_empty(), "{} of {cases} differ:\n{}", different.len(), different.join("\n"));
}
