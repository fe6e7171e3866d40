//! The families of cases.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::{Value, json};

use super::{Family, NAMESPACE, grants, rule};
use crate::proxy::Request;

const JSON: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";
const RBAC: &str = "rbac.authorization.k8s.io";
const CERTIFICATES: &str = "certificates.k8s.io";
const VERBS: [&str; 8] = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

pub(super) fn all() -> Vec<Family> {
    let mut families: Vec<Family> = OBJECTS.iter().map(objects).collect();
    families.extend([subresources(), certificates(), escalation(), actions()]);
    families
}

/// A namespaced resource, for the family of plain reads and writes.
struct Kind {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    /// The fields besides the metadata, as JSON.
    content: &'static str,
}

/// Kinds that an update creates (Lease, Service), kinds that it does not, and a custom one.
const OBJECTS: [Kind; 6] = [
    Kind {
        group: "",
        version: "v1",
        kind: "ConfigMap",
        plural: "configmaps",
        content: r#"{"data":{"a":"b"}}"#,
    },
    Kind { group: "", version: "v1", kind: "Secret", plural: "secrets", content: r#"{"type":"Opaque"}"# },
    Kind {
        group: "",
        version: "v1",
        kind: "Service",
        plural: "services",
        content: r#"{"spec":{"ports":[{"port":80}],"selector":{"a":"b"}}}"#,
    },
    Kind {
        group: "coordination.k8s.io",
        version: "v1",
        kind: "Lease",
        plural: "leases",
        content: r#"{"spec":{"holderIdentity":"a"}}"#,
    },
    Kind {
        group: "apps",
        version: "v1",
        kind: "Deployment",
        plural: "deployments",
        content: r#"{"spec":{"replicas":0,"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}"#,
    },
    Kind {
        group: "example.org",
        version: "v1",
        kind: "Widget",
        plural: "widgets",
        content: r#"{"spec":{"a":1}}"#,
    },
];

/// The definition of [`OBJECTS`]' custom kind.
fn definition() -> Value {
    let any = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "widgets.example.org" },
        "spec": {
            "group": "example.org", "scope": "Namespaced", "names": { "kind": "Widget", "plural": "widgets" },
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": any } }],
        },
    })
}

impl Kind {
    fn collection(&self) -> String {
        let root = if self.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", self.group) };
        format!("{root}/{}/namespaces/{NAMESPACE}/{}", self.version, self.plural)
    }

    fn object(&self, name: &str) -> Value {
        let version = match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        };
        let mut object: Value = serde_json::from_str(self.content).expect("a constant is JSON");
        object["apiVersion"] = json!(version);
        object["kind"] = json!(self.kind);
        object["metadata"] = json!({ "name": name, "namespace": NAMESPACE });
        object
    }
}

fn read(path: String) -> Request {
    Request { method: "GET", path, content_type: JSON, accept: JSON, body: Value::Null }
}

/// A dry run.
fn write(method: &'static str, path: &str, content_type: &'static str, body: Value) -> Request {
    let separator = if path.contains('?') { '&' } else { '?' };
    let manager = if content_type == APPLY { "&fieldManager=matrix&force=true" } else { "" };
    Request {
        method,
        path: format!("{path}{separator}dryRun=All{manager}"),
        content_type,
        accept: JSON,
        body,
    }
}

/// Every verb alone, for all objects, one that exists, one that does not; and the verbs that an update of a missing
/// object needs together.
fn objects(kind: &Kind) -> Family {
    let (group, plural) = (kind.group, kind.plural);
    let mut rules = Vec::new();
    for verb in VERBS {
        for names in [&[][..], &["held"], &["missing"]] {
            rules.push((format!("{verb} {plural} {names:?}"), vec![rule(&[verb], group, &[plural], names)]));
        }
    }
    for verb in ["update", "patch"] {
        for names in [&[][..], &["held"], &["missing"]] {
            let two = vec![rule(&[verb], group, &[plural], &[]), rule(&["create"], group, &[plural], names)];
            rules.push((format!("{verb} and create {plural} {names:?}"), two));
        }
    }
    rules.push((
        format!("status of {plural}"),
        vec![rule(&["*"], group, &[&format!("{plural}/status")], &[])],
    ));
    rules.push((format!("{plural} of another group"), vec![rule(&["*"], "example.com", &[plural], &[])]));
    let collection = kind.collection();
    let mut requests = vec![
        read(collection.clone()),
        read(format!("{collection}?fieldSelector=metadata.name%3Dheld")),
        read(format!("{collection}?watch=true&timeoutSeconds=1")),
        read(format!("{collection}?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Dheld")),
        write("POST", &collection, JSON, kind.object("new")),
        write("DELETE", &collection, JSON, Value::Null),
    ];
    for name in ["held", "missing"] {
        let path = format!("{collection}/{name}");
        requests.extend([
            read(path.clone()),
            write("PUT", &path, JSON, kind.object(name)),
            write("PATCH", &path, MERGE, json!({ "metadata": { "labels": { "a": "b" } } })),
            write("PATCH", &path, APPLY, kind.object(name)),
            write("DELETE", &path, JSON, Value::Null),
        ]);
    }
    Family { grants: grants(plural, rules), requests }
}

/// `status` and `scale` of Deployments.
fn subresources() -> Family {
    let kind = &OBJECTS[4];
    let mut rules = Vec::new();
    for resource in ["deployments", "deployments/status", "deployments/scale", "*/scale", "*"] {
        for verb in ["get", "create", "update", "patch"] {
            rules.push((format!("{verb} {resource}"), vec![rule(&[verb], "apps", &[resource], &[])]));
        }
    }
    let mut requests = Vec::new();
    for name in ["held", "missing"] {
        for part in ["status", "scale"] {
            let path = format!("{}/{name}/{part}", kind.collection());
            let metadata = json!({ "name": name, "namespace": NAMESPACE });
            let (body, patch) = match part {
                "status" => (kind.object(name), json!({ "status": { "observedGeneration": 1 } })),
                _ => (
                    json!({ "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata,
                            "spec": { "replicas": 0 } }),
                    json!({ "spec": { "replicas": 0 } }),
                ),
            };
            requests.extend([
                read(path.clone()),
                write("PUT", &path, JSON, body.clone()),
                write("PATCH", &path, MERGE, patch),
                write("PATCH", &path, APPLY, body),
            ]);
        }
    }
    Family { grants: grants("subresources", rules), requests }
}

/// The certificate signing request `matrix-held`, or a new one.
fn signing_request(name: &str, signer: &str, organization: &str) -> Value {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, "alice");
    parameters.distinguished_name.push(DnType::OrganizationName, organization);
    let key = KeyPair::generate().expect("a key");
    let request = parameters.serialize_request(&key).expect("a request").pem().expect("PEM");
    json!({
        "apiVersion": format!("{CERTIFICATES}/v1"), "kind": "CertificateSigningRequest",
        "metadata": { "name": name },
        "spec": { "request": STANDARD.encode(request), "signerName": signer, "usages": ["client auth"],
                  "username": "admin", "groups": ["system:masters"] },
    })
}

fn certificates() -> Family {
    let all = [
        "certificatesigningrequests",
        "certificatesigningrequests/approval",
        "certificatesigningrequests/status",
    ];
    let base = || rule(&["get", "create", "update", "patch"], CERTIFICATES, &all, &[]);
    let signers = |verb: &str, names: &[&str]| vec![base(), rule(&[verb], CERTIFICATES, &["signers"], names)];
    let mut rules = vec![("requests without signers".to_owned(), vec![base()])];
    for resource in all {
        for verb in ["get", "create", "update", "patch"] {
            rules.push((format!("{verb} {resource}"), vec![rule(&[verb], CERTIFICATES, &[resource], &[])]));
        }
    }
    for verb in ["approve", "sign"] {
        for names in [&[][..], &["example.com/a"], &["example.com/*"], &["example.com/b"], &["*"]] {
            rules.push((format!("{verb} signers {names:?}"), signers(verb, names)));
        }
    }
    let collection = format!("/apis/{CERTIFICATES}/v1/certificatesigningrequests");
    let held = format!("{collection}/matrix-held");
    let certificate = CertificateParams::default().self_signed(&KeyPair::generate().expect("a key"));
    let certificate = STANDARD.encode(certificate.expect("a certificate").pem());
    let condition = |kind: &str| json!({ "status": { "conditions": [{ "type": kind, "status": "True", "reason": "a", "message": "b" }] } });
    let client = "kubernetes.io/kube-apiserver-client";
    let mut damaged = signing_request("matrix-new", "example.com/a", "devs");
    damaged["spec"]["request"] = json!("anVuaw==");
    let mut short = signing_request("matrix-new", "example.com/a", "devs");
    short["spec"]["expirationSeconds"] = json!(599);
    let mut requests = vec![
        read(held.clone()),
        write(
            "PATCH",
            &held,
            MERGE,
            json!({ "spec": { "username": "admin", "signerName": "example.com/b" } }),
        ),
        write("PATCH", &format!("{held}/approval"), MERGE, condition("Approved")),
        write("PATCH", &format!("{held}/approval"), MERGE, condition("Denied")),
        write(
            "PATCH",
            &format!("{held}/approval"),
            MERGE,
            json!({ "status": { "conditions": [{ "type": "Approved", "status": "False" }] } }),
        ),
        write("PATCH", &format!("{held}/status"), MERGE, condition("Approved")),
        write("PATCH", &format!("{held}/status"), MERGE, condition("Failed")),
        write("PATCH", &format!("{held}/status"), MERGE, json!({ "status": { "certificate": certificate } })),
        write("PATCH", &format!("{held}/status"), MERGE, json!({ "status": { "certificate": "anVuaw==" } })),
        write("PATCH", &format!("{held}/status"), MERGE, json!({ "metadata": { "labels": { "a": "b" } } })),
    ];
    for body in [
        signing_request("matrix-new", "example.com/a", "devs"),
        signing_request("matrix-new", client, "devs"),
        signing_request("matrix-new", client, "system:masters"),
        signing_request("matrix-new", "example.com/a", "system:masters"),
        signing_request("matrix-new", "no-domain", "devs"),
        damaged,
        short,
    ] {
        requests.push(write("POST", &collection, JSON, body));
    }
    requests.push(write(
        "PATCH",
        &format!("{collection}/matrix-new"),
        APPLY,
        signing_request("matrix-new", client, "system:masters"),
    ));
    Family { grants: grants("certificates", rules), requests }
}

fn role(name: &str) -> Value {
    json!({
        "apiVersion": format!("{RBAC}/v1"), "kind": "Role", "metadata": { "name": name, "namespace": NAMESPACE },
        "rules": [rule(&["get"], "", &["secrets"], &["held"])],
    })
}

fn binding(name: &str) -> Value {
    json!({
        "apiVersion": format!("{RBAC}/v1"), "kind": "RoleBinding",
        "metadata": { "name": name, "namespace": NAMESPACE },
        "roleRef": { "apiGroup": RBAC, "kind": "Role", "name": "held" },
        "subjects": [{ "apiGroup": RBAC, "kind": "User", "name": "eve" }],
    })
}

/// Roles and bindings: no user gives what it does not have.
fn escalation() -> Family {
    let mut rules = Vec::new();
    let further = [
        ("nothing else", vec![]),
        ("escalate", vec![rule(&["escalate"], RBAC, &["roles"], &[])]),
        ("escalate held", vec![rule(&["escalate"], RBAC, &["roles"], &["held"])]),
        ("bind", vec![rule(&["bind"], RBAC, &["roles"], &[])]),
        ("bind held", vec![rule(&["bind"], RBAC, &["roles"], &["held"])]),
        ("bind another", vec![rule(&["bind"], RBAC, &["roles"], &["missing"])]),
        ("the rule itself", vec![rule(&["get"], "", &["secrets"], &["held"])]),
        ("a wider rule", vec![rule(&["*"], "", &["*"], &[])]),
    ];
    for verbs in [&["create"][..], &["update"], &["patch"], &["create", "update", "patch"]] {
        for (name, rest) in &further {
            let mut all = vec![rule(verbs, RBAC, &["roles", "rolebindings"], &[])];
            all.extend(rest.iter().cloned());
            rules.push((format!("{verbs:?} roles and bindings, {name}"), all));
        }
    }
    let mut requests = Vec::new();
    for (plural, object) in [("roles", role as fn(&str) -> Value), ("rolebindings", binding)] {
        let collection = format!("/apis/{RBAC}/v1/namespaces/{NAMESPACE}/{plural}");
        requests.push(write("POST", &collection, JSON, object("new")));
        let change = match plural {
            "roles" => {
                json!({ "rules": [rule(&["get"], "", &["secrets"], &["held"]), rule(&["list"], "", &["secrets"], &[])] })
            }
            _ => json!({ "subjects": [{ "apiGroup": RBAC, "kind": "User", "name": "mallory" }] }),
        };
        for name in ["held", "missing"] {
            let path = format!("{collection}/{name}");
            let mut changed = object(name);
            changed["metadata"]["labels"] = json!({ "a": "b" });
            requests.extend([
                write("PUT", &path, JSON, changed.clone()),
                write("PATCH", &path, MERGE, change.clone()),
                write("PATCH", &path, APPLY, changed),
            ]);
        }
    }
    Family { grants: grants("escalation", rules), requests }
}

/// Requests that act on an object: tokens of service accounts, evictions, bindings of pods, `finalize`.
fn actions() -> Family {
    let mut rules = Vec::new();
    for resource in [
        "serviceaccounts",
        "serviceaccounts/token",
        "pods",
        "pods/eviction",
        "pods/binding",
        "pods/*",
        "namespaces",
        "namespaces/finalize",
        "nodes/proxy",
    ] {
        for verb in ["create", "update", "get", "delete"] {
            for names in [&[][..], &["held"], &["other"]] {
                let name = format!("{verb} {resource} {names:?}");
                rules.push((name, vec![rule(&[verb], "", &[resource], names)]));
            }
        }
    }
    let root = format!("/api/v1/namespaces/{NAMESPACE}");
    let token = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": { "expirationSeconds": 600 } });
    let eviction = json!({
        "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": "held", "namespace": NAMESPACE },
        "deleteOptions": { "dryRun": ["All"] },
    });
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding", "metadata": { "name": "held", "namespace": NAMESPACE },
        "target": { "kind": "Node", "name": "node" },
    });
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE }, "spec": { "finalizers": ["kubernetes"] } });
    let requests = vec![
        Request {
            method: "POST",
            path: format!("{root}/serviceaccounts/held/token"),
            content_type: JSON,
            accept: JSON,
            body: token,
        },
        write("POST", &format!("{root}/pods/held/eviction"), JSON, eviction),
        write("POST", &format!("{root}/pods/held/binding"), JSON, binding),
        write("PUT", &format!("{root}/finalize"), JSON, namespace.clone()),
        write("PUT", &root, JSON, namespace),
        write("DELETE", &format!("{root}/pods/held"), JSON, Value::Null),
        read(format!("{root}/pods/held")),
        read("/metrics".to_owned()),
        read("/version".to_owned()),
    ];
    Family { grants: grants("actions", rules), requests }
}

pub(super) fn fixtures() -> Vec<(String, Value)> {
    let root = format!("/api/v1/namespaces/{NAMESPACE}");
    let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "held" } });
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "held" },
        "spec": { "serviceAccountName": "held", "containers": [{ "name": "c", "image": "i" }] },
    });
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } });
    let rbac = |plural: &str| format!("/apis/{RBAC}/v1/namespaces/{NAMESPACE}/{plural}");
    let mut fixtures = vec![
        ("/apis/apiextensions.k8s.io/v1/customresourcedefinitions".to_owned(), definition()),
        ("/api/v1/namespaces".to_owned(), namespace),
        (format!("{root}/serviceaccounts"), account),
        (format!("{root}/pods"), pod),
        (rbac("roles"), role("held")),
        (rbac("rolebindings"), binding("held")),
        (
            format!("/apis/{CERTIFICATES}/v1/certificatesigningrequests"),
            signing_request("matrix-held", "example.com/a", "devs"),
        ),
    ];
    fixtures.extend(OBJECTS.iter().map(|kind| (kind.collection(), kind.object("held"))));
    fixtures
}
