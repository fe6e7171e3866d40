use portolan_api::resources;
use std::convert::Infallible;
use std::time::Duration;

use http::{Request, Response};
use parking_lot::Mutex;

use super::*;
use crate::client::{Body, Credential};

fn nowhere() -> Client {
    Client::in_process(tower::service_fn(|_: Request<Body>| {
        std::future::pending::<Result<Response<Body>, Infallible>>()
    }))
}

fn address(token: &str) -> Endpoint {
    let url = "https://127.0.0.1:1".to_owned();
    Endpoint { url, credential: Credential::Token(token.to_owned()), ..Endpoint::default() }
}

#[tokio::test]
async fn members_come_change_and_go() {
    let scope = Shutdown::new();
    let members = Members::with_dial(&scope, Arc::new(|_, _| Ok(nowhere())));
    let log = Arc::new(Mutex::new(Vec::new()));
    let name = ClusterName::new("eu");

    let first = members.put(&name, address("1")).expect("a usable endpoint");
    let sink = log.clone();
    members.observe(move |change| {
        sink.lock().push(match change {
            MembershipChange::Joined(member) => format!("+{}", member.name()),
            MembershipChange::Left(name) => format!("-{name}"),
        });
    });
    let same = members.put(&name, address("1")).expect("a usable endpoint");
    assert!(Arc::ptr_eq(&first, &same), "nothing changed");
    let second = members.put(&name, address("2")).expect("a usable endpoint");
    assert!(!Arc::ptr_eq(&first, &second));
    assert!(first.scope().is_requested(), "what ran for the old client ends");
    assert!(!second.scope().is_requested());
    members.remove(&name);
    members.remove(&name);
    assert!(second.scope().is_requested());
    assert_eq!(*log.lock(), ["+eu", "+eu", "-eu"]);
    assert!(scope.drain(Duration::from_secs(1)).await.is_ok());
}

#[tokio::test]
async fn a_cache_of_a_member_is_started_once() {
    let scope = Shutdown::new();
    let members = Members::with_dial(&scope, Arc::new(|_, _| Ok(nowhere())));
    let member = members.put(&ClusterName::new("eu"), address("1")).expect("a usable endpoint");
    let pods = resources::POD.into();
    let mut started = 0;
    member.managed_with(&pods, |_| started += 1);
    member.managed_with(&pods, |_| started += 1);
    assert_eq!(started, 1);
}
