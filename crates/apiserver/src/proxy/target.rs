//! Where a request about a pod goes: the node's address, and the kubelet's path and parameters.

use form_urlencoded::Serializer;
use portolan_object::{FieldError, Object, Status};
use serde_json::{Value, json};

use super::KubeletAddress;
use crate::request::query::Query;
use crate::tree;

/// Kinds of addresses in the order of preference.
///
/// # Source
/// The default of `--kubelet-preferred-address-types` of kube-apiserver.
const ADDRESS_TYPES: [&str; 5] = ["Hostname", "InternalDNS", "InternalIP", "ExternalDNS", "ExternalIP"];

/// The port of a kubelet that does not say which one it has.
const DEFAULT_PORT: i64 = 10_250;

/// What is asked of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// What a container has written.
    Logs,
    /// A new process in a container.
    Exec,
    /// The streams of a container's own process.
    Attach,
    /// Connections to ports of the pod.
    PortForward,
}

/// A request on its way to a kubelet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What is asked.
    pub action: Action,
    /// Where the kubelet listens.
    pub address: KubeletAddress,
    /// Name of the pod.
    pub pod: String,
    /// What the kubelet is asked for.
    pub path_and_query: String,
}

impl Action {
    /// The action behind a subresource of pods.
    pub fn of(subresource: &str) -> Option<Self> {
        match subresource {
            "log" => Some(Self::Logs),
            "exec" => Some(Self::Exec),
            "attach" => Some(Self::Attach),
            "portforward" => Some(Self::PortForward),
            _ => None,
        }
    }

    /// A verb that the user must hold besides the one of the request: a stream can do as much when it is opened by
    /// a `GET` of a WebSocket as by a `POST`.
    pub fn needs_verb(self) -> Option<&'static str> {
        (self != Self::Logs).then_some("create")
    }
}

impl Target {
    /// Decides where a request goes. `find_node` looks a node up by its name.
    ///
    /// No target means that the pod has no node yet and logs are asked for: there are none, which is 204.
    ///
    /// # Errors
    /// 400 for a container that the pod does not have, that is not chosen, or for a pod without a node; 404 when
    /// its node is gone; 422 for parameters that contradict each other; 500 when the node has no address.
    pub fn locate(
        action: Action,
        pod: &Object,
        query: &Query,
        find_node: impl FnOnce(&str) -> Option<Object>,
    ) -> Result<Option<Self>, Status> {
        let parameters = match action {
            Action::Logs => log_parameters(pod, query)?,
            Action::Exec | Action::Attach => stream_parameters(action, query),
            Action::PortForward => port_parameters(query),
        };
        let (namespace, name) = (pod.namespace(), pod.name());
        let path = match action {
            Action::Logs => format!("/containerLogs/{namespace}/{name}/{}", container(pod, query)?),
            Action::Exec => format!("/exec/{namespace}/{name}/{}", container(pod, query)?),
            Action::Attach => format!("/attach/{namespace}/{name}/{}", container(pod, query)?),
            Action::PortForward => format!("/portForward/{namespace}/{name}"),
        };
        let node = match pod.str_at(&["spec", "nodeName"]) {
            "" if action == Action::Logs => return Ok(None),
            "" => return Err(Status::bad_request(format!("pod {name} does not have a host assigned"))),
            node => find_node(node).ok_or_else(|| Status::not_found("", "nodes", node))?,
        };
        let address = address(&node)?;
        let path_and_query = if parameters.is_empty() { path } else { format!("{path}?{parameters}") };
        Ok(Some(Self { action, address, pod: name.to_owned(), path_and_query }))
    }
}

/// The container asked for, or the only one.
fn container(pod: &Object, query: &Query) -> Result<String, Status> {
    let name = pod.name();
    let names_of = |part: &str| {
        let containers = tree::list(&pod.0, &format!("/spec/{part}")).iter();
        containers.map(|container| tree::text(container, "/name").to_owned()).collect::<Vec<_>>()
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

/// The parameters as a kubelet names them: streams are `input`, `output` and `error`.
fn stream_parameters(action: Action, query: &Query) -> String {
    let mut parameters = Serializer::new(String::new());
    for (ours, theirs) in [("stdin", "input"), ("stdout", "output"), ("stderr", "error"), ("tty", "tty")] {
        if query.flag(ours) {
            parameters.append_pair(theirs, "1");
        }
    }
    if action == Action::Exec {
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
    let mut faults = Vec::new();
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
            Ok(number) => faults.push(FieldError::invalid(name, &json!(number), detail)),
            Err(_) => {
                let text = format!("strconv.ParseInt: parsing {text:?}: invalid syntax");
                return Err(Status::bad_request(text));
            }
        }
    }
    if let Some(time) = query.non_empty("sinceTime") {
        parameters.append_pair("sinceTime", time);
        if query.non_empty("sinceSeconds").is_some() {
            faults.push(FieldError::forbidden(
                "",
                "at most one of `sinceTime` or `sinceSeconds` may be specified",
            ));
        }
    }
    let stream = query.non_empty("stream").unwrap_or("All");
    if !["All", "Stdout", "Stderr"].contains(&stream) {
        faults.push(FieldError::not_supported("stream", &json!(stream), &["All", "Stderr", "Stdout"]));
    } else if stream != "All" {
        if query.non_empty("tailLines").is_some() {
            let detail = "`tailLines` and specific `stream` are mutually exclusive for now";
            faults.push(FieldError::forbidden("", detail));
        }
        parameters.append_pair("stream", stream);
    }
    if faults.is_empty() {
        Ok(parameters.finish())
    } else {
        Err(Status::invalid("", "PodLogOptions", pod.name(), &faults))
    }
}

/// Where the kubelet of a node listens.
fn address(node: &Object) -> Result<KubeletAddress, Status> {
    let addresses = tree::list(&node.0, "/status/addresses");
    let of_type = |kind: &&str| addresses.iter().find(|entry| tree::text(entry, "/type") == *kind);
    let Some(found) = ADDRESS_TYPES.iter().find_map(of_type) else {
        let known = json!(addresses);
        return Err(Status::internal(format!("no preferred addresses found; known addresses: {known}")));
    };
    let port =
        tree::integer(&node.0, "/status/daemonEndpoints/kubeletEndpoint/Port").filter(|port| *port > 0);
    let host = tree::text(found, "/address").to_owned();
    let port = u16::try_from(port.unwrap_or(DEFAULT_PORT)).unwrap_or_default();
    let address = KubeletAddress { node: node.name().to_owned(), host, port };
    // A node may write anything there; what is no host must not get into a request.
    if address.is_valid() { Ok(address) } else { Err(invalid_address(found)) }
}

fn invalid_address(found: &Value) -> Status {
    Status::internal(format!("the address of the node cannot be used: {found}"))
}
