//! The table of a run: one line per server, medians of the rounds. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::load::Asked;
use crate::arguments::Dns;
use crate::machine::Machine;
use crate::statistics::Summary;

/// The least share of the echo's rate.
const ECHO_SHARE: f64 = 0.85;

/// One measurement of one server.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Sample {
    /// Answers per second, as fast as they came.
    pub(super) rate: f64,
    /// Processor time of the server per answer.
    pub(super) micros_per_answer: f64,
    /// At half of that rate.
    pub(super) median_micros: f64,
    /// At half of that rate.
    pub(super) p99_micros: f64,
    /// Answers with another code or number of records than they should have.
    pub(super) wrong: u64,
    /// Questions without an answer, at full rate and at half.
    pub(super) lost: [u64; 2],
}

impl Sample {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53 answers")]
    pub(super) fn of(peak: &Asked, used: Duration, paced: Asked) -> Self {
        let latencies: Vec<f64> = paced.latencies.iter().map(|time| time.as_secs_f64() * 1e6).collect();
        let summary = Summary::of(&latencies);
        Self {
            rate: peak.rate(),
            micros_per_answer: used.as_secs_f64() * 1e6 / peak.answered.max(1) as f64,
            median_micros: summary.map_or(f64::NAN, |summary| summary.median),
            p99_micros: summary.map_or(f64::NAN, |summary| summary.p99),
            wrong: peak.wrong + paced.wrong,
            lost: [peak.lost, paced.lost],
        }
    }
}

/// All measurements of one server.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    name: &'static str,
    version: String,
    pub(super) samples: Vec<Sample>,
}

impl Measured {
    pub(super) fn new(name: &'static str, version: String) -> Self {
        Self { name, version, samples: Vec::new() }
    }

    fn median(&self, value: impl Fn(&Sample) -> f64) -> Option<f64> {
        let values: Vec<f64> = self.samples.iter().map(value).collect();
        Summary::of(&values).map(|summary| summary.median)
    }

    /// Answers that one core gives in a second, by the processor time that they cost.
    fn per_core(&self) -> Option<f64> {
        self.median(|sample| 1e6 / sample.micros_per_answer)
    }
}

/// A run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    machine: Machine,
    services: u32,
    seconds: u64,
    rounds: u32,
    pub(super) servers: Vec<Measured>,
    pub(super) missing: Vec<String>,
    pub(super) failures: Vec<String>,
}

impl Report {
    pub(super) fn new(machine: Machine, arguments: &Dns) -> Self {
        Self {
            machine,
            services: arguments.services,
            seconds: arguments.seconds,
            rounds: arguments.rounds,
            servers: Vec::new(),
            missing: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// The text to print.
    pub(super) fn render(&self) -> String {
        let Machine { cores, processor, kernel, memory, load_before, .. } = &self.machine;
        let mut text = format!(
            "Machine: {cores} cores ({processor}), {} GiB memory, {kernel}, load {load_before} before the run.\n\
             Each server alone on one core, the asking side on another, over loopback; {} services; {} rounds of {} s \
             each, medians of the rounds.\n\n\
             | server | answers/s | processor time per answer | answers/s per core | of the echo | P50 at half load | \
             P99 at half load | wrong | lost at full / half load |\n|---|---|---|---|---|---|---|---|---|\n",
            memory.div_ceil(1 << 30),
            self.services,
            self.rounds,
            self.seconds
        );
        let per_core = |name| self.servers.iter().find(|one| one.name == name).and_then(Measured::per_core);
        let echo = per_core("echo");
        for server in &self.servers {
            let Some(own) = server.per_core() else { continue };
            let show = |value: Option<f64>, digits| {
                value.map(|value| format!("{value:.digits$}")).unwrap_or_default()
            };
            let sum = |value: fn(&Sample) -> u64| server.samples.iter().map(value).sum::<u64>();
            let _ = writeln!(
                text,
                "| {} | {} | {} us | {own:.0} | {} % | {} us | {} us | {} | {} / {} |",
                server.name,
                show(server.median(|sample| sample.rate), 0),
                show(server.median(|sample| sample.micros_per_answer), 2),
                show(echo.map(|echo| own * 100.0 / echo), 0),
                show(server.median(|sample| sample.median_micros), 0),
                show(server.median(|sample| sample.p99_micros), 0),
                sum(|sample| sample.wrong),
                sum(|sample| sample.lost[0]),
                sum(|sample| sample.lost[1]),
            );
        }
        text.push('\n');
        if let Some(own) = per_core("portolan") {
            let targets = [
                ("85 % of the echo", echo.map(|echo| echo * ECHO_SHARE)),
                ("NSD", per_core("nsd")),
                ("Knot DNS", per_core("knot")),
                ("5 x CoreDNS", per_core("coredns").map(|coredns| coredns * 5.0)),
            ];
            for (name, target) in targets {
                let Some(target) = target else { continue };
                let verdict = if own >= target { "met" } else { "missed" };
                let _ = writeln!(
                    text,
                    "- portolan, answers/s per core, at least {name} ({target:.0}): {verdict}"
                );
            }
        }
        for server in self.servers.iter().filter(|server| !server.version.is_empty()) {
            let _ = writeln!(text, "- {}: {}", server.name, server.version);
        }
        for line in self.missing.iter().chain(&self.failures) {
            let _ = writeln!(text, "- not measured: {line}");
        }
        text
    }
}
