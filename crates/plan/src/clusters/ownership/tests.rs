use portolan_api::meta::ObjectMeta;

use super::*;

const SECONDS_40: Duration = Duration::from_secs(40);

fn control_plane(id: &str, name: &str) -> ControlPlane {
    ControlPlane { id: id.to_owned(), name: name.to_owned() }
}

fn lease(id: &str, name: &str, now: &str) -> Object {
    held_lease(&control_plane(id, name), "eu", None, SECONDS_40, now)
}

#[test]
fn only_the_holder_writes_a_lease() {
    let (ours, theirs) = (lease("a", "", "t"), lease("b", "https://hub", "t"));
    let mut released = ours.clone();
    released.0["spec"]["holderIdentity"] = json!("");
    let cases = [
        ("no lease", None, "create"),
        ("ours", Some(&ours), "write"),
        ("released", Some(&released), "write"),
        ("another's", Some(&theirs), "refuse control plane https://hub (id b)"),
    ];
    for (name, present, want) in cases {
        let step = match plan(present, "a") {
            LeaseStep::Create => "create".to_owned(),
            LeaseStep::Write => "write".to_owned(),
            LeaseStep::Refuse(holder) => format!("refuse {holder}"),
        };
        assert_eq!(step, want, "{name}");
    }
}

#[test]
fn a_renewal_keeps_what_the_lease_says_about_its_holder() {
    let first = lease("a", "https://hub", "t1");
    let renewed = held_lease(&control_plane("a", ""), "eu", Some(&first), SECONDS_40, "t2");
    let holder = Holder::of(&renewed).expect("a holder");
    assert_eq!(holder.control_plane, control_plane("a", "https://hub"), "the name stays");
    assert_eq!((holder.renewed.as_str(), holder.duration), ("t2", SECONDS_40));
    assert_eq!(renewed.str_at(&["spec", "acquireTime"]), "t1");
    assert_eq!(renewed.at(&["spec", "leaseTransitions"]), Some(&json!(0)));

    let taken = held_lease(&control_plane("b", ""), "east", Some(&renewed), SECONDS_40, "t3");
    let holder = Holder::of(&taken).expect("a holder");
    assert_eq!(holder.control_plane, control_plane("b", ""), "the name of the other one goes");
    assert_eq!(holder.cluster, "east");
    assert_eq!(taken.str_at(&["spec", "acquireTime"]), "t3");
    assert_eq!(taken.at(&["spec", "leaseTransitions"]), Some(&json!(1)));
    assert_eq!(taken.label(labels::CONTROL_PLANE), Some("b"));
}

#[test]
fn a_replacement_names_the_version_that_it_replaces() {
    let mut present = lease("a", "", "t1");
    present.metadata_mut().insert("resourceVersion".to_owned(), json!("7"));
    let taken = held_lease(&control_plane("b", ""), "eu", Some(&present), SECONDS_40, "t2");
    assert_eq!(taken.resource_version(), "7");
}

#[test]
fn a_lease_is_observed_whatever_the_clocks_say() {
    let seconds = Duration::from_secs;
    let holder = |duration: u64| {
        let mut lease = lease("a", "", "t");
        lease.0["spec"]["leaseDurationSeconds"] = json!(duration);
        Holder::of(&lease).expect("a holder")
    };
    let cases = [
        ("renewed a moment ago", holder(40), Some(seconds(3)), seconds(40)),
        ("no time", holder(40), None, seconds(40)),
        ("long ago", holder(40), Some(seconds(4000)), seconds(20)),
        ("the duration is limited", holder(1_000_000), None, seconds(120)),
    ];
    for (name, holder, age, want) in cases {
        assert_eq!(observation(&holder, age), want, "{name}");
    }
    let mut lease = lease("a", "", "t");
    lease.0["spec"]["leaseDurationSeconds"] = serde_json::Value::Null;
    assert_eq!(Holder::of(&lease).expect("a holder").duration, DEFAULT_DURATION);
}

#[test]
fn the_message_names_the_other_and_the_cure() {
    let holder = Holder::of(&lease("b", "https://hub", "2026-01-02T03:04:05.000000Z")).expect("a holder");
    let alive = held_by_another(&holder, "eu", true);
    assert!(alive.contains("control plane https://hub (id b)") && alive.contains("it is running"), "{alive}");
    assert!(!alive.contains("--take-over") && alive.contains("portolan unjoin eu"), "{alive}");
    let gone = held_by_another(&holder, "eu", false);
    assert!(gone.contains("last seen 2026-01-02T03:04:05"), "{gone}");
    assert!(gone.contains("`portolan join eu --take-over`"), "{gone}");
}

#[test]
fn own_objects() {
    let mut object = Object(json!({ "metadata": { "name": "x" } }));
    assert!(is_own(&object, "a"), "of a version before the label");
    stamp(&mut object, "a");
    assert!(is_own(&object, "a"));
    assert!(!is_own(&object, "b"));
    assert!(is_own(&stamped(&object, "b"), "b"));
}

#[test]
fn another_cluster_at_the_same_address() {
    let joined = |id: &str| {
        let metadata = ObjectMeta::cluster("eu");
        let mut cluster = Cluster { metadata, ..Cluster::default() };
        cluster.spec.id = id.to_owned();
        cluster.spec.api_endpoint = "https://eu.test".to_owned();
        cluster
    };
    assert_eq!(another_cluster(&joined("a"), "a"), None);
    assert_eq!(another_cluster(&joined(""), "a"), None, "made by other means, without an id");
    let message = another_cluster(&joined("a"), "b").expect("another one");
    assert!(message.starts_with("at https://eu.test answers another cluster"), "{message}");
    assert!(
        message.contains("is b, and was a") && message.contains("`portolan unjoin eu --force`"),
        "{message}"
    );
}
