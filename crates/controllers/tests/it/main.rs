//! Controllers against embedded API servers: a hub and two members, in one process and without sockets.

mod autoscaling;
mod bad_members;
mod brake;
mod capacity;
mod cluster_conditions;
mod cluster_sets;
mod confinement;
mod credentials;
mod dependencies;
mod discovery;
mod dns;
mod explain;
mod federation;
mod membership;
mod needless_writes;
mod ownership;
mod policies;
mod preview;
mod propagation;
mod rebalance;
mod refused_slices;
mod removal;
mod resources;
mod scheduling;
mod template_status;
mod workloads;
