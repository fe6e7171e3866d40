//! Attacks a built `portolan`, counts what was refused and what succeeded, and watches the health checks meanwhile.
//!
//! ```text
//! cargo xtask attack                       every class, 30 seconds each
//! cargo xtask attack --seconds 600 bombs   one class for ten minutes
//! ```
//!
//! Each class starts servers of its own in temporary folders and on loopback, and ends within its time. Attempts are
//! generated from a seed, which is printed: the same seed makes the same attempts. To add a class, add a file to
//! `classes/` and a variant to [`classes::Class`].

mod certificates;
mod classes;
mod client;
mod health;
mod members;
mod server;
mod tally;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::{Value, json};

use crate::classes::{Class, Setting};
use crate::tally::Tally;

/// Attacks a built portolan.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask attack")]
struct Arguments {
    /// Classes of attacks [default: all]
    classes: Vec<Class>,
    /// The program to attack.
    #[arg(long, value_name = "FILE")]
    portolan: PathBuf,
    /// Time for each class, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    seconds: u64,
    /// Seed of the attempts [default: a random one]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Also write the times of the health checks to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Attacks of a class with the slowest health checks that are printed.
const SLOWEST: usize = 5;

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let seed = arguments.seed.unwrap_or_else(rand::random);
    println!("seed {seed}");
    let classes = if arguments.classes.is_empty() { Class::ALL.to_vec() } else { arguments.classes };
    let setting = Setting {
        portolan: arguments.portolan.canonicalize().context("the program to attack does not exist")?,
        time: Duration::from_secs(arguments.seconds),
        seed,
    };
    let mut tallies = Vec::new();
    for class in classes {
        println!("==> {}", class.name());
        // The other classes run all the same.
        let tally = class.run(&setting).unwrap_or_else(|error| Tally::of_broken_class(&error));
        for note in tally.notes() {
            println!("  {note}");
        }
        tallies.push((class, tally));
    }
    println!("\n{}", Tally::HEADER);
    for (class, tally) in &tallies {
        println!("{}", tally.row(class.name()));
    }
    println!("\nhealth checks during       number  P99 ms  slowest ms");
    for (class, tally) in &tallies {
        for (attack, number, p99, slowest) in tally.health().by_attack().into_iter().take(SLOWEST) {
            let name = format!("{}/{attack}", class.name());
            println!("{name:<40} {number:>6} {:>7} {:>11}", p99.as_millis(), slowest.as_millis());
        }
    }
    if let Some(path) = &arguments.json {
        std::fs::write(path, times_of_checks(&tallies).to_string()).context("cannot write the times")?;
    }
    let failed = tallies.iter().any(|(_, tally)| tally.has_failed());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// For each class its number of health checks, those that failed, and the P99 of the others in milliseconds.
fn times_of_checks(tallies: &[(Class, Tally)]) -> Value {
    let of_class = |(class, tally): &(Class, Tally)| {
        let health = tally.health();
        let p99 = health.p99().as_secs_f64() * 1000.0;
        (
            class.name().to_owned(),
            json!({"checks": health.checks, "failed": health.failed, "p99Milliseconds": p99}),
        )
    };
    Value::Object(tallies.iter().map(of_class).collect())
}
