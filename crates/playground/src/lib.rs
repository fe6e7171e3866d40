//! Playground: a federation in one process, with member clusters and pods that answer requests.
//!
//! A member cluster is an embedded API server, the workload controllers, and nodes that run built-in programs or, in
//! namespaces mode, processes. Nodes use only the Kubernetes API and the pod network, so they serve a real API server too.
//!
//! # Rooms
//!
//! Each folder is a room: its module documentation says what it is for, what it uses, and how to change it. A room uses
//! only rooms below it; `tests/rooms.rs` checks that.
//!
//! | room | purpose |
//! | --- | --- |
//! | [`federation`] | the playground: control plane, members, their DNS servers and certificates |
//! | [`node`] | scheduler, pod lifecycle, probes, service proxy of a member |
//! | [`kubelet`] | HTTPS endpoints of the nodes: logs, attach, exec, port forwarding |
//! | [`pods`] | register of running pods, their containers and runs |
//! | [`sandbox`] | pods as processes in kernel namespaces |
//! | [`programs`] | built-in programs that replace container images |
//! | [`network`] | pod network of all clusters, over loopback sockets or in kernel namespaces |
//! | `spdy` | SPDY/3.1 server |
//! | [`config`], [`state`], [`control`], [`rights`] | configuration file, files on disk, commands for a running playground, user namespaces |
//!
//! # A pod in the playground
//!
//! 1. `kubectl` creates a Deployment in a member; the workload controllers create the Pod (`controllers`, started in
//!    `federation/member.rs`).
//! 2. The scheduler chooses a node (`node/schedule.rs`) and posts the Binding (`node/binding.rs`).
//! 3. The watch delivers the Pod to the lifecycle controller, which runs a pass for it (`node/lifecycle.rs`).
//! 4. The pass allocates an address (`network/address_pool.rs`) and registers the pod (`pods.rs`,
//!    `node/lifecycle/running_pod.rs`).
//! 5. In namespaces mode it creates the pod's namespaces (`node/lifecycle/sandbox.rs`, `sandbox.rs`).
//! 6. It decides which containers are due (`node/record.rs`) and starts each (`node/lifecycle/starting.rs`): environment
//!    variables (`node/environment.rs`), program (`programs.rs` or `sandbox/images.rs`), run (`pods/run.rs`).
//! 7. The program listens on a port of the pod's address (`network/interface.rs`).
//! 8. Probes check the container (`node/health.rs`).
//! 9. The pass writes the pod status (`node/status.rs`); the endpoints controller adds the pod to an EndpointSlice.
//! 10. The service proxy computes the forwarding rules of the Service (`node/service_proxy.rs`, `network/rules.rs`).
//! 11. A client pod connects to the Service: route (`network/routing.rs`), endpoint (`network/balance.rs`), link between
//!     clusters (`network/links.rs`).
//! 12. `kubectl logs`, `exec`, `attach` and `port-forward` reach the pod through the API server and the kubelet endpoints
//!     (`kubelet.rs`).

pub mod config;
pub mod control;
pub mod federation;
pub mod kubelet;
pub mod network;
pub mod node;
pub mod pods;
pub mod programs;
pub mod rights;
pub mod sandbox;
mod spdy;
pub mod state;
