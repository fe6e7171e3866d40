//! Controllers against embedded API servers: a hub and two members, in one process and without sockets.

mod discovery;
mod federation;
mod membership;
mod propagation;
mod workloads;
