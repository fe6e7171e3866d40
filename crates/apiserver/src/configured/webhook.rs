//! A webhook as its configuration describes it.

use portolan_object::expression::Expression;

use super::client::Client;
use super::conditions::Compiled;
use super::types::{NamedExpression, WebhookSpec};
use crate::kinds::admissionregistration::run_here::WEBHOOK_VARIABLES;

/// A webhook in force.
#[derive(Debug)]
pub(super) struct Webhook {
    pub(super) spec: WebhookSpec,
    pub(super) client: Result<Client, String>,
    /// Match conditions with their names.
    pub(super) conditions: Vec<(String, Compiled)>,
}

impl Webhook {
    pub(super) fn new(spec: WebhookSpec) -> Self {
        let compiled = |condition: &NamedExpression| {
            (condition.name.clone(), Expression::compile(&condition.expression, &WEBHOOK_VARIABLES))
        };
        let conditions = spec.match_conditions.iter().map(compiled).collect();
        let client = Client::new(&spec.client_config);
        Self { spec, client, conditions }
    }
}
