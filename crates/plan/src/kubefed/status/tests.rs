use portolan_api::meta::{Condition, ObjectMeta};
use portolan_api::work::{ManifestStatus, WorkStatus};

use super::*;

fn work(applied: Option<(bool, &str, i64)>, was_applied: bool) -> Work {
    let mut status = WorkStatus::default();
    if let Some((holds, message, generation)) = applied {
        let mut condition = Condition::new(APPLIED, holds, "R", message, "t");
        condition.observed_generation = Some(generation);
        status.conditions.push(condition);
    }
    if was_applied {
        status.manifest_statuses.push(ManifestStatus::default());
    }
    Work { metadata: ObjectMeta { generation: 2, ..ObjectMeta::default() }, status, ..Work::default() }
}

fn leaving() -> Work {
    let mut work = work(None, true);
    work.metadata.deletion_timestamp = Some("t".to_owned());
    work
}

fn outcome(ready: bool, selected: bool, work: Option<&Work>, change: impl FnOnce(&mut Member<'_>)) -> String {
    let mut member = Member { name: "c1", is_ready: ready, is_selected: selected, work, ..Member::default() };
    change(&mut member);
    match report(&member) {
        Report::Absent => "absent".to_owned(),
        Report::Pending => "pending".to_owned(),
        Report::Known(status) => format!("[{}]", status.status),
    }
}

#[test]
fn each_cluster_has_the_status_of_kubefed() {
    let done = work(Some((true, "", 2)), true);
    let behind = work(Some((true, "", 1)), true);
    let exists = "resource(kind=ConfigMap, a/b) already exists in the cluster c1 and";
    let foreign = work(Some((false, exists, 2)), false);
    let unmanaged = work(Some((false, "it has the label kubefed.io/managed=false", 2)), false);
    let (refused, outdated) = (work(Some((false, "no", 2)), false), work(Some((false, "no", 2)), true));
    let (silent, leaving) = (work(None, false), leaving());
    let none = |_: &mut Member<'_>| {};
    let old = |member: &mut Member<'_>| member.age = TIMEOUT;
    let taken = |member: &mut Member<'_>| member.taken_by = Some("policy p".to_owned());
    let template = |member: &mut Member<'_>| member.fault = Some(Fault::Template(String::new()));
    let overrides = |member: &mut Member<'_>| member.fault = Some(Fault::Overrides(String::new()));
    let cases = [
        (outcome(false, true, None, none), "[ClusterNotReady]"),
        (outcome(false, true, Some(&done), none), "[ClusterNotReady]"),
        (outcome(false, false, Some(&done), none), "absent"),
        (outcome(true, false, None, none), "absent"),
        (outcome(true, false, Some(&leaving), none), "[WaitingForRemoval]"),
        (outcome(true, false, Some(&done), none), "[WaitingForRemoval]"),
        (outcome(true, true, None, none), "pending"),
        (outcome(true, true, None, old), "[CreationTimedOut]"),
        (outcome(true, true, Some(&silent), none), "pending"),
        (outcome(true, true, Some(&silent), old), "[CreationTimedOut]"),
        (outcome(true, true, Some(&behind), none), "pending"),
        (outcome(true, true, Some(&behind), old), "[UpdateTimedOut]"),
        (outcome(true, true, Some(&done), none), "[]"),
        (outcome(true, true, Some(&foreign), none), "[AlreadyExists]"),
        (outcome(true, true, None, taken), "[AlreadyExists]"),
        (outcome(true, true, Some(&unmanaged), none), "[ManagedLabelFalse]"),
        (outcome(true, true, Some(&refused), none), "[CreationFailed]"),
        (outcome(true, true, Some(&outdated), none), "[UpdateFailed]"),
        (outcome(true, true, Some(&done), template), "[ComputeResourceFailed]"),
        (outcome(true, true, Some(&done), overrides), "[ApplyOverridesFailed]"),
    ];
    for (number, (got, want)) in cases.into_iter().enumerate() {
        assert_eq!(got, want, "case {number}");
    }
}

fn cluster(status: &str) -> MemberStatus {
    MemberStatus { name: "c1".to_owned(), status: status.to_owned(), ..MemberStatus::default() }
}

#[test]
fn one_reason_is_reported_and_times_move_with_changes_only() {
    let fine = status(&FederatedStatus::default(), 1, &Findings::default(), vec![cluster("")], "t1");
    let condition = &fine.conditions[0];
    assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("True", ""));
    let again = status(&fine, 1, &Findings::default(), vec![cluster("")], "t2");
    assert_eq!(again, fine, "no change, no write");
    let failing = status(&fine, 1, &Findings::default(), vec![cluster("UpdateFailed")], "t3");
    assert_eq!(failing.conditions[0].reason, "CheckClusters");
    assert_eq!(failing.conditions[0].last_transition_time, "t3");
    let other = status(&failing, 1, &Findings::default(), vec![cluster("AlreadyExists")], "t4");
    assert_eq!(other.conditions[0].last_transition_time, "t3");
    assert_eq!(other.conditions[0].last_update_time, "t4");
    let findings = Findings { reason: Some(Reason::NamespaceNotFederated), ..Findings::default() };
    let gated = status(&other, 2, &findings, vec![cluster("WaitingForRemoval")], "t5");
    assert_eq!(gated.conditions[0].reason, "NamespaceNotFederated", "stronger than CheckClusters");
    assert_eq!(gated.observed_generation, 2);
}

#[test]
fn unknown_clusters_are_named() {
    let names = |name: &str| BTreeSet::from([name.to_owned()]);
    let findings =
        Findings { unknown: names("zz"), unknown_in_overrides: names("yy"), ..Findings::default() };
    let status = status(&FederatedStatus::default(), 1, &findings, vec![], "t");
    let want = "spec.placement names clusters that do not exist: zz; \
                spec.overrides names clusters that do not exist: yy";
    assert_eq!(status.conditions[0].message, want);
}
