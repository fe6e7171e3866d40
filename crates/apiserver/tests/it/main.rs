//! The API server as its clients see it: whole requests against an in-process server, no socket.
//!
//! Rows name a request and what comes back. Texts are those that kube-apiserver 1.36 gave to the same requests.

// A test may unwrap, and a table may be long.
#![allow(clippy::unwrap_used, clippy::too_many_lines)]

mod admission;
mod aggregated;
mod apply;
mod audit;
mod authorization;
mod bodies;
mod bounds;
mod cluster;
mod credentials;
mod custom;
mod damage;
mod definitions;
mod delete;
mod encryption;
mod forms;
mod kills;
mod lists;
mod metrics;
mod mutations;
mod patches;
mod paths;
mod pods;
mod providers;
mod quotas;
mod restart;
mod stored_for_clusters;
mod updates;
mod watches;
mod web_sockets;
mod webhooks;
