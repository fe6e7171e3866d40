//! The core group: what every cluster has.

mod binding;
mod config_map;
pub(super) mod data;
mod endpoints;
pub(super) mod event;
pub(crate) mod limit_range;
mod namespace;
mod node;
mod persistent_volume;
pub(super) mod persistent_volume_claim;
pub(crate) mod pod;
mod pod_template;
mod replication_controller;
pub(crate) mod resource_quota;
mod secret;
mod service;
mod service_account;
mod storage;

use super::Group;

const GROUP: &str = "";

const CONNECT_VERBS: &[&str] = &["create", "get"];
/// Verbs of a subresource that forwards all methods, in discovery order.
pub(crate) const PROXY_VERBS: &[&str] = &["create", "delete", "get", "patch", "update"];
const WITHOUT_COLLECTION: &[&str] = &["create", "delete", "get", "list", "patch", "update", "watch"];

pub(super) static API_GROUP: Group = Group {
    name: GROUP,
    versions: &["v1"],
    priority: 18000,
    kinds: &[
        &binding::KIND,
        &config_map::KIND,
        &endpoints::KIND,
        &event::KIND,
        &limit_range::KIND,
        &namespace::KIND,
        &node::KIND,
        &persistent_volume_claim::KIND,
        &persistent_volume::KIND,
        &pod::KIND,
        &pod_template::KIND,
        &replication_controller::KIND,
        &resource_quota::KIND,
        &secret::KIND,
        &service_account::KIND,
        &service::KIND,
    ],
};
