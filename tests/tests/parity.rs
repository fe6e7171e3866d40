//! The embedded API server answers a corpus of requests as kube-apiserver does, but for what `docs/conformance/parity.md`
//! lists.

use std::fmt::Write as _;
use std::thread;

use portolan_e2e::Server;
use portolan_e2e::kubernetes::{ControlPlane, Role};
use portolan_e2e::parity::{self, listed, normal};
use portolan_e2e::proxy::Proxy;

#[test]
fn answers_are_those_of_kubernetes() {
    let plane = ControlPlane::start(Role::Hub, "10.96.0.0/16");
    let server = Server::start("127.0.0.1", &[]);
    let (theirs, ours) = (Proxy::start(&plane.kubectl()), Proxy::start(&server.kubectl()));
    let cases = parity::corpus();
    let (our_replies, their_replies) = thread::scope(|scope| {
        let theirs = scope.spawn(|| parity::send(&theirs, &cases));
        (parity::send(&ours, &cases), theirs.join().expect("kube-apiserver answers"))
    });
    let rows = listed::rows();
    let mut is_needed = vec![false; rows.len()];
    let mut unlisted = String::new();
    let mut different = 0;
    for ((case, our), their) in cases.iter().zip(&our_replies).zip(&their_replies) {
        for difference in normal::differences(our, their) {
            let matching: Vec<usize> =
                (0..rows.len()).filter(|index| rows[*index].matches(case, &difference)).collect();
            matching.iter().for_each(|index| is_needed[*index] = true);
            if matching.is_empty() {
                different += 1;
                let normal::Difference { place, ours, theirs } = difference;
                let (method, path) = (case.request.method, &case.request.path);
                let text = format!(
                    "{}\n  {method} {path}\n  {place}\n    ours   {ours}\n    theirs {theirs}",
                    case.name
                );
                writeln!(unlisted, "{text}").expect("a String takes everything");
            }
        }
    }
    println!("{} cases", cases.len());
    let stale: Vec<_> =
        rows.iter().zip(is_needed).filter(|(_, is_needed)| !is_needed).map(|(row, _)| row).collect();
    assert!(cases.len() > 1000, "{} cases", cases.len());
    assert!(different == 0, "{different} differences in {} cases:\n{unlisted}", cases.len());
    assert!(stale.is_empty(), "rows of docs/conformance/parity.md without a difference: {stale:?}");
}
