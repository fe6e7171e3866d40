//! Federated Services: plain objects of the hub that every member gets, and the public DNS records of its Services.
//!
//! | file | question |
//! | --- | --- |
//! | `selection` | to which Federation does an object belong? |
//! | `targets`, `cluster_selector` | which clusters have it? |
//! | `replicas` | how many replicas does each of them have? |
//! | `status` | what does the Federation say about itself? |
//! | `dns` | which records do its Services have? |
//! | `overview` | what has it in its clusters? |
//! | `why` | why do clients find a Service, or not? |
//!
//! Federation v1 defined the behaviour. `controllers::federation` watches the objects and applies what is decided here.

mod cluster_selector;
pub mod dns;
pub mod overview;
pub mod replicas;
pub mod selection;
pub mod status;
pub mod targets;
pub mod why;
