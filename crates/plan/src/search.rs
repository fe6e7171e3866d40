//! Look-ups over several clusters, as ResourceRegistries ask for them (karmada pkg/search).
//!
//! [`collections`] says what is cached of a cluster, [`cached`] what a registry tells about it. [`ClusterVersions`] and
//! [`Page`] put the versions and the pages of several API servers into the `resourceVersion` and `continue` of one list.

mod collections;
mod page;
mod version;

pub use collections::{Collection, Namespaces, cached, collections};
pub use page::{ContinueToken, Page, page};
pub use version::{ClusterVersions, part};
