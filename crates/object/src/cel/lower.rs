//! From the parser's tree to ours, with the macros that the parser leaves as calls.

use std::sync::Arc;

use kube_cel::cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, ListExpr, LiteralValue, MapExpr, StructExpr,
    operators,
};

use super::tree::{Access, Element, Entry, Fold, Node, Operator};
use super::{Messages, Value, macros, messages};

/// Names before the dot of functions such as `sets.contains`.
const NAMESPACES: [&str; 9] =
    ["format", "ip", "jsonpatch", "lists", "math", "optional", "sets", "strings", "base64"];
/// Deeper expressions are not evaluated: lowering, estimating and evaluating recurse. A chain of operators such as
/// `a + b + c` has a level for each.
const MAX_DEPTH: usize = 150;

/// The tree of an expression, and its free variables.
///
/// # Errors
/// What the expression uses that cannot be evaluated.
pub(super) fn lower(expression: &IdedExpr, messages: Messages) -> Result<(Node, Vec<String>), String> {
    let mut lowering = Lowering { messages, depth: 0, bound: Vec::new(), free: Vec::new() };
    let root = lowering.node(expression)?;
    Ok((root, lowering.free))
}

struct Lowering {
    messages: Messages,
    /// Levels around the present expression.
    depth: usize,
    /// Variables of the macros around the present expression.
    bound: Vec<String>,
    free: Vec<String>,
}

impl Lowering {
    fn node(&mut self, expression: &IdedExpr) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("nested more than {MAX_DEPTH} levels deep"));
        }
        let node = self.lowered(&expression.expr);
        self.depth -= 1;
        node
    }

    fn lowered(&mut self, expression: &Expr) -> Result<Node, String> {
        Ok(match expression {
            Expr::Literal(literal) => Node::Constant(constant(literal)),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => Node::Select {
                operand: self.boxed(&select.operand)?,
                field: select.field.as_str().into(),
                access: if select.test { Access::Test } else { Access::Required },
            },
            Expr::Call(call) => self.call(call)?,
            Expr::List(list) => self.list(list)?,
            Expr::Map(map) => self.map(map)?,
            Expr::Comprehension(fold) => self.fold(fold)?,
            Expr::Struct(message) => self.message(message)?,
            Expr::Unspecified => return Err("the expression is incomplete".to_owned()),
        })
    }

    fn boxed(&mut self, expression: &IdedExpr) -> Result<Box<Node>, String> {
        self.node(expression).map(Box::new)
    }

    fn variable(&mut self, name: &str) -> Node {
        if !self.is_bound(name) && !self.free.iter().any(|free| free == name) {
            self.free.push(name.to_owned());
        }
        Node::Variable(name.into())
    }

    fn is_bound(&self, name: &str) -> bool {
        self.bound.iter().any(|bound| bound == name)
    }

    /// Lowers a part in which variables are bound.
    fn within(&mut self, variables: &[&str], part: &IdedExpr) -> Result<Node, String> {
        let outside = self.bound.len();
        self.bound.extend(variables.iter().map(|name| (*name).to_owned()));
        let node = self.node(part);
        self.bound.truncate(outside);
        node
    }

    fn list(&mut self, list: &ListExpr) -> Result<Node, String> {
        let mut elements = Vec::with_capacity(list.elements.len());
        for (index, element) in list.elements.iter().enumerate() {
            let is_optional = list.optional_indices.contains(&index);
            elements.push(Element { value: self.node(element)?, is_optional });
        }
        Ok(Node::List(elements))
    }

    fn map(&mut self, map: &MapExpr) -> Result<Node, String> {
        let mut entries = Vec::with_capacity(map.entries.len());
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else {
                return Err("a map has keys, not fields".to_owned());
            };
            let (key, value) = (self.node(&entry.key)?, self.node(&entry.value)?);
            entries.push(Entry { key, value, is_optional: entry.optional });
        }
        Ok(Node::Map(entries))
    }

    /// A message becomes a map of its fields.
    fn message(&mut self, message: &StructExpr) -> Result<Node, String> {
        messages::check(message, self.messages)?;
        let mut entries = Vec::with_capacity(message.entries.len());
        for entry in &message.entries {
            let EntryExpr::StructField(field) = &entry.expr else {
                return Err("a message has fields, not keys".to_owned());
            };
            let key = Node::Constant(Value::String(Arc::new(field.field.clone())));
            entries.push(Entry { key, value: self.node(&field.value)?, is_optional: field.optional });
        }
        Ok(Node::Map(entries))
    }

    /// A macro that the parser has expanded.
    fn fold(&mut self, fold: &ComprehensionExpr) -> Result<Node, String> {
        let (range, initial) = (self.node(&fold.iter_range)?, self.node(&fold.accu_init)?);
        let mut variables = vec![fold.accu_var.as_str(), fold.iter_var.as_str()];
        variables.extend(fold.iter_var2.as_deref());
        Ok(Node::Fold(Box::new(Fold {
            range,
            initial,
            condition: self.within(&variables, &fold.loop_cond)?,
            step: self.within(&variables, &fold.loop_step)?,
            result: self.within(&variables[..1], &fold.result)?,
            variable: fold.iter_var.as_str().into(),
            second: fold.iter_var2.as_deref().map(Into::into),
            accumulator: fold.accu_var.as_str().into(),
        })))
    }

    fn call(&mut self, call: &CallExpr) -> Result<Node, String> {
        let name = call.func_name.as_str();
        match (&call.target, call.args.as_slice()) {
            (None, [condition, yes, no]) if name == operators::CONDITIONAL => {
                let parts = [self.node(condition)?, self.node(yes)?, self.node(no)?];
                Ok(Node::Conditional(Box::new(parts)))
            }
            (None, [operand]) => self.unary(name, operand),
            (None, [left, right]) => self.binary(name, left, right),
            (Some(target), arguments) => self.method(name, target, arguments),
            (None, arguments) => self.function(name, arguments),
        }
    }

    fn unary(&mut self, name: &str, operand: &IdedExpr) -> Result<Node, String> {
        let operator = match name {
            operators::LOGICAL_NOT => Node::Not,
            operators::NEGATE => Node::Negate,
            operators::NOT_STRICTLY_FALSE => Node::NotStrictlyFalse,
            _ => return self.function(name, std::slice::from_ref(operand)),
        };
        self.boxed(operand).map(operator)
    }

    fn binary(&mut self, name: &str, left: &IdedExpr, right: &IdedExpr) -> Result<Node, String> {
        let operator = match name {
            operators::LOGICAL_AND => return Ok(Node::And(self.boxed(left)?, self.boxed(right)?)),
            operators::LOGICAL_OR => return Ok(Node::Or(self.boxed(left)?, self.boxed(right)?)),
            operators::INDEX | operators::OPT_INDEX => {
                let (operand, index) = (self.boxed(left)?, self.boxed(right)?);
                return Ok(Node::Index { operand, index, is_optional: name == operators::OPT_INDEX });
            }
            operators::OPT_SELECT => {
                let Expr::Literal(LiteralValue::String(field)) = &right.expr else {
                    return Err("a field is selected by its name".to_owned());
                };
                let field = field.inner().into();
                return Ok(Node::Select { operand: self.boxed(left)?, field, access: Access::Optional });
            }
            operators::ADD => Operator::Add,
            operators::SUBSTRACT => Operator::Subtract,
            operators::MULTIPLY => Operator::Multiply,
            operators::DIVIDE => Operator::Divide,
            operators::MODULO => Operator::Modulo,
            operators::EQUALS => Operator::Equal,
            operators::NOT_EQUALS => Operator::NotEqual,
            operators::LESS => Operator::Less,
            operators::LESS_EQUALS => Operator::LessEqual,
            operators::GREATER => Operator::Greater,
            operators::GREATER_EQUALS => Operator::GreaterEqual,
            operators::IN => Operator::In,
            _ => {
                let arguments = vec![self.node(left)?, self.node(right)?];
                return Ok(Node::Call { function: name.into(), target: None, arguments });
            }
        };
        Ok(Node::Binary(operator, self.boxed(left)?, self.boxed(right)?))
    }

    fn function(&mut self, name: &str, arguments: &[IdedExpr]) -> Result<Node, String> {
        let arguments = arguments.iter().map(|argument| self.node(argument)).collect::<Result<_, _>>()?;
        Ok(Node::Call { function: name.into(), target: None, arguments })
    }

    fn method(&mut self, name: &str, target: &IdedExpr, arguments: &[IdedExpr]) -> Result<Node, String> {
        if let Expr::Ident(namespace) = &target.expr
            && !self.is_bound(namespace)
        {
            if let ("cel", "bind", [variable, value, body]) = (namespace.as_str(), name, arguments) {
                let variable = identifier(variable)?;
                let value = self.boxed(value)?;
                let body = Box::new(self.within(&[variable], body)?);
                return Ok(Node::Bind { variable: variable.into(), value, body });
            }
            if NAMESPACES.contains(&namespace.as_str()) {
                return self.function(&format!("{namespace}.{name}"), arguments);
            }
        }
        if let Some(node) = self.macro_call(name, target, arguments)? {
            return Ok(node);
        }
        let target = Some(self.boxed(target)?);
        let arguments = arguments.iter().map(|argument| self.node(argument)).collect::<Result<_, _>>()?;
        Ok(Node::Call { function: name.into(), target, arguments })
    }

    /// Macros of cel-go's `ext.TwoVarComprehensions`, `ext.Lists` and `OptionalTypes`.
    fn macro_call(
        &mut self,
        name: &str,
        target: &IdedExpr,
        arguments: &[IdedExpr],
    ) -> Result<Option<Node>, String> {
        Ok(Some(match (name, arguments) {
            ("optMap" | "optFlatMap", [variable, body]) => {
                let variable = identifier(variable)?;
                let operand = self.boxed(target)?;
                let body = Box::new(self.within(&[variable], body)?);
                Node::OptionalMap { operand, variable: variable.into(), body, is_flat: name == "optFlatMap" }
            }
            ("sortBy", [variable, key]) => {
                let variable = identifier(variable)?;
                let operand = self.boxed(target)?;
                let key = Box::new(self.within(&[variable], key)?);
                Node::SortBy { operand, variable: variable.into(), key }
            }
            ("all" | "exists" | "existsOne" | "exists_one", [first, second, body])
            | ("transformList" | "transformMap" | "transformMapEntry", [first, second, body]) => {
                self.two_variables(name, target, [first, second], None, body)?
            }
            ("transformList" | "transformMap" | "transformMapEntry", [first, second, filter, body]) => {
                self.two_variables(name, target, [first, second], Some(filter), body)?
            }
            _ => return Ok(None),
        }))
    }

    fn two_variables(
        &mut self,
        name: &str,
        target: &IdedExpr,
        variables: [&IdedExpr; 2],
        filter: Option<&IdedExpr>,
        body: &IdedExpr,
    ) -> Result<Node, String> {
        let variables = [identifier(variables[0])?, identifier(variables[1])?];
        let range = self.node(target)?;
        let body = self.within(&variables, body)?;
        let filter = filter.map(|filter| self.within(&variables, filter)).transpose()?;
        Ok(Node::Fold(Box::new(macros::two_variables(name, variables, range, filter, body))))
    }
}

fn identifier(expression: &IdedExpr) -> Result<&str, String> {
    match &expression.expr {
        Expr::Ident(name) => Ok(name),
        _ => Err("argument must be a simple name".to_owned()),
    }
}

fn constant(literal: &LiteralValue) -> Value {
    match literal {
        LiteralValue::Boolean(value) => Value::Bool(*value.inner()),
        LiteralValue::Bytes(value) => Value::Bytes(Arc::new(value.inner().to_vec())),
        LiteralValue::Double(value) => Value::Float(*value.inner()),
        LiteralValue::Int(value) => Value::Int(*value.inner()),
        LiteralValue::Null => Value::Null,
        LiteralValue::String(value) => Value::String(Arc::new(value.inner().to_owned())),
        LiteralValue::UInt(value) => Value::UInt(*value.inner()),
    }
}
