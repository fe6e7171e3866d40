//! CustomResourceDefinitions, generated from the Rust types: the types are the single source.
//!
//! `cargo xtask crds` writes them as manifests; the embedded control plane installs them at its start.

mod columns;
mod federated;
mod structural;

use schemars::JsonSchema;
use serde_json::{Value, json};

use crate::kind::Kind;
use crate::{
    about, annotations, apps, autoscaling, cluster, clusterset, config, external_dns, federation, inventory,
    kubefed, multicluster, networking, policy, remedy, search, traffic, work,
};
use columns::Column;
pub use federated::federated_definition;

/// One version of a kind.
struct Version {
    name: &'static str,
    is_stored: bool,
}

/// Everything about a kind that its Rust type does not say.
struct Names {
    short: &'static [&'static str],
    categories: &'static [&'static str],
    has_status: bool,
}

const KARMADA: &[&str] = &["karmada-io"];
const ONLY_V1ALPHA1: &[Version] = &[Version { name: "v1alpha1", is_stored: true }];
const ONLY_V1ALPHA2: &[Version] = &[Version { name: "v1alpha2", is_stored: true }];
const ONLY_V1BETA1: &[Version] = &[Version { name: "v1beta1", is_stored: true }];
/// Both versions have one schema; the newer one is stored (mcs-api v0.5.0, about-api).
const STANDARD: &[Version] =
    &[Version { name: "v1beta1", is_stored: true }, Version { name: "v1alpha1", is_stored: false }];

/// Every definition, by group and name.
pub fn all() -> Vec<Value> {
    let plain = |short| Names { short, categories: KARMADA, has_status: false };
    let with_status = |short| Names { short, categories: KARMADA, has_status: true };
    let bare = Names { short: &[], categories: &[], has_status: false };
    let bare_with_status = Names { short: &[], categories: &[], has_status: true };
    let mut definitions = vec![
        define::<policy::PropagationPolicy>(&plain(&["pp"]), ONLY_V1ALPHA1, columns::POLICY),
        define::<policy::ClusterPropagationPolicy>(&plain(&["cpp"]), ONLY_V1ALPHA1, columns::POLICY),
        define::<policy::OverridePolicy>(&plain(&["op"]), ONLY_V1ALPHA1, &[]),
        define::<policy::ClusterOverridePolicy>(&plain(&["cop"]), ONLY_V1ALPHA1, &[]),
        define::<policy::FederatedResourceQuota>(&with_status(&[]), ONLY_V1ALPHA1, columns::QUOTA),
        define::<policy::ClusterTaintPolicy>(&bare, ONLY_V1ALPHA1, &[]),
        define::<config::ResourceInterpreterCustomization>(
            &plain(&["ric"]),
            ONLY_V1ALPHA1,
            columns::CUSTOMIZATION,
        ),
        define::<config::ResourceInterpreterWebhookConfiguration>(&plain(&[]), ONLY_V1ALPHA1, &[]),
        define::<work::ResourceBinding>(&with_status(&["rb"]), ONLY_V1ALPHA2, columns::BINDING),
        define::<work::ClusterResourceBinding>(&with_status(&["crb"]), ONLY_V1ALPHA2, columns::BINDING),
        define::<work::Work>(&with_status(&["wk"]), ONLY_V1ALPHA1, columns::WORK),
        define::<cluster::Cluster>(
            &Names { short: &[], categories: &[], has_status: true },
            ONLY_V1ALPHA1,
            columns::CLUSTER,
        ),
        define::<apps::WorkloadRebalancer>(
            &Names { short: &[], categories: &[], has_status: true },
            ONLY_V1ALPHA1,
            &[],
        ),
        define::<autoscaling::FederatedHPA>(&with_status(&["fhpa"]), ONLY_V1ALPHA1, columns::AUTOSCALER),
        define::<autoscaling::CronFederatedHPA>(
            &with_status(&["cronfhpa"]),
            ONLY_V1ALPHA1,
            columns::CRON_AUTOSCALER,
        ),
        define::<networking::MultiClusterService>(&with_status(&["mcs"]), ONLY_V1ALPHA1, &[]),
        define::<remedy::Remedy>(&plain(&[]), ONLY_V1ALPHA1, &[]),
        define::<search::ResourceRegistry>(&bare_with_status, ONLY_V1ALPHA1, &[]),
        define::<traffic::TrafficPolicy>(&with_status(&[]), ONLY_V1ALPHA1, columns::TRAFFIC_POLICY),
        define::<clusterset::ClusterSet>(
            &Names { short: &[], categories: &[], has_status: true },
            ONLY_V1ALPHA1,
            columns::CLUSTER_SET,
        ),
        define::<federation::Federation>(
            &Names { short: &[], categories: &[], has_status: true },
            ONLY_V1ALPHA1,
            columns::FEDERATION,
        ),
    ];
    definitions.push(dns_endpoint());
    definitions.push(cluster_profile());
    definitions.extend(members());
    definitions.extend(federated::built_in());
    definitions.extend(kubefed_kinds());
    definitions
        .sort_by_key(|definition| definition["metadata"]["name"].as_str().unwrap_or_default().to_owned());
    definitions
}

/// The definitions of KubeFed's kinds besides the federated ones.
fn kubefed_kinds() -> Vec<Value> {
    let with_status = |short| Names { short, categories: &[], has_status: true };
    let without_status = Names { short: &[], categories: &[], has_status: false };
    vec![
        define::<kubefed::ReplicaSchedulingPreference>(
            &with_status(&["rsp"]),
            ONLY_V1ALPHA1,
            columns::REPLICA_PREFERENCE,
        ),
        define::<kubefed::FederatedTypeConfig>(&with_status(&["ftc"]), ONLY_V1BETA1, columns::TYPE_CONFIG),
        define::<kubefed::KubeFedCluster>(&with_status(&["kfc"]), ONLY_V1BETA1, columns::KUBEFED_CLUSTER),
        define::<kubefed::FederatedServiceStatus>(&without_status, ONLY_V1ALPHA1, &[]),
        define::<kubefed::Domain>(&without_status, ONLY_V1ALPHA1, &[]),
        define::<kubefed::ServiceDNSRecord>(&with_status(&[]), ONLY_V1ALPHA1, &[]),
        define::<kubefed::IngressDNSRecord>(&with_status(&[]), ONLY_V1ALPHA1, &[]),
        define::<kubefed::KubeFedConfig>(&without_status, ONLY_V1BETA1, &[]),
    ]
}

/// The definitions that a member of a cluster set needs.
pub fn members() -> Vec<Value> {
    vec![service_export(), service_import(), cluster_property()]
}

fn service_export() -> Value {
    let names = Names { short: &["svcex", "svcexport"], categories: &[], has_status: true };
    standard(define::<multicluster::ServiceExport>(&names, STANDARD, columns::EXPORT))
}

fn service_import() -> Value {
    let names = Names { short: &["svcim", "svcimport"], categories: &[], has_status: true };
    standard(define::<multicluster::ServiceImport>(&names, STANDARD, columns::IMPORT))
}

/// The release of the Multi-Cluster Services API that the schemas follow; installers refuse to go back behind it.
fn standard(mut definition: Value) -> Value {
    definition["metadata"]["labels"] = json!({
        "multicluster.x-k8s.io/release-version": "v0.5.0",
        "multicluster.x-k8s.io/crd-schema-revision": "0",
    });
    approve(definition, "https://github.com/kubernetes/enhancements/pull/1646")
}

fn dns_endpoint() -> Value {
    let names = Names { short: &[], categories: &[], has_status: true };
    let definition = define::<external_dns::DNSEndpoint>(&names, ONLY_V1ALPHA1, &[]);
    approve(definition, "https://github.com/kubernetes-sigs/external-dns/pull/2007")
}

/// Both versions have one schema here: the newer one lacks a field that Portolan does not write.
fn cluster_profile() -> Value {
    let names = Names { short: &[], categories: &["multicluster"], has_status: true };
    let versions =
        [Version { name: "v1alpha1", is_stored: true }, Version { name: "v1alpha2", is_stored: false }];
    let definition = define::<inventory::ClusterProfile>(&names, &versions, columns::CLUSTER_PROFILE);
    approve(definition, "https://github.com/kubernetes/enhancements/pull/4322")
}

fn cluster_property() -> Value {
    let names = Names { short: &[], categories: &["multicluster"], has_status: false };
    let definition = define::<about::ClusterProperty>(&names, STANDARD, columns::PROPERTY);
    approve(definition, "https://github.com/kubernetes/enhancements/pull/3084")
}

/// Groups that end in `k8s.io` need the address of their approval.
fn approve(mut definition: Value, approval: &str) -> Value {
    definition["metadata"]["annotations"] = json!({ annotations::API_APPROVED: approval });
    definition
}

fn define<T: Kind + JsonSchema>(names: &Names, versions: &[Version], columns: &[Column]) -> Value {
    let mut schema = structural::schema_of::<T>();
    // An API server knows metadata itself and takes no word about it.
    schema["properties"]["metadata"] = json!({ "type": "object" });
    if !names.has_status
        && let Some(properties) = schema["properties"].as_object_mut()
    {
        properties.remove("status");
    }
    let columns: Vec<Value> = columns.iter().map(Column::to_value).collect();
    let version = |version: &Version| {
        let mut value = json!({
            "name": version.name, "served": true, "storage": version.is_stored,
            "schema": { "openAPIV3Schema": schema },
        });
        if names.has_status {
            value["subresources"] = json!({ "status": {} });
        }
        if !columns.is_empty() {
            value["additionalPrinterColumns"] = json!(columns);
        }
        value
    };
    let kind = T::KIND;
    let mut spec_names = json!({
        "kind": kind, "listKind": format!("{kind}List"), "plural": T::PLURAL, "singular": kind.to_lowercase(),
    });
    for (field, values) in [("shortNames", names.short), ("categories", names.categories)] {
        if !values.is_empty() {
            spec_names[field] = json!(values);
        }
    }
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{}.{}", T::PLURAL, T::GROUP) },
        "spec": {
            "group": T::GROUP, "names": spec_names,
            "scope": if T::NAMESPACED { "Namespaced" } else { "Cluster" },
            "versions": versions.iter().map(version).collect::<Vec<_>>(),
        },
    })
}

#[cfg(test)]
mod tests;
