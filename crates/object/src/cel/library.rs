//! Functions of the crates `cel` and `kube-cel`.
//!
//! They take their arguments as expressions, so a call is written as one, with variables for the values. Values are
//! copied on the way in and out; the caller has paid for that.

use std::sync::LazyLock;

use kube_cel::KubeCelExt as _;
use kube_cel::cel::Context;
use kube_cel::cel::common::ast::{CallExpr, Expr, IdedExpr};

use super::{ExecutionError, Value};

/// The functions of CEL and of Kubernetes, registered once.
static FUNCTIONS: LazyLock<Context<'static>> = LazyLock::new(|| Context::default().with_all());

/// Calls a function by its name; a namespaced name has its namespace.
///
/// # Errors
/// The result of the function; `None` if there is no function of this name.
pub(crate) fn call(
    function: &str,
    target: Option<&Value>,
    arguments: &[Value],
) -> Result<Value, ExecutionError> {
    let mut context = FUNCTIONS.new_inner_scope();
    let mut variable = |name: String, value: &Value| {
        context.add_variable_from_value(name.clone(), value.clone());
        expression(Expr::Ident(name))
    };
    let (namespace, name) = match function.rsplit_once('.') {
        Some((namespace, name)) => (Some(expression(Expr::Ident(namespace.to_owned()))), name),
        None => (None, function),
    };
    let target = target.map(|target| variable("target".to_owned(), target)).or(namespace);
    let args =
        (0..).zip(arguments).map(|(index, value): (usize, _)| variable(format!("argument{index}"), value));
    let args = args.collect();
    let call = CallExpr { func_name: name.to_owned(), target: target.map(Box::new), args };
    Value::resolve(&expression(Expr::Call(call)), &context)
}

fn expression(expr: Expr) -> IdedExpr {
    IdedExpr { id: 0, expr }
}
