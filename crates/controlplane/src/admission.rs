//! The admission plugin for the kinds of the federation.
//!
//! It does what Karmada's webhooks do; the decisions are in `api::admission`. A control plane that is not Portolan's
//! has no such plugin, so controllers must not rely on it.

use portolan_api::admission::{self, Operation};
use portolan_apiserver::Admission;
use portolan_apiserver::admission::{AdmissionFuture, Attributes, Operation as ApiOperation};
use portolan_object::Status;
use serde_json::Value;

/// Defaults and validates policies and other kinds of the federation.
#[derive(Debug, Default)]
pub(crate) struct Federation;

impl Admission for Federation {
    fn admit<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: &'a mut Value,
        old: Option<&'a Value>,
    ) -> AdmissionFuture<'a> {
        Box::pin(std::future::ready(decide(attributes, object, old)))
    }
}

fn decide(
    attributes: &Attributes<'_>,
    object: &mut Value,
    old: Option<&Value>,
) -> Result<Vec<String>, Status> {
    if !attributes.subresource.is_empty() {
        return Ok(Vec::new());
    }
    let operation = match attributes.operation {
        ApiOperation::Create => Operation::Create,
        ApiOperation::Update => Operation::Update,
        ApiOperation::Delete => Operation::Delete,
    };
    let kind = &attributes.resource.kind;
    let new_id = || uuid::Uuid::new_v4().to_string();
    admission::admit(operation, kind, attributes.namespace, object, old, new_id)
}
