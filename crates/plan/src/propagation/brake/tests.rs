use portolan_api::annotations::work::REMOVAL_CAUSE;
use portolan_api::meta::{ObjectMeta, set_condition};

use super::*;

const BEFORE: &str = "2026-05-01T10:00:00Z";
const AFTER: &str = "2026-05-01T11:00:00Z";

fn cluster(released: Option<&str>) -> Cluster {
    let mut cluster = Cluster { metadata: ObjectMeta::cluster("eu"), ..Cluster::default() };
    if let Some(time) = released {
        cluster.metadata.annotations.insert(DELETIONS_RELEASED.to_owned(), time.to_owned());
    }
    cluster
}

fn work(cause: Cause, deleted: &str) -> Work {
    let mut metadata = ObjectMeta::namespaced("karmada-es-eu", "w");
    metadata.deletion_timestamp = Some(deleted.to_owned());
    metadata.annotations.insert(REMOVAL_CAUSE.to_owned(), cause.to_string());
    metadata.annotations.insert(portolan_api::annotations::binding::NAME.to_owned(), "b".to_owned());
    Work { metadata, ..Work::default() }
}

fn deletion(cause: Cause, deleted: &str) -> Deletion {
    Deletion::of(&work(cause, deleted)).expect("it is being deleted")
}

fn brake<'a>(cluster: &'a Cluster, distrust: Option<&'a Distrust>) -> Brake<'a> {
    Brake { budget: Budget::default(), distrust, cluster }
}

fn restored() -> Distrust {
    Distrust { since: "2026-05-01T10:30:00Z".to_owned(), reason: "it was restored".to_owned() }
}

#[test]
fn an_agent_is_told_whether_the_state_is_trusted() {
    let told = |distrust: Option<&Distrust>, cluster: &mut Cluster| {
        let change = Distrust::to_tell_agent(distrust, cluster);
        match change.clone().flatten() {
            Some(text) => drop(cluster.metadata.annotations.insert(DISTRUST.to_owned(), text)),
            None if change.is_some() => drop(cluster.metadata.annotations.remove(DISTRUST)),
            None => {}
        }
        (change.is_some(), Distrust::told_to_agent(cluster, AFTER))
    };
    let mut push = cluster(None);
    assert_eq!(told(Some(&restored()), &mut push), (false, None));
    let mut pull = cluster(None);
    pull.spec.sync_mode = SyncMode::Pull;
    assert_eq!(told(None, &mut pull), (false, None));
    assert_eq!(told(Some(&restored()), &mut pull), (true, Some(restored())));
    assert_eq!(told(Some(&restored()), &mut pull), (false, Some(restored())));
    assert_eq!(told(None, &mut pull), (true, None));
    pull.metadata.annotations.insert(DISTRUST.to_owned(), "{".to_owned());
    let unreadable = Distrust::told_to_agent(&pull, AFTER).expect("distrust");
    assert_eq!(unreadable.since, AFTER);
}

#[test]
fn many_withdrawals_are_held_and_few_are_not() {
    let cluster = cluster(None);
    let cases = [
        ("nothing", 100, 0, 0, Verdict::Go),
        ("a few", 100, 20, 0, Verdict::Go),
        ("all of a small cluster", 20, 20, 0, Verdict::Go),
        ("a fifth of a large one", 100, 21, 0, Verdict::Settle),
        ("a third", 100, 31, 0, Verdict::HoldMany),
        ("all of it", 100, 100, 0, Verdict::HoldMany),
        ("drop by drop", 80, 1, 20, Verdict::Settle),
        ("drop by drop, too many", 60, 1, 40, Verdict::HoldMany),
    ];
    for (name, objects, pending, recent, want) in cases {
        let load = Load { objects, pending, recent, quiet_for: QUIET_TIME };
        assert_eq!(brake(&cluster, None).decide(load), want, "{name}");
    }
    let off = Brake { budget: Budget { percent: 100, ..Budget::default() }, ..brake(&cluster, None) };
    assert_eq!(off.decide(Load { objects: 100, pending: 100, ..Load::default() }), Verdict::Settle);
}

#[test]
fn the_first_withdrawal_waits_for_those_that_come_with_it() {
    let cluster = cluster(None);
    let first = Load { objects: 100, pending: 1, ..Load::default() };
    assert_eq!(brake(&cluster, None).decide(first), Verdict::Gather);
    assert_eq!(brake(&cluster, None).decide(Load { quiet_for: QUIET_TIME, ..first }), Verdict::Go);
    let more = Load { pending: 31, ..first };
    assert_eq!(brake(&cluster, None).decide(more), Verdict::HoldMany, "none was executed");
}

#[test]
fn only_conclusions_count_and_only_until_they_are_released() {
    let unreleased = cluster(None);
    assert!(brake(&unreleased, None).counts(&deletion(Cause::Withdrawn, BEFORE)));
    for cause in
        [Cause::TemplateDeleted, Cause::NamespaceDeleted, Cause::ClusterUnjoined, Cause::BindingDeleted]
    {
        assert!(!brake(&unreleased, None).counts(&deletion(cause, BEFORE)), "{cause}");
    }
    let released = cluster(Some("2026-05-01T10:30:00Z"));
    assert!(!brake(&released, None).counts(&deletion(Cause::Withdrawn, BEFORE)));
    assert!(brake(&released, None).counts(&deletion(Cause::Withdrawn, AFTER)), "a later one");
}

#[test]
fn a_restored_state_withdraws_nothing_until_it_is_released() {
    let distrust = restored();
    let unreleased = cluster(None);
    let one = Load { objects: 100, pending: 1, quiet_for: QUIET_TIME, ..Load::default() };
    assert_eq!(brake(&unreleased, Some(&distrust)).decide(one), Verdict::HoldDistrusted);
    assert!(
        brake(&unreleased, Some(&distrust)).counts(&deletion(Cause::TemplateDeleted, BEFORE)),
        "was under way"
    );
    assert!(
        !brake(&unreleased, Some(&distrust)).counts(&deletion(Cause::TemplateDeleted, AFTER)),
        "a user's"
    );
    let released = cluster(Some(AFTER));
    assert_eq!(brake(&released, Some(&distrust)).decide(one), Verdict::Go);
    let earlier = cluster(Some(BEFORE));
    assert_eq!(
        brake(&earlier, Some(&distrust)).decide(one),
        Verdict::HoldDistrusted,
        "released before the restore"
    );
}

#[test]
fn a_hold_lasts_until_nothing_waits() {
    let mut cluster = cluster(None);
    let many = Load { objects: 40, pending: 30, ..Load::default() };
    let names: Vec<String> = (0..30).map(|index| format!("ConfigMap shop/c{index}")).collect();
    let held = brake(&cluster, None).condition(many, &names, "t").expect("held");
    assert!(held.is_true());
    assert_eq!(
        held.message,
        "The deletion of 30 of 40 objects is held, because more than 20 objects and more than 30 % of the cluster's \
         objects are withdrawn at once: ConfigMap shop/c0, ConfigMap shop/c1, ConfigMap shop/c2, ConfigMap shop/c3, \
         ConfigMap shop/c4 and 25 more. If they are to be deleted, run `portolan release eu`. If not, put right the \
         policy, the placement or the labels of the cluster that placed them here; they then stay."
    );
    set_condition(&mut cluster.status.conditions, held);
    let few = Load { objects: 40, pending: 2, ..Load::default() };
    assert_eq!(brake(&cluster, None).decide(few), Verdict::HoldMany, "those that are left are still held");
    assert_eq!(brake(&cluster, None).hold(), Some(Verdict::HoldMany), "whatever their number");
    let done = brake(&cluster, None).condition(Load::default(), &[], "t").expect("a condition");
    assert_eq!((done.is_true(), done.reason.as_str()), (false, NO_DELETIONS_HELD));
}

#[test]
fn a_cluster_that_was_never_held_has_no_condition() {
    assert_eq!(brake(&cluster(None), None).condition(Load::default(), &[], "t"), None);
}
