//! What is printed at the end: one table with targets, and what never arrived.
//!
//! The table is Markdown, so that a run's output can be kept as a result as it is. Pure.

use std::fmt::Write as _;

use serde::Serialize;

use crate::figure::Figure;
use crate::machine::Machine;

/// The outcome of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Where.
    pub(crate) machine: Machine,
    /// In which way the federation ran.
    pub(crate) arrangement: &'static str,
    /// What was measured, in order.
    pub(crate) figures: Vec<Figure>,
    /// What did not arrive at all, or could not be measured.
    pub(crate) failures: Vec<String>,
}

const HEADING: [&str; 8] =
    ["measured", "n", "median", "P99", "min .. max", "target (median)", "", "Karmada on a like machine"];

impl Report {
    /// One without figures.
    pub(crate) fn new(machine: Machine, arrangement: &'static str) -> Self {
        Self { machine, arrangement, figures: Vec::new(), failures: Vec::new() }
    }

    /// Keeps figures, or notes why there are none.
    pub(crate) fn add(&mut self, scenario: &str, outcome: anyhow::Result<Vec<Figure>>) {
        match outcome {
            Ok(figures) => self.figures.extend(figures),
            Err(error) => self.failures.push(format!("{scenario}: {error:#}")),
        }
    }

    /// The text to print.
    pub(crate) fn render(&self) -> String {
        let Machine { cores, processor, kernel, memory, file_system, load_before } = &self.machine;
        let gibibytes = memory.div_ceil(1 << 30);
        let mut text = format!(
            "Machine: {cores} cores ({processor}), {gibibytes} GiB memory, {kernel}, state on {file_system}, \
             load {load_before} before the run.\n{}\n\n",
            self.arrangement
        );
        let rows: Vec<[String; 8]> = self.figures.iter().filter_map(row).collect();
        write_table(&mut text, &HEADING.map(str::to_owned), &rows);
        if !self.failures.is_empty() {
            text.push_str("\nNot measured:\n");
        }
        for failure in &self.failures {
            let _ = writeln!(text, "- {failure}");
        }
        text
    }
}

fn row(figure: &Figure) -> Option<[String; 8]> {
    let summary = figure.summary()?;
    let show = |value: f64| figure.unit.show(value);
    let verdict = match figure.target {
        Some(target) if summary.median < target => "met",
        Some(_) => "missed",
        None => "",
    };
    // One sample has no spread.
    let spread = |text: String| if summary.count > 1 { text } else { String::new() };
    Some([
        figure.name.clone(),
        summary.count.to_string(),
        show(summary.median),
        spread(show(summary.p99)),
        spread(format!("{} .. {}", show(summary.minimum), show(summary.maximum))),
        figure.target.map(|target| format!("< {}", show(target))).unwrap_or_default(),
        verdict.to_owned(),
        figure.karmada.map(show).unwrap_or_default(),
    ])
}

fn write_table(text: &mut String, heading: &[String; 8], rows: &[[String; 8]]) {
    let widths: Vec<usize> = (0..heading.len())
        .map(|column| rows.iter().chain([heading]).map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut line = |cells: &[String; 8], fill: char| {
        for (cell, width) in cells.iter().zip(&widths) {
            let padding: String = std::iter::repeat_n(fill, width - cell.chars().count()).collect();
            let _ = write!(text, "| {cell}{padding} ");
        }
        text.push_str("|\n");
    };
    line(heading, ' ');
    line(&std::array::from_fn(|_| String::new()), '-');
    for row in rows {
        line(row, ' ');
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn report(figures: Vec<Figure>) -> Report {
        let machine = Machine {
            cores: 2,
            processor: "a processor".to_owned(),
            kernel: "Linux 6.1".to_owned(),
            memory: 8 << 30,
            file_system: "ext4".to_owned(),
            load_before: "0.10".to_owned(),
        };
        Report { figures, ..Report::new(machine, "in this process") }
    }

    #[test]
    fn the_median_is_held_against_the_target() {
        let times = [3, 5, 4].map(Duration::from_millis);
        let cases = [(4.5, "met"), (4.0, "missed"), (3.5, "missed")];
        for (target, want) in cases {
            let cells = row(&Figure::times("t", &times).target(target)).expect("there are samples");
            assert_eq!(cells[6], want, "{target}");
        }
        let without = row(&Figure::times("t", &times)).expect("there are samples");
        assert_eq!((without[5].as_str(), without[6].as_str()), ("", ""));
    }

    #[test]
    fn the_table_lines_up() {
        let text = report(vec![Figure::memory("resident memory", 80 << 20).target(150.0)]).render();
        let table: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(table.len(), 3, "{text}");
        assert!(table.iter().all(|line| line.chars().count() == table[0].chars().count()), "{text}");
        assert!(table[2].contains("| 80 MiB | "), "{text}");
    }

    #[test]
    fn what_never_arrived_is_said() {
        let mut report = report(Vec::new());
        report.add("bulk", Err(anyhow::anyhow!("3 of 1000 are missing")));
        assert!(report.render().ends_with("Not measured:\n- bulk: 3 of 1000 are missing\n"));
    }
}
