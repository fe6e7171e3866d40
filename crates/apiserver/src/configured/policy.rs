//! An admission policy, compiled, and the binding that puts it in force.

use std::sync::Arc;

use portolan_object::expression::Expression;

use super::conditions::Compiled;
use super::types::{
    BindingSpec, FailurePolicy, MatchResources, Mutation as MutationSpec, NamedExpression, ParamKind,
    ParamRef, PatchExpression, PolicySpec, ReinvocationPolicy, Validation as ValidationSpec,
};
use crate::kinds::admissionregistration::run_here::POLICY_VARIABLES;

/// A compiled policy; `T` is what it asks or does.
#[derive(Debug)]
pub(super) struct Rules<T> {
    pub(super) name: String,
    pub(super) failure_policy: FailurePolicy,
    pub(super) reinvocation_policy: ReinvocationPolicy,
    pub(super) constraints: MatchResources,
    pub(super) param_kind: Option<ParamKind>,
    pub(super) conditions: Vec<(String, Compiled)>,
    pub(super) variables: Vec<(String, Compiled)>,
    pub(super) steps: Vec<T>,
}

/// A rule of a validating policy.
#[derive(Debug)]
pub(super) struct Validation {
    pub(super) source: String,
    pub(super) rule: Compiled,
    pub(super) message: String,
    pub(super) message_expression: Option<Compiled>,
    pub(super) reason: String,
}

/// A change of a mutating policy.
#[derive(Debug)]
pub(super) enum Mutation {
    /// The expression makes a part of the object, which is merged into it.
    Apply(Compiled),
    /// The expression makes operations of a JSON patch.
    JsonPatch(Compiled),
}

/// A policy that a binding puts in force.
#[derive(Debug)]
pub(super) struct Policy<T> {
    pub(super) rules: Arc<Rules<T>>,
    pub(super) binding: String,
    pub(super) resources: Option<MatchResources>,
    pub(super) parameters: Option<ParamRef>,
    pub(super) actions: Vec<String>,
}

impl Rules<Validation> {
    pub(super) fn validating(name: &str, mut spec: PolicySpec) -> Self {
        let steps = std::mem::take(&mut spec.validations).into_iter().map(Validation::compile).collect();
        Self::compile(name, spec, steps)
    }
}

impl Rules<Mutation> {
    pub(super) fn mutating(name: &str, mut spec: PolicySpec) -> Self {
        let steps = std::mem::take(&mut spec.mutations).into_iter().map(Mutation::compile).collect();
        Self::compile(name, spec, steps)
    }
}

impl<T> Rules<T> {
    fn compile(name: &str, spec: PolicySpec, steps: Vec<T>) -> Self {
        let named = |expressions: Vec<NamedExpression>| -> Vec<(String, Compiled)> {
            let compile = |named: NamedExpression| {
                (named.name, Expression::compile(&named.expression, &POLICY_VARIABLES))
            };
            expressions.into_iter().map(compile).collect()
        };
        Self {
            name: name.to_owned(),
            failure_policy: spec.failure_policy,
            reinvocation_policy: spec.reinvocation_policy,
            constraints: spec.match_constraints,
            param_kind: spec.param_kind,
            conditions: named(spec.match_conditions),
            variables: named(spec.variables),
            steps,
        }
    }
}

impl Validation {
    fn compile(spec: ValidationSpec) -> Self {
        let compile = |source: &str| Expression::compile(source, &POLICY_VARIABLES);
        Self {
            rule: compile(&spec.expression),
            source: spec.expression.trim().to_owned(),
            message: spec.message,
            message_expression: (!spec.message_expression.is_empty())
                .then(|| compile(&spec.message_expression)),
            reason: spec.reason,
        }
    }
}

impl Mutation {
    fn compile(spec: MutationSpec) -> Self {
        let compile = |patch: Option<PatchExpression>| {
            let source = patch.map(|patch| patch.expression).unwrap_or_default();
            Expression::compile_patch(&source, &POLICY_VARIABLES)
        };
        match spec.apply_configuration {
            Some(configuration) => Self::Apply(compile(Some(configuration))),
            None => Self::JsonPatch(compile(spec.json_patch)),
        }
    }
}

impl<T> Policy<T> {
    pub(super) fn new(rules: Arc<Rules<T>>, binding: String, spec: BindingSpec) -> Self {
        Self {
            rules,
            binding,
            resources: spec.match_resources,
            parameters: spec.param_ref,
            actions: spec.validation_actions,
        }
    }
}

impl Policy<Validation> {
    pub(super) fn denies(&self) -> bool {
        self.actions.iter().any(|action| action == "Deny")
    }

    pub(super) fn warns(&self) -> bool {
        self.actions.iter().any(|action| action == "Warn")
    }
}
