//! The `portolan` binary: arguments, output and wiring; no logic.

fn main() {}
