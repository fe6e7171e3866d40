//! Test support: the built binary and the real kubectl, used as a user would.
//!
//! Tests here know nothing of the crates: they start programs, read what these print, and wait on conditions with a
//! deadline that names what was awaited.

pub mod binary;
pub mod kubectl;
pub mod kubernetes;
pub mod manifests;
pub mod network;
pub mod parity;
pub mod playground;
pub mod processes;
pub mod programs;
pub mod proxy;
pub mod random;
pub mod rbac_matrix;
pub mod server;
pub mod steps;
pub mod wait;
pub mod walkthroughs;

use std::path::Path;

pub use kubectl::{Kubectl, Output};
pub use playground::Playground;
pub use server::Server;
pub use wait::eventually;

/// A path as text, for arguments.
///
/// # Panics
/// When it is not UTF-8; temporary folders and `examples/` are.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("the path is UTF-8")
}
