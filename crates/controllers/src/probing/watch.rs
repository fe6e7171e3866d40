//! Rounds of probes: which endpoints are connected to, and what is noted of each answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use portolan_api::probes::{MAX_SERVICES, ProbeReport, ServiceReport, Sight, SourceReport};
use portolan_net::Clock;
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::http_probe::Trial;
use portolan_plan::discovery::probing::{History, Round, Target, targets};
use portolan_runtime::Cache;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::send::{Answer, probe};
use super::{Connect, INTERVAL, PROBES_PER_ROUND, PROBES_PER_SOURCE, Probes, SHORT_INTERVAL};

/// Shortest time between two computations of the targets.
const TARGETS_INTERVAL: Duration = Duration::from_secs(1);
/// Longest time between two reports. A changed sight is reported at once.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Time after which a first refusal is confirmed by another round.
const CONFIRMATION: Duration = Duration::from_millis(100);
/// Lateness of a round from which on the agent itself was stalled.
const STALL: Duration = Duration::from_millis(250);

/// The end of one probe.
struct Ended {
    source: String,
    round: u64,
    target: Target,
    answer: Answer,
}

/// One exporting cluster.
struct Source {
    targets: Vec<Target>,
    history: History,
    sight: Sight,
    since: String,
    /// The endpoint that answered last, which is probed in every round.
    answering: Option<Target>,
    next: usize,
    due: Duration,
    /// Rounds that have not ended: probes that still run, and the answers so far.
    open: BTreeMap<u64, (usize, Round)>,
    services: BTreeMap<ObjectKey, ServiceReport>,
    /// Results of the HTTP probes of each service.
    trials: BTreeMap<ObjectKey, Trial>,
}

pub(super) struct Watch {
    slices: Cache<Object>,
    connect: Connect,
    probes: Probes,
    clock: Clock,
    changed: Arc<AtomicBool>,
    sources: BTreeMap<String, Source>,
    round: u64,
    /// Time of the last report.
    reported: Duration,
    ended: (mpsc::UnboundedSender<Ended>, mpsc::UnboundedReceiver<Ended>),
}

impl Watch {
    pub(super) fn new(slices: &Cache<Object>, connect: Connect, probes: Probes, clock: &Clock) -> Self {
        let changed = Arc::new(AtomicBool::new(true));
        let noted = changed.clone();
        slices.observe(move |_| noted.store(true, Ordering::SeqCst));
        // Bounded by the number of probes that run, which end after a timeout.
        let ended = mpsc::unbounded_channel();
        Self {
            slices: slices.clone(),
            connect,
            probes,
            clock: clock.clone(),
            changed,
            sources: BTreeMap::new(),
            round: 0,
            reported: Duration::ZERO,
            ended,
        }
    }

    pub(super) async fn run(mut self) {
        self.slices.synced().await;
        let mut computed: Option<Duration> = None;
        let mut tick = self.clock.elapsed();
        loop {
            let now = self.clock.elapsed();
            let late = now.saturating_sub(tick);
            if late > STALL {
                self.sources.values_mut().for_each(|source| source.history.forgive(late));
            }
            if computed.is_none_or(|at| now.saturating_sub(at) >= TARGETS_INTERVAL)
                && self.changed.swap(false, Ordering::SeqCst)
            {
                self.set_targets(now);
                computed = Some(now);
            }
            self.start_rounds(now);
            let is_changed = self.sources.values().any(|source| source.history.sight(now) != source.sight);
            if is_changed || now.saturating_sub(self.reported) >= REPORT_INTERVAL {
                self.publish(now);
            }
            tick = now + SHORT_INTERVAL;
            let mut next = Instant::now() + SHORT_INTERVAL;
            loop {
                tokio::select! {
                    () = tokio::time::sleep_until(next) => break,
                    Some(ended) = self.ended.1.recv() => if self.note(ended) {
                        next = next.min(Instant::now() + CONFIRMATION);
                    },
                }
            }
        }
    }

    /// Follows the imported slices. What is known of a cluster stays while it has endpoints.
    fn set_targets(&mut self, now: Duration) {
        let slices = self.slices.list();
        let wanted = targets(slices.iter().map(AsRef::as_ref));
        self.sources.retain(|cluster, _| wanted.contains_key(cluster));
        for (cluster, targets) in wanted.into_iter().take(PROBES_PER_ROUND) {
            let source = self.sources.entry(cluster).or_insert_with(|| Source {
                targets: Vec::new(),
                history: History::new(now),
                sight: Sight::Doubtful,
                since: crate::time::rfc3339(&self.clock),
                answering: None,
                next: 0,
                due: now,
                open: BTreeMap::new(),
                services: BTreeMap::new(),
                trials: BTreeMap::new(),
            });
            source.answering = source.answering.take().filter(|target| targets.contains(target));
            source.services.retain(|service, _| targets.iter().any(|target| target.service == *service));
            source.trials.retain(|service, _| source.services.contains_key(service));
            source.targets = targets;
        }
    }

    fn start_rounds(&mut self, now: Duration) {
        let per_source = (PROBES_PER_ROUND / self.sources.len().max(1)).clamp(1, PROBES_PER_SOURCE);
        for (cluster, source) in self.sources.iter_mut().filter(|(_, source)| source.due <= now) {
            let is_seen = source.history.sight(now) == Sight::Answering;
            source.due = now + if is_seen { INTERVAL } else { SHORT_INTERVAL };
            let chosen = source.choose(per_source);
            self.round += 1;
            source.open.insert(self.round, (chosen.len(), Round::default()));
            for target in chosen {
                let (cluster, round, connect) = (cluster.clone(), self.round, self.connect.clone());
                let ended = self.ended.0.clone();
                tokio::spawn(async move {
                    let answer = probe(&connect, &target).await;
                    // The receiver is gone when the agent stops.
                    let _ = ended.send(Ended { source: cluster, round, target, answer });
                });
            }
        }
    }

    /// Notes the end of a probe. True if another round is to confirm soon that the cluster refuses.
    fn note(&mut self, ended: Ended) -> bool {
        let Ended { source, round, target, answer } = ended;
        let (now, time) = (self.clock.elapsed(), crate::time::rfc3339(&self.clock));
        let Some(source) = self.sources.get_mut(&source) else { return false };
        if source.targets.contains(&target) {
            let trial = source.trials.entry(target.service.clone()).or_default();
            match &answer {
                _ if target.request.is_none() => *trial = Trial::default(),
                Answer::Taken => trial.note(true, now),
                Answer::Failed(_) => trial.note(false, now),
                // The sight of the cluster covers endpoints that cannot be reached.
                Answer::Refused | Answer::Silent => {}
            }
            let report = ServiceReport {
                namespace: target.service.namespace.clone(),
                name: target.service.name.clone(),
                answers: answer == Answer::Taken && target.fault.is_none(),
                failure: match &answer {
                    Answer::Failed(failure) => failure.clone(),
                    Answer::Taken => target.fault.clone().unwrap_or_default(),
                    Answer::Refused | Answer::Silent => String::new(),
                },
                is_failing: trial.is_failing(),
                endpoint: target.address.to_string(),
                time,
            };
            source.services.insert(target.service.clone(), report);
        }
        let Some((left, counts)) = source.open.get_mut(&round) else { return false };
        match answer {
            // An endpoint that answers with an error is seen.
            Answer::Taken | Answer::Failed(_) => {
                counts.answered += 1;
                // At once: the other probes of the round may take seconds.
                source.history.note(Round { answered: 1, ..Round::default() }, now);
                source.answering = Some(target);
            }
            Answer::Refused => counts.refused += 1,
            Answer::Silent => counts.silent += 1,
        }
        *left = left.saturating_sub(1);
        let mut is_refusal = false;
        if *left == 0 {
            let counts = *counts;
            source.open.remove(&round);
            // An answer was noted when it came.
            if counts.answered == 0 {
                source.history.note(counts, now);
                is_refusal = counts.refused > 0 && counts.silent == 0;
            }
        }
        let sight = source.history.sight(now);
        let is_unconfirmed = is_refusal && sight != Sight::Refused;
        if is_unconfirmed {
            source.due = now + CONFIRMATION;
        }
        if sight != source.sight {
            self.publish(now);
        }
        is_unconfirmed
    }

    /// Publishes what is seen now.
    fn publish(&mut self, now: Duration) {
        self.reported = now;
        let mut left = MAX_SERVICES;
        let time = crate::time::rfc3339(&self.clock);
        let sources = self.sources.iter_mut().map(|(cluster, source)| {
            let sight = source.history.sight(now);
            if sight != source.sight {
                tracing::info!(cluster, ?sight, "endpoints of the cluster are seen differently");
                source.sight = sight;
                source.since.clone_from(&time);
            }
            let mut services: Vec<ServiceReport> = source.services.values().cloned().collect();
            services.sort_by_key(|service| service.answers);
            services.truncate(left);
            left -= services.len();
            SourceReport { cluster: cluster.clone(), sight, since: source.since.clone(), services }
        });
        let report = ProbeReport { sources: sources.collect() };
        self.probes.set(report);
    }
}

impl Source {
    /// The endpoint that answered last, and others in turn.
    fn choose(&mut self, count: usize) -> Vec<Target> {
        let mut chosen: Vec<Target> = self.answering.iter().cloned().collect();
        for _ in 0..self.targets.len() {
            if chosen.len() >= count {
                break;
            }
            let target = self.targets.get(self.next % self.targets.len());
            self.next = self.next.wrapping_add(1);
            chosen.extend(target.filter(|target| !chosen.contains(target)).cloned());
        }
        chosen
    }
}
