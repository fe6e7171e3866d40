//! Counts of one class of attacks.

use crate::health::HealthReport;

/// Notes that are printed; further ones are counted.
const MAX_NOTES: usize = 40;

/// What came of the attempts of one class.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    attempts: u64,
    refused: u64,
    harmless: u64,
    succeeded: u64,
    lost: u64,
    health: HealthReport,
    notes: Vec<String>,
    omitted: usize,
}

impl Tally {
    pub(crate) const HEADER: &str = "class        attempts  refused  harmless  succeeded  lost  health checks  failed  P99 ms  slowest ms";

    /// Of a class that could not run to its end, which counts as a success of the attack.
    pub(crate) fn of_broken_class(error: &anyhow::Error) -> Self {
        let mut tally = Self::default();
        tally.succeeded(format!("the class ended early: {error:#}"));
        tally
    }

    /// The attempt was answered with an error.
    pub(crate) fn refused(&mut self) {
        self.attempts += 1;
        self.refused += 1;
    }

    /// The attempt was accepted, and did no harm.
    pub(crate) fn harmless(&mut self) {
        self.attempts += 1;
        self.harmless += 1;
    }

    /// The attempt did harm.
    pub(crate) fn succeeded(&mut self, note: String) {
        self.attempts += 1;
        self.succeeded += 1;
        self.note(format!("SUCCEEDED: {note}"));
    }

    /// Acknowledged data are gone.
    pub(crate) fn lost(&mut self, number: u64, note: String) {
        self.lost += number;
        self.note(format!("LOST {number}: {note}"));
    }

    /// An observation to be printed.
    pub(crate) fn note(&mut self, note: String) {
        if self.notes.len() < MAX_NOTES { self.notes.push(note) } else { self.omitted += 1 }
    }

    /// Health checks that were made meanwhile. Checks without an answer count as a success of the attack.
    pub(crate) fn add_health(&mut self, health: &HealthReport) {
        if health.failed > 0 {
            self.succeeded += 1;
            self.note(format!("SUCCEEDED: {} of {} health checks failed", health.failed, health.checks));
        }
        self.health.add(health);
    }

    pub(crate) fn notes(&self) -> impl Iterator<Item = String> {
        let omitted = (self.omitted > 0).then(|| format!("… and {} more", self.omitted));
        self.notes.iter().cloned().chain(omitted)
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.succeeded > 0 || self.lost > 0
    }

    /// Health checks that were made meanwhile.
    pub(crate) fn health(&self) -> &HealthReport {
        &self.health
    }

    pub(crate) fn row(&self, class: &str) -> String {
        let health = &self.health;
        format!(
            "{class:<12} {:>8} {:>8} {:>9} {:>10} {:>5} {:>14} {:>7} {:>7} {:>11}",
            self.attempts,
            self.refused,
            self.harmless,
            self.succeeded,
            self.lost,
            health.checks,
            health.failed,
            health.p99().as_millis(),
            health.slowest().as_millis(),
        )
    }
}
