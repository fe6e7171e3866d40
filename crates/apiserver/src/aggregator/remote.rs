//! [`Remote`]: a group version that another API server answers, as its APIService describes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::ClientConfig;
use serde_json::Value;

use super::front_proxy::FrontProxy;
use crate::ca_bundle;
use crate::kinds;
use crate::resources::RemoteVersion;
use crate::tree;

/// The servers of group versions, by the names of their APIServices.
pub(crate) type Routes = BTreeMap<String, Arc<Remote>>;

/// A group version of another server.
#[derive(Debug)]
pub(crate) struct Remote {
    /// Name of the APIService.
    pub(crate) name: String,
    pub(super) group: String,
    pub(super) version: String,
    /// Namespace and name of the Service.
    pub(super) service: (String, String),
    pub(super) port: u16,
    /// TLS settings, or why there are none.
    pub(super) tls: Result<Arc<ClientConfig>, String>,
    /// `spec` of the APIService.
    pub(super) spec: Value,
    state: Mutex<State>,
}

/// What the last probe found.
#[derive(Debug)]
struct State {
    /// Why the server is not available.
    problem: Option<String>,
    /// Its resources, in the aggregated form; those that it had last if it is not available.
    resources: Option<Arc<Value>>,
}

impl Remote {
    /// Reads an APIService with a Service.
    pub(super) fn new(api_service: &Value, front_proxy: &FrontProxy) -> Self {
        let text = |pointer: &str| tree::str_at(api_service, pointer).to_owned();
        let port = tree::integer(api_service, "/spec/service/port").unwrap_or(443);
        let state = State { problem: Some("it was not asked yet".to_owned()), resources: None };
        Self {
            name: text("/metadata/name"),
            group: text("/spec/group"),
            version: text("/spec/version"),
            service: (text("/spec/service/namespace"), text("/spec/service/name")),
            port: u16::try_from(port).unwrap_or_default(),
            tls: client_config(api_service, front_proxy),
            spec: api_service.get("spec").cloned().unwrap_or_default(),
            state: Mutex::new(state),
        }
    }

    /// Group and version.
    pub(crate) fn group_version(&self) -> (&str, &str) {
        (&self.group, &self.version)
    }

    /// The name that the certificate of the server must have.
    pub(super) fn host(&self) -> String {
        format!("{}.{}.svc", self.service.1, self.service.0)
    }

    /// Why the server is not available.
    pub(crate) fn problem(&self) -> Option<String> {
        self.state.lock().problem.clone()
    }

    /// Takes the outcome of a probe.
    pub(super) fn set(&self, outcome: Result<Value, String>) {
        let mut state = self.state.lock();
        match outcome {
            Ok(resources) => *state = State { problem: None, resources: Some(Arc::new(resources)) },
            Err(problem) => state.problem = Some(problem),
        }
    }

    /// The group version as discovery shows it.
    pub(super) fn shown(&self) -> RemoteVersion {
        let priority = tree::integer(&self.spec, "/groupPriorityMinimum");
        let state = self.state.lock();
        RemoteVersion {
            group: self.group.clone(),
            version: self.version.clone(),
            priority: priority
                .map_or(kinds::CUSTOM_GROUP_PRIORITY, |minimum| u32::try_from(minimum).unwrap_or_default()),
            is_current: state.problem.is_none(),
            resources: state.resources.clone(),
        }
    }
}

/// TLS settings that authenticate with the certificate of the front proxy.
fn client_config(api_service: &Value, front_proxy: &FrontProxy) -> Result<Arc<ClientConfig>, String> {
    let builder = ClientConfig::builder_with_provider(portolan_net::tls::provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = if tree::is_true(api_service, "/spec/insecureSkipTLSVerify") {
        builder.dangerous().with_custom_certificate_verifier(portolan_net::tls::accept_any())
    } else {
        builder.with_root_certificates(ca_bundle::roots(tree::str_at(api_service, "/spec/caBundle"))?)
    };
    let identity = &front_proxy.identity;
    let config = builder.with_client_auth_cert(identity.chain().to_vec(), identity.key().clone_key());
    config.map(Arc::new).map_err(|error| error.to_string())
}
