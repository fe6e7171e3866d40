//! Federated Services: plain objects of the hub that every member gets, and the public DNS records of its Services.
//!
//! Federation v1 defined the behaviour. `controllers::federation` watches the objects and applies what is decided here.

pub mod dns;
