//! [`KubeletTarget`]: address, path and parameters of a request to a kubelet.

use form_urlencoded::Serializer;
use portolan_object::{FieldError, Object, Status};
use serde_json::{Value, json};

use super::KubeletAddress;
use crate::request::query::Query;
use crate::tree;

/// Types of node addresses in the order of preference: the default of `--kubelet-preferred-address-types`.
const ADDRESS_TYPES: [&str; 5] = ["Hostname", "InternalDNS", "InternalIP", "ExternalDNS", "ExternalIP"];

/// The port of a kubelet if the node has none in its status.
const DEFAULT_KUBELET_PORT: i64 = 10_250;

/// A streaming subresource of pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodAction {
    /// `log`: output of a container.
    Logs,
    /// `exec`: a new process in a container.
    Exec,
    /// `attach`: the streams of the main process of a container.
    Attach,
    /// `portforward`: connections to ports of the pod.
    PortForward,
}

/// Destination of a request to a kubelet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeletTarget {
    /// The subresource.
    pub action: PodAction,
    /// Where the kubelet listens.
    pub address: KubeletAddress,
    /// Name of the pod.
    pub pod: String,
    /// Path and query at the kubelet.
    pub path_and_query: String,
}

impl PodAction {
    /// The action behind a subresource of pods.
    pub fn from_subresource(subresource: &str) -> Option<Self> {
        match subresource {
            "log" => Some(Self::Logs),
            "exec" => Some(Self::Exec),
            "attach" => Some(Self::Attach),
            "portforward" => Some(Self::PortForward),
            _ => None,
        }
    }

    /// The verb that must be allowed besides that of the request: a WebSocket opens a stream with `GET`, and must not
    /// need fewer permissions than `POST`.
    pub fn needs_verb(self) -> Option<&'static str> {
        (self != Self::Logs).then_some("create")
    }
}

impl KubeletTarget {
    /// Finds the destination of a request. `find_node` looks up a node by name.
    ///
    /// `None` for logs of a pod that has no node yet: there are none, which is 204.
    ///
    /// # Errors
    /// 400 for a container that does not exist or is ambiguous, or a pod without node; 404 when the node does not exist;
    /// 422 for parameters that exclude each other; 500 when the node has no valid address.
    pub fn locate(
        action: PodAction,
        pod: &Object,
        query: &Query,
        find_node: impl FnOnce(&str) -> Option<Object>,
    ) -> Result<Option<Self>, Status> {
        let parameters = match action {
            PodAction::Logs => log_parameters(pod, query)?,
            PodAction::Exec | PodAction::Attach => stream_parameters(action, query),
            PodAction::PortForward => port_parameters(query),
        };
        let (namespace, name) = (pod.namespace(), pod.name());
        let path = match action {
            PodAction::Logs => format!("/containerLogs/{namespace}/{name}/{}", container(pod, query)?),
            PodAction::Exec => format!("/exec/{namespace}/{name}/{}", container(pod, query)?),
            PodAction::Attach => format!("/attach/{namespace}/{name}/{}", container(pod, query)?),
            PodAction::PortForward => format!("/portForward/{namespace}/{name}"),
        };
        let node = match pod.str_at(&["spec", "nodeName"]) {
            "" if action == PodAction::Logs => return Ok(None),
            "" => return Err(Status::bad_request(format!("pod {name} does not have a host assigned"))),
            node => find_node(node).ok_or_else(|| Status::not_found("", "nodes", node))?,
        };
        let address = address(&node)?;
        let path_and_query = if parameters.is_empty() { path } else { format!("{path}?{parameters}") };
        Ok(Some(Self { action, address, pod: name.to_owned(), path_and_query }))
    }
}

/// The container in the query, or the only one of the pod.
fn container(pod: &Object, query: &Query) -> Result<String, Status> {
    let name = pod.name();
    let names_of = |field: &str| {
        let containers = tree::list(&pod.0, &format!("/spec/{field}")).iter();
        containers.map(|container| tree::str_at(container, "/name").to_owned()).collect::<Vec<_>>()
    };
    let regular = names_of("containers");
    let all = [names_of("initContainers"), regular.clone(), names_of("ephemeralContainers")].concat();
    match (query.non_empty("container"), regular.as_slice()) {
        (Some(wanted), _) if all.iter().any(|name| name == wanted) => Ok(wanted.to_owned()),
        (Some(wanted), _) => {
            Err(Status::bad_request(format!("container {wanted} is not valid for pod {name}")))
        }
        (None, [only]) => Ok(only.clone()),
        (None, []) => Err(Status::bad_request(format!("a container name must be specified for pod {name}"))),
        (None, _) => Err(Status::bad_request(format!(
            "a container name must be specified for pod {name}, choose one of: [{}]",
            all.join(" ")
        ))),
    }
}

/// The parameters with the names that kubelets use: streams are `input`, `output` and `error`.
fn stream_parameters(action: PodAction, query: &Query) -> String {
    let mut parameters = Serializer::new(String::new());
    for (ours, theirs) in [("stdin", "input"), ("stdout", "output"), ("stderr", "error"), ("tty", "tty")] {
        if query.flag(ours) {
            parameters.append_pair(theirs, "1");
        }
    }
    if action == PodAction::Exec {
        query.all("command").for_each(|word| {
            parameters.append_pair("command", word);
        });
    }
    parameters.finish()
}

fn port_parameters(query: &Query) -> String {
    let ports: Vec<&str> = query.all("ports").filter(|port| port.parse::<u16>().is_ok()).collect();
    if ports.is_empty() {
        return String::new();
    }
    Serializer::new(String::new()).append_pair("port", &ports.join(",")).finish()
}

fn log_parameters(pod: &Object, query: &Query) -> Result<String, Status> {
    let mut errors = Vec::new();
    let mut parameters = Serializer::new(String::new());
    for name in ["follow", "previous", "timestamps"] {
        if query.flag(name) {
            parameters.append_pair(name, "true");
        }
    }
    for (name, least, detail) in [
        ("sinceSeconds", 1, "must be greater than 0"),
        ("tailLines", 0, "must be greater than or equal to 0"),
        ("limitBytes", 1, "must be greater than 0"),
    ] {
        let Some(text) = query.non_empty(name) else { continue };
        match text.parse::<i64>() {
            Ok(number) if number >= least => {
                parameters.append_pair(name, text);
            }
            Ok(number) => errors.push(FieldError::invalid(name, &json!(number), detail)),
            Err(_) => {
                let text = format!("strconv.ParseInt: parsing {text:?}: invalid syntax");
                return Err(Status::bad_request(text));
            }
        }
    }
    if let Some(time) = query.non_empty("sinceTime") {
        parameters.append_pair("sinceTime", time);
        if query.non_empty("sinceSeconds").is_some() {
            errors.push(FieldError::forbidden(
                "",
                "at most one of `sinceTime` or `sinceSeconds` may be specified",
            ));
        }
    }
    let stream = query.non_empty("stream").unwrap_or("All");
    if !["All", "Stdout", "Stderr"].contains(&stream) {
        errors.push(FieldError::not_supported("stream", &json!(stream), &["All", "Stderr", "Stdout"]));
    } else if stream != "All" {
        if query.non_empty("tailLines").is_some() {
            let detail = "`tailLines` and specific `stream` are mutually exclusive for now";
            errors.push(FieldError::forbidden("", detail));
        }
        parameters.append_pair("stream", stream);
    }
    if errors.is_empty() {
        Ok(parameters.finish())
    } else {
        Err(Status::invalid("", "PodLogOptions", pod.name(), &errors))
    }
}

/// The address of the kubelet of a node.
fn address(node: &Object) -> Result<KubeletAddress, Status> {
    let addresses = tree::list(&node.0, "/status/addresses");
    let of_type = |kind: &&str| addresses.iter().find(|entry| tree::str_at(entry, "/type") == *kind);
    let Some(found) = ADDRESS_TYPES.iter().find_map(of_type) else {
        let known = json!(addresses);
        return Err(Status::internal(format!("no preferred addresses found; known addresses: {known}")));
    };
    let port =
        tree::integer(&node.0, "/status/daemonEndpoints/kubeletEndpoint/Port").filter(|port| *port > 0);
    let host = tree::str_at(found, "/address").to_owned();
    let port = u16::try_from(port.unwrap_or(DEFAULT_KUBELET_PORT)).unwrap_or_default();
    let address = KubeletAddress { node: node.name().to_owned(), host, port };
    // Nodes may write anything into their status; only a valid host may get into a request.
    if address.is_valid() { Ok(address) } else { Err(invalid_address(found)) }
}

fn invalid_address(found: &Value) -> Status {
    Status::internal(format!("the address of the node cannot be used: {found}"))
}
