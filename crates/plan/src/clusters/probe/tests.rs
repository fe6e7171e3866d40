use super::*;

#[test]
fn a_flip_has_to_last() {
    let lost = || Probe::Unreachable("refused".to_owned());
    let not_held =
        || Probe::NotHeld { reason: "HeldByAnotherControlPlane".to_owned(), message: String::new() };
    let ready = [Probe::Healthy.condition("t")];
    let not_ready = [lost().condition("t")];
    // Each row: published conditions, then (second, probe, verdict).
    use Verdict::{Keep, NotSeen, Publish};
    let cases = [
        ("first contact counts at once", &[][..], vec![(0, Probe::Healthy, Publish)]),
        ("first failure counts at once", &[][..], vec![(0, lost(), Publish)]),
        ("agreement", &ready[..], vec![(0, Probe::Healthy, Publish)]),
        (
            "a failure must last",
            &ready[..],
            vec![(0, Probe::Healthy, Publish), (10, lost(), Keep), (39, lost(), Keep), (40, lost(), Publish)],
        ),
        (
            "one good probe ends the doubt",
            &ready[..],
            vec![(0, lost(), NotSeen), (20, Probe::Healthy, Publish), (31, lost(), Keep), (60, lost(), Keep)],
        ),
        (
            "recovery must last",
            &not_ready[..],
            vec![(0, Probe::Healthy, Keep), (30, Probe::Healthy, Publish)],
        ),
        (
            "caches report trouble only after a while",
            &ready[..],
            vec![(0, Probe::Unwatchable("x".to_owned()), Publish)],
        ),
        ("another control plane holds it", &ready[..], vec![(0, not_held(), Publish)]),
        ("too much data is told at once", &ready[..], vec![(0, Probe::OverBudget("x".to_owned()), Publish)]),
        (
            "a suspended credential is told at once",
            &ready[..],
            vec![(0, Probe::Suspended("x".to_owned()), Publish)],
        ),
        (
            "a refused credential is told at once",
            &ready[..],
            vec![(0, Probe::Refused("x".to_owned()), Publish)],
        ),
        (
            "another kind of failure is told at once",
            &not_ready[..],
            vec![(0, Probe::Unhealthy("x".to_owned()), Publish)],
        ),
    ];
    check(&cases);
}

#[test]
fn a_restart_shows_no_dead_cluster_as_ready() {
    use Verdict::{Keep, NotSeen, Publish};
    let lost = || Probe::Unreachable("refused".to_owned());
    let ready = [Probe::Healthy.condition("t")];
    let not_seen = [lost().not_seen("t")];
    check(&[
        (
            "unknown until it has lasted",
            &ready[..],
            vec![(0, lost(), NotSeen), (29, lost(), NotSeen), (30, lost(), Publish)],
        ),
        (
            "what was not seen has to last too",
            &not_seen[..],
            vec![(0, lost(), Keep), (29, lost(), Keep), (30, lost(), Publish)],
        ),
        (
            "one good probe is enough for what was not seen",
            &not_seen[..],
            vec![(0, lost(), Keep), (10, Probe::Healthy, Publish)],
        ),
    ]);
}

/// Rows of a name, the published conditions, and then second, probe and verdict.
type Row<'a> = (&'a str, &'a [Condition], Vec<(u64, Probe, Verdict)>);

fn check(rows: &[Row<'_>]) {
    for (name, conditions, probes) in rows {
        let mut doubt = Doubt::default();
        for (second, probe, want) in probes {
            let elapsed = Duration::from_secs(*second);
            let thresholds =
                Thresholds { success: Duration::from_secs(30), failure: Duration::from_secs(30) };
            let published = doubt.verdict(conditions, probe, elapsed, elapsed, thresholds);
            assert_eq!(published, *want, "{name} at {second} s");
        }
    }
}

/// The second in which a cluster that fails at the second 0 is published as not ready. It was ready; the next probe is at
/// the second `first`, and each takes `takes`.
fn published_after(first: u64, takes: u64) -> f64 {
    let ready = [Probe::Healthy.condition("t")];
    let (thresholds, interval) = (Thresholds::default(), Duration::from_secs(10));
    let lost = Probe::Unreachable("refused".to_owned());
    let mut doubt = Doubt { was_seen: true, ..Doubt::default() };
    let mut asked = Duration::from_secs(first);
    loop {
        let now = asked + Duration::from_secs(takes);
        if doubt.verdict(&ready, &lost, asked, now, thresholds) == Verdict::Publish {
            return now.as_secs_f64();
        }
        asked = now.max(asked + doubt.pause(interval));
    }
}

#[test]
fn a_dead_cluster_is_not_ready_within_ten_seconds() {
    // A connection that breaks starts a probe within a second, and the probe is refused at once.
    assert!(published_after(1, 0) <= 10.0, "{}", published_after(1, 0));
    // Packets that are dropped are noticed at the next probe, which ends after its timeout.
    assert!(published_after(10, 5) <= 20.0, "{}", published_after(10, 5));
}

#[test]
fn a_cluster_that_cannot_be_reached_is_asked_often() {
    let (thresholds, interval) = (Thresholds::default(), Duration::from_secs(10));
    let pause = |probe: Probe| {
        let mut doubt = Doubt { was_seen: true, ..Doubt::default() };
        doubt.verdict(&[probe.condition("t")], &probe, Duration::ZERO, Duration::ZERO, thresholds);
        doubt.pause(interval).as_secs()
    };
    let text = || "why".to_owned();
    assert_eq!(pause(Probe::Healthy), 10);
    assert_eq!(pause(Probe::Refused(text())), 10, "it answers, and has to be mended");
    assert_eq!(pause(Probe::Unreachable(text())), 2);
}

#[test]
fn a_cluster_has_a_condition_about_its_lease_once_it_was_lost() {
    let lost = Probe::NotHeld { reason: "HeldByAnotherControlPlane".to_owned(), message: "b".to_owned() };
    let said = |probe: &Probe, before: &[Condition]| {
        let condition = probe.hold_condition(before, "t")?;
        Some(format!("{} {}", condition.status.as_str(), condition.reason))
    };
    let before = [lost.hold_condition(&[], "t").expect("a condition")];
    assert_eq!(said(&lost, &[]).as_deref(), Some("False HeldByAnotherControlPlane"));
    assert_eq!(said(&Probe::Healthy, &[]), None, "never lost");
    assert_eq!(said(&Probe::Healthy, &before).as_deref(), Some("True LeaseHeld"));
    assert_eq!(said(&Probe::Unreachable(String::new()), &before), None, "not known");
    assert_eq!(lost.condition("t").reason, "HeldByAnotherControlPlane");
    assert!(!lost.is_answered() && !lost.is_healthy());
}

#[test]
fn reasons_say_whether_anybody_answered() {
    let reason = |probe: Probe| probe.condition("t").reason;
    assert_eq!(reason(Probe::Healthy), "ClusterReady");
    assert_eq!(reason(Probe::Unhealthy(String::new())), "ClusterNotReady");
    assert_eq!(reason(Probe::Unreachable(String::new())), "ClusterNotReachable");
    assert_eq!(reason(Probe::OverBudget(String::new())), "MemoryBudgetExceeded");
    assert_eq!(reason(Probe::Suspended(String::new())), "CredentialSuspended");
    assert_eq!(reason(Probe::Refused(String::new())), "CredentialRefused");
    assert_eq!(reason(Probe::Distrusted(String::new())), "CertificateNotTrusted");
}
