//! The endpoint of a Service for requests of this server, which is not behind the Service proxy of a node.

use portolan_store::{Query, ReadError, Store};
use serde_json::Value;

use crate::record::Record;
use crate::tree;

/// Why a Service has no endpoint.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoEndpoint {
    /// There is no such Service.
    #[error("service {0:?} not found")]
    NoService(String),
    /// The Service does not have the port.
    #[error("no service port {port} found for service {service:?}")]
    NoPort { service: String, port: u16 },
    /// No EndpointSlice is of the Service.
    #[error("no endpoints available for service {0:?}")]
    NoSlices(String),
    /// No endpoint is ready and has the port.
    #[error("no endpoints available for service {service:?}")]
    NoneReady { service: String, port_name: String },
    /// The store cannot be read.
    #[error(transparent)]
    Unread(#[from] ReadError),
}

/// Host and port of a ready endpoint, or of the external name.
///
/// # Errors
/// [`NoEndpoint`].
pub(crate) fn find(
    store: &Store<Record>,
    namespace: &str,
    name: &str,
    wanted: u16,
) -> Result<(String, u16), NoEndpoint> {
    let stored = store.get(&format!("core/services/{namespace}/{name}"));
    let service = stored.ok_or_else(|| NoEndpoint::NoService(name.to_owned()))?.value.value();
    if tree::str_at(&service, "/spec/type") == "ExternalName" {
        return Ok((tree::str_at(&service, "/spec/externalName").to_owned(), wanted));
    }
    let ports = tree::list(&service, "/spec/ports");
    let found = ports.iter().find(|entry| tree::integer(entry, "/port") == Some(i64::from(wanted)));
    let found = found.ok_or_else(|| NoEndpoint::NoPort { service: name.to_owned(), port: wanted })?;
    let port_name = tree::str_at(found, "/name");
    let prefix = format!("discovery.k8s.io/endpointslices/{namespace}/");
    let items = store.items(&Query::prefix(prefix))?;
    let is_own = |slice: &Value| {
        tree::map(slice, "/metadata/labels")
            .and_then(|labels| labels.get("kubernetes.io/service-name"))
            .is_some_and(|label| label == name)
    };
    let own: Vec<Value> = items.iter().map(|item| item.value.value()).filter(is_own).collect();
    if own.is_empty() {
        return Err(NoEndpoint::NoSlices(name.to_owned()));
    }
    let ready = own.iter().find_map(|slice| ready(slice, port_name));
    ready.ok_or_else(|| NoEndpoint::NoneReady { service: name.to_owned(), port_name: port_name.to_owned() })
}

/// The first endpoint of a slice that is ready, with the port of that name.
fn ready(slice: &Value, port_name: &str) -> Option<(String, u16)> {
    let mut ports = tree::list(slice, "/ports").iter();
    let port = ports.find(|port| tree::str_at(port, "/name") == port_name)?;
    let port = u16::try_from(tree::integer(port, "/port")?).ok()?;
    let is_ready =
        |endpoint: &&Value| tree::at(endpoint, "/conditions/ready").and_then(Value::as_bool) != Some(false);
    let endpoint = tree::list(slice, "/endpoints").iter().find(is_ready)?;
    Some((tree::strings_at(endpoint, "/addresses").next()?.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_ready_endpoint_is_called_at_the_port_of_that_name() {
        let slice = json!({ "ports": [{ "name": "metrics", "port": 1 }, { "name": "https", "port": 9443 }], "endpoints": [
            { "addresses": ["10.0.0.1"], "conditions": { "ready": false } }, { "addresses": ["10.0.0.2"] }] });
        assert_eq!(ready(&slice, "https"), Some(("10.0.0.2".to_owned(), 9443)));
        assert_eq!(ready(&slice, "absent"), None);
    }
}
