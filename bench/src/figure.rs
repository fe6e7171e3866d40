//! One measured quantity with its samples, and what it is compared with.
//!
//! Scenarios make figures; the report prints them. Nothing is measured here.

use std::time::Duration;

use serde::Serialize;

use crate::statistics::Summary;

/// The unit of a figure's samples, its target and its comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Unit {
    /// Printed as ms, or as s when large.
    Milliseconds,
    /// 1,048,576 bytes.
    Mebibytes,
    /// 1,024 bytes.
    Kibibytes,
    /// Of one core.
    Percent,
}

/// A measured quantity; less is better.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    /// What was measured, from when to when.
    pub(crate) name: String,
    /// Of every number here.
    pub(crate) unit: Unit,
    /// The median shall be below this.
    pub(crate) target: Option<f64>,
    /// What Karmada needed on a like machine.
    pub(crate) karmada: Option<f64>,
    /// In the order in which they were taken.
    pub(crate) samples: Vec<f64>,
}

impl Figure {
    /// Durations.
    pub(crate) fn times(name: impl Into<String>, samples: &[Duration]) -> Self {
        let samples = samples.iter().copied().map(milliseconds).collect();
        Self { name: name.into(), unit: Unit::Milliseconds, target: None, karmada: None, samples }
    }

    /// One amount of memory, in bytes.
    #[expect(clippy::cast_precision_loss, reason = "memory is far below 2^53 bytes")]
    pub(crate) fn memory(name: impl Into<String>, bytes: u64) -> Self {
        let samples = vec![bytes as f64 / f64::from(1 << 20)];
        Self { name: name.into(), unit: Unit::Mebibytes, target: None, karmada: None, samples }
    }

    /// The share that each of `count` has of an amount of memory in bytes.
    #[expect(clippy::cast_precision_loss, reason = "memory is far below 2^53 bytes")]
    pub(crate) fn memory_of_each(name: impl Into<String>, bytes: u64, count: u32) -> Self {
        let samples = vec![bytes as f64 / 1024.0 / f64::from(count)];
        Self { name: name.into(), unit: Unit::Kibibytes, target: None, karmada: None, samples }
    }

    /// One share of a core, in percent.
    pub(crate) fn share(name: impl Into<String>, percent: f64) -> Self {
        Self { name: name.into(), unit: Unit::Percent, target: None, karmada: None, samples: vec![percent] }
    }

    /// With the value that the median shall be below.
    #[must_use]
    pub(crate) fn target(mut self, target: f64) -> Self {
        self.target = Some(target);
        self
    }

    /// With what Karmada needed.
    #[must_use]
    pub(crate) fn karmada(mut self, karmada: f64) -> Self {
        self.karmada = Some(karmada);
        self
    }

    /// The numbers to print; `None` when there is no sample.
    pub(crate) fn summary(&self) -> Option<Summary> {
        Summary::of(&self.samples)
    }
}

impl Unit {
    /// A value with its unit, to three significant digits or whole numbers.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Self::Milliseconds if value >= 1000.0 => format!("{:.2} s", value / 1000.0),
            Self::Milliseconds if value >= 100.0 => format!("{value:.0} ms"),
            Self::Milliseconds if value >= 10.0 => format!("{value:.1} ms"),
            Self::Milliseconds => format!("{value:.2} ms"),
            Self::Mebibytes => format!("{value:.0} MiB"),
            Self::Kibibytes => format!("{value:.1} KiB"),
            Self::Percent => format!("{value:.2} %"),
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_printed_with_as_many_digits_as_they_deserve() {
        let cases = [
            (Unit::Milliseconds, 0.1234, "0.12 ms"),
            (Unit::Milliseconds, 45.82, "45.8 ms"),
            (Unit::Milliseconds, 412.7, "413 ms"),
            (Unit::Milliseconds, 100_800.0, "100.80 s"),
            (Unit::Mebibytes, 74.6, "75 MiB"),
            (Unit::Kibibytes, 7.96, "8.0 KiB"),
            (Unit::Percent, 0.0667, "0.07 %"),
        ];
        for (unit, value, want) in cases {
            assert_eq!(unit.show(value), want);
        }
    }

    #[test]
    fn units_are_converted_once() {
        let time = Figure::times("t", &[Duration::from_micros(1500)]);
        let memory = Figure::memory("m", 3 << 20);
        let of_each = Figure::memory_of_each("e", 3 << 20, 1024);
        assert_eq!((time.samples, memory.samples, of_each.samples), (vec![1.5], vec![3.0], vec![3.0]));
    }
}
