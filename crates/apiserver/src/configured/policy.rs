//! A validating admission policy, compiled, and the binding that puts it in force.

use std::sync::Arc;

use portolan_object::expression::Expression;

use super::conditions::Compiled;
use super::types::{
    BindingSpec, FailurePolicy, MatchResources, NamedExpression, ParamKind, ParamRef, PolicySpec,
    Validation as ValidationSpec,
};
use crate::kinds::admissionregistration::run_here::POLICY_VARIABLES;

/// A compiled policy.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) name: String,
    pub(super) failure_policy: FailurePolicy,
    pub(super) constraints: MatchResources,
    pub(super) param_kind: Option<ParamKind>,
    pub(super) conditions: Vec<(String, Compiled)>,
    pub(super) variables: Vec<(String, Compiled)>,
    pub(super) validations: Vec<Validation>,
}

/// A rule of a policy.
#[derive(Debug)]
pub(super) struct Validation {
    pub(super) source: String,
    pub(super) rule: Compiled,
    pub(super) message: String,
    pub(super) message_expression: Option<Compiled>,
    pub(super) reason: String,
}

/// A policy that a binding puts in force.
#[derive(Debug)]
pub(super) struct Policy {
    pub(super) rules: Arc<Rules>,
    pub(super) binding: String,
    pub(super) resources: Option<MatchResources>,
    pub(super) parameters: Option<ParamRef>,
    pub(super) actions: Vec<String>,
}

impl Rules {
    pub(super) fn compile(name: &str, spec: PolicySpec) -> Self {
        let named = |expressions: Vec<NamedExpression>| -> Vec<(String, Compiled)> {
            let compile = |named: NamedExpression| {
                (named.name, Expression::compile(&named.expression, &POLICY_VARIABLES))
            };
            expressions.into_iter().map(compile).collect()
        };
        let validation = |validation: ValidationSpec| Validation {
            rule: Expression::compile(&validation.expression, &POLICY_VARIABLES),
            source: validation.expression.trim().to_owned(),
            message: validation.message,
            message_expression: (!validation.message_expression.is_empty())
                .then(|| Expression::compile(&validation.message_expression, &POLICY_VARIABLES)),
            reason: validation.reason,
        };
        Self {
            name: name.to_owned(),
            failure_policy: spec.failure_policy,
            constraints: spec.match_constraints,
            param_kind: spec.param_kind,
            conditions: named(spec.match_conditions),
            variables: named(spec.variables),
            validations: spec.validations.into_iter().map(validation).collect(),
        }
    }
}

impl Policy {
    pub(super) fn new(rules: Arc<Rules>, binding: String, spec: BindingSpec) -> Self {
        Self {
            rules,
            binding,
            resources: spec.match_resources,
            parameters: spec.param_ref,
            actions: spec.validation_actions,
        }
    }

    pub(super) fn denies(&self) -> bool {
        self.actions.iter().any(|action| action == "Deny")
    }

    pub(super) fn warns(&self) -> bool {
        self.actions.iter().any(|action| action == "Warn")
    }
}
