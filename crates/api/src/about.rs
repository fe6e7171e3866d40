//! Group `about.k8s.io`: what a cluster is called and which set it belongs to (KEP-2149).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kind::kind;

kind! {
    /// One property of the cluster that holds it.
    ClusterProperty, "about.k8s.io", "v1beta1", "clusterproperties", Cluster {
        /// Value of the property.
        spec: ClusterPropertySpec,
    }
}

/// Value of the property.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterPropertySpec {
    /// Its value.
    #[schemars(length(min = 1, max = 128_000))]
    pub value: String,
}
