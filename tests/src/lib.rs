//! Driving the built binary and the real kubectl, as a user would.
//!
//! Tests here know nothing of the crates: they start programs, read what these print, and wait on conditions with a
//! deadline that names what was awaited.

pub mod kubectl;
pub mod kubernetes;
pub mod playground;
pub mod programs;
pub mod steps;
pub mod wait;

pub use kubectl::{Kubectl, Output};
pub use playground::Playground;
pub use wait::eventually;
