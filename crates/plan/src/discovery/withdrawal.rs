//! Whether a cluster uses the endpoints of another one, from three facts that are kept apart.
//!
//! | fact | how it is known |
//! | --- | --- |
//! | data path | the agent of the importing cluster connects to the endpoints; agents of other importing clusters do too |
//! | contact | the control plane asks the API server of the exporting cluster |
//! | heartbeat | the Lease of the agent of the importing cluster, without which its results are too old to count |
//!
//! No fact withdraws endpoints alone. A lost contact with endpoints that answer is a cut link or a dead API server, and
//! changes nothing. Endpoints that do not answer are withdrawn at once if the cluster has no contact either: it is dead. With
//! contact it is the network between the two clusters, which gets more time. Without any agent that looks, nothing is
//! withdrawn. What is unknown leaves everything as it is.

use std::fmt;
use std::time::Duration;

use portolan_api::probes::Sight;

use super::usage::Usage;

/// Contact of the control plane with the API server of the exporting cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Contact {
    /// Not asked yet.
    #[default]
    Unknown,
    /// It answers.
    Present,
    /// It does not answer.
    Lost,
}

/// What is known of an exporting cluster, for one importing cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// What the agents of the importing cluster see; `None` without a recent result.
    pub own: Option<Sight>,
    /// Whether the importing cluster has an agent, even if it is silent at present.
    pub has_agent: bool,
    /// What the agents of other importing clusters see.
    pub others: Vec<Sight>,
    /// Contact with its API server.
    pub contact: Contact,
}

/// Why the endpoints of a cluster are not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Its endpoints do not answer, and neither does its API server.
    Dead,
    /// Its endpoints do not answer here, but its API server does.
    Unreachable,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dead => "none of its endpoints answers the probes, and its API server does not answer the control plane",
            Self::Unreachable => {
                "none of its endpoints answers the probes of this cluster, although its API server answers the control plane: \
                 check routes and firewalls between the pods of the two clusters"
            }
        })
    }
}

/// Times of the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long endpoints of a cluster with contact do not answer before they are not used.
    pub unreachable: Duration,
    /// How long endpoints have to answer before they are used again; doubled with each return within [`Timing::memory`].
    pub back: Duration,
    /// Longest time of the same.
    pub longest_back: Duration,
    /// Time for which returns are remembered.
    pub memory: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            unreachable: Duration::from_secs(10),
            back: Duration::from_secs(5),
            longest_back: Duration::from_secs(60),
            memory: Duration::from_secs(600),
        }
    }
}

/// The decision about one exporting cluster in one importing cluster. Times are those of a monotonic clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Decision {
    /// Why its endpoints are not used; `None` if they are.
    pub withdrawn: Option<Cause>,
    /// Since when the facts contradict the decision.
    doubt: Option<Duration>,
    /// Returns in a row, and the time of the last one.
    returns: u32,
    returned: Duration,
}

impl Decision {
    /// The decision of an earlier run of the control plane, as the EndpointSlices show it.
    pub fn inherited(usage: Usage) -> Self {
        Self { withdrawn: (usage == Usage::Withdraw).then_some(Cause::Dead), ..Self::default() }
    }

    /// What is done with the endpoints.
    pub fn usage(&self) -> Usage {
        if self.withdrawn.is_some() { Usage::Withdraw } else { Usage::Keep }
    }

    /// Whether the decision may change without a change of the facts.
    pub fn is_pending(&self) -> bool {
        self.doubt.is_some()
    }

    /// The next decision, with the facts at `now`.
    pub fn next(mut self, facts: &Facts, timing: &Timing, now: Duration) -> Self {
        match (self.withdrawn, evidence(facts, self.withdrawn)) {
            (_, Evidence::None) => {
                // An interrupted doubt starts again.
                self.doubt = None;
            }
            (None, Evidence::Alive) => self.doubt = None,
            (None, Evidence::Failed(cause)) => {
                let since = *self.doubt.get_or_insert(now);
                let patience = if cause == Cause::Dead { Duration::ZERO } else { timing.unreachable };
                if now.saturating_sub(since) >= patience {
                    self.withdrawn = Some(cause);
                    self.doubt = None;
                }
            }
            (Some(_), Evidence::Failed(cause)) => {
                self.withdrawn = Some(cause);
                self.doubt = None;
            }
            (Some(_), Evidence::Alive) => {
                let since = *self.doubt.get_or_insert(now);
                if now.saturating_sub(self.returned) > timing.memory {
                    self.returns = 0;
                }
                let factor = 2u32.saturating_pow(self.returns.min(8));
                let patience = timing.back.saturating_mul(factor).min(timing.longest_back);
                if now.saturating_sub(since) >= patience {
                    let returns = self.returns.saturating_add(1);
                    self = Self { withdrawn: None, doubt: None, returns, returned: now };
                }
            }
        }
        self
    }
}

/// What the facts say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Evidence {
    Alive,
    Failed(Cause),
    None,
}

fn evidence(facts: &Facts, withdrawn: Option<Cause>) -> Evidence {
    match facts.own {
        Some(Sight::Answering) => Evidence::Alive,
        Some(Sight::Doubtful) => Evidence::None,
        Some(Sight::Refused | Sight::Silent) => match facts.contact {
            Contact::Lost => Evidence::Failed(Cause::Dead),
            Contact::Present => Evidence::Failed(Cause::Unreachable),
            // The control plane has not asked yet, which takes a second.
            Contact::Unknown => Evidence::None,
        },
        // Only the agent that is silent now can tell that the network is repaired.
        None if facts.has_agent && withdrawn == Some(Cause::Unreachable) => Evidence::None,
        None => {
            let is_seen = facts.others.contains(&Sight::Answering);
            let is_unseen = !facts.others.is_empty() && facts.others.iter().all(|sight| sight.is_failed());
            match (facts.contact, is_seen, is_unseen) {
                (_, true, _) | (Contact::Present, ..) => Evidence::Alive,
                (Contact::Lost, _, true) => Evidence::Failed(Cause::Dead),
                _ => Evidence::None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(own: Option<Sight>, others: &[Sight], contact: Contact) -> Facts {
        Facts { own, has_agent: own.is_some(), others: others.to_vec(), contact }
    }

    #[test]
    fn no_fact_withdraws_alone() {
        use Contact::{Lost, Present, Unknown};
        use Sight::{Answering, Doubtful, Refused, Silent};
        let dead = Evidence::Failed(Cause::Dead);
        let cases = [
            ("no probes, no contact", facts(None, &[], Lost), Evidence::None),
            ("a cut link: endpoints answer", facts(Some(Answering), &[], Lost), Evidence::Alive),
            (
                "a dead API server, seen by another cluster",
                facts(None, &[Answering, Silent], Lost),
                Evidence::Alive,
            ),
            ("a dead cluster", facts(Some(Silent), &[Silent], Lost), dead),
            ("a cluster that refuses", facts(Some(Refused), &[], Lost), dead),
            ("a dead cluster that only others see", facts(None, &[Silent, Refused], Lost), dead),
            ("others are not sure", facts(None, &[Silent, Doubtful], Lost), Evidence::None),
            ("a stall", facts(Some(Doubtful), &[], Lost), Evidence::None),
            (
                "the network between the two",
                facts(Some(Silent), &[Answering], Present),
                Evidence::Failed(Cause::Unreachable),
            ),
            ("own sight counts more than that of others", facts(Some(Silent), &[Answering], Lost), dead),
            ("the contact is not known yet", facts(Some(Silent), &[], Unknown), Evidence::None),
            ("no probes, with contact", facts(None, &[], Present), Evidence::Alive),
        ];
        for (name, facts, want) in cases {
            assert_eq!(evidence(&facts, None), want, "{name}");
        }
    }

    #[test]
    fn a_silent_agent_does_not_say_that_the_network_is_repaired() {
        let silent_agent = Facts { has_agent: true, ..facts(None, &[Sight::Answering], Contact::Present) };
        assert_eq!(evidence(&silent_agent, Some(Cause::Unreachable)), Evidence::None);
        assert_eq!(evidence(&silent_agent, Some(Cause::Dead)), Evidence::Alive);
        let no_agent = Facts { has_agent: false, ..silent_agent };
        assert_eq!(evidence(&no_agent, Some(Cause::Unreachable)), Evidence::Alive);
    }

    #[test]
    fn decisions_over_time() {
        let answers = facts(Some(Sight::Answering), &[], Contact::Present);
        let dead = facts(Some(Sight::Silent), &[], Contact::Lost);
        let cut = facts(Some(Sight::Silent), &[], Contact::Present);
        let nothing = facts(None, &[], Contact::Lost);
        // Each row: steps of (second, facts, whether the endpoints are withdrawn then).
        let cases = [
            ("a dead cluster goes at once", Usage::Keep, vec![(0, &answers, false), (1, &dead, true)]),
            (
                "the network gets more time",
                Usage::Keep,
                vec![(0, &cut, false), (9, &cut, false), (10, &cut, true)],
            ),
            (
                "an answer in between",
                Usage::Keep,
                vec![(0, &cut, false), (9, &answers, false), (11, &cut, false), (20, &cut, false)],
            ),
            (
                "a return takes five seconds",
                Usage::Keep,
                vec![(0, &dead, true), (10, &answers, true), (14, &answers, true), (15, &answers, false)],
            ),
            (
                "the second return takes ten",
                Usage::Keep,
                vec![
                    (0, &dead, true),
                    (10, &answers, true),
                    (15, &answers, false),
                    (20, &dead, true),
                    (30, &answers, true),
                    (39, &answers, true),
                    (40, &answers, false),
                ],
            ),
            (
                "what is unknown changes nothing",
                Usage::Keep,
                vec![(0, &nothing, false), (100, &nothing, false), (101, &dead, true), (200, &nothing, true)],
            ),
            (
                "a restart with a dead cluster",
                Usage::Withdraw,
                vec![(0, &nothing, true), (60, &nothing, true), (61, &dead, true)],
            ),
        ];
        for (name, inherited, steps) in cases {
            let mut decision = Decision::inherited(inherited);
            for (second, facts, want) in steps {
                decision = decision.next(facts, &Timing::default(), Duration::from_secs(second));
                assert_eq!(decision.withdrawn.is_some(), want, "{name} at {second} s");
            }
        }
    }
}
