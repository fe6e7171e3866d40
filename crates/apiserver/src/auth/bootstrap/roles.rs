//! The table of built-in cluster roles.
//!
//! Names and permissions are those of upstream (kubernetes plugin/pkg/auth/authorizer/rbac/bootstrappolicy), without
//! the groups that this server does not serve.

use serde_json::{Map, Value, json};

use super::super::rule::Rule;

/// A built-in cluster role.
pub(super) struct Role {
    name: &'static str,
    /// Roles that aggregate this one, such as `edit`.
    gathered_by: &'static [&'static str],
    /// The role aggregates the roles that are labelled for it, and has no rules.
    gathers: bool,
    grants: &'static [Grant],
}

/// One rule of a role.
enum Grant {
    /// Verbs, groups, resources.
    On(&'static [&'static str], &'static [&'static str], &'static [&'static str]),
    /// Paths that may be read.
    Read(&'static [&'static str]),
    /// Everything on every path.
    AnyPath,
}

use Grant::{AnyPath, On, Read};

const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["create", "delete", "deletecollection", "patch", "update"];
const READ_WRITE: &[&str] =
    &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const CREATE: &[&str] = &["create"];
const ANY: &[&str] = &["*"];
const CORE: &[&str] = &[""];
const APPS: &[&str] = &["apps"];
const EVENTS: &[&str] = &["", "events.k8s.io"];
const AUTHENTICATION: &[&str] = &["authentication.k8s.io"];
const AUTHORIZATION: &[&str] = &["authorization.k8s.io"];

/// A role with rules that no other role aggregates.
const fn role(name: &'static str, grants: &'static [Grant]) -> Role {
    Role { name, gathered_by: &[], gathers: false, grants }
}

pub(super) const ROLES: &[Role] = &[
    role("cluster-admin", &[On(ANY, ANY, ANY), AnyPath]),
    role(
        "system:discovery",
        &[Read(&[
            "/api",
            "/api/*",
            "/apis",
            "/apis/*",
            "/healthz",
            "/livez",
            "/openapi",
            "/openapi/*",
            "/readyz",
            "/version",
            "/version/",
        ])],
    ),
    role(
        "system:monitoring",
        &[Read(&[
            "/healthz",
            "/healthz/*",
            "/livez",
            "/livez/*",
            "/metrics",
            "/metrics/slis",
            "/readyz",
            "/readyz/*",
        ])],
    ),
    role(
        "system:basic-user",
        &[
            On(CREATE, AUTHORIZATION, &["selfsubjectaccessreviews", "selfsubjectrulesreviews"]),
            On(CREATE, AUTHENTICATION, &["selfsubjectreviews"]),
        ],
    ),
    role("system:public-info-viewer", &[Read(&["/healthz", "/livez", "/readyz", "/version", "/version/"])]),
    Role { name: "admin", gathered_by: &[], gathers: true, grants: &[] },
    Role { name: "edit", gathered_by: &["admin"], gathers: true, grants: &[] },
    Role { name: "view", gathered_by: &["edit"], gathers: true, grants: &[] },
    Role {
        name: "system:aggregate-to-admin",
        gathered_by: &["admin"],
        gathers: false,
        grants: &[
            On(CREATE, AUTHORIZATION, &["localsubjectaccessreviews"]),
            On(READ_WRITE, &["rbac.authorization.k8s.io"], &["roles", "rolebindings"]),
        ],
    },
    Role { name: "system:aggregate-to-edit", gathered_by: &["edit"], gathers: false, grants: EDIT },
    Role { name: "system:aggregate-to-view", gathered_by: &["view"], gathers: false, grants: VIEW },
    role("system:node", NODE),
    role(
        "system:node-proxier",
        &[
            On(&["list", "watch"], CORE, &["services", "endpoints"]),
            On(READ, CORE, &["nodes"]),
            On(&["create", "patch", "update"], EVENTS, &["events"]),
            On(&["list", "watch"], &["networking.k8s.io"], &["servicecidrs"]),
            On(&["list", "watch"], &["discovery.k8s.io"], &["endpointslices"]),
        ],
    ),
    role(
        "system:auth-delegator",
        &[
            On(CREATE, AUTHENTICATION, &["tokenreviews"]),
            On(CREATE, AUTHORIZATION, &["subjectaccessreviews"]),
        ],
    ),
    role("system:kube-controller-manager", CONTROLLER_MANAGER),
    role("system:kube-scheduler", SCHEDULER),
    role(
        "system:service-account-issuer-discovery",
        &[Read(&[
            "/.well-known/openid-configuration",
            "/.well-known/openid-configuration/",
            "/openid/v1/jwks",
            "/openid/v1/jwks/",
        ])],
    ),
    role(
        "system:kubelet-api-admin",
        &[
            On(READ, CORE, &["nodes"]),
            On(&["proxy"], CORE, &["nodes"]),
            On(
                ANY,
                CORE,
                &[
                    "nodes/configz",
                    "nodes/healthz",
                    "nodes/log",
                    "nodes/metrics",
                    "nodes/pods",
                    "nodes/proxy",
                    "nodes/stats",
                ],
            ),
        ],
    ),
];

const EDIT: &[Grant] = &[
    On(
        READ,
        CORE,
        &["pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy"],
    ),
    On(&["impersonate"], CORE, &["serviceaccounts"]),
    On(WRITE, CORE, &["pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy"]),
    On(CREATE, CORE, &["pods/eviction"]),
    On(
        WRITE,
        CORE,
        &[
            "configmaps",
            "persistentvolumeclaims",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "secrets",
            "serviceaccounts",
            "services",
            "services/proxy",
        ],
    ),
    On(CREATE, CORE, &["serviceaccounts/token"]),
    On(WRITE, EVENTS, &["events"]),
    On(
        WRITE,
        APPS,
        &[
            "daemonsets",
            "deployments",
            "deployments/rollback",
            "deployments/scale",
            "replicasets",
            "replicasets/scale",
            "statefulsets",
            "statefulsets/scale",
        ],
    ),
    On(WRITE, &["autoscaling"], &["horizontalpodautoscalers"]),
    On(WRITE, &["batch"], &["cronjobs", "jobs"]),
    On(WRITE, &["policy"], &["poddisruptionbudgets"]),
    On(WRITE, &["networking.k8s.io"], &["ingresses", "networkpolicies"]),
    On(READ_WRITE, &["coordination.k8s.io"], &["leases"]),
];

const VIEW: &[Grant] = &[
    On(
        READ,
        CORE,
        &[
            "configmaps",
            "endpoints",
            "persistentvolumeclaims",
            "persistentvolumeclaims/status",
            "pods",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "serviceaccounts",
            "services",
            "services/status",
        ],
    ),
    On(
        READ,
        CORE,
        &[
            "bindings",
            "limitranges",
            "namespaces/status",
            "pods/log",
            "pods/status",
            "replicationcontrollers/status",
            "resourcequotas",
            "resourcequotas/status",
        ],
    ),
    On(READ, CORE, &["namespaces"]),
    On(READ, EVENTS, &["events"]),
    On(READ, &["discovery.k8s.io"], &["endpointslices"]),
    On(
        READ,
        APPS,
        &[
            "controllerrevisions",
            "daemonsets",
            "daemonsets/status",
            "deployments",
            "deployments/scale",
            "deployments/status",
            "replicasets",
            "replicasets/scale",
            "replicasets/status",
            "statefulsets",
            "statefulsets/scale",
            "statefulsets/status",
        ],
    ),
    On(READ, &["autoscaling"], &["horizontalpodautoscalers", "horizontalpodautoscalers/status"]),
    On(READ, &["batch"], &["cronjobs", "cronjobs/status", "jobs", "jobs/status"]),
    On(READ, &["policy"], &["poddisruptionbudgets", "poddisruptionbudgets/status"]),
    On(READ, &["networking.k8s.io"], &["ingresses", "ingresses/status", "networkpolicies"]),
];

const NODE: &[Grant] = &[
    On(CREATE, AUTHENTICATION, &["tokenreviews"]),
    On(CREATE, AUTHORIZATION, &["localsubjectaccessreviews", "subjectaccessreviews"]),
    On(READ, CORE, &["services"]),
    On(&["create", "get", "list", "patch", "update", "watch"], CORE, &["nodes"]),
    On(&["patch", "update"], CORE, &["nodes/status"]),
    On(&["create", "patch", "update"], EVENTS, &["events"]),
    On(&["create", "delete", "get", "list", "watch"], CORE, &["pods"]),
    On(&["patch", "update"], CORE, &["pods/status"]),
    On(CREATE, CORE, &["pods/eviction"]),
    On(READ, CORE, &["configmaps", "secrets"]),
    On(&["get"], CORE, &["endpoints", "persistentvolumeclaims", "persistentvolumes", "serviceaccounts"]),
    On(&["create", "get", "list", "watch"], &["certificates.k8s.io"], &["certificatesigningrequests"]),
    On(&["create", "delete", "get", "patch", "update"], &["coordination.k8s.io"], &["leases"]),
    On(&["get"], &["storage.k8s.io"], &["volumeattachments"]),
    On(CREATE, CORE, &["serviceaccounts/token"]),
    On(&["get", "patch", "update"], CORE, &["persistentvolumeclaims/status"]),
    On(READ, &["storage.k8s.io"], &["csidrivers"]),
    On(&["create", "delete", "get", "patch", "update"], &["storage.k8s.io"], &["csinodes"]),
    On(READ, &["node.k8s.io"], &["runtimeclasses"]),
];

const CONTROLLER_MANAGER: &[Grant] = &[
    On(&["create", "patch", "update"], EVENTS, &["events"]),
    On(CREATE, &["coordination.k8s.io"], &["leases"]),
    On(&["get", "list", "update", "watch"], &["coordination.k8s.io"], &["leases"]),
    On(CREATE, CORE, &["secrets", "serviceaccounts", "serviceaccounts/token"]),
    On(&["delete"], CORE, &["secrets"]),
    On(&["get"], CORE, &["configmaps", "namespaces", "secrets", "serviceaccounts"]),
    On(&["update"], CORE, &["secrets", "serviceaccounts"]),
    On(CREATE, AUTHENTICATION, &["tokenreviews"]),
    On(CREATE, AUTHORIZATION, &["subjectaccessreviews"]),
    On(&["list", "watch"], ANY, ANY),
];

const SCHEDULER: &[Grant] = &[
    On(&["create", "patch", "update"], EVENTS, &["events"]),
    On(&["create", "get", "list", "update", "watch"], &["coordination.k8s.io"], &["leases"]),
    On(READ, CORE, &["namespaces", "nodes", "persistentvolumeclaims", "persistentvolumes"]),
    On(&["delete", "get", "list", "watch"], CORE, &["pods"]),
    On(CREATE, CORE, &["bindings", "pods/binding"]),
    On(&["patch", "update"], CORE, &["pods/status"]),
    On(READ, CORE, &["replicationcontrollers", "services"]),
    On(READ, APPS, &["replicasets", "statefulsets"]),
    On(READ, &["policy"], &["poddisruptionbudgets"]),
    On(CREATE, AUTHENTICATION, &["tokenreviews"]),
    On(CREATE, AUTHORIZATION, &["subjectaccessreviews"]),
    On(
        READ,
        &["storage.k8s.io"],
        &["csidrivers", "csinodes", "csistoragecapacities", "storageclasses", "volumeattachments"],
    ),
];

impl Role {
    pub(super) fn to_value(&self) -> Value {
        let label = |target: &str| format!("rbac.authorization.k8s.io/aggregate-to-{target}");
        let labels: Map<String, Value> =
            self.gathered_by.iter().map(|target| (label(target), json!("true"))).collect();
        let rules: Vec<Rule> = self.grants.iter().map(Grant::rule).collect();
        let mut role = json!({
            "apiVersion": super::API_VERSION,
            "kind": "ClusterRole",
            "metadata": super::metadata(self.name, labels),
            "rules": rules,
        });
        if self.gathers {
            role["aggregationRule"] =
                json!({ "clusterRoleSelectors": [{ "matchLabels": { label(self.name): "true" } }] });
        }
        role
    }
}

impl Grant {
    fn rule(&self) -> Rule {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        match self {
            On(verbs, groups, resources) => Rule {
                verbs: owned(verbs),
                api_groups: owned(groups),
                resources: owned(resources),
                ..Rule::default()
            },
            Read(paths) => {
                Rule { verbs: owned(&["get"]), non_resource_urls: owned(paths), ..Rule::default() }
            }
            AnyPath => Rule { verbs: owned(ANY), non_resource_urls: owned(ANY), ..Rule::default() },
        }
    }
}
