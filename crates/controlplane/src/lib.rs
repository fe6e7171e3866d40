//! The control plane in one process: an API server with the federation's kinds, and the controllers.
//!
//! `portolan server` runs a [`ControlPlane`]. The playground runs one too, and builds its member clusters from the same
//! [`embedded::EmbeddedServer`].

mod admission;
mod control_plane;
mod definitions;
pub mod embedded;
mod state;

pub use control_plane::{ControlPlane, StartError, copy_context};
pub use state::{StateDirectory, StateError};
