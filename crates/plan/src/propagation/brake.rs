//! The brake: holds a mass deletion in a member until a user releases it.
//!
//! Deletions by a user are never held ([`Cause::is_deletion_by_user`]). Withdrawals are conclusions: a typing error in one
//! policy, a lost label of a cluster or an old state of the control plane withdraws everything at once. They are counted per
//! cluster, and held above a budget. A hold stays until it is released, or until nothing is to be deleted any more because
//! the policy was put right.

use std::time::Duration;

use portolan_api::annotations::cluster::{DELETIONS_RELEASED, DISTRUST};
use portolan_api::cluster::{Cluster, SyncMode};
use portolan_api::conditions::cluster::{
    DELETION_BUDGET_EXCEEDED, DELETIONS_HELD, NO_DELETIONS_HELD, STATE_NOT_TRUSTED,
};
use portolan_api::meta::{Condition, condition};
use portolan_api::work::Work;
use serde::{Deserialize, Serialize};

use super::removal::{Cause, Origin};

/// Time between the first of many withdrawals and their execution, so that all of them are counted before one is executed.
pub const SETTLING_TIME: Duration = Duration::from_secs(2);
/// Time without another withdrawal from the cluster after which a few are executed. Those of one mistake come at once: the
/// first one waits until all of them are counted.
pub const QUIET_TIME: Duration = Duration::from_millis(500);
/// Objects that the message of the condition names, at most.
const MAX_NAMED: usize = 5;

/// How many objects may be withdrawn from one cluster within [`Budget::window`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// This number of objects is always allowed.
    pub objects: usize,
    /// Above that number, this share of the cluster's objects is allowed, in percent. 100 allows everything.
    pub percent: u8,
    /// Time in which withdrawals are added up.
    pub window: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self { objects: 20, percent: 30, window: Duration::from_secs(60) }
    }
}

impl Budget {
    fn allows(&self, load: Load) -> bool {
        let withdrawn = load.pending + load.recent;
        withdrawn <= self.objects
            || withdrawn * 100 <= (load.objects + load.recent) * usize::from(self.percent)
    }
}

/// Works of one cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// All Works, those that are being deleted among them.
    pub objects: usize,
    /// Those that wait for a deletion that counts.
    pub pending: usize,
    /// Deletions that counted within the window.
    pub recent: usize,
    /// Time since the last withdrawal was asked for.
    pub quiet_for: Duration,
}

/// Why the state of the control plane is not trusted: it comes from a backup, or objects in it are damaged. Withdrawals are
/// then held whatever their number, and so are deletions from before `since`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distrust {
    /// Start, in the format of `metav1.Time`. A release after it ends the distrust for a cluster.
    pub since: String,
    /// The cause, as a part of a sentence.
    pub reason: String,
}

impl Distrust {
    /// What the control plane has written on a Cluster for its agent. A text that cannot be read is distrust from now on.
    pub fn told_to_agent(cluster: &Cluster, now: &str) -> Option<Self> {
        let text = cluster.metadata.annotation(DISTRUST)?;
        let unreadable = |error| Self {
            since: now.to_owned(),
            reason: format!("annotation {DISTRUST} of the cluster cannot be read: {error}"),
        };
        Some(serde_json::from_str(text).unwrap_or_else(unreadable))
    }

    /// The annotation of a Cluster for its agent; `None` if it is as it should be. The outer value is what is written, and
    /// `None` in it removes it.
    pub fn to_tell_agent(distrust: Option<&Self>, cluster: &Cluster) -> Option<Option<String>> {
        let is_pull = cluster.spec.sync_mode == SyncMode::Pull;
        let wanted = distrust.filter(|_| is_pull).map(|distrust| serde_json::json!(distrust).to_string());
        (cluster.metadata.annotation(DISTRUST) != wanted.as_deref()).then_some(wanted)
    }
}

/// What happens to a deletion that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is executed.
    Go,
    /// It waits until no more withdrawals come; see [`QUIET_TIME`].
    Gather,
    /// It waits until all withdrawals are counted; see [`SETTLING_TIME`].
    Settle,
    /// It is held, because the budget is exceeded.
    HoldMany,
    /// It is held, because the state of the control plane is not trusted.
    HoldDistrusted,
}

impl Verdict {
    /// Whether it is held.
    pub fn is_hold(self) -> bool {
        matches!(self, Self::HoldMany | Self::HoldDistrusted)
    }
}

/// The brake of one cluster.
#[derive(Debug, Clone, Copy)]
pub struct Brake<'a> {
    /// The allowed withdrawals.
    pub budget: Budget,
    /// Whether the state of the control plane is not trusted.
    pub distrust: Option<&'a Distrust>,
    /// The cluster.
    pub cluster: &'a Cluster,
}

impl Brake<'_> {
    /// Whether the deletion of a Work counts, so that it can be held.
    pub fn counts(&self, work: &Work) -> bool {
        let Some(deleted) = &work.metadata.deletion_timestamp else { return false };
        if self.released().is_some_and(|released| is_until(deleted, released)) {
            return false;
        }
        let is_conclusion = Cause::of(work).is_some_and(|cause| !cause.is_deletion_by_user());
        let is_from_before = self.distrusted().is_some_and(|distrust| is_until(deleted, &distrust.since));
        is_conclusion || is_from_before && Origin::of(work) != Origin::User
    }

    /// Decides about the deletions that count.
    pub fn decide(&self, load: Load) -> Verdict {
        if load.pending == 0 {
            return Verdict::Go;
        }
        if self.distrusted().is_some() {
            return Verdict::HoldDistrusted;
        }
        let known = condition(&self.cluster.status.conditions, DELETIONS_HELD);
        if known.is_some_and(Condition::is_true) || !self.budget.allows(load) {
            return Verdict::HoldMany;
        }
        if load.pending + load.recent > self.budget.objects {
            return Verdict::Settle;
        }
        if load.quiet_for < QUIET_TIME { Verdict::Gather } else { Verdict::Go }
    }

    /// The condition of the Cluster; `None` if it needs none. `names` are the objects that wait.
    pub fn condition(&self, load: Load, names: &[String], now: &str) -> Option<Condition> {
        let verdict = self.decide(load);
        let cluster = &self.cluster.metadata.name;
        let reason = match verdict {
            Verdict::Go | Verdict::Gather | Verdict::Settle => {
                condition(&self.cluster.status.conditions, DELETIONS_HELD)?;
                let message = "No deletion is held.";
                return Some(Condition::new(DELETIONS_HELD, false, NO_DELETIONS_HELD, message, now));
            }
            Verdict::HoldMany => DELETION_BUDGET_EXCEEDED,
            Verdict::HoldDistrusted => STATE_NOT_TRUSTED,
        };
        let Load { objects, pending, .. } = load;
        let cause = match self.distrusted() {
            Some(distrust) => distrust.reason.clone(),
            None => format!(
                "more than {} objects and more than {} % of the cluster's objects are withdrawn at once",
                self.budget.objects, self.budget.percent
            ),
        };
        let named: Vec<&str> = names.iter().take(MAX_NAMED).map(String::as_str).collect();
        let more = match pending.saturating_sub(named.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let message = format!(
            "The deletion of {pending} of {objects} objects is held, because {cause}: {}{more}. If they are to be deleted, \
             run `portolan release {cluster}`. If not, put right the policy, the placement or the labels of the cluster \
             that placed them here; they then stay.",
            named.join(", ")
        );
        Some(Condition::new(DELETIONS_HELD, true, reason, message, now))
    }

    fn released(&self) -> Option<&str> {
        self.cluster.metadata.annotation(DELETIONS_RELEASED)
    }

    /// The distrust, unless it was released for this cluster.
    fn distrusted(&self) -> Option<&Distrust> {
        self.distrust
            .filter(|distrust| self.released().is_none_or(|released| !is_until(&distrust.since, released)))
    }
}

/// Whether `time` is not later than `end`. Both are `metav1.Time`, UTC with whole seconds, which sort as texts.
fn is_until(time: &str, end: &str) -> bool {
    time <= end
}

#[cfg(test)]
mod tests {
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
        assert!(brake(&unreleased, None).counts(&work(Cause::Withdrawn, BEFORE)));
        for cause in
            [Cause::TemplateDeleted, Cause::NamespaceDeleted, Cause::ClusterUnjoined, Cause::BindingDeleted]
        {
            assert!(!brake(&unreleased, None).counts(&work(cause, BEFORE)), "{cause}");
        }
        let released = cluster(Some("2026-05-01T10:30:00Z"));
        assert!(!brake(&released, None).counts(&work(Cause::Withdrawn, BEFORE)));
        assert!(brake(&released, None).counts(&work(Cause::Withdrawn, AFTER)), "a later one");
    }

    #[test]
    fn a_restored_state_withdraws_nothing_until_it_is_released() {
        let distrust = restored();
        let unreleased = cluster(None);
        let one = Load { objects: 100, pending: 1, quiet_for: QUIET_TIME, ..Load::default() };
        assert_eq!(brake(&unreleased, Some(&distrust)).decide(one), Verdict::HoldDistrusted);
        assert!(
            brake(&unreleased, Some(&distrust)).counts(&work(Cause::TemplateDeleted, BEFORE)),
            "was under way"
        );
        assert!(
            !brake(&unreleased, Some(&distrust)).counts(&work(Cause::TemplateDeleted, AFTER)),
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
        assert_eq!(
            brake(&cluster, None).decide(few),
            Verdict::HoldMany,
            "those that are left are still held"
        );
        let done = brake(&cluster, None).condition(Load::default(), &[], "t").expect("a condition");
        assert_eq!((done.is_true(), done.reason.as_str()), (false, NO_DELETIONS_HELD));
    }

    #[test]
    fn a_cluster_that_was_never_held_has_no_condition() {
        assert_eq!(brake(&cluster(None), None).condition(Load::default(), &[], "t"), None);
    }
}
